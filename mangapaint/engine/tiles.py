"""Geometry of exact tiling: which part of a picture a net must see so that the part in the middle comes out right."""

from __future__ import annotations

from dataclasses import dataclass

from mangapaint.page import Region

SMALLEST = 64
"""Side below which tiles are not made, px: their context would cost more than they do."""


@dataclass(frozen=True, slots=True)
class Tile:
    """`core` is what the tile contributes, `window` what the net sees; both in px of the input."""

    core: Region
    window: Region

    def inside(self, scale: int) -> tuple[slice, slice]:
        """Index of the core in the output of the window."""
        y, x = self.core.y - self.window.y, self.core.x - self.window.x
        return _times(slice(y, y + self.core.height), scale), _times(slice(x, x + self.core.width), scale)

    def target(self, scale: int) -> tuple[slice, slice]:
        """Index of the core in the whole output."""
        rows, columns = self.core.slices
        return _times(rows, scale), _times(columns, scale)


def tiles(height: int, width: int, *, side: int, overlap: int, multiple_of: int = 1) -> list[Tile]:
    """Tiles whose cores cover a picture once, row by row, of nearly equal size.

    Windows reach `overlap` px beyond the core, but never beyond the picture: at a true border the net pads as it
    would for the whole picture. All edges fall on multiples of `multiple_of`, so strided nets keep their phase.

    Args:
        height: of the picture, px, a multiple of `multiple_of`.
        width: likewise.
        side: longest side of a core, px.
        overlap: receptive field of the net on each side, px.
        multiple_of: stride of the net, px.
    """
    if height % multiple_of or width % multiple_of:
        raise ValueError(f"{width}x{height} is no multiple of {multiple_of}")
    reach = -(-overlap // multiple_of) * multiple_of
    found = []
    for y, bottom in _cuts(height, side, multiple_of):
        for x, right in _cuts(width, side, multiple_of):
            core = Region(x, y, right - x, bottom - y)
            found.append(Tile(core, core.padded(reach, width, height)))
    return found


def _cuts(length: int, side: int, step: int) -> list[tuple[int, int]]:
    """The fewest pieces of at most `side` (at least one step), as equal as the step allows."""
    units, most = length // step, max(1, side // step)
    count = -(-units // most)
    edges = [units * i // count * step for i in range(count + 1)]
    return list(zip(edges, edges[1:], strict=False))


def _times(part: slice, scale: int) -> slice:
    return slice(part.start * scale, part.stop * scale)
