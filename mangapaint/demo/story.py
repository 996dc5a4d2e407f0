"""The four pages of "The Paint Box", read from right to left."""

from __future__ import annotations

from collections.abc import Callable

from mangapaint.demo import effects, props, scenery, scenes
from mangapaint.demo.canvas import Canvas, Pen
from mangapaint.demo.cast import AMAZED, BOLD, BOY, CALM, EAGER, GIRL, HAPPY, PUZZLED, SHOCKED, WINK, Pose
from mangapaint.demo.curves import box, ellipse
from mangapaint.demo.effects import focus_lines, panel, sparkle, speed_lines
from mangapaint.demo.figures import draw_figure
from mangapaint.demo.lettering import bubble, caption, sound
from mangapaint.demo.scenes import LEFT, RIGHT
from mangapaint.demo.tones import INK, PAPER, dots, gradient
from mangapaint.page import Bytes2D

TITLE = "The Paint Box"
WIDTH, HEIGHT = 1000, 1420
TOP, BOTTOM = 44, 1376


def draw_pages() -> list[Bytes2D]:
    """The pages in reading order, each (HEIGHT, WIDTH) uint8 gray."""
    return [_drawn(page) for page in (_find, _open, _set_out, _look_back)]


def _drawn(page: Callable[[Pen], None]) -> Bytes2D:
    canvas = Canvas(WIDTH, HEIGHT)
    page(Pen(canvas))
    return canvas.finished()


def _find(pen: Pen) -> None:
    with panel(pen, [(12, 12), (988, 12), (988, 590), (12, 590)]):
        scenes.village(pen)
        draw_figure(pen.at(530, 372, 19), GIRL, HAPPY, _walk(0.3, wind=-0.5))
        draw_figure(pen.at(430, 386, 19), BOY, CALM, _walk(0.3))
    with panel(pen, [(520, 616), (RIGHT, 616), (RIGHT, 986), (470, 986)]):
        pen.shade(box(440, 600, 960, 990), gradient((440, 986), (760, 616), 0.3, 0.0, 6.0))
        focus_lines(pen, 780, 800, (230, 190), 700, 80, 3)
        draw_figure(
            pen.at(800, 772, 74),
            GIRL,
            EAGER,
            Pose(turn=-0.32, tilt=-5, wind=0.5, left_arm=((-1.65, 2.35), (-2.45, 1.75)), left_hand="pointing"),
        )
    with panel(pen, [(LEFT, 616), (496, 616), (446, 986), (LEFT, 986)]):
        pen.shade(box(LEFT, 616, 500, 986), gradient((0, 986), (0, 700), 0.35, 0.0, 6.0))
        draw_figure(pen.at(190, 826, 80), BOY, PUZZLED, Pose(turn=0.34, tilt=4))
        effects.surprise(pen, 330, 740, 40)
    with panel(pen, [(LEFT, 1010), (RIGHT, 1010), (RIGHT, BOTTOM), (LEFT, BOTTOM)]):
        scenes.glade(pen)
    sound(pen, "The Paint", 262, 92, 74, -5)
    sound(pen, "Box", 212, 176, 88, -5)
    bubble(pen, "Look!\nOver there!", 590, 680, (722, 770), kind="shout", size=26)
    bubble(pen, "Hm?\nWhere?", 400, 905, (286, 862))
    sound(pen, "twinkle", 440, 1078, 50, -10)
    caption(pen, "Under the old tree...", 800, 1048)


def _open(pen: Pen) -> None:
    with panel(pen, [(LEFT, TOP), (RIGHT, TOP), (RIGHT, 476), (LEFT, 476)]):
        scenery.sky(pen, LEFT, TOP, RIGHT, 300, 0.3)
        scenery.cloud(pen, 500, 130, 130)
        scenery.tree(pen, 80, 420, 380, 5)
        scenery.tree(pen, 940, 400, 330, 6)
        scenery.hill(pen, [(30, 372), (300, 350), (640, 356), (980, 378)], 480, dots(0.1, 5.5))
        scenery.meadow(pen, (60, 380, 940, 480), 16, 26, 21)
        draw_figure(
            pen.at(700, 226, 56),
            GIRL,
            EAGER,
            Pose(turn=-0.3, nod=0.08, tilt=-4, left_arm=((-1.3, 2.9), (-1.6, 3.6)), left_hand="relaxed"),
        )
        draw_figure(pen.at(300, 236, 56), BOY, CALM, Pose(turn=0.32, nod=0.08, tilt=5))
        props.closed_box(pen.at(490, 462, 92))
        scenery.grass(pen, 380, 474, 34, 6, 1)
        scenery.grass(pen, 630, 478, 30, 6, 2)
    with panel(pen, [(560, 500), (RIGHT, 500), (RIGHT, 920), (500, 920)], paint=INK):
        focus_lines(pen, 740, 720, (60, 50), 620, 190, 8, PAPER)
        pen.fill(ellipse(740, 740, 170, 140), PAPER)
        focus_lines(pen, 740, 740, (172, 145), 250, 90, 9, PAPER)
        props.open_box(pen.at(732, 842, 118))
        for x, y, size in ((640, 600, 30), (860, 640, 38), (600, 740, 20), (890, 760, 20), (760, 560, 22)):
            sparkle(pen, x, y, size)
    with panel(pen, [(LEFT, 500), (536, 500), (476, 920), (LEFT, 920)]):
        pen.shade(box(LEFT, 500, 540, 920), gradient((270, 500), (270, 640), 0.5, 0.0, 6.0))
        draw_figure(pen.at(262, 700, 196), GIRL, AMAZED, Pose(turn=0.0, wind=0.4))
        for x, y, size in ((86, 560, 34), (450, 540, 26), (70, 860, 22)):
            sparkle(pen, x, y, size)
    with panel(pen, [(LEFT, 944), (RIGHT, 944), (RIGHT, BOTTOM), (LEFT, BOTTOM)]):
        pen.shade(box(LEFT, 944, RIGHT, BOTTOM), gradient((0, 944), (0, 1300), 0.0, 0.26, 5.5))
        for x, y, r, density in ((120, 1010, 34, 0.5), (505, 1290, 40, 0.25), (100, 1180, 22, 0.0)):
            effects.splash(pen, x, y, r, dots(density, 5.0), int(x))
        props.brush(pen.at(870, 1330, 84, 12))
        draw_figure(
            pen.at(290, 1200, 78), BOY, SHOCKED, Pose(turn=0.3, left_arm=((-1.6, 2.9), (-1.9, 1.6)), left_hand="open")
        )
        draw_figure(
            pen.at(720, 1196, 78),
            GIRL,
            HAPPY,
            Pose(turn=-0.25, tilt=-6, wind=0.6, right_arm=((1.75, 2.4), (2.15, 0.9)), right_hand="fist"),
        )
    bubble(pen, "Open it!\nQuick!", 880, 120, (792, 190))
    bubble(pen, "It looks\nso old...", 128, 118, (226, 186))
    sound(pen, "click!", 640, 545, 56, -10)
    bubble(pen, "Oh...!", 446, 868, None, kind="speech", size=27)
    bubble(pen, "Colours?\nHere?", 470, 1030, (370, 1130))
    bubble(pen, "Let's paint\nthe world!", 800, 1020, (760, 1100), kind="shout")


def _set_out(pen: Pen) -> None:
    with panel(pen, [(60, 12), (988, 12), (988, 700), (LEFT - 4, 760), (LEFT - 4, 12)], framed=True):
        scenes.leap(pen)
    with panel(pen, [(LEFT - 4, 784), (420, 760), (420, 1080), (LEFT - 4, 1080)]):
        pen.shade(box(0, 740, 440, 1090), dots(0.12, 6.0))
        for x, y, r in ((100, 850, 34), (380, 820, 26), (370, 1040, 40)):
            effects.splash(pen, x, y, r, dots(0.5, 5.0), int(x))
        props.cat(pen.at(220, 1062, 116))
        effects.surprise(pen, 330, 850, 30)
    with panel(pen, [(444, 758), (RIGHT, 727), (RIGHT, 1080), (444, 1080)]):
        speed_lines(pen, (440, 720, 960, 1080), -0.05, 60, 12, 2.0)
        draw_figure(pen.at(690, 905, 60), BOY, EAGER, _run())
    with panel(pen, [(LEFT - 4, 1104), (RIGHT, 1104), (RIGHT, 1408), (LEFT - 4, 1408)]):
        scenes.painting(pen)
    bubble(pen, "Sky first!", 200, 110, (330, 210), kind="shout", size=30)
    sound(pen, "whoosh", 770, 610, 78, -12)
    bubble(pen, "Hey! Wait\nfor me!", 872, 800, (782, 868))
    bubble(pen, "Meow?", 350, 800, (290, 850), size=23)
    bubble(pen, "Then a red\nroof...", 800, 1160, (694, 1206))


def _look_back(pen: Pen) -> None:
    with panel(pen, [(12, 12), (988, 12), (988, 900), (12, 900)], framed=True):
        scenes.view(pen)
    with panel(pen, [(500, 926), (RIGHT, 926), (RIGHT, BOTTOM), (440, BOTTOM)]):
        focus_lines(pen, 720, 1130, (230, 210), 700, 90, 5)
        draw_figure(pen.at(735, 1110, 96), GIRL, WINK, Pose(turn=-0.22, tilt=-5, wind=0.3))
        effects.heart(pen, 552, 1070, 24, PAPER)
        effects.heart(pen, 560, 1135, 15, INK)
        sparkle(pen, 905, 1000, 28)
    with panel(pen, [(LEFT, 926), (476, 926), (416, BOTTOM), (LEFT, BOTTOM)]):
        pen.shade(box(LEFT, 920, 480, BOTTOM), gradient((0, BOTTOM), (0, 1000), 0.4, 0.0, 6.0))
        draw_figure(pen.at(196, 1146, 78), BOY, BOLD, Pose(turn=0.2, tilt=3))
        props.cat(pen.at(372, 1380, 62), happy=True)
    bubble(pen, "So that is\nhow it looks...", 790, 560, (610, 556))
    bubble(pen, "Which page\nis next?", 575, 1292, (676, 1214), size=26)
    bubble(pen, "All of\nthem!", 372, 1010, (276, 1096), kind="shout")
    caption(pen, "The end", 858, 1352, 22)


def _walk(turn: float, wind: float = 0.0) -> Pose:
    return Pose(
        left_leg=((-0.75, 6.2), (-1.2, 7.9)),
        right_leg=((0.75, 6.2), (0.8, 8.1)),
        turn=turn,
        wind=wind,
        left_arm=((-1.3, 2.9), (-1.7, 3.9)),
        right_arm=((1.3, 2.9), (1.75, 3.7)),
    )


def _run() -> Pose:
    return Pose(
        left_leg=((-1.1, 6.0), (-2.4, 6.6)),
        right_leg=((1.3, 5.6), (1.5, 7.5)),
        turn=-0.3,
        tilt=-4,
        left_arm=((-1.9, 2.7), (-2.1, 1.5)),
        right_arm=((1.8, 2.6), (2.3, 3.5)),
        left_hand="open",
        right_hand="fist",
    )
