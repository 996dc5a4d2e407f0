"""Faces out of a heat map: boxes, doubles, clipping, reading order; and the finder around them."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from mangapaint.engine.runner import Engine
from mangapaint.layout import faces
from mangapaint.layout.faces import apart, decoded, head_of, in_reading_order, on_page
from mangapaint.layout.order import Direction
from mangapaint.models import faces_net
from mangapaint.models.faces_net import FacesConfig, FacesNet
from mangapaint.page import Face, Panel, Region
from mangapaint.paint.faces import ENLARGED, LONG_SIDE, FaceFinder
from mangapaint.settings import EngineSettings


def quiet(height: int = 24, width: int = 16) -> NDArray[np.float32]:
    """Maps on which nothing is a face."""
    maps = np.zeros((5, height, width), np.float32)
    maps[0] = -8
    return maps


def told(
    maps: NDArray[np.float32], row: int, column: int, box: tuple[float, float, float, float], logit: float
) -> None:
    """Let the maps say that a face of that box, px, has its middle at a place."""
    x, y, w, h = box
    maps[:, row, column] = (
        logit,
        (x + w / 2) / faces.STRIDE - column - 0.5,
        (y + h / 2) / faces.STRIDE - row - 0.5,
        math.log(w / faces.USUAL),
        math.log(h / faces.USUAL),
    )


class Stub(nn.Module):
    """In place of the net: a face of 64 px around every place that is black in its middle."""

    multiple_of = 32

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[tuple[int, ...]] = []

    def forward(self, page: Tensor) -> Tensor:
        self.seen.append(tuple(page.shape))
        dark = 1 - nn.functional.avg_pool2d(page, faces.STRIDE)
        maps = torch.zeros(len(page), 5, *dark.shape[-2:])
        maps[:, 0] = 20 * dark[:, 0] - 10
        return maps


def finder(net: nn.Module) -> FaceFinder:
    return FaceFinder(Engine(EngineSettings(device="cpu", precision="fp32")), net)


def test_the_net_and_its_reader_mean_the_same() -> None:
    assert (faces.STRIDE, faces.USUAL) == (faces_net.STRIDE, faces_net.USUAL)


def test_a_peak_becomes_the_box_that_the_maps_tell() -> None:
    maps = quiet()
    told(maps, 10, 5, (20, 60, 48, 40), 3.0)
    [face] = decoded(maps, 0.5)
    assert face.region == Region(20, 60, 48, 40)
    assert face.score == pytest.approx(1 / (1 + math.exp(-3.0)))
    [on_scan] = decoded(maps, 0.5, scale=0.5)
    assert on_scan.region == Region(40, 120, 96, 80)


def test_places_under_the_threshold_and_beside_a_peak_are_no_faces() -> None:
    maps = quiet()
    told(maps, 10, 5, (20, 60, 48, 40), 3.0)
    told(maps, 10, 6, (20, 60, 48, 40), 2.0)
    told(maps, 20, 12, (80, 150, 20, 20), -1.0)
    assert len(decoded(maps, 0.5)) == 1
    assert decoded(quiet(), 0.1) == []


def test_of_two_boxes_on_one_face_the_surer_stays() -> None:
    sure, double = Face(Region(0, 0, 100, 100), 0.9), Face(Region(10, 10, 100, 100), 0.6)
    part, other = Face(Region(20, 20, 30, 30), 0.7), Face(Region(95, 0, 100, 100), 0.5)
    assert apart([double, other, sure, part]) == [sure, other]


def test_faces_are_clipped_to_the_page_and_the_largest_comes_first() -> None:
    small, cut = Face(Region(50, 50, 10, 10), 0.9), Face(Region(-20, 30, 60, 60), 0.5)
    beyond = Face(Region(200, 0, 50, 50), 0.9)
    assert on_page([small, cut, beyond], 80, 100) == [Face(Region(0, 30, 40, 50), 0.5), small]


def test_a_head_has_its_hair_and_stays_on_the_page() -> None:
    assert head_of(Region(100, 100, 40, 40), 400, 400) == Region(70, 70, 100, 100)
    assert head_of(Region(0, 0, 40, 40), 50, 60) == Region(0, 0, 50, 60)


@pytest.mark.parametrize(("direction", "columns"), [("rtl", [150, 110, 10]), ("ltr", [10, 110, 150])])
def test_faces_are_read_panel_by_panel(direction: Direction, columns: list[int]) -> None:
    right_first = direction == "rtl"
    panels = [Panel(Region(100, 0, 100, 100), int(not right_first)), Panel(Region(0, 0, 100, 100), int(right_first))]
    found = [Face(Region(x, 40, 20, 20), 0.9) for x in (10, 110, 150)] + [Face(Region(60, 150, 20, 20), 0.9)]
    ordered = in_reading_order(found, sorted(panels, key=lambda panel: panel.order), direction)
    assert [face.region.x for face, _ in ordered] == [*columns, 60]
    assert [place for _, place in ordered] == ([0, 0, 1, None] if right_first else [0, 1, 1, None])


@pytest.mark.parametrize("size", [(3000, 2000), (900, 600), (200, 300)])
def test_faces_of_a_page_of_any_size_lie_where_they_are(size: tuple[int, int]) -> None:
    height, width = size
    page = np.full(size, 255, np.uint8)
    unit = max(max(size) / LONG_SIDE, 1 / ENLARGED)
    y, x, half = 0.6 * height, 0.3 * width, 12 * unit
    page[round(y - half) : round(y + half), round(x - half) : round(x + half)] = 0
    found = finder(Stub()).find(page)
    assert len(found) == 1
    box = found[0].region
    assert abs(box.x + box.width / 2 - x) < 10 * unit
    assert abs(box.y + box.height / 2 - y) < 10 * unit
    assert box.width == pytest.approx(64 * unit, abs=3 * unit)


def test_a_scroll_strip_is_searched_in_windows_and_no_face_is_found_twice() -> None:
    page = np.full((4000, 500), 255, np.uint8)
    tops = [100, 690, 1300, 2500, 3900]
    for top in tops:
        page[top : top + 24, 200:224] = 0
    net = Stub()
    found = finder(net).find(page)
    assert len(net.seen) > 3
    middles = sorted(face.region.y + face.region.height / 2 for face in found)
    assert len(middles) == len(tops)
    assert all(abs(middle - 12 - top) < 12 for middle, top in zip(middles, tops, strict=True))


@pytest.mark.parametrize("size", [(1, 1), (16, 16), (3, 900)])
def test_a_page_without_faces_has_none(size: tuple[int, int]) -> None:
    assert finder(Stub()).find(np.full(size, 255, np.uint8)) == []


def test_a_fresh_net_takes_pages_of_its_multiple_and_sees_no_face() -> None:
    torch.manual_seed(0)
    net = FacesNet(FacesConfig((8, 8, 8, 8), (1, 1, 1, 1)))
    with torch.inference_mode():
        maps = net(torch.rand(2, 1, 96, 64))
    assert maps.shape == (2, 5, 12, 8)
    assert decoded(maps[0].numpy(), 0.3) == []
