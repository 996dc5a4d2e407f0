"""The face detector: a page in, a heat map of faces' centres and their boxes out (after Zhou et al. 2019).

One head at stride 8 tells each place whether it is the centre of a face, and how large that face would be.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

STRIDE = 8
"""Pixels of the page per place of the maps."""
USUAL = 64.0
"""Side, px, of the face that a fresh net guesses; sizes are told as logarithms of shares of it."""
RARE = -4.0
"""Logit of the heat that a fresh net gives everywhere: few places are faces."""


@dataclass(frozen=True, slots=True)
class FacesConfig:
    """Sizes: channels and residual blocks at strides 4, 8, 16 and 32."""

    channels: tuple[int, ...] = (32, 48, 72, 64)
    blocks: tuple[int, ...] = (1, 2, 2, 1)


class Residual(nn.Module):
    """x + conv(relu(norm(conv(relu(norm(x)))))); batch norms, so that training crops and whole pages count alike."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norms = nn.ModuleList(nn.BatchNorm2d(channels) for _ in range(2))
        self.convs = nn.ModuleList(nn.Conv2d(channels, channels, 3, padding=1, bias=False) for _ in range(2))

    def forward(self, x: Tensor) -> Tensor:
        y = x
        for norm, conv in zip(self.norms, self.convs, strict=True):
            y = conv(F.relu(norm(y)))
        return x + y


class FacesNet(nn.Module):
    """(N, 1, H, W) gray in 0..1, H and W multiples of 32 -> (N, 5, H / 8, W / 8).

    The channels: logit of the heat; x and y from the middle of the place to the middle of the face, in places; and the
    logarithms of width and height over USUAL.
    """

    task = "detect"
    multiple_of = 32

    def __init__(self, config: FacesConfig) -> None:
        super().__init__()
        self.config = config
        first, *rest = config.channels
        self.stem = nn.Conv2d(16, first, 3, padding=1)
        self.levels = nn.ModuleList(
            nn.Sequential(*(Residual(width) for _ in range(count)))
            for width, count in zip(config.channels, config.blocks, strict=True)
        )
        self.down = nn.ModuleList(
            nn.Conv2d(wide, narrow, 3, stride=2, padding=1)
            for wide, narrow in zip(config.channels[:-1], rest, strict=True)
        )
        self.up = nn.ModuleList(
            nn.Conv2d(below, above, 1) for above, below in zip(config.channels[1:-1], config.channels[2:], strict=True)
        )
        self.last = Residual(config.channels[1])
        self.head = nn.Conv2d(config.channels[1], 5, 1)
        nn.init.normal_(self.head.weight, std=0.01)
        with torch.no_grad():
            self.head.bias.copy_(torch.tensor([RARE, 0, 0, 0, 0]))  # type: ignore[union-attr]

    def forward(self, page: Tensor) -> Tensor:
        ink = (1 - page).to(self.stem.weight.dtype)  # paper, and what is beyond the page, is 0
        x = self.levels[0](self.stem(F.pixel_unshuffle(ink, 4)))
        seen = []
        for down, level in zip(self.down, list(self.levels)[1:], strict=True):
            x = level(down(x))
            seen.append(x)
        x = seen.pop()
        for up in reversed(list(self.up)):
            x = seen.pop() + F.interpolate(up(x), scale_factor=2, mode="nearest")
        maps: Tensor = self.head(F.relu(self.last(x)))
        return maps.float()
