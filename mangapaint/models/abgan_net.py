"""A U-Net from L* and noise to a*, b*: the generator of `dcgan` and `wgan-gp` (Radford 2016, Gulrajani 2017)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mangapaint.models.bilateral import joint_upsample
from mangapaint.models.labpaint import layer, lightness
from mangapaint.models.painting import Guide
from mangapaint.models.unet import BatchNorm

STRIDE = 2
"""Of the colours that the net makes: finer ones than L* has edges for are not seen."""
SEEN = 112
"""Longest side that the net looks at, px: about the size of the faces that it was trained on."""


@dataclass(frozen=True, slots=True)
class AbGanConfig:
    """Channels at strides 2, 4, 8, 16 and 32 of the page, how many numbers the noise has and how wide its style is."""

    widths: tuple[int, ...] = (24, 40, 64, 80, 80)
    latent: int = 16
    style: int = 48


class Styled(nn.Module):
    """Nearest doubling (but at the bottom), 3x3 convolution, BatchNorm, then scale and shift by the style; ReLU."""

    def __init__(self, inner: int, outer: int, style: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inner, outer, 3, 1, 1, bias=False)
        self.norm = BatchNorm(outer)
        self.film = nn.Linear(style, 2 * outer)

    def forward(self, x: Tensor, style: Tensor) -> Tensor:
        scale, shift = self.film(style)[:, :, None, None].chunk(2, 1)
        return F.relu(self.norm(self.conv(x)) * (1 + scale) + shift)


class AbGanNet(nn.Module):
    """(N, 1, H, W) L* in 0..100 and (N, latent) noise -> (N, 2, H / 2, W / 2) ab / 110 in -1..1.

    H and W are multiples of 32. Encoder: a 3x3 convolution of the 2x2 places of stride 2, then 4x4 convolutions of
    stride 2, BatchNorm, LeakyReLU(.2), as in DCGAN. The noise stands beside the bottom and modulates every level of the
    decoder (FiLM), else a U-Net whose skips tell it everything learns to leave noise out.
    """

    multiple_of = 32
    long_side = 256
    vivid = 1.0
    lift = 0.0

    def __init__(self, config: AbGanConfig) -> None:
        super().__init__()
        if len(config.widths) != 5:
            raise ValueError(f"widths must be five, not {len(config.widths)}")
        self.config = config
        self.latent_size = config.latent
        widths = config.widths
        self.mapping = nn.Sequential(nn.Linear(config.latent, config.style), nn.LeakyReLU(0.2))
        self.first = nn.Conv2d(STRIDE**2, widths[0], 3, 1, 1)
        self.encoder = nn.ModuleList(
            nn.Sequential(nn.LeakyReLU(0.2), nn.Conv2d(inner, outer, 4, 2, 1, bias=False), BatchNorm(outer))
            for inner, outer in zip(widths, widths[1:], strict=False)
        )
        self.bottom = Styled(widths[-1] + config.latent, widths[-1], config.style)
        self.decoder = nn.ModuleList(
            Styled(inner + skipped, outer, config.style)
            for inner, skipped, outer in zip(widths[:0:-1], widths[-2::-1], widths[-2::-1], strict=True)
        )
        self.last = nn.Conv2d(widths[0], 2, 3, 1, 1)
        for part in self.modules():
            if isinstance(part, nn.Conv2d):
                nn.init.normal_(part.weight, 0.0, 0.02)

    def forward(self, light: Tensor, latent: Tensor) -> Tensor:
        x = F.pixel_unshuffle((light - 50) / 50, STRIDE).to(self.first.weight.dtype)
        latent = latent.to(x.dtype)
        style = self.mapping(latent)
        x = self.first(x)
        skips = [x]
        for level in self.encoder:
            x = level(x)
            skips.append(x)
        noise = latent[:, :, None, None].expand(-1, -1, *x.shape[-2:])
        x = self.bottom(torch.cat([F.leaky_relu(skips.pop(), 0.2), noise], 1), style)
        for level in self.decoder:
            x = level(torch.cat([F.interpolate(x, scale_factor=2.0), skips.pop()], 1), style)
        return torch.tanh(self.last(x).float())

    def paints(self, page: Tensor, hints: Tensor, guide: Guide) -> Tensor:
        """See `PaintingNet`; hints and palette do not matter to this net, `guide.latent` or `guide.seed` do."""
        page = page.float()
        latent = guide.latent
        if latent is None:
            latent = drawn(len(page), self.latent_size, guide.seed)
        height, width = page.shape[-2:]
        guides = [page]
        while max(guides[-1].shape[-2:]) > 1.5 * SEEN:
            guides.append(F.avg_pool2d(guides[-1], 2))
        small = guides[-1]
        margin = (0, -small.shape[-1] % self.multiple_of, 0, -small.shape[-2] % self.multiple_of)
        ab = self(lightness(F.pad(small, margin, mode="replicate")), latent.to(page.device)) * 110
        ab = ab[..., : small.shape[-2] // STRIDE, : small.shape[-1] // STRIDE]
        for finer in reversed(guides[1:]):
            ab = joint_upsample(ab, finer)
        return layer(ab, guide.regions)


def drawn(count: int, size: int, seed: int) -> Tensor:
    """(1, size) standard normal noise for all of `count` pages: the pages of a chapter share their colours."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(1, size, generator=generator).expand(count, -1)
