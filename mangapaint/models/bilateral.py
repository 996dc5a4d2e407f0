"""Joint bilateral upsampling: what a net says at half the size of a picture, along that picture's edges."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

RANGE_SIGMA = 0.05
"""Difference of luminance (0..1) at which a neighbour counts for little in joint bilateral upsampling."""


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
    total, weights = low.new_zeros(n, c, 4, h, w), low.new_zeros(n, 1, 4, h, w)
    phase_y = low.new_tensor([-0.25, -0.25, 0.25, 0.25]).view(1, 4, 1, 1)
    phase_x = low.new_tensor([-0.25, 0.25, -0.25, 0.25]).view(1, 4, 1, 1)
    for dy in (-1, 0, 1):
        for dx in (-1, 0, 1):
            near = torch.exp(-((dy - phase_y) ** 2 + (dx - phase_x) ** 2) / (2 * 0.6**2))
            difference = fine - coarse[:, :, 1 + dy : 1 + dy + h, 1 + dx : 1 + dx + w]
            weight = (near * (torch.exp(difference.square() * (-0.5 / RANGE_SIGMA**2)) + 1e-3))[:, None]
            total += weight * padded[:, :, None, 1 + dy : 1 + dy + h, 1 + dx : 1 + dx + w]
            weights += weight
    return F.pixel_shuffle((total / weights).flatten(1, 2), 2)
