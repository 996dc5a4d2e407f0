"""sRGB <-> CIE L*a*b* (D65, 2 degrees; IEC 61966-2-1 and CIE 15), batched on any device."""

from __future__ import annotations

import torch
from torch import Tensor

WHITE = (0.95047, 1.0, 1.08883)
TO_XYZ = ((0.4124564, 0.3575761, 0.1804375), (0.2126729, 0.7151522, 0.0721750), (0.0193339, 0.1191920, 0.9503041))
TO_RGB = ((3.2404542, -1.5371385, -0.4985314), (-0.9692660, 1.8760108, 0.0415560), (0.0556434, -0.2040259, 1.0572252))
EPSILON, KAPPA = 216 / 24389, 24389 / 27


def mixed(x: Tensor, matrix: tuple[tuple[float, float, float], ...]) -> Tensor:
    return torch.einsum("ij,njhw->nihw", torch.tensor(matrix, device=x.device, dtype=x.dtype), x)


def rgb_to_lab(rgb: Tensor) -> Tensor:
    """(N, 3, H, W) sRGB in 0..1 -> L* in 0..100, a*, b* in about -110..110."""
    linear = torch.where(rgb > 0.04045, ((rgb.clamp_min(0) + 0.055) / 1.055) ** 2.4, rgb / 12.92)
    xyz = mixed(linear, TO_XYZ) / torch.tensor(WHITE, device=rgb.device, dtype=rgb.dtype).view(1, 3, 1, 1)
    f = torch.where(xyz > EPSILON, xyz.clamp_min(1e-8) ** (1 / 3), (KAPPA * xyz + 16) / 116)
    x, y, z = f.unbind(1)
    return torch.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], 1)


def lab_to_rgb(lab: Tensor) -> Tensor:
    """The inverse, (N, 3, H, W) in 0..1; colours outside sRGB are clipped per channel."""
    lightness, a, b = lab.unbind(1)
    y = (lightness + 16) / 116
    f = torch.stack([y + a / 500, y, y - b / 200], 1)
    xyz = torch.where(f**3 > EPSILON, f**3, (116 * f - 16) / KAPPA)
    linear = mixed(xyz * torch.tensor(WHITE, device=lab.device, dtype=lab.dtype).view(1, 3, 1, 1), TO_RGB).clamp(0, 1)
    return torch.where(linear > 0.0031308, 1.055 * linear.clamp_min(1e-8) ** (1 / 2.4) - 0.055, 12.92 * linear).clamp(
        0, 1
    )
