"""Differentiable augmentation of what a discriminator sees, true and made alike (Zhao et al. 2020)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

KINDS = ("color", "translation", "cutout")
SHIFT = 1 / 8
"""Farthest translation, as a share of the side."""
HOLE = 1 / 2
"""Side of the cutout, as a share of the side."""


def augmented(picture: Tensor, kinds: tuple[str, ...] = KINDS) -> Tensor:
    """(N, 3, H, W) in about 0..1 -> the same shape, each picture changed by chance of its own; gradients flow through.

    color: brightness +-.5, saturation 0..2, contrast .5..1.5. translation: by up to SHIFT, gray comes in. cutout: one
    gray square of side HOLE.

    Raises:
        ValueError: another kind.
    """
    if strangers := set(kinds) - set(KINDS):
        raise ValueError(f"augmentations are {', '.join(KINDS)}, not {', '.join(sorted(strangers))}")
    x = picture - 0.5
    if "color" in kinds:
        brightness, saturation, contrast = torch.rand(3, len(x), 1, 1, 1, device=x.device, dtype=x.dtype)
        x = x + (brightness - 0.5) * 0.5
        gray = x.mean(1, keepdim=True)
        x = torch.lerp(gray, x, saturation * 2)
        mean = x.mean((1, 2, 3), keepdim=True)
        x = torch.lerp(mean, x, contrast + 0.5)
    if "translation" in kinds:
        x = translated(x)
    if "cutout" in kinds:
        x = x * uncut(x)
    return x + 0.5


def translated(x: Tensor) -> Tensor:
    """Each picture moved by whole pixels, zeros coming in."""
    count, _, height, width = x.shape
    most = round(height * SHIFT)
    rows, columns = torch.randint(0, 2 * most + 1, (2, count, 1, 1), device=x.device)
    padded = F.pad(x, (most,) * 4).permute(0, 2, 3, 1)
    every = torch.arange(count, device=x.device).view(-1, 1, 1)
    y = torch.arange(height, device=x.device).view(1, -1, 1) + rows
    return padded[every, y, torch.arange(width, device=x.device).view(1, 1, -1) + columns].permute(0, 3, 1, 2)


def uncut(x: Tensor) -> Tensor:
    """(N, 1, H, W): 0 in a square of each picture, 1 elsewhere; its centre may lie anywhere."""
    count, _, height, width = x.shape
    half = HOLE / 2
    cy, cx = torch.rand(2, count, 1, 1, device=x.device)
    y = ((torch.arange(height, device=x.device) + 0.5) / height).view(1, -1, 1)
    across = ((torch.arange(width, device=x.device) + 0.5) / width).view(1, 1, -1)
    hole = ((y - cy).abs() < half) & ((across - cx).abs() < half)
    uncut: Tensor = (~hole)[:, None].to(x.dtype)
    return uncut
