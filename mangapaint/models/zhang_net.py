"""Colour as classification (Zhang et al. 2016, "Colorful Image Colorization"): L* to a distribution over ab."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mangapaint.models.abgrid import annealed_mean
from mangapaint.models.labpaint import layer, lightness
from mangapaint.models.painting import Guide
from mangapaint.models.unet import BatchNorm


@dataclass(frozen=True, slots=True)
class ZhangConfig:
    """`width`: channels of the first block, 64 in the paper. `bins`: classes. `temperature`: at vividness 1."""

    width: int = 16
    bins: int = 261
    temperature: float = 0.38


def block(inner: int, outer: int, convolutions: int, stride: int = 1, dilation: int = 1) -> list[nn.Module]:
    """3x3 convolutions with ReLU, the last one strided, and one BatchNorm behind them."""
    layers: list[nn.Module] = []
    for index in range(convolutions):
        step = stride if index == convolutions - 1 else 1
        convolution = nn.Conv2d(inner if index == 0 else outer, outer, 3, step, dilation, dilation)
        nn.init.kaiming_normal_(convolution.weight, nonlinearity="relu")
        nn.init.zeros_(cast(Tensor, convolution.bias))
        layers += [convolution, nn.ReLU()]
    return [*layers, BatchNorm(outer)]


class ZhangNet(nn.Module):
    """(N, 1, H, W) L* in 0..100 -> (N, Q, H / 4, W / 4) float32 logits; H and W are multiples of 8.

    Blocks 1-3 halve, 4-7 stay at stride 8 (5 and 6 dilated), 8 doubles. Widths 64-128-256-512-512-512-512-256 where the
    first is 64. Buffers are the quantisation: `centres` (Q, 2) of the classes, Lab units; `prior` (Q,) of the corpus.
    """

    long_side = 512
    multiple_of = 8
    vivid = 1.0
    lift = 0.0
    takes_vividness = True

    def __init__(self, config: ZhangConfig) -> None:
        super().__init__()
        self.config = config
        w = config.width
        self.trunk = nn.Sequential(
            *block(1, w, 2, stride=2),
            *block(w, 2 * w, 2, stride=2),
            *block(2 * w, 4 * w, 3, stride=2),
            *block(4 * w, 8 * w, 3),
            *block(8 * w, 8 * w, 3, dilation=2),
            *block(8 * w, 8 * w, 3, dilation=2),
            *block(8 * w, 8 * w, 3),
        )
        self.head = nn.Sequential(
            nn.ConvTranspose2d(8 * w, 4 * w, 4, 2, 1),
            nn.ReLU(),
            nn.Conv2d(4 * w, 4 * w, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(4 * w, 4 * w, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(4 * w, config.bins, 1),
        )
        self.register_buffer("centres", torch.zeros(config.bins, 2))
        self.register_buffer("prior", torch.full((config.bins,), 1 / config.bins))

    def forward(self, light: Tensor) -> Tensor:
        scaled = ((light - 50) / 50).to(cast(nn.Conv2d, self.trunk[0]).weight.dtype)
        logits: Tensor = self.head(self.trunk(scaled))
        return logits.float()

    def paints(self, page: Tensor, hints: Tensor, guide: Guide) -> Tensor:
        """See `PaintingNet`; hints, palette and seed do not matter to this net.

        Vividness divides the temperature, which ends at 1 (the plain mean); from there on it scales the mean to gray.
        """
        logits = self(lightness(page.float()))
        warmth, asked = self.config.temperature, guide.vividness
        ab = annealed_mean(logits, cast(Tensor, self.centres), warmth / asked if asked > warmth else 1.0)
        ab = ab * min(1.0, asked / warmth)
        return layer(F.interpolate(ab, scale_factor=2, mode="bilinear", align_corners=False), guide.regions)
