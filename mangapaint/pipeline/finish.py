"""Encodes painted pages beside the painter and puts them into the journal, bounded in bytes."""

from __future__ import annotations

import os
import time
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, replace
from types import TracebackType
from typing import Self, cast

import cv2
import numpy as np
from numpy.typing import NDArray

from mangapaint import pixels
from mangapaint.journal import Entry, Journal, sha256
from mangapaint.page import PageImage
from mangapaint.settings import MIB, OutputSettings

ENCODERS = max(1, min(16, os.cpu_count() or 1))
"""Pages encoded at a time: codecs use one thread a page, and beside a GPU they are what is slow."""
BACKLOG_BYTES = max(384, 96 * ENCODERS) * MIB
"""Of finished pages that wait or are encoded; two of 54 MP on two cores, nine on sixteen."""
KEPT_FORMATS = frozenset({"png", "jpeg", "webp", "avif"})
"""Source formats that "keep" can write; the others become PNG."""


@dataclass(frozen=True, slots=True)
class Finished:
    """A page whose result is safe on disk.

    Attributes:
        entry: with suffix and hash of the result.
        width, height: of the page as it came, px.
        encoding: processor seconds that encoding took.
    """

    entry: Entry
    width: int
    height: int
    encoding: float = 0.0


def result_format(source_format: str, settings: OutputSettings) -> pixels.EncodedFormat:
    """Format that a painted page is encoded in."""
    if settings.format != "keep":
        return settings.format
    return cast(pixels.EncodedFormat, source_format) if source_format in KEPT_FORMATS else "png"


def result_size(width: int, height: int, scale: int, settings: OutputSettings) -> tuple[int, int]:
    """Width and height of a painted page's result, px."""
    width, height = width * scale, height * scale
    longest = max(width, height)
    if settings.max_side is None or longest <= settings.max_side:
        return width, height
    shrink = settings.max_side / longest
    return max(1, round(width * shrink)), max(1, round(height * shrink))


def encode(painted: NDArray[np.uint8], image: PageImage, settings: OutputSettings) -> tuple[bytes, str, str | None]:
    """The file of a painted page; png where the format cannot hold it (pipeline.guard tells that beforehand).

    Args:
        painted: (H * scale, W * scale, 3) uint8 sRGB.
        image: the page that it was made from; gives alpha, resolution and format.
        settings: format, quality and longest side.

    Returns:
        Its bytes, its suffix, and a note where the format could not be had.
    """
    width, height = result_size(painted.shape[1], painted.shape[0], 1, settings)
    if (width, height) != (painted.shape[1], painted.shape[0]):
        painted = np.asarray(cv2.resize(painted, (width, height), interpolation=cv2.INTER_AREA), dtype=np.uint8)
    alpha = image.alpha
    if alpha is not None and alpha.shape != (height, width):
        method = cv2.INTER_AREA if width < image.width else cv2.INTER_LINEAR
        alpha = np.asarray(cv2.resize(alpha, (width, height), interpolation=method), dtype=np.uint8)
    dpi = image.dpi and (image.dpi[0] * width / image.width, image.dpi[1] * height / image.height)
    chosen, note = pixels.fitting_format(result_format(image.format, settings), width, height)
    data = pixels.encode(painted, format=chosen, quality=settings.quality, alpha=alpha, dpi=dpi)
    return data, pixels.suffix_of(chosen), note


class Finisher:
    """A few threads that encode and journal; leaving the block waits for all that was handed in.

    After an error in the block, what was already painted is still written down: it is dear, and the next run wants it.
    """

    def __init__(self, journal: Journal, settings: OutputSettings) -> None:
        self._journal = journal
        self._settings = settings
        self._pool = ThreadPoolExecutor(ENCODERS, thread_name_prefix="encode")
        self._running: dict[Future[Finished], int] = {}

    def submit(self, entry: Entry, painted: NDArray[np.uint8], image: PageImage) -> None:
        """Encode and journal a page; suffix and output hash of `entry` are filled in. Waits while the backlog is long.

        Raises:
            OutputError: an earlier page could not be written.
        """
        while self._running and sum(self._running.values()) + painted.nbytes > BACKLOG_BYTES:
            wait(self._running, return_when=FIRST_COMPLETED)
            if any(future.done() and future.exception() for future in self._running):
                break
            self._forget_bytes()
        future = self._pool.submit(self._work, entry, painted, image)
        self._running[future] = painted.nbytes

    def collect(self, *, all_of_them: bool = False) -> list[Finished]:
        """The pages finished since the last call, by page number.

        Raises:
            OutputError: a page could not be written.
        """
        if all_of_them:
            wait(self._running)
        done = [future for future in self._running if future.done()]
        for future in done:
            del self._running[future]
        return sorted((future.result() for future in done), key=lambda finished: finished.entry.page)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._pool.shutdown(wait=True)

    def _forget_bytes(self) -> None:
        """A finished page weighs nothing any more, though nobody has collected it yet."""
        for future in self._running:
            if future.done():
                self._running[future] = 0

    def _work(self, entry: Entry, painted: NDArray[np.uint8], image: PageImage) -> Finished:
        started = time.thread_time()
        data, suffix, _ = encode(painted, image, self._settings)
        seconds = time.thread_time() - started
        entry = replace(entry, suffix=suffix, output=sha256(data))
        self._journal.add(entry, data)
        return Finished(entry, image.width, image.height, seconds)
