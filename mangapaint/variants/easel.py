"""One drawing before one net: painted again and again, by other palettes and other noise."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, cast

import torch
import torch.nn.functional as F
from torch import Tensor

from mangapaint.layout import strips
from mangapaint.models.bilateral import joint_upsample
from mangapaint.models.lab import rgb_to_lab
from mangapaint.models.painting import Guide, PaintingNet
from mangapaint.models.regional import mean_by
from mangapaint.page import Region
from mangapaint.paint.brush import Brush
from mangapaint.paint.drawing import STRIP_OVERLAP, Drawing, reduced, stitched, whole_regions
from mangapaint.paint.firstlook import View
from mangapaint.paint.memory import REGIONS

LARGEST = 96
"""Regions of a picture by which its colourings are compared."""


class Lonely(PaintingNet, Protocol):
    """A net whose like regions agree on a page that has no chapter."""

    def alone(self, page: Tensor, hints: Tensor, guide: Guide, blank: Tensor, most: int) -> Tensor: ...


class Easel:
    """Keeps what does not depend on colours: the drawing as the net sees it, its regions, its paper.

    Args:
        brush: net and settings.
        drawing: any size; scroll strips are seen in windows.

    Attributes:
        area: (R,) float32 shares of the painted area that the regions of `colours` have, largest first.
    """

    def __init__(self, brush: Brush, drawing: Drawing) -> None:
        self.brush = brush
        self.drawing = drawing
        height, width = drawing.gray.shape
        self.windows = [Region(0, 0, width, height)]
        if strips.is_strip(height, width):
            self.windows = list(strips.cut(drawing.gray, round(1.4 * width), STRIP_OVERLAP))
        self._views = [View(drawing, window, brush.net) for window in self.windows]
        self._papers = [self._paper(*each) for each in zip(self.windows, self._views, strict=True)]
        self._regions = [self._painted(*each) for each in zip(self._views, self._papers, strict=True)]
        area = torch.cat([area for _, area in self._regions])
        self._kept = area.argsort(descending=True, stable=True)[:LARGEST]
        self.area = area[self._kept] / area[self._kept].sum().clamp_min(1)

    def painted(self, palette: Tensor, latent: Tensor | None, seed: int) -> list[Tensor]:
        """What the net says: (1, 5, h / 2, w / 2) of each window, see PaintingNet.paints; on the CPU.

        Args:
            palette: (1, 216), or (1, 0) for a net without a bank.
            latent: (1, net.latent_size), or None.
            seed: of a net that draws its own noise.
        """
        found = []
        for view in self._views:
            guided = [palette] if latent is None else [palette, latent]

            def call(page: Tensor, hints: Tensor, labels: Tensor, *given: Tensor, view: View = view) -> Tensor:
                noise = given[1] if len(given) > 1 else None
                guide = Guide(given[0], labels, self.brush.settings.vividness, seed, latent=noise)
                if getattr(self.brush.net, "remembers", False) and self.brush.settings.memory:
                    return cast(Lonely, self.brush.net).alone(page, hints, guide, view.blank.to(page.device), REGIONS)
                return self.brush.net.paints(page, hints, guide)

            run = self.brush.engine.run("painter", call, view.page, view.hints, view.labels, *guided)
            found.append(cast(Tensor, run).float().cpu())
        return found

    def layer(self, outputs: Sequence[Tensor]) -> Tensor:
        """(1, 6, h, w) paint, ab in Lab units and paper, as of Brush.layers."""
        parts = []
        for output, view, paper in zip(outputs, self._views, self._papers, strict=True):
            device = self.brush.engine.device.torch_device
            height, width = view.size
            full = joint_upsample(output.to(device), view.page.to(device))[:, :, :height, :width]
            parts.append(torch.cat([full[:, :3], full[:, 3:] * 110, paper.to(device)], 1))
        return parts[0] if len(parts) == 1 else stitched(parts, self.windows)

    def colours(self, outputs: Sequence[Tensor]) -> Tensor:
        """(R, 2) mean a*, b* of the regions as they will be seen."""
        look, found = self.brush.look, []
        for output, view, paper, (label, _) in zip(outputs, self._views, self._papers, self._regions, strict=True):
            size = output.shape[-2:]
            page = F.interpolate(view.page, size, mode="bilinear", antialias=True)
            left = F.interpolate(view.padded(paper), size, mode="bilinear", antialias=True)
            if self.drawing.mode == "gray":
                ab = look.gray(output[:, 3:] * 110, page) * (1 - left)
            else:
                paint = look.ink(output[:, :3])
                ab = rgb_to_lab((paint + (1 - paint) * left) * page)[:, 1:]
            found.append(mean_by(ab[0].flatten(1).T, label, int(label.max()) + 1))
        return torch.cat(found)[self._kept]

    def _paper(self, window: Region, view: View) -> Tensor:
        """(1, 1, h, w) share of paper, as the net sees the window."""
        white = torch.from_numpy(self.drawing.white(window))[None, None]
        return whole_regions(reduced(white, view.size), view.labels)

    def _painted(self, view: View, paper: Tensor) -> tuple[Tensor, Tensor]:
        """Label of each place, flat, and how many painted places each label has."""
        label = view.labels[0].flatten()
        size = view.labels.shape[1:]
        inside = F.pad(torch.ones_like(paper), view.margin)
        left = F.interpolate(inside - view.padded(paper) * inside, size, mode="bilinear", antialias=True)
        return label, left.new_zeros(int(label.max()) + 1).index_add_(0, label, left.flatten())
