"""Synthetic coloured pages: crops in framed panels with gutters, bubbles with lettering."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

from mangapaint.page import Region
from train.corpus import Picture

LETTERS = "ABCDEFGHIKLMNOPRSTUVWY!?...,'"


def cut_panels(area: Region, rng: np.random.Generator, depth: int = 0) -> list[Region]:
    """Random guillotine cuts with gutters of 3-12 px; panels keep at least 72 px a side."""
    gutter = int(rng.integers(3, 13))
    can = [axis for axis, size in enumerate((area.width, area.height)) if size >= 2 * 72 + gutter]
    if not can or depth >= 3 or (depth >= 1 and rng.random() < 0.35):
        return [area]
    axis = int(rng.choice(can)) if area.width < 1.5 * area.height else can[0]
    return [panel for part in parted(area, axis, gutter, 72, rng) for panel in cut_panels(part, rng, depth + 1)]


def parted(area: Region, axis: int, gutter: int, least: int, rng: np.random.Generator) -> tuple[Region, Region]:
    """Two parts with a gutter between them, side by side (axis 0) or one above the other, of at least `least` px."""
    size = (area.width, area.height)[axis]
    first = int(rng.integers(least, size - gutter - least + 1))
    rest, after = size - gutter - first, first + gutter
    if axis == 0:
        return Region(area.x, area.y, first, area.height), Region(area.x + after, area.y, rest, area.height)
    return Region(area.x, area.y, area.width, first), Region(area.x, area.y + after, area.width, rest)


def bubble(canvas: Picture, paper: NDArray[np.bool_], area: Region, rng: np.random.Generator) -> None:
    """A white bubble with a black outline and lettering somewhere in the panel; marked in `paper`."""
    width = int(rng.uniform(0.25, 0.6) * area.width)
    height = int(rng.uniform(0.15, 0.45) * area.height)
    centre = (int(rng.integers(area.x, area.right)), int(rng.integers(area.y, area.y + max(1, area.height // 2))))
    axes = (max(10, width // 2), max(8, height // 2))
    mask = np.zeros(paper.shape, np.uint8)
    if rng.random() < 0.75:
        cv2.ellipse(mask, centre, axes, 0, 0, 360, 1, -1)
    else:
        cv2.rectangle(
            mask, (centre[0] - axes[0], centre[1] - axes[1]), (centre[0] + axes[0], centre[1] + axes[1]), 1, -1
        )
    inside = np.zeros_like(mask)
    inside[area.slices] = mask[area.slices]
    rim = cv2.dilate(inside, np.ones((3, 3), np.uint8)) - inside
    canvas[inside > 0] = 255
    canvas[rim > 0] = 0
    scale = rng.uniform(0.25, 0.4)
    step = int(rng.integers(8, 13))
    for y in range(centre[1] - axes[1] // 2, centre[1] + axes[1] // 2, step):
        text = "".join(rng.choice(list(LETTERS), max(1, int(axes[0] * 1.3 / 7))))
        cv2.putText(
            canvas, text, (centre[0] - int(axes[0] * 0.65), y + 4), cv2.FONT_HERSHEY_SIMPLEX, scale, (0, 0, 0), 1
        )
    paper |= inside > 0


def page(side: int, crop: Callable[[int, int], Picture], rng: np.random.Generator) -> tuple[Picture, NDArray[np.bool_]]:
    """A piece of a coloured page.

    Args:
        side: px of the square canvas.
        crop: gives a (height, width, 3) coloured crop.
        rng: decides the layout.

    Returns:
        canvas (side, side, 3) uint8 and paper (side, side) bool: gutters and bubbles, which stay white.
    """
    canvas = np.full((side, side, 3), 255, np.uint8)
    paper = np.ones((side, side), bool)
    bleed = int(rng.integers(0, 60)) * (rng.random() < 0.7)
    margin = int(rng.integers(0, 14))
    area = Region(margin - bleed, margin - bleed, side + bleed, side + bleed)
    for panel in cut_panels(area, rng):
        seen = panel.intersection(Region(0, 0, side, side))
        if seen.width < 16 or seen.height < 16:
            continue
        canvas[seen.slices] = crop(seen.height, seen.width)
        paper[seen.slices] = False
        if rng.random() < 0.6:
            for _ in range(int(rng.integers(1, 3))):
                bubble(canvas, paper, seen, rng)
        if rng.random() < 0.85:
            corner = (seen.right - 1, seen.bottom - 1)
            cv2.rectangle(canvas, (seen.x, seen.y), corner, (0, 0, 0), int(rng.integers(1, 4)))
    return canvas, paper
