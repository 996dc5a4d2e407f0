"""The nouns: regions, panels, faces, decoded pictures and what is known of a page."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

Bytes2D = NDArray[np.uint8]


@dataclass(frozen=True, slots=True, order=True)
class Region:
    """A rectangle in pixels of the page: origin top left, half open (x <= column < x + width)."""

    x: int
    y: int
    width: int
    height: int

    @property
    def right(self) -> int:
        return self.x + self.width

    @property
    def bottom(self) -> int:
        return self.y + self.height

    @property
    def area(self) -> int:
        return max(0, self.width) * max(0, self.height)

    @property
    def slices(self) -> tuple[slice, slice]:
        """Index of the region in an (H, W, ...) array."""
        return slice(self.y, self.bottom), slice(self.x, self.right)

    def intersection(self, other: Region) -> Region:
        """The common part; width or height 0 where there is none."""
        x, y = max(self.x, other.x), max(self.y, other.y)
        return Region(x, y, max(0, min(self.right, other.right) - x), max(0, min(self.bottom, other.bottom) - y))

    def iou(self, other: Region) -> float:
        """Intersection over union, 0..1."""
        common = self.intersection(other).area
        union = self.area + other.area - common
        return common / union if union else 0.0

    def padded(self, margin: int, width: int, height: int) -> Region:
        """The region grown by `margin` px on each side, clipped to a page of that size."""
        x, y = max(0, self.x - margin), max(0, self.y - margin)
        return Region(x, y, min(width, self.right + margin) - x, min(height, self.bottom + margin) - y)


@dataclass(frozen=True, slots=True)
class Panel:
    """One panel; `order` is its 0-based place in reading order."""

    region: Region
    order: int


@dataclass(frozen=True, slots=True)
class Face:
    """One face, tight from brows to chin, with the detector's confidence 0..1."""

    region: Region
    score: float


@dataclass(frozen=True, slots=True)
class PageImage:
    """A decoded page, upright, in sRGB.

    Attributes:
        pixels: (H, W, 3) uint8 sRGB, composed on white where the file was transparent.
        alpha: (H, W) uint8, or None when the file is opaque.
        dpi: horizontal, vertical; None when the file does not say.
        format: the source format in lower case: jpeg, png, webp, gif, tiff, bmp, avif.
        notes: what the reader of a log should know (profile converted, first frame taken, ...).
    """

    pixels: NDArray[np.uint8]
    alpha: Bytes2D | None = None
    dpi: tuple[float, float] | None = None
    format: str = "png"
    notes: tuple[str, ...] = ()

    @property
    def height(self) -> int:
        return int(self.pixels.shape[0])

    @property
    def width(self) -> int:
        return int(self.pixels.shape[1])


class Verdict(StrEnum):
    """What a page is, and so what is done with it."""

    GRAY = "gray"  # to be painted
    COLOUR = "colour"  # already coloured: left as it is, or upscaled alone
    BLANK = "blank"  # one flat shade: nothing to paint


class Action(StrEnum):
    """What was done with a page; stands in the journal, the JSON lines and the report."""

    PAINTED = "painted"
    UPSCALED = "upscaled"
    KEPT = "kept"  # original bytes, on purpose (already coloured, blank)
    FAILED = "failed"  # original bytes, because it could not be painted
    RESUMED = "resumed"  # finished by an earlier run
