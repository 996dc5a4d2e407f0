"""Colour as classification (Zhang et al. 2016): cross-entropy over quantised ab, rare colours weighing more."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import cast

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from mangapaint.models import abgrid
from mangapaint.models.lab import rgb_to_lab
from mangapaint.models.zhang_net import ZhangConfig, ZhangNet
from train.corpus import Corpus, resized
from train.loop import Batch, Phase
from train.recipe import Recipe, typed
from train.tasks.common import autocast
from train.tasks.labpictures import LabOptions, LabPictures, chroma_ratio

PRIOR_SIDE = 32
"""Pictures are reduced to this square for the prior, px."""

MEASURED = 4
"""Samples of a batch whose colours are decoded for the curve."""


@dataclass(frozen=True, slots=True)
class ZhangOptions(LabOptions):
    """See the paper, section 2.2."""

    mixed: float = 0.5
    """Lambda of the rebalancing: the uniform part of the prior."""
    heaviest: float = 0.0
    """Largest weight of a colour against the mean; 0, as in the paper, bounds none."""
    pictures: int = 1000
    """Draws for the prior."""


class ZhangTask:
    """See the module."""

    main = "zhang"

    def __init__(self, recipe: Recipe, corpus: Path) -> None:
        self.options = typed(ZhangOptions, recipe.options, "[options]")
        self.centres = abgrid.bins()
        self.config = replace(typed(ZhangConfig, recipe.net, "[net]"), bins=len(self.centres))
        self.pictures = LabPictures(corpus, recipe.sets, self.options)

    def nets(self) -> dict[str, nn.Module]:
        net = ZhangNet(self.config)
        cast(Tensor, net.centres).copy_(self.centres)
        cast(Tensor, net.prior).copy_(self.prior)
        with torch.no_grad():  # the best guess of who sees nothing: hundreds of steps are saved
            start = (self.prior * self.weight(self.prior)).clamp_min(1e-6).log()
            cast(Tensor, cast(nn.Conv2d, net.head[-1]).bias).copy_(start)
        return {"zhang": net}

    @cached_property
    def prior(self) -> Tensor:
        """(Q,) of the corpus."""
        return prior(self.pictures.corpus, self.options.pictures)

    def weight(self, prior: Tensor) -> Tensor:
        """(Q,) of the classes in the loss."""
        weight = abgrid.rebalanced(prior, self.options.mixed)
        return weight.clamp_max(self.options.heaviest) if self.options.heaviest else weight

    def batch(self, rng: np.random.Generator, size: int, done: float) -> Batch:
        made = self.pictures.batch(rng, size)
        ab = F.avg_pool2d(made["lab"][:, 1:], 4)
        index, share = abgrid.encoded(ab.permute(0, 2, 3, 1), self.centres)
        return {"light": made["light"], "ab": ab, "index": index, "share": share}

    def phases(self, nets: Mapping[str, nn.Module], batch: Batch, done: float) -> Iterator[Phase]:
        net = cast(ZhangNet, nets["zhang"])
        light = batch["light"].contiguous(memory_format=torch.channels_last)
        with autocast(light.device):
            logits: Tensor = net(light)
        loss = class_loss(logits, batch["index"], batch["share"], self.weight(cast(Tensor, net.prior)))
        with torch.no_grad():
            guess = abgrid.annealed_mean(logits[:MEASURED], cast(Tensor, net.centres), net.config.temperature)
            truth = batch["ab"][:MEASURED]
            scalars = {
                "entropy": loss.item(),
                "dab": (guess - truth).norm(dim=1).mean().item(),
                "chroma": chroma_ratio(guess, truth),
            }
        yield Phase("zhang", loss, scalars)

    def samples(self, net: nn.Module, device: torch.device) -> NDArray[np.uint8]:
        return self.pictures.sheet(cast(ZhangNet, net), device)


def class_loss(logits: Tensor, index: Tensor, share: Tensor, weight: Tensor) -> Tensor:
    """Multinomial cross-entropy (eq. 2) with soft targets, weighted by the rarity of the nearest bin (eq. 3).

    Args:
        logits: (N, Q, h, w).
        index: (N, h, w, 5) int64 bins of the target, nearest first.
        share: (N, h, w, 5), sums to 1.
        weight: (Q,) of each class.

    Returns:
        Mean over places.
    """
    found = F.log_softmax(logits.permute(0, 2, 3, 1), 3).gather(3, index)
    return -((share * found).sum(3) * weight[index[..., 0]]).mean()


def prior(corpus: Corpus, draws: int) -> Tensor:
    """(Q,) smoothed share of each bin in the corpus, in the sets' proportions; always of the same pictures."""
    rng = np.random.default_rng(0)
    tiles = np.concatenate([resized(corpus.draw(rng)[1], PRIOR_SIDE, PRIOR_SIDE) for _ in range(draws)])
    ab = rgb_to_lab(torch.from_numpy(tiles).permute(2, 0, 1)[None].float() / 255)[0, 1:].flatten(1).T
    counts = torch.bincount(abgrid.nearest(ab), minlength=len(abgrid.bins()))
    return abgrid.smoothed(counts, abgrid.bins())
