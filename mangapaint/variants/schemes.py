"""Colour schemes: what a colourist decides of a drawing (skin, hair, clothes, ground), and the palette that says it.

A net that is given a palette puts its colours where it finds that they belong. A palette of all colours leaves it with
doubts, which show as hair of two colours; one of a few ramps, each light to dark, does not.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from random import Random

import torch
from torch import Tensor

from mangapaint.models.lab import lab_to_rgb
from mangapaint.paint.palette import CELLS, FULL, corners, mixed

Lab = tuple[float, float, float]
"""CIE L*, C*, and hue in degrees."""

SKINS: tuple[Lab, ...] = ((88, 20, 55), (87, 20, 58), (85, 22, 50), (80, 24, 60), (74, 26, 58))
"""Lit skin, from fair to tan; the first ones are the usual ones."""
NATURAL: tuple[Lab, ...] = (
    (22, 6, 290),
    (30, 16, 50),
    (42, 30, 55),
    (48, 52, 42),
    (58, 58, 55),
    (76, 45, 82),
    (82, 22, 88),
    (80, 4, 270),
)
"""Hair as people have it: black, dark brown, chestnut, auburn, ginger, blond, ash blond, silver."""
FANTASY = 0.62
"""Share of the schemes whose hair has a colour that only drawn people have."""
TURNS = (180.0, 120.0, -120.0, 60.0, -60.0)
"""Degrees from the hue of the hair to that of the clothes."""
LEVELS = (20.0, 33.0, 46.0, 59.0, 72.0, 85.0)
"""L* of a ramp: wherever on it the drawing is, the hue is there."""
FLAT, STEEP = 2.0, 0.35
"""What levels far from a colour's own weigh beside it: in gray, where the page says how light hair is; in ink."""
NEUTRALS: tuple[tuple[Lab, float], ...] = (((96, 2, 90), 0.5), ((18, 3, 280), 0.25), ((62, 3, 280), 0.25))


@dataclass(frozen=True, slots=True)
class Weights:
    """Shares of a scheme's parts in the palette; `bank` is what a palette of the bank gives beside them."""

    skin: float
    hair: float
    cloth: float
    ground: float
    neutral: float = 0.08
    bank: float = 0.0


FACE = {"gray": Weights(0.30, 0.50, 0.06, 0.08), "ink": Weights(0.34, 0.34, 0.12, 0.12)}
"""By mode: one face that fills the picture; there is hair, skin and not much else."""
PAGE = {"gray": Weights(0.24, 0.30, 0.18, 0.20, bank=0.3), "ink": Weights(0.28, 0.26, 0.18, 0.18, bank=0.3)}
"""By mode: whole pages, of several people and things."""
CHROMA = {"gray": 1.0, "ink": 0.95}
"""By mode, on C*: paint under ink is made more vivid when it is shown (paint.look.VIVID)."""
SKIN_CHROMA = {"gray": 1.0, "ink": 0.8}
"""The same of skin."""


@dataclass(frozen=True, slots=True)
class Scheme:
    """Main colours; `place` chooses a palette of the bank, 0..1."""

    skin: Lab
    hair: Lab
    cloth: Lab
    ground: Lab
    place: float = 0.0

    def palette(self, bank: Tensor, mode: str, *, face: bool) -> Tensor:
        """The palette that a net is given.

        Args:
            bank: (K, 216) palettes that fit the net.
            mode: "ink" or "gray".
            face: whether one face fills the picture.

        Returns:
            (1, 216), see paint.palette.
        """
        shares, gain = (FACE if face else PAGE)[mode], CHROMA[mode]
        light, chroma, hue = self.skin[0], self.skin[1] * SKIN_CHROMA[mode] / gain, self.skin[2]
        parts = (
            (shares.skin, [((light, chroma, hue), 0.7), ((light - 14, chroma + 7, hue - 6), 0.3)]),
            (shares.hair, _ramp(self.hair, mode)),
            (shares.cloth, _shaded(self.cloth, -8, 14)),
            (shares.ground, _shaded(self.ground, -16, 10)),
            (shares.neutral, list(NEUTRALS)),
        )
        shared = [(colour, part * share) for share, ramp in parts for colour, part in ramp]
        weight = _cells(
            torch.tensor([colour for colour, _ in shared]), torch.tensor([part for _, part in shared]), gain
        )
        own = (weight / weight.sum()).sqrt()[None] * FULL
        if not shares.bank:
            return own
        other = bank[int(self.place * len(bank))][None].float()
        return mixed(torch.cat([own, other]), torch.tensor([1 - shares.bank, shares.bank]))


def scheme_of(seed: int) -> Scheme:
    """The scheme of a seed."""
    draw = Random(seed).random  # the one method whose numbers stay the same over versions of Python
    skin = SKINS[int(len(SKINS) * draw() ** 1.6)]
    hair = NATURAL[int(len(NATURAL) * draw())]
    if draw() < FANTASY:
        hair = (42 + 32 * draw(), 34 + 26 * draw(), 360 * draw())
    turn = TURNS[int(len(TURNS) * draw())] + 50 * (draw() - 0.5)
    cloth = (34 + 36 * draw(), 20 + 35 * draw(), (hair[2] + turn) % 360)
    ground = (68 + 18 * draw(), 12 + 26 * draw(), 360 * draw())
    return Scheme(skin, hair, cloth, ground, draw())


def _ramp(colour: Lab, mode: str) -> list[tuple[Lab, float]]:
    """The colour at all levels, with their shares."""
    light, chroma, hue = colour
    result = []
    for level in LEVELS:
        near = math.exp(-(((level - light) / 30) ** 2))
        if mode == "gray":
            result.append(((level, chroma * (1 - 0.4 * abs(level - 52) / 33), hue), FLAT + near))
        else:
            result.append(((level, chroma * (0.45 + 0.55 * near), hue), STEEP + near))
    total = sum(share for _, share in result)
    return [(each, share / total) for each, share in result]


def _shaded(colour: Lab, shade: float, light: float) -> list[tuple[Lab, float]]:
    """The colour with a shade and a light, and their shares."""
    level, chroma, hue = colour
    return [((level + shade, 0.8 * chroma, hue), 0.3), (colour, 0.4), ((level + light, 0.8 * chroma, hue), 0.3)]


def _cells(colours: Tensor, shares: Tensor, gain: float) -> Tensor:
    """(P, 3) L*, C*, hue and (P,) shares -> (216,) weights of the palette's cells; C* is multiplied by `gain`."""
    light, chroma, hue = colours.T
    a, b = gain * chroma * hue.deg2rad().cos(), gain * chroma * hue.deg2rad().sin()
    weight = torch.zeros(CELLS)
    for index, part in corners(lab_to_rgb(torch.stack([light, a, b])[None, :, :, None])):
        weight.index_add_(0, index.flatten(), part.flatten() * shares)
    return weight
