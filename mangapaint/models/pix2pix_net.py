"""pix2pix (Isola et al. 2017) for line drawings: a sketch, and for some weights a colour cue, to a coloured picture."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mangapaint.models.lab import rgb_to_lab
from mangapaint.models.painting import Guide
from mangapaint.models.unet import UNet

BLOCK = 7
"""Side of the window of the adaptive threshold, px."""
DARKER = 4 / 255
"""A sketch is black where the picture is darker than its surroundings by more than this."""
DESCREEN = 0.9
"""Blur of a page before its sketch is taken, px: dots of screentone go, lines stay."""
INK = 7
"""Lines up to this wide, px, are painted over before the page's own lie over the paint."""
DENSE = 0.5
"""Hints that cover more of a page than this are a reference: they are blurred as cues are in training."""
REFERENCE_SIGMA = 12.0
"""Blur of such hints, px: less than the 20 of training, for references may be blurred already."""


@dataclass(frozen=True, slots=True)
class Pix2PixConfig:
    """Widths as in `UNet`; the paper's are base 64, cap 8. `cue`: three more input channels, white where none is."""

    cue: bool = False
    base: int = 16
    cap: int = 6


class Pix2PixNet(nn.Module):
    """(N, 1, H, W) sketch in 0..1, 0 ink, and (N, 3, H, W) cue -> (N, 3, H, W) sRGB in -1..1; H, W multiples of 256."""

    long_side = 768
    multiple_of = 256

    def __init__(self, config: Pix2PixConfig) -> None:
        super().__init__()
        self.config = config
        # Guessed colours are an average and pale; those of a cue are meant as they are.
        self.vivid, self.lift = (1.1, 0.2) if config.cue else (1.5, 0.5)
        self.follows_cues = config.cue
        self.unet = UNet(4 if config.cue else 1, 3, config.base, config.cap)

    def forward(self, sketch: Tensor, cue: Tensor | None = None) -> Tensor:
        """See the class; `cue` is left aside by weights without one and white where it is None."""
        given = sketch
        if self.config.cue:
            cue = sketch.new_ones(1, 1, 1, 1).expand(len(sketch), 3, *sketch.shape[-2:]) if cue is None else cue
            given = torch.cat([sketch, cue], 1)
        output: Tensor = self.unet((given * 2 - 1).to(next(self.unet.parameters()).dtype))
        return torch.tanh(output.float())

    def paints(self, page: Tensor, hints: Tensor, guide: Guide) -> Tensor:
        """See `PaintingNet`; palette, regions and seed of the guide do not matter to this net."""
        sketch = sketch_of(gaussian(page.float(), DESCREEN, 3))
        rgb = self(sketch, cue_of(hints.float()) if self.config.cue else None)
        paint = F.avg_pool2d(without_lines((rgb + 1) / 2), 2)
        return torch.cat([paint, rgb_to_lab(paint)[:, 1:] / 110], 1)


def gaussian(x: Tensor, sigma: float, radius: int) -> Tensor:
    """(N, C, H, W) blurred; replicated borders."""
    t = torch.arange(-radius, radius + 1, device=x.device, dtype=x.dtype)
    kernel = torch.exp(-t * t / (2 * sigma**2))
    kernel = (kernel / kernel.sum()).repeat(x.shape[1], 1, 1, 1)
    x = F.conv2d(F.pad(x, (radius, radius, 0, 0), mode="replicate"), kernel, groups=x.shape[1])
    return F.conv2d(F.pad(x, (0, 0, radius, radius), mode="replicate"), kernel.transpose(2, 3), groups=x.shape[1])


def sketch_of(luminance: Tensor) -> Tensor:
    """Gaussian adaptive threshold of (N, 1, H, W) in 0..1: 0 where darker than the window's mean by DARKER, else 1.

    The window's sigma is that of OpenCV's adaptiveThreshold for the same block size (1.4 px for 7).
    """
    sigma = 0.3 * ((BLOCK - 1) * 0.5 - 1) + 0.8
    return (luminance > gaussian(luminance, sigma, BLOCK // 2) - DARKER).to(luminance.dtype)


def cue_of(hints: Tensor) -> Tensor:
    """(N, 4, H, W) sRGB * mask, mask -> (N, 3, H, W) cue: strokes as they are, dense hints smooth, white elsewhere."""
    mask = hints[:, 3:]
    dense = (mask.mean((1, 2, 3), keepdim=True) > DENSE).to(hints.dtype)
    if dense.any():
        smooth = gaussian(hints, REFERENCE_SIGMA, math.ceil(2.5 * REFERENCE_SIGMA))
        smooth = smooth[:, :3] / smooth[:, 3:].clamp_min(1e-3) * mask
        hints = torch.cat([torch.lerp(hints[:, :3], smooth, dense), mask], 1)
    return hints[:, :3] + (1 - mask)


def without_lines(rgb: Tensor) -> Tensor:
    """Gray closing of each channel by a square of INK px: what is dark and thin takes the colour beside it."""
    half = INK // 2
    for sign in (1, -1):
        rgb = sign * F.max_pool2d(F.max_pool2d(sign * rgb, (INK, 1), 1, (half, 0)), (1, INK), 1, (0, half))
    return rgb
