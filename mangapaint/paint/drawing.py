"""A page made ready for a colouring net: levels, paper, line-enclosed regions, windows of a scroll strip."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from mangapaint.layout.measure import components, paper_level
from mangapaint.layout.paper import paper, parts
from mangapaint.layout.regions import regions
from mangapaint.models.regional import voted_together
from mangapaint.page import PageImage, Region
from mangapaint.paint.mode import mode_of
from mangapaint.paint.paperfinder import PaperFinder

MOSTLY = 0.6
"""Share of a region that is paper above which all of it stays white."""
STRIP_OVERLAP = 96
"""Overlap of the windows of a scroll strip, px of the page."""
DULL_PAPER = 190
"""Paper darker than this is no paper: such a page's levels are left alone."""


@dataclass(frozen=True, slots=True)
class Drawing:
    """A page made ready on the host.

    Attributes:
        gray: (H, W) levelled luminance.
        paper: (H, W) what margins, gutters and bubbles are.
        mode: "ink" or "gray".
        leaks: (H, W) in 0..1, how far paper is white of the drawing that margins run into (layout.leaks); None where
            nobody looked for it.
        number: of the page in its chapter, 0-based; None where it is in none.
    """

    gray: NDArray[np.uint8]
    paper: NDArray[np.bool_]
    mode: str
    number: int | None = None
    leaks: NDArray[np.float32] | None = None

    def white(self, window: Region) -> NDArray[np.float32]:
        """(h, w) in 0..1 of a window, share of what stays white."""
        paper = self.paper[window.slices].astype(np.float32)
        return paper if self.leaks is None else paper - self.leaks[window.slices]

    def leaking(self, window: Region) -> tuple[NDArray[np.bool_], NDArray[np.bool_]] | None:
        """(h, w) each of a window: paper that takes on colour, and what stays white; None where none takes on any."""
        if self.leaks is None:
            return None
        leaks = self.leaks[window.slices] > 0
        return (leaks, self.paper[window.slices] & ~leaks) if leaks.any() else None


def drawing_of(page: PageImage, mode: str, number: int | None = None, finder: PaperFinder | None = None) -> Drawing:
    """Luminance, paper mask and mode of a page; what is white in the drawing and no paper, with a `finder`.

    The dull or yellowed paper of a drawing in ink is brought to white; the true gray of coloured art is kept as it is.
    """
    gray = np.asarray(cv2.cvtColor(page.pixels, cv2.COLOR_RGB2GRAY), np.uint8)
    level = levelled(gray)
    seen = mode_of(level) if mode == "auto" else mode
    if seen == "gray":
        return Drawing(gray, paper(gray), seen, number)
    margins, lettered = parts(gray)
    return Drawing(level, margins | lettered, seen, number, None if finder is None else finder.leaks(level, margins))


def levelled(gray: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """(H, W) with dull or yellowed paper brought to white."""
    white = paper_level(gray) + 8
    if DULL_PAPER <= white < 255:
        return np.asarray(cv2.convertScaleAbs(gray, alpha=255 / white), np.uint8)
    return gray


def labelled(
    gray: NDArray[np.uint8],
    size: tuple[int, int],
    multiple_of: int,
    leaking: tuple[NDArray[np.bool_], NDArray[np.bool_]] | None = None,
) -> NDArray[np.int64]:
    """Regions of a page for the net's grid: half of `size` (height, width) rounded up to `multiple_of`.

    A region that holds paper which takes on colour is two: what stays white of it, and the rest (see Drawing.leaking).
    """
    height, width = (-(-side // multiple_of) * multiple_of // 2 for side in size)
    small = (max(1, size[1] // 2), max(1, size[0] // 2))
    margin = (0, height - small[1], 0, width - small[0])
    small_page = cv2.resize(gray, small, interpolation=cv2.INTER_AREA)
    padded = cv2.copyMakeBorder(small_page, *margin, cv2.BORDER_REPLICATE)
    labels = regions(np.asarray(padded, np.uint8)).astype(np.int64)
    if leaking is None:
        return labels
    colour, white = (
        cv2.copyMakeBorder(
            cv2.resize(mask.astype(np.float32), small, interpolation=cv2.INTER_AREA),
            *margin,
            cv2.BORDER_CONSTANT,
            value=0,
        )
        for mask in leaking
    )
    split = np.bincount(labels[colour > 0.5], minlength=int(labels.max()) + 1) > 0
    parts_of, _ = components(split[labels] & (white <= 0.5), 4)
    beside = np.bincount(parts_of[colour > 0.5], minlength=int(parts_of.max()) + 1) > 0
    beside[0] = False
    rest = beside[parts_of]
    return np.asarray(np.unique(2 * labels + rest, return_inverse=True)[1].reshape(labels.shape), np.int64)


def whole_regions(share: Tensor, labels: Tensor) -> Tensor:
    """Paper that fills most of a region takes all of it.

    Args:
        share: (N, 1, h, w) share of paper, 0..1.
        labels: (N, H / 2, W / 2) regions on the net's grid.

    Returns:
        (N, 1, h, w), 0..1; edges run along the drawing's lines.
    """
    n, _, height, width = share.shape
    rows, columns = labels.shape[1:]
    grid = F.pad(share, (0, 2 * columns - width, 0, 2 * rows - height), mode="replicate")
    grid = F.avg_pool2d(grid, 2)
    decided = torch.where(voted_together(grid, labels) > MOSTLY, 1.0, grid)
    full = F.interpolate(decided, scale_factor=2, mode="bilinear", align_corners=False)
    return full[:, :, :height, :width]


def reduced(x: Tensor, size: tuple[int, int]) -> Tensor:
    """(N, C, H, W) by area to (height, width)."""
    if tuple(x.shape[-2:]) == size:
        return x
    return F.interpolate(x, size=size, mode="bilinear", align_corners=False, antialias=True)


def stitched(parts: Sequence[Tensor], windows: Sequence[Region]) -> Tensor:
    """Layers of overlapping windows of a strip, joined top to bottom; overlaps are faded linearly."""
    width = min(part.shape[3] for part in parts)
    scale = width / windows[0].width
    total = round(windows[-1].bottom * scale)
    joined = parts[0].new_zeros(1, parts[0].shape[1], total, width)
    weight = parts[0].new_zeros(1, 1, total, 1)
    for part, window in zip(parts, windows, strict=True):
        top, bottom = round(window.y * scale), round(window.bottom * scale)
        piece = F.interpolate(part, size=(bottom - top, width), mode="bilinear", align_corners=False)
        rows = torch.arange(bottom - top, device=part.device, dtype=part.dtype)
        ramp = torch.minimum(rows + 1, (bottom - top) - rows).clamp_max(STRIP_OVERLAP * scale).view(1, 1, -1, 1)
        joined[:, :, top:bottom] += piece * ramp
        weight[:, :, top:bottom] += ramp
    return joined / weight
