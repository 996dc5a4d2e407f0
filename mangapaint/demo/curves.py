"""Shapes as arrays of points: (N, 2) float64, x to the right, y down, in whatever unit the pen draws with."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

Points = NDArray[np.float64]


def points(sequence: ArrayLike) -> Points:
    """Any sequence of (x, y) as (N, 2) float64."""
    return np.asarray(sequence, dtype=np.float64).reshape(-1, 2)


def spline(through: ArrayLike, *, closed: bool = False, samples: int = 10) -> Points:
    """A smooth curve through all given points (centripetal Catmull-Rom; no loops at uneven spacing)."""
    knots = points(through)
    if closed:
        knots = np.vstack([knots[-1:], knots, knots[:2]])
    else:
        knots = np.vstack([2 * knots[0] - knots[1], knots, 2 * knots[-1] - knots[-2]])
    gaps = np.maximum(np.sqrt(np.hypot(*np.diff(knots, axis=0).T)), 1e-6)[:, None]
    before, here, after = gaps[:-2], gaps[1:-1], gaps[2:]
    p0, p1, p2, p3 = knots[:-3], knots[1:-2], knots[2:-1], knots[3:]
    leave = (p2 - p1) + here * ((p1 - p0) / before - (p2 - p0) / (before + here))
    arrive = (p2 - p1) + here * ((p3 - p2) / after - (p3 - p1) / (here + after))
    t = np.linspace(0, 1, samples, endpoint=False)[None, :, None]
    p1, p2, leave, arrive = (a[:, None, :] for a in (p1, p2, leave, arrive))
    curve = (
        (2 * t**3 - 3 * t**2 + 1) * p1
        + (t**3 - 2 * t**2 + t) * leave
        + (3 * t**2 - 2 * t**3) * p2
        + (t**3 - t**2) * arrive
    )
    return np.vstack([curve.reshape(-1, 2), knots[1:2] if closed else knots[-2:-1]])


def bow(start: ArrayLike, end: ArrayLike, bulge: float, samples: int = 12) -> Points:
    """A quadratic curve from start to end; `bulge` is its height to the left of the way, in parts of the length."""
    a, b = points(start)[0], points(end)[0]
    way = b - a
    control = (a + b) / 2 + 2 * bulge * np.array([way[1], -way[0]])
    t = np.linspace(0, 1, samples)[:, None]
    return np.asarray((1 - t) ** 2 * a + 2 * t * (1 - t) * control + t**2 * b)


def zigzag(corners: ArrayLike, bulges: Sequence[float]) -> Points:
    """Corners joined by bowed edges; the bulges repeat along the way. The corners stay sharp (hair, leaves)."""
    way = points(corners)
    return np.vstack([bow(way[i], way[i + 1], bulges[i % len(bulges)]) for i in range(len(way) - 1)])


def ellipse(x: float, y: float, rx: float, ry: float, angle: float = 0.0, samples: int = 40) -> Points:
    """A closed ellipse; `angle` in radians."""
    t = np.linspace(0, 2 * np.pi, samples, endpoint=False)
    c, s = np.cos(angle), np.sin(angle)
    u, v = rx * np.cos(t), ry * np.sin(t)
    return np.column_stack([x + c * u - s * v, y + s * u + c * v])


def box(left: float, top: float, right: float, bottom: float) -> Points:
    """A rectangle with straight sides."""
    return points([(left, top), (right, top), (right, bottom), (left, bottom)])


def star(x: float, y: float, radius: float, tips: int = 4, waist: float = 0.25, angle: float = -np.pi / 2) -> Points:
    """A star with `tips` points; `waist` is the inner radius in parts of the outer one."""
    t = angle + np.arange(2 * tips) * np.pi / tips
    r = radius * np.where(np.arange(2 * tips) % 2 == 0, 1.0, waist)
    return np.column_stack([x + r * np.cos(t), y + r * np.sin(t)])


def part(path: Points, start: float, end: float) -> Points:
    """The piece of a path between two fractions of its points."""
    last = len(path) - 1
    return path[round(start * last) : round(end * last) + 1]


def mirrored(shape: ArrayLike) -> Points:
    """The shape on the other side of the y axis."""
    return points(shape) * (-1.0, 1.0)
