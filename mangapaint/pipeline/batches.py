"""Collects like-sized pages until a batch is full."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from mangapaint.page import Verdict
from mangapaint.pipeline.feed import Budget, Decoded
from mangapaint.settings import MIB

RESULT_BYTES = 256 * MIB
"""Ceiling of the results of one call, so that a batch of enlarged pages fits into memory."""

Key = tuple[bool, int, int]


@dataclass(slots=True)
class Batches:
    """Pages that wait for others of their size; what leaves depends on the pages' order alone, never on timing.

    Attributes:
        fitting: (height, width) -> pages per call that suit the device.
        scale: of the results.
        paints: whether gray pages are painted (else all are only enlarged).
        budget: the waiting pages are parked there.
    """

    fitting: Callable[[int, int], int]
    scale: int
    paints: bool
    budget: Budget
    _waiting: dict[Key, list[Decoded]] = field(default_factory=dict)

    def add(self, page: Decoded) -> Iterator[tuple[bool, list[Decoded]]]:
        """Take a page; gives the batches that became full, each with whether it is to be painted.

        A batch's pages leave the budget once the caller comes back for the next.
        """
        self.budget.park(page.cost)
        height, width = page.image.height, page.image.width
        key = (self.paints and page.verdict is Verdict.GRAY, height, width)
        self._waiting.setdefault(key, []).append(page)
        most = max(1, min(self.fitting(height, width), RESULT_BYTES // (height * width * 3 * self.scale**2)))
        if len(self._waiting[key]) >= most:
            yield from self._leave(key)
        while self.budget.parked > self.budget.limit // 2:
            yield from self._leave(max(self._waiting, key=lambda each: len(self._waiting[each])))

    def rest(self) -> Iterator[tuple[bool, list[Decoded]]]:
        """Whatever still waits."""
        for key in list(self._waiting):
            yield from self._leave(key)

    def _leave(self, key: Key) -> Iterator[tuple[bool, list[Decoded]]]:
        batch = self._waiting.pop(key)
        yield key[0], batch
        self.budget.leave(sum(page.cost for page in batch))
