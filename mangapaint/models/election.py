"""How votes become colours: places of a region vote together, regions agree with their kin, the mean is annealed."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from mangapaint.models.painting import Kin
from mangapaint.models.regional import keys_of, mean_by

KINDRED = 12.0
"""Sharpness of the likeness (cosine) by which regions of different pages find each other."""
STRANGER = 0.5
"""Likeness under which a region has no kin."""
AGREEMENT = 0.8
"""Weight of the common vote of a region's kin against its own."""


def ballots_of(votes: Tensor) -> Tensor:
    """(N, K, h, w) logits -> (N, 2 h 2 w, K) log shares at twice the size, the colours of a place side by side."""
    shares = F.log_softmax(votes.permute(0, 2, 3, 1), 3).permute(0, 3, 1, 2)
    return F.interpolate(shares, scale_factor=2, mode="bilinear", align_corners=False).permute(0, 2, 3, 1).flatten(1, 2)


def agreed(mean: Tensor, cells: Tensor, descriptors: Tensor, regions: Tensor, kin: Kin) -> Tensor:
    """The votes of a page's regions, drawn to those of their kin on other pages.

    Args:
        mean: (R, K) mean vote of each label.
        cells: (K,) of the palette.
        descriptors: (D, h / 4, w / 4).
        regions: (h, w) int64 labels 0..R - 1.
        kin: regions to agree with.

    Returns:
        (R, K).
    """
    known, keys = keys_of(descriptors, regions)
    alike = keys @ kin.keys.T
    said = torch.softmax(alike * KINDRED, 1) @ kin.ballots.index_select(1, cells)
    weight = AGREEMENT * ((alike.amax(1, keepdim=True) - STRANGER) / (1 - STRANGER)).clamp(0, 1).sqrt()
    mean = mean.clone()
    mean[known] = torch.lerp(mean[known], said, weight)
    return mean


def elected(ballots: Tensor, colours: Tensor, temperature: float) -> Tensor:
    """Annealed mean (Zhang et al. 2016) of the colours that are voted for.

    Args:
        ballots: (P, K) log shares; written over.
        colours: (K, 3).
        temperature: under 1 the favourite counts for more.

    Returns:
        (P, 3).
    """
    return F.linear(torch.softmax(ballots.div_(temperature), 1), colours.T.contiguous())


def by_region(ballots: Tensor, regions: Tensor) -> Tensor:
    """(R, K) mean of the (h w, K) ballots of each label of (h, w)."""
    label = regions.flatten()
    return mean_by(ballots, label, int(label.max()) + 1)
