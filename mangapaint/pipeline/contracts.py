"""What the pipeline asks of a painter, and what it tells whoever watches it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from mangapaint.errors import MangapaintError
from mangapaint.page import Action, PageImage, Verdict

if TYPE_CHECKING:
    from mangapaint.paint.consistency import Consistency


class PageSource(Protocol):
    """A page that can be looked at before painting starts; nothing is read until it is asked for."""

    @property
    def index(self) -> int:
        """0-based number in the chapter."""

    @property
    def name(self) -> str:
        """Name in the source."""

    @property
    def chapter(self) -> str:
        """The chapter's title: its name without suffix."""

    @property
    def sha(self) -> str:
        """Sha256 of the page's bytes; empty when they cannot be read."""

    def verdict(self) -> Verdict | None:
        """What the page is; None when it cannot be read. Remembered."""

    def image(self) -> PageImage:
        """The decoded page, decoded anew at each call.

        Raises:
            PageError: it cannot be read (`verdict()` is None then).
        """


class PaintedPage(Protocol):
    """One result of a painter."""

    @property
    def pixels(self) -> NDArray[np.uint8]:
        """(H * scale, W * scale, 3) uint8 sRGB."""

    @property
    def seconds(self) -> float:
        """This page's share of the time spent in nets."""


class Painter(Protocol):
    """Colours pages; used by one thread, for one chapter after another."""

    @property
    def digest(self) -> str:
        """Hex digest of the weights and of what `prepare` decided for the chapter; the journal trusts by it."""

    @property
    def device(self) -> str:
        """The device in words, for the log."""

    def fitting_batch(self, height: int, width: int) -> int:
        """How many pages of that size (px) one call should get; 1 on a CPU, unless the settings say otherwise."""

    def prepare(self, pages: Sequence[PageSource]) -> None:
        """Decide the chapter's palette; called once per chapter, before its first `paint`."""

    def paint(self, pages: list[PageImage], numbers: Sequence[int]) -> Sequence[PaintedPage]:
        """Colour and upscale pages of one size.

        Args:
            pages: decoded.
            numbers: of the pages in the chapter, 0-based.

        Raises:
            OutOfMemoryError: not even the smallest step fits; pages are then tried one by one.
            PageError: a page cannot be painted.
        """

    def consistency(self) -> Consistency | None:
        """How far things kept their colours over the pages painted since `prepare`; None where it cannot be said."""

    def save_palette(self, path: Path, chapter: str) -> None:
        """Write the colours of the pages painted since `prepare` to a file.

        Raises:
            OutputError: it cannot be written.
        """

    def upscale(self, pages: list[PageImage]) -> Sequence[PaintedPage]:
        """Enlarge pages of one size without touching their colours; errors as in `paint`."""


class PainterLoader(Protocol):
    """Knows which weights would be used long before it loads them."""

    @property
    def identity(self) -> str:
        """Hex digest of the weights and of every file that the settings name (palette, references); loads no net."""

    @property
    def name(self) -> str:
        """The model's name, for the log."""

    def load(self) -> Painter:
        """The painter, made at the first call.

        Raises:
            WeightsError: no chapter can be painted at all.
        """


@dataclass(frozen=True, slots=True)
class PageResult:
    """What became of one page.

    Attributes:
        page: 0-based.
        width, height: of the page as it came, px; 0 when it could not be read.
        value: measured colourfulness.
        seconds: spent in the nets.
        encoding: processor seconds spent in encoding the result.
        error: why the page keeps its original bytes, else empty.
    """

    chapter: Path
    page: int
    name: str
    verdict: Verdict | None
    value: float
    action: Action
    seconds: float = 0.0
    device: str = ""
    model: str = ""
    error: str = ""
    width: int = 0
    height: int = 0
    encoding: float = 0.0


class ChapterState(StrEnum):
    DONE = "done"
    ALREADY = "already done"  # by an earlier run with the same settings and weights
    SKIPPED = "skipped"  # too young, or another run works on it and --lock skip was given
    PLANNED = "planned"  # --dry-run
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class ChapterResult:
    """What became of one chapter.

    Attributes:
        counts: pages by action.
        failed: 0-based numbers of the pages that keep their original bytes because they could not be painted.
        consistency: of the pages that were painted now.
        note: why it was skipped, or what a dry run expects.
        error: why it failed.
    """

    source: Path
    target: Path | None
    state: ChapterState
    counts: dict[Action, int] = field(default_factory=dict)
    failed: tuple[int, ...] = ()
    seconds: float = 0.0
    note: str = ""
    consistency: Consistency | None = None
    error: MangapaintError | None = None


class Observer(Protocol):
    """Watches a run; called from the pipeline's own thread only."""

    def chapter_opened(self, source: Path, target: Path, pages: int, number: int, total: int) -> None:
        """Chapter `number` (1-based) of `total` has been opened."""

    def page_done(self, result: PageResult) -> None:
        """A page is finished (or, in a dry run, looked at)."""

    def chapter_done(self, result: ChapterResult) -> None:
        """A chapter is finished, failed, or was left alone."""

    def message(self, text: str) -> None:
        """Something worth reading that is no error."""
