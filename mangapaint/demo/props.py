"""Things in the story: the paint box, a brush and a cat."""

from __future__ import annotations

import numpy as np

from mangapaint.demo.canvas import Pen
from mangapaint.demo.curves import bow, box, ellipse, part, points, spline, star, zigzag
from mangapaint.demo.tones import INK, PAPER, Paint, dots, lines


def closed_box(pen: Pen) -> None:
    """The wooden box, shut; 2 units wide, its foot at the origin."""
    pen.shape([(-1, 0), (-1, -0.62), (0.75, -0.62), (0.75, 0)], PAPER, 1.2)
    pen.shape([(0.75, 0), (0.75, -0.62), (1.15, -0.82), (1.15, -0.2)], dots(0.45), 1.2)
    pen.shape([(-1.04, -0.6), (-1.04, -0.86), (0.78, -0.86), (0.78, -0.6)], PAPER, 1.2)
    pen.shape([(-1.04, -0.86), (-0.64, -1.1), (1.18, -1.1), (0.78, -0.86)], PAPER, 1.2)
    pen.shape([(0.78, -0.6), (0.78, -0.86), (1.18, -1.1), (1.18, -0.82)], dots(0.45), 1.2)
    _grain(pen, -0.95, -0.55, 0.7, -0.05)
    _fittings(pen)


def open_box(pen: Pen, lid: float = 1.0) -> None:
    """The box with its lid up and the paints inside; `lid` 0..1 is how far."""
    top = -0.62 - 0.95 * lid
    pen.shape([(-0.85, -0.85), (-0.62, top), (1.12, top), (1.0, -0.85)], dots(0.3), 1.2)
    pen.shape([(-0.74, -0.9), (-0.55, top + 0.1), (1.02, top + 0.1), (0.9, -0.9)], PAPER, 0.9)
    pen.shape([(-1, -0.62), (-0.7, -0.85), (1.1, -0.85), (0.75, -0.62)], INK, 1.2)
    for k, x in enumerate((-0.68, -0.36, -0.04, 0.28, 0.6)):
        _tube(pen.at(x + 0.12, -0.66, 0.34, -14 + 7 * k), dots((0.1, 0.5, 0.25, 0.0, 0.38)[k]) if k != 3 else PAPER)
    for x, angle in ((-0.5, -24), (0.75, 22)):
        brush(pen.at(x, -0.72, 0.5, angle))
    pen.shape([(-1, 0), (-1, -0.62), (0.75, -0.62), (0.75, 0)], PAPER, 1.2)
    pen.shape([(0.75, 0), (0.75, -0.62), (1.15, -0.82), (1.15, -0.2)], dots(0.45), 1.2)
    _grain(pen, -0.95, -0.55, 0.7, -0.05)
    _fittings(pen, -0.14)


def _grain(pen: Pen, left: float, top: float, right: float, bottom: float) -> None:
    for k, y in enumerate(np.linspace(top, bottom, 5)[1:-1]):
        way = spline([(left, y), (left + 0.5, y + 0.03), (left + 1.0, y - 0.02), (right, y + 0.02)])
        pen.stroke(part(way, 0.05 * k, 0.4 + 0.15 * k), 0.7, (0.1, 0.1))
        pen.stroke(part(way, 0.6 + 0.08 * k, 1.0), 0.7, (0.1, 0.1))
    for x, y in ((left, bottom), (right - 0.12, bottom)):
        pen.shape(box(x - 0.05, y - 0.08, x + 0.17, y + 0.05), INK, 0.8)


def _fittings(pen: Pen, up: float = 0.0) -> None:
    pen.shape(box(-0.26, -0.74 - up, 0.02, -0.46 - up), PAPER, 1.1)
    pen.fill(ellipse(-0.12, -0.62 - up, 0.04, 0.05), INK)
    pen.fill([(-0.135, -0.6 - up), (-0.105, -0.6 - up), (-0.09, -0.5 - up), (-0.15, -0.5 - up)], INK)
    pen.shape(star(-0.62, -0.3, 0.15, 5, 0.45), PAPER, 0.9)
    pen.shape(star(0.4, -0.3, 0.15, 5, 0.45), PAPER, 0.9)


def _tube(pen: Pen, paint: Paint) -> None:
    pen.shape([(-0.3, 0.2), (-0.34, -0.75), (0.34, -0.75), (0.3, 0.2)], PAPER, 1.0)
    pen.fill([(-0.31, -0.1), (-0.325, -0.5), (0.325, -0.5), (0.31, -0.1)], paint)
    pen.line([(-0.31, -0.1), (0.31, -0.1)], 0.7)
    pen.line([(-0.325, -0.5), (0.325, -0.5)], 0.7)
    pen.shape([(-0.34, -0.75), (-0.12, -1.0), (0.12, -1.0), (0.34, -0.75)], PAPER, 0.9)
    pen.shape(box(-0.14, -1.2, 0.14, -0.98), INK, 0.9)


def brush(pen: Pen, paint: Paint = INK) -> None:
    """A brush from its handle's end at the origin upward, about 2 units long."""
    pen.shape(spline([(-0.04, 0), (-0.09, -0.7), (-0.06, -1.3), (0.06, -1.3), (0.09, -0.7), (0.04, 0)]), PAPER, 0.9)
    pen.shape(box(-0.09, -1.55, 0.09, -1.28), PAPER, 0.9)
    pen.shade(box(-0.09, -1.55, 0.09, -1.28), lines(0.4, 3.0, 90))
    tip = np.vstack([bow((-0.09, -1.55), (0.02, -2.1), 0.22), bow((0.02, -2.1), (0.09, -1.55), 0.22)])
    pen.shape(tip, paint, 0.9)


def cat(pen: Pen, *, happy: bool = False) -> None:
    """A sitting white cat with dark patches; about 2 units high, its feet at the origin."""
    pen.limb(spline([(0.5, -0.15), (1.0, -0.1), (1.15, -0.5), (0.95, -0.8)]), np.linspace(0.22, 0.16, 31), PAPER, 1.1)
    pen.limb([(0.97, -0.76), (0.95, -0.8)], [0.16, 0.16], INK, 1.1)
    body = spline([(-0.55, 0.0), (-0.6, -0.45), (-0.38, -1.0), (0.0, -1.15), (0.38, -1.0), (0.62, -0.45), (0.58, 0.0)])
    pen.shape(np.vstack([body, [(0, 0.05)]]), PAPER, 1.1)
    with pen.clipped(body):
        pen.fill(ellipse(0.5, -0.6, 0.3, 0.35), dots(0.5, 4.5))
    for x in (-0.2, 0.2):
        pen.stroke(spline([(x - 0.13, -0.5), (x - 0.14, -0.1), (x, 0.04), (x + 0.14, -0.1)]), 0.9)
        pen.stroke([(x, -0.08), (x, 0.02)], 0.7)
    head = pen.at(0, -1.45)
    for s in (-1, 1):
        ear = zigzag([(0.16, -0.46), (0.6, -0.74), (0.68, -0.1)], [-0.06]) * (s, 1)
        head.shape(ear, INK if s > 0 else PAPER, 1.1)
        inner = zigzag([(0.32, -0.48), (0.55, -0.62), (0.6, -0.3)], [-0.04]) * (s, 1)
        head.fill(inner, dots(0.3, 4.0))
    skull = ellipse(0, 0, 0.74, 0.56, samples=60)
    head.shape(skull, PAPER, 1.2)
    with head.clipped(skull):
        head.fill(ellipse(0.55, -0.5, 0.5, 0.42), INK)
    for s in (-1, 1):
        if happy:
            head.stroke(spline([(0.16, 0.06), (0.3, -0.08), (0.44, 0.07)]) * (s, 1), 1.7)
        else:
            head.shape(ellipse(s * 0.3, 0.0, 0.12, 0.17), INK, 1.3)
            head.fill(ellipse(s * 0.3 - 0.03, -0.06, 0.05, 0.06), PAPER)
        for y in (0.12, 0.22):
            head.stroke(points([(0.5, y), (0.98, y - 0.08 + (y - 0.12))]) * (s, 1), 0.8, (0.8, 0.1))
    head.fill([(-0.05, 0.16), (0.05, 0.16), (0, 0.22)], INK)
    head.stroke(spline([(-0.16, 0.26), (-0.08, 0.32), (0, 0.23), (0.08, 0.32), (0.16, 0.26)]), 1.1)
