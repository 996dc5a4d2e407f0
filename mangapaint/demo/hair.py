"""Hair: the girl's long hair with a bow, the boy's black spikes. Unit and origin as in face.py."""

from __future__ import annotations

import numpy as np

from mangapaint.demo.canvas import Pen
from mangapaint.demo.curves import Points, bow, ellipse, part, points, spline, zigzag
from mangapaint.demo.tones import INK, PAPER, dots

_CAP = [(1.1, 0.42), (1.17, -0.2), (1.02, -0.85), (0.58, -1.29), (0.0, -1.43)]
_CAP += [(-x, y) for x, y in reversed(_CAP[:-1])]
_CROWN = (0.1, -1.36)


def draw_back(pen: Pen, style: str, turn: float, wind: float) -> None:
    """What hangs behind the head and body."""
    if style == "long":
        _long_back(pen, turn, wind)
        if abs(turn) > 0.15:
            _side_lock(pen, int(np.sign(turn)), turn, wind)
    else:
        _spiky_back(pen, turn)


def draw_front(pen: Pen, style: str, turn: float, wind: float) -> None:
    """The cap, fringe and side locks over the face; `pen` is not turned, the fringe is turned here."""
    if style == "long":
        _long_front(pen, turn, wind)
    else:
        _spiky_front(pen, turn)


def draw_from_behind(pen: Pen, style: str, wind: float) -> None:
    """The back of the head."""
    if style == "long":
        _long_back(pen, 0.0, wind, shadow=False)
        _outline(pen, spline([*_CAP[1:-1]]), 1.3)
        for x in (-0.7, -0.35, 0.05, 0.4, 0.75):
            pen.stroke(bow((x * 0.5, -1.2), (x * 1.25 + wind * 0.4, 2.2), 0.06 * np.sign(x)), 0.9, (0.05, 0.05))
        _hair_bow(pen.at(0.62, -1.12, 0.9, 20))
        return
    _spiky_back(pen, 0.0)
    for k in range(3, len(_SPIKES) - 3, 2):
        tip = points(_SPIKES[k])[0]
        pen.stroke(bow(tip * 0.3 + (0, -0.15), tip * 0.72, 0.12), 1.3, (0.05, 0.05), PAPER)


def _blown(shape: Points, wind: float) -> Points:
    """Hair moves the more the further it hangs down."""
    fall = np.clip(shape[:, 1] - 0.4, 0, None)
    return np.column_stack([shape[:, 0] + wind * 0.16 * fall**1.5, shape[:, 1] - abs(wind) * 0.07 * fall**1.5])


def _outline(pen: Pen, path: Points, width: float) -> None:
    pen.stroke(path, width, (0.4, 0.4))


def _long_back(pen: Pen, turn: float, wind: float, *, shadow: bool = True) -> None:
    right = spline([(1.0, -0.9), (1.25, 0.2), (1.32, 1.3), (1.55, 2.4), (1.5, 3.4)])
    tips = zigzag(
        [(1.5, 3.4), (1.3, 4.35), (1.08, 3.75), (0.75, 4.5), (0.45, 3.8), (0.1, 4.55), (-0.25, 3.8), (-0.65, 4.5)]
        + [(-0.98, 3.75), (-1.32, 4.3), (-1.5, 3.4)],
        [-0.1, 0.08],
    )
    left = spline([(-1.5, 3.4), (-1.55, 2.4), (-1.32, 1.3), (-1.25, 0.2), (-1.0, -0.9)])
    whole = _blown(np.vstack([right, tips, left]), wind) + (-0.1 * turn, 0)
    pen.fill(whole)
    if shadow:
        edge = np.vstack(
            [
                spline([(0.9, 0.4), (0.95, 1.6), (1.05, 2.6), (0.5, 3.3)]),
                spline([(-0.5, 3.3), (-1.05, 2.6), (-0.95, 1.6), (-0.9, 0.4)]),
            ]
        )
        pen.shade(_blown(edge, wind), dots(0.36, 4.5))
    else:
        pen.shade(
            _blown(zigzag([(0.2, 3.6), (0.5, 2.4), (0.75, 3.0), (1.0, 1.2), (1.2, 3.2), (1.1, 3.7)], [0.05]), wind),
            dots(0.25, 4.5),
        )
    _outline(pen, _blown(right, wind) + (-0.1 * turn, 0), 1.4)
    _outline(pen, _blown(left, wind) + (-0.1 * turn, 0), 1.4)
    for k in range(10):
        _outline(pen, _blown(part(tips, k / 10, (k + 1) / 10), wind) + (-0.1 * turn, 0), 1.2)
    for x, top in (
        (-1.25, 0.9),
        (-0.98, 1.5),
        (-0.6, 2.0),
        (-0.25, 2.4),
        (0.2, 2.3),
        (0.6, 2.0),
        (1.0, 1.5),
        (1.22, 0.8),
    ):
        strand = _blown(bow((x * 0.92, top), (x * 1.08, 3.85 - 0.2 * abs(x)), 0.05 * np.sign(x)), wind)
        pen.stroke(strand, 0.8, (0.05, 0.2))


def _long_front(pen: Pen, turn: float, wind: float) -> None:
    far = int(np.sign(turn)) if abs(turn) > 0.15 else 0
    for side in (-1, 1):
        if side == far:
            continue
        _side_lock(pen, side, turn, wind)
    low = pen.turned(turn * 0.75, ball=1.2)
    corners = [
        (1.08, 0.3),
        (0.98, 0.42),
        (0.8, -0.42),
        (0.66, 0.02),
        (0.46, -0.5),
        (0.3, 0.12),
        (0.08, -0.5),
        (-0.14, 0.1),
    ]
    corners += [(-0.34, -0.5), (-0.6, 0.06), (-0.78, -0.42), (-0.98, 0.42), (-1.08, 0.3)]
    fringe = zigzag(corners, [0.06, -0.1])
    _cap_and_fringe(pen, low, fringe, PAPER)
    for valley in corners[2:-1:2]:
        pen_path = bow(low.placed(valley), (0.1 + valley[0] * 0.35, -1.25), 0.1 * np.sign(-valley[0]))
        pen.stroke(part(pen_path, 0, 0.8), 0.9, (0.9, 0.02))
    for x in (-0.88, -0.52, -0.2, 0.2, 0.56, 0.9):
        pen.stroke(
            part(bow(low.placed((x, -0.25)), (0.1 + x * 0.4, -1.22), -0.1 * np.sign(x)), 0.0, 0.55), 0.6, (0.1, 0.05)
        )
    _shine(pen, low)
    pen.stroke(spline(_CAP), 1.5, (0.3, 0.3))
    _hair_bow(pen.at(0.72 - 0.5 * turn, -1.1, 0.85, 22))


def _side_lock(pen: Pen, side: int, turn: float, wind: float) -> None:
    lock = np.vstack(
        [
            spline([(1.08, -0.5), (1.17, 0.3), (1.14, 1.1), (0.98, 2.15)]),
            spline([(0.98, 2.15), (0.9, 1.2), (0.9, 0.5), (0.78, -0.35)]),
        ]
    ) * (side, 1)
    lock = _blown(lock, wind * 0.8) + (-0.05 * turn, 0)
    pen.fill(lock)
    _outline(pen, part(lock, 0, 0.5), 1.3)
    _outline(pen, part(lock, 0.5, 1), 1.1)
    middle = (part(lock, 0, 0.5)[8:] + part(lock, 0.5, 1)[::-1][8 : len(part(lock, 0, 0.5))]) / 2
    pen.stroke(middle, 0.7, (0.1, 0.1))


def _cap_and_fringe(pen: Pen, low: Pen, fringe: Points, paint: int) -> None:
    """The hair on the head as one area: over the skull along the cap, back along the fringe."""
    edge = low.placed(fringe)
    pen.fill(np.vstack([spline(_CAP)[::-1], edge]), paint)
    pieces = len(fringe) // 12
    for k in range(pieces):
        pen.stroke(edge[12 * k : 12 * k + 12], 1.25, (0.6, 0.6))


def _shine(pen: Pen, low: Pen) -> None:
    """A toned band below the light on the hair."""
    upper = spline([(-0.98, -0.5), (-0.6, -0.84), (0.0, -0.97), (0.6, -0.84), (0.98, -0.5)])
    lower = zigzag(
        [(0.98, -0.5), (0.78, -0.48), (0.72, -0.66), (0.52, -0.55), (0.44, -0.78), (0.16, -0.6), (0.06, -0.84)]
        + [(-0.2, -0.62), (-0.34, -0.82), (-0.58, -0.54), (-0.7, -0.68), (-0.82, -0.48), (-0.98, -0.5)],
        [0.05],
    )
    pen.shade(low.placed(np.vstack([upper, lower])), dots(0.14, 4.0))


def _hair_bow(pen: Pen) -> None:
    for side in (-1, 1):
        loop = spline([(0, 0), (0.3, -0.3), (0.62, -0.32), (0.6, 0.05), (0.55, 0.26), (0.28, 0.18)], closed=True) * (
            side,
            1,
        )
        tail = zigzag([(0.03, 0.02), (0.42, 0.62), (0.24, 0.58), (0.12, 0.7), (0.0, 0.05)], [0.1, 0.0, 0.0, -0.1]) * (
            side,
            1,
        )
        pen.shape(tail, INK, 1.0)
        pen.shape(loop, INK, 1.0)
        pen.stroke(spline([(0.14, -0.05), (0.3, -0.14), (0.47, -0.16)]) * (side, 1), 1.1, (0.1, 0.1), PAPER)
        pen.stroke(spline([(0.14, 0.05), (0.3, 0.04), (0.44, 0.08)]) * (side, 1), 0.8, (0.1, 0.1), PAPER)
    pen.shape(ellipse(0, 0, 0.12, 0.14), INK, 1.0)
    pen.line(ellipse(0, 0, 0.12, 0.14), 0.7, PAPER)


_SPIKES = [(0.0, 1.05), (0.42, 1.25), (0.6, 0.95), (1.15, 1.0), (1.1, 0.55), (1.5, 0.42), (1.2, 0.0), (1.72, -0.35)]
_SPIKES += [(1.16, -0.62), (1.55, -1.3), (0.86, -1.18), (0.86, -1.95), (0.3, -1.46), (0.02, -2.05), (-0.3, -1.46)]
_SPIKES += [(-0.78, -1.86), (-0.82, -1.2), (-1.46, -1.28), (-1.14, -0.6), (-1.68, -0.42), (-1.18, 0.0), (-1.48, 0.4)]
_SPIKES += [(-1.08, 0.55), (-1.12, 1.0), (-0.6, 0.95), (-0.4, 1.25), (0.0, 1.05)]


def _spiky_back(pen: Pen, turn: float) -> None:
    mass = zigzag(_SPIKES, [-0.1, 0.14]) + (-0.12 * turn, 0)
    pen.fill(mass, INK)
    pen.line(mass, 1.0)


def _spiky_front(pen: Pen, turn: float) -> None:
    low = pen.turned(turn * 0.75, ball=1.2)
    corners = [
        (1.1, 0.1),
        (1.0, 0.66),
        (0.9, -0.3),
        (0.62, 0.14),
        (0.6, -0.4),
        (0.12, 0.26),
        (0.22, -0.42),
        (-0.2, 0.02),
    ]
    corners += [(-0.2, -0.48), (-0.62, 0.2), (-0.72, -0.36), (-1.0, 0.66), (-1.1, 0.1)]
    _cap_and_fringe(pen, low, zigzag(corners, [0.12, -0.16]), INK)
    for k in range(9, len(_SPIKES) - 9, 2):
        root = (points(_SPIKES[k - 1]) + points(_SPIKES[k + 1]))[0] * 0.36
        tip = points(_SPIKES[k])[0] * 0.82
        pen.stroke(bow(root, tip, 0.08), 1.3, (0.05, 0.05), PAPER)
    for tip in corners[3:-2:2]:
        end, root = low.placed(tip)[0], low.placed((tip[0] * 0.7 + 0.1, -0.8))[0]
        pen.stroke(part(bow(root, end, -0.1), 0.35, 0.85), 1.1, (0.05, 0.05), PAPER)
    for x, high, foot in _GLINTS:
        light = bow((x * 0.9, high + 0.2 * x * x), (x, foot + 0.2 * x * x), 0.04)
        pen.stroke(low.placed(light), 2.4, (0.15, 0.1), PAPER)


_GLINTS = [(-0.82, -0.86, -0.6), (-0.7, -0.95, -0.56), (-0.58, -0.98, -0.66), (-0.46, -1.0, -0.72), (-0.2, -1.02, -0.6)]
_GLINTS += [(-0.08, -1.04, -0.7), (0.3, -1.02, -0.66), (0.41, -1.0, -0.72)]
"""Lights on the black hair: x, upper and lower end."""
