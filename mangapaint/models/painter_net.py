"""The painter: gray page, hints and a palette in, a colour layer at half resolution out."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

PALETTE = 6**3
"""Cells of a palette: a 6x6x6 histogram of sRGB (paint.palette)."""


@dataclass(frozen=True, slots=True)
class PainterConfig:
    """Sizes: channels and residual blocks at strides 4, 8, 16 and 32; `bank` palettes travel with the weights."""

    channels: tuple[int, ...] = (48, 96, 160, 256)
    blocks: tuple[int, ...] = (1, 2, 2, 3)
    embedding: int = 256
    heads: int = 4
    bank: int = 24


class Residual(nn.Module):
    """x + gain * conv(silu(conv(silu(x)))): a learned gain instead of a norm, so that crops and pages behave alike."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(channels, channels, 3, padding=1)
        self.second = nn.Conv2d(channels, channels, 3, padding=1)
        self.gain = nn.Parameter(torch.full((1, channels, 1, 1), 0.3))

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.second(F.silu(self.first(F.silu(x))))
        return x + self.gain * y


class SelfAttention(nn.Module):
    """Attention over all places, normed per place; logits grow with log(places), so a page is as sharp as a crop.

    The growth is the scalable softmax of Nakanishi (2025).
    """

    def __init__(self, channels: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm = nn.LayerNorm(channels)
        self.qkv = nn.Linear(channels, 3 * channels)
        self.out = nn.Linear(channels, channels)

    def forward(self, x: Tensor) -> Tensor:
        n, c, h, w = x.shape
        places = x.flatten(2).transpose(1, 2)
        q, k, v = self.qkv(self.norm(places)).reshape(n, h * w, 3, self.heads, c // self.heads).permute(2, 0, 3, 1, 4)
        sharpness = math.log(max(2, h * w)) / math.log(64)
        mixed = F.scaled_dot_product_attention(q * sharpness, k, v).transpose(1, 2).reshape(n, h * w, c)
        y: Tensor = self.out(mixed).transpose(1, 2).reshape(n, c, h, w)
        return x + y


class PainterNet(nn.Module):
    """Pixel-unshuffle by 4, a residual U-Net at strides 4-32 with attention at the bottom, FiLM by the palette.

    FiLM: Perez et al. 2018. Inputs of `forward`:
        page: (N, 1, H, W) luminance in 0..1, H and W multiples of 32.
        hints: (N, 4, H, W): sRGB in 0..1 times mask, and the mask (1 where an artist gave a colour).
        palette: (N, 216), zeros when none is given.
    Output: (N, 5, H / 2, W / 2) float32: paint sRGB in 0..1, then ab of CIE Lab / 110 in about -1..1.
    """

    def __init__(self, config: PainterConfig) -> None:
        super().__init__()
        self.config = config
        c, blocks = config.channels, config.blocks
        self.stem = nn.Conv2d(5 * 16, c[0], 3, padding=1)
        self.encoder = nn.ModuleList(
            nn.Sequential(*(Residual(k) for _ in range(n))) for k, n in zip(c, blocks, strict=True)
        )
        self.down = nn.ModuleList(nn.Conv2d(c[i], c[i + 1], 2, stride=2) for i in range(3))
        self.bottom = nn.Sequential(
            SelfAttention(c[3], config.heads), Residual(c[3]), SelfAttention(c[3], config.heads), Residual(c[3])
        )
        self.up = nn.ModuleList(nn.Conv2d(c[i + 1], c[i] * 4, 1) for i in range(3))
        self.merge = nn.ModuleList(nn.Conv2d(2 * c[i], c[i], 1) for i in range(3))
        self.decoder = nn.ModuleList(nn.Sequential(*(Residual(c[i]) for _ in range(blocks[i]))) for i in range(3))
        e = config.embedding
        self.embed = nn.Sequential(nn.Linear(PALETTE, e), nn.SiLU(), nn.Linear(e, e), nn.SiLU())
        self.film = nn.ModuleList(nn.Linear(e, 2 * k) for k in c)
        for layer in self.film:
            nn.init.zeros_(layer.weight)  # type: ignore[arg-type]
            nn.init.zeros_(layer.bias)  # type: ignore[arg-type]
        self.head = nn.Sequential(
            nn.SiLU(), nn.Conv2d(c[0], 128, 3, padding=1), nn.PixelShuffle(2), nn.SiLU(), nn.Conv2d(32, 5, 3, padding=1)
        )
        self.register_buffer("bank", torch.zeros(config.bank, PALETTE))

    def modulated(self, level: int, x: Tensor, embedding: Tensor) -> Tensor:
        scale, shift = self.film[level](embedding)[:, :, None, None].chunk(2, 1)
        y: Tensor = x * (1 + scale) + shift
        return y

    def forward(self, page: Tensor, hints: Tensor, palette: Tensor) -> Tensor:
        embedding = self.embed(palette)
        x = self.stem(F.pixel_unshuffle(torch.cat([page, hints], 1), 4))
        skips = []
        for level in range(4):
            x = self.encoder[level](x)
            if level < 3:
                skips.append(x)
                x = self.down[level](x)
        x = self.bottom(self.modulated(3, x, embedding))
        for level in (2, 1, 0):
            x = self.merge[level](torch.cat([F.pixel_shuffle(self.up[level](x), 2), skips[level]], 1))
            x = self.decoder[level](self.modulated(level, x, embedding))
        y = self.head(x).float()
        return torch.cat([torch.sigmoid(y[:, :3]), torch.tanh(y[:, 3:])], 1)
