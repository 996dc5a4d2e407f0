"""Measures that the whole layout room shares: the level of paper, the unit of length, crops of components."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

Gray = NDArray[np.uint8]
Mask = NDArray[np.bool_]
Labels = NDArray[np.int32]

PAPER_LEVEL = 247
"""Lowest gray that counts as paper on a clean page: L* above 97."""


def paper_level(gray: Gray) -> int:
    """Lowest gray that counts as paper: L* 97 on a clean page, lower on a dull or yellowed scan."""
    histogram = np.bincount(gray[::2, ::2].ravel(), minlength=256)
    brightest = int(np.flatnonzero(histogram >= 0.002 * histogram.sum())[-1])
    low = max(0, brightest - 24)
    mode = low + int(np.argmax(histogram[low : brightest + 1]))
    return min(PAPER_LEVEL, mode - 8)


def page_unit(gray: Gray) -> float:
    """Width of one page in px: what lettering and gutters are proportional to, on strips and spreads too."""
    height, width = int(gray.shape[0]), int(gray.shape[1])
    return min(float(width), height / 1.3)


def components(mask: Mask | Gray, connectivity: int) -> tuple[Labels, Labels]:
    """Connected components: (H, W) labels, 0 the background, and per label x, y, width, height, area."""
    _, labels, stats, _ = cv2.connectedComponentsWithStats(
        mask.astype(np.uint8, copy=False), connectivity=connectivity, ltype=cv2.CV_32S
    )
    return np.asarray(labels, np.int32), np.asarray(stats, np.int32)


def crop_of(labels: Labels, stats: Labels, index: int) -> Mask:
    """The mask of one component, cut to its bounding box."""
    x, y, w, h = (int(v) for v in stats[:4])
    return np.asarray(labels[y : y + h, x : x + w] == index, bool)
