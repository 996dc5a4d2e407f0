"""A picture at hand as the program sees a page before it is painted."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np

from mangapaint.page import PageImage, Verdict
from train.corpus import Picture

COLOURED = 8.0
"""Mean spread of the channels, levels, from which a picture is in colour."""


@dataclass(frozen=True, eq=False)
class Single:
    """(H, W, 3) uint8 sRGB with the number and name that it has in its chapter."""

    picture: Picture
    index: int = 0
    name: str = "page"
    chapter: str = "chapter"

    @property
    def sha(self) -> str:
        return hashlib.sha256(self.picture.tobytes()).hexdigest()

    def verdict(self) -> Verdict:
        return Verdict.COLOUR if float(np.ptp(self.picture.astype(np.int16), 2).mean()) > COLOURED else Verdict.GRAY

    def image(self) -> PageImage:
        return PageImage(self.picture)
