"""A whole character: body, clothes, limbs and hands, put together with face and hair."""

from __future__ import annotations

import numpy as np

from mangapaint.demo import face, hair
from mangapaint.demo.canvas import Pen
from mangapaint.demo.cast import CALM, Expression, Hand, Limb, Look, Point, Pose
from mangapaint.demo.curves import bow, ellipse, mirrored, part, spline, star, zigzag
from mangapaint.demo.tones import INK, PAPER, Paint, dots, lines

_DRESS = dots(0.16, 5.0)
_HOODIE = dots(0.32, 5.0)


def draw_figure(pen: Pen, look: Look, mood: Expression = CALM, pose: Pose | None = None) -> None:
    """The character with the middle of the face at the pen's origin; one unit is half a face."""
    pose = pose or Pose()
    head = pen.at(0, 1.2, angle=pose.tilt, weight=float(np.clip(0.45 + 0.021 * pen.scale, 0.8, 3.0))).at(0, -1.2)
    pen = pen.at(0, -0.16, weight=head.weight)
    if not pose.back:
        hair.draw_back(head, look.hair, pose.turn, pose.wind)
    if look.clothes == "dress":
        _legs(pen, pose, bare=True)
        _arm(pen, pose.left_arm, pose.left_hand, -1, None)
        _arm(pen, pose.right_arm, pose.right_hand, 1, None)
        _neck(pen, pose)
        _dress(pen, pose)
    else:
        _legs(pen, pose, bare=False)
        _neck(pen, pose)
        _hoodie(pen, pose)
        _arm(pen, pose.left_arm, pose.left_hand, -1, _HOODIE)
        _arm(pen, pose.right_arm, pose.right_hand, 1, _HOODIE)
    if pose.back:
        hair.draw_from_behind(head, look.hair, pose.wind)
        return
    face.draw_skin(head, look, pose.turn)
    front = head.turned(0.64 * pose.turn, pose.nod)
    face.draw_features(front, look, mood)
    hair.draw_front(head, look.hair, pose.turn, pose.wind)
    face.draw_brows(front, look, mood)


def _neck(pen: Pen, pose: Pose) -> None:
    pen.limb([(0, 0.9), (0, 1.9)], [0.5, 0.58])
    if not pose.back:
        pen.shade(
            [(-0.27, 1.0), (0.27, 1.0), (0.27, 1.42), (0.1 + 0.3 * pose.turn, 1.56), (-0.27, 1.36)], dots(0.35, 4.0)
        )


def _arm(pen: Pen, arm: Limb, hand: Hand, side: int, sleeve: Paint | None) -> None:
    elbow, wrist = arm
    shoulder = (side * (0.8 if sleeve is None else 0.88), 1.98)
    path = spline([shoulder, elbow, wrist])
    _hand(pen, elbow, wrist, hand, side)
    t = np.linspace(0, 1, len(path))
    if sleeve is None:
        pen.limb(path, 0.4 - 0.14 * t)
        return
    short = part(path, 0, 0.88)
    pen.limb(short, np.linspace(0.58, 0.46, len(short)), sleeve)
    way = (path[-1] - path[-3]) / np.hypot(*(path[-1] - path[-3]))
    across = np.array([-way[1], way[0]]) * 0.24
    cuff = [short[-1] + across, wrist + across * 0.9, wrist - across * 0.9, short[-1] - across]
    pen.shape(cuff, PAPER, 0.9)
    for k in (-0.5, 0.0, 0.5):
        pen.line([short[-1] + across * k, wrist + across * k], 0.6)
    fold = path[len(path) // 2]
    for k in (-0.12, 0.0, 0.13):
        pen.stroke(bow(fold + (-0.2 * side, k), fold + (0.04 * side, k * 1.6), 0.2), 0.8, (0.8, 0.05))


def _hand(pen: Pen, elbow: Point, wrist: Point, kind: Hand, side: int) -> None:
    way = np.degrees(np.arctan2(wrist[1] - elbow[1], wrist[0] - elbow[0])) - 90
    palm = pen.at(*wrist, angle=float(way), flip=side < 0)  # fingers down, thumb to the body
    if kind in ("fist", "pointing"):
        if kind == "pointing":
            palm.limb([(-0.12, 0.3), (-0.13, 0.78)], [0.14, 0.11])
        palm.shape(
            spline([(-0.2, 0.05), (-0.26, 0.25), (-0.18, 0.42), (0.12, 0.44), (0.24, 0.28), (0.17, 0.04)], closed=True)
        )
        for x in (-0.08, 0.03, 0.13):
            palm.stroke([(x, 0.42), (x + 0.01, 0.27)], 0.8, (0.8, 0.1))
        palm.limb([(-0.2, 0.16), (-0.02, 0.27)], [0.12, 0.11], outline=0.8)
        return
    spread = 0.3 if kind == "open" else 0.08
    fingers = [
        (x, x * (1 + 3.2 * spread), length) for x, length in ((-0.11, 0.68), (-0.04, 0.74), (0.04, 0.72), (0.11, 0.62))
    ]
    for root, tip, length in fingers:
        palm.limb([(root, 0.25), (tip, length)], [0.12, 0.1], outline=0.8)
    palm.limb([(-0.14, 0.12), (-0.2 - 0.55 * spread, 0.3), (-0.2 - 0.7 * spread, 0.46)], [0.13, 0.12, 0.1], outline=0.8)
    palm.limb([(0, 0.06), (0, 0.28)], [0.26, 0.3], outline=0.0)
    for root, tip, length in fingers:
        palm.limb([(root, 0.25), (tip * 0.9, length * 0.8)], [0.11, 0.095], outline=0.0)


def _legs(pen: Pen, pose: Pose, *, bare: bool) -> None:
    for side, (knee, foot) in ((-1, pose.left_leg), (1, pose.right_leg)):
        path = spline([(side * 0.36, 4.4), knee, foot])
        t = np.linspace(0, 1, len(path))
        pen.limb(path, 0.62 - 0.26 * t)
        if bare:
            for place in (0.68, 0.74):
                cuff = path[round(place * len(path))]
                way = path[round(place * len(path)) + 1] - cuff
                across = np.array([-way[1], way[0]]) / np.hypot(*way) * 0.2
                pen.stroke(bow(cuff - across, cuff + across, -0.1), 0.9, (0.8, 0.8))
        _shoe(pen, foot, side, INK if bare else PAPER)
        if not bare:
            leg = part(path, 0.0, 0.62)
            pen.limb(leg, np.linspace(0.92, 0.86, len(leg)), INK)
            pen.stroke(bow(leg[5] + (0.2 * side, 0), leg[-1] + (0.22 * side, 0), 0.05), 0.8, (0.05, 0.05), PAPER)


def _shoe(pen: Pen, foot: Point, side: int, paint: Paint) -> None:
    shoe = pen.at(*foot, flip=side < 0)
    sole = spline(
        [(-0.24, -0.1), (0.2, -0.12), (0.52, 0.16), (0.6, 0.36), (0.2, 0.42), (-0.26, 0.4), (-0.3, 0.12)], closed=True
    )
    shoe.shape(sole, paint)
    if paint == INK:
        shoe.stroke(spline([(0.22, 0.04), (0.4, 0.14), (0.48, 0.24)]), 1.1, (0.1, 0.1), PAPER)
        shoe.line([(-0.2, -0.02), (0.22, -0.02)], 0.8, PAPER)
    else:
        shoe.line(spline([(-0.28, 0.27), (0.2, 0.29), (0.58, 0.27)]), 0.9)
        for x in (0.1, 0.22, 0.33):
            shoe.stroke([(x - 0.06, 0.04), (x + 0.06, -0.04 + 0.4 * (x - 0.1))], 0.8)


def _dress(pen: Pen, pose: Pose) -> None:
    blow = 0.25 * pose.wind
    side = spline([(0.34, 1.62), (0.82, 1.78), (0.78, 2.4), (0.6, 3.3)])
    flare = spline([(0.6, 3.3), (0.98, 4.1), (1.5 + blow, 5.35)])
    hem = spline(
        [(1.5 + blow, 5.35), (1.15 + blow, 5.56), (0.75 + blow, 5.44), (0.3 + blow, 5.66), (-0.2 + blow, 5.5)]
        + [(-0.7 + blow, 5.66), (-1.1 + blow, 5.46), (-1.5 + blow, 5.35)]
    )
    left = mirrored(np.vstack([side, flare]))[::-1]
    left[:, 0] += blow * np.clip(left[:, 1] - 3.3, 0, None) / 2
    skirt = np.vstack([side, flare, hem, left])
    pen.shape(skirt, _DRESS, 1.2)
    for x in (-1.05, -0.6, -0.15, 0.35, 0.85):
        fold = spline([(x * 0.5, 3.42), (x * 0.75 + 0.2 * blow, 4.3), (x * 1.2 + blow, 5.42)])
        pen.stroke(fold, 0.9, (0.9, 0.1))
        pen.shade(np.vstack([fold, fold[::-1] + (0.17, 0) * np.linspace(1, 0, len(fold))[:, None]]), dots(0.55, 5.0))
    pen.shape(spline([(-0.61, 3.2), (0, 3.28), (0.61, 3.2), (0.63, 3.44), (0, 3.52), (-0.63, 3.44)], closed=True), INK)
    pen.stroke(spline([(-0.45, 3.32), (0, 3.38), (0.3, 3.35)]), 0.8, (0.1, 0.1), PAPER)
    for s, (elbow, _) in ((-1, pose.left_arm), (1, pose.right_arm)):
        way = np.arctan2(elbow[1] - 1.95, elbow[0] - s * 0.8)
        middle = np.array([s * 0.83, 2.0]) + 0.22 * np.array([np.cos(way), np.sin(way)])
        puff = ellipse(middle[0], middle[1], 0.46, 0.37, float(way))
        pen.shape(puff, _DRESS, 1.1)
        cuff = middle + 0.42 * np.array([np.cos(way), np.sin(way)])
        pen.shape(ellipse(cuff[0], cuff[1], 0.09, 0.27, float(way)), PAPER, 0.9)
        for k in (-0.14, 0.0, 0.14):
            fan = np.array([-np.sin(way), np.cos(way)]) * k
            pen.stroke([cuff + fan, middle + fan * 1.1], 0.7, (0.9, 0.05))
    if pose.back:
        return
    for s in (-1, 1):
        flap = spline([(0.02, 1.78), (0.3, 1.5), (0.56, 1.62), (0.66, 2.0), (0.36, 2.2), (0.1, 2.04)], closed=True)
        pen.shape(flap * (s, 1), PAPER, 1.0)
    ribbon = pen.at(0, 2.06, 0.62)
    for s in (-1, 1):
        ribbon.shape(spline([(0, 0), (0.3, -0.25), (0.6, -0.2), (0.58, 0.2), (0.28, 0.2)], closed=True) * (s, 1), INK)
        ribbon.shape(zigzag([(0, 0), (0.35, 0.95), (0.2, 0.86), (0.1, 1.0), (0, 0.1)], [0.08, 0, 0, 0]) * (s, 1), INK)
        ribbon.stroke(spline([(0.15, -0.02), (0.32, -0.1), (0.46, -0.06)]) * (s, 1), 0.9, (0.1, 0.1), PAPER)
    ribbon.shape(ellipse(0, 0, 0.12, 0.15), PAPER, 1.0)


def _hoodie(pen: Pen, pose: Pose) -> None:
    pen.shape(ellipse(0, 1.62, 0.82, 0.36), _HOODIE, 1.1)  # the hood behind the neck
    if not pose.back:
        pen.limb([(0, 0.9), (0, 1.75)], [0.5, 0.56])
        pen.shade(
            [(-0.26, 1.0), (0.26, 1.0), (0.26, 1.45), (0.1 + 0.3 * pose.turn, 1.58), (-0.26, 1.38)], dots(0.35, 4.0)
        )
    half = [(0.3, 1.66), (0.7, 1.7), (1.02, 1.92), (0.92, 2.6), (0.9, 3.4), (0.94, 4.25)]
    side = spline(half)
    body = np.vstack([side, spline([(0.94, 4.25), (0.4, 4.4), (-0.4, 4.4), (-0.94, 4.25)]), mirrored(side)[::-1]])
    pen.shape(body, _HOODIE, 1.2)
    band = np.vstack([spline([(0.93, 4.1), (0, 4.24), (-0.93, 4.1)]), spline([(-0.94, 4.38), (0, 4.55), (0.94, 4.38)])])
    pen.shape(band, PAPER, 1.0)
    pen.shade(band, lines(0.28, 3.6, 90))
    if pose.back:
        pen.shape(spline([(-0.7, 1.5), (0.7, 1.5), (0.5, 2.2), (0, 2.5), (-0.5, 2.2)], closed=True), _HOODIE, 1.1)
        return
    shirt = np.vstack([spline([(-0.3, 1.6), (0, 1.82), (0.3, 1.6)]), [(0.42, 1.75), (0.0, 2.62), (-0.42, 1.75)]])
    pen.shape(shirt, PAPER, 0.9)
    for s in (-1, 1):
        flap = spline([(0.26, 1.42), (0.62, 1.55), (0.7, 1.82), (0.02, 2.72), (0.16, 2.2), (0.4, 1.8)], closed=True)
        pen.shape(flap * (s, 1), _HOODIE, 1.0)
        cord = spline([(0.2, 2.38), (0.26, 2.7), (0.22, 3.0)]) * (s, 1)
        pen.line(cord, 1.6)
        pen.fill(ellipse(cord[-1, 0], cord[-1, 1], 0.05, 0.07), INK)
    pen.line([(0, 2.68), (0, 4.16)], 0.9)
    pocket = spline([(0.2, 3.35), (0.62, 3.4), (0.82, 3.95)])
    pen.stroke(pocket, 0.9)
    pen.stroke(mirrored(pocket), 0.9)
    pen.shape(star(0.5, 2.75, 0.17, 5, 0.45), PAPER, 0.8)
