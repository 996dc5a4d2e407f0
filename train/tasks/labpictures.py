"""Pictures for nets that turn a page's L* into a*, b*: crops, made pages, and black-and-white twins of both."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from mangapaint.models.lab import lab_to_rgb, rgb_to_lab
from mangapaint.models.labpaint import lightness
from mangapaint.models.painting import Guide, PaintingNet
from train.corpus import Corpus, Picture, resized
from train.loop import Batch
from train.synth import pages
from train.synth.manga import MangaOptions, luminance, manga_like
from train.tasks.common import autocast

SOFT = 0.7
"""Pictures smaller than this share of the crop would be blurred; another is drawn."""
SHOWN = 10
"""Columns of a sheet; the first half is gray."""


@dataclass(frozen=True, slots=True)
class LabOptions:
    """What is shown; the papers' own recipes have neither ink nor pages."""

    sides: tuple[int, ...] = (128,)
    """Sides of the square batches; the batch size is for the first, larger ones take fewer."""
    closest: float = 0.55
    """Smallest share of a picture's side that a crop shows."""
    ink: float = 0.35
    """Share drawn in ink instead of gray: our addition, so that manga gets some colour."""
    toned: float = 0.5
    """Of the drawn: with screentone."""
    pages: float = 0.25
    """Share of made pages among pictures: our addition, so that panels and bubbles are known."""


class LabPictures:
    """Batches and sheets of a corpus."""

    def __init__(self, corpus: Path, sets: Mapping[str, float], options: LabOptions) -> None:
        self.corpus = Corpus(corpus, dict(sets))
        self.options = options
        inked = options.ink
        self.manga = MangaOptions(gray=1 - inked, toned=inked * options.toned)

    def piece(self, height: int, width: int, rng: np.random.Generator) -> Picture:
        """(height, width, 3) crop of one picture that shows most of it, mirrored half the time."""
        for _ in range(5):
            picture = self.corpus.draw(rng)[1]
            tall, wide = picture.shape[:2]
            if min(tall / height, wide / width) > SOFT:
                break
        span = rng.uniform(self.options.closest, 1.0) * min(tall / height, wide / width)
        if min(tall, wide) > 700:  # whole comic pages: figures are small on them already
            span = min(rng.uniform(1.0, 2.4), tall / height, wide / width)
        rows, columns = max(8, int(height * span)), max(8, int(width * span))
        y, x = int(rng.integers(0, tall - rows + 1)), int(rng.integers(0, wide - columns + 1))
        crop = resized(picture[y : y + rows, x : x + columns], height, width)
        return crop[:, ::-1] if rng.random() < 0.5 else crop

    def colours(self, size: int, side: int, rng: np.random.Generator) -> Tensor:
        """(size, 3, side, side) sRGB in 0..1."""
        colour = np.empty((size, side, side, 3), np.uint8)
        for i in range(size):
            if rng.random() < self.options.pages:
                colour[i] = pages.page(side, lambda h, w: self.piece(h, w, rng), rng)[0]
            else:
                colour[i] = self.piece(side, side, rng)
        return torch.from_numpy(colour).permute(0, 3, 1, 2).float() / 255

    @torch.no_grad()
    def batch(self, rng: np.random.Generator, size: int) -> Batch:
        """Page "light" (N, 1, H, W) L* in 0..100, and the picture "lab" (N, 3, H, W)."""
        sides = self.options.sides
        side = int(rng.choice(sides))
        picture = self.colours(max(2, round(size * (sides[0] / side) ** 2)), side, rng)
        page = luminance(picture)
        if self.options.ink:
            page, is_gray = manga_like(picture, self.manga, rng)
            page = torch.where(is_gray.view(-1, 1, 1, 1), luminance(picture), page)
        return {"light": lightness(page), "lab": rgb_to_lab(picture)}

    def sheet(self, net: PaintingNet, device: torch.device, side: int = 256) -> NDArray[np.uint8]:
        """(3 H, SHOWN W, 3): page, ours, truth; half of the pages are gray, the others drawn."""
        rng = np.random.default_rng(5)
        picture = self.colours(SHOWN, side, rng)
        gray = torch.arange(SHOWN) < (SHOWN // 2 if self.options.ink else SHOWN)
        drawn = manga_like(picture, MangaOptions(gray=0.0, toned=0.5), rng)[0]
        page = torch.where(gray.view(-1, 1, 1, 1), luminance(picture), drawn)
        with torch.inference_mode(), autocast(device):
            hints = torch.zeros(SHOWN, 4, side, side, device=device)
            output = net.paints(page.to(device), hints, Guide(torch.zeros(SHOWN, 0))).cpu()
        rows = [page.expand(-1, 3, -1, -1), composed(output, page, gray), picture]
        whole = torch.cat([torch.cat(list(row), 2) for row in rows], 1)
        return (whole.permute(1, 2, 0).clamp(0, 1) * 255).round().byte().numpy()


def composed(output: Tensor, page: Tensor, is_gray: Tensor) -> Tensor:
    """(N, 5, H/2, W/2) of a net and its page -> (N, 3, H, W), plainly: L* and ab, or paint times page."""
    full = F.interpolate(output, size=page.shape[-2:], mode="bilinear", align_corners=False)
    kept = lab_to_rgb(torch.cat([lightness(page), full[:, 3:] * 110], 1))
    return torch.where(is_gray.view(-1, 1, 1, 1), kept, full[:, :3] * page)


def chroma_ratio(ab: Tensor, truth: Tensor) -> float:
    """Mean C*ab over that of the truth, both (N, 2, h, w): well under 1 is sepia."""
    return float(ab.norm(dim=1).mean() / truth.norm(dim=1).mean().clamp_min(1e-3))
