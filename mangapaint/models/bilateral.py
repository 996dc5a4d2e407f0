"""Joint bilateral upsampling: what a net says at half the size of a picture, along that picture's edges."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

RANGE_SIGMA = 0.05
"""Difference of luminance (0..1) at which a neighbour counts for little in joint bilateral upsampling."""
LEAST = -16.0
"""Logarithm under which a likeness is not computed: it adds nothing to 1e-3, and exp is slow where it underflows."""
STRIP = 64
"""Rows of the low resolution that a CPU works on at a time: what is in its cache need not be fetched nine times."""


def joint_upsample(low: Tensor, guide: Tensor) -> Tensor:
    """Double the size of `low` along the edges of `guide` (Kopf et al. 2007, 3x3 neighbours).

    Args:
        low: (N, C, h, w) float.
        guide: (N, 1, 2 h, 2 w) float in 0..1, the picture that `low` belongs to.

    Returns:
        (N, C, 2 h, 2 w).
    """
    n, c, h, w = low.shape
    padded = F.pad(low, (1, 1, 1, 1), mode="replicate")
    coarse = F.pad(F.avg_pool2d(guide, 2), (1, 1, 1, 1), mode="replicate")
    fine = F.pixel_unshuffle(guide, 2)
    full = low.new_empty(n, c, h, 2, w, 2)
    step = STRIP if low.is_cpu else h
    for top in range(0, h, step):
        bottom = min(h, top + step)
        part = _phases(padded[:, :, top : bottom + 2], coarse[:, :, top : bottom + 2], fine[:, :, top:bottom])
        full[:, :, top:bottom] = part.view(n, c, 2, 2, bottom - top, w).permute(0, 1, 4, 2, 5, 3)
    return full.reshape(n, c, 2 * h, 2 * w)


def _phases(padded: Tensor, coarse: Tensor, fine: Tensor) -> Tensor:
    """Mean of 3x3 neighbours for each of the four places that one of the low resolution becomes.

    Args:
        padded: (N, C, h + 2, w + 2), what is upsampled.
        coarse: (N, 1, h + 2, w + 2), the guide at that size.
        fine: (N, 4, h, w), the guide's four places.

    Returns:
        (N, C, 4, h, w).
    """
    n, c = padded.shape[:2]
    h, w = fine.shape[2:]
    total, weights = padded.new_zeros(n, c, 4, h, w), padded.new_zeros(n, 1, 4, h, w)
    phase_y = padded.new_tensor([-0.25, -0.25, 0.25, 0.25]).view(1, 4, 1, 1)
    phase_x = padded.new_tensor([-0.25, 0.25, -0.25, 0.25]).view(1, 4, 1, 1)
    for dy in (-1, 0, 1):
        for dx in (-1, 0, 1):
            near = torch.exp(-((dy - phase_y) ** 2 + (dx - phase_x) ** 2) / (2 * 0.6**2))
            difference = fine - coarse[:, :, 1 + dy : 1 + dy + h, 1 + dx : 1 + dx + w]
            alike = torch.exp((difference.square() * (-0.5 / RANGE_SIGMA**2)).clamp_min(LEAST))
            weight = (near * (alike + 1e-3))[:, None]
            total = total.addcmul_(weight, padded[:, :, None, 1 + dy : 1 + dy + h, 1 + dx : 1 + dx + w])
            weights += weight
    return total / weights
