"""A painter that tints pages and can be told to fail; stands in for nets, which are none of the pipeline's business.

Run as a program it is the whole command line with this painter; faults come through STANDIN_* variables.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mangapaint.errors import MangapaintError
from mangapaint.page import PageImage, Verdict
from mangapaint.pipeline.contracts import ChapterResult, PageResult, PageSource
from mangapaint.settings import Settings

TINT = np.array([1.0, 0.8, 0.6])


def tinted(pixels: NDArray[np.uint8], scale: int = 1) -> NDArray[np.uint8]:
    large = pixels.repeat(scale, 0).repeat(scale, 1)
    return np.asarray(large * TINT, np.uint8)


@dataclass(frozen=True)
class Tinted:
    pixels: NDArray[np.uint8]
    seconds: float = 0.25


@dataclass
class TintPainter:
    """Counts its calls; `before` is called with each batch and the number of pages painted before it."""

    scale: int = 1
    batch: int = 1
    palette: str = "palette"
    before: Callable[[list[PageImage], int], None] = lambda pages, done: None
    batches: list[int] = field(default_factory=list)
    enlarged: int = 0
    prepared: list[list[Verdict | None]] = field(default_factory=list)
    device: str = "stand-in"

    @property
    def digest(self) -> str:
        return f"weights {self.palette}"

    def fitting_batch(self, height: int, width: int) -> int:
        return self.batch

    def prepare(self, pages: Sequence[PageSource]) -> None:
        self.prepared.append([page.verdict() for page in pages[:2]])

    def paint(self, pages: list[PageImage], numbers: Sequence[int]) -> list[Tinted]:
        self.before(pages, sum(self.batches))
        self.batches.append(len(pages))
        return [Tinted(tinted(page.pixels, self.scale)) for page in pages]

    def consistency(self) -> None:
        return None

    def save_palette(self, path: Path, chapter: str) -> None:
        path.write_text(chapter)

    def upscale(self, pages: list[PageImage]) -> list[Tinted]:
        self.before(pages, sum(self.batches))
        self.enlarged += len(pages)
        return [Tinted(page.pixels.repeat(self.scale, 0).repeat(self.scale, 1)) for page in pages]


@dataclass
class Loader:
    """Gives one painter; `error` is raised instead."""

    painter: TintPainter = field(default_factory=TintPainter)
    identity: str = "weights"
    name: str = "tint"
    loads: int = 0
    error: MangapaintError | None = None

    def load(self) -> TintPainter:
        self.loads += 1
        if self.error is not None:
            raise self.error
        return self.painter


@dataclass
class Notes:
    """Writes down what a run tells."""

    pages: list[PageResult] = field(default_factory=list)
    chapters: list[ChapterResult] = field(default_factory=list)
    messages: list[str] = field(default_factory=list)

    def chapter_opened(self, source: Path, target: Path, pages: int, number: int, total: int) -> None:
        pass

    def page_done(self, result: PageResult) -> None:
        self.pages.append(result)

    def chapter_done(self, result: ChapterResult) -> None:
        self.chapters.append(result)

    def message(self, text: str) -> None:
        self.messages.append(text)

    def actions(self) -> dict[int, str]:
        """1-based page -> what was done."""
        return {result.page + 1: result.action.value for result in self.pages}


def _faults(log: Path | None) -> Callable[[list[PageImage], int], None]:
    def before(pages: list[PageImage], done: int) -> None:
        if log is not None:
            with log.open("a") as stream:
                stream.write("page\n" * len(pages))
        if done == int(os.environ.get("STANDIN_KILL_AT", -1)):
            time.sleep(0.5)  # what is on its way to the disk arrives: the test is about pages, not about a busy machine
            os.kill(os.getpid(), signal.SIGKILL)
        time.sleep(float(os.environ.get("STANDIN_SECONDS", 0)))

    return before


def _make_loader(settings: Settings, tell: Callable[[str], None]) -> Loader:
    log = os.environ.get("STANDIN_LOG")
    painter = TintPainter(settings.upscale.scale, before=_faults(Path(log) if log else None))
    tell("using a stand-in")
    return Loader(painter)


def _kill_in_the_last_write() -> None:
    """Die between the sync and the move of the output itself, which is the last file with its suffix."""
    real = Path.replace

    def replace(self: Path, target: Path) -> Path:
        if Path(target).suffix == os.environ["STANDIN_KILL_BEFORE_MOVE_TO"]:
            os.kill(os.getpid(), signal.SIGKILL)
        return real(self, target)

    Path.replace = replace  # type: ignore[method-assign,assignment]


if __name__ == "__main__":
    from mangapaint.cli.app import main
    from mangapaint.cli.state import State

    if "STANDIN_KILL_BEFORE_MOVE_TO" in os.environ:
        _kill_in_the_last_write()
    if limit := os.environ.get("STANDIN_FILE_LIMIT"):
        import resource

        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (int(limit), resource.getrlimit(resource.RLIMIT_FSIZE)[1]))
    sys.argv[0] = "mangapaint"
    main(State(make_loader=_make_loader))
