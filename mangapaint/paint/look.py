"""How a net's paint is shown: its gains, and the changes that somebody made to the chapter's colours."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor

from mangapaint.models.lab import lab_to_rgb, rgb_to_lab
from mangapaint.paint.compose import lifted, vivid
from mangapaint.paint.sightings import Sightings, sightings_of

if TYPE_CHECKING:
    from mangapaint.paint.palettefile import Edits

VIVID = 1.3
"""Gain on the colour of paint under ink: the mean of a vote is paler than any colour that was voted for."""
LIFT = 0.7
"""Share by which paint under ink is brightened (compose.lifted)."""


@dataclass(frozen=True, slots=True)
class Look:
    """What lies between a net's output and the composition with the page.

    Attributes:
        gain: on chroma, the user's vividness.
        vivid, lift: the net's own, see VIVID and LIFT; under ink only.
        edits: changes of a palette.toml, None without.
    """

    gain: float = 1.0
    vivid: float = VIVID
    lift: float = LIFT
    edits: Edits | None = None

    def ink(self, paint: Tensor) -> Tensor:
        """(N, 3, h, w) sRGB as it is laid under the ink."""
        shown = self._unedited(paint)
        return shown if self.edits is None else lab_to_rgb(self.edits.applied(rgb_to_lab(shown)))

    def gray(self, ab: Tensor, page: Tensor) -> Tensor:
        """(N, 2, h, w) ab of CIE Lab as it goes with the L* of the page; `page` is (N, 1, H, W) in 0..1."""
        ab = ab * self.gain
        return ab if self.edits is None else self.edits.applied(_with_lightness(ab, page))[:, 1:]

    def sightings(
        self, number: int, layer: Tensor, page: Tensor, labels: Tensor, mode: str, descriptors: Tensor | None
    ) -> Sightings:
        """The regions of a page in the colours that they have without edits.

        Args:
            number: of the page.
            layer: (1, 6, h, w) paint, ab, paper.
            page: (1, 1, h, w) in 0..1.
            labels: (H / 2, W / 2) regions, H and W at least h and w.
            mode: "ink" or "gray".
            descriptors: (D, H / 8, W / 8) or None.
        """
        rows, columns = labels.shape
        margin = (0, 2 * columns - layer.shape[3], 0, 2 * rows - layer.shape[2])
        small = F.avg_pool2d(F.pad(layer, margin, mode="replicate"), 2)
        gray = F.pad(page, margin, mode="replicate")
        if mode == "gray":
            lab = _with_lightness(small[:, 3:5] * self.gain, gray)
        else:
            lab = rgb_to_lab(self._unedited(small[:, :3]))
        return sightings_of(number, gray[0, 0], labels, lab[0], small[0, 5], descriptors)

    def _unedited(self, paint: Tensor) -> Tensor:
        return lifted(vivid(paint, self.vivid * self.gain), self.lift)


def look_of(net: object, vividness: float, edits: Edits | None) -> Look:
    """The look that suits a colouring net (see models.painting) and a user's wishes."""
    gain = 1.0 if getattr(net, "takes_vividness", False) else vividness
    return Look(gain, float(getattr(net, "vivid", VIVID)), float(getattr(net, "lift", LIFT)), edits)


def _with_lightness(ab: Tensor, page: Tensor) -> Tensor:
    gray = F.interpolate(page, ab.shape[-2:], mode="bilinear", align_corners=False, antialias=True)
    return torch.cat([rgb_to_lab(gray.expand(-1, 3, -1, -1))[:, :1], ab], 1)
