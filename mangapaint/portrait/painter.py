"""From a gray face to portraits."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from mangapaint.engine.runner import Engine
from mangapaint.errors import PageError, UsageError, WeightsError, printable
from mangapaint.models import store, weightfile
from mangapaint.models.portrait_encoder import PortraitEncoder
from mangapaint.models.portrait_net import PortraitNet
from mangapaint.models.registry import REGISTRY
from mangapaint.portrait import directions
from mangapaint.portrait.consistency import reduced
from mangapaint.portrait.edits import Edit
from mangapaint.portrait.measures import measured
from mangapaint.portrait.refine import agreement, as_seen, exact, luma_of, refined

_log = logging.getLogger("mangapaint.portrait")

SMALLEST = 8
"""Side of the smallest face, px."""
DEFAULT_LOW = 32
STEPS, LATER_STEPS = 60, 25
"""Of refinement: of the face's own place, and of each portrait after mixing."""
PSI = 1.0
"""Truncation of the faces whose styles are mixed in."""
NOISE = 0.2
"""Loudness of the noise, where training had 1: at that it stands in eyes and hair as grains."""
FIRST, LAST = 0.3, 0.5
"""Shares of the layers behind which the styles of the other face begin: colours come with it, but not the pose."""
POOL = 4
"""Candidates drawn for each portrait that is asked for."""
MOST = 1000
"""Portraits at once."""
AT_ONCE = 8
"""Faces in one batch."""


@dataclass(frozen=True, slots=True)
class Result:
    """One portrait.

    Attributes:
        pixels: (side, side, 3) uint8 sRGB.
        record: JSON-able: "seed" and "edits" that make it again, "low" (px at which its luminance is exactly the
            face's; 0 where an edit moved the light), "mixed_from" (first layer with another face's styles), "psnr" (dB
            of the drawing's reduced luminance before it was made exact).
    """

    pixels: NDArray[np.uint8]
    record: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Mix:
    """What chance adds to a face: noise, and the styles of another face from one layer on."""

    seed: int
    noises: list[Tensor]
    z: Tensor
    start: int


class Portrait:
    """The two nets of the model, ready to draw.

    Args:
        net: generator with directions.
        encoder: into its latent space.
        device: where both run; in fp32, for refinement needs gradients and the nets are small.
        weights: hex digests of both weights files.

    Attributes:
        side: of the results, px; an upscaler makes more of them.
    """

    def __init__(self, net: PortraitNet, encoder: PortraitEncoder, device: torch.device, weights: str = "") -> None:
        self.device = device
        self.weights = weights
        self.net = net.to(device).to(memory_format=torch.channels_last).eval().requires_grad_(False)
        self.encoder = encoder.to(device).to(memory_format=torch.channels_last).eval().requires_grad_(False)
        self.side = net.config.side

    @classmethod
    def load(
        cls, engine: Engine, model: str = "portrait", *, offline: bool = False, tell: Callable[[str], None] = _log.info
    ) -> Portrait:
        """Load generator and encoder.

        Args:
            engine: the device.
            model: name or file of the generator's weights; the encoder's are beside them, NAME-encoder.
            offline: never open a socket.
            tell: gets lines for the user.

        Raises:
            UsageError: no such model.
            WeightsError: weights are missing, altered or do not fit together.
        """
        net, first = store.load(model, task="portrait", offline=offline, tell=tell)
        if not isinstance(net, PortraitNet):
            raise WeightsError(f"{printable(model)} is no generator of faces", remedy="name the generator's weights")
        encoder, second = store.load(encoder_of(model), task="portrait", offline=offline, tell=tell)
        if not isinstance(encoder, PortraitEncoder):
            raise WeightsError(f"{printable(encoder_of(model))} is no encoder", remedy="train portrait-encoder")
        ours, theirs = net.config, encoder.config
        if (ours.side, ours.layers, ours.latent) != (theirs.side, theirs.layers, theirs.latent):
            raise WeightsError(
                "the encoder is of another generator", remedy="train portrait-encoder again on this generator"
            )
        return cls(net, encoder, engine.device.torch_device, first.sha256 + second.sha256)

    def results(
        self,
        gray: NDArray[np.uint8],
        count: int,
        seed: int = 0,
        edits: Sequence[Edit] = (),
        *,
        low: int | None = None,
        step: Callable[[int], None] = lambda _done: None,
    ) -> list[Result]:
        """Draw portraits of one face, far apart from each other in colour.

        Args:
            gray: (H, W) uint8, a face with its hair from crown to chin, eyes at half height; the middle square is
                taken.
            count: 1..MOST.
            seed: of all chance, 0 or more. Portraits carry seeds of their own in their records:
                `results(gray, 1, that seed)` makes one again, but for rounding.
            edits: from `edits.parsed`.
            low: px of the side at which the luminance of the results equals the face's exactly: 8, 16, ... `side`; None
                is 32, less for faces smaller than that.
            step: called with how many portraits are done, every few seconds; may raise to stop.

        Raises:
            PageError: the face is smaller than 8 px.
            UsageError: count, seed or low make no sense.
        """
        if not 1 <= count <= MOST:
            raise UsageError(f"the number of portraits must be 1..{MOST}, not {count}")
        if seed < 0:
            raise UsageError(f"the seed must be 0 or more, not {seed}")
        target = reduced(gray, self.low_for(gray, low))
        own, base = self.encoded(target)
        mixes = [self.mix(one) for one in self.seeds(seed, count)]
        if count > 1:
            mixes = [mixes[i] for i in self.apart(base, own, mixes, count)]
        found: list[Result] = []
        for first in range(0, count, AT_ONCE):
            step(first)
            found += self.drawn(base, own, target, mixes[first : first + AT_ONCE], edits)
        return found

    def low_for(self, gray: NDArray[np.uint8], low: int | None) -> int:
        """The side of the low resolution, px, see `results`."""
        have = min(gray.shape)
        if have < SMALLEST:
            raise PageError(f"a face of {have} px is too small for a portrait", remedy=f"give {SMALLEST} px or more")
        sizes = [SMALLEST << i for i in range((self.side // SMALLEST).bit_length())]
        fitting = [size for size in sizes if size <= have]
        if low is None:
            return max(size for size in fitting if size <= DEFAULT_LOW)
        if low not in fitting:
            raise UsageError(f"the low resolution of this face can be {', '.join(map(str, fitting))} px, not {low}")
        return low

    def encoded(self, target: NDArray[np.uint8]) -> tuple[Tensor, Tensor]:
        """The target as luma (1, 1, low, low), and the face's refined place in W+ (1, layers, latent)."""
        luma, seen = as_seen(target, self.side, self.device)
        with torch.inference_mode():
            styles = self.net.get_buffer("mean") + self.encoder(seen)[0]
        return luma, refined(self.net, styles.clone(), self.silent(1), luma, STEPS)

    def silent(self, count: int) -> list[Tensor]:
        """Noise that says nothing."""
        return [torch.zeros(count, 1, side, side, device=self.device) for side in self.net.sides()]

    def seeds(self, seed: int, count: int) -> list[int]:
        """Of the candidates; the first is the seed itself."""
        if count == 1:
            return [seed]
        more = np.random.default_rng(seed).integers(1, 2**31, POOL * count - 1)
        return [seed, *map(int, more)]

    def mix(self, seed: int) -> Mix:
        """What chance adds for one seed."""
        chance = torch.Generator().manual_seed(seed)
        noises, layers = [NOISE * noise for noise in self.net.noises(1, chance)], self.net.config.layers
        z = torch.randn(1, self.net.config.latent, generator=chance)
        start = int(torch.randint(round(FIRST * layers), round(LAST * layers) + 1, (1,), generator=chance))
        return Mix(seed, noises, z, start)

    def mixed(self, base: Tensor, mixes: Sequence[Mix]) -> tuple[Tensor, list[Tensor]]:
        """W+ of the face with the later styles of others, and the noise of each."""
        with torch.no_grad():
            z = torch.cat([mix.z for mix in mixes]).to(self.device)
            other = self.net.broadcast(self.net.truncated(self.net.mapped(z), PSI))
        starts = torch.tensor([mix.start for mix in mixes], device=self.device).view(-1, 1, 1)
        layers = torch.arange(base.shape[1], device=self.device).view(1, -1, 1)
        noises = [torch.cat(parts).to(self.device) for parts in zip(*(mix.noises for mix in mixes), strict=True)]
        return torch.where(layers < starts, base, other), noises

    def apart(self, base: Tensor, target: Tensor, mixes: Sequence[Mix], count: int) -> list[int]:
        """Places of `count` candidates whose colours are far apart, the first among them (farthest point)."""
        rows = []
        for first in range(0, len(mixes), AT_ONCE):
            with torch.no_grad():
                faces = self.net.drawn(*self.mixed(base, mixes[first : first + AT_ONCE]))
                light = F.adaptive_avg_pool2d(luma_of(faces), target.shape[-1])
                lift = F.interpolate(target - light, size=faces.shape[-2:])
                rows.append(measured(faces + lift)[:, :9].cpu().numpy())
        colours = np.concatenate(rows)[:, [1, 2, 4, 5, 7, 8]] * np.array([1, 1, 0.6, 0.6, 0.5, 0.5])
        chosen = [0]
        nearest = np.full(len(colours), np.inf)
        while len(chosen) < count:
            nearest = np.minimum(nearest, np.linalg.norm(colours - colours[chosen[-1]], axis=1))
            nearest[chosen] = -1
            chosen.append(int(nearest.argmax()))
        return chosen

    def drawn(
        self, base: Tensor, own: Tensor, target: NDArray[np.uint8], mixes: Sequence[Mix], edits: Sequence[Edit]
    ) -> list[Result]:
        """One batch of portraits."""
        styles, noises = self.mixed(base, mixes)
        styles = refined(self.net, styles, noises, own, LATER_STEPS)
        lit = any(edit.moves_light for edit in edits)
        with torch.no_grad():
            before = self.net.drawn(styles, noises)
            faces = before
            if edits:
                faces = self.net.drawn(directions.edited(self.net, styles, noises, edits, not lit), noises)
            agreed = agreement(before, own)
        found = []
        for i, (mix, face) in enumerate(zip(mixes, faces, strict=True)):
            aim = self.shifted(target, before[i], face) if lit else target
            record = {
                "seed": mix.seed,
                "edits": {edit.name: edit.value for edit in edits},
                "low": 0 if lit else len(target),
                "mixed_from": mix.start,
                "psnr": round(float(agreed[i]), 2),
            }
            found.append(Result(exact(face, aim), record))
        return found

    def shifted(self, target: NDArray[np.uint8], before: Tensor, after: Tensor) -> NDArray[np.uint8]:
        """The target plus what an edit did to the drawing's reduced luma."""
        pair = F.adaptive_avg_pool2d(luma_of(torch.stack([before, after]).clamp(0, 1)), len(target))
        moved = (pair[1, 0] - pair[0, 0]).cpu().numpy() * 255
        return np.asarray(np.clip(np.rint(target + moved), 0, 255), np.uint8)


def encoder_of(model: str) -> str:
    """Name or file of the encoder that goes with a generator."""
    if model in REGISTRY or not Path(model).suffix:
        return f"{model}-encoder"
    path = Path(model)
    return str(path.with_name(f"{path.stem}-encoder{weightfile.SUFFIX}"))
