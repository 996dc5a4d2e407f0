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

    @property
    def receptive_field(self) -> int:
        """Pixels of context on each side that a result depends on (bicubic skip included)."""
        return 2 * self.pairs + 2 + 1


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

    Only the residual runs in the precision of the weights: the skip keeps every level of the page.
    """

    def __init__(self, config: UpscalerConfig) -> None:
        super().__init__()
        self.config = config
        self.stem = nn.Conv2d(1, config.channels, 3, padding=1)
        self.body = nn.Sequential(*(Pair(config.channels) for _ in range(config.pairs)))
        self.heads = nn.ModuleDict(
            {str(scale): nn.Conv2d(config.channels, scale * scale, 3, padding=1) for scale in config.scales}
        )
        for head in self.heads.values():
            nn.init.zeros_(head.weight)  # type: ignore[arg-type]
            nn.init.zeros_(head.bias)  # type: ignore[arg-type]

    def forward(self, x: Tensor, scale: int) -> Tensor:
        centred = (x - 0.5).to(self.stem.weight.dtype)
        detail = F.pixel_shuffle(self.heads[str(scale)](self.body(self.stem(centred))), scale)
        skip = F.interpolate(x.float(), scale_factor=scale, mode="bicubic", align_corners=False)
        return skip + detail.float()
