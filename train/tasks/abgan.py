"""Training of `dcgan` and `wgan-gp`: L* and noise to a*, b* of faces, judged on (L*, ab) alone, no other loss.

DCGAN: Radford et al. 2016. WGAN-GP: Gulrajani et al. 2017, algorithm 1 with lambda 10 and 5 critic steps.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal, cast

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from mangapaint.models.abgan_net import STRIDE, AbGanConfig, AbGanNet
from mangapaint.models.painting import Guide
from train.adversary import PatchGAN, fool_loss, gradient_penalty, judge_loss
from train.loop import Batch, Phase
from train.recipe import Recipe, typed
from train.synth.manga import luminance
from train.tasks.common import autocast
from train.tasks.labpictures import chroma_ratio, composed
from train.tasks.whitefaces import FaceOptions, WhiteFaces, in_ink

SCALE = 2.5
"""On ab / 110 before it is judged: colours then vary about as much as L* does."""
SMALLEST = 64
"""Side that the critic's convolutions take, px."""
POOLED = 6
"""Places a side by which two colourings of one face are compared."""
NOISES, SHOWN = 8, 12
"""Rows and columns of a sheet."""


@dataclass(frozen=True, slots=True)
class AbGanOptions(FaceOptions):
    """Losses and critic."""

    loss: Literal["vanilla", "wasserstein"] = "vanilla"
    """"vanilla" is DCGAN's; "wasserstein" takes BatchNorm from the critic."""
    penalty: float = 10.0
    """Lambda of the gradient penalty; for "wasserstein" only."""
    critic_steps: int = 1
    """Of the critic, each on pictures of its own, before one of the generator; 5 in WGAN-GP."""
    judge: int = 32
    """Channels of the critic's first layer."""
    seeking: float = 0.0
    """Weight of a mode-seeking term (Mao et al. 2019): colourings of one face under two noises shall differ; 0 in both
    papers."""


class AbGanTask:
    """See the module."""

    main = "abgan"

    def __init__(self, recipe: Recipe, corpus: Path) -> None:
        self.options = typed(AbGanOptions, recipe.options, "[options]")
        self.config = typed(AbGanConfig, recipe.net, "[net]")
        sides = self.options.sides
        if not sides or any(side % AbGanNet.multiple_of or side < SMALLEST for side in sides):
            raise ValueError(
                f"[options]: sides must be multiples of {AbGanNet.multiple_of} from {SMALLEST} on, not {sides}"
            )
        if self.options.critic_steps < 1:
            raise ValueError(f"[options]: critic_steps must be 1 or more, not {self.options.critic_steps}")
        self.faces = WhiteFaces(corpus, recipe.sets, self.options)

    def nets(self) -> dict[str, nn.Module]:
        norm = "none" if self.options.loss == "wasserstein" else "batch"
        return {"abgan": AbGanNet(self.config), "judge": PatchGAN(STRIDE**2 + 2, self.options.judge, norm)}

    def batch(self, rng: np.random.Generator, size: int, done: float) -> Batch:
        sides = self.options.sides
        side = sides[min(int(done * len(sides)), len(sides) - 1)]
        return self.faces.batch(rng, size * self.options.critic_steps, side)

    def phases(self, nets: Mapping[str, nn.Module], batch: Batch, done: float) -> Iterator[Phase]:
        net, judge, options = nets["abgan"], nets["judge"], self.options
        light = batch["light"].contiguous(memory_format=torch.channels_last)
        with torch.no_grad(), autocast(light.device):  # the generator stays as it is during the critic's steps
            made: Tensor = net(light, self.noise(len(light), light.device))
        for told, true, false in zip(*(x.chunk(options.critic_steps) for x in (light, batch["ab"], made)), strict=True):
            scored = partial(scores, judge, told)
            real, fake = scored(true * SCALE), scored(false * SCALE)
            loss = judge_loss(real, fake, options.loss)
            numbers = {"judge": loss.item(), "real": real.mean().item(), "fake": fake.mean().item()}
            if options.loss == "wasserstein":
                penalty = gradient_penalty(scored, true * SCALE, false * SCALE)
                loss = loss + options.penalty * penalty
                numbers["penalty"] = penalty.item()
            yield Phase("judge", loss, numbers)
        judge.requires_grad_(False)
        half = max(1, len(light) // options.critic_steps // 2)
        twice = torch.cat([light[:half], light[:half]])
        noise = self.noise(2 * half, light.device)
        with autocast(light.device):
            guess: Tensor = net(twice, noise)
        fooled = fool_loss(scores(judge, twice, guess * SCALE), options.loss)
        judge.requires_grad_(True)
        apart = distance(guess[:half], guess[half:])
        numbers = {"fooled": fooled.item(), "apart": apart.mean().item()}
        numbers["chroma"] = chroma_ratio(made.float(), batch["ab"])
        loss = fooled
        if options.seeking:
            far = (noise[:half] - noise[half:]).abs().mean(1)
            sought = (far / (apart / 20 + 0.05)).mean()
            numbers["sought"] = sought.item()
            loss = loss + options.seeking * sought
        yield Phase("abgan", loss, numbers)

    def noise(self, count: int, device: torch.device) -> Tensor:
        return torch.randn(count, self.config.latent, device=device)

    def samples(self, net: nn.Module, device: torch.device) -> NDArray[np.uint8]:
        """The drawings above, then one noise a row, then the truth; the right third is drawn in ink."""
        rng = np.random.default_rng(5)
        picture = self.faces.pictures(rng, SHOWN, self.options.sides[-1])
        page = luminance(picture)
        gray = torch.arange(SHOWN) < 2 * SHOWN // 3
        page[~gray] = in_ink(picture[~gray], rng)
        hints = torch.zeros(SHOWN, 4, *page.shape[-2:])
        rows = [page.expand(-1, 3, -1, -1)]
        with torch.inference_mode(), autocast(device):
            for noise in torch.from_numpy(rng.standard_normal((NOISES, self.config.latent)).astype(np.float32)):
                guide = Guide(torch.zeros(SHOWN, 0), latent=noise.expand(SHOWN, -1))
                output = cast(AbGanNet, net).paints(page.to(device), hints.to(device), guide).cpu()
                rows.append(composed(output, page, gray))
        whole = torch.cat([torch.cat(list(row), 2) for row in (*rows, picture)], 1)
        return (whole.permute(1, 2, 0).clamp(0, 1) * 255).round().byte().numpy()


def scores(judge: nn.Module, light: Tensor, ab: Tensor) -> Tensor:
    """(N, 1, h, w): what the critic says of (N, 2, H / 2, W / 2) scaled colours on (N, 1, H, W) L*."""
    seen = torch.cat([F.pixel_unshuffle((light - 50) / 50, STRIDE), ab], 1)
    with autocast(light.device):
        return cast(Tensor, judge(seen.contiguous(memory_format=torch.channels_last)))


def distance(a: Tensor, b: Tensor) -> Tensor:
    """(N,) mean distance in ab, Lab units, of colourings seen by POOLED x POOLED places."""
    first, second = (F.adaptive_avg_pool2d(x, POOLED) * 110 for x in (a, b))
    return ((first - second).square().sum(1) + 1e-4).sqrt().mean((1, 2))
