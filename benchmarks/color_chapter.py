"""Whole-process cost of `mangapaint color` on a chapter, against the time of the networks in the same run.

    python benchmarks/color_chapter.py CHAPTER [--upscale 4x] [--runs 3] [-- more flags]

Prints per run: wall seconds; seconds in nets (wall) and in encoders (processor, in threads beside the nets); wall over
nets; pages per minute; peak memory; processor seconds; then the medians, and the shares of nets in wall time
and of encoders in the processor's.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path


def one_run(chapter: Path, flags: list[str]) -> dict[str, float]:
    """Colour the chapter in a new process into a folder that is thrown away."""
    with tempfile.TemporaryDirectory(prefix="mangapaint-bench-") as folder:
        command = [sys.executable, "-m", "mangapaint", "color", str(chapter), "-o", folder, "--json", *flags]
        start = time.perf_counter()
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            lines = process.stdout.read().splitlines() if process.stdout else []
            _, status, usage = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
        wall = time.perf_counter() - start
    if process.returncode:
        raise SystemExit(f"{' '.join(command)} ended with {process.returncode}")
    pages = [json.loads(line) for line in lines if '"page"' in line]
    nets = sum(page["seconds"] for page in pages)
    encoding = sum(page["encode_seconds"] for page in pages)
    return {
        "wall_s": wall,
        "nets_s": nets,
        "encode_s": encoding,
        "ratio": wall / nets,
        "pages_per_min": len(pages) / wall * 60,
        "peak_MB": usage.ru_maxrss / 1024,
        "cpu_s": usage.ru_utime + usage.ru_stime,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("chapter", type=Path)
    parser.add_argument("--upscale", default="1x")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("flags", nargs="*")
    options = parser.parse_args()
    rows = [one_run(options.chapter, ["--upscale", options.upscale, *options.flags]) for _ in range(options.runs)]
    print("| run | " + " | ".join(rows[0]) + " |\n|" + "---|" * (len(rows[0]) + 1))
    for number, row in enumerate(rows, 1):
        print(f"| {number} | " + " | ".join(f"{value:.2f}" for value in row.values()) + " |")
    medians = {key: statistics.median(row[key] for row in rows) for key in rows[0]}
    print("| median | " + " | ".join(f"{value:.2f}" for value in medians.values()) + " |")
    nets, encoders = medians["nets_s"] / medians["wall_s"], medians["encode_s"] / medians["cpu_s"]
    print(f"nets {nets:.0%} of the wall time; encoders, in threads beside, {encoders:.0%} of the processor's")


if __name__ == "__main__":
    main()
