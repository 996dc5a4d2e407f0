"""Drawn heads with known faces: anime crops redrawn in ink, figures of the demo, simple cartoon heads."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from mangapaint.demo.canvas import Canvas, Pen
from mangapaint.demo.cast import BOY, GIRL, Expression, Pose
from mangapaint.demo.figures import draw_figure
from train.corpus import Picture

Gray = NDArray[np.uint8]
Box = tuple[float, float, float, float]
"""Left, top, right, bottom."""

USUAL_BOX: dict[str, Box] = {"faces256": (0.22, 0.285, 0.775, 0.78), "faces96": (0.16, 0.255, 0.84, 0.865)}
"""Where the face lies in the crops of a set, brows to chin and ear to ear, as shares of the side."""
ASIDE = 0.1
"""How far the sides of one crop's face may lie from the usual ones, share of the side."""


@dataclass(frozen=True)
class Stamp:
    """A figure to be pasted.

    Attributes:
        gray: (H, W) uint8.
        mask: (H, W) uint8, 255 where the figure is.
        face: (x, y, right, bottom) in px; None where no face is seen (from behind).
    """

    gray: Gray
    mask: Gray
    face: Box | None


def face_box(picture: Picture, usual: Box) -> Box:
    """The usual box with left and right moved to where the skin of this face ends; shares of the side."""
    small = cv2.resize(picture, (64, 64), interpolation=cv2.INTER_AREA)
    lab = cv2.cvtColor(small, cv2.COLOR_RGB2LAB).astype(np.float32)
    left, top, right, bottom = (round(64 * v) for v in usual)
    inner = lab[(top + bottom) // 2 : bottom - 4, left + 8 : right - 8].reshape(-1, 3)
    distance = np.sqrt((((lab - np.median(inner, 0)) * (0.5, 1, 1)) ** 2).sum(2))
    skin = cv2.morphologyEx((distance < 16).astype(np.uint8), cv2.MORPH_OPEN, np.ones((3, 3), np.uint8))
    columns = np.flatnonzero(skin[(2 * top + bottom) // 3 : bottom - 3].sum(0) >= 3) / 64
    columns = columns[(columns > usual[0] - ASIDE) & (columns < usual[2] + ASIDE)]
    if len(columns) < 14:
        return usual
    first, last = float(columns[0]), float(columns[-1]) + 1 / 64
    # Locks of hair hide ears: the skin tells where the face is, less so how wide.
    return (0.6 * usual[0] + 0.4 * first, usual[1], 0.6 * usual[2] + 0.4 * last, usual[3])


def crop_stamp(picture: Picture, usual: Box, side: int, rng: np.random.Generator) -> Stamp:
    """A square crop of a face, redrawn at side x side px; the mask is about its head and shoulders, or all of it."""
    share = face_box(picture, usual)
    shrink = side < picture.shape[0]
    colour = cv2.resize(picture, (side, side), interpolation=cv2.INTER_AREA if shrink else cv2.INTER_CUBIC)
    face = (share[0] * side, share[1] * side, share[2] * side, share[3] * side)
    mask = np.full((side, side), 255, np.uint8)
    if rng.random() < 0.75:
        mask[:] = 0
        middle = ((face[0] + face[2]) / 2, (face[1] + face[3]) / 2 - 0.06 * side)
        axes = (0.5 * (face[2] - face[0]) * rng.uniform(1.25, 1.9), 0.5 * (face[3] - face[1]) * rng.uniform(1.5, 2.1))
        cv2.ellipse(mask, (middle, (2 * axes[0], 2 * axes[1]), 0), 255, -1)
        if rng.random() < 0.75:
            low, wide = face[3] - 0.02 * side, rng.uniform(0.3, 0.6) * side
            neck = 0.17 * side
            body = [(middle[0] - neck, low - 0.1 * side), (middle[0] + neck, low - 0.1 * side)]
            body += [(middle[0] + wide, side + 2), (middle[0] - wide, side + 2)]
            cv2.fillConvexPoly(mask, np.array(body, np.int32), 255)
    gray = inked(np.asarray(colour, np.uint8), face, rng)
    if mask.min() == 0 and rng.random() < 0.7:
        outlines = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)[0]
        cv2.drawContours(gray, outlines, -1, 0, max(1, round(side * rng.uniform(0.004, 0.02))))
    return Stamp(gray, mask, face)


def inked(colour: Picture, face: Box, rng: np.random.Generator) -> Gray:
    """A coloured head in black and white: lines, white or toned skin, black, toned or white hair.

    Args:
        colour: (H, W, 3) uint8.
        face: px.
        rng: decides everything.
    """
    y = cv2.cvtColor(colour, cv2.COLOR_RGB2GRAY).astype(np.float32)
    lines = pen_lines(y, rng)
    soft = cv2.blur(colour, (3, 3)).astype(np.float32)
    left, top, right, bottom = (int(v) for v in face)
    skin = np.median(soft[(top + bottom) // 2 : bottom, left:right].reshape(-1, 3), 0)
    above = soft[max(0, round(1.35 * top - 0.35 * bottom)) : max(1, top), left:right].reshape(-1, 3)
    hair = np.median(above, 0) if len(above) else skin
    to_skin, to_hair = (
        cv2.transform(np.abs(soft - shade.astype(np.float32)), np.ones((1, 3))) for shade in (skin, hair)
    )
    is_skin, is_hair = to_skin < 60, (to_hair < 75) & (to_hair < to_skin)
    level = np.zeros(y.shape, np.float32)  # share of black
    wave = np.sin(soft @ rng.uniform(-0.03, 0.03, 3).astype(np.float32) + rng.uniform(0, 6))
    level[wave > rng.uniform(0, 0.9)] = rng.choice([0.15, 0.3, 0.5, 1.0])
    level[wave < rng.uniform(-1.2, -0.3)] = rng.choice([0.1, 0.3, 0.6])
    kind = rng.random()
    if kind < 0.32:
        lum = float(hair @ (0.299, 0.587, 0.114))
        level[is_hair] = 1.0
        level[is_hair & (y > lum + rng.uniform(15, 60))] = 0.0
    else:
        level[is_hair] = 0.0 if kind < 0.7 else rng.uniform(0.1, 0.75)
    inside = np.zeros(y.shape, np.uint8)
    size = (face[2] - face[0], 1.1 * (face[3] - face[1]))
    cv2.ellipse(inside, (((face[0] + face[2]) / 2, (face[1] + face[3]) / 2), size, 0), 1, -1)
    if rng.random() < 0.85:  # few faces are covered with tone
        level[(inside > 0) & ~is_hair] = 0.0
    level[is_skin] = 0.0 if rng.random() < 0.85 else rng.uniform(0.05, 0.35)
    if rng.random() < 0.8:
        level[(y < rng.uniform(30, 110)) & (y < 0.55 * float(skin.mean()))] = 1.0
    if rng.random() < 0.1:  # a gray picture
        low, high = rng.uniform(0, 60), rng.uniform(190, 255)
        return np.asarray(np.clip(low + (high - low) * y / 255, 0, 255), np.uint8)
    tone = toned(np.where(is_hair, 0, level).astype(np.float32), rng)
    strands = toned(np.where(is_hair, level, 0).astype(np.float32), rng)
    return np.asarray(np.minimum(np.minimum(lines, strands), tone), np.uint8)


def pen_lines(y: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.float32]:
    """(H, W) luminance 0..255 -> lines, 0 ink .. 255 paper."""
    if rng.random() < 0.65:
        side = int(rng.choice([3, 5, 5, 7]))
        closed = cv2.morphologyEx(y, cv2.MORPH_CLOSE, np.ones((side, side), np.uint8))
        ratio = (y + 5) / (closed + 5)
        ink = (ratio - rng.uniform(0.45, 0.85)) / rng.uniform(0.08, 0.35)
    else:
        sigma = rng.uniform(0.5, 1.3)
        difference = cv2.GaussianBlur(y, (0, 0), sigma) - cv2.GaussianBlur(y, (0, 0), 1.7 * sigma)
        ink = 1 + difference / rng.uniform(2, 8) + rng.uniform(0.1, 0.5)
    ink = np.asarray(np.clip(ink, 0, 1) * 255, np.float32)
    choice = rng.random()
    if choice < 0.25:
        ink = np.asarray(cv2.erode(ink, np.ones((2, 2), np.uint8)), np.float32)
    elif choice < 0.35:
        ink = np.asarray(cv2.dilate(ink, np.ones((2, 2), np.uint8)), np.float32)
    return ink


def toned(level: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.float32]:
    """(H, W) share of black 0..1 -> screentone, 0 ink .. 255 paper: dots, lines, sand or flat gray."""
    kind = rng.random()
    if kind < 0.4:
        return 255 * (1 - level)
    height, width = level.shape
    if kind < 0.58:
        return np.where(rng.random(level.shape, np.float32) < level, 0, 255).astype(np.float32)
    turn = 2 * np.pi / rng.uniform(2.5, 7)
    angle = np.pi / 4 if rng.random() < 0.7 else rng.uniform(0, np.pi)
    rows, columns = np.arange(height, dtype=np.float32)[:, None], np.arange(width, dtype=np.float32)
    u = np.cos(turn * (columns * np.cos(angle) + rows * np.sin(angle)))
    v = np.cos(turn * (rows * np.cos(angle) - columns * np.sin(angle))) if kind < 0.9 else u
    wave = 0.5 + 0.25 * (u + v)
    tone = np.clip((1 - level - wave) * rng.uniform(2, 6) + 0.5, 0, 1)
    return np.asarray(255 * np.where(level <= 0, 1, np.where(level >= 1, 0, tone)), np.float32)


def figure_stamp(half: float, rng: np.random.Generator) -> Stamp:
    """One of the demo's characters, `half` a face being that many px; seen from behind now and then."""
    mood = Expression(
        openness=0.0 if rng.random() < 0.25 else float(rng.uniform(0.6, 1.2)),
        wink=bool(rng.random() < 0.1),
        gaze=(float(rng.uniform(-0.07, 0.07)), float(rng.uniform(-0.05, 0.05))),
        brow_lift=float(rng.uniform(-0.03, 0.12)),
        brow_tilt=float(rng.uniform(-0.7, 0.9)),
        mouth=rng.choice(["smile", "laugh", "oh", "flat", "grin"]),
        blush=bool(rng.random() < 0.3),
        sweat=bool(rng.random() < 0.2),
    )
    arms = [
        ((s * rng.uniform(1, 1.9), rng.uniform(2.3, 3.2)), (s * rng.uniform(0.2, 2.2), rng.uniform(1, 4.5)))
        for s in (-1, 1)
    ]
    pose = Pose(
        left_arm=arms[0],
        right_arm=arms[1],
        left_hand=rng.choice(["relaxed", "open", "fist", "pointing"]),
        right_hand=rng.choice(["relaxed", "open", "fist", "pointing"]),
        turn=float(rng.uniform(-0.5, 0.5)),
        nod=float(rng.uniform(-0.08, 0.08)),
        tilt=float(rng.normal(0, 8)),
        wind=float(rng.uniform(-1, 1)),
        back=bool(rng.random() < 0.15),
    )
    width, height = round(5.4 * half), round(rng.uniform(4, 7.5) * half)
    canvas = Canvas(width, height, 1 if half > 40 else 2)
    middle = (width / 2, 2.4 * half)
    look = GIRL if rng.random() < 0.5 else BOY
    weight = half * rng.uniform(0.03, 0.09)
    draw_figure(Pen(canvas, weight=weight).at(*middle, half), look, mood, pose)
    gray = canvas.finished()
    face = (middle[0] - half, middle[1] - 0.5 * half, middle[0] + half, middle[1] + 1.22 * half)
    outside = np.zeros((height + 2, width + 2), np.uint8)
    bordered = cv2.copyMakeBorder(gray, 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=255)
    bordered[-1:] = 0  # the body goes on below
    filled = cv2.floodFill(bordered, None, (0, 0), 127, 60, 60)[1]
    outside[filled == 127] = 255
    return Stamp(gray, np.asarray(255 - outside[1:-1, 1:-1], np.uint8), None if pose.back else face)


def cartoon_stamp(side: int, rng: np.random.Generator) -> Stamp:
    """A simple head as small or comic figures have: dots, arcs or rings for eyes; from the front or in profile."""
    gray, mask = np.full((side, side), 255, np.uint8), np.zeros((side, side), np.uint8)
    unit = side / 4.4  # half a face
    cx, cy = side / 2, side / 2 + 0.1 * side
    pen = max(1, round(side * rng.uniform(0.008, 0.03)))
    profile = rng.random() < 0.5
    hair = int(rng.choice([0, 0, 255, 255, 160, 100, 60]))

    def curve(
        points: list[tuple[float, float]], closed: bool, fill: int | None, shade: int = 0, thick: int = pen
    ) -> None:
        line = np.array([(cx + x * unit, cy + y * unit) for x, y in points], np.float32)
        line = np.asarray(line * 16, np.int32)
        if fill is not None:
            cv2.fillPoly(gray, [line], fill, cv2.LINE_AA, 4)
            cv2.fillPoly(mask, [line], 255, cv2.LINE_8, 4)
        cv2.polylines(gray, [line], closed, shade, thick, cv2.LINE_AA, 4)

    def round_(x: float, y: float, a: float, b: float, start: float = 0, end: float = 360) -> list[tuple[float, float]]:
        turns = np.radians(np.linspace(start, end, 24))
        return [(x + a * float(np.cos(t)), y + b * float(np.sin(t))) for t in turns]

    if rng.random() < 0.6:  # shoulders
        wide = rng.uniform(0.7, 1.5)
        curve(
            [(-0.25, 0.9), (0.25, 0.9), (wide, 1.6), (wide + 0.1, 3), (-wide - 0.1, 3), (-wide, 1.6)],
            True,
            int(rng.choice([255, 255, 0, 180])),
        )
    long = rng.uniform(0.3, 1.6)
    curve(
        round_(0, -0.25, 1.25, 1.25, 180, 360) + [(1.2, long), (0.8, long + 0.1), (-0.8, long + 0.1), (-1.2, long)],
        True,
        hair,
    )
    tall, chin = rng.uniform(0.95, 1.25), rng.uniform(0.25, 0.6)
    tone = 255 if rng.random() < 0.85 else int(rng.integers(170, 250))
    if profile:
        nose, lip = rng.uniform(0.05, 0.3), rng.uniform(0, 0.1)
        front = 0.75
        outline = [
            (-0.5, -0.7),
            (front - 0.05, -0.75),
            (front, -0.2),
            (front - 0.04, 0.05),
            (front + nose, 0.4),
            (front - 0.02, 0.52),
        ]
        outline += [
            (front + lip, 0.65),
            (front - 0.03, 0.75),
            (front + lip - 0.03, 0.85),
            (front - 0.15, tall),
            (0.3, tall + 0.05),
            (-0.55, 0.55),
            (-0.7, 0),
        ]
        curve(outline, True, tone)
        face = (-0.6, -0.4, front + nose, tall)
    else:
        outline = round_(0, -0.1, 1, 0.9, 180, 360) + [(0.95, 0.4), (chin, tall), (-chin, tall), (-0.95, 0.4)]
        curve(outline, True, tone)
        face = (-1.0, -0.45, 1.0, tall)
    shift = 0.0 if profile else rng.uniform(-0.25, 0.25)
    kind, gap, eye_y = int(rng.integers(7)), rng.uniform(0.35, 0.55), rng.uniform(-0.05, 0.25)
    size = rng.uniform(0.1, 0.28)
    for eye_x in [0.42] if profile else [shift - gap, shift + gap]:
        if kind == 0:
            curve(round_(eye_x, eye_y, size * 0.5, size * 0.6), True, 0)
        elif kind == 1:
            curve([(eye_x, eye_y - size), (eye_x, eye_y + size)], False, None, thick=max(2, 2 * pen))
        elif kind == 2:
            curve(round_(eye_x, eye_y + 0.1, size, size, 200, 340), False, None)
        elif kind == 3:
            curve(round_(eye_x, eye_y, size, size * 1.2), True, 255)
            if rng.random() < 0.7:
                curve(round_(eye_x, eye_y, size * 0.3, size * 0.35), True, 0)
        elif kind == 4:
            way = 1 if eye_x > shift else -1
            curve(
                [(eye_x + way * size, eye_y - size), (eye_x - way * size, eye_y), (eye_x + way * size, eye_y + size)],
                False,
                None,
            )
        elif kind == 5:
            curve(round_(eye_x, eye_y, size * 0.8, size * 1.3), True, 255)
            curve(round_(eye_x, eye_y, size * 0.55, size * 1.1), True, int(rng.choice([0, 60, 120])))
            curve(round_(eye_x - 0.2 * size, eye_y - 0.5 * size, size * 0.2, size * 0.3), True, 255, 255)
            curve(round_(eye_x, eye_y, size, size * 1.4, 190, 350), False, None, thick=2 * pen)
        else:
            curve(
                [(eye_x - size, eye_y), (eye_x + size, eye_y + rng.uniform(-0.1, 0.1))], False, None, thick=max(2, pen)
            )
        if rng.random() < 0.6:
            tilt = rng.uniform(-0.15, 0.15)
            curve([(eye_x - size, eye_y - 0.35 - tilt), (eye_x + size, eye_y - 0.35 + tilt)], False, None)
    mouth_x, mouth_y = (0.6, 0.78) if profile else (shift, rng.uniform(0.6, 0.8))
    kind = int(rng.integers(5))
    wide = rng.uniform(0.06, 0.2) if profile else rng.uniform(0.1, 0.4)
    if kind == 0:
        curve(round_(mouth_x, mouth_y - 0.1, wide, 0.15, 20, 160), False, None)
    elif kind == 1:
        curve(
            round_(mouth_x, mouth_y - 0.1, wide, rng.uniform(0.15, 0.35), 0, 180), True, int(rng.choice([0, 255, 128]))
        )
    elif kind == 2:
        curve([(mouth_x - wide, mouth_y), (mouth_x + wide, mouth_y)], False, None)
    elif kind == 3:
        curve(round_(mouth_x, mouth_y + 0.1, wide * 0.8, 0.12, 200, 340), False, None)
    if rng.random() < 0.8:  # a fringe
        teeth = int(rng.integers(2, 7))
        low = rng.uniform(-0.5, -0.15)
        xs = np.linspace(-1.02, 0.75 if profile else 1.02, 2 * teeth + 1)
        fringe = [
            (float(x), low - (0.25 if i % 2 == 0 else 0) + float(rng.uniform(-0.08, 0.08))) for i, x in enumerate(xs)
        ]
        curve(
            round_(0, -0.3, 1.1, 1.15, 190, 350) + fringe[::-1],
            True,
            hair,
            255 if hair < 80 and rng.random() < 0.3 else 0,
        )
    px = (cx + face[0] * unit, cy + face[1] * unit, cx + face[2] * unit, cy + face[3] * unit)
    return Stamp(gray, mask, px)
