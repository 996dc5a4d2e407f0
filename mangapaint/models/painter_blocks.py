"""Parts of the painter: residual blocks without norms, attention over places, keys of a palette's colours."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import cast

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
    colours: int = 40
    """Heaviest colours of the palette that places vote for."""
    key_width: int = 64
    bank: int = 24
    descriptor: int = 0
    """Width of the descriptors by which places are looked up in a memory; 0 is a net without one."""
    kinds: int = 0
    """Kinds of coloured art whose typical palettes travel with the weights (see `kinds_of`)."""
    latent: int = 0
    """Numbers of noise that say what a palette does not: which thing gets which of its colours; 0 is a net without."""


class Residual(nn.Module):
    """x + gain * conv(silu(conv(silu(x)))): a learned gain instead of a norm, so that crops and pages behave alike."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(channels, channels, 3, padding=1)
        self.second = nn.Conv2d(channels, channels, 3, padding=1)
        self.gain = nn.Parameter(torch.full((1, channels, 1, 1), 0.3))
        self.folded = False

    def fold(self) -> None:
        """For use only: let the second convolution apply the gain, once and for all."""
        if not self.folded:
            with torch.no_grad():
                self.second.weight.mul_(self.gain.view(-1, 1, 1, 1))
                cast(Tensor, self.second.bias).mul_(self.gain.flatten())
                self.gain.fill_(1)
            self.folded = True

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.second(F.silu(self.first(F.silu(x))))
        return x + y if self.folded else x + self.gain * y


def four_at_once(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """A padded 3x3 convolution to at most four channels, two by two places as one of stride 2.

    oneDNN computes 16 channels at a time, so that it wastes most of its work on three.

    Args:
        x: (N, I, H, W), H and W even.
        weight: (O, I, 3, 3).
        bias: (O,).

    Returns:
        (N, O, H, W).
    """
    count, inputs = weight.shape[:2]
    wide = weight.new_zeros(count, 2, 2, inputs, 4, 4)
    for row in range(2):
        for column in range(2):
            wide[:, row, column, :, row : row + 3, column : column + 3] = weight
    together = F.conv2d(x, wide.flatten(0, 2), bias.repeat_interleave(4), stride=2, padding=1)
    return F.pixel_shuffle(together, 2)


def unshuffled(x: Tensor, side: int) -> Tensor:
    """As pixel_unshuffle, but channels last: (N, C, H, W) -> (N, C side**2, H / side, W / side)."""
    n, channels, height, width = x.shape
    squares = x.reshape(n, channels, height // side, side, width // side, side).permute(0, 2, 4, 1, 3, 5)
    return squares.flatten(3).permute(0, 3, 1, 2)


def pooled(parts: Iterable[Tensor]) -> Tensor:
    """Mean and deviation of (N, C, H, W) over the places, (N, 2 C) float32, those of all parts side by side."""
    found = [each.float().flatten(2) for each in parts]
    return torch.cat([part for each in found for part in (each.mean(2), each.std(2))], 1)


def unit(x: Tensor) -> Tensor:
    """(N, C, H, W) with the channels of each place at mean square 1: keeps levels in balance, blind to the crop."""
    if not torch.is_grad_enabled():
        places = x.permute(0, 2, 3, 1)
        return F.rms_norm(places, places.shape[3:], None, 1e-6).permute(0, 3, 1, 2)
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
        if x.is_cpu and not torch.is_grad_enabled():  # few places: two plain products take two thirds of the time
            found = torch.softmax(q * (sharpness / q.shape[-1] ** 0.5) @ k.transpose(2, 3), 3) @ v
        else:
            found = F.scaled_dot_product_attention(q * sharpness, k, v)
        mixed = found.transpose(1, 2).reshape(n, h * w, c)
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
