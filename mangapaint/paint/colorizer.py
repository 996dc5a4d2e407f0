"""Colours and enlarges decoded pages: layout and palette on the host, everything else in one trip to the device."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, cast

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from mangapaint.engine.runner import Engine
from mangapaint.errors import UsageError
from mangapaint.layout import strips
from mangapaint.models import store
from mangapaint.models.lab import rgb_to_lab
from mangapaint.models.painting import Guide, PaintingNet
from mangapaint.page import PageImage, Region
from mangapaint.paint import choosing, palettefile
from mangapaint.paint.choosing import Glance
from mangapaint.paint.compose import joint_upsample, under_ink, under_luminance
from mangapaint.paint.consistency import Consistency, consistency
from mangapaint.paint.drawing import STRIP_OVERLAP, Drawing, drawing_of, labelled, reduced, stitched, whole_regions
from mangapaint.paint.enlarge import Enlarger
from mangapaint.paint.firstlook import FirstLook, RememberingNet
from mangapaint.paint.hintfiles import Named, matched
from mangapaint.paint.hints import Cue, fill_of, palettes, read_cue
from mangapaint.paint.look import Look, look_of
from mangapaint.paint.memory import ChapterMemory, empty
from mangapaint.paint.palettefile import PaletteFile
from mangapaint.paint.sightings import Sightings
from mangapaint.settings import PaintSettings, Settings


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
        self.net: PaintingNet | None = None
        self.enlarger: Enlarger | None = None
        sums = []
        if settings.paint is not None:
            net, spec = store.load(settings.paint.model, task="colorize", offline=offline)
            self.net = cast(PaintingNet, engine.prepare(net))
            sums.append(spec.sha256)
        if settings.upscale.scale > 1:
            self.enlarger = Enlarger(engine, settings.upscale, offline=offline)
            sums.append(self.enlarger.sha256)
        self.weights = "".join(sums)
        self.palette = torch.zeros(1, 0)
        self.file: PaletteFile | None = None
        self.sightings: list[Sightings] = []
        self.memory: ChapterMemory | None = None
        self.seen_before = b""

    @property
    def digest(self) -> str:
        """Hex digest of the weights, of the chapter's palette and of the pages that its memory was made from."""
        palette = (self.palette * 1000).round().to(torch.int32).numpy().tobytes()
        return hashlib.sha256(self.weights.encode() + palette + self.seen_before).hexdigest()

    @property
    def device(self) -> str:
        return f"{self.engine.device.torch_device} {self.engine.device.precision}"

    def prepare(self, pages: Sequence[Page]) -> None:
        """Choose the chapter's palette (references, else a coloured cover, else one of the bank); find its hints."""
        self.sightings = []
        if self.settings.paint is not None and self.settings.paint.palette is not None:
            self.file = palettefile.read(self.settings.paint.palette)
        if self.settings.paint is not None and self.settings.paint.hints is not None:
            match = matched(self.settings.paint.hints, pages)
            self.hints = match.files
            for path in match.unmatched:
                self.tell(f"warning: the hints {path.name} belong to no page of {pages[0].chapter}")
        if self.settings.paint is not None and isinstance(bank := getattr(self.net, "bank", None), Tensor):
            self.recall(self.settings.paint, bank.float().cpu(), pages)

    def recall(self, paint: PaintSettings, bank: Tensor, pages: Sequence[Glance]) -> None:
        """Choose the chapter's palette and, where the net can follow one, make its memory.

        References come first; then the pages are looked at once, in an order of their own, and what was painted most
        often where things look alike is what the second pass follows.
        """
        self.memory, self.seen_before = None, b""
        remembers = bool(getattr(self.net, "remembers", False))
        look = FirstLook(self.engine, cast(RememberingNet, self._net), paint.mode)
        seen = list(choosing.anchors(pages)) if remembers else []

        def suggested() -> Tensor:
            return bank[paint.seed % len(bank)][None]

        choice = choosing.choose(paint, bank, pages, self.settings.input.limits, suggested)
        self.palette = choice.palette if self.file is None else self.file.palette
        if not remembers:
            return
        memory = empty(self.palette, int(getattr(self.net, "descriptor_width", 0)))
        for picture in choice.pictures:
            memory = look.with_reference(memory, picture)
        for page in seen:
            memory = look.with_page(memory, page)
        self.memory = memory
        for page in seen:
            self.seen_before += hashlib.sha256(page.pixels.tobytes()).digest()

    def seen_size(self, height: int, width: int) -> tuple[int, int]:
        """Height and width, px, at which the net sees a page of that size, padding not counted."""
        scale = min(1.0, self._net.long_side / max(height, width))
        return max(1, round(height * scale)), max(1, round(width * scale))

    def consistency(self) -> Consistency | None:
        """How far things kept their colours over the pages painted since `prepare`."""
        return consistency(self.sightings)

    def save_palette(self, path: Path, chapter: str) -> None:
        """Write the colours of the pages painted since `prepare`, with the changes that were made to them."""
        colours = palettefile.main_colours(self.sightings)
        if self.file is not None:
            colours = self.file.continued(colours)
        palettefile.write(path, PaletteFile(colours, self.palette if self.palette.numel() else None), chapter=chapter)

    def fitting_batch(self, height: int, width: int) -> int:
        """How many pages of that size one call should get."""
        if self.net is None:
            return self.engine.fitting_batch("upscaler", height, width)
        scale, multiple_of = self.settings.upscale.scale if self.enlarges_first else 1, self.net.multiple_of
        sides = [-(-side // multiple_of) * multiple_of for side in self.seen_size(scale * height, scale * width)]
        return self.engine.fitting_batch("painter", *sides)

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
        mode, nobody = self._paint.mode, [None] * len(pages)
        drawings = [drawing_of(*each) for each in zip(pages, [mode] * len(pages), numbers or nobody, strict=True)]
        layers = self.layers(drawings, cues)
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

    def layers(self, drawings: Sequence[Drawing], cues: Sequence[Cue | None]) -> list[Tensor]:
        """(1, 6, h, w) each, at the size the net saw: paint, ab (Lab units), paper."""
        height, width = drawings[0].gray.shape
        windows = [Region(0, 0, width, height)]
        if strips.is_strip(height, width):
            windows = strips.cut(drawings[0].gray, round(1.4 * width), STRIP_OVERLAP)
            return [stitched(self.seen([d], [c], windows), windows) for d, c in zip(drawings, cues, strict=True)]
        return list(self.seen(drawings, cues, windows))

    def seen(self, drawings: Sequence[Drawing], cues: Sequence[Cue | None], windows: Sequence[Region]) -> list[Tensor]:
        """What the net says of each drawing in each window: (1, 6, h, w)."""
        whole = drawings[0].gray.shape
        found = []
        for window in windows:
            size = self.seen_size(window.height, window.width)
            gray = self.moved([d.gray[window.slices] for d in drawings])[:, None]
            mask = self.moved([d.paper[window.slices] for d in drawings])[:, None]
            labels = self.moved([labelled(d.gray[window.slices], size, self._net.multiple_of) for d in drawings])
            page, share = reduced(gray.float() / 255, size), reduced(mask.float(), size)
            given = [np.zeros((4, *size), np.float32) if c is None else c.part(window, whole, size) for c in cues]
            output, descriptors = self.run_net(page, self.moved(given), palettes(self.palette, cues), labels)
            found.append(torch.cat([output, whole_regions(share, labels)], 1))
            for i, each in enumerate(drawings):
                if each.number is not None:
                    what = None if descriptors is None else descriptors[i]
                    seen = found[-1][i : i + 1], page[i : i + 1], labels[i]
                    self.sightings.append(self.look.sightings(each.number, *seen, each.mode, what))
        return [part[i : i + 1] for part in found for i in range(len(part))]

    def moved(self, arrays: Sequence[NDArray[Any]]) -> Tensor:
        """(N, ...) on the device."""
        return torch.from_numpy(np.stack(arrays)).to(self.engine.device.torch_device)

    def run_net(self, page: Tensor, hints: Tensor, palette: Tensor, labels: Tensor) -> tuple[Tensor, Tensor | None]:
        """Net and upsampling along the drawing's edges.

        Args:
            page: (N, 1, h, w) in 0..1.
            hints: (N, 4, h, w), see PaintingNet.paints.
            palette: (N, 216).
            labels: (N, H / 2, W / 2) int64 regions, H and W being h and w rounded up to what the net takes.

        Returns:
            (N, 5, h, w): paint sRGB in 0..1, ab in Lab units; and the net's descriptors of the padded page, if any.
        """
        height, width = page.shape[-2:]
        margin = (0, -width % self._net.multiple_of, 0, -height % self._net.multiple_of)
        padded, hints = F.pad(page, margin, mode="replicate"), F.pad(hints, margin)
        output = self.engine.run("painter", self.paint_of, padded, hints, palette, labels)
        output, descriptors = output if isinstance(output, tuple) else (output, None)
        full = joint_upsample(output.float(), padded)[:, :, :height, :width]
        return torch.cat([full[:, :3], full[:, 3:] * 110], 1), descriptors

    def paint_of(self, page: Tensor, hints: Tensor, palette: Tensor, labels: Tensor) -> Tensor | tuple[Tensor, Tensor]:
        """(N, 5, h / 2, w / 2), see PaintingNet.paints; of a net that remembers also what it describes."""
        memory = self.memory.memory(page.device) if self.memory is not None else None
        kin = self.memory.kin(page.device) if self.memory is not None else None
        guide = Guide(palette, labels, self._paint.vividness, self._paint.seed, memory, kin)
        if getattr(self._net, "remembers", False):
            return cast(RememberingNet, self._net).described(page, hints, guide)
        return self._net.paints(page, hints, guide)

    def composed(self, drawing: Drawing, layer: Tensor, cue: Cue | None) -> NDArray[np.uint8]:
        """The full-resolution (and enlarged) coloured page."""
        page = torch.from_numpy(drawing.gray)[None, None].to(layer.device)
        if self.enlarger is not None and not self.enlarges_first:
            page = self.enlarger.gray(page)
        fill = layer.new_zeros(1, 4, 1, 1)
        dense = cue is not None and cue.dense
        if cue is not None and not (dense and getattr(self.net, "follows_cues", False)):
            fill = fill_of(cue, drawing.gray, (layer.shape[2], layer.shape[3])).to(layer.device)
        given, weight = fill[:, :3], fill[:, 3:]
        paper_share = layer[:, 5:6] * (1 if dense else 1 - weight)
        if drawing.mode == "gray":
            ab = self.look.gray(layer[:, 3:5], torch.from_numpy(drawing.gray)[None, None].to(layer.device) / 255)
            colour = under_luminance(torch.lerp(ab, rgb_to_lab(given)[:, 1:], weight), page, paper_share)
        else:
            colour = under_ink(torch.lerp(self.look.ink(layer[:, :3]), given, weight), page, paper_share)
        return np.ascontiguousarray(colour[0].permute(1, 2, 0).cpu().numpy())

    @property
    def look(self) -> Look:
        """What lies between the net and the composition."""
        return look_of(self.net, self._paint.vividness, None if self.file is None else self.file.edits())

    @property
    def _net(self) -> PaintingNet:
        if self.net is None:
            raise UsageError("no colouring net was loaded")
        return self.net

    @property
    def _paint(self) -> PaintSettings:
        if self.settings.paint is None:
            raise UsageError("no colouring net was loaded")
        return self.settings.paint
