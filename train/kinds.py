"""Which kind of coloured art a page is of, or manga: a linear reading of what the trained painter finds on it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from mangapaint.models.painter_blocks import pooled
from mangapaint.models.painter_net import PainterNet
from train.corpus import Corpus, Picture, manifest
from train.synth.manga import MangaOptions, manga_like

MANGA = ("manga_bw", "line_drawings_bw")
"""Sets of pictures that were drawn without colour."""
WINDOWS = 80
"""Of each kind."""
SIDE = 448
"""Of a window, px of what the net sees."""
PAGE = 700
"""Pictures whose short side is longer than this, px, are whole pages."""
DRAWN = MangaOptions(gray=0.33, toned=0.4, hashed=0.5)
DECAY = 0.05
"""L2 on the weights of standardised measures."""


def window(picture: Picture, rng: np.random.Generator) -> Picture:
    """(SIDE, SIDE, 3) of a picture: of a page at the size at which the net sees it, else most of it."""
    height, width = picture.shape[:2]
    scale = SIDE / min(height, width)
    if min(height, width) > PAGE:
        scale = max(scale, PainterNet.long_side / max(height, width))
    size = (max(SIDE, round(width * scale)), max(SIDE, round(height * scale)))
    resized = cv2.resize(picture, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC)
    y, x = int(rng.integers(0, size[1] - SIDE + 1)), int(rng.integers(0, size[0] - SIDE + 1))
    return np.ascontiguousarray(resized[y : y + SIDE, x : x + SIDE])


def examples(
    net: PainterNet, corpus: Path, kinds: Sequence[Sequence[str]], rng: np.random.Generator
) -> tuple[Tensor, Tensor]:
    """(M, D) what the net finds on windows of each kind and of manga, and (M,) int64 kinds; the last is manga."""
    there = {item.set for item in manifest(corpus)}
    found, labels = [], []
    for kind, sets in enumerate([*kinds, MANGA]):
        source = Corpus(corpus, {name: 1.0 for name in sets if name in there}) if there & set(sets) else None
        for _ in range(WINDOWS if source else 0):
            assert source is not None
            piece = torch.from_numpy(window(source.draw(rng)[1], rng)).permute(2, 0, 1)[None].float() / 255
            page = piece.mean(1, keepdim=True) if kind == len(kinds) else manga_like(piece, DRAWN, rng)[0]
            with torch.inference_mode():
                found.append(pooled(net.look(page, page.new_zeros(1, 4, SIDE, SIDE), page.new_zeros(1, 0))))
            labels.append(kind)
    return torch.cat(found), torch.tensor(labels)


def fitted(found: Tensor, labels: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """(D, count) weights and (count,) bias of a logistic regression in which all kinds weigh alike."""
    mean, spread = found.mean(0), found.std(0) + 1e-3
    weight = torch.zeros(found.shape[1], count, requires_grad=True)
    bias = torch.zeros(count, requires_grad=True)
    often = torch.bincount(labels, minlength=count).float()
    share = torch.where(often > 0, 1 / often.clamp_min(1), 0.0)
    optimiser = torch.optim.LBFGS([weight, bias], max_iter=200)

    def loss() -> Tensor:
        optimiser.zero_grad()
        logits = ((found - mean) / spread) @ weight + bias
        value = F.cross_entropy(logits, labels, share / share.sum()) + DECAY * weight.square().sum()
        value.backward()  # type: ignore[no-untyped-call]
        return value

    optimiser.step(loss)  # type: ignore[no-untyped-call]
    scaled = weight.detach() / spread[:, None]
    return scaled, bias.detach() - mean @ scaled


def learn(net: PainterNet, corpus: Path, kinds: Mapping[str, Sequence[str]], seed: int) -> None:
    """Fill the net's `kind_weight` and `kind_bias` from the corpus.

    Args:
        net: trained, on the CPU.
        corpus: with the sets of the kinds and, for manga, those of MANGA.
        kinds: sets of each kind, in the net's order.
        seed: of the windows and of how they are drawn.
    """
    found, labels = examples(net, corpus, list(kinds.values()), np.random.default_rng(seed))
    net.kind_weight, net.kind_bias = fitted(found, labels, len(kinds) + 1)
