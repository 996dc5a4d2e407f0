"""Where a page is screened: covered by small dots, or by black with small holes, close together."""

from __future__ import annotations

import cv2
import numpy as np

from mangapaint.layout.measure import Gray, Mask, components, page_unit

DOT = 0.0075
"""Largest side of a dot, of the page's width; letters and strokes are larger."""
WINDOW = 0.024
"""Side of the square in which dots are counted, of the page's width."""
ENOUGH = 8
"""Dots in a square that make it screentone; a line of small lettering has fewer."""
MIDDLE = 128


def screened(gray: Gray) -> Mask:
    """Screentone whose dots the scan has kept apart; averaged tone is gray and needs no finding.

    Args:
        gray: (H, W) uint8, 255 is white.

    Returns:
        (H, W) bool; it ends where the dots end.
    """
    unit = page_unit(gray)
    window = max(5, round(WINDOW * unit))
    found = np.zeros(gray.shape, bool)
    for mask in (gray < MIDDLE, gray >= MIDDLE):
        stats = components(mask, 4)[1][1:]  # the first is what lies outside the mask
        side = np.maximum(stats[:, cv2.CC_STAT_WIDTH], stats[:, cv2.CC_STAT_HEIGHT])
        dots = stats[side < max(3.0, DOT * unit)]
        count = np.zeros(gray.shape, np.float32)
        x, y, width, height = (dots[:, i] for i in range(4))
        np.add.at(count, (y + height // 2, x + width // 2), 1)
        found |= (
            cv2.boxFilter(count, -1, (window, window), normalize=False, borderType=cv2.BORDER_CONSTANT) >= ENOUGH - 0.5
        )
    dark = (gray < MIDDLE).astype(np.uint8)
    return np.asarray(found & (cv2.morphologyEx(dark, cv2.MORPH_CLOSE, np.ones((window, window), np.uint8)) > 0), bool)
