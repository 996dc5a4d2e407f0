"""Faces on a page: what a heat-map net says of it, read as boxes (after Zhou et al. 2019, Objects as Points).

The net is run by `mangapaint.paint.faces.FaceFinder`; here is only the geometry.
"""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from mangapaint.layout.order import Direction, reading_order
from mangapaint.page import Face, Panel, Region

STRIDE = 8
"""Pixels of what the net saw per place of its maps."""
USUAL = 64.0
"""Side, px, whose logarithm the maps call 0."""
MOST = 200
"""Faces of one page at most."""
OVERLAP = 0.35
"""Overlap (IoU) from which on two boxes are one face."""
INSIDE = 0.7
"""Share of a box that lies in a surer one from which on it is a part of that face."""
HEAD = 0.75
"""What belongs to a head around its face, hair above all, share of the face's side."""


def decoded(maps: NDArray[np.float32], least: float, scale: float = 1.0) -> list[Face]:
    """The faces that a net saw.

    Args:
        maps: (5, h, w) float32, see `mangapaint.models.faces_net.FacesNet`.
        least: score under which a place is no face, 0..1.
        scale: px of what the net saw per px of the page.

    Returns:
        Boxes in px of the page, the surest first, none of them twice. They may reach beyond the page.
    """
    heat = 1 / (1 + np.exp(-np.clip(maps[0], -30, 30)))
    peak = heat >= cv2.dilate(heat, np.ones((3, 3), np.uint8))
    rows, columns = np.nonzero(peak & (heat >= least))
    best = np.argsort(-heat[rows, columns], kind="stable")[:MOST]
    faces = []
    for row, column in zip(rows[best], columns[best], strict=True):
        dx, dy, wide, high = (float(v) for v in maps[1:, row, column])
        x, y = (column + 0.5 + dx) * STRIDE / scale, (row + 0.5 + dy) * STRIDE / scale
        width, height = (USUAL * float(np.exp(np.clip(v, -4, 4))) / scale for v in (wide, high))
        left, top = round(x - width / 2), round(y - height / 2)
        region = Region(left, top, max(1, round(width)), max(1, round(height)))
        faces.append(Face(region, float(heat[row, column])))
    return apart(faces)


def apart(faces: list[Face]) -> list[Face]:
    """The surest first, without those that overlap a surer one."""
    kept: list[Face] = []
    for face in sorted(faces, key=lambda face: -face.score):
        if not any(same(face.region, other.region) for other in kept):
            kept.append(face)
    return kept


def same(region: Region, other: Region) -> bool:
    """Whether two boxes are one face."""
    common = region.intersection(other).area
    return region.iou(other) > OVERLAP or common > INSIDE * min(region.area, other.area)


def on_page(faces: list[Face], height: int, width: int) -> list[Face]:
    """The faces clipped to a page of that size, the largest first; equal ones from the top right, as manga is read."""
    page = Region(0, 0, width, height)
    clipped = [Face(face.region.intersection(page), face.score) for face in faces]
    seen = [face for face in clipped if face.region.area > 0]
    return sorted(seen, key=lambda face: (-face.region.area, face.region.y, -face.region.right))


def head_of(face: Region, width: int, height: int) -> Region:
    """The face with its hair, clipped to a page of that size."""
    return face.padded(round(HEAD * math.sqrt(face.area)), width, height)


def in_reading_order(faces: list[Face], panels: list[Panel], direction: Direction) -> list[tuple[Face, int | None]]:
    """The faces panel by panel, each with the `order` of the panel that its middle lies in; last those in none."""
    groups: dict[int, list[Face]] = {}
    for face in faces:
        box = face.region
        middle = Region(box.x + box.width // 2, box.y + box.height // 2, 1, 1)
        inside = [panel for panel in panels if panel.region.intersection(middle).area]
        place = min(inside, key=lambda panel: panel.region.area).order if inside else len(panels)
        groups.setdefault(place, []).append(face)
    return [
        (group[number], place if place < len(panels) else None)
        for place, group in sorted(groups.items())
        for number in reading_order([face.region for face in group], direction)
    ]
