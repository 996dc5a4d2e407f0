"""The paper net's training: made pages and real comic pages, drawn in ink and tone; what stays paper is known."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, fields
from functools import cached_property
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import nn

from mangapaint.models.paper_net import STRIDE, PaperConfig, PaperNet
from train.corpus import WHITE_BACKGROUND, Corpus, Picture, resized
from train.loop import Batch, Phase
from train.recipe import Recipe, typed
from train.synth.manga import MangaOptions, manga_like
from train.synth.paperpages import WHITE, Made, PaperOptions, of_comic, page
from train.tasks.common import autocast

BRIGHT = 0.8
"""Luminance of the drawing from which on a place may be paper at all."""
DARK_WEIGHT = 0.1
"""Of places that are drawn dark, beside 1 for bright ones: nobody asks about them."""
ALIKE = (0.9, 1.4)
"""Range of a crop's scale against the panel that it fills."""


@dataclass(frozen=True, slots=True)
class PaperTaskOptions(PaperOptions):
    """Pages and how they are drawn; see MangaOptions for the last four."""

    sizes: tuple[tuple[int, int], ...] = ((704, 512), (704, 512), (512, 704), (640, 640))
    """Height and width of the pages of a batch, px, multiples of 64."""
    comics: tuple[str, ...] = ("peppercarrot_pages",)
    """Sets whose pictures are whole pages of comics."""
    real: float = 0.3
    """Share of such pages as they are."""
    gray: float = 0.08
    toned: float = 0.55
    hashed: float = 0.4
    blank: float = 0.6

    @property
    def manga(self) -> MangaOptions:
        own: dict[str, Any] = asdict(self)
        return MangaOptions(**{f.name: own[f.name] for f in fields(MangaOptions)})

    @property
    def layout(self) -> PaperOptions:
        own: dict[str, Any] = asdict(self)
        return PaperOptions(**{f.name: own[f.name] for f in fields(PaperOptions)})


class PaperTask:
    """See the module."""

    main = "paper"

    def __init__(self, recipe: Recipe, corpus: Path) -> None:
        self.options = typed(PaperTaskOptions, recipe.options, "[options]")
        self.config = typed(PaperConfig, recipe.net, "[net]")
        self.corpus = Corpus(corpus, dict(recipe.sets))
        if any(side % PaperNet.multiple_of for size in self.options.sizes for side in size):
            raise ValueError(f"[options]: sizes must be multiples of {PaperNet.multiple_of}")

    def nets(self) -> dict[str, nn.Module]:
        return {"paper": PaperNet(self.config)}

    @cached_property
    def comics(self) -> list[int]:
        """Pictures of the corpus that are whole pages."""
        return [i for i, item in enumerate(self.corpus.items) if item.set in self.options.comics]

    @cached_property
    def figures(self) -> list[int]:
        """Pictures of the corpus on a white background."""
        others = [i for i, item in enumerate(self.corpus.items) if item.set not in self.options.comics]
        return [i for i in others if white_around(self.corpus.picture(i))]

    def crop(self, height: int, width: int, rng: np.random.Generator) -> Picture:
        """(height, width, 3) of a picture, of about the scale that it has."""
        item, picture = self.corpus.draw(rng)
        tall, wide = picture.shape[:2]
        most = min(tall / height, wide / width)
        span = min(most, rng.uniform(*ALIKE)) if item.set in self.options.comics else most * rng.uniform(0.6, 1)
        rows, columns = max(8, int(height * span)), max(8, int(width * span))
        y, x = int(rng.integers(0, tall - rows + 1)), int(rng.integers(0, wide - columns + 1))
        art = resized(picture[y : y + rows, x : x + columns], height, width)
        return np.ascontiguousarray(art[:, ::-1] if rng.random() < 0.5 else art)

    def made(self, height: int, width: int, rng: np.random.Generator) -> Made:
        """A page of a comic, whole or most of it, or one that is made."""
        if self.comics and rng.random() < self.options.real:
            whole = of_comic(self.corpus.picture(self.comics[int(rng.integers(len(self.comics)))]))
            mirrored = rng.random() < 0.5
            return Made(*(np.ascontiguousarray(fitted(part, height, width, mirrored)) for part in whole))

        def figure() -> Picture:
            return self.corpus.picture(self.figures[int(rng.integers(len(self.figures)))])

        art = figure if self.figures else None
        return page(height, width, lambda h, w: self.crop(h, w, rng), art, self.options.layout, rng)

    def batch(self, rng: np.random.Generator, size: int, done: float) -> Batch:
        height, width = self.options.sizes[int(rng.integers(len(self.options.sizes)))]
        pages = [self.made(height, width, rng) for _ in range(size)]
        colour = torch.from_numpy(np.stack([each.colour for each in pages])).permute(0, 3, 1, 2).float() / 255
        with torch.no_grad():
            drawn = torch.cat([manga_like(one[None], self.options.manga, rng)[0] for one in colour])
        paper = torch.from_numpy(np.stack([each.paper for each in pages])[:, None]).float()
        known = torch.from_numpy(np.stack([each.known for each in pages])[:, None]).float()
        return {"page": drawn, "paper": F.avg_pool2d(paper, STRIDE), "known": F.avg_pool2d(known, STRIDE)}

    def phases(self, nets: Mapping[str, nn.Module], batch: Batch, done: float) -> Iterator[Phase]:
        drawn = batch["page"].contiguous(memory_format=torch.channels_last)
        with autocast(drawn.device):
            logit = nets["paper"](drawn)
        bright = F.avg_pool2d((drawn > BRIGHT).float(), STRIDE)
        weight = (batch["known"] > 0.99) * torch.lerp(torch.full_like(bright, DARK_WEIGHT), torch.ones(()), bright)
        error = F.binary_cross_entropy_with_logits(logit, batch["paper"], reduction="none")
        loss = (error * weight).sum() / weight.sum().clamp_min(1)
        wrong = ((logit > 0) != (batch["paper"] > 0.5)) * weight
        yield Phase("paper", loss, {"paper": loss.item(), "wrong": (wrong.sum() / weight.sum().clamp_min(1)).item()})

    def samples(self, net: nn.Module, device: torch.device) -> NDArray[np.uint8]:
        batch = self.batch(np.random.default_rng(5), 4, 1.0)
        with torch.inference_mode(), autocast(device):
            sure = torch.sigmoid(net(batch["page"].to(device)).float()).cpu()
        rows = []
        for share in (sure, batch["paper"]):
            full = F.interpolate(share, scale_factor=STRIDE, mode="nearest")
            rows.append(torch.cat([batch["page"], batch["page"] * (0.4 + 0.6 * full), batch["page"]], 1))
        sheet = torch.cat([torch.cat(list(row), 2) for row in rows], 1)
        return (sheet.permute(1, 2, 0).clamp(0, 1) * 255).round().byte().numpy()


def white_around(picture: Picture) -> bool:
    """Whether a picture stands on white."""
    edge = np.concatenate([picture[0], picture[-1], picture[:, 0], picture[:, -1]])
    return bool((edge.min(1) >= WHITE).mean() >= WHITE_BACKGROUND)


def fitted(part: NDArray[Any], height: int, width: int, mirrored: bool) -> NDArray[Any]:
    """A picture or mask brought to (height, width), mirrored or not."""
    flipped = part[:, ::-1] if mirrored else part
    if part.dtype == bool:
        return cv2.resize(flipped.astype(np.uint8), (width, height), interpolation=cv2.INTER_NEAREST) > 0
    return resized(flipped, height, width)
