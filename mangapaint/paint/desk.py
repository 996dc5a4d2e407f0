"""What was made of pages in the first look, kept until they are painted; bounded, and never a change of results."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mangapaint.engine import memory
from mangapaint.page import PageImage, Region
from mangapaint.paint.drawing import Drawing, drawing_of
from mangapaint.paint.paperfinder import PaperFinder
from mangapaint.settings import MIB

ROOM = 192 * MIB
"""Most that a desk holds: twelve pages of 5 MP; of larger ones the rest is made again."""
SHARE = 0.1
"""Of the free memory that a desk takes at most."""


class Found(NamedTuple):
    """What a net found on a window (models.painter_net.Seen), and the palette and noise that it was told for it."""

    seen: tuple[Tensor, Tensor]
    palette: Tensor
    latent: Tensor | None


@dataclass(slots=True)
class _Page:
    """A drawing with its masks packed, and what was made of its windows; `bytes` in all."""

    gray: NDArray[np.uint8]
    mode: str
    paper: NDArray[np.uint8]
    leaks: tuple[NDArray[np.int64], NDArray[np.float32]] | None
    labels: dict[Region, NDArray[np.int32]] = field(default_factory=dict)
    found: dict[Region, Found] = field(default_factory=dict)
    bytes: int = 0

    def drawing(self, number: int | None) -> Drawing:
        height, width = self.gray.shape
        paper = np.unpackbits(self.paper, count=height * width).astype(bool).reshape(height, width)
        leaks = None
        if self.leaks is not None:
            leaks = np.zeros((height, width), np.float32)
            leaks.flat[self.leaks[0]] = self.leaks[1]
        return Drawing(self.gray, paper, self.mode, number, leaks)


Key = tuple[bytes, str, bool]


class Desk:
    """Drawings by the pixels of their pages.

    Args:
        room: bytes that may be kept; None: ROOM, or SHARE of the free memory where that is less.
    """

    def __init__(self, room: int | None = None) -> None:
        self.room = room
        self._left = 0
        self._pages: dict[Key, _Page] = {}
        self.clear()

    def clear(self) -> None:
        """For another chapter."""
        self._pages.clear()
        self._left = min(ROOM, int(SHARE * memory.available_bytes())) if self.room is None else self.room

    def drawing(
        self,
        page: PageImage,
        mode: str,
        number: int | None = None,
        finder: PaperFinder | None = None,
        *,
        keep: bool = False,
    ) -> Drawing:
        """As `drawing_of`: the one that lies here, or a new one; `keep` it for the next time."""
        if not keep and not self._pages:
            return drawing_of(page, mode, number, finder)
        key = (hashlib.sha256(np.ascontiguousarray(page.pixels).data).digest(), mode, finder is None)
        if key in self._pages:
            return self._pages[key].drawing(number)
        made = drawing_of(page, mode, number, finder)
        if keep:
            leaks = None
            if made.leaks is not None:
                places = np.flatnonzero(made.leaks)
                leaks = (places, made.leaks.flat[places])
            ready = _Page(made.gray, made.mode, np.packbits(made.paper), leaks)
            size = ready.gray.nbytes + ready.paper.nbytes + (0 if leaks is None else leaks[0].nbytes + leaks[1].nbytes)
            if self._taken(ready, size):
                self._pages[key] = ready
        return made

    def keep(self, drawing: Drawing, window: Region, labels: NDArray[np.int64], found: Found) -> None:
        """Keep what was made of a window of a drawing from here, where there is room."""
        ready = self._page(drawing)
        if ready is None or window in ready.labels:
            return
        small = labels.astype(np.int32)
        if self._taken(ready, small.nbytes + sum(each.nbytes for each in found.seen)):
            ready.labels[window], ready.found[window] = small, found

    def labels(self, drawing: Drawing, window: Region) -> NDArray[np.int64] | None:
        """Regions of a window (paint.drawing.labelled), if they lie here."""
        ready = self._page(drawing)
        return ready.labels[window].astype(np.int64) if ready is not None and window in ready.labels else None

    def seen(
        self, drawing: Drawing, window: Region, palette: Tensor, latent: Tensor | None
    ) -> tuple[Tensor, Tensor] | None:
        """What the net found on a window, told the same palette and noise and no hints, if that lies here."""
        ready = self._page(drawing)
        found = None if ready is None else ready.found.get(window)
        if found is None or not _alike(found.palette, palette) or not _alike(found.latent, latent):
            return None
        return found.seen

    def drop(self, drawing: Drawing) -> None:
        """A page is painted."""
        for key, ready in list(self._pages.items()):
            if ready.gray is drawing.gray:
                self._left += ready.bytes
                del self._pages[key]

    def _page(self, drawing: Drawing) -> _Page | None:
        return next((ready for ready in self._pages.values() if ready.gray is drawing.gray), None)

    def _taken(self, ready: _Page, size: int) -> bool:
        if size > self._left:
            return False
        self._left -= size
        ready.bytes += size
        return True


def _alike(one: Tensor | None, other: Tensor | None) -> bool:
    if one is None or other is None:
        return one is other
    return one.shape == other.shape and torch.equal(one.cpu(), other.cpu())
