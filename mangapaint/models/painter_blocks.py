"""Parts of the painter: residual blocks without norms, attention over places, keys of a palette's colours."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

PALETTE = 6**3
"""Cells of a palette: a 6x6x6 histogram of sRGB (paint.palette)."""


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


def unit(x: Tensor) -> Tensor:
    """(N, C, H, W) with the channels of each place at mean square 1: keeps levels in balance, blind to the crop."""
    return x * torch.rsqrt(x.float().square().mean(1, keepdim=True) + 1e-6).to(x.dtype)


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


class PaletteKeys(nn.Module):
    """A palette's heaviest colours as keys that know of each other: what is hair depends on what else there is."""

    def __init__(self, colours: int, width: int) -> None:
        super().__init__()
        self.colours = colours
        self.identity = nn.Parameter(torch.randn(PALETTE, width) * 0.1)
        self.describe = nn.Sequential(nn.Linear(4, width), nn.SiLU(), nn.Linear(width, width))
        layer = nn.TransformerEncoderLayer(width, 2, 2 * width, 0.0, batch_first=True, norm_first=True)
        self.mix = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)

    def forward(self, palette: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """(N, 216) -> cells (N, K) int64, their sRGB (N, K, 3), keys (N, K, width), (N, K) bool: in the palette."""
        weight, cells = palette.topk(self.colours, dim=1)
        colour = torch.stack([cells // 36, cells // 6 % 6, cells % 6], 2).to(palette.dtype) / 5
        tokens = self.describe(torch.cat([colour, weight[..., None]], 2)) + self.identity[cells]
        return cells, colour, self.mix(tokens), weight > 1e-3
