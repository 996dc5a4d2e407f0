"""The paper net: a page in, for each place how surely it stays paper white: margins, gutters, bubbles, captions.

What is enclosed by lines can be measured; a sleeve whose outline has a gap cannot, nor a sky that runs off the page.
A small U-Net that sees the page as a whole tells them from margins (Ronneberger et al. 2015).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch.nn.functional as F
from torch import Tensor, nn

from mangapaint.models.faces_net import Residual

STRIDE = 4
"""Pixels of the page per place of the result."""


@dataclass(frozen=True, slots=True)
class PaperConfig:
    """Sizes: channels and residual blocks at strides 4, 8, 16, 32 and 64."""

    channels: tuple[int, ...] = (16, 24, 40, 56, 64)
    blocks: tuple[int, ...] = (1, 1, 1, 2, 2)


class PaperNet(nn.Module):
    """(N, 1, H, W) gray in 0..1, H and W multiples of 64 -> (N, 1, H / 4, W / 4) logit of paper."""

    task = "segment"
    long_side = 704
    multiple_of = 64

    def __init__(self, config: PaperConfig) -> None:
        super().__init__()
        self.config = config
        widths = config.channels
        self.stem = nn.Conv2d(STRIDE**2, widths[0], 3, padding=1)
        self.levels = nn.ModuleList(
            nn.Sequential(*(Residual(width) for _ in range(count)))
            for width, count in zip(widths, config.blocks, strict=True)
        )
        steps = list(zip(widths[:-1], widths[1:], strict=True))
        self.down = nn.ModuleList(nn.Conv2d(fine, coarse, 3, stride=2, padding=1) for fine, coarse in steps)
        self.up = nn.ModuleList(nn.Conv2d(coarse, fine, 1) for fine, coarse in steps)
        self.back = nn.ModuleList(Residual(fine) for fine, _ in steps)
        self.head = nn.Conv2d(widths[0], 1, 1)

    def forward(self, page: Tensor) -> Tensor:
        ink = (1 - page).to(self.stem.weight.dtype)  # paper, and what is beyond the page, is 0
        x = self.levels[0](self.stem(F.pixel_unshuffle(ink, STRIDE)))
        seen = []
        for down, level in zip(self.down, list(self.levels)[1:], strict=True):
            seen.append(x)
            x = level(down(x))
        for up, back in reversed(list(zip(self.up, self.back, strict=True))):
            x = back(seen.pop() + F.interpolate(up(x), scale_factor=2, mode="bilinear", align_corners=False))
        logit: Tensor = self.head(F.relu(x))
        return logit.float()
