"""Colours and enlarges decoded pages: layout and palette on the host, everything else in one trip to the device."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mangapaint.engine.runner import Engine
from mangapaint.errors import UsageError
from mangapaint.models import store
from mangapaint.models.lab import rgb_to_lab
from mangapaint.models.painting import PaintingNet
from mangapaint.page import PageImage
from mangapaint.paint import memory, palettefile, variantfile
from mangapaint.paint.brush import Brush
from mangapaint.paint.choosing import Glance
from mangapaint.paint.compose import under_ink, under_luminance
from mangapaint.paint.consistency import Consistency, consistency
from mangapaint.paint.drawing import Drawing
from mangapaint.paint.enlarge import Enlarger
from mangapaint.paint.faces import FaceFinder
from mangapaint.paint.hintfiles import Named, matched
from mangapaint.paint.hints import Cue, fill_of, read_cue
from mangapaint.paint.palettefile import PaletteFile
from mangapaint.paint.paperfinder import PaperFinder
from mangapaint.paint.recall import recall
from mangapaint.settings import Settings


@dataclass(frozen=True, slots=True)
class Painted:
    """A result: (H * scale, W * scale, 3) uint8 sRGB, and the seconds that the nets took for it."""

    pixels: NDArray[np.uint8]
    seconds: float


class Page(Glance, Named, Protocol):
    """A page as `prepare` sees it."""


def unheard(text: str) -> None:
    """Where nobody listens."""


class Colorizer:
    """The colouring net and the upscaler of one run.

    Args:
        engine: where the nets run.
        settings: of the run; `settings.paint` None loads no colouring net.
        tell: gets lines for the user.

    Raises:
        WeightsError: weights are missing, altered or made for another task.
    """

    def __init__(self, engine: Engine, settings: Settings, tell: Callable[[str], None] = unheard) -> None:
        self.engine = engine
        self.settings = settings
        self.tell = tell
        self.hints: dict[int, Path] = {}
        offline = settings.engine.offline
        self.brush: Brush | None = None
        self.enlarger: Enlarger | None = None
        sums = []
        if settings.paint is not None:
            net, spec = store.load(settings.paint.model, task="colorize", offline=offline)
            sums.append(spec.sha256)
            finder, paper = None, None
            if settings.paint.paper == "auto" and settings.paint.mode != "gray":
                paper = PaperFinder.load(engine, offline=offline)
                sums.append(paper.sha256)
            if settings.paint.split == "faces" or settings.paint.memory and getattr(net, "remembers", False):
                finder = FaceFinder.load(engine, offline=offline)
                sums.append(finder.sha256)
            self.brush = Brush(engine, cast(PaintingNet, engine.prepare(net)), settings.paint, finder, paper)
        if settings.upscale.scale > 1:
            self.enlarger = Enlarger(engine, settings.upscale, offline=offline)
            sums.append(self.enlarger.sha256)
        self.weights = "".join(sums)
        self.seen_before = b""

    @property
    def digest(self) -> str:
        """Hex digest of the weights, of the chapter's palette and of the pages that its memory was made from."""
        palette = (self.palette * 1000).round().to(torch.int32).numpy().tobytes()
        return hashlib.sha256(self.weights.encode() + palette + self.seen_before).hexdigest()

    @property
    def palette(self) -> Tensor:
        """(1, 216) that pages are painted by; (1, 0) where the net has no bank of palettes."""
        return torch.zeros(1, 0) if self.brush is None else self.brush.palette

    @palette.setter
    def palette(self, chosen: Tensor) -> None:
        self._brush.palette = chosen

    @property
    def net(self) -> PaintingNet | None:
        """The colouring net, None when pages are only enlarged."""
        return None if self.brush is None else self.brush.net

    @property
    def device(self) -> str:
        return f"{self.engine.device.torch_device} {self.engine.device.precision}"

    def prepare(self, pages: Sequence[Page]) -> None:
        """Choose the chapter's palette, make its memory, find its hints."""
        brush, paint = self.brush, self.settings.paint
        if brush is None or paint is None:
            return
        brush.sightings = []
        if paint.hints is not None:
            match = matched(paint.hints, pages)
            self.hints = match.files
            for path in match.unmatched:
                self.tell(f"warning: the hints {path.name} belong to no page of {pages[0].chapter}")
        brush.latent = None
        if paint.variant is not None:
            brush.latent = variantfile.read(paint.variant).noise
        if hasattr(brush.net, "bank"):
            self.seen_before = recall(self.engine, brush, pages, self.settings.input.limits)
        elif paint.palette is not None:
            brush.file = palettefile.read(paint.palette)

    def consistency(self) -> Consistency | None:
        """How far things kept their colours over the pages painted since `prepare`."""
        return None if self.brush is None else consistency(self.brush.sightings)

    def save_palette(self, path: Path, chapter: str) -> None:
        """Write the colours of the pages painted since `prepare`, with the changes that were made to them."""
        brush = self._brush
        if path.suffix.lower() == memory.SUFFIX:
            if brush.memory is None:
                raise UsageError(f"{brush.settings.model} remembers no chapter", remedy="name a .toml file instead")
            brush.memory.save(path)
            return
        colours = palettefile.main_colours(brush.sightings)
        if brush.file is not None:
            colours = brush.file.continued(colours)
        cells = brush.palette if brush.palette.numel() else None
        palettefile.write(path, PaletteFile(colours, cells), chapter=chapter)

    def fitting_batch(self, height: int, width: int) -> int:
        """How many pages of that size one call should get."""
        if self.brush is None:
            return self.engine.fitting_batch("upscaler", height, width)
        scale = self.settings.upscale.scale if self.enlarges_first else 1
        return self.engine.fitting_batch("painter", *self.brush.padded_size(scale * height, scale * width))

    def paint(self, pages: list[PageImage], numbers: Sequence[int] = ()) -> list[Painted]:
        """Colour (and enlarge, where the settings say so) pages of one size.

        Args:
            pages: decoded, of one size.
            numbers: 0-based, of the pages in the chapter; without them no hints are found.

        Raises:
            PageError: the hints of a page cannot be used.
        """
        started = self.engine.seconds
        cues: list[Cue | None] = [None] * len(pages)
        for place, number in enumerate(numbers):
            if number in self.hints:
                cues[place] = read_cue(self.hints[number], pages[place], self.settings.input.limits)
        if self.enlarger is not None and self.enlarges_first:
            pages = [self.enlarger.drawing(page) for page in pages]
        brush, nobody = self._brush, [None] * len(pages)
        mode, finder, desk = brush.settings.mode, brush.paper, brush.desk
        drawings = [desk.drawing(page, mode, i, finder) for page, i in zip(pages, numbers or nobody, strict=True)]
        layers = brush.layers(drawings, cues)
        for drawing in drawings:
            desk.drop(drawing)
        results = [self.composed(*each) for each in zip(drawings, layers, cues, strict=True)]
        seconds = (self.engine.seconds - started) / len(pages)
        return [Painted(pixels, seconds) for pixels in results]

    @property
    def enlarges_first(self) -> bool:
        """Whether the net sees enlarged pages."""
        return self.enlarger is not None and self.settings.upscale.order == "upscale-first"

    def upscale(self, pages: list[PageImage]) -> list[Painted]:
        """Enlarge pages without touching their colours."""
        if self.enlarger is None:
            raise UsageError("no upscaler was loaded")
        results = []
        for page in pages:
            started = self.engine.seconds
            pixels = self.enlarger.colour(page.pixels)
            results.append(Painted(pixels, self.engine.seconds - started))
        return results

    def sheet(self, drawing: Drawing) -> Tensor:
        """(1, 1, H, W) uint8: the drawing as it is laid over the paint, enlarged where the settings say so."""
        page = torch.from_numpy(drawing.gray)[None, None].to(self.engine.device.torch_device)
        return page if self.enlarger is None or self.enlarges_first else self.enlarger.gray(page)

    def composed(
        self, drawing: Drawing, layer: Tensor, cue: Cue | None, sheet: Tensor | None = None
    ) -> NDArray[np.uint8]:
        """The full-resolution (and enlarged) coloured page; `sheet` where it was made before."""
        page = self.sheet(drawing) if sheet is None else sheet
        fill = layer.new_zeros(1, 4, 1, 1)
        dense = cue is not None and cue.dense
        if cue is not None and not (dense and getattr(self._brush.net, "follows_cues", False)):
            fill = fill_of(cue, drawing.gray, (layer.shape[2], layer.shape[3])).to(layer.device)
        given, weight = fill[:, :3], fill[:, 3:]
        paper_share = layer[:, 5:6] * (1 if dense else 1 - weight)
        look = self._brush.look
        if drawing.mode == "gray":
            ab = look.gray(layer[:, 3:5], torch.from_numpy(drawing.gray)[None, None].to(layer.device) / 255)
            colour = under_luminance(torch.lerp(ab, rgb_to_lab(given)[:, 1:], weight), page, paper_share)
        else:
            colour = under_ink(torch.lerp(look.ink(layer[:, :3]), given, weight), page, paper_share)
        return np.ascontiguousarray(colour[0].permute(1, 2, 0).cpu().numpy())

    @property
    def _brush(self) -> Brush:
        if self.brush is None:
            raise UsageError("no colouring net was loaded")
        return self.brush
