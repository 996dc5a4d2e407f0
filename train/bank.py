"""The bank of palettes that travels with the painter: rich, far apart, for chapters that bring no colour."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from mangapaint.layout.regions import regions
from mangapaint.models.lab import rgb_to_lab
from mangapaint.models.painter_net import PainterNet
from mangapaint.models.painting import Guide
from mangapaint.paint.palette import palette_of
from train.corpus import Corpus
from train.synth.manga import MangaOptions, manga_like

CANDIDATES = 1500
DRAWN = 160
"""Side of the drawings that palettes are ranked on, px."""
TOGETHER = 6
"""Pictures that make one palette: a chapter has several characters and places."""
REAL = "manga_bw"
"""Set of real black-and-white pages."""
REAL_PAGES = 4
REAL_WIDTH = 576
"""Width at which they are painted, px."""
RICHEST = 0.3
"""Share of the candidates, by richness of colour, among which palettes far apart are picked."""


def richness(picture: Tensor) -> float:
    """How many hues live in (1, 3, H, W), times their mean chroma (L*a*b*); 12 hue bins weighted by chroma."""
    lab = rgb_to_lab(picture)
    chroma = torch.hypot(lab[:, 1], lab[:, 2]).flatten()
    hue = torch.atan2(lab[:, 2], lab[:, 1]).flatten()
    share = torch.histc(hue[chroma > 8], 12, -torch.pi, torch.pi)
    share = share[share > 0] / share.sum().clamp_min(1)
    return float(torch.exp(-(share * share.log()).sum()) * chroma.mean().clamp_max(40))


def ranked(net: PainterNet, bank: Tensor, corpus: Path, sets: dict[str, float], seed: int) -> Tensor:
    """The bank in the order of use: of the half that paints most naturally, the richest in colours first.

    Natural is what comes nearest to the true colours of drawings that the palette was not made for (mean distance in
    a*, b*): skin like skin, sky like sky. Colours are counted on real black-and-white pages where the corpus has
    them, else on those drawings.
    """
    rng = np.random.default_rng(seed)
    source = Corpus(corpus, sets)
    tiles = [cv2.resize(source.draw(rng)[1], (DRAWN, DRAWN), interpolation=cv2.INTER_AREA) for _ in range(16)]
    pictures = torch.from_numpy(np.stack(tiles)).permute(0, 3, 1, 2).float() / 255
    page, _ = manga_like(pictures, MangaOptions(gray=0, toned=0), rng)
    truth = rgb_to_lab(F.avg_pool2d(pictures, 2))[:, 1:]
    real = real_pages(corpus, rng)
    drawings = [page[i : i + 1] for i in range(len(page))]
    rich, far = [], []
    with torch.inference_mode():
        for palette in bank:
            paint = painted(net, page, palette)
            rich.append(float(np.mean([richness(painted(net, each, palette)) for each in real or drawings])))
            far.append(float((rgb_to_lab(paint)[:, 1:] - truth).square().sum(1).sqrt().mean()))
    strange = np.array(far) > np.median(far)
    return bank[torch.from_numpy(np.lexsort((-np.array(rich), strange)))]


def painted(net: PainterNet, page: Tensor, palette: Tensor) -> Tensor:
    """(N, 3, H / 2, W / 2) paint of (N, 1, H, W) pages under one palette, region by region."""
    labels = [regions(cv2.resize(each[0].mul(255).byte().numpy(), None, fx=0.5, fy=0.5)) for each in page]
    hints = torch.zeros(len(page), 4, *page.shape[2:])
    guide = Guide(palette[None].expand(len(page), -1), torch.from_numpy(np.stack(labels).astype(np.int64)))
    return net.paints(page, hints, guide)[:, :3]


def real_pages(corpus: Path, rng: np.random.Generator) -> list[Tensor]:
    """(1, 1, H, W) in 0..1: a few real black-and-white pages of the corpus; none where it has no such set."""
    try:
        source = Corpus(corpus, {REAL: 1.0})
    except ValueError:
        return []
    found = []
    for _ in range(REAL_PAGES):
        picture = source.draw(rng)[1]
        scale = REAL_WIDTH / picture.shape[1]
        height = min(round(picture.shape[0] * scale), REAL_WIDTH * 3 // 2) // 32 * 32
        whole = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        gray = cv2.cvtColor(np.ascontiguousarray(whole[:height, :REAL_WIDTH]), cv2.COLOR_RGB2GRAY)
        found.append(torch.from_numpy(gray)[None, None].float() / 255)
    return found


def palettes(corpus: Path, sets: dict[str, float], count: int, seed: int) -> Tensor:
    """(count, 216) palettes, the richest first."""
    rng = np.random.default_rng(seed)
    source = Corpus(corpus, sets)
    found, scores = [], []
    for _ in range(CANDIDATES):
        tiles = [cv2.resize(source.draw(rng)[1], (64, 64), interpolation=cv2.INTER_AREA) for _ in range(TOGETHER)]
        picture = torch.from_numpy(np.concatenate(tiles)).permute(2, 0, 1)[None].float() / 255
        found.append(palette_of(picture))
        scores.append(richness(picture))
    order = np.argsort(scores)[::-1][: max(count, int(RICHEST * CANDIDATES))]
    rich = torch.cat([found[i] for i in order])
    picked = [0]
    while len(picked) < count:
        picked.append(int(torch.cdist(rich, rich[picked]).amin(1).argmax()))
    return rich[picked]
