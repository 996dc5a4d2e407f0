"""Scroll strips: very tall pages are painted in windows that are cut where the strip is emptiest."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mangapaint.layout.measure import Gray
from mangapaint.page import Region

STRIP_RATIO = 2.5
"""Height over width above which a page is a strip; book pages have about 1.4, spreads 0.7."""
SEARCH = 0.35
"""How far from the wished cut a blank row is looked for, as a share of the window's height."""


def is_strip(height: int, width: int) -> bool:
    """Whether a picture of that size is a scroll strip; a spread (wide double page) is not."""
    return height > STRIP_RATIO * width


def cut(gray: Gray, target_height: int, overlap: int) -> list[Region]:
    """Windows of about the target height that cover a strip from top to bottom.

    Cuts lie in the middle of blank bands near the wished height, or on the emptiest row where there is none.

    Args:
        gray: (H, W) uint8.
        target_height: px of a window without its overlap, at least 1.
        overlap: px that neighbours share, half on each side of the cut; at least 0.

    Returns:
        Windows of the full width, top to bottom. Neighbours overlap by `overlap` px, less only where a window would
        leave the page. A page that is hardly taller than one window comes back whole.
    """
    if target_height < 1 or overlap < 0:
        raise ValueError("target_height must be at least 1 and overlap at least 0")
    height, width = int(gray.shape[0]), int(gray.shape[1])
    cost = _row_cost(gray)
    reach = round(SEARCH * target_height)
    cuts = [0]
    while height - cuts[-1] > target_height + reach:
        wished = cuts[-1] + target_height
        first = max(cuts[-1] + 1, wished - reach)
        cuts.append(first + _emptiest(cost[first : min(height, wished + reach + 1)], wished - first))
    cuts.append(height)
    before, after = overlap // 2, overlap - overlap // 2
    windows = []
    for top, bottom in zip(cuts[:-1], cuts[1:], strict=True):
        first, last = max(0, top - before), min(height, bottom + after)
        windows.append(Region(0, first, width, last - first))
    return windows


def _row_cost(gray: Gray) -> NDArray[np.float64]:
    """How much a cut at each row would hurt: 0 on a flat row, white or black, whatever its shade."""
    rows = gray.astype(np.int16)
    along = np.abs(np.diff(rows, axis=1)).mean(1) if gray.shape[1] > 1 else np.zeros(len(rows))
    # Scan noise and JPEG rings of a few levels are no content.
    return np.asarray(np.maximum(0.0, along - 1.0), np.float64)


def _emptiest(cost: NDArray[np.float64], wished: int) -> int:
    """Row of least cost; in the middle of the blank band nearest to the wished row when there are several."""
    limit = float(cost.min()) + 1e-9
    low = np.flatnonzero(cost <= limit)
    bands = np.split(low, np.flatnonzero(np.diff(low) > 1) + 1)
    # A wide band is worth a little distance: blank space between scenes beats the slit between two panels.
    best = max(bands, key=lambda band: min(len(band), len(cost) // 8) - 0.25 * abs(float(band.mean()) - wished))
    return int(best[len(best) // 2])
