"""A colouring net with all that it is told of a chapter; pages become layers of paint at the size that it sees."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, cast

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from mangapaint.engine.runner import Engine
from mangapaint.layout import strips
from mangapaint.layout.faces import head_of
from mangapaint.layout.panels import find_panels
from mangapaint.models.painting import Guide, PaintingNet
from mangapaint.page import Region
from mangapaint.paint.compose import joint_upsample
from mangapaint.paint.desk import Desk
from mangapaint.paint.drawing import STRIP_OVERLAP, Drawing, labelled, reduced, stitched, whole_regions
from mangapaint.paint.faces import FaceFinder
from mangapaint.paint.firstlook import RememberingNet, unhinted
from mangapaint.paint.hints import Cue, palettes
from mangapaint.paint.look import Look, look_of
from mangapaint.paint.memory import ChapterMemory
from mangapaint.paint.palettefile import PaletteFile
from mangapaint.paint.paperfinder import PaperFinder
from mangapaint.paint.sightings import Sightings
from mangapaint.settings import PaintSettings

SMALLEST_PANEL = 48
"""Px of what the net sees under which a panel or a head is left to the page."""
FADE = 0.2
"""Share of a head's square, on each side, in which it goes over into the page."""


class Brush:
    """Runs a colouring net over the pages of one chapter after another.

    Args:
        engine: where the net runs.
        net: on the engine's device.
        paint: what the user wishes.
        finder: of faces, for the memory and for --split faces.
        paper: tells paper from white of the drawing; None leaves that to what is measured.

    Attributes:
        palette: (1, 216) of the chapter; (1, 0) for a net without a bank.
        memory: coloured places of the chapter, None where the net follows none.
        file: the palette.toml that is followed, or None.
        latent: (1, net.latent_size) noise of all pages, None where the net decides.
        sightings: what was painted of the chapter so far.
        desk: what was made of its pages before they are painted.
    """

    def __init__(
        self,
        engine: Engine,
        net: PaintingNet,
        paint: PaintSettings,
        finder: FaceFinder | None = None,
        paper: PaperFinder | None = None,
    ) -> None:
        self.engine = engine
        self.net = net
        self.settings = paint
        self.finder = finder
        self.paper = paper
        self.palette = torch.zeros(1, 0)
        self.memory: ChapterMemory | None = None
        self.file: PaletteFile | None = None
        self.latent: Tensor | None = None
        self.sightings: list[Sightings] = []
        self.desk = Desk()

    @property
    def look(self) -> Look:
        """What lies between the net and the composition."""
        return look_of(self.net, self.settings.vividness, None if self.file is None else self.file.edits())

    def seen_size(self, height: int, width: int) -> tuple[int, int]:
        """Height and width, px, at which the net sees a page of that size, padding not counted."""
        scale = min(1.0, self.net.long_side / max(height, width))
        return max(1, round(height * scale)), max(1, round(width * scale))

    def padded_size(self, height: int, width: int) -> tuple[int, int]:
        """The same, padding counted."""
        high, wide = self.seen_size(height, width)
        return high + -high % self.net.multiple_of, wide + -wide % self.net.multiple_of

    def layers(self, drawings: Sequence[Drawing], cues: Sequence[Cue | None]) -> list[Tensor]:
        """(1, 6, h, w) each, at the size the net saw: paint, ab (Lab units), paper."""
        height, width = drawings[0].gray.shape
        windows = [Region(0, 0, width, height)]
        if strips.is_strip(height, width):
            windows = strips.cut(drawings[0].gray, round(1.4 * width), STRIP_OVERLAP)
            return [stitched(self.seen([d], [c], windows), windows) for d, c in zip(drawings, cues, strict=True)]
        layers = list(self.seen(drawings, cues, windows))
        if self.settings.split == "panels":
            return [self.by_panels(*each) for each in zip(drawings, cues, layers, strict=True)]
        if self.settings.split == "faces":
            return [self.by_heads(*each) for each in zip(drawings, cues, layers, strict=True)]
        return layers

    def by_panels(self, drawing: Drawing, cue: Cue | None, layer: Tensor) -> Tensor:
        """The layer of a page with each of its panels painted again by itself, at the scan's own resolution.

        Palette, memory and kin are the chapter's, so that panels agree. What lies between panels is the page's.
        """
        found = find_panels(drawing.gray)
        for panel in found if len(found) > 1 else []:
            self.paint_again(panel.region, drawing, cue, layer, fade=False)
        return layer

    def by_heads(self, drawing: Drawing, cue: Cue | None, layer: Tensor) -> Tensor:
        """The layer of a page with each of its heads painted again by itself, at the scan's own resolution.

        The largest comes first, so that a small head in front of a large one is painted last. Towards the edge of its
        square a head fades into the page.
        """
        height, width = drawing.gray.shape
        for face in self.finder.find(drawing.gray) if self.finder is not None else []:
            self.paint_again(head_of(face.region, width, height), drawing, cue, layer, fade=True)
        return layer

    def paint_again(self, box: Region, drawing: Drawing, cue: Cue | None, layer: Tensor, *, fade: bool) -> None:
        """Paint a part of a page by itself and put it into the page's layer, which is changed in place."""
        height, width = drawing.gray.shape
        part = replace(drawing, number=None)  # the regions of the page were noted already
        down, across = layer.shape[2] / height, layer.shape[3] / width
        rows = slice(round(box.y * down), round(box.bottom * down))
        columns = slice(round(box.x * across), round(box.right * across))
        size = (rows.stop - rows.start, columns.stop - columns.start)
        if min(size) < SMALLEST_PANEL:
            return
        again = F.interpolate(self.seen([part], [cue], [box])[0][:, :5], size, mode="bilinear", antialias=True)
        if fade:
            again = torch.lerp(layer[:, :5, rows, columns], again, faded(size).to(layer))
        layer[:, :5, rows, columns] = again

    def seen(self, drawings: Sequence[Drawing], cues: Sequence[Cue | None], windows: Sequence[Region]) -> list[Tensor]:
        """What the net says of each drawing in each window: (1, 6, h, w)."""
        whole = drawings[0].gray.shape
        found = []
        for window in windows:
            size = self.seen_size(window.height, window.width)
            gray = self.moved([d.gray[window.slices] for d in drawings])[:, None]
            white = self.moved([d.white(window) for d in drawings])[:, None]
            labels = self.moved([self.regions(d, window, size) for d in drawings])
            page, share = reduced(gray.float() / 255, size), reduced(white, size)
            nothing = np.zeros((4, *size), np.float32)
            given = [nothing if c is None else c.part(window, whole, size) for c in cues]
            hints = None if all(c is None for c in cues) else self.moved(given)
            shaded = torch.tensor([d.mode == "gray" for d in drawings], device=page.device)
            seen = None
            if len(drawings) == 1 and hints is None:
                seen = self.desk.seen(drawings[0], window, self.palette, self.latent)
            told = palettes(self.palette, cues)
            output, descriptors = self.run_net(page, hints, told, labels, shaded, seen)
            found.append(torch.cat([output, whole_regions(share, labels)], 1))
            for i, each in enumerate(drawings):
                if each.number is not None:
                    what = None if descriptors is None else descriptors[i]
                    shown = found[-1][i : i + 1], page[i : i + 1], labels[i]
                    self.sightings.append(self.look.sightings(each.number, *shown, each.mode, what))
        return [part[i : i + 1] for part in found for i in range(len(part))]

    def regions(self, drawing: Drawing, window: Region, size: tuple[int, int]) -> NDArray[np.int64]:
        """Labels of a window on half the grid of what the net sees, see `labelled`."""
        known = self.desk.labels(drawing, window)
        if known is not None:
            return known
        return labelled(drawing.gray[window.slices], size, self.net.multiple_of, drawing.leaking(window))

    def moved(self, arrays: Sequence[NDArray[Any]]) -> Tensor:
        """(N, ...) on the device."""
        return torch.from_numpy(np.stack(arrays)).to(self.engine.device.torch_device)

    def run_net(
        self,
        page: Tensor,
        hints: Tensor | None,
        palette: Tensor,
        labels: Tensor,
        shaded: Tensor,
        seen: tuple[Tensor, Tensor] | None = None,
    ) -> tuple[Tensor, Tensor | None]:
        """Net and upsampling along the drawing's edges.

        Args:
            page: (N, 1, h, w) in 0..1.
            hints: (N, 4, h, w), see PaintingNet.paints; None where nobody gave any.
            palette: (N, 216).
            labels: (N, H / 2, W / 2) int64 regions, H and W being h and w rounded up to what the net takes.
            shaded: (N,) bool, pages that keep their luminance.
            seen: what the net found on the page before, see Guide.

        Returns:
            (N, 5, h, w): paint sRGB in 0..1, ab in Lab units (0 where no page is shaded); and the net's descriptors of
            the padded page, if any.
        """
        height, width = page.shape[-2:]
        margin = (0, -width % self.net.multiple_of, 0, -height % self.net.multiple_of)
        padded = F.pad(page, margin, mode="replicate")
        hints = unhinted(padded) if hints is None else F.pad(hints, margin)
        call = functools.partial(self.paint_of, seen=seen)
        output = self.engine.run("painter", call, padded, hints, palette, labels, shaded)
        output, descriptors = output if isinstance(output, tuple) else (output, None)
        needed = output if bool(shaded.any()) else output[:, :3]
        full = joint_upsample(needed.float(), padded)[:, :, :height, :width]
        ab = full[:, 3:] * 110 if full.shape[1] > 3 else torch.zeros_like(full[:, :2])
        return torch.cat([full[:, :3], ab], 1), descriptors

    def paint_of(
        self,
        page: Tensor,
        hints: Tensor,
        palette: Tensor,
        labels: Tensor,
        shaded: Tensor,
        seen: tuple[Tensor, Tensor] | None = None,
    ) -> Tensor | tuple[Tensor, Tensor]:
        """(N, 5, h / 2, w / 2), see PaintingNet.paints; of a net that remembers also what it describes."""
        memory = self.memory.memory(page.device) if self.memory is not None else None
        kin = self.memory.kin(page.device) if self.memory is not None else None
        latent = None if self.latent is None else self.latent.to(page.device).expand(len(page), -1)
        balance = self.memory.balance if self.memory is not None else 0.0
        vividness, seed = self.settings.vividness, self.settings.seed
        guide = Guide(palette, labels, vividness, seed, memory, kin, latent, shaded, seen, balance)
        if getattr(self.net, "remembers", False):
            return cast(RememberingNet, self.net).described(page, hints, guide)
        return self.net.paints(page, hints, guide)


def faded(size: tuple[int, int]) -> Tensor:
    """(1, 1, height, width) in 0..1: 1 in the middle, falling to 0 at all sides."""
    ramps = []
    for length in size:
        near = torch.minimum(torch.arange(length) + 0.5, length - 0.5 - torch.arange(length))
        ramps.append((near / (FADE * length)).clamp_max(1))
    return torch.minimum(ramps[0][:, None], ramps[1][None])[None, None]
