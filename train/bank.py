"""The bank of palettes that travels with the painter: rich, far apart, for chapters that bring no colour."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from mangapaint.models.lab import rgb_to_lab
from mangapaint.models.painter_net import TEMPERATURE, PainterNet
from mangapaint.paint.palette import palette_of
from train.corpus import Corpus
from train.synth.manga import MangaOptions, manga_like

CANDIDATES = 1500
DRAWN = 160
"""Side of the drawings that palettes are ranked on, px."""
TOGETHER = 6
"""Pictures that make one palette: a chapter has several characters and places."""
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
    """The bank in the order of use: of the half that paints plain ink in the most colours, the most natural first.

    Natural is what comes nearest to the true colours of drawings that the palette was not made for (mean distance in
    a*, b*): skin like skin, sky like sky.
    """
    rng = np.random.default_rng(seed)
    source = Corpus(corpus, sets)
    tiles = [cv2.resize(source.draw(rng)[1], (DRAWN, DRAWN), interpolation=cv2.INTER_AREA) for _ in range(16)]
    pictures = torch.from_numpy(np.stack(tiles)).permute(0, 3, 1, 2).float() / 255
    page, _ = manga_like(pictures, MangaOptions(gray=0, toned=0), rng)
    hints = torch.zeros(len(page), 4, DRAWN, DRAWN)
    truth = rgb_to_lab(F.avg_pool2d(pictures, 2))[:, 1:]
    rich, far = [], []
    with torch.inference_mode():
        for palette in bank:
            paint = net(page, hints, palette[None].expand(len(page), -1), TEMPERATURE)[0][:, :3]
            rich.append(float(np.mean([richness(one[None]) for one in paint])))
            far.append(float((rgb_to_lab(paint)[:, 1:] - truth).square().sum(1).sqrt().mean()))
    dull = np.array(rich) < np.median(rich)
    return bank[torch.from_numpy(np.lexsort((np.array(far), dull)))]


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
