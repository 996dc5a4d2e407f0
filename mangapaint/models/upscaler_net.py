"""The upscaler: one residual body on luminance with a head for each scale, over a bicubic skip."""

from __future__ import annotations

from dataclasses import dataclass

import torch.nn.functional as F
from torch import Tensor, nn


@dataclass(frozen=True, slots=True)
class UpscalerConfig:
    """Sizes of the net: `pairs` residual pairs of 3x3 convolutions with `channels` channels, one head per scale."""

    channels: int = 48
    pairs: int = 4
    scales: tuple[int, ...] = (2, 3, 4)
    stride: int = 1
    """Of the body: 2 takes 2x2 px to one place, which sees twice as far at a quarter of the cost a pixel (Shi et al.
    2016, space-to-depth). Tiles must begin at multiples of it."""

    @property
    def receptive_field(self) -> int:
        """Pixels of context on each side that a result depends on, rounded up to a multiple of the stride."""
        return self.stride * (2 * self.pairs + 3)


class Pair(nn.Module):
    """x + conv(relu(conv(x))): plain ReLU chains never left the skip, residual pairs do."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(channels, channels, 3, padding=1)
        self.second = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.second(F.relu(self.first(x)))
        return x + y


class UpscalerNet(nn.Module):
    """(N, 1, H, W) float32 luminance in 0..1 -> (N, 1, H * scale, W * scale) float32, not clamped; any H, W.

    Sides that are no multiple of the stride are continued by their last row and column. Only the residual runs in the
    precision of the weights: the skip keeps every level of the page.
    """

    def __init__(self, config: UpscalerConfig) -> None:
        super().__init__()
        self.config = config
        block = config.stride**2
        self.stem = nn.Conv2d(block, config.channels, 3, padding=1)
        self.body = nn.Sequential(*(Pair(config.channels) for _ in range(config.pairs)))
        self.heads = nn.ModuleDict(
            {str(scale): nn.Conv2d(config.channels, block * scale**2, 3, padding=1) for scale in config.scales}
        )
        for head in self.heads.values():
            nn.init.zeros_(head.weight)  # type: ignore[arg-type]
            nn.init.zeros_(head.bias)  # type: ignore[arg-type]

    @property
    def multiple_of(self) -> int:
        """What tiles must begin at multiples of, and sides be padded to."""
        return self.config.stride

    def forward(self, x: Tensor, scale: int) -> Tensor:
        height, width, stride = x.shape[-2], x.shape[-1], self.config.stride
        skip = F.interpolate(x.float(), scale_factor=scale, mode="bicubic", align_corners=False)
        centred = x - 0.5
        if height % stride or width % stride:
            centred = F.pad(centred, (0, -width % stride, 0, -height % stride), mode="replicate")
        features = self.stem(F.pixel_unshuffle(centred.to(self.stem.weight.dtype), stride))
        detail = F.pixel_shuffle(self.heads[str(scale)](self.body(features)), scale * stride)
        return skip + detail[..., : height * scale, : width * scale].float()
