"""Colour as classes: a*, b* on a grid of bins inside sRGB (Zhang et al. 2016, "Colorful Image Colorization")."""

from __future__ import annotations

from functools import cache

import torch
from torch import Tensor

from mangapaint.models.lab import rgb_to_lab

STEP = 10.0
"""Distance of the bins, Lab units."""
SIGMA = 5.0
"""Of the Gaussian over a colour's nearest bins, and of the smoothing of the prior, Lab units."""
NEIGHBOURS = 5
"""Bins that share a colour."""
REACH = 12
"""Cells from gray to the end of the table that finds a colour's bin."""
CUBE = 64
"""Samples of each sRGB channel by which the gamut is found."""


@cache
def bins() -> Tensor:
    """(Q, 2) float32 on the CPU: centres of the grid's cells that hold a colour of sRGB at some L*, in order of a*, b*.

    Q is 261 here, 313 in the paper, which keeps some cells beyond the gamut's rim.
    """
    level = torch.linspace(0, 1, CUBE, device="cpu")
    cube = torch.stack(torch.meshgrid(level, level, level, indexing="ij")).reshape(1, 3, CUBE, CUBE**2)
    ab = rgb_to_lab(cube)[0, 1:].flatten(1).T
    cells: Tensor = torch.unique(torch.round(ab / STEP), dim=0)
    return cells * STEP


def nearest(ab: Tensor) -> Tensor:
    """(P, 2) colours in Lab units -> (P,) int64, the bin of the cell each lies in; beyond the gamut, the closest."""
    cell = torch.round(ab / STEP).clamp(-REACH, REACH).long() + REACH
    found: Tensor = _cells()[cell[:, 0], cell[:, 1]]
    return found


@cache
def _cells() -> Tensor:
    side = torch.arange(-REACH, REACH + 1, device="cpu") * STEP
    grid = torch.cartesian_prod(side, side)
    return torch.cdist(grid, bins()).argmin(1).view(2 * REACH + 1, 2 * REACH + 1)


def encoded(ab: Tensor, centres: Tensor) -> tuple[Tensor, Tensor]:
    """Soft encoding: each colour as shares of its nearest bins.

    Args:
        ab: (..., 2), Lab units.
        centres: (Q, 2).

    Returns:
        index (..., 5) int64, nearest bin first, and share (..., 5) float32 that sums to 1.
    """
    flat = ab.reshape(-1, 2).float()
    squares = centres.square().sum(1) - 2 * flat @ centres.T  # of the distances, less the colour's own
    nearest_squares, index = squares.topk(NEIGHBOURS, 1, largest=False)
    share = torch.softmax(-nearest_squares / (2 * SIGMA**2), 1)
    return index.view(*ab.shape[:-1], NEIGHBOURS), share.view(*ab.shape[:-1], NEIGHBOURS)


def annealed_mean(logits: Tensor, centres: Tensor, temperature: float) -> Tensor:
    """The colour of a distribution (eq. 5): its mean at temperature 1, its mode towards 0.

    Args:
        logits: (N, Q, h, w).
        centres: (Q, 2).
        temperature: over 0.

    Returns:
        (N, 2, h, w) float32, Lab units.
    """
    share = torch.softmax(logits.float() / temperature, 1)
    return torch.einsum("nqhw,qc->nchw", share, centres.float())


def smoothed(histogram: Tensor, centres: Tensor) -> Tensor:
    """(Q,) counts of the bins -> (Q,) prior: each bin spread over its neighbourhood by a Gaussian, summing to 1."""
    kernel = torch.exp(-torch.cdist(centres.float(), centres.float()).square() / (2 * SIGMA**2))
    spread = (kernel / kernel.sum(1, keepdim=True)).T @ histogram.float()
    return spread / spread.sum()


def rebalanced(prior: Tensor, mixed: float) -> Tensor:
    """Weight of each class in the loss (eq. 4): the inverse of the prior mixed with a uniform one.

    Args:
        prior: (Q,), sums to 1.
        mixed: lambda, the uniform part: 0 weighs by rarity alone, 1 weighs all alike.

    Returns:
        (Q,); its mean under the prior is 1.
    """
    weight = 1 / ((1 - mixed) * prior + mixed / len(prior))
    return weight / (prior * weight).sum()
