"""pix2pix's training: cGAN + lambda L1 on triplets of sketch, colour cue and picture at 256 px (Isola et al. 2017)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from mangapaint.models.pix2pix_net import Pix2PixConfig, Pix2PixNet, sketch_of
from train.adversary import Kind, PatchGAN, fool_loss, judge_loss
from train.corpus import Corpus, Picture, resized
from train.loop import Batch, Phase
from train.recipe import Recipe, typed
from train.synth.manga import luminance
from train.tasks.common import autocast


@dataclass(frozen=True, slots=True)
class Pix2PixOptions:
    """Losses, discriminator and triplets."""

    l1: float = 100.0
    """Lambda: weight of the L1 loss beside the adversarial one."""
    adversarial: Kind = "vanilla"
    judge_width: int = 64
    """Of the discriminator's first convolution; 64 in the paper."""
    side: int = 256
    """Of the square crops after resizing, px."""
    black: float = 0.4
    """Pictures whose sketch has more ink than this share are dropped."""
    sigma: float = 20.0
    """Blur of the cue, px at `side` 256."""
    blanked: float = 0.3
    """Share of cues of which the artist left parts blank."""
    strokes: float = 0.15
    """Share of cues that are a few strokes of local colour on white."""


class Pix2PixTask:
    """See the module."""

    main = "pix2pix"

    def __init__(self, recipe: Recipe, corpus: Path) -> None:
        self.options = typed(Pix2PixOptions, recipe.options, "[options]")
        self.config = typed(Pix2PixConfig, recipe.net, "[net]")
        self.corpus = Corpus(corpus, dict(recipe.sets))

    def nets(self) -> dict[str, nn.Module]:
        condition = 4 if self.config.cue else 1
        return {"pix2pix": Pix2PixNet(self.config), "judge": PatchGAN(condition + 3, self.options.judge_width)}

    def pair(self, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
        """(1, 3, side, side) picture and its (1, 1, side, side) sketch, in 0..1; too black ones are drawn again."""
        for _ in range(20):
            crop = square(self.corpus.draw(rng)[1], self.options.side, rng)
            picture = torch.from_numpy(np.ascontiguousarray(crop)).permute(2, 0, 1)[None].float() / 255
            sketch = sketch_of(luminance(picture))
            if float(1 - sketch.mean()) <= self.options.black:
                break
        return picture, sketch

    def batch(self, rng: np.random.Generator, size: int, done: float) -> Batch:
        pairs = [self.pair(rng) for _ in range(size)]
        batch = {"picture": torch.cat([p for p, _ in pairs]), "sketch": torch.cat([s for _, s in pairs])}
        if self.config.cue:
            batch["cue"] = torch.cat([self.cue(picture, rng) for picture, _ in pairs])
        return batch

    def cue(self, picture: Tensor, rng: np.random.Generator) -> Tensor:
        """(1, 3, H, W) blurred colour, in some blank in parts or strokes only; blank is white."""
        strokes = rng.random() < self.options.strokes
        colour = blurred(picture, self.options.sigma * self.options.side / 256 * (0.25 if strokes else 1))
        if not strokes and rng.random() >= self.options.blanked:
            return colour
        mask = scribbled(self.options.side, rng) if strokes else spared(self.options.side, rng)
        return colour * mask + (1 - mask)

    def phases(self, nets: Mapping[str, nn.Module], batch: Batch, done: float) -> Iterator[Phase]:
        net, judge, kind = nets["pix2pix"], nets["judge"], self.options.adversarial
        sketch, cue, truth = batch["sketch"], batch.get("cue"), batch["picture"] * 2 - 1
        given = sketch if cue is None else torch.cat([sketch, cue], 1)
        given = given * 2 - 1
        with autocast(truth.device):
            made = net(sketch, cue)
            real = judge(torch.cat([given, truth], 1))
            fake = judge(torch.cat([given, made.detach()], 1))
        loss = judge_loss(real, fake, kind)
        yield Phase("judge", loss, {"judge": loss.item(), "real": real.mean().item(), "fake": fake.mean().item()})
        judge.requires_grad_(False)
        with autocast(truth.device):
            fooled = fool_loss(judge(torch.cat([given, made], 1)), kind)
        l1 = (made - truth).abs().mean()
        yield Phase("pix2pix", fooled + self.options.l1 * l1, {"fool": fooled.item(), "l1": l1.item()})
        judge.requires_grad_(True)

    def samples(self, net: nn.Module, device: torch.device) -> NDArray[np.uint8]:
        batch = {key: value.to(device) for key, value in self.batch(np.random.default_rng(5), 8, 1.0).items()}
        with torch.inference_mode(), autocast(device):
            made = (net(batch["sketch"], batch.get("cue")) + 1) / 2
        shown = [batch["sketch"].expand(-1, 3, -1, -1), *([batch["cue"]] if "cue" in batch else [])]
        rows = [torch.cat(list(row.cpu()), 2) for row in (*shown, made, batch["picture"])]
        return (torch.cat(rows, 1).permute(1, 2, 0).clamp(0, 1) * 255).round().byte().numpy()


def square(picture: Picture, side: int, rng: np.random.Generator) -> Picture:
    """(side, side, 3) crop that shows most of a picture, or figures of a comic page; mirrored half the time."""
    tall, wide = picture.shape[:2]
    short = min(tall, wide)
    span = rng.uniform(0.3, 0.7) if short > 700 else rng.uniform(0.7, 1.0)
    size = max(8, int(short * span))
    y, x = int(rng.integers(0, tall - size + 1)), int(rng.integers(0, wide - size + 1))
    crop = resized(picture[y : y + size, x : x + size], side, side)
    return crop[:, ::-1] if rng.random() < 0.5 else crop


def blurred(picture: Tensor, sigma: float) -> Tensor:
    """(1, 3, H, W) Gaussian blur, done at a quarter of the size where sigma allows."""
    pixels = picture[0].permute(1, 2, 0).contiguous().numpy()
    height, width = pixels.shape[:2]
    if sigma >= 8:
        pixels, sigma = cv2.resize(pixels, (width // 4, height // 4), interpolation=cv2.INTER_AREA), sigma / 4
    smooth = cv2.resize(cv2.GaussianBlur(pixels, (0, 0), sigma, borderType=cv2.BORDER_REPLICATE), (width, height))
    return torch.from_numpy(smooth).permute(2, 0, 1)[None]


def spared(side: int, rng: np.random.Generator) -> Tensor:
    """(side, side) mask with 1-4 ellipses left blank (0)."""
    mask = np.ones((side, side), np.float32)
    for _ in range(int(rng.integers(1, 5))):
        centre = (int(rng.integers(0, side)), int(rng.integers(0, side)))
        axes = (int(rng.uniform(0.1, 0.45) * side), int(rng.uniform(0.1, 0.45) * side))
        cv2.ellipse(mask, centre, axes, float(rng.uniform(0, 180)), 0, 360, 0, -1)
    return torch.from_numpy(mask)


def scribbled(side: int, rng: np.random.Generator) -> Tensor:
    """(side, side) mask of 3-20 strokes (1) on nothing."""
    mask = np.zeros((side, side), np.float32)
    for _ in range(int(rng.integers(3, 21))):
        start = rng.integers(0, side, 2)
        end = start + rng.integers(-side // 6, side // 6 + 1, 2)
        cv2.line(mask, start.tolist(), end.tolist(), 1, int(rng.integers(3, 13)))
    return torch.from_numpy(mask)
