"""White that measured margins run into and that is no paper: sleeves whose outline has a gap, skies off the page."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from mangapaint.layout.measure import Gray, Mask, components
from mangapaint.layout.regions import regions
from mangapaint.page import Region

GRID = 600
"""Longest side of the reduced page on which white is sorted, px."""
LEAST = 0.15
"""Certainty under which white is no paper: margins that take on colour are worse than a white sleeve."""
WHOLE = 0.02
"""Share of the page up to which a region between lines is decided as one; larger ones may be margin and drawing."""
THINNEST = 5
"""Of the reduced page, px: what is thinner is the rim of paper, not a leak."""
SMALLEST = 60
"""Px of the reduced page that a leak has at least."""
FADE = 6
"""Px of the reduced page over which a leak goes over into paper that it meets in open white."""
STRAIGHT = 21
"""Px of the reduced page along a row or column from which on an end in open white counts as straight."""
RAGGED = 0.3
"""Share of a leak's outline that may end in open white along no straight line: such blots look worse than paper."""
RIM = 0.07
"""Share of the reduced page's longest side up to which white between a leak and the border is the leak's own rim."""
BARE = 0.5
"""Share of the outline of such a rim, or of a spot, that no line keeps apart from the leak."""
SPOT = 0.003
"""Share of the page up to which white in the midst of a leak belongs to it, unless it is long as gutters are."""
COMPACT = 3.0
"""Ratio of the sides of such a spot."""
NARROW, LONG = 0.025, 8.0
"""Share of the reduced page's width, and ratio of the sides: what is narrower and longer is a gutter after all."""


def leaks(gray: Gray, margins: Mask, sure: NDArray[np.float32]) -> NDArray[np.float32]:
    """The part of measured margins and gutters that is white of the drawing.

    Args:
        gray: (H, W) uint8, 255 is white.
        margins: (H, W) bool, as of `paper.gutters`, without bubbles.
        sure: (h, w) in 0..1 of any size, how surely a place is paper.

    Returns:
        (H, W) in 0..1, 0 is paper. Ends run along the drawn lines, gaps in them closed; in open white they run where
        `sure` says so, and fade.
    """
    height, width = gray.shape
    scale = min(1.0, GRID / max(height, width))
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    small = np.asarray(cv2.resize(gray, size, interpolation=cv2.INTER_AREA), np.uint8)
    share = cv2.resize(margins.astype(np.float32), size, interpolation=cv2.INTER_AREA)
    inside, certain = share > 0.5, cv2.resize(sure, size, interpolation=cv2.INTER_LINEAR)
    label = regions(small)
    count = int(label.max()) + 1
    places = np.bincount(label[inside], minlength=count)
    mean = np.bincount(label[inside], weights=certain[inside], minlength=count) / np.maximum(places, 1)
    verdict = np.where((places <= WHOLE * label.size)[label], mean[label], certain) < LEAST
    square = np.ones((THINNEST, THINNEST), np.uint8)
    thick = cv2.morphologyEx((verdict & inside).astype(np.uint8), cv2.MORPH_OPEN, square)
    found = kept(np.asarray(thick, np.uint8), inside)
    grown = np.asarray(cv2.dilate(found, square) * (verdict | ~inside), np.uint8)
    grown |= rims(grown, inside)
    left, steps = inside & (grown == 0), grown * FADE
    for step in range(FADE):  # paper that no line keeps apart
        left = (cv2.dilate(left.astype(np.uint8), np.ones((3, 3), np.uint8)) > 0) & inside
        steps[left & (steps == FADE)] = step
    strength = cv2.resize(steps.astype(np.float32) / FADE, (width, height), interpolation=cv2.INTER_LINEAR)
    return np.asarray(strength * margins, np.float32)


def kept(found: Gray, white: Mask) -> Gray:
    """(h, w) uint8 of what was found in reduced `white`: 1 where it has the size and the outline of a leak."""
    labels, stats = components(found, 8)
    near = np.ones((5, 5), np.uint8)
    result = np.zeros_like(found)
    for index in range(1, len(stats)):
        x, y, width, height, area = (int(value) for value in stats[index])
        if area < SMALLEST:
            continue
        window = Region(x, y, width, height).padded(STRAIGHT, found.shape[1], found.shape[0])
        part = (labels[window.slices] == index).astype(np.uint8)
        thick = 2 * float(cv2.distanceTransform(np.pad(part, 1), cv2.DIST_L2, 3).max())
        if thick < NARROW * found.shape[1] and max(width, height) > LONG * min(width, height):
            continue
        around = np.asarray(cv2.dilate(part, near) - part, np.uint8)
        if ragged(around, (around > 0) & white[window.slices] & (found[window.slices] == 0)) <= RAGGED:
            result[window.slices] |= part
    return result


def rims(found: Gray, white: Mask) -> Gray:
    """(h, w) uint8: 1 where reduced `white` is but a rim between what was found and the border of the page, or a spot.

    Pictures without a margin run off the page, and of what is cut by its border nobody can be sure.
    """
    side = round(RIM * max(found.shape)) | 1
    left = np.pad((white & (found == 0)).astype(np.uint8), side)  # what lies outside is no paper
    thin = left - cv2.morphologyEx(left, cv2.MORPH_OPEN, np.ones((side, side), np.uint8))
    labels, stats = components(np.asarray(thin[side:-side, side:-side], np.uint8), 8)
    fit = np.zeros(len(stats), bool)
    fit[np.concatenate([labels[0], labels[-1], labels[:, 0], labels[:, -1]])] = True
    fit[labels[side:-side, side:-side]] = False  # gutters between panels, with the margin that they run into
    wide, tall, area = (stats[:, i] for i in (cv2.CC_STAT_WIDTH, cv2.CC_STAT_HEIGHT, cv2.CC_STAT_AREA))
    fit |= (area <= SPOT * found.size) & (np.maximum(wide, tall) < COMPACT * np.minimum(wide, tall))
    fit[0] = False
    result = np.zeros_like(found)
    for index in np.flatnonzero(fit):
        x, y, width, height = (int(value) for value in stats[index, :4])
        window = Region(x, y, width, height).padded(1, found.shape[1], found.shape[0])
        part = (labels[window.slices] == index).astype(np.uint8)
        around = cv2.dilate(part, np.ones((3, 3), np.uint8)) - part
        if (around & found[window.slices]).sum() > BARE * around.sum():
            result[window.slices] |= part
    return result


def ragged(outline: Gray, ends: Mask) -> float:
    """Share of an outline that `ends` in open white along no row or column."""
    rows, columns = np.ones((1, STRAIGHT), np.uint8), np.ones((STRAIGHT, 1), np.uint8)
    opened = [cv2.morphologyEx(ends.astype(np.uint8), cv2.MORPH_OPEN, line) for line in (rows, columns)]
    return float((ends & (np.maximum(*opened) == 0)).sum()) / max(1, int(outline.sum()))
