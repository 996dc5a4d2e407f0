"""Whether a page is gray, already coloured, or blank."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from mangapaint.page import Verdict

CELLS = 160
"""The page is judged on cells: its longer side is reduced to this many, which averages grain and JPEG noise away."""
SPOT_SHARE = 0.005
"""The most coloured part of the page that decides: a small spot of true colour makes a colour page."""
BLANK_SPREAD = 48.0
"""Levels between the 1st and 99th percentile of a blank page: room for a shadow along the spine."""
BLANK_CONTRAST = 8.0
"""Levels by which a cell may differ from its surroundings on blank paper."""
BLANK_SPECKS = 0.002
"""Share of the cells of a blank page that may differ more: dust."""


def verdict(pixels: NDArray[np.uint8], threshold: float) -> tuple[Verdict, float]:
    """What a page is, and its measured colourfulness.

    Args:
        pixels: (H, W, 3) uint8 sRGB, or (H, W) uint8.
        threshold: colourfulness above which a page counts as coloured.
    """
    value = colourfulness(pixels)
    if value > threshold:
        return Verdict.COLOUR, value
    return (Verdict.BLANK if _is_blank(pixels) else Verdict.GRAY), value


def colourfulness(pixels: NDArray[np.uint8]) -> float:
    """How far the most coloured part of a page strays from the page's own tint.

    Yellowed, tinted and unevenly browned scans have a tint that follows from lightness and place alone; what a smooth
    fit of these two explains is no colour.

    Args:
        pixels: (H, W, 3) uint8 sRGB, or (H, W) uint8.

    Returns:
        Mean distance in a*b* (CIE Lab units) of the 0.5 % of cells that stray most; 0 for a gray file, about 1-2
        for noisy scans, 15 and more for printed colour.
    """
    if pixels.ndim == 2:
        return 0.0
    cells = _reduced(pixels)
    lab = np.asarray(cv2.cvtColor(cells.astype(np.float32) / 255, cv2.COLOR_RGB2LAB), np.float32)
    # The median takes away the coloured fringes of misaligned scans, which are thin, and leaves coloured areas.
    smooth = [cv2.GaussianBlur(cv2.medianBlur(np.ascontiguousarray(c), 5), (0, 0), 1.0) for c in cv2.split(lab)]
    lightness, colour = np.asarray(smooth[0], np.float64), np.stack(smooth[1:], -1).reshape(-1, 2).astype(np.float64)
    stray = np.sort(_strays(colour, _tint_terms(lightness)))
    return float(stray[-max(1, round(SPOT_SHARE * len(stray))) :].mean())


def _reduced(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    scale = min(1.0, CELLS / max(pixels.shape[:2]))
    size = (max(1, round(pixels.shape[1] * scale)), max(1, round(pixels.shape[0] * scale)))
    return np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), np.uint8)


def _tint_terms(lightness: NDArray[np.float64]) -> NDArray[np.float64]:
    """(cells, 31) smooth functions of lightness and place that a scan's tint may follow."""
    height, width = lightness.shape
    y, x = (axis.ravel() for axis in np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j])
    light = lightness.ravel() / 50 - 1
    place = [x**i * y**j for i in range(5) for j in range(5 - i)]
    return np.stack([*place, *(light * term for term in place), light**2], 1)


def _strays(colour: NDArray[np.float64], terms: NDArray[np.float64]) -> NDArray[np.float64]:
    """Distance of each cell's (a*, b*) from a robust fit: a coloured part does not bend the tint towards itself."""
    stray = np.ones(len(terms))
    # The ridge keeps the fit defined on flat pages, where lightness says nothing.
    ridge = 1e-3 * len(terms) * np.eye(terms.shape[1])
    ridge[0, 0] = 0
    for _ in range(6):
        weighted = terms / np.maximum(stray, 0.5)[:, None]
        fit = np.linalg.solve(weighted.T @ terms + ridge, weighted.T @ colour)
        stray = np.hypot(*(colour - terms @ fit).T)
    return stray


def _is_blank(pixels: NDArray[np.uint8]) -> bool:
    cells = _reduced(pixels).astype(np.float32)
    light = cells.mean(2) if cells.ndim == 3 else cells
    low, high = np.percentile(light, (1, 99))
    contrast = np.abs(light - cv2.GaussianBlur(light, (0, 0), CELLS / 16))
    return bool(high - low < BLANK_SPREAD and (contrast > BLANK_CONTRAST).mean() < BLANK_SPECKS)
