from __future__ import annotations

import json

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mangapaint.layout.crops import split_page
from mangapaint.layout.panels import find_panels
from mangapaint.page import Region


def scribble(page: np.ndarray, corners: np.ndarray, seed: int) -> None:
    """Fill a framed quadrilateral with rounded drawing, no straight lines."""
    rng = np.random.default_rng(seed)
    art = np.full_like(page, 255)
    x, y, w, h = cv2.boundingRect(corners)
    for _ in range(14):
        centre = (int(rng.integers(x, x + w)), int(rng.integers(y, y + h)))
        axes = (int(rng.integers(8, 50)), int(rng.integers(8, 50)))
        cv2.ellipse(
            art, centre, axes, int(rng.integers(0, 180)), 0, 360, int(rng.integers(0, 200)), int(rng.choice([-1, 2]))
        )
    mask = cv2.fillConvexPoly(np.zeros_like(page), corners, 1)
    page[mask > 0] = art[mask > 0]
    cv2.polylines(page, [corners], True, 0, 4, cv2.LINE_AA)


def drawn_page(quads: list[list[tuple[int, int]]], size: tuple[int, int] = (1130, 800)) -> np.ndarray:
    page = np.full(size, 255, np.uint8)
    for seed, quad in enumerate(quads):
        scribble(page, np.array(quad, np.int32), seed)
    return page


def box(x: int, y: int, w: int, h: int) -> list[tuple[int, int]]:
    return [(x, y), (x + w, y), (x + w, y + h), (x, y + h)]


def region_of(quad: list[tuple[int, int]]) -> Region:
    x, y, w, h = cv2.boundingRect(np.array(quad, np.int32))
    return Region(x, y, w, h)


def assert_panels(page: np.ndarray, quads: list[list[tuple[int, int]]], direction="rtl", least: float = 0.85) -> None:
    found = find_panels(page, direction)
    assert [p.order for p in found] == list(range(len(quads)))
    for panel, quad in zip(found, quads, strict=True):
        assert panel.region.iou(region_of(quad)) > least, (panel, region_of(quad))


GRID = [
    box(410, 40, 350, 330),
    box(40, 40, 350, 330),
    box(40, 392, 720, 300),
    box(300, 714, 460, 370),
    box(40, 714, 240, 370),
]


def test_framed_panels_are_found_in_reading_order_from_the_right():
    assert_panels(drawn_page(GRID), GRID)


def test_left_to_right_turns_the_order_within_rows():
    order = [1, 0, 2, 4, 3]
    assert_panels(drawn_page(GRID), [GRID[i] for i in order], "ltr")


def test_slanted_gutters_are_followed():
    quads = [
        [(40, 40), (760, 40), (760, 380), (40, 460)],
        [(430, 442), (760, 405), (760, 1090), (360, 1090)],
        [(40, 485), (405, 444), (335, 1090), (40, 1090)],
    ]
    assert_panels(drawn_page(quads), quads, least=0.8)


def test_panels_may_bleed_off_the_page():
    quads = [box(-20, -20, 840, 420), box(420, 424, 400, 740), box(-20, 424, 420, 740)]
    clipped = [box(0, 0, 800, 400), box(420, 424, 380, 706), box(0, 424, 400, 706)]
    assert_panels(drawn_page(quads), clipped)


def test_a_figure_that_breaks_the_frames_does_not_join_the_panels():
    page = drawn_page(GRID)
    cv2.ellipse(page, (560, 700), (60, 90), 0, 0, 360, 255, -1)
    cv2.ellipse(page, (560, 700), (60, 90), 0, 0, 360, 0, 4)
    assert_panels(page, GRID, least=0.8)


def test_a_speech_bubble_over_a_gutter_does_not_join_the_panels():
    page = drawn_page(GRID)
    cv2.ellipse(page, (400, 200), (70, 50), 0, 0, 360, 255, -1)
    cv2.ellipse(page, (400, 200), (70, 50), 0, 0, 360, 0, 3)
    assert_panels(page, GRID, least=0.8)


def test_large_and_small_scans_of_one_page_agree():
    page = drawn_page(GRID)
    large = cv2.resize(page, None, fx=2, fy=2, interpolation=cv2.INTER_CUBIC)
    scaled = [[(2 * x, 2 * y) for x, y in quad] for quad in GRID]
    assert_panels(large, scaled)


def test_one_drawing_without_frames_is_one_panel():
    page = np.full((900, 640), 255, np.uint8)
    cv2.circle(page, (320, 450), 200, 0, 5)
    cv2.circle(page, (280, 400), 30, 90, -1)
    found = find_panels(page)
    assert len(found) == 1
    assert found[0].region.iou(Region(118, 248, 405, 405)) > 0.9


@pytest.mark.parametrize("shade", [0, 255])
def test_a_flat_page_has_no_panels(shade: int):
    assert find_panels(np.full((900, 640), shade, np.uint8)) == []


@settings(max_examples=15, deadline=None)
@given(st.integers(1, 400), st.integers(1, 400), st.integers(0, 2**16))
def test_regions_stay_on_the_page(height: int, width: int, seed: int):
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 256, (1 + height // 40, 1 + width // 40), np.uint8)
    page = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_NEAREST)
    for panel in find_panels(page):
        region = panel.region
        assert region.width > 0 and region.height > 0
        assert region.intersection(Region(0, 0, width, height)) == region


def test_split_gives_crops_and_json_in_reading_order():
    page = np.repeat(drawn_page(GRID)[..., None], 3, 2)
    crops = split_page("001.png", page)
    told = json.loads(json.dumps(crops.as_dict()))
    assert told["page"] == "001.png" and told["size"] == [800, 1130] and told["order"] == [0, 1, 2, 3, 4]
    cuts = crops.cut(page)
    assert [[c.shape[1], c.shape[0]] for c in cuts] == [b[2:] for b in told["panels"]]
    x, y, w, h = told["panels"][0]
    assert np.array_equal(cuts[0], page[y : y + h, x : x + w])


def test_crops_refuse_pixels_of_another_size():
    crops = split_page("001.png", drawn_page(GRID))
    with pytest.raises(ValueError, match="the page 800x1130"):
        crops.cut(np.zeros((10, 10), np.uint8))
