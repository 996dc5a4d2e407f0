"""Straight edges of a page and the lines that they lie on."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from mangapaint.layout.measure import Gray, Mask

Floats = NDArray[np.float64]

STEEPEST = 22.0
"""Degrees that a gutter may lean from the horizontal or the vertical."""
WHITE = 225
WIDEST_GUTTER = 0.06
"""In page widths."""


@dataclass(frozen=True, slots=True)
class Edges:
    """Straight edges, all of one orientation; angles as of an undirected line, px of the page given.

    Attributes:
        start: (N, 2) x, y.
        end: (N, 2) x, y.
        angle: (N,) radians, in [-pi/4, 3 pi/4).
        outward: (N, 2) unit normal that points to the lighter side.
        upright: whether these are the upright edges.
    """

    start: Floats
    end: Floats
    angle: Floats
    outward: Floats
    upright: bool

    def __len__(self) -> int:
        return len(self.angle)

    @property
    def length(self) -> Floats:
        return np.asarray(np.hypot(*(self.end - self.start).T), np.float64)


def find_edges(gray: Gray, shortest: float) -> tuple[Edges, Edges]:
    """Level and upright straight edges of a page, each at least `shortest` px long."""
    found = cv2.createLineSegmentDetector(cv2.LSD_REFINE_STD).detect(gray)[0]
    segments = np.zeros((0, 4)) if found is None else np.asarray(found, np.float64).reshape(-1, 4)
    start, end = segments[:, :2], segments[:, 2:]
    along = end - start
    length = np.hypot(*along.T)
    long = length >= shortest
    start, end, along, length = start[long], end[long], along[long], length[long]
    angle = (np.arctan2(along[:, 1], along[:, 0]) + np.pi / 4) % np.pi - np.pi / 4
    normal = np.stack([-along[:, 1], along[:, 0]], 1) / length[:, None]
    outward = normal * np.where(_side(gray, start, end, normal) >= _side(gray, start, end, -normal), 1, -1)[:, None]
    level = np.abs(angle) < np.radians(STEEPEST)
    upright = np.abs(angle - np.pi / 2) < np.radians(STEEPEST)
    return tuple(  # type: ignore[return-value]
        Edges(start[kept], end[kept], angle[kept], outward[kept], bool(standing))
        for kept, standing in ((level, False), (upright, True))
    )


def _side(gray: Gray, start: Floats, end: Floats, normal: Floats) -> Floats:
    """Mean gray 2-3 px off each edge, on the side of `normal`."""
    steps = np.linspace(0.1, 0.9, 9)[None, :, None]
    points = start[:, None] + (end - start)[:, None] * steps
    return np.asarray(np.mean([sample(gray, points + normal[:, None] * d) for d in (2.0, 3.0)], 0).mean(-1))


def sample(gray: Gray, points: Floats) -> Floats:
    """Gray at (..., 2) x, y points; the nearest px, clipped to the page."""
    x = np.clip(np.rint(points[..., 0]).astype(np.int64), 0, gray.shape[1] - 1)
    y = np.clip(np.rint(points[..., 1]).astype(np.int64), 0, gray.shape[0] - 1)
    return gray[y, x].astype(np.float64)


@dataclass(frozen=True, slots=True)
class Line:
    """A line fitted to edges that lie in one row; `support` is the length in px of all edges beside it."""

    point: Floats
    along: Floats
    outward: Floats
    support: float


def find_lines(edges: Edges, unit: float) -> list[Line]:
    """The lines that edges lie on, one for each edge, fitted to all that lie in its row."""
    if not len(edges):
        return []
    widest, shortest, far_side = WIDEST_GUTTER * unit, 0.04 * unit, 1.3 * unit
    middle, length = (edges.start + edges.end) / 2, edges.length
    lines: dict[tuple[int, int], Line] = {}
    for index in range(len(edges)):
        offset = (middle - middle[index]) @ edges.outward[index]
        turn = np.abs(edges.angle - edges.angle[index])
        facing = edges.outward @ edges.outward[index]
        reach = np.abs((middle - middle[index]) @ (edges.end[index] - edges.start[index])) / length[index]
        row = (np.abs(offset) < 2 + 0.015 * reach) & (turn < 0.06) & (facing > 0)
        beside = (offset > 2.5) & (offset < widest) & (turn < 0.1) & (facing < 0)
        ends = np.concatenate([edges.start[row], edges.end[row]])
        vx, vy, x, y = np.asarray(cv2.fitLine(ends.astype(np.float32), cv2.DIST_HUBER, 0, 0.01, 0.01)).ravel()
        along = np.array([vx, vy], np.float64)
        outward = np.array([-vy, vx], np.float64)
        outward *= 1 if outward @ edges.outward[index] >= 0 else -1
        support = float(length[row].sum() + length[beside].sum())
        # Lines that are the same within 3 px at both sides of the page are tried once.
        place, axis = np.array([x, y], np.float64), 0 if edges.upright else 1
        at = [(place + along * (far - place[1 - axis]) / along[1 - axis])[axis] for far in (0.0, far_side)]
        key = (round(at[0] / 3), round(at[1] / 3))
        if support > 2 * shortest and (key not in lines or lines[key].support < support):
            lines[key] = Line(place, along, outward, support)
    return list(lines.values())


def covered(start: Floats, end: Floats, chosen: Mask, count: int) -> Mask:
    """Which of `count` even steps from 0 to 1 lie within one of the chosen intervals."""
    low = np.floor(np.minimum(start, end)[chosen] * count - 1).clip(0, count).astype(np.int64)
    high = np.ceil(np.maximum(start, end)[chosen] * count + 1).clip(0, count).astype(np.int64)
    open_intervals = np.zeros(count + 1, np.int64)
    np.add.at(open_intervals, low, 1)
    np.add.at(open_intervals, np.maximum(low, high), -1)
    return np.asarray(np.cumsum(open_intervals)[:count] > 0, bool)
