"""What a run shows of itself: numbers in curve.jsonl, TensorBoard and curve.png, sheets of samples."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mangapaint import atomic

Row = dict[str, float]
ASIDE = {"step", "done", "minutes", "rate"}
"""Columns of curve.jsonl that are no losses."""


def rows(folder: Path) -> list[Row]:
    """The lines of a run's curve.jsonl; a last line that was cut off by a crash is left out."""
    path, found = folder / "curve.jsonl", []
    for line in path.read_text(encoding="utf-8").splitlines() if path.is_file() else []:
        try:
            found.append({str(key): float(value) for key, value in json.loads(line).items()})
        except ValueError:
            continue
    return found


def losses(curve: Sequence[Row]) -> list[str]:
    """Names of the curves, in order of appearance."""
    return [key for key in dict.fromkeys(key for row in curve for key in row) if key not in ASIDE]


class Curves:
    """Writes while a run goes on.

    Args:
        folder: of the run.
        step: that the run starts at; later rows, of steps that were lost with a killed run, are cut off.
        minutes: spent before.
    """

    def __init__(self, folder: Path, step: int = 0, minutes: float = 0.0) -> None:
        self.folder = folder
        self.step = step
        self.start = time.monotonic() - 60 * minutes

    def __enter__(self) -> Curves:
        from torch.utils.tensorboard import SummaryWriter

        kept = [row for row in rows(self.folder) if row["step"] <= self.step]
        text = "".join(json.dumps(whole(row)) + "\n" for row in kept)
        atomic.write(self.folder / "curve.jsonl", text.encode())
        self.lines = (self.folder / "curve.jsonl").open("a", buffering=1, encoding="utf-8")
        self.board = SummaryWriter(str(self.folder / "tensorboard"), purge_step=self.step + 1)
        return self

    def __exit__(self, *_: object) -> None:
        self.board.close()
        self.lines.close()

    def add(self, step: int, values: Mapping[str, float]) -> None:
        """One row: means since the last one."""
        seconds = time.monotonic() - self.start
        row = {"step": step} | {key: round(value, 6) for key, value in values.items()} | {"minutes": seconds / 60}
        self.lines.write(json.dumps(whole(row)) + "\n")
        for key, value in values.items():
            self.board.add_scalar(key, value, step)
        words = " ".join(f"{key} {value:.4f}" for key, value in values.items())
        print(f"step {step} {words} ({seconds:.0f} s)", flush=True)

    def sheet(self, step: int, picture: NDArray[np.uint8]) -> None:
        """(H, W, 3) uint8 samples to samples-STEP.png; curve.png is drawn anew."""
        from PIL import Image

        with atomic.writing(self.folder / f"samples-{step:07d}.png") as part:
            Image.fromarray(picture).save(part, format="PNG")
        draw(rows(self.folder), self.folder / "curve.png")


def whole(row: Mapping[str, float]) -> dict[str, float]:
    """With the step as a whole number and minutes as people read them."""
    numbers: dict[str, float] = {**row, "step": int(row["step"])}
    return numbers | ({"minutes": round(row["minutes"], 3)} if "minutes" in row else {})


def smoothed(values: NDArray[np.float64], share: float = 0.04) -> NDArray[np.float64]:
    """Mean over a window that slides along: `share` of the length, cut off at the ends."""
    half = round(share * len(values) / 2)
    total = np.concatenate([[0.0], np.cumsum(values)])
    place = np.arange(len(values))
    low, high = np.maximum(0, place - half), np.minimum(len(values), place + half + 1)
    return np.asarray((total[high] - total[low]) / (high - low))


def draw(curve: Sequence[Row], path: Path) -> None:
    """A PNG with one small plot for each loss: every row thin, their sliding mean thick. Nothing for an empty curve.

    Raises:
        OutputError: it cannot be written.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    names = losses(curve)
    if not names:
        return
    columns = min(3, len(names))
    lines = math.ceil(len(names) / columns)
    figure = Figure(figsize=(4 * columns, 2.6 * lines), layout="constrained")
    canvas = FigureCanvasAgg(figure)
    for number, name in enumerate(names):
        points = [(row["step"], row[name]) for row in curve if math.isfinite(row.get(name, math.nan))]
        plot = figure.add_subplot(lines, columns, number + 1)
        plot.set_title(name, fontsize=9)
        plot.tick_params(labelsize=7)
        plot.grid(alpha=0.3)
        if points:
            steps, values = np.array(points, np.float64).T
            plot.plot(steps, values, color="tab:blue", alpha=0.3, linewidth=0.8)
            plot.plot(steps, smoothed(values), color="tab:blue", linewidth=1.6)
    with atomic.writing(path) as part:
        canvas.print_figure(part, format="png", dpi=100)
