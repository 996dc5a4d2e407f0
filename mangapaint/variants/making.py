"""Makes the variants of one subject: by palettes and noise before a colouring net, or by a generator of faces."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, cast

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mangapaint.engine.runner import Engine
from mangapaint.errors import UsageError
from mangapaint.models import store
from mangapaint.page import PageImage
from mangapaint.paint.brush import Brush
from mangapaint.paint.colorizer import Colorizer
from mangapaint.paint.enlarge import Enlarger
from mangapaint.paint.variantfile import Variant, cells_of
from mangapaint.portrait import Edit, Portrait
from mangapaint.settings import MIB, PaintSettings, Settings
from mangapaint.variants.choosing import far_apart
from mangapaint.variants.closeups import close_ups_of
from mangapaint.variants.easel import Easel
from mangapaint.variants.schemes import scheme_of
from mangapaint.variants.seeds import candidates
from mangapaint.variants.subjects import Faces, Find, Subject, subjects_of

TIMES, MORE = 2, 6
"""Candidates for n variants: TIMES * n + MORE, but one for one."""
KEPT = 512 * MIB
"""Of what the net said of the candidates; the rest is painted once more when it was chosen."""

Step = Callable[[int, int], None]
"""Called with how many pieces of work are done, and of how many."""


@dataclass(frozen=True, slots=True)
class Made:
    """One variant: (H * scale, W * scale, 3) uint8 sRGB, its seed, and what else it takes to make it again."""

    pixels: NDArray[np.uint8]
    seed: int
    facts: dict[str, Any]


class Studio(Protocol):
    """Makes variants with one model.

    Attributes:
        facts: of all pictures, for the record.
    """

    facts: dict[str, Any]

    def subjects(self, image: PageImage, faces: Faces, find: Find, mode: str) -> list[Subject]:
        """What of a page it works on, see `subjects_of`."""
        ...

    def variants(self, subject: Subject, count: int, seed: int, step: Step) -> Iterator[Made]:
        """`count` variants, far apart from each other; `step` may raise to stop.

        A variant depends on the subject, its own seed and the settings, not on the others.
        """
        ...


def open_studio(engine: Engine, settings: Settings, edits: Sequence[Edit], tell: Callable[[str], None]) -> Studio:
    """The studio of the model that the settings name.

    Raises:
        UsageError: no such model, one that colours in one way only, or one that knows no edits.
        WeightsError: weights are missing or altered.
    """
    model = (settings.paint or PaintSettings()).model
    if store.resolve(model, offline=settings.engine.offline, tell=tell)[1].task == "portrait":
        return PortraitStudio(model, engine, settings, edits, tell)
    if edits:
        raise UsageError("only portraits can be edited", remedy="add --model portrait, or leave --edit out")
    return PaintingStudio(Colorizer(engine, settings, tell))


class PaintingStudio:
    """Variants by a colouring net: other palettes where it has a bank, other noise where it takes some."""

    def __init__(self, colorizer: Colorizer) -> None:
        if colorizer.brush is None:
            raise UsageError("variants need a colouring net")
        self.colorizer = colorizer
        self.brush: Brush = colorizer.brush
        net = self.brush.net
        self.bank = cast(Tensor, net.bank).float().cpu() if hasattr(net, "bank") else None
        self.latent = int(getattr(net, "latent_size", 0))
        model = self.brush.settings.model
        if self.bank is None and not self.latent:
            raise UsageError(f"{model} colours a picture in one way only", remedy="choose painter, dcgan or wgan-gp")
        self.facts = {"model": model, "weights": colorizer.weights}

    def subjects(self, image: PageImage, faces: Faces, find: Find, mode: str) -> list[Subject]:
        return subjects_of(image, faces, find, mode, self.brush.paper)

    def variants(self, subject: Subject, count: int, seed: int, step: Step) -> Iterator[Made]:
        easel = Easel(self.brush, subject.drawing)
        found = [self.variant(each, subject) for each in candidates(seed, 1 if count == 1 else TIMES * count + MORE)]
        total = len(found) + count
        kept: dict[int, list[Tensor]] = {}
        colours = []
        room = KEPT
        for index, variant in enumerate(found):
            step(index, total)
            outputs = self.painted(easel, variant)
            colours.append(easel.colours(outputs))
            room -= sum(output.nbytes for output in outputs)
            if room > 0:
                kept[index] = outputs
        sheet = self.colorizer.sheet(subject.drawing)
        for place, index in enumerate(far_apart(torch.stack(colours), easel.area, count)):
            step(len(found) + place, total)
            layer = easel.layer(kept.get(index) or self.painted(easel, found[index]))
            facts: dict[str, Any] = {}
            if found[index].cells:
                facts["palette"] = [list(pair) for pair in found[index].cells]
            if found[index].latent:
                facts["latent"] = found[index].latent
            yield Made(self.colorizer.composed(subject.drawing, layer, None, sheet), found[index].seed, facts)
        step(total, total)

    def variant(self, seed: int, subject: Subject) -> Variant:
        """What the net is given for a seed."""
        cells: tuple[tuple[int, float], ...] = ()
        if self.bank is not None:
            cells = cells_of(scheme_of(seed).palette(self.bank, subject.drawing.mode, face=subject.face))
        return Variant(self.brush.settings.model, seed, cells, self.latent)

    def painted(self, easel: Easel, variant: Variant) -> list[Tensor]:
        return easel.painted(variant.palette, variant.noise, variant.seed)


class PortraitStudio:
    """Variants by a generator of faces, see mangapaint.portrait."""

    def __init__(
        self, model: str, engine: Engine, settings: Settings, edits: Sequence[Edit], tell: Callable[[str], None]
    ) -> None:
        offline = settings.engine.offline
        self.portrait = Portrait.load(engine, model, offline=offline, tell=tell)
        self.enlarger = None
        weights = self.portrait.weights
        if settings.upscale.scale > 1:
            self.enlarger = Enlarger(engine, settings.upscale, offline=offline)
            weights += self.enlarger.sha256
        self.edits = tuple(edits)
        self.facts: dict[str, Any] = {"model": model, "weights": weights}

    def subjects(self, image: PageImage, faces: Faces, find: Find, mode: str) -> list[Subject]:
        return close_ups_of(image, faces, find, mode)

    def variants(self, subject: Subject, count: int, seed: int, step: Step) -> Iterator[Made]:
        gray = np.asarray(cv2.cvtColor(subject.image.pixels, cv2.COLOR_RGB2GRAY), np.uint8)
        made = self.portrait.results(gray, count, seed, self.edits, step=lambda done: step(done, 2 * count))
        for place, result in enumerate(made):
            step(count + place, 2 * count)
            pixels = result.pixels if self.enlarger is None else self.enlarger.colour(result.pixels)
            facts = {key: value for key, value in result.record.items() if key != "seed"}
            yield Made(pixels, int(result.record["seed"]), facts)
        step(2 * count, 2 * count)
