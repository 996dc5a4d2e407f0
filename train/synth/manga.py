"""Black-and-white twins of coloured pictures: gray scans, plain ink, ink with screentone. Batched torch, any device.

Tone says nothing about colour in most samples: it is drawn from a random hash of the colour, and most regions stay
blank, as hair and skin do in manga. Otherwise a net learns to map luminance to colour, which real manga breaks.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

LUMA = (0.299, 0.587, 0.114)


@dataclass(frozen=True, slots=True)
class MangaOptions:
    """Shares of the families; what is left is plain ink."""

    gray: float = 0.15
    toned: float = 0.45
    hashed: float = 0.8
    """Of the toned: tone by a hash of the colour instead of by luminance."""
    blank: float = 0.6
    """Of the area of toned pictures: left blank."""


def luminance(picture: Tensor) -> Tensor:
    """(N, 3, H, W) -> (N, 1, H, W), BT.601 weights."""
    return (picture * torch.tensor(LUMA, device=picture.device).view(1, 3, 1, 1)).sum(1, keepdim=True)


def closing(y: Tensor, side: int) -> Tensor:
    """Gray closing by a square of an odd side: dark things thinner than `side` vanish."""
    return -highest(-highest(y, side), side)


def highest(y: Tensor, side: int) -> Tensor:
    """Largest value in the square around each place; windows grow by doubling, rows then columns."""
    half = side // 2
    y = F.pad(y, (half, half, half, half), value=-math.inf)
    for axis in (2, 3):
        reach = 1
        while reach < side:
            step = min(reach, side - reach)
            size = y.shape[axis] - step
            y = torch.maximum(y.narrow(axis, 0, size), y.narrow(axis, step, size))
            reach += step
    return y


def ink_ratio(y: Tensor, side: int = 7) -> Tensor:
    """Ink as the share of light that the drawn lines let through, by division by a closing; 1 where there is none."""
    return ((y + 0.02) / (closing(y, side) + 0.02)).clamp(0, 1)


def blur(x: Tensor, sigma: float) -> Tensor:
    """Gaussian, separable, replicated borders."""
    radius = max(1, round(2.5 * sigma))
    t = torch.arange(-radius, radius + 1, device=x.device, dtype=torch.float32)
    kernel = torch.exp(-t * t / (2 * sigma**2))
    kernel = (kernel / kernel.sum()).repeat(x.shape[1], 1, 1, 1)
    x = F.conv2d(F.pad(x, (radius, radius, 0, 0), mode="replicate"), kernel, groups=x.shape[1])
    return F.conv2d(F.pad(x, (0, 0, radius, radius), mode="replicate"), kernel.transpose(2, 3), groups=x.shape[1])


def drawn(y: Tensor, rng: np.random.Generator) -> Tensor:
    """(N, 1, H, W) luminance -> pen drawing of it, 0 ink .. 1 paper, by one of three line extractors."""
    kind = rng.random()
    if kind < 0.55:
        ratio = ink_ratio(y, int(rng.choice([3, 5, 7, 7])))
        ink = ((ratio - rng.uniform(0.5, 0.85)) / rng.uniform(0.08, 0.35)).clamp(0, 1)
    elif kind < 0.8:
        # Difference of Gaussians under a soft threshold, after XDoG (Winnemoeller et al. 2012)
        sigma = rng.uniform(0.5, 1.1)
        difference = blur(y, sigma) - blur(y, 1.6 * sigma)
        ink = 1 + torch.tanh(rng.uniform(60, 250) * (difference + rng.uniform(0.002, 0.012)).clamp_max(0))
    else:
        local = blur(y, rng.uniform(1.0, 2.0))
        ink = ((y - local) * rng.uniform(15, 60) + rng.uniform(1.0, 2.0)).clamp(0, 1)
    if rng.random() < 0.3:
        ink = -F.max_pool2d(-ink, 3, 1, 1)
    return ink


def hashed(colour: Tensor, rng: np.random.Generator) -> Tensor:
    """(N, 3, H, W) -> (N, 1, H, W) in -1..1: random, but the same for the same colour of one picture."""
    n = len(colour)
    direction = torch.from_numpy(rng.uniform(-2, 2, (n, 3, 1, 1)).astype(np.float32)).to(colour.device)
    start = torch.from_numpy(rng.random((n, 1, 1, 1), np.float32)).to(colour.device)
    return torch.sin(2 * math.pi * ((colour * direction).sum(1, keepdim=True) + start))


def screens(cover: Tensor, rng: np.random.Generator) -> Tensor:
    """(N, 1, H, W) share of black 0..1 -> screentone of a random period, angle and kind for each picture."""
    n, _, height, width = cover.shape
    device = cover.device

    def each(values: np.ndarray) -> Tensor:
        return torch.from_numpy(values.astype(np.float32)).to(device).view(n, 1, 1, 1)

    rows = torch.arange(height, device=device).float().view(1, 1, -1, 1)
    columns = torch.arange(width, device=device).float().view(1, 1, 1, -1)
    period = each(np.exp(rng.uniform(np.log(2.2), np.log(7), n))) / (2 * math.pi)
    angle = each(np.where(rng.random(n) < 0.7, math.pi / 4, rng.uniform(0, math.pi, n)))
    u = (columns * angle.cos() + rows * angle.sin()) / period
    v = (rows * angle.cos() - columns * angle.sin()) / period
    dots, lines = 0.5 - 0.25 * (u.cos() + v.cos()), 0.5 - 0.5 * u.cos()
    wave = torch.where(each(rng.random(n)) < 0.85, dots, lines)
    tone = ((wave - cover) * each(rng.uniform(2, 6, n)) + 0.5).clamp(0, 1)
    tone = torch.where(each(rng.random(n)) < 0.3, 1 - 0.75 * cover, tone)
    return torch.where(cover <= 0, 1.0, torch.where(cover >= 1, 0.0, tone))


def manga_like(picture: Tensor, options: MangaOptions, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
    """Draw coloured pictures in black and white.

    Args:
        picture: (N, 3, H, W) sRGB in 0..1.
        options: shares of the families.
        rng: decides everything.

    Returns:
        page (N, 1, H, W) in 0..1, and (N,) bool: the page is the picture's true luminance (gray family).
    """
    n = len(picture)
    y = luminance(picture)
    ink = drawn(y, rng)
    smooth = blur(closing(y, 5), rng.uniform(1, 2.5))
    colour = blur(picture, 2.0)
    pick = torch.from_numpy(rng.random((n, 4)).astype(np.float32)).to(picture.device)[:, :, None, None, None].unbind(1)
    shade = torch.where(pick[0] < options.hashed, 0.5 + 0.5 * hashed(colour, rng), smooth)
    cut = np.sort(rng.uniform(0.15, 0.8, 3))
    level = torch.where(shade > cut[2], 0.0, torch.where(shade > cut[1], 0.2, torch.where(shade > cut[0], 0.4, 0.65)))
    edge = math.cos(math.pi * options.blank)
    level = torch.where(hashed(colour, rng) > edge, 0.0, level)
    black = (smooth < rng.uniform(0.05, 0.16)).float() * (pick[1] < 0.75)
    toned = torch.minimum(ink, screens(torch.maximum(level, black), rng))
    plain = torch.minimum(ink, 1 - black * (pick[2] < 0.4))
    family = pick[3]
    is_gray = (family < options.gray).flatten()
    page = torch.where(family < options.gray, y, torch.where(family < options.gray + options.toned, toned, plain))
    return scanned(page, rng), is_gray


def scanned(page: Tensor, rng: np.random.Generator) -> Tensor:
    """Soft focus, faded black and paper, noise."""
    if rng.random() < 0.5:
        page = blur(page, rng.uniform(0.3, 0.8))
    if rng.random() < 0.3:
        page = page * rng.uniform(0.85, 1) + rng.uniform(0, 0.06)
    noise = torch.from_numpy(rng.normal(0, 1, page.shape).astype(np.float32)).to(page.device)
    return (page + noise * rng.uniform(0, 0.03)).clamp(0, 1)
