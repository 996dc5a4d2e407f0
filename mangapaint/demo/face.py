"""Faces: outline, eyes, brows, nose, mouth. Unit: half the width of the face; origin above the nose."""

from __future__ import annotations

import numpy as np

from mangapaint.demo.canvas import Pen
from mangapaint.demo.cast import Expression, Look
from mangapaint.demo.curves import Points, bow, ellipse, mirrored, part, points, spline, star
from mangapaint.demo.tones import INK, PAPER, dots

_FRONT = points(
    [(0.96, -0.5), (0.97, 0.0), (0.93, 0.38), (0.74, 0.8), (0.36, 1.12), (0, 1.22)]
    + [(-0.36, 1.12), (-0.74, 0.8), (-0.93, 0.38), (-0.97, 0.0), (-0.96, -0.5)]
)
_TURNED = points(
    [(0.92, -0.5), (0.86, 0.02), (0.91, 0.4), (0.77, 0.8), (0.5, 1.12), (0.28, 1.22)]
    + [(-0.1, 1.12), (-0.58, 0.82), (-0.9, 0.36), (-0.97, 0.0), (-0.96, -0.5)]
)


def outline(look: Look, turn: float) -> Points:
    """Temple, cheek and chin to the other temple, right to left; open at the top, which the hair covers."""
    share = min(1.0, abs(turn) / 0.4)
    shape = (1 - share) * _FRONT + share * _TURNED
    shape = shape * np.where(shape[:, 1:] > 0.5, (look.chin, 1.0), (1.0, 1.0))
    return spline(shape if turn >= 0 else mirrored(shape)[::-1])


def draw_skin(pen: Pen, look: Look, turn: float) -> None:
    """The blank face with its ears."""
    for side in (-1, 1):
        if side * turn > 0.15:
            continue  # the far ear is hidden
        ear = spline([(0.9, -0.02), (1.1, -0.1), (1.16, 0.15), (1.04, 0.45), (0.9, 0.5)]) * (side, 1)
        pen.fill(ear)
        pen.stroke(ear, 0.9)
        pen.stroke(spline([(1.0, 0.02), (1.07, 0.1), (1.0, 0.28)]) * (side, 1), 0.6)
    face = outline(look, turn)
    pen.fill(face)
    pen.stroke(face, 1.25, (0.5, 0.5))


def draw_features(pen: Pen, look: Look, mood: Expression) -> None:
    """All that lies on the face; `pen` is already turned."""
    if mood.blush:
        _blush(pen)
    for side in (-1, 1):
        if mood.openness <= 0.05 or (mood.wink and side * (1 if pen.turn >= 0 else -1) > 0):
            _closed_eye(pen, look, side)
        else:
            _eye(pen, look, mood, side)
    _nose(pen)
    _mouth(pen, mood)
    if mood.sweat:
        drop = spline(
            [(0.78, -0.55), (0.9, -0.3), (0.88, -0.12), (0.78, -0.06), (0.69, -0.14), (0.7, -0.3)], closed=True
        )
        pen.shape(drop, PAPER, 0.8)
        pen.stroke([(0.75, -0.22), (0.78, -0.12)], 0.6)


def draw_brows(pen: Pen, look: Look, mood: Expression) -> None:
    """Brows are drawn over the fringe, as manga does, so that the mood shows."""
    for side in (-1, 1):
        lift = -0.27 - mood.brow_lift
        inner, outer = lift + 0.1 * mood.brow_tilt, lift + 0.05 - 0.08 * mood.brow_tilt
        brow = spline([(0.2, inner), (0.48, (inner + outer) / 2 - 0.07), (0.74, outer)]) * (side, 1)
        pen.stroke(brow, 1.9 if look.hair == "spiky" else 1.1, (0.7, 0.05))


def _lids(look: Look, openness: float, side: int) -> tuple[Points, Points]:
    """Upper lid from the inner to the outer corner, lower lid back."""
    high, low = 0.33 * look.eye_height * openness, 0.26 * look.eye_height
    upper = [(0.2, 0.27), (0.26, 0.27 - 0.72 * high), (0.42, 0.25 - high), (0.6, 0.27 - 0.86 * high), (0.76, 0.3)]
    lower = [(0.76, 0.3), (0.68, 0.27 + 0.8 * low), (0.5, 0.29 + low), (0.3, 0.27 + 0.86 * low), (0.2, 0.27)]
    return spline(upper) * (side, 1), spline(lower) * (side, 1)


def _eye(pen: Pen, look: Look, mood: Expression, side: int) -> None:
    upper, lower = _lids(look, mood.openness, side)
    ball = np.vstack([upper, lower])
    pen.fill(ball)
    x, y = side * 0.475 + mood.gaze[0], 0.255 + mood.gaze[1]
    tall = 0.3 * look.eye_height * min(1.0, 0.3 + 0.7 * mood.openness)
    wide = 0.2
    fine = pen.scale < 45
    with pen.clipped(ball):
        _iris(pen, x, y, wide, tall, mood.stars, fine)
        if not fine:  # the shadow of the lid
            shadow = spline([(0.1, -0.2), (0.5, -0.4), (0.8, -0.2), (0.8, 0.14), (0.48, 0.0), (0.15, 0.12)])
            pen.shade(shadow * (side, 1), dots(0.4, 3.0))
    pen.stroke(upper, 2.5, (0.35, 0.5))
    pen.stroke(part(upper, 0.35, 1.0) - (0, 0.018), 3.0, (0.1, 0.4))
    pen.stroke(part(lower, 0.08, 0.72), 0.9, (0.4, 0.1))
    for lash in range(look.lashes):
        root = upper[-1 - 6 * lash]
        tip = root + ((0.13 - 0.02 * lash) * side, -0.05 - 0.05 * lash)
        pen.stroke(bow(root, tip, 0.15 * side), 1.7, (1.0, 0.05))
    crease = part(upper, 0.3, 0.85) - (0, 0.09)
    pen.stroke(crease, 0.7, (0.1, 0.1))


def _iris(pen: Pen, x: float, y: float, wide: float, tall: float, stars: bool, fine: bool) -> None:
    iris = ellipse(x, y, wide, tall)
    pen.fill(iris, PAPER)
    with pen.clipped(iris):
        pen.fill([(x - wide, y - tall), (x + wide, y - tall), (x + wide, y - 0.05), (x - wide, y - 0.05)], INK)
        for k in np.linspace(-0.95, 0.95, 7 if fine else 13):
            foot = (x + wide * k * 0.9, y + tall * (0.35 + 0.45 * (1 - k * k)))
            pen.stroke([(x + wide * k, y - 0.1), foot], 1.2, (1.0, 0.05))
    pen.fill(ellipse(x, y + 0.02, wide * 0.52, tall * 0.55), INK)
    pen.line(np.vstack([iris, iris[:1]]), 1.3)
    pen.fill(ellipse(x, y + tall * 0.72, wide * 0.5, tall * 0.16), PAPER)
    if stars:
        pen.fill(star(x - 0.03, y - 0.1, 0.17, 4, 0.32), PAPER)
        pen.fill(ellipse(x + 0.1, y + 0.13, 0.05, 0.06), PAPER)
    else:
        pen.fill(ellipse(x - 0.085, y - tall * 0.42, 0.085, 0.105, 0.3), PAPER)
        pen.fill(ellipse(x + 0.1, y + tall * 0.38, 0.042, 0.055), PAPER)


def _closed_eye(pen: Pen, look: Look, side: int) -> None:
    arc = spline([(0.2, 0.36), (0.32, 0.2), (0.48, 0.14), (0.64, 0.2), (0.76, 0.37)]) * (side, 1)
    pen.stroke(arc, 2.6, (0.35, 0.35))
    for lash in range(look.lashes):
        root = arc[-1 - 5 * lash]
        pen.stroke([root, root + (0.1 * side, -0.02 - 0.05 * lash)], 1.4, (1.0, 0.1))


def _nose(pen: Pen) -> None:
    ahead = 0.16 * np.sin(pen.turn)
    pen.stroke(spline([(0.03 + ahead, 0.52), (0.06 + ahead, 0.6), (-0.01 + ahead, 0.625)]), 0.9, (0.15, 0.4))


def _mouth(pen: Pen, mood: Expression) -> None:
    y = 0.86
    if mood.mouth == "smile":
        pen.stroke(spline([(-0.2, y - 0.03), (-0.08, y + 0.04), (0.08, y + 0.04), (0.2, y - 0.04)]), 1.3, (0.2, 0.2))
    elif mood.mouth == "flat":
        pen.stroke(spline([(-0.13, y + 0.02), (0, y - 0.01), (0.14, y + 0.03)]), 1.3, (0.3, 0.2))
    elif mood.mouth == "oh":
        hole = ellipse(0, y + 0.03, 0.1, 0.13)
        pen.shape(hole, INK, 0.9)
        with pen.clipped(hole):
            pen.fill(ellipse(0, y + 0.15, 0.1, 0.07), dots(0.25, 3.0))
    else:
        drop = 0.27 if mood.mouth == "laugh" else 0.16
        top = spline([(-0.27, y - 0.1), (-0.12, y - 0.065), (0.12, y - 0.065), (0.27, y - 0.1)])
        low = spline(
            [(0.27, y - 0.1), (0.2, y + 0.55 * drop), (0, y + drop), (-0.2, y + 0.55 * drop), (-0.27, y - 0.1)]
        )
        hole = np.vstack([top, low])
        pen.fill(hole, INK)
        with pen.clipped(hole):
            pen.fill(ellipse(0, y + drop + 0.02, 0.17, 0.13), PAPER)
            pen.shade(ellipse(0, y + drop + 0.02, 0.17, 0.13), dots(0.2, 3.0))
            pen.fill([(-0.3, y - 0.12), (0.3, y - 0.12), (0.22, y - 0.015), (-0.22, y - 0.015)], PAPER)
        pen.stroke(top, 1.3)
        pen.stroke(low, 1.2)
        if mood.mouth == "grin":
            pen.stroke([(0.27, y - 0.1), (0.31, y - 0.15)], 1.2)


def _blush(pen: Pen) -> None:
    for side in (-1, 1):
        pen.shade(ellipse(side * 0.64, 0.66, 0.19, 0.1), dots(0.16, 3.6))
        for k in range(3):
            x = side * 0.64 - 0.1 + 0.1 * k
            pen.stroke([(x + 0.035, 0.6), (x - 0.035, 0.72)], 0.8, (0.3, 0.3))
