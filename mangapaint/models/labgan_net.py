"""A U-Net from L* to a*, b* (after pix2pix, Isola et al. 2017), on an encoder of its own or on ResNet-18."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mangapaint.models.labpaint import layer, lightness
from mangapaint.models.painting import Guide
from mangapaint.models.unet import BatchNorm

LEVELS = 8
"""Halvings: 256 px down to one place."""
REFINED = (1, 2)
"""Levels with one more 3x3 convolution on either side: 20 layers in all."""
DROPPED = 3
"""Deepest decoder levels under the bottom with dropout while training."""
MEAN, DEVIATION = 0.449, 0.226
"""Of ImageNet's luminance: what a pretrained backbone expects."""


@dataclass(frozen=True, slots=True)
class LabGanConfig:
    """Sizes: channels of the first level and the widest as a multiple of it (64 and 8 in pix2pix).

    `dropout` is that of the deepest decoder levels while training.
    """

    base: int = 16
    cap: int = 6
    dropout: float = 0.5
    backbone: Literal["unet", "resnet18"] = "unet"


class ResidualBlock(nn.Module):
    """The basic block of ResNet (He et al. 2016); names of its parts as in torchvision, so that its weights load."""

    def __init__(self, inner: int, outer: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inner, outer, 3, stride, 1, bias=False)
        self.bn1 = BatchNorm(outer)
        self.conv2 = nn.Conv2d(outer, outer, 3, 1, 1, bias=False)
        self.bn2 = BatchNorm(outer)
        self.downsample: nn.Sequential | None = None
        if stride > 1:
            self.downsample = nn.Sequential(nn.Conv2d(inner, outer, 1, stride, bias=False), BatchNorm(outer))

    def forward(self, x: Tensor) -> Tensor:
        y = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))
        return F.relu(y + (x if self.downsample is None else self.downsample(x)))


def resnet18() -> tuple[list[nn.Module], list[int]]:
    """The five levels of ResNet-18 without its classifier, and their channels; the input has three channels."""
    levels: list[nn.Module] = [
        nn.Sequential(nn.Conv2d(3, 64, 7, 2, 3, bias=False), BatchNorm(64), nn.ReLU()),
        nn.Sequential(nn.MaxPool2d(3, 2, 1), ResidualBlock(64, 64, 1), ResidualBlock(64, 64, 1)),
    ]
    widths = [64, 64, 128, 256, 512]
    for inner, outer in ((64, 128), (128, 256), (256, 512)):
        levels.append(nn.Sequential(ResidualBlock(inner, outer, 2), ResidualBlock(outer, outer, 1)))
    return levels, widths


class LabGanNet(nn.Module):
    """(N, 1, H, W) L* in 0..100 -> (N, 2, H, W) ab / 110 in -1..1; H and W are multiples of 256.

    Eight levels of 4x4 convolutions of stride 2 and their transposes, one more 3x3 convolution at two levels of either
    side, BatchNorm on all but the first, the deepest and the last; skips at every level.
    With the ResNet-18 backbone its five levels replace the first five of the encoder.
    """

    long_side = 512
    multiple_of = 2**LEVELS
    vivid = 1.0
    lift = 0.0

    def __init__(self, config: LabGanConfig) -> None:
        super().__init__()
        self.config = config
        if config.backbone not in ("unet", "resnet18"):
            raise ValueError(f"backbone is 'unet' or 'resnet18', not {config.backbone!r}")
        levels, widths = resnet18() if config.backbone == "resnet18" else ([], [])
        for level in range(len(levels), LEVELS):
            width = config.base * min(config.cap, 2**level)
            levels.append(encoder_level(widths[-1] if widths else 1, width, level))
            widths.append(width)
        self.encoder = nn.ModuleList(levels)
        self.decoder = nn.ModuleList()
        for level in reversed(range(LEVELS)):
            inner = widths[level] * (1 if level == LEVELS - 1 else 2)
            dropout = config.dropout if LEVELS - 1 - DROPPED <= level < LEVELS - 1 else 0.0
            self.decoder.append(decoder_level(inner, widths[level - 1] if level else 2, level, dropout))
        for part in self.modules():
            if isinstance(part, nn.Conv2d | nn.ConvTranspose2d):
                nn.init.normal_(part.weight, 0.0, 0.02)

    def forward(self, light: Tensor) -> Tensor:
        if self.config.backbone == "resnet18":
            x = ((light / 100 - MEAN) / DEVIATION).expand(-1, 3, -1, -1)
        else:
            x = (light - 50) / 50
        x = x.to(next(self.parameters()).dtype)
        skips: list[Tensor] = []
        for level in self.encoder:
            x = level(x)
            skips.append(x)
        x = self.decoder[0](skips.pop())
        for level in self.decoder[1:]:
            x = level(torch.cat([x, skips.pop()], 1))
        return torch.tanh(x.float())

    def paints(self, page: Tensor, hints: Tensor, guide: Guide) -> Tensor:
        """See `PaintingNet`; hints, palette and seed do not matter to this net."""
        ab = F.avg_pool2d(self(lightness(page.float())), 2) * 110
        return layer(ab, guide.regions)


def encoder_level(inner: int, outer: int, level: int) -> nn.Sequential:
    """Leaky ReLU, a 4x4 convolution of stride 2, BatchNorm; one more 3x3 convolution where levels are refined."""
    normed = 0 < level < LEVELS - 1
    layers: list[nn.Module] = [nn.LeakyReLU(0.2)] if level else []
    layers.append(nn.Conv2d(inner, outer, 4, 2, 1, bias=not normed))
    if normed:
        layers.append(BatchNorm(outer))
    if level in REFINED:
        layers += [nn.LeakyReLU(0.2), nn.Conv2d(outer, outer, 3, 1, 1, bias=False), BatchNorm(outer)]
    return nn.Sequential(*layers)


def decoder_level(inner: int, outer: int, level: int, dropout: float) -> nn.Sequential:
    """ReLU, the 4x4 transpose of stride 2, BatchNorm, dropout; one more 3x3 convolution where levels are refined."""
    layers: list[nn.Module] = [nn.ReLU(), nn.ConvTranspose2d(inner, outer, 4, 2, 1, bias=level == 0)]
    if level:
        layers.append(BatchNorm(outer))
    if level in REFINED:
        layers += [nn.ReLU(), nn.Conv2d(outer, outer, 3, 1, 1, bias=False), BatchNorm(outer)]
    if dropout:
        layers.append(nn.Dropout(dropout))
    return nn.Sequential(*layers)
