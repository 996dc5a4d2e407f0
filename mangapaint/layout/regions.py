"""Regions between the drawn lines: what a colourist fills with one colour."""

from __future__ import annotations

import cv2
import numpy as np

from mangapaint.layout.measure import Gray, Labels, Mask, components

INK = 158
"""Averaged px darker than this bound a region of paper: thin lines are that dark still, light tone is not."""
BLACK = 64
"""Averaged px darker than this are solid black, or a line."""
BALLS = (3, 1, 0)
"""Radii of the trapped balls, px of the reduced page, largest first: a region ends where the ball does not pass."""
TONE_BALLS = (3, 2)
"""Of regions under dense tone."""
BLACK_BALLS = (4, 3)
"""Of solid black: what the smaller ball does not fit into is a line."""
LINE = 0.72
"""Share of the light around it under which a px is a line, whatever the tone it lies in."""
AROUND = 7
"""Side of the closing that says how light it is around a line, px."""
GRAIN = 5
"""Side of the median that takes the dots out of averaged tone, px."""
SMALLEST = 12
"""Regions of fewer px are left to their neighbours."""


def regions(gray: Gray) -> Labels:
    """Label the regions of a reduced page, after trapped-ball filling (Zhang et al. 2009).

    Paper and light tone come first, bounded by everything dark; then dense tone, bounded by lines darker than itself;
    then solid black.

    Args:
        gray: (H, W) uint8, a page reduced by area to about 600 px on its long side.

    Returns:
        (H, W) int32, 1..n; px of lines belong to the nearest region; 0 only where there is none at all.
    """
    labels = filled(gray >= INK, np.zeros(gray.shape, np.int32), BALLS)
    smooth = cv2.medianBlur(gray, GRAIN)
    around = cv2.morphologyEx(smooth, cv2.MORPH_CLOSE, np.ones((AROUND, AROUND), np.uint8))
    clear = gray >= LINE * around
    labels = filled(clear & (smooth < INK) & (smooth >= BLACK), labels, TONE_BALLS)
    return nearest(filled(smooth < BLACK, labels, BLACK_BALLS))


def filled(free: Mask, labels: Labels, balls: tuple[int, ...]) -> Labels:
    """The labels with the components of what is free and has none yet, numbered on.

    Args:
        free: (H, W) where a ball may roll.
        labels: (H, W), 0 where no region is.
        balls: radii, px, largest first.
    """
    count = int(labels.max())
    for radius in balls:
        left = (free & (labels == 0)).astype(np.uint8)
        disc = np.asarray(cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1)))
        core = cv2.erode(left, disc, borderValue=1) if radius else left
        found, stats = components(np.asarray(core, np.uint8), 4)
        keep = stats[:, cv2.CC_STAT_AREA] >= SMALLEST
        keep[0] = False
        number = np.where(keep, np.cumsum(keep) + count, 0).astype(np.int32)
        grown = np.asarray(number[found], np.int32)
        if radius:  # back to the lines, but not through the gaps that stopped the ball
            wide = cv2.dilate(grown.astype(np.float32), disc)
            grown = np.where((grown == 0) & (left > 0), wide, grown).astype(np.int32)
        labels = np.where(labels == 0, grown, labels)
        count += int(keep.sum())
    return np.asarray(labels, np.int32)


def nearest(labels: Labels) -> Labels:
    """Px without a label get that of the nearest labelled px."""
    if not labels.any():
        return labels
    _, index = cv2.distanceTransformWithLabels(
        (labels == 0).astype(np.uint8), cv2.DIST_L2, 3, labelType=cv2.DIST_LABEL_PIXEL
    )
    table = np.zeros(int(index.max()) + 1, np.int32)
    known = labels > 0
    table[index[known]] = labels[known]
    return np.asarray(table[index], np.int32)
