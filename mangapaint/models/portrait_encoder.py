"""From a gray face into the latent space of the generator (pSp: Richardson et al. 2021), on a slim ResNet-50."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mangapaint.models.unet import BatchNorm

BLOCKS = (3, 4, 6, 3)
"""Bottlenecks of the four stages of ResNet-50 (He et al. 2016)."""
EXPANSION = 4
LAST = 2
"""Side that the heads bring their level of the pyramid to, px."""


@dataclass(frozen=True, slots=True)
class PortraitEncoderConfig:
    """Sizes: `width` of the first stage (64 in ResNet-50), `pyramid` channels (512 in pSp).

    The rest is the generator's: `layers` and `latent` are those of W+, `side` that of its faces.
    """

    width: int = 16
    pyramid: int = 28
    layers: int = 10
    latent: int = 128
    side: int = 64


class Bottleneck(nn.Module):
    """1x1, 3x3 (strided), 1x1 convolutions beside a shortcut."""

    def __init__(self, inner: int, width: int, stride: int) -> None:
        super().__init__()
        outer = width * EXPANSION
        self.conv1, self.bn1 = nn.Conv2d(inner, width, 1, bias=False), BatchNorm(width)
        self.conv2, self.bn2 = nn.Conv2d(width, width, 3, stride, 1, bias=False), BatchNorm(width)
        self.conv3, self.bn3 = nn.Conv2d(width, outer, 1, bias=False), BatchNorm(outer)
        self.downsample: nn.Sequential | None = None
        if stride > 1 or inner != outer:
            self.downsample = nn.Sequential(nn.Conv2d(inner, outer, 1, stride, bias=False), BatchNorm(outer))

    def forward(self, x: Tensor) -> Tensor:
        y = F.relu(self.bn1(self.conv1(x)))
        y = F.relu(self.bn2(self.conv2(y)))
        y = self.bn3(self.conv3(y))
        return F.relu(y + (x if self.downsample is None else self.downsample(x)))


class PortraitEncoder(nn.Module):
    """(N, 1, side, side) gray in 0..1 -> place in W+ as (N, layers, latent) away from the mean w, and z (N, latent).

    A low-resolution face is enlarged to `side` before. The stem keeps half the side (no pooling: faces are small), so
    the stages have side / 2, / 4, / 8 and / 16; the last three make the pyramid. As in pSp the coarse styles come from
    its deepest level, the middle ones from the next, the fine ones from the highest. z is a by-product for comparison
    with systems that look for it; nothing is drawn of it.
    """

    task = "portrait"

    def __init__(self, config: PortraitEncoderConfig | None = None) -> None:
        super().__init__()
        self.config = config or PortraitEncoderConfig()
        width, pyramid, layers = self.config.width, self.config.pyramid, self.config.layers
        self.stem = nn.Sequential(nn.Conv2d(1, width, 7, 2, 3, bias=False), BatchNorm(width), nn.ReLU())
        stages, before = [], width
        for stage, blocks in enumerate(BLOCKS):
            inner = width << stage
            parts = [
                Bottleneck(before if i == 0 else inner * EXPANSION, inner, 2 if stage and not i else 1)
                for i in range(blocks)
            ]
            stages.append(nn.Sequential(*parts))
            before = inner * EXPANSION
        self.stages = nn.ModuleList(stages)
        self.laterals = nn.ModuleList(nn.Conv2d((width << stage) * EXPANSION, pyramid, 1) for stage in (1, 2, 3))
        halvings = [max(0, (self.config.side >> (stage + 1)).bit_length() - LAST.bit_length()) for stage in (1, 2, 3)]
        self.heads = nn.ModuleList(
            nn.Sequential(
                *(part for _ in range(count) for part in (nn.Conv2d(pyramid, pyramid, 3, 2, 1), nn.LeakyReLU(0.2))),
                nn.AdaptiveAvgPool2d(LAST),
                nn.Flatten(),
            )
            for count in halvings
        )
        features = pyramid * LAST * LAST
        self.styles = nn.ModuleList(nn.Linear(features, self.config.latent) for _ in range(layers))
        self.latent = nn.Linear(features * 3, self.config.latent)

    def level_of(self, layer: int) -> int:
        """Level of the pyramid, 0 the finest, that a style comes from: a third each, the coarse ones deepest."""
        return 2 - min(2, layer * 3 // self.config.layers)

    def forward(self, gray: Tensor) -> tuple[Tensor, Tensor]:
        x = self.stem(((gray - 0.5) * 4).contiguous(memory_format=torch.channels_last))
        found = []
        for stage in self.stages:
            x = stage(x)
            found.append(x)
        levels = [lateral(x) for lateral, x in zip(self.laterals, found[1:], strict=True)]
        for finer in (1, 0):
            above = F.interpolate(levels[finer + 1], size=levels[finer].shape[-2:], mode="nearest")
            levels[finer] = levels[finer] + above
        features = [head(level) for head, level in zip(self.heads, levels, strict=True)]
        styles = [style(features[self.level_of(i)]) for i, style in enumerate(self.styles)]
        return torch.stack(styles, 1).float(), self.latent(torch.cat(features, 1)).float()
