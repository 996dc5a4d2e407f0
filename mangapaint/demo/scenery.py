"""Where the story plays: sky, clouds, trees, hills, sea, a house, grass and flowers. Units are px of the page."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mangapaint.demo.canvas import Pen
from mangapaint.demo.curves import Points, bow, box, ellipse, part, points, spline, star, zigzag
from mangapaint.demo.tones import INK, PAPER, Paint, dots, gradient, lines

Circle = tuple[float, float, float]
_CLOUD: Sequence[Circle] = (
    (-0.78, 0.0, 0.22),
    (-0.45, -0.16, 0.3),
    (0.0, -0.3, 0.4),
    (0.42, -0.14, 0.3),
    (0.76, 0.02, 0.22),
)
_CROWN: Sequence[Circle] = (
    *((-0.62, 0.1, 0.4), (-0.4, -0.38, 0.42), (0.05, -0.66, 0.44), (0.5, -0.34, 0.42), (0.64, 0.14, 0.4)),
    *((0.3, 0.42, 0.4), (-0.25, 0.45, 0.42), (0.0, -0.05, 0.6)),
)


def sky(pen: Pen, left: float, top: float, right: float, horizon: float, first: float = 0.3, last: float = 0.0) -> None:
    """A screen that thins out towards the horizon."""
    pen.shade(box(left, top, right, horizon), gradient((left, top), (left, horizon), first, last, 5.5))


def cloud(pen: Pen, x: float, y: float, size: float) -> None:
    """A heap of round puffs with a flat, lightly shaded foot; `size` is half its width."""
    at = pen.at(x, y, size)
    rim = 2.4 / size
    with at.clipped(box(-1.2, -1.0, 1.2, 0.16)):
        for cx, cy, r in _CLOUD:
            at.fill(ellipse(cx, cy, r + rim, r + rim), INK)
        for cx, cy, r in _CLOUD:
            at.fill(ellipse(cx, cy, r, r), PAPER)
            at.shade(ellipse(cx, cy, r, r), gradient((x, y - 0.12 * size), (x, y + 0.16 * size), 0.0, 0.22, 4.5))
        for cx, cy, r in (_CLOUD[1], _CLOUD[3]):
            at.fill(ellipse(cx, cy - 0.04, r * 0.86, r * 0.8), PAPER)
    for cx, cy, r in _CLOUD[1:4]:
        at.stroke(ellipse(cx, cy + 0.04, r * 0.72, r * 0.72, 0, 60)[33:47], 0.7, (0.1, 0.1))
    at.stroke([(-1.12, 0.17), (0.2, 0.165), (1.05, 0.17)], 1.2, (0.05, 0.05))
    at.stroke([(-0.5, 0.23), (0.5, 0.23)], 0.8, (0.05, 0.05))


def tree(pen: Pen, x: float, y: float, height: float, seed: int = 1) -> None:
    """A round leafy tree; x, y is the foot of its trunk."""
    at = pen.at(x, y, height)
    left = spline([(-0.1, 0.02), (-0.055, -0.1), (-0.045, -0.45)])
    right = spline([(0.05, -0.45), (0.06, -0.12), (0.12, 0.02)])
    at.shape(np.vstack([left, right]), PAPER, 1.0)
    at.shade(np.vstack([right, [(0.02, 0.02), (0.0, -0.4)]]), lines(0.4, 4.0, 12))
    for k in range(4):
        at.stroke([(-0.03 + 0.012 * k, -0.06 - 0.05 * k), (-0.025 + 0.012 * k, -0.16 - 0.05 * k)], 0.7, (0.1, 0.1))
    crown = at.at(0, -0.62, 0.36)
    grow = 2.0 / (0.36 * height)
    for cx, cy, r in _CROWN:
        crown.fill(ellipse(cx, cy, r + grow, r + grow), INK)
    for cx, cy, r in _CROWN:
        crown.fill(ellipse(cx, cy, r, r), dots(0.45, 5.0))
    for cx, cy, r in _CROWN:
        crown.fill(ellipse(cx - 0.04, cy - 0.06, r * 0.86, r * 0.83), dots(0.1, 5.0))
    random = np.random.default_rng(seed)
    for _ in range(34):
        angle, reach = random.uniform(0, 2 * np.pi), np.sqrt(random.uniform(0, 0.85))
        leaf = np.array([reach * np.cos(angle) * 0.9, reach * np.sin(angle) * 0.85 - 0.08])
        lobes = [(0.0, 0.0), (0.07, -0.03), (0.15, 0.0), (0.2, 0.07)]
        crown.stroke(zigzag(leaf + lobes, [0.32])[::2], 0.8, (0.3, 0.1))


def hill(pen: Pen, ridge: Sequence[tuple[float, float]], bottom: float, paint: Paint = PAPER) -> Points:
    """Land below a ridge line, with tufts along it; returns the ridge as a curve."""
    curve = spline(ridge)
    pen.fill(np.vstack([curve, [(curve[-1, 0], bottom), (curve[0, 0], bottom)]]), paint)
    pen.line(curve, 1.1)
    return curve


def grass(pen: Pen, x: float, y: float, size: float, blades: int = 5, seed: int = 0) -> None:
    """A tuft of tapering blades."""
    random = np.random.default_rng(seed)
    for k in np.linspace(-1, 1, blades):
        tip = (
            x + size * (0.75 * k + random.uniform(-0.1, 0.1)),
            y - size * (1.0 - 0.45 * abs(k)) * random.uniform(0.8, 1.15),
        )
        blade = np.vstack(
            [
                bow((x + 0.22 * size * k - 0.05 * size, y), tip, 0.1 * k),
                bow(tip, (x + 0.22 * size * k + 0.07 * size, y), -0.1 * k),
            ]
        )
        pen.fill(blade)
        pen.stroke(blade, 0.7, (0.6, 0.6))


def meadow(pen: Pen, area: tuple[float, float, float, float], count: int, size: float, seed: int) -> None:
    """Tufts and small flowers strewn over an area, larger to the front."""
    random = np.random.default_rng(seed)
    left, top, right, bottom = area
    depths = np.sort(random.uniform(0, 1, count))
    for k, depth in enumerate(depths):
        x, y = random.uniform(left, right), top + depth * (bottom - top)
        if k % 3 == 2:
            flower(pen, x, y, size * (0.3 + 0.35 * depth))
        else:
            grass(pen, x, y, size * (0.45 + 0.75 * depth), 4, seed + k)


def flower(pen: Pen, x: float, y: float, size: float) -> None:
    """Five petals on a short stem."""
    pen.stroke(bow((x, y + 1.6 * size), (x, y), 0.08), 0.9)
    for k in range(5):
        a = 2 * np.pi * k / 5 - np.pi / 2
        petal = ellipse(x + 0.55 * size * np.cos(a), y + 0.55 * size * np.sin(a), 0.5 * size, 0.34 * size, a, 16)
        pen.shape(petal, PAPER, 0.7)
    pen.fill(ellipse(x, y, 0.3 * size, 0.3 * size, samples=16), INK)


def sea(pen: Pen, left: float, horizon: float, right: float, bottom: float, seed: int = 3) -> None:
    """Water from the horizon down: a screen, and broken strokes that lengthen to the front."""
    pen.fill(box(left, horizon, right, bottom))
    pen.shade(box(left, horizon, right, bottom), gradient((left, horizon), (left, bottom), 0.34, 0.08, 5.0))
    pen.line([(left, horizon), (right, horizon)], 0.9)
    random = np.random.default_rng(seed)
    for depth in np.linspace(0.05, 1, 16):
        y = horizon + depth**1.4 * (bottom - horizon)
        for _ in range(5):
            x, reach = random.uniform(left, right), random.uniform(14, 60) * (0.4 + depth)
            crest = spline(
                [(x - reach, y), (x - 0.3 * reach, y - 2.5 * depth), (x + 0.3 * reach, y + 1.5 * depth), (x + reach, y)]
            )
            white = random.uniform() < 0.4
            pen.stroke(crest, 1.8 if white else 0.8, (0.05, 0.05), PAPER if white else INK)


def house(pen: Pen, x: float, y: float, size: float) -> None:
    """A cottage seen from a corner; x, y is the foot of the near corner, `size` the height of its walls."""
    at = pen.at(x, y, size)
    front = points([(0, 0), (0, -1.0), (0.55, -1.75), (1.1, -1.02), (1.1, 0.02)])
    side = points([(0, 0), (-1.5, -0.1), (-1.5, -1.0), (0, -1.0)])
    roof = points([(0.62, -1.95), (-1.0, -1.8), (-1.68, -0.95), (-0.1, -0.92)])
    at.shape(box(-0.75, -2.15, -0.45, -1.5), PAPER)
    at.shade(box(-0.6, -2.15, -0.45, -1.6), dots(0.4))
    at.shape(box(-0.8, -2.24, -0.4, -2.12), PAPER)
    at.shape(front)
    at.shape(side)
    at.shade(side, dots(0.22))
    at.shape([(0.62, -1.95), (1.26, -1.0), (1.12, -0.9), (0.55, -1.72), (0.02, -0.86), (-0.1, -0.92)], PAPER)
    at.shape(roof)
    with at.clipped(roof):
        for k in np.linspace(0.14, 0.86, 6):
            start, end = roof[0] + k * (roof[3] - roof[0]), roof[1] + k * (roof[2] - roof[1])
            at.line([start, end], 0.7)
            for j in np.linspace(0.03, 0.97, 13):
                tile = start + (j + 0.035 * (round(k * 7) % 2)) * (end - start)
                at.stroke([tile, tile + 0.12 * (roof[3] - roof[0])], 0.6, (1.0, 0.2))
        at.shade(roof, dots(0.28))
    for left in (-1.25, -0.62):
        at.shape(box(left, -0.72, left + 0.4, -0.32), PAPER, 0.9)
        at.shade(box(left, -0.72, left + 0.4, -0.32), lines(0.5, 4.0, 45))
        at.line([(left + 0.2, -0.72), (left + 0.2, -0.32)], 1.0, PAPER)
        at.line([(left, -0.52), (left + 0.4, -0.52)], 1.0, PAPER)
    door = np.vstack(
        [[(0.36, 0.01), (0.36, -0.5)], ellipse(0.54, -0.52, 0.18, 0.2, 0, 40)[20:40], [(0.72, -0.5), (0.72, 0.02)]]
    )
    at.shape(door, dots(0.5), 1.0)
    at.fill(ellipse(0.65, -0.3, 0.03, 0.03), PAPER)
    at.shape(ellipse(0.55, -1.2, 0.16, 0.17), PAPER, 0.9)
    at.line([(0.39, -1.2), (0.71, -1.2)], 0.8)
    at.line([(0.55, -1.37), (0.55, -1.03)], 0.8)


def rainbow(pen: Pen, x: float, y: float, radius: float, band: float) -> None:
    """Seven bands, told apart by their tones."""
    for k, density in enumerate((0.5, 0.32, 0.12, 0.0, 0.18, 0.38, 0.55)):
        outer, inner = radius - k * band, radius - (k + 1) * band
        arch = np.vstack(
            [ellipse(x, y, outer, outer, np.pi, 120)[:61], ellipse(x, y, inner, inner, np.pi, 120)[:61][::-1]]
        )
        pen.fill(arch, dots(density, 5.0) if density else PAPER)
        pen.line(part(ellipse(x, y, outer, outer, np.pi, 120), 0, 0.505), 0.6)
    last = radius - 7 * band
    pen.line(part(ellipse(x, y, last, last, np.pi, 120), 0, 0.505), 0.6)


def gulls(pen: Pen, places: Sequence[Circle]) -> None:
    """Birds far off: x, y, half a span."""
    for x, y, span in places:
        pen.stroke(bow((x - span, y - 0.3 * span), (x, y), 0.22), 1.0, (0.1, 0.9))
        pen.stroke(bow((x, y), (x + span, y - 0.35 * span), 0.22), 1.0, (0.9, 0.1))


def sun(pen: Pen, x: float, y: float, radius: float) -> None:
    """A blank disc with rays."""
    pen.fill(star(x, y, radius * 1.7, 16, 0.68), PAPER)
    pen.shape(ellipse(x, y, radius, radius, samples=60), PAPER, 0.9)
