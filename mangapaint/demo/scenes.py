"""The wide pictures of the story: village, glade, leap, cottage and view. Units are px of the page."""

from __future__ import annotations

import numpy as np

from mangapaint.demo import props, scenery
from mangapaint.demo.canvas import Pen
from mangapaint.demo.cast import BOLD, BOY, CALM, GIRL, HAPPY, Expression, Pose
from mangapaint.demo.curves import box, spline
from mangapaint.demo.effects import focus_lines, sparkle
from mangapaint.demo.figures import draw_figure
from mangapaint.demo.tones import INK, PAPER, dots, gradient, lines

LEFT, RIGHT = 44, 956
"""The type area of the page, left and right."""


def village(pen: Pen) -> None:
    """The coast where the two live, with a cottage on the hill and a road down to the trees."""
    scenery.sky(pen, 0, 0, 1000, 330, 0.32)
    scenery.sun(pen, 900, 70, 44)
    for x, y, size in ((620, 105, 130), (330, 260, 90), (860, 215, 80), (40, 210, 90)):
        scenery.cloud(pen, x, y, size)
    scenery.gulls(pen, [(470, 190, 16), (515, 214, 11), (440, 222, 9)])
    scenery.sea(pen, 0, 330, 1000, 480)
    scenery.hill(pen, [(-20, 331), (90, 306), (230, 312), (320, 331)], 331)
    scenery.hill(pen, [(420, 470), (560, 400), (720, 330), (860, 296), (1020, 290)], 600, dots(0.14, 5.5))
    scenery.tree(pen, 950, 330, 190, 2)
    scenery.house(pen, 800, 372, 74)
    scenery.tree(pen, 610, 420, 120, 3)
    scenery.hill(pen, [(-20, 470), (200, 486), (480, 470), (760, 440), (1020, 380)], 600)
    road = np.vstack(
        [
            spline([(-10, 566), (240, 560), (560, 540), (780, 480), (850, 416)]),
            spline([(876, 416), (840, 500), (640, 580), (400, 610), (-10, 640)]),
        ]
    )
    pen.shape(road, PAPER, 0.8)
    scenery.meadow(pen, (20, 480, 420, 545), 16, 24, 4)
    scenery.meadow(pen, (700, 520, 990, 590), 18, 28, 5)
    scenery.tree(pen, 96, 560, 300, 7)


def glade(pen: Pen) -> None:
    """The old tree and the box half in the ground."""
    pen.shade(box(LEFT, 1010, RIGHT, 1230), gradient((0, 1010), (0, 1230), 0.5, 0.15, 5.5))
    focus_lines(pen, 500, 1220, (200, 150), 620, 80, 4, PAPER)
    scenery.tree(pen, 190, 1270, 250, 9)
    bark = np.vstack(
        [spline([(760, 1000), (752, 1140), (700, 1240), (600, 1290)]), spline([(960, 1310), (900, 1230), (896, 1000)])]
    )
    scenery.hill(pen, [(40, 1262), (300, 1240), (620, 1250), (960, 1236)], 1380)
    pen.shape(bark, PAPER, 1.3)
    with pen.clipped(bark):
        for k, x in enumerate(np.linspace(772, 890, 9)):
            pen.stroke(
                spline([(x, 1000 + 13 * k), (x - 6, 1110), (x - 20 - 3 * k, 1230), (x - 40, 1270)]), 1.2, (0.1, 0.1)
            )
        pen.shade(box(835, 1000, 960, 1320), lines(0.42, 6.0, 60))
    props.closed_box(pen.at(490, 1322, 108, -5))
    mound = spline([(330, 1340), (420, 1300), (520, 1318), (640, 1296), (720, 1340)])
    pen.fill(np.vstack([mound, [(720, 1376), (330, 1376)]]))
    pen.stroke(mound, 1.2)
    scenery.meadow(pen, (70, 1300, 940, 1372), 26, 40, 11)
    for x, y, size in ((392, 1190, 26), (616, 1170, 40), (668, 1236, 18), (356, 1250, 16)):
        sparkle(pen, x, y, size)


def leap(pen: Pen) -> None:
    """She jumps and a broad stroke of paint follows her brush across the sky."""
    scenery.sky(pen, 0, 0, 1000, 480, 0.36)
    scenery.cloud(pen, 830, 130, 150)
    scenery.cloud(pen, 160, 330, 120)
    scenery.cloud(pen, 880, 360, 90)
    scenery.sea(pen, 0, 560, 1000, 640, 5)
    scenery.hill(pen, [(-10, 690), (260, 640), (560, 628), (1010, 600)], 770, dots(0.1, 5.5))
    scenery.house(pen, 170, 668, 52)
    scenery.tree(pen, 300, 690, 120, 12)
    scenery.meadow(pen, (380, 660, 980, 720), 18, 30, 15)
    inner = spline(
        [(422, 142), (330, 84), (250, 96), (150, 210), (110, 420), (250, 520), (500, 560), (760, 500), (1010, 330)]
    )
    outer = spline(
        [(1010, 430), (780, 590), (500, 640), (210, 590), (50, 430), (86, 190), (200, 30), (330, 34), (424, 138)]
    )
    swoosh = np.vstack([inner, outer])
    pen.shape(swoosh, PAPER, 1.3)
    with pen.clipped(swoosh):
        pen.shade(swoosh, gradient((400, 100), (700, 600), 0.5, 0.06, 5.0))
        for k in np.linspace(0.2, 0.8, 4):
            pen.stroke(
                inner[: len(outer)] * (1 - k) + outer[::-1][: len(inner)] * k,
                1.1,
                (0.05, 0.05),
                PAPER if k > 0.5 else INK,
            )
    pose = Pose(
        left_arm=((-1.6, 1.3), (-2.2, -0.2)),
        left_hand="fist",
        right_arm=((1.8, 2.6), (2.7, 2.1)),
        right_hand="open",
        left_leg=((-0.9, 5.9), (-2.0, 7.3)),
        right_leg=((0.9, 6.0), (0.5, 7.9)),
        turn=-0.28,
        tilt=-6,
        wind=1.0,
    )
    hero = pen.at(540, 250, 44, 8)
    props.brush(hero.at(-1.85, 0.75, 1.6, -22), dots(0.5, 4.0))
    draw_figure(hero, GIRL, HAPPY, pose)
    for x, y, size in ((120, 480, 24), (330, 590, 30), (260, 130, 26), (660, 560, 20), (900, 470, 22)):
        sparkle(pen, x, y, size)


def painting(pen: Pen) -> None:
    """The cottage gets its roof painted."""
    scenery.sky(pen, 0, 1104, 1000, 1330, 0.32)
    scenery.cloud(pen, 470, 1160, 64)
    scenery.hill(pen, [(30, 1340), (300, 1322), (700, 1330), (970, 1318)], 1430)
    scenery.tree(pen, 740, 1350, 150, 14)
    scenery.house(pen, 240, 1400, 130)
    props.brush(pen.at(492, 1322, 78, -38), dots(0.5, 4.0))
    draw_figure(
        pen.at(610, 1238, 50),
        GIRL,
        Expression(gaze=(-0.04, 0), blush=True),
        Pose(turn=-0.34, tilt=-4, left_arm=((-1.6, 2.1), (-2.35, 1.5)), left_hand="fist", wind=0.3),
    )
    draw_figure(
        pen.at(866, 1278, 50), BOY, BOLD, Pose(turn=-0.3, left_arm=((-1.5, 2.8), (-1.75, 1.9)), left_hand="fist")
    )
    scenery.meadow(pen, (60, 1380, 940, 1425), 18, 30, 17)


def view(pen: Pen) -> None:
    """Both seen from behind, on the hill above the sea, under a rainbow."""
    scenery.sky(pen, 0, 0, 1000, 470, 0.34)
    scenery.rainbow(pen, 500, 560, 470, 17)
    scenery.sun(pen, 130, 110, 50)
    for x, y, size in ((760, 90, 150), (130, 330, 140), (880, 380, 130), (480, 250, 80)):
        scenery.cloud(pen, x, y, size)
    scenery.gulls(pen, [(420, 150, 18), (470, 176, 12), (360, 190, 10)])
    scenery.sea(pen, 0, 470, 1000, 720, 8)
    scenery.hill(pen, [(-20, 471), (90, 430), (200, 438), (310, 471)], 471)
    scenery.house(pen, 130, 446, 26)
    scenery.hill(pen, [(-20, 740), (240, 690), (500, 672), (760, 690), (1020, 730)], 910)
    scenery.tree(pen, 920, 790, 420, 18)
    scenery.meadow(pen, (20, 730, 980, 900), 46, 42, 19)
    draw_figure(pen.at(400, 500, 36), BOY, CALM, Pose(back=True, tilt=4, right_arm=((1.3, 2.9), (1.72, 3.95))))
    draw_figure(
        pen.at(540, 508, 36), GIRL, CALM, Pose(back=True, wind=0.7, tilt=-5, left_arm=((-1.4, 2.8), (-2.1, 3.8)))
    )
    props.open_box(pen.at(250, 860, 62), 0.8)
    scenery.grass(pen, 360, 822, 30, 6, 3)
    scenery.grass(pen, 580, 826, 34, 6, 4)
