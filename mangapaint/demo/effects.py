"""The language of manga: focus lines, speed lines, sparkles and the frames of panels."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np

from mangapaint.demo.canvas import Pen
from mangapaint.demo.curves import bow, ellipse, points, spline, zigzag
from mangapaint.demo.tones import INK, PAPER, Paint

Corner = tuple[float, float]


@contextmanager
def panel(pen: Pen, corners: Sequence[Corner], *, framed: bool = True, paint: Paint = PAPER) -> Iterator[None]:
    """A panel: what is drawn inside the block is cut at its edge; the frame comes last."""
    with pen.clipped(corners):
        pen.fill(corners, paint)
        yield
    if framed:
        edge = points(corners)
        pen.line(np.vstack([edge, edge[:1]]), 2.2)


def focus_lines(
    pen: Pen, x: float, y: float, clear: tuple[float, float], reach: float, count: int, seed: int, paint: Paint = INK
) -> None:
    """Wedges from far out towards an ellipse left clear around x, y."""
    random = np.random.default_rng(seed)
    for angle in np.sort(random.uniform(0, 2 * np.pi, count)):
        near = random.uniform(1.0, 1.45)
        tip = (x + near * clear[0] * np.cos(angle), y + near * clear[1] * np.sin(angle))
        wide = random.uniform(0.15, 1.0) ** 2 * 0.034
        far = [(x + reach * np.cos(angle + d), y + reach * np.sin(angle + d)) for d in (-wide, wide)]
        pen.fill([tip, *far], paint)


def speed_lines(
    pen: Pen, area: tuple[float, float, float, float], slope: float, count: int, seed: int, width: float = 1.6
) -> None:
    """Strokes that run along with a movement; `slope` is their fall per px to the right."""
    random = np.random.default_rng(seed)
    left, top, right, bottom = area
    for y in random.uniform(top, bottom, count):
        start, reach = random.uniform(left - 200, right), random.uniform(0.25, 0.9) * (right - left)
        end = start + reach
        line = [
            (start + t * (end - start), y + slope * (start + t * (end - start) - left)) for t in np.linspace(0, 1, 8)
        ]
        pen.stroke(line, random.uniform(0.4, 1.0) * width, (0.05, 0.05))


def sparkle(pen: Pen, x: float, y: float, size: float, paint: Paint = PAPER, outline: float = 1.0) -> None:
    """A four-pointed light."""
    corners = [(x, y - size), (x + 0.62 * size, y), (x, y + size), (x - 0.62 * size, y), (x, y - size)]
    light = zigzag(corners, [-0.2])
    if outline:
        pen.shape(light, paint, outline)
    else:
        pen.fill(light, paint)


def surprise(pen: Pen, x: float, y: float, size: float) -> None:
    """Three short strokes beside a head that has noticed something."""
    for angle, length in ((-2.3, 0.8), (-1.85, 1.0), (-1.4, 0.8)):
        way = np.array([np.cos(angle), np.sin(angle)])
        pen.stroke(
            [np.array([x, y]) + way * size * 0.5, np.array([x, y]) + way * size * (0.5 + length)], 2.2, (0.3, 1.0)
        )


def splash(pen: Pen, x: float, y: float, size: float, tone: Paint, seed: int) -> None:
    """A blot of paint with drops."""
    random = np.random.default_rng(seed)
    angles = np.linspace(0, 2 * np.pi, 15)[:-1]
    reach = size * np.where(np.arange(14) % 2 == 0, random.uniform(0.9, 1.15, 14), random.uniform(0.76, 0.86, 14))
    rim = spline(np.column_stack([x + reach * np.cos(angles), y + 0.85 * reach * np.sin(angles)]), closed=True)
    pen.shape(rim, tone, 1.0)
    pen.fill(ellipse(x - 0.2 * size, y - 0.22 * size, 0.16 * size, 0.09 * size, -0.6, 20))
    for _ in range(4):
        a, r, drop = random.uniform(0, 2 * np.pi), size * random.uniform(1.35, 1.7), size * random.uniform(0.08, 0.17)
        pen.shape(ellipse(x + r * np.cos(a), y + 0.85 * r * np.sin(a), drop, drop, samples=16), tone, 0.8)


def heart(pen: Pen, x: float, y: float, size: float, paint: Paint = PAPER) -> None:
    """A small heart."""
    half = np.vstack(
        [
            bow((0, 0.9), (0.85, -0.2), -0.12),
            bow((0.85, -0.2), (0.42, -0.75), -0.3),
            bow((0.42, -0.75), (0, -0.35), -0.25),
        ]
    )
    whole = np.vstack([half, half[::-1] * (-1, 1)])
    pen.at(x, y, size, 12).shape(whole, paint, 1.0)
