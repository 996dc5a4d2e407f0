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
from mangapaint.paint.choosing import Glance, chapter_palette
from mangapaint.paint.compose import joint_upsample, lifted, under_ink, under_luminance, vivid
from mangapaint.paint.drawing import STRIP_OVERLAP, Drawing, drawing_of, labelled, reduced, stitched, whole_regions
from mangapaint.paint.enlarge import Enlarger
from mangapaint.paint.hintfiles import Named, matched
from mangapaint.paint.hints import Cue, fill_of, read_cue
from mangapaint.settings import PaintSettings, Settings

VIVID = 1.75
"""Gain on the colour of paint under ink: the mean of a vote is paler than any colour that was voted for."""
LIFT = 0.7
"""Share by which paint under ink is brightened (compose.lifted)."""


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

    @property
    def digest(self) -> str:
        """Hex digest of the weights and of the chapter's palette."""
        palette = (self.palette * 1000).round().to(torch.int32).numpy().tobytes()
        return hashlib.sha256(self.weights.encode() + palette).hexdigest()

    @property
    def device(self) -> str:
        return f"{self.engine.device.torch_device} {self.engine.device.precision}"

    def prepare(self, pages: Sequence[Page]) -> None:
        """Choose the chapter's palette (references, else a coloured cover, else one of the bank); find its hints."""
        if self.settings.paint is not None and self.settings.paint.hints is not None:
            match = matched(self.settings.paint.hints, pages)
            self.hints = match.files
            for path in match.unmatched:
                self.tell(f"warning: the hints {path.name} belong to no page of {pages[0].chapter}")
        bank = getattr(self.net, "bank", None)
        if self.settings.paint is not None and bank is not None:
            bank = cast(Tensor, bank).float().cpu()
            self.palette = chapter_palette(self.settings.paint, bank, pages, self.settings.input.limits)

    def seen_size(self, height: int, width: int) -> tuple[int, int]:
        """Height and width, px, at which the net sees a page of that size, padding not counted."""
        scale = min(1.0, self._net.long_side / max(height, width))
        return max(1, round(height * scale)), max(1, round(width * scale))

    def fitting_batch(self, height: int, width: int) -> int:
        """How many pages of that size one call should get."""
        if self.net is None:
            return self.engine.fitting_batch("upscaler", height, width)
        sides = [-(-side // self.net.multiple_of) * self.net.multiple_of for side in self.seen_size(height, width)]
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
        drawings = [drawing_of(page, self._paint.mode) for page in pages]
        cues: list[Cue | None] = [None] * len(pages)
        for place, number in enumerate(numbers):
            if number in self.hints:
                cues[place] = read_cue(self.hints[number], pages[place], self.settings.input.limits)
        layers = self.layers(drawings, cues)
        results = [self.composed(*each) for each in zip(drawings, layers, cues, strict=True)]
        seconds = (self.engine.seconds - started) / len(pages)
        return [Painted(pixels, seconds) for pixels in results]

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
            found.append(torch.cat([self.run_net(page, self.moved(given), labels), whole_regions(share, labels)], 1))
        return [part[i : i + 1] for part in found for i in range(len(part))]

    def moved(self, arrays: Sequence[NDArray[Any]]) -> Tensor:
        """(N, ...) on the device."""
        return torch.from_numpy(np.stack(arrays)).to(self.engine.device.torch_device)

    def run_net(self, page: Tensor, hints: Tensor, labels: Tensor) -> Tensor:
        """Net and upsampling along the drawing's edges.

        Args:
            page: (N, 1, h, w) in 0..1.
            hints: (N, 4, h, w), see PaintingNet.paints.
            labels: (N, H / 2, W / 2) int64 regions, H and W being h and w rounded up to what the net takes.

        Returns:
            (N, 5, h, w): paint sRGB in 0..1, ab in Lab units.
        """
        n, _, height, width = page.shape
        multiple_of = self._net.multiple_of
        margin = (0, -width % multiple_of, 0, -height % multiple_of)
        padded, hints = F.pad(page, margin, mode="replicate"), F.pad(hints, margin)
        palette = self.palette.to(page.device).expand(n, -1)
        output = self.engine.run("painter", self.paint_of, padded, hints, palette, labels)
        full = joint_upsample(cast(Tensor, output).float(), padded)[:, :, :height, :width]
        return torch.cat([full[:, :3], full[:, 3:] * 110], 1)

    def paint_of(self, page: Tensor, hints: Tensor, palette: Tensor, labels: Tensor) -> Tensor:
        """(N, 5, h / 2, w / 2), see PaintingNet.paints."""
        guide = Guide(palette, labels, self._paint.vividness, self._paint.seed)
        return self._net.paints(page, hints, guide)

    def composed(self, drawing: Drawing, layer: Tensor, cue: Cue | None) -> NDArray[np.uint8]:
        """The full-resolution (and enlarged) coloured page."""
        page = torch.from_numpy(drawing.gray)[None, None].to(layer.device)
        if self.enlarger is not None:
            page = self.enlarger.gray(page)
        fill = layer.new_zeros(1, 4, 1, 1)
        if cue is not None and not cue.dense:
            fill = fill_of(cue, drawing.gray, (layer.shape[2], layer.shape[3])).to(layer.device)
        given, weight = fill[:, :3], fill[:, 3:]
        paper_share = layer[:, 5:6] * (1 - weight)
        gain = 1.0 if getattr(self.net, "takes_vividness", False) else self._paint.vividness
        if drawing.mode == "gray":
            ab = torch.lerp(layer[:, 3:5] * gain, rgb_to_lab(given)[:, 1:], weight)
            colour = under_luminance(ab, page, paper_share)
        else:
            paint = vivid(layer[:, :3], float(getattr(self.net, "vivid", VIVID)) * gain)
            paint = torch.lerp(lifted(paint, float(getattr(self.net, "lift", LIFT))), given, weight)
            colour = under_ink(paint, page, paper_share)
        return np.ascontiguousarray(colour[0].permute(1, 2, 0).cpu().numpy())

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
