"""From low-resolution paint to full-resolution colour: joint bilateral upsampling, then the page's own ink."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from mangapaint.models.bilateral import joint_upsample as joint_upsample
from mangapaint.models.lab import lab_to_rgb, rgb_to_lab

STRIP = 4_000_000
"""Pixels that are composed at a time: bounds the memory of a page that was upscaled."""
STRIP_ON_CPU = 1 << 16
"""So few that they stay in its cache."""


def vivid(paint: Tensor, gain: float) -> Tensor:
    """(N, 3, H, W) sRGB with its distance from gray multiplied; lightness (BT.601) stays."""
    y = (paint * paint.new_tensor([0.299, 0.587, 0.114]).view(1, 3, 1, 1)).sum(1, keepdim=True)
    return (y + (paint - y) * gain).clamp(0, 1)


def lifted(paint: Tensor, share: float) -> Tensor:
    """(N, 3, H, W) sRGB with its value (largest channel) raised to the power 1 - share; hue and saturation stay.

    Ink and tone bring the dark of a manga page already; paint as dark as in a painted picture would bury the lines.
    """
    value = paint.amax(1, keepdim=True).clamp_min(0.05)
    return (paint * value ** (-share)).clamp(0, 1)


def under_ink(paint: Tensor, page: Tensor, paper: Tensor) -> Tensor:
    """Multiply layer: the drawing over the paint, paper where it must stay white.

    Args:
        paint: (N, 3, h, w) sRGB in 0..1, any size.
        page: (N, 1, H, W) uint8 luminance, full size.
        paper: (N, 1, h, w) in 0..1, 1 where paper stays white.

    Returns:
        (N, 3, H, W) uint8 sRGB.
    """
    layer = paint + (1 - paint) * paper
    return in_strips(layer, page, lambda colour, ink: colour * ink)


def under_luminance(ab: Tensor, page: Tensor, paper: Tensor) -> Tensor:
    """Keep L* of the page exactly and take a*, b* from the paint.

    Args:
        ab: (N, 2, h, w), CIE Lab units.
        page: (N, 1, H, W) uint8 luminance.
        paper: as in `under_ink`.

    Returns:
        (N, 3, H, W) uint8 sRGB; colours outside sRGB are clipped.
    """

    def combined(colour: Tensor, gray: Tensor) -> Tensor:
        lightness = rgb_to_lab(gray.expand(-1, 3, -1, -1))[:, :1]
        return lab_to_rgb(torch.cat([lightness, colour], 1))

    return in_strips(ab * (1 - paper), page, combined)


def in_strips(layer: Tensor, page: Tensor, combine: Callable[[Tensor, Tensor], Tensor]) -> Tensor:
    """Apply `combine(layer at full size, page in 0..1)` to horizontal strips and round to uint8.

    Rows of a strip are interpolated as those of the whole: the result does not depend on the strips.
    """
    n, _, height, width = page.shape
    strip = STRIP_ON_CPU if page.is_cpu else STRIP
    step = max(1, min(height, strip // max(1, n * width)))
    result = torch.empty(n, 3, height, width, dtype=torch.uint8, device=page.device)
    for top in range(0, height, step):
        bottom = min(height, top + step)
        colour = rows_of(layer, top, bottom, height, width)
        mixed = combine(colour, page[:, :, top:bottom].float() / 255)
        result[:, :, top:bottom] = mixed.clamp(0, 1).mul_(255).round_()
    return result


def rows_of(layer: Tensor, top: int, bottom: int, height: int, width: int) -> Tensor:
    """Rows top..bottom of `layer` enlarged bilinearly to (height, width) (half-pixel centres)."""
    rows = layer.shape[2]
    centre = (torch.arange(top, bottom, device=layer.device, dtype=torch.float32) + 0.5) * (rows / height) - 0.5
    centre = centre.clamp(0, rows - 1)
    low = centre.floor().long()
    high = (low + 1).clamp_max(rows - 1)
    share = (centre - low).view(1, 1, -1, 1).to(layer.dtype)
    picked = torch.lerp(layer.index_select(2, low), layer.index_select(2, high), share)
    if picked.shape[3] == width:
        return picked
    wide = F.interpolate(picked.flatten(0, 1), size=width, mode="linear", align_corners=False)
    return wide.reshape(*picked.shape[:3], width)
