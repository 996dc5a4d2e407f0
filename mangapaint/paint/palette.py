"""Palettes: which colours a chapter has and how much of each, the soft histogram that the painter is conditioned on."""

from __future__ import annotations

from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch import Tensor

SIDE = 6
CELLS = SIDE**3
NEUTRAL = 0.15
"""Weight of paper and ink, whose share says how a page is laid out, not which colours it has."""


def palette_of(picture: Tensor) -> Tensor:
    """Soft 6x6x6 sRGB histogram, its square root, scaled to about unit size of the large cells.

    Args:
        picture: (N, 3, H, W) sRGB in 0..1.

    Returns:
        (N, 216) float32; cells in order red, green, blue (blue fastest). Zeros only where the picture is empty.
    """
    cells = F.avg_pool2d(picture.float(), 2).clamp(0, 1)
    brightest, darkest = cells.amax(1).flatten(1), cells.amin(1).flatten(1)
    weight = torch.where((darkest > 0.92) | (brightest < 0.12), NEUTRAL, 1.0)
    histogram = torch.zeros(len(picture), CELLS, device=picture.device)
    for index, share in corners(cells):
        histogram.scatter_add_(1, index.flatten(1), share.flatten(1) * weight)
    return (histogram / histogram.sum(1, keepdim=True).clamp_min(1e-6)).sqrt() * 4


def corners(colour: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
    """The eight cells around each colour: (N, H, W) int64 index and trilinear share; (N, 3, H, W) sRGB in 0..1."""
    scaled = colour * (SIDE - 1)
    low = scaled.floor().clamp(0, SIDE - 2)
    part = scaled - low
    for corner in range(8):
        share = torch.ones_like(colour[:, 0])
        index = torch.zeros_like(share)
        for channel in range(3):
            bit = corner >> channel & 1
            share = share * (part[:, channel] if bit else 1 - part[:, channel])
            index = index * SIDE + low[:, channel] + bit
        yield index.long(), share
