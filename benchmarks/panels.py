"""Score find_panels on pages with known boxes.

    python benchmarks/panels.py BOXES.json [--root DIR] [--direction rtl|ltr] [--iou 0.7] [--only odd|even] [-v]

BOXES.json: {"pages": {"folder/archive.cbz:entry" or "folder/page.jpg": {"size": [w, h],
"panels": [[x, y, w, h], ...] in reading order, "ignore": [[x, y, w, h], ...]}}}; paths relative to --root, by default
the folder two above the file. Prints, for each source, precision, recall and F1 of one-to-one matches, and on how
many of the pages whose panels are all right the order is right too.
"""

from __future__ import annotations

import argparse
import json
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

from benchmarks.pages import read_gray
from mangapaint.layout.measure import Gray
from mangapaint.layout.panels import find_panels
from mangapaint.page import Region


def matches(found: list[Region], truth: list[Region], least: float) -> dict[int, int]:
    """Found index -> truth index, one to one, best overlap first."""
    pairs = sorted(((f.iou(t), i, j) for i, f in enumerate(found) for j, t in enumerate(truth)), reverse=True)
    taken: dict[int, int] = {}
    for iou, i, j in pairs:
        if iou >= least and i not in taken and j not in taken.values():
            taken[i] = j
    return taken


def ignored(region: Region, ignore: list[Region]) -> bool:
    return any(2 * region.intersection(other).area > region.area for other in ignore)


def score(name: str, page: dict[str, Any], gray: Gray, direction: Any, least: float) -> tuple[dict[str, int], str]:
    truth = [Region(*box) for box in page["panels"]]
    ignore = [Region(*box) for box in page.get("ignore", [])]
    found = [panel.region for panel in find_panels(gray, direction)]
    taken = matches(found, truth, least)
    kept = [i for i, region in enumerate(found) if i in taken or not ignored(region, ignore)]
    hits = len(taken)
    whole = hits == len(truth) == len(kept)
    ordered = whole and [taken[i] for i in kept] == list(range(len(truth)))
    line = f"{name}: {hits} of {len(truth)} right, {len(kept) - hits} wrong{'' if not whole or ordered else ', ORDER'}"
    row = {"found": len(kept), "truth": len(truth), "hits": hits, "pages": 1, "whole": whole, "ordered": ordered}
    return row, line


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("boxes", type=Path)
    parser.add_argument("--root", type=Path)
    parser.add_argument("--direction", choices=["rtl", "ltr"], default="rtl")
    parser.add_argument("--iou", type=float, default=0.7)
    parser.add_argument("--only", choices=["odd", "even"], help="every other page, to tune on one half alone")
    parser.add_argument("-v", action="store_true", dest="verbose")
    options = parser.parse_args()
    root = options.root or options.boxes.resolve().parents[2]
    pages = list(json.loads(options.boxes.read_text())["pages"].items())
    if options.only:
        pages = pages[options.only == "odd" :: 2]
    sums: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    seconds = 0.0
    for name, page in pages:
        gray = read_gray(root, name)
        started = time.perf_counter()
        row, line = score(name, page, gray, options.direction, options.iou)
        seconds += time.perf_counter() - started
        if options.verbose:
            print(line)
        for group in (name.partition(":")[0] if ":" in name else str(Path(name).parent), "all"):
            for key, value in row.items():
                sums[group][key] += value
    for group, row in sums.items():
        precision, recall = row["hits"] / max(1, row["found"]), row["hits"] / row["truth"]
        f1 = 2 * precision * recall / max(1e-9, precision + recall)
        print(
            f"{group}: {row['pages']} pages, {row['truth']} panels, precision {precision:.3f}, recall {recall:.3f}, "
            f"F1 {f1:.3f}, order right on {row['ordered']} of {row['whole']} whole pages"
        )
    print(f"{1000 * seconds / len(pages):.0f} ms a page")


if __name__ == "__main__":
    main()
