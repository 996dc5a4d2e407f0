"""What a picture must be to enter a corpus, and what is noted of it."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import cv2
import numpy as np

from mangapaint import pixels
from mangapaint.errors import MangapaintError
from mangapaint.settings import Limits
from train.corpus import Picture, resized
from train.prepare.hashing import perceptual_hash, twin_of
from train.prepare.sources import LIMITS
from train.prepare.triplets import SIDE, black_share, middle

NEAR_GRAY = 3.0
"""Mean distance of the channels from their mean under which a picture teaches no colour, levels."""
NEAR_WHITE = 235
"""Level that all channels of a white background reach."""
UNREADABLE, SMALL, GRAY, SAME, ALIKE = REASONS = ("unreadable", "small", "gray", "same", "alike")
"""Why a picture is left out; same: pixel by pixel, alike: to the perceptual hash."""


@dataclass(frozen=True, slots=True)
class Screen:
    """Bounds and shape."""

    min_side: int = 64
    """Pictures with a shorter side, after reduction, are left out, px."""
    max_side: int = 0
    """Larger pictures are reduced to this longest side, px; 0 keeps all sizes."""
    square: bool = False
    """Keep the square in the middle only."""
    keep_gray: tuple[str, ...] = ()
    """Sets whose gray pictures are wanted."""
    limits: Limits = LIMITS


@dataclass(frozen=True, slots=True)
class Screened:
    """A picture that may enter, with its features; or the reason why it may not."""

    reason: str = ""
    detail: str = ""
    picture: Picture | None = None
    digest: bytes = b""
    """Of size and pixels."""
    hash: int = 0
    twin: Picture | None = None
    white_border: float = -1.0
    black: float = -1.0


def screened(data: bytes, set_name: str, screen: Screen) -> Screened:
    """Decode and measure one picture file; never raises for what the file holds."""
    try:
        picture = pixels.decode(data, screen.limits).pixels
    except MangapaintError as error:
        return Screened(UNREADABLE, error.message)
    picture = shaped(picture, screen)
    height, width = picture.shape[:2]
    if min(height, width) < screen.min_side:
        return Screened(SMALL, f"{width}x{height} px")
    if set_name not in screen.keep_gray and is_near_gray(picture):
        return Screened(GRAY)
    digest = hashlib.sha1(b"%d " % width, usedforsecurity=False)
    digest.update(picture.data)
    gray = np.asarray(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY), np.uint8)
    return Screened(
        picture=picture,
        digest=digest.digest(),
        hash=perceptual_hash(gray),
        twin=twin_of(picture),
        white_border=round(white_border(picture), 3),
        black=round(black_share(resized(middle(gray), SIDE, SIDE)), 3),
    )


def shaped(picture: Picture, screen: Screen) -> Picture:
    """Cropped and reduced as the screen asks; contiguous."""
    if screen.square:
        picture = middle(picture)
    height, width = picture.shape[:2]
    scale = screen.max_side / max(height, width) if screen.max_side else 1.0
    if scale < 1:
        picture = resized(picture, max(1, round(height * scale)), max(1, round(width * scale)))
    return np.ascontiguousarray(picture)


def is_near_gray(picture: Picture) -> bool:
    """Whether an (H, W, 3) picture has next to no colour (NEAR_GRAY), seen at 64x64."""
    small = cv2.resize(picture, (64, 64), interpolation=cv2.INTER_AREA).astype(np.float32)
    return float(np.abs(small - small.mean(2, keepdims=True)).mean()) < NEAR_GRAY


def white_border(picture: Picture) -> float:
    """Share of near-white pixels on the upper border and the upper two thirds of both sides, 0..1, in equal parts.

    Shoulders cut the lower border of nearly every portrait, so it says nothing of the background.
    """
    height, width = picture.shape[:2]
    thick, down = max(1, min(height, width) // 32), max(1, 2 * height // 3)
    strips = (picture[:thick], picture[:down, :thick], picture[:down, -thick:])
    return float(np.mean([np.mean(strip.min(2) >= NEAR_WHITE) for strip in strips]))
