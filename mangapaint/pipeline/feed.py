"""Reads, hashes, decodes and judges pages ahead of the painter, in page order and bounded in bytes."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

from mangapaint import pixels
from mangapaint.archives.base import ChapterReader
from mangapaint.errors import MangapaintError, PageError
from mangapaint.journal import sha256
from mangapaint.layout.gray_test import verdict
from mangapaint.page import PageImage, Verdict
from mangapaint.settings import MIB, InputSettings

BUDGET_BYTES = 512 * MIB
BYTES_PER_PIXEL = 4
"""RGB, and the alpha that some pages have."""
WORKERS = max(1, min(4, os.cpu_count() or 1))


@dataclass(frozen=True, slots=True)
class Decoded:
    """A page ready for painting; holds `cost` bytes of the budget until `Budget.leave`."""

    index: int
    sha: str
    image: PageImage
    verdict: Verdict
    value: float
    cost: int


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A page that cannot be read; `sha` is empty when not even its bytes came out."""

    index: int
    sha: str
    error: PageError


class Budget:
    """Bytes of decoded pages, handed out in page order.

    Pages wait at the door; inside they flow to the painter, or are parked there until a batch is full. Parked bytes
    stay under half the limit, and a page is always let in when nothing else flows: so no page waits for ever, and the
    peak is the limit or half of it plus one page, whichever is more.
    """

    def __init__(self, limit: int = BUDGET_BYTES) -> None:
        self.limit = limit
        self.parked = 0
        self._flowing = 0
        self._next = 0
        self._closed = False
        self._changed = threading.Condition()

    @property
    def used(self) -> int:
        """Bytes of all decoded pages."""
        return self._flowing + self.parked

    def enter(self, ticket: int, cost: int) -> bool:
        """Wait for the turn of that ticket (0, 1, ...) and for room; False when the budget was closed meanwhile."""

        def may_enter() -> bool:
            room = self._flowing == 0 or self.used + cost <= self.limit
            return self._closed or (self._next == ticket and (room or cost == 0))

        with self._changed:
            self._changed.wait_for(may_enter)
            if self._closed:
                return False
            self._next = ticket + 1
            self._flowing += cost
            self._changed.notify_all()
            return True

    def park(self, cost: int) -> None:
        with self._changed:
            self._flowing -= cost
            self.parked += cost
            self._changed.notify_all()

    def leave(self, cost: int) -> None:
        """A parked page is gone."""
        with self._changed:
            self.parked -= cost
            self._changed.notify_all()

    def close(self) -> None:
        """Send everybody who waits away."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()


class Source:
    """A chapter's pages with what it takes to decode and judge them; used by several threads."""

    def __init__(self, reader: ChapterReader, settings: InputSettings) -> None:
        self.reader = reader
        self.settings = settings
        self._judged: dict[int, tuple[Verdict, float]] = {}

    def __len__(self) -> int:
        return len(self.reader)

    def read(self, index: int) -> bytes:
        """The page's bytes as they stand in the source.

        Raises:
            PageError: they cannot be read.
        """
        return self.reader.read(index)

    def sha(self, index: int) -> str:
        """Sha256 of the page's bytes; empty when they cannot be read."""
        try:
            return sha256(self.read(index))
        except PageError:
            return ""

    def decode(self, data: bytes) -> PageImage:
        return pixels.decode(data, self.settings.limits, tolerate_truncated=self.settings.tolerate_truncated)

    def judge(self, index: int, image: PageImage) -> tuple[Verdict, float]:
        """What a page is, and its colourfulness; remembered."""
        if index not in self._judged:
            self._judged[index] = verdict(image.pixels, self.settings.color_threshold)
        return self._judged[index]


class Feed:
    """The pages `todo`, decoded by a few threads; iterate once, close always.

    Args:
        source: where they come from.
        todo: 0-based page numbers, in the order in which they are wanted.
        budget: decoded pages are parked and leave it by the caller.
    """

    def __init__(self, source: Source, todo: Sequence[int], budget: Budget) -> None:
        self._source = source
        self._budget = budget
        self._pool = ThreadPoolExecutor(WORKERS, thread_name_prefix="decode")
        self._futures: list[Future[Decoded | Unreadable]] = [
            self._pool.submit(self._work, ticket, index) for ticket, index in enumerate(todo)
        ]

    def __iter__(self) -> Iterator[Decoded | Unreadable]:
        for place in range(len(self._futures)):
            item = self._futures[place].result()
            self._futures[place] = Future()  # the page must not live on in the list
            yield item

    def close(self) -> None:
        """Drop what nobody asked for yet."""
        self._budget.close()
        self._pool.shutdown(wait=True, cancel_futures=True)

    def _work(self, ticket: int, index: int) -> Decoded | Unreadable:
        sha = ""
        try:
            data = self._source.read(index)
            sha = sha256(data)
            header = pixels.inspect(data, self._source.settings.limits)
        except PageError as error:
            self._budget.enter(ticket, 0)
            return Unreadable(index, sha, error)
        cost = header.width * header.height * BYTES_PER_PIXEL
        if not self._budget.enter(ticket, cost):
            raise Closed("the feed was closed", page=index)
        try:
            image = self._source.decode(data)
        except PageError as error:
            self._budget.park(cost)
            self._budget.leave(cost)
            return Unreadable(index, sha, error)
        verdict, value = self._source.judge(index, image)
        return Decoded(index, sha, image, verdict, value, cost)


class Closed(MangapaintError):
    """The feed was closed while a page waited; nobody looks at this result any more."""


@dataclass(slots=True, eq=False)
class Glance:
    """A page as the painter's `prepare` sees it; a gray one that was judged stays decoded until it is asked for."""

    source: Source
    index: int
    _judged: bool = False
    _verdict: Verdict | None = None
    _image: PageImage | None = None

    @property
    def name(self) -> str:
        return self.source.reader.names[self.index]

    @property
    def chapter(self) -> str:
        return self.source.reader.title

    @property
    def sha(self) -> str:
        return self.source.sha(self.index)

    def verdict(self) -> Verdict | None:
        if not self._judged:
            self._judged = True
            try:
                image = self.image()
                self._verdict = self.source.judge(self.index, image)[0]
                self._image = image if self._verdict is Verdict.GRAY else None
            except PageError:
                self._verdict = None
        return self._verdict

    def image(self) -> PageImage:
        image, self._image = self._image, None
        return self.source.decode(self.source.read(self.index)) if image is None else image
