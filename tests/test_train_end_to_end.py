"""The section "From nothing to a coloured chapter" of train/README.md, run from an empty folder against a local booru.

The commands and the recipe are read from the section; only the server, the amounts and the size of the net are set
here, by options behind the documented ones.
"""

from __future__ import annotations

import io
import json
import os
import re
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from booru_server import FakeBooru, serving
from PIL import Image
from test_train import drawing

from train import checkpoint
from train.recipe import load
from train.scrape import ledger

ROOT = Path(__file__).parents[1]
SECTION = re.search(
    r"^## From nothing to a coloured chapter$(.*?)(?=^## |\Z)", (ROOT / "train/README.md").read_text(), re.M | re.S
)
assert SECTION
RECIPE = re.findall(r"```toml\n(.*?)```", SECTION[1], re.S)[0]
COMMANDS = [line for block in re.findall(r"```sh\n(.*?)```", SECTION[1], re.S) for line in block.splitlines() if line]
TINY = (
    "--set schedule.steps={steps} --set schedule.batch=2 --set net.base=4 --set net.cap=2 --set options.judge_width=4"
)
QUICK = "--set schedule.log_every=1 --set schedule.checkpoint_seconds=0 --device cpu"
PICTURES = 14


def png(picture: np.ndarray) -> bytes:
    sink = io.BytesIO()
    Image.fromarray(picture).save(sink, "PNG")
    return sink.getvalue()


def words(line: str, more: str = "") -> list[str]:
    """A documented command for this interpreter, with options behind its own."""
    program, *rest = shlex.split(line)
    start = {"python": [sys.executable], "mangapaint": [sys.executable, "-m", "mangapaint"]}[program]
    return [*start, *rest, *shlex.split(more)]


def environment() -> dict[str, str]:
    return os.environ | {"PYTHONPATH": str(ROOT), "NO_PROXY": "127.0.0.1", "OMP_NUM_THREADS": "1"}


def ran(folder: Path, command: list[str]) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(command, cwd=folder, env=environment(), capture_output=True, text=True, timeout=200)
    assert done.returncode == 0, done.stderr
    return done


def filled(booru: FakeBooru) -> None:
    """Made pictures by two artists, one that is cut off, and a post whose file is gone."""
    for number in range(1, PICTURES + 1):
        tag = "holding_staff" if number % 2 else "magic"
        booru.add(number, tag, png(drawing(number, 256)), tag_string_artist=f"artist_{number % 2}")
    whole = png(drawing(99, 256))
    booru.add(98, "magic", whole[: len(whole) // 2])
    booru.forever = [(booru.add(99, "magic"), 404)]


def killed_when(ready: Callable[[], bool], folder: Path, command: list[str]) -> None:
    """Start the command and kill it outright at that moment."""
    process = subprocess.Popen(command, cwd=folder, env=environment(), stdout=subprocess.DEVNULL)
    while not ready() and process.poll() is None:
        time.sleep(0.02)
    process.kill()
    assert process.wait() == -signal.SIGKILL


def step_of(path: Path) -> int:
    state = checkpoint.load(path)
    assert state is not None
    return int(state["step"])


@pytest.mark.slow
def test_the_documented_commands_lead_from_an_empty_folder_to_a_coloured_chapter(tmp_path: Path) -> None:
    scrape, prepare, run, export, color = COMMANDS
    with serving() as booru:
        filled(booru)
        ran(tmp_path, words(scrape, f"--server {booru.url} --pace 0"))
    assert len(ledger.fetched(tmp_path / "runs/scrape")) == PICTURES + 1

    ran(tmp_path, words(prepare))
    kept = json.loads((tmp_path / "runs/corpus/manifest.json").read_text())
    assert len(kept) == PICTURES

    (tmp_path / "first.toml").write_text(RECIPE)
    assert load(tmp_path / "first.toml").name == "first"
    last = tmp_path / "runs/first/checkpoint.pt"
    before = checkpoint.previous(last)
    killed_when(before.is_file, tmp_path, words(run, f"{TINY.format(steps=100_000)} {QUICK}"))
    last.write_bytes(before.read_bytes()[:1000])
    step = step_of(before)
    done = ran(tmp_path, words(run, f"{TINY.format(steps=step + 3)} {QUICK}"))
    assert "checkpoint.prev.pt is taken instead" in done.stdout
    assert f"goes on at step {step}" in done.stdout
    assert step_of(last) == step + 3

    ran(tmp_path, words(export, TINY.format(steps=1)))
    (tmp_path / "chapter").mkdir()
    for number in (1, 2):
        page = Image.fromarray(drawing(number, 200)).convert("L").resize((200, 280))
        page.save(tmp_path / "chapter" / f"{number:03}.png")
    ran(tmp_path, words(color, "--device cpu"))
    pages = sorted(path for path in (tmp_path / "coloured").rglob("*.png"))
    assert [path.name for path in pages] == ["001.png", "002.png"]
    for path in pages:
        with Image.open(path) as page:
            assert page.size == (200, 280)
            assert page.mode == "RGB"
