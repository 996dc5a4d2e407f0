"""What areas are filled with: ink, paper and the mechanical tones of manga.

A paint is a flat shade (0 ink .. 255 paper) or a function of page coordinates that gives such shades, so that one
screen runs through all the shapes of a page without a seam.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from mangapaint.page import Bytes2D

Axis = NDArray[np.float64]
Tone = Callable[[Axis, Axis], Bytes2D]
"""Given x (1, W) and y (H, 1) in px of the page, shades (H, W) uint8."""
Paint = int | Tone

INK = 0
PAPER = 255


def dots(density: float, pitch: float = 5.0) -> Tone:
    """A dot screen at 45 degrees; `density` 0..1 is the share of ink, `pitch` the distance of the dots in px."""
    return gradient((0, 0), (0, 1), density, density, pitch)


def gradient(
    start: tuple[float, float], end: tuple[float, float], first: float, last: float, pitch: float = 5.0
) -> Tone:
    """A dot screen whose density runs from `first` at `start` to `last` at `end` and stays flat beyond."""
    way = np.array(end, dtype=np.float64) - start
    way /= float(way @ way)

    def tone(x: Axis, y: Axis) -> Bytes2D:
        k = np.pi * np.sqrt(2) / pitch
        screen = np.cos(k * x) * np.cos(k * y)  # the product of both waves is the screen turned by 45 degrees
        if first == last:
            return _inked(screen > _threshold(np.array([first])))
        along = sum((axis - begin) * slope for axis, begin, slope in zip((x, y), start, way, strict=True) if slope)
        return _inked(screen > _threshold(first + (last - first) * np.clip(along, 0, 1)))

    return tone


def lines(density: float, pitch: float = 5.0, angle: float = 0.0) -> Tone:
    """Parallel lines; `angle` in degrees, 0 is level."""
    c, s = np.cos(np.radians(angle)), np.sin(np.radians(angle))
    return lambda x, y: _inked(((y * c - x * s) / pitch) % 1.0 < density)


def _threshold(density: NDArray[np.float64]) -> NDArray[np.float64]:
    """The level of cos * cos above which the share `density` of the plane lies (fit of its distribution)."""
    signed = 2 * density - 1
    return np.asarray(-np.sign(signed) * np.abs(signed) ** 1.55, dtype=np.float64)


def _inked(ink: NDArray[np.bool_]) -> Bytes2D:
    return np.where(ink, np.uint8(INK), np.uint8(PAPER))
