"""The upscaler's training: sharp luminance from its reduced twin, a loss as PSNR counts, a random scale each step."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from mangapaint.models.upscaler_net import UpscalerConfig, UpscalerNet
from train.corpus import Corpus, Item
from train.loop import Batch, Phase
from train.recipe import Recipe, typed
from train.synth.degrade import reduced, scanned
from train.synth.tones import halftoned
from train.tasks.common import autocast

DRAWN = ("manga_bw", "line_drawings_bw")
"""Sets of black-and-white drawings: ink stays, gray areas become tone."""


@dataclass(frozen=True, slots=True)
class UpscalerOptions:
    """What the low-resolution twins look like, and what an error costs."""

    patch: int = 48
    """Side of the low-resolution patch at x2, px; less at larger scales, so that pictures stay similar."""
    scales: tuple[int, ...] = (2, 2, 2, 3, 4, 4)
    """Drawn uniformly, one per batch."""
    clean: float = 0.5
    """Share of patches that are only reduced, without noise or JPEG."""
    halftoned: float = 0.2
    """Share of patches of coloured pictures that are redrawn in ink and screentone at full resolution."""
    retoned: float = 0.6
    """Share of patches of black-and-white drawings whose gray areas become screentone."""
    shrink: float = 1.0
    """Ground truths of coloured pictures are first reduced by up to this factor, which makes soft sources sharp."""
    places: int = 1
    """At most so many places are looked at for a patch, and the one with the strongest Laplacian is taken: paintings
    are smooth in most places, which teach little, and nets that see them too often leave fine strokes soft."""
    loss: Literal["log_rms", "charbonnier"] = "log_rms"
    """log_rms: half the logarithm of a patch's mean squared error (Chen et al. 2022, NAFNet): as mean PSNR counts, an
    error in a smooth painting weighs more than one in tone, where the best guess is far off anyway."""
    epsilon: float = 0.015
    """Root mean square error (log_rms) or error (charbonnier) below which more precision hardly counts, 1 = white. For
    charbonnier .05: errors below it count squared, so that unsure tone comes out gray, not as a guess."""


class UpscalerTask:
    """See the module."""

    main = "upscaler"

    def __init__(self, recipe: Recipe, corpus: Path) -> None:
        self.options = typed(UpscalerOptions, recipe.options, "[options]")
        self.config = typed(UpscalerConfig, recipe.net, "[net]")
        self.corpus = Corpus(corpus, dict(recipe.sets))

    def nets(self) -> dict[str, nn.Module]:
        return {"upscaler": UpscalerNet(self.config)}

    def sharp(self, side: int, rng: np.random.Generator) -> NDArray[np.uint8]:
        """(side, side) luminance of a random place, the most detailed of some."""
        places = [self.place(side, rng) for _ in range(int(rng.integers(1, self.options.places + 1)))]
        item, gray = max(places, key=lambda place: float(cv2.Laplacian(place[1], cv2.CV_16S).std()))
        drawn = item.set in DRAWN
        if rng.random() < (self.options.retoned if drawn else self.options.halftoned):
            gray = halftoned(gray, rng, drawn=drawn)
        turned = np.rot90(gray, int(rng.integers(0, 4)))
        return np.ascontiguousarray(turned[:, ::-1] if rng.random() < 0.5 else turned)

    def place(self, side: int, rng: np.random.Generator) -> tuple[Item, NDArray[np.uint8]]:
        """A picture of the corpus and (side, side) of its luminance; flat places are drawn again a few times."""
        for _ in range(4):
            item, picture = self.corpus.draw(rng)
            factor = rng.uniform(1, 1 if item.set in DRAWN else self.options.shrink)
            span = min(round(side * factor), *picture.shape[:2])
            y, x = (int(rng.integers(0, size - span + 1)) for size in picture.shape[:2])
            gray = cv2.cvtColor(np.ascontiguousarray(picture[y : y + span, x : x + span]), cv2.COLOR_RGB2GRAY)
            if gray.std() > 8:
                break
        if gray.shape != (side, side):
            gray = cv2.resize(gray, (side, side), interpolation=cv2.INTER_AREA if span > side else cv2.INTER_CUBIC)
        return item, np.asarray(gray, np.uint8)

    def batch(self, rng: np.random.Generator, size: int, done: float) -> Batch:
        scale = int(rng.choice(self.options.scales))
        side = 2 * round(self.options.patch / 2 * (2 / scale) ** 0.5)
        sharp = [self.sharp(side * scale, rng) for _ in range(size)]
        low = [reduced(picture, scale, rng) for picture in sharp]
        low = [picture if rng.random() < self.options.clean else scanned(picture, rng) for picture in low]
        return {"low": stacked(low), "sharp": stacked(sharp), "scale": torch.tensor(scale)}

    def phases(self, nets: Mapping[str, nn.Module], batch: Batch, done: float) -> Iterator[Phase]:
        low, sharp = batch["low"].float() / 255, batch["sharp"].float() / 255
        with autocast(low.device):
            output = nets["upscaler"](low, int(batch["scale"]))
        error = output - sharp
        loss = (log_rms if self.options.loss == "log_rms" else charbonnier)(error, self.options.epsilon)
        yield Phase("upscaler", loss, {self.options.loss: loss.item()})

    def samples(self, net: nn.Module, device: torch.device) -> NDArray[np.uint8]:
        rng = np.random.default_rng(7)
        rows = []
        for _ in range(4):
            sharp = self.sharp(192, rng)
            low = scanned(reduced(sharp, 2, rng), rng)
            with torch.inference_mode(), autocast(device):
                output = net(stacked([low]).to(device).float() / 255, 2)
            ours = (output[0, 0].clamp(0, 1) * 255).round().byte().cpu().numpy()
            cubic = cv2.resize(low, (192, 192), interpolation=cv2.INTER_CUBIC)
            rows.append(np.concatenate([cubic, ours, sharp], 1))
        return np.repeat(np.concatenate(rows)[..., None], 3, 2)


def stacked(pictures: list[NDArray[np.uint8]]) -> Tensor:
    """(N, 1, H, W) uint8."""
    return torch.from_numpy(np.stack(pictures)[:, None])


def charbonnier(error: Tensor, epsilon: float) -> Tensor:
    """Mean of sqrt(error^2 + epsilon^2) - epsilon (Charbonnier et al. 1994)."""
    return ((error * error + epsilon * epsilon).sqrt() - epsilon).mean()


def log_rms(error: Tensor, epsilon: float) -> Tensor:
    """Mean over patches of log(sqrt(mean(error^2) + epsilon^2)): -PSNR / 8.69 where epsilon is small."""
    return 0.5 * (error.square().mean((1, 2, 3)) + epsilon**2).log().mean()
