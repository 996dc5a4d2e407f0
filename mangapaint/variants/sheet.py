"""A contact sheet: all variants of a picture, small, each under its number and seed."""

from __future__ import annotations

import math
from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

Picture = NDArray[np.uint8]

SIDE = 256
"""Longest side of a picture on the sheet, px."""
GAP, LABEL = 8, 22
"""Px between pictures, and of the line under each."""
PAPER, INK = 245, 40


def thumbnail(picture: Picture) -> Picture:
    """(H, W, 3) uint8 -> the same with its longest side at SIDE; tiny pictures are enlarged with their pixels seen."""
    height, width = picture.shape[:2]
    scale = SIDE / max(height, width)
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_NEAREST if scale > 4 else cv2.INTER_CUBIC
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return np.asarray(cv2.resize(picture, size, interpolation=method), np.uint8)


def contact_sheet(pictures: Sequence[Picture], labels: Sequence[str]) -> Picture:
    """A sheet about as wide as it is high.

    Args:
        pictures: (h, w, 3) uint8 sRGB thumbnails of one size.
        labels: one for each, ASCII.

    Returns:
        (H, W, 3) uint8 sRGB.
    """
    high, wide = max(p.shape[0] for p in pictures) + GAP + LABEL, max(SIDE // 2, *(p.shape[1] for p in pictures)) + GAP
    square = min(len(pictures), max(1, round(math.sqrt(len(pictures) * high / wide))))
    columns = min((square + 1, square), key=lambda n: -len(pictures) % n)  # the fewest places empty
    rows = -(-len(pictures) // columns)
    sheet = np.full((rows * high + GAP, columns * wide + GAP, 3), PAPER, np.uint8)
    for index, (picture, label) in enumerate(zip(pictures, labels, strict=True)):
        top, left = GAP + index // columns * high, GAP + index % columns * wide
        sheet[top : top + picture.shape[0], left : left + picture.shape[1]] = picture
        place = (left, top + high - GAP - 8)
        cv2.putText(sheet, label, place, cv2.FONT_HERSHEY_SIMPLEX, 0.42, (INK, INK, INK), 1, cv2.LINE_AA)
    return sheet
