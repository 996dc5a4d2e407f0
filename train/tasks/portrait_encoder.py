"""From low-resolution gray faces into W+ of a generator (pSp, Richardson et al. 2021), on faces that it drew."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from mangapaint.models import store, weightfile
from mangapaint.models.portrait_encoder import PortraitEncoder, PortraitEncoderConfig
from mangapaint.models.portrait_net import PortraitNet
from mangapaint.portrait.refine import enlarged, luma_of
from train.faceset import FaceSet
from train.loop import Batch, Phase
from train.recipe import Recipe, typed
from train.tasks.common import autocast
from train.tasks.portrait import sheet

SHOWN = 12
"""Columns of a sheet; the first half are drawn faces, the others true ones."""


@dataclass(frozen=True, slots=True)
class PortraitEncoderOptions:
    """The generator, what is shown, and losses."""

    generator: str = "portrait"
    """Weights of the generator: a name of weights/, or a .safetensors file."""
    keep: Mapping[str, float] = field(default_factory=dict)
    """As for the generator: set -> share of its faces that is kept."""
    lows: tuple[int, ...] = (16, 32)
    """Low resolutions that the gray faces have, by turns of chance; px."""
    psi: float = 0.9
    """Truncation of the faces that the generator draws."""
    mixing: float = 0.3
    """Share of them with the styles of two."""
    true: float = 0.25
    """Share of true faces in a batch: they have no place in W+, so theirs is the image loss alone."""
    places: float = 1.0
    """Weight of the mean square error in W+, in shares of the variance of w."""
    latent: float = 0.2
    """Weight of the mean square error of z."""
    image: float = 10.0
    """Weight of the mean square error of luma (0..1), low resolution and whole, of what is drawn of true faces."""


class PortraitEncoderTask:
    """See the module."""

    main = "portrait-encoder"

    def __init__(self, recipe: Recipe, corpus: Path) -> None:
        self.options = options = typed(PortraitEncoderOptions, recipe.options, "[options]")
        self.generator = generator_of(options.generator)
        theirs = self.generator.config
        fixed = {"layers": theirs.layers, "latent": theirs.latent, "side": theirs.side}
        self.config = typed(PortraitEncoderConfig, {**recipe.net, **fixed}, "[net]")
        if any(theirs.side % low or low < 4 for low in options.lows) or not options.lows:
            raise ValueError(f"[options]: lows must divide {theirs.side} px, not {options.lows}")
        if not 0 <= options.true < 1:
            raise ValueError(f"[options]: true must be at least 0 and under 1, not {options.true}")
        self.faces = FaceSet(corpus, recipe.sets, theirs.side, options.keep)
        with torch.no_grad():
            w = self.generator.mapped(torch.randn(2048, theirs.latent, generator=torch.Generator().manual_seed(0)))
        self.variance = float((w - self.generator.get_buffer("mean")).square().mean())

    def nets(self) -> dict[str, nn.Module]:
        return {"portrait-encoder": PortraitEncoder(self.config)}

    def batch(self, rng: np.random.Generator, size: int, done: float) -> Batch:
        count = round(size * self.options.true)
        low = torch.tensor(int(rng.choice(self.options.lows)))
        return {"true": self.faces.draw(rng, count), "low": low, "drawn": torch.tensor(max(2, size - count))}

    def phases(self, nets: Mapping[str, nn.Module], batch: Batch, done: float) -> Iterator[Phase]:
        net, options = nets["portrait-encoder"], self.options
        device = next(net.parameters()).device
        generator = self.generator.to(device)
        mean = generator.get_buffer("mean")
        low = int(batch["low"])
        with torch.no_grad(), autocast(device):
            z, styles = self.places(int(batch["drawn"]), device)
            noises = [noise.to(device) for noise in generator.noises(len(z))]
            drawn = luma_of(generator.drawn(styles, noises).clamp(0, 1))
            whole = torch.cat([drawn, luma_of(batch["true"].float() / 255)])
            small = F.adaptive_avg_pool2d(whole, low)
        with autocast(device):
            found, guess = net(enlarged((small * 255).round() / 255, whole.shape[-1]))
        count = len(z)
        place = (found[:count] - (styles - mean)).square().mean() / self.variance
        # z of a face with two styles says nothing; those are the last ones.
        alone = count - round(count * options.mixing)
        latent = (guess[:alone] - z[:alone]).square().mean()
        loss = options.places * place + options.latent * latent
        numbers = {"w": place.item(), "z": latent.item()}
        if options.image and len(batch["true"]):
            with autocast(device):
                again = luma_of(generator.drawn(mean + found[count:], None))
            image = (again - whole[count:]).square().mean()
            coarse = (F.adaptive_avg_pool2d(again, low) - small[count:]).square().mean()
            loss = loss + options.image * (image + coarse)
            numbers |= {"image": image.item(), "coarse": coarse.item()}
        yield Phase("portrait-encoder", loss, numbers)

    def places(self, count: int, device: torch.device) -> tuple[Tensor, Tensor]:
        """Draw z (count, latent) and W+ (count, layers, latent); the last share `mixing` has the styles of two."""
        generator = self.generator
        z = torch.randn(2 * count, generator.config.latent, device=device)
        w = generator.truncated(generator.mapped(z), self.options.psi)
        first, second = (generator.broadcast(part) for part in w.chunk(2))
        layers = generator.config.layers
        change = torch.randint(1, layers, (count, 1, 1), device=device)
        change[: count - round(count * self.options.mixing)] = layers
        return z[:count], torch.where(torch.arange(layers, device=device).view(1, -1, 1) < change, first, second)

    def samples(self, net: nn.Module, device: torch.device) -> NDArray[np.uint8]:
        """Rows: low-resolution faces as seen, what is drawn of their places, the faces; half drawn, half true."""
        generator = self.generator.to(device)
        chance = torch.Generator().manual_seed(5)
        z = torch.randn(SHOWN // 2, generator.config.latent, generator=chance).to(device)
        true = self.faces.draw(np.random.default_rng(5), SHOWN - SHOWN // 2).to(device).float() / 255
        with torch.inference_mode(), autocast(device):
            faces = torch.cat([generator(z, self.options.psi), true]).clamp(0, 1)
            seen = enlarged(F.adaptive_avg_pool2d(luma_of(faces), max(self.options.lows)), faces.shape[-1])
            again = generator.drawn(generator.get_buffer("mean") + net(seen)[0])
        return sheet(torch.cat([seen.expand_as(faces), again, faces]).float().cpu(), SHOWN)


def generator_of(source: str) -> PortraitNet:
    """The generator of an exported run, frozen.

    Raises:
        ValueError: the weights are of another net, or not there yet.
        WeightsError: they are damaged.
    """
    path = Path(source) if Path(source).suffix else store.shipped_folder() / f"{source}{weightfile.SUFFIX}"
    if not path.is_file():
        raise ValueError(f"[options]: generator {path} is not there; run and export the recipe portrait first")
    net, _ = store.load(str(path))
    if not isinstance(net, PortraitNet):
        raise ValueError(f"[options]: generator {path} is no generator of portraits")
    return net.eval().requires_grad_(False)
