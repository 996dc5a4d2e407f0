"""Manga pages made of pictures: ink and screentone as drawn at print resolution, then reduced to a page's pixels.

Screens are those of tone sheets: lines per inch of print, at the resolution that a page of 1,000-2,400 px has, mostly
dots at 45 degrees. Everything is thresholded on a grid `FINE` times finer than the page, then reduced, because tones of
2-3 px period come out of the reduction beating, soft and uneven, as on real pages.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

Gray = NDArray[np.uint8]

FINE = 4
"""Print pixels per pixel of the page, each way: 160 dpi of a page 1,635 px high, 640 of its print."""
LINES_PER_INCH = (27.5, 32.5, 42.5, 50, 55, 60, 60, 60, 65, 65, 70)
"""Tone sheets, as often as they are used."""
PAGE_INCHES = 10.1
"""Height of a B5 page, the size of magazines."""


def halftoned(gray: Gray, rng: np.random.Generator, *, drawn: bool = False) -> Gray:
    """Redraw a picture as a manga page shows it.

    Args:
        gray: (H, W) uint8 luminance.
        rng: of strengths, shades and screens.
        drawn: it is a black-and-white drawing already, whose gray areas become tone and whose ink stays.

    Returns:
        (H, W) uint8.
    """
    height, width = gray.shape
    size = int(rng.choice([5, 7])) if drawn else int(rng.choice([3, 5, 7]))
    closed = cv2.morphologyEx(gray, cv2.MORPH_CLOSE, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (size, size)))
    ratio = (gray.astype(np.float32) + 1) / (closed.astype(np.float32) + 1)
    if not drawn:
        closed = cv2.GaussianBlur(closed, (0, 0), rng.uniform(1.0, 2.5))
    fine = (width * FINE, height * FINE)
    large = cv2.resize(closed, fine, interpolation=cv2.INTER_LINEAR)
    cover = np.asarray(cv2.LUT(large, shades(rng, drawn=drawn)), np.uint8)
    if rng.random() < 0.3:
        cover = graded(cover, rng)
    page = np.where(screen(fine[1], fine[0], rng) >= cover, np.uint8(255), np.uint8(0))
    if rng.random() < 0.4:  # a second screen beyond a curve or a shade
        other = np.where(screen(fine[1], fine[0], rng) >= cover, np.uint8(255), np.uint8(0))
        page = np.where(cover > int(rng.integers(40, 160)), other, page)
    ink = cv2.resize(ratio, fine, interpolation=cv2.INTER_CUBIC)
    page[ink < (rng.uniform(0.5, 0.85) if drawn else rng.uniform(0.45, 0.75))] = 0
    if drawn:  # the soft pixels around solid black are an edge, not a tone
        edge = cv2.morphologyEx(closed, cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8)) > 110
        edge = cv2.resize(edge.astype(np.uint8), fine, interpolation=cv2.INTER_NEAREST) > 0
        page = np.where(edge, np.where(cv2.resize(gray, fine, interpolation=cv2.INTER_CUBIC) < 128, 0, 255), page)
    return toned(printed(np.asarray(page, np.uint8), height, width, rng), rng)


def shades(rng: np.random.Generator, *, drawn: bool) -> Gray:
    """(256,) uint8: luminance -> share of black in steps, 0 nowhere, 255 solid; steps, or as the picture has it."""
    light = np.arange(256) / 255
    solid, blank = rng.uniform(0.03, 0.15), rng.uniform(0.7, 0.97)
    if rng.random() < (0.5 if drawn else 0.3):
        cover = (1 - light) * rng.uniform(0.6, 1.1)
    else:
        edges = np.sort(rng.uniform(solid, blank, int(rng.integers(1, 4))))
        covers = np.sort(np.where(rng.random(len(edges) + 1) < 0.15, 0, rng.uniform(0.05, 0.65, len(edges) + 1)))[::-1]
        cover = covers[np.searchsorted(edges, light)]
    cover = np.where(light > max(blank, 0.94 if drawn else 0), 0, np.where(light < solid, 1, np.clip(cover, 0, 0.9)))
    return np.asarray(255 * cover, np.uint8)


def graded(cover: Gray, rng: np.random.Generator) -> Gray:
    """Tone that thins out to one side, as gradation sheets do; solid black and blank paper stay."""
    height, width = cover.shape
    low, high = sorted(rng.uniform(0.0, 1.5, 2))
    angle = rng.uniform(0, 2 * np.pi)
    side = np.sin(angle) * np.linspace(-1, 1, height, dtype=np.float32)[:, None] + np.cos(angle) * np.linspace(
        -1, 1, width, dtype=np.float32
    )
    factor = np.clip(low + (high - low) * (0.5 + 0.35 * side), 0, 1.4).astype(np.float32)
    return np.where(cover == 255, cover, np.clip(cover * factor, 0, 240).astype(np.uint8))


def screen(height: int, width: int, rng: np.random.Generator) -> Gray:
    """(H, W) uint8 thresholds of one tone sheet on the print's grid: black where the share of black is above."""
    kind = rng.random()
    if kind < 0.12:
        return sand(height, width, rng)
    dpi = float(np.exp(rng.uniform(np.log(1000), np.log(2400)))) / PAGE_INCHES
    period = FINE * max(1.8, dpi / float(rng.choice(LINES_PER_INCH)))
    angle = np.pi / 4 if rng.random() < 0.85 else float(rng.choice([0, 15, 30, 60, 75])) * np.pi / 180
    if rng.random() < 0.4:  # laid on or scanned by hand
        angle += float(rng.normal(0, 0.03))
    first, second = rng.uniform(0, 2 * np.pi, 2)
    across = waves(height, width, angle, period, first)
    if kind < 0.22:
        return np.asarray(255 * (0.5 - 0.5 * across), np.uint8)
    down = waves(height, width, angle + np.pi / 2, period, second)
    return np.asarray(255 * (0.5 - 0.25 * (across + down)), np.uint8)


def waves(height: int, width: int, angle: float, period: float, phase: float) -> NDArray[np.float32]:
    """(H, W) cos of a plane wave, as the product of two thin matrices."""
    step = 2 * np.pi / period
    x = np.arange(width) * step * np.cos(angle) + phase
    y = np.arange(height) * step * np.sin(angle)
    left = np.stack([np.cos(y), -np.sin(y)], 1).astype(np.float32)
    return left @ np.stack([np.cos(x), np.sin(x)]).astype(np.float32)


def sand(height: int, width: int, rng: np.random.Generator) -> Gray:
    """(H, W) uint8 thresholds of grains at random places, about 1-3 px of the page wide."""
    grain = FINE * rng.uniform(0.8, 2.0)
    small = rng.random((int(height / grain) + 2, int(width / grain) + 2), np.float32)
    return np.asarray(cv2.resize(small * 255, (width, height), interpolation=cv2.INTER_CUBIC).clip(0, 255), np.uint8)


def printed(page: Gray, height: int, width: int, rng: np.random.Generator) -> Gray:
    """The print reduced to (height, width): by area, after a blur, or crisper than area."""
    kind = rng.random()
    if kind < 0.3:
        page = np.asarray(cv2.GaussianBlur(page, (0, 0), FINE * rng.uniform(0.2, 0.45)), np.uint8)
    small = np.asarray(cv2.resize(page, (width, height), interpolation=cv2.INTER_AREA), np.uint8)
    if kind > 0.6:
        blurred = cv2.GaussianBlur(small, (0, 0), 0.8)
        amount = float(rng.uniform(0.2, 0.8))
        small = np.asarray(cv2.addWeighted(small, 1 + amount, blurred, -amount, 0), np.uint8)
    return small


def toned(page: Gray, rng: np.random.Generator) -> Gray:
    """Ink that is not quite black and paper that is not quite white, in half of the pages."""
    if rng.random() < 0.5:
        return page
    black, white = rng.uniform(0, 55), rng.uniform(238, 255)
    return np.asarray(cv2.LUT(page, np.linspace(black, white, 256).round().astype(np.uint8)), np.uint8)
