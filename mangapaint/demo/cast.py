"""Who acts and how: the two characters, their expressions and their poses. Units are half face widths."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Point = tuple[float, float]
Limb = tuple[Point, Point]
"""Elbow and hand, or knee and foot; measured from the middle of the face, y down, feet at about 8.6."""
Hand = Literal["relaxed", "open", "fist", "pointing"]
Mouth = Literal["smile", "laugh", "oh", "flat", "grin"]


@dataclass(frozen=True, slots=True)
class Look:
    """What makes a character recognisable."""

    hair: Literal["long", "spiky"]
    clothes: Literal["dress", "hoodie"]
    eye_height: float
    lashes: int
    chin: float
    """Breadth of the jaw; 1 is soft and round."""


@dataclass(frozen=True, slots=True)
class Expression:
    """One face: how far the eyes are open (0 is a happy arc), where they look, brows and mouth."""

    openness: float = 1.0
    wink: bool = False
    gaze: Point = (0.0, 0.0)
    brow_lift: float = 0.0
    brow_tilt: float = 0.0
    """Positive is angry or bold, negative worried."""
    mouth: Mouth = "smile"
    blush: bool = False
    stars: bool = False
    """Star-shaped lights in the eyes."""
    sweat: bool = False


@dataclass(frozen=True, slots=True)
class Pose:
    """Where the limbs are; left and right as seen on the page."""

    left_arm: Limb = ((-1.2, 3.05), (-1.3, 4.25))
    right_arm: Limb = ((1.2, 3.05), (1.3, 4.25))
    left_leg: Limb = ((-0.45, 6.3), (-0.5, 8.2))
    right_leg: Limb = ((0.45, 6.3), (0.5, 8.2))
    left_hand: Hand = "relaxed"
    right_hand: Hand = "relaxed"
    turn: float = 0.0
    """Of the head, radians; positive looks to the right of the page, at most 0.5."""
    nod: float = 0.0
    tilt: float = 0.0
    """Of the head, degrees clockwise."""
    wind: float = 0.0
    """How far the hair tips blow to the right."""
    back: bool = False
    """Seen from behind."""


GIRL = Look(hair="long", clothes="dress", eye_height=1.1, lashes=3, chin=0.94)
BOY = Look(hair="spiky", clothes="hoodie", eye_height=0.95, lashes=1, chin=1.0)

CALM = Expression()
HAPPY = Expression(openness=0.0, mouth="laugh", blush=True, brow_lift=0.06)
EAGER = Expression(openness=1.05, mouth="laugh", blush=True, brow_lift=0.06)
AMAZED = Expression(openness=1.15, mouth="oh", brow_lift=0.1, stars=True, blush=True)
PUZZLED = Expression(openness=0.9, mouth="flat", brow_lift=0.05, brow_tilt=-0.5, sweat=True)
BOLD = Expression(openness=0.95, mouth="grin", brow_tilt=0.9)
WINK = Expression(wink=True, mouth="laugh", blush=True, brow_lift=0.05)
SHOCKED = Expression(openness=1.2, mouth="oh", brow_lift=0.12, brow_tilt=-0.4, sweat=True)
