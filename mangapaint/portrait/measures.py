"""What is measured of a face for edits: colours of hair, eyes and background, and a few sums."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from mangapaint.models.lab import rgb_to_lab
from mangapaint.models.portrait_net import MEASURES


class Box(NamedTuple):
    """A part of an aligned face, as shares of its side."""

    top: float
    bottom: float
    left: float
    right: float

    def of(self, x: Tensor) -> Tensor:
        """(N, C, S, S) -> (N, C, pixels)."""
        side = x.shape[-1]
        rows = slice(round(self.top * side), max(round(self.bottom * side), round(self.top * side) + 1))
        columns = slice(round(self.left * side), max(round(self.right * side), round(self.left * side) + 1))
        return x[..., rows, columns].flatten(2)


HAIR = (Box(0.02, 0.19, 0.22, 0.78),)
EYES = (Box(0.4, 0.55, 0.22, 0.4), Box(0.4, 0.55, 0.6, 0.78))
BACKGROUND = (Box(0.0, 0.2, 0.0, 0.08), Box(0.0, 0.2, 0.92, 1.0))
MOUTH, CHEEKS = Box(0.66, 0.77, 0.42, 0.58), Box(0.57, 0.65, 0.35, 0.65)

NAMES = (
    *(f"{part} {axis}" for part in ("hair", "eyes", "background") for axis in ("L", "a", "b")),
    "brightness",
    "contrast",
    "vividness",
    "warmth",
    "mouth",
)
"""Of the measures, in order: Lab of the parts; mean L*, deviation of L*, mean C*, mean b*; how open the mouth is."""
assert len(NAMES) == MEASURES


def measured(faces: Tensor) -> Tensor:
    """(N, 3, S, S) in 0..1 -> (N, MEASURES) in units of CIE Lab; gradients flow through."""
    lab = rgb_to_lab(faces.clamp(0, 1))
    parts = []
    for boxes, dark in ((HAIR, False), (EYES, True), (BACKGROUND, False)):
        pixels = torch.cat([box.of(lab) for box in boxes], 2)
        weight = (1.02 - pixels[:, :1] / 100).square() if dark else torch.ones_like(pixels[:, :1])  # skin is light
        parts.append((pixels * weight).sum(2) / weight.sum(2))
    light = lab[:, 0].flatten(1)
    chroma = (lab[:, 1:].square().sum(1) + 1e-3).sqrt().flatten(1)
    mouth = CHEEKS.of(lab).mean(2) - MOUTH.of(lab).mean(2)
    rest = [light.mean(1), light.std(1), chroma.mean(1), lab[:, 2].flatten(1).mean(1), mouth[:, 0] - mouth[:, 1]]
    return torch.cat([*parts, torch.stack(rest, 1)], 1)
