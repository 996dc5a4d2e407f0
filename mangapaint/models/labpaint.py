"""Paint under ink for nets that know a*, b* alone: white paper has no colour (L* is 100), so lightness is made up."""

from __future__ import annotations

import torch
from torch import Tensor

from mangapaint.models.lab import lab_to_rgb
from mangapaint.models.regional import voted_together

LIGHTEST = 97.0
"""L* of paint without colour: paper."""
DARKENING = 0.5
"""L* that paint loses for each unit of C*ab; so skin is light, and strong colours lie inside sRGB."""
DARKEST = 62.0
TOGETHER = 0.7
"""Weight of a region's mean colour against that of each place."""


def lightness(page: Tensor) -> Tensor:
    """(N, 1, H, W) luminance in 0..1 (sRGB gray) -> L* in 0..100."""
    linear = torch.where(page > 0.04045, ((page.clamp_min(0) + 0.055) / 1.055) ** 2.4, page / 12.92)
    root = torch.where(linear > 216 / 24389, linear.clamp_min(1e-8) ** (1 / 3), (24389 / 27 * linear + 16) / 116)
    return 116 * root - 16


def layer(ab: Tensor, regions: Tensor | None = None) -> Tensor:
    """A colour layer to multiply under ink, and the colours themselves.

    Args:
        ab: (N, 2, h, w), Lab units.
        regions: (N, h, w) int64 line-enclosed regions; their places then share most of their colour in the paint.

    Returns:
        (N, 5, h, w) float32 as `PaintingNet.paints`: paint as sRGB in 0..1, then ab / 110 as it came.
    """
    flat = ab.float()
    if regions is not None:
        flat = torch.lerp(flat, voted_together(flat, regions), TOGETHER)
    light = (LIGHTEST - DARKENING * flat.norm(dim=1, keepdim=True)).clamp_min(DARKEST)
    return torch.cat([lab_to_rgb(torch.cat([light, flat], 1)), ab.float() / 110], 1)
