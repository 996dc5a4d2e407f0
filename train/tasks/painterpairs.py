"""Batches of pairs: each sample's partner as its memory, and how a batch looks when it is painted."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from mangapaint.models.lab import lab_to_rgb, rgb_to_lab
from mangapaint.models.painting import Memory


def composed(output: Tensor, page: Tensor, is_gray: Tensor) -> Tensor:
    """Net output and page -> (N, 3, H, W) colour, plainly: paint times page, or the page's L* with the net's ab."""
    full = F.interpolate(output, size=page.shape[-2:], mode="bilinear", align_corners=False)
    lightness = rgb_to_lab(page.expand(-1, 3, -1, -1))[:, :1]
    kept = lab_to_rgb(torch.cat([lightness, full[:, 3:] * 110], 1))
    return torch.where(is_gray.view(-1, 1, 1, 1), kept, full[:, :3] * page)


def swapped(x: Tensor) -> Tensor:
    """The partner of each sample of a batch of pairs: 0 with 1, 2 with 3."""
    return x[torch.arange(len(x), device=x.device) ^ 1]


def neighbours(descriptors: Tensor, values: Tensor, crowd: bool) -> Memory:
    """The memory of each sample of a batch of pairs: its partner, and three other samples in a crowd.

    Args:
        descriptors: (N, D, h, w).
        values: (N, 216, h, w) shares of the palette's cells.
        crowd: with others.

    Returns:
        keys (N, M, D), values (N, M, 216), M = h w or 4 h w.
    """

    def of(x: Tensor) -> Tensor:
        tokens = x.flatten(2).transpose(1, 2)
        partner = swapped(tokens)
        return torch.cat([partner, *(tokens.roll(2 * i, 0) for i in (1, 2, 3))], 1) if crowd else partner

    return Memory(of(descriptors), of(values))
