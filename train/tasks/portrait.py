"""Faces from noise: the StyleGAN2 recipe (Karras et al. 2020), small, with DiffAugment (Zhao et al. 2020)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from mangapaint.models.portrait_net import PortraitConfig, PortraitNet
from train.adversary import fool_loss
from train.diffaugment import KINDS, augmented
from train.facejudge import FaceJudge, roughness
from train.faceset import FaceSet
from train.loop import Batch, Phase
from train.recipe import Recipe, typed
from train.tasks.common import autocast

SHOWN = (6, 16)
"""Rows and columns of a sheet."""


@dataclass(frozen=True, slots=True)
class PortraitOptions:
    """Faces, discriminator and losses."""

    keep: Mapping[str, float] = field(default_factory=dict)
    """Set -> share of its faces that is kept, the likeliest by the first set's; 1 where none is named."""
    judge: tuple[int, ...] = (48, 96, 160, 160)
    """Channels of the discriminator at side / 2, side / 4, ... 4 px; the paper's are 512 from 32 px down."""
    augment: tuple[str, ...] = KINDS
    """What the discriminator sees changed, of color, translation, cutout."""
    gamma: float = 0.03
    """Weight of R1 at full side; at a half a quarter of it. .0002 side^2 / batch is usual (Karras et al. 2020)."""
    grow: tuple[float, ...] = ()
    """Shares of the schedule at which the side doubles (Karras et al. 2018): with two it starts at a quarter."""
    fade: float = 0.04
    """Share of the schedule in which a new level comes in."""
    lazy: int = 16
    """Steps between two R1 steps, whose weight grows as much; 0 never."""
    mixing: float = 0.5
    """Share of made faces with the styles of two (.9 in the paper)."""
    settle: float = 0.995
    """Decay of the mean of w."""
    psi: float = 0.8
    """Truncation of the sheet's lower half."""


class PortraitTask:
    """See the module."""

    main = "portrait"

    def __init__(self, recipe: Recipe, corpus: Path) -> None:
        self.options = typed(PortraitOptions, recipe.options, "[options]")
        self.config = typed(PortraitConfig, recipe.net, "[net]")
        if len(self.options.judge) != len(self.config.widths) - 1:
            raise ValueError(
                f"[options]: judge must have {len(self.config.widths) - 1} widths for faces of {self.config.side} px"
            )
        if strangers := set(self.options.augment) - set(KINDS):
            raise ValueError(f"[options]: augment knows {', '.join(KINDS)}, not {', '.join(sorted(strangers))}")
        if list(self.options.grow) != sorted(self.options.grow) or len(self.options.grow) > len(self.options.judge) - 1:
            raise ValueError(f"[options]: grow must rise and leave 8 px to start with, not {self.options.grow}")
        self.faces = FaceSet(corpus, recipe.sets, self.config.side, self.options.keep)
        self.steps = 0
        self.shown = len(self.config.widths), 1.0

    def grown(self, done: float) -> tuple[int, float]:
        """Levels that are trained at that share of the schedule, and how far the last of them has come in."""
        grow = self.options.grow
        past = [share for share in grow if share <= done]
        fade = min(1.0, (done - past[-1]) / self.options.fade) if past and self.options.fade else 1.0
        return len(self.config.widths) - len(grow) + len(past), fade

    def nets(self) -> dict[str, nn.Module]:
        return {"portrait": PortraitNet(self.config), "judge": FaceJudge(self.options.judge)}

    def batch(self, rng: np.random.Generator, size: int, done: float) -> Batch:
        return {"true": self.faces.draw(rng, size)}

    def phases(self, nets: Mapping[str, nn.Module], batch: Batch, done: float) -> Iterator[Phase]:
        net, judge = cast(PortraitNet, nets["portrait"]), nets["judge"]
        levels, fade = self.shown = self.grown(done)
        share = 2 ** (levels - len(self.config.widths))
        true = F.adaptive_avg_pool2d(batch["true"].float() / 255, int(self.config.side * share))
        lazy = self.options.lazy
        if lazy and self.steps % lazy == 0:
            rough = roughness(judge, true[: max(1, len(true) // 2)], fade)
            yield Phase("judge", rough * self.options.gamma * share**2 / 2 * lazy, {"r1": rough.item()})
        self.steps += 1
        with autocast(true.device):
            made = net.drawn(self.styles(net, len(true), true.device), levels=levels, fade=fade)
            real, fake = judge(self.seen(true), fade), judge(self.seen(made.detach()), fade)
        judged = (fool_loss(real) + fool_loss(-fake)) / 2
        signs = (real > 0).float().mean()
        yield Phase("judge", judged, {"judge": judged.item(), "sign": float(2 * signs - 1)})
        judge.requires_grad_(False)
        with autocast(true.device):
            fooled = fool_loss(judge(self.seen(made), fade))
        judge.requires_grad_(True)
        yield Phase("portrait", fooled, {"fooled": fooled.item()})

    def styles(self, net: PortraitNet, count: int, device: torch.device) -> Tensor:
        """W+ (count, layers, latent) of fresh noise, some of two faces; moves the net's mean."""
        w = net.mapped(torch.randn(2 * count, net.config.latent, device=device))
        with torch.no_grad():
            cast(Tensor, net.mean).lerp_(w.mean(0), 1 - self.options.settle)
        first, second = (net.broadcast(part) for part in w.chunk(2))
        layers = net.config.layers
        change = torch.randint(1, layers, (count, 1, 1), device=device)
        alone = torch.rand(count, 1, 1, device=device) >= self.options.mixing
        return torch.where(alone | (torch.arange(layers, device=device).view(1, -1, 1) < change), first, second)

    def seen(self, face: Tensor) -> Tensor:
        return augmented(face, self.options.augment) if self.options.augment else face

    def samples(self, net: nn.Module, device: torch.device) -> NDArray[np.uint8]:
        """Faces of fixed noise, without truncation in the upper half and with it in the lower."""
        generator, shown = cast(PortraitNet, net), SHOWN[0] * SHOWN[1]
        chance = torch.Generator().manual_seed(5)
        z = torch.randn(shown, generator.config.latent, generator=chance).to(device)
        noises = [noise.to(device) for noise in generator.noises(shown, chance)]
        psi = torch.where(torch.arange(shown, device=device) < shown // 2, 1.0, self.options.psi)[:, None]
        with torch.inference_mode(), autocast(device):
            w = generator.mapped(z)
            w = cast(Tensor, generator.mean).lerp(w, psi)
            faces = generator.drawn(generator.broadcast(w), noises, *self.shown)
        side = (self.config.side,) * 2
        return sheet(F.interpolate(faces.cpu(), size=side, mode="bilinear", align_corners=False), SHOWN[1])


def sheet(faces: Tensor, columns: int) -> NDArray[np.uint8]:
    """(N, 3, H, W) in 0..1, N a multiple of `columns` -> (N / columns * H, columns * W, 3)."""
    count, _, height, width = faces.shape
    grid = (faces.clamp(0, 1) * 255).round().byte().view(count // columns, columns, 3, height, width)
    return grid.permute(0, 3, 1, 4, 2).reshape(-1, columns * width, 3).numpy()
