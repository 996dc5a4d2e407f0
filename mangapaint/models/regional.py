"""Means over line-enclosed regions, which vote and are known as one."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def mean_by(rows: Tensor, label: Tensor, count: int) -> Tensor:
    """(count, C) mean of the (P, C) rows of each label; zeros for labels without rows."""
    total = rows.new_zeros(count, rows.shape[1]).index_add_(0, label, rows)
    return total / torch.bincount(label, minlength=count).clamp_min(1)[:, None]


def keys_of(descriptors: Tensor, regions: Tensor) -> tuple[Tensor, Tensor]:
    """(R,) labels of the regions that are large enough to have a descriptor, and (R, D) their mean as unit vectors.

    Args:
        descriptors: (D, h / 4, w / 4).
        regions: (h, w) int64.
    """
    height, width = descriptors.shape[1:]
    coarse = F.interpolate(regions[None, None].float(), (height, width), mode="nearest-exact").long().flatten()
    known = torch.unique(coarse)
    mean = mean_by(descriptors.flatten(1).T.float(), coarse, int(known.max()) + 1)
    return known, F.normalize(mean[known], dim=1)


def voted_together(ballots: Tensor, regions: Tensor) -> Tensor:
    """Mean of (N, K, H, W) over each region of (N, H, W) int64 labels, at every place of the region."""
    result = []
    for each, label in zip(ballots, regions.flatten(1), strict=True):
        mean = mean_by(each.flatten(1).T, label, int(label.max()) + 1)
        result.append(mean[label].T.reshape(each.shape))
    return torch.stack(result)
