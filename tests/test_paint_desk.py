"""Pages that were looked at before are painted from what lies ready, and come out the same."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from factories import page_pixels
from numpy.typing import NDArray
from small_nets import settings_of

from mangapaint.engine.runner import Engine
from mangapaint.models.painter_net import PainterNet
from mangapaint.page import PageImage
from mangapaint.paint.colorizer import Colorizer
from mangapaint.paint.desk import Desk
from mangapaint.paint.drawing import drawing_of
from mangapaint.settings import Settings
from train.single import Single


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return settings_of(tmp_path)


def picture(seed: int) -> NDArray[np.uint8]:
    return page_pixels(seed=seed)


def painted(settings: Settings, room: int | None) -> tuple[list[NDArray[np.uint8]], int]:
    """A chapter of three pages, and how often the net looked at one while they were painted."""
    looks: list[int] = []
    colorizer = Colorizer(Engine(settings.engine), settings)
    brush = colorizer.brush
    assert brush is not None
    net = brush.net
    assert isinstance(net, PainterNet)
    brush.desk = Desk(room)
    pages = [Single(picture(seed), seed, f"{seed}") for seed in range(3)]
    colorizer.prepare(pages)
    net.embed.register_forward_hook(lambda *_: looks.append(1))
    return [colorizer.paint([each.image()], [each.index])[0].pixels for each in pages], len(looks)


def test_pages_come_out_the_same_whether_they_lie_ready_or_not(settings: Settings) -> None:
    ready, again = painted(settings, None)
    anew, looks = painted(settings, 0)
    for one, other in zip(ready, anew, strict=True):
        assert (one == other).all()
    assert (again, looks) == (0, 3)


def test_a_drawing_is_given_as_it_was_made() -> None:
    desk, image = Desk(), PageImage(picture(1))
    made = desk.drawing(image, "ink", keep=True)
    ready, anew = desk.drawing(PageImage(image.pixels.copy()), "ink", 7), drawing_of(image, "ink", 7)
    assert ready.gray is made.gray
    assert (ready.gray == anew.gray).all()
    assert (ready.paper == anew.paper).all()
    assert (ready.mode, ready.number, ready.leaks) == ("ink", 7, None)
    assert desk.drawing(PageImage(picture(2)), "ink").gray is not made.gray
    assert desk.drawing(image, "gray").mode == "gray"


def test_a_desk_holds_no_more_than_its_room_and_gets_it_back() -> None:
    one, other = (PageImage(picture(seed)) for seed in (1, 2))
    height, width = one.pixels.shape[:2]
    desk = Desk(height * width * 3 // 2)  # one page: its luminance and one bit of paper a pixel
    first = desk.drawing(one, "ink", keep=True)
    second = desk.drawing(other, "ink", keep=True)
    assert desk.drawing(one, "ink").gray is first.gray
    assert desk.drawing(other, "ink").gray is not second.gray
    desk.drop(first)
    third = desk.drawing(other, "ink", keep=True)
    assert desk.drawing(other, "ink").gray is third.gray
    assert desk.drawing(one, "ink").gray is not first.gray
    desk.clear()
    assert desk.drawing(other, "ink").gray is not third.gray
