from __future__ import annotations

import cv2
import numpy as np
import pytest

from mangapaint.layout.paper import bubbles, gutters, paper

TEXT = ["THIS IS WHAT", "THEY SAID TO", "ME BEFORE"]


def two_panels() -> np.ndarray:
    """(1100, 800): two framed panels filled with mid gray, a gutter between them."""
    page = np.full((1100, 800), 255, np.uint8)
    for top in (40, 570):
        cv2.rectangle(page, (40, top), (760, top + 490), 170, -1)
        cv2.rectangle(page, (40, top), (760, top + 490), 0, 4)
    return page


def bubble(
    page: np.ndarray, centre: tuple[int, int], lines: list[str], axes: tuple[int, int] = (140, 95)
) -> np.ndarray:
    """Draw a speech bubble; returns its inside as a mask."""
    cv2.ellipse(page, centre, axes, 0, 0, 360, 255, -1)
    cv2.ellipse(page, centre, axes, 0, 0, 360, 0, 3, cv2.LINE_AA)
    for row, line in enumerate(lines):
        (width, _), _ = cv2.getTextSize(line, cv2.FONT_HERSHEY_SIMPLEX, 0.7, 2)
        y = centre[1] + 30 * row - 15 * (len(lines) - 1) + 8
        cv2.putText(page, line, (centre[0] - width // 2, y), cv2.FONT_HERSHEY_SIMPLEX, 0.7, 0, 2, cv2.LINE_AA)
    inside = np.zeros_like(page)
    cv2.ellipse(inside, centre, (axes[0] - 4, axes[1] - 4), 0, 0, 360, 1, -1)
    return inside > 0


def face(page: np.ndarray, centre: tuple[int, int]) -> np.ndarray:
    x, y = centre
    cv2.ellipse(page, centre, (90, 110), 0, 0, 360, 255, -1)
    cv2.ellipse(page, centre, (90, 110), 0, 0, 360, 0, 3, cv2.LINE_AA)
    for side in (-1, 1):
        cv2.ellipse(page, (x + 38 * side, y - 10), (16, 22), 0, 0, 360, 0, -1)
        cv2.circle(page, (x + 38 * side + 5, y - 18), 5, 255, -1)
        cv2.ellipse(page, (x + 38 * side, y - 50), (24, 8), 0, 180, 360, 0, 3)
    cv2.line(page, (x - 3, y + 25), (x + 2, y + 32), 0, 2)
    cv2.ellipse(page, (x, y + 55), (22, 9), 0, 0, 180, 0, 3)
    inside = np.zeros_like(page)
    cv2.ellipse(inside, centre, (80, 100), 0, 0, 360, 1, -1)
    return inside > 0


def test_a_bubble_is_paper_with_its_lettering():
    page = two_panels()
    inside = bubble(page, (300, 250), TEXT)
    found = bubbles(page)
    assert found[inside].all()
    assert not found[700:900, 100:700].any()


def test_the_rim_of_a_bubble_grows_no_further_than_its_outline():
    page = two_panels()
    inside = bubble(page, (300, 250), TEXT)
    outside = cv2.dilate(inside.astype(np.uint8), np.ones((17, 17), np.uint8)) == 0
    assert not bubbles(page)[outside].any()


@pytest.mark.parametrize("words", [["?"], ["!?"], ["NO..."]])
def test_short_exclamations_are_lettering(words: list[str]):
    page = two_panels()
    inside = bubble(page, (300, 250), words, (60, 55))
    assert bubbles(page)[inside].all()


def test_a_caption_box_is_paper():
    page = two_panels()
    cv2.rectangle(page, (60, 60), (330, 190), 255, -1)
    cv2.rectangle(page, (60, 60), (330, 190), 0, 3)
    for row, line in enumerate(TEXT):
        cv2.putText(page, line, (75, 95 + 35 * row), cv2.FONT_HERSHEY_SIMPLEX, 0.8, 0, 2, cv2.LINE_AA)
    assert bubbles(page)[65:186, 65:326].all()


def test_a_face_is_no_bubble():
    page = two_panels()
    inside = face(page, (400, 800))
    said = bubble(page, (300, 250), TEXT)
    found = bubbles(page)
    assert not found[inside].any()
    assert found[said].all()


def test_a_bubble_that_leaks_into_art_is_cut_off_at_the_gap():
    page = two_panels()
    page[620:1000, 420:740] = 255
    inside = bubble(page, (280, 800), TEXT)
    cv2.rectangle(page, (410, 795), (424, 803), 255, -1)
    for x in range(470, 720, 60):
        cv2.line(page, (x, 630), (x + 20, 990), 0, 3)
    found = bubbles(page)
    assert found[inside].all()
    assert not found[640:980, 440:730].any()


def test_a_few_letters_in_a_wide_bubble_are_lettering():
    page = two_panels()
    inside = bubble(page, (300, 290), ["WHY", "", "", "NOT"], (180, 180))
    assert bubbles(page)[inside].all()


def test_joined_bubbles_are_found_as_one():
    page = two_panels()
    first = bubble(page, (250, 200), [], (110, 95))
    second = bubble(page, (360, 320), [], (110, 95))
    page[first | second] = 255
    for word, corner in (("OH", (220, 190)), ("MY", (220, 230)), ("KAREN!", (310, 350))):
        cv2.putText(page, word, corner, cv2.FONT_HERSHEY_SIMPLEX, 0.9, 0, 2, cv2.LINE_AA)
    found = bubbles(page)
    assert found[first].all() and found[second].all()


@pytest.mark.parametrize("gap", [0, 8])
def test_a_face_beside_a_bubble_stays_out(gap: int):
    page = two_panels()
    inside = face(page, (425, 800))
    said = bubble(page, (200, 800), TEXT)
    page[800 - gap // 2 : 800 + gap // 2, 333:345] = 255
    found = bubbles(page)
    assert found[said].all()
    assert not found[inside].any()


def test_blank_bubbles_are_paper_where_all_bubbles_of_the_page_are_blank():
    page = two_panels()
    insides = [bubble(page, centre, []) for centre in ((250, 250), (560, 300), (300, 800))]
    shirt = face(page, (600, 800))
    found = bubbles(page)
    assert all(found[inside].all() for inside in insides)
    assert not found[shirt].any()


def test_blank_shapes_beside_lettered_bubbles_are_no_paper():
    page = two_panels()
    blanks = [bubble(page, centre, [], (80, 80)) for centre in ((160, 180), (160, 420), (640, 180))]
    for centre in ((390, 180), (390, 420), (640, 420)):
        bubble(page, centre, ["SO", "THIS", "IS IT"], (100, 90))
    found = bubbles(page)
    assert not any(found[blank].any() for blank in blanks)


def test_a_panel_of_dots_is_no_lettering():
    page = two_panels()
    page[60:500, 60:740] = 255
    for y in range(66, 496, 11):
        for x in range(66, 736, 11):
            page[y : y + 4, x : x + 4] = 0
    assert not bubbles(page)[60:500, 60:740].any()


def test_an_empty_bright_region_is_no_bubble():
    page = two_panels()
    cv2.ellipse(page, (400, 800), (140, 95), 0, 0, 360, 255, -1)
    assert not bubbles(page).any()


def test_all_paper_connected_with_the_border_is_gutter():
    page = two_panels()
    found = gutters(page)
    assert found[:36].all() and found[536:565, 50:750].all() and found[:, :36].all()
    assert not found[60:500, 60:740].any()


def test_a_gutter_closed_off_from_the_border_is_found():
    page = np.full((1100, 800), 150, np.uint8)
    page[540:556, 30:770] = 255
    page[100:300, 100:300] = 255
    found = gutters(page)
    assert found[541:555, 31:769].all()
    assert not found[100:300, 100:300].any()


def test_lettering_in_the_margin_is_closed():
    page = two_panels()
    cv2.putText(page, "NEXT TIME", (60, 1090), cv2.FONT_HERSHEY_SIMPLEX, 0.7, 0, 2, cv2.LINE_AA)
    assert gutters(page)[1065:1098].all()


def test_a_narrow_gap_leaks_unless_a_neck_is_set():
    page = two_panels()
    page[700:900, 100:400] = 255
    page[800:802, 0:110] = 255
    assert gutters(page)[710:890, 110:390].all()
    assert not gutters(page, neck=8)[710:890, 130:390].any()
    assert gutters(page, neck=8)[536:565, 50:750].all()


def test_paper_of_a_dull_scan_is_found_too():
    page = (two_panels() * 0.9).astype(np.uint8)
    inside = bubble(page, (300, 250), TEXT)
    page[inside & (page == 255)] = 229
    found = paper(page)
    assert found[:36].all() and found[inside].all()
    assert not found[700:900, 100:700].any()


def test_a_large_scan_gives_the_same_bubbles():
    page = two_panels()
    bubble(page, (300, 250), TEXT)
    large = cv2.resize(page, None, fx=2.5, fy=2.5, interpolation=cv2.INTER_CUBIC)
    reduced = cv2.resize(bubbles(large).astype(np.uint8), page.shape[::-1], interpolation=cv2.INTER_NEAREST) > 0
    assert (reduced != bubbles(page)).mean() < 0.005


@pytest.mark.parametrize("shape", [(1, 1), (1, 400), (400, 1), (2, 3)])
@pytest.mark.parametrize("shade", [0, 255])
def test_tiny_pages_have_masks_of_their_own_shape(shape: tuple[int, int], shade: int):
    mask = paper(np.full(shape, shade, np.uint8))
    assert mask.shape == shape and mask.dtype == bool
