"""White that margins run into, told from paper by how sure somebody is of each place."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from mangapaint.layout.leaks import leaks
from mangapaint.layout.paper import parts


def page() -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """(840, 600): a framed panel whose frame has a gap of 60 px at the left, and the panel's inside as a mask."""
    gray = np.full((840, 600), 255, np.uint8)
    cv2.rectangle(gray, (100, 200), (500, 600), 0, 5)
    gray[380:440, 90:110] = 255
    inside = np.zeros(gray.shape, bool)
    inside[206:595, 106:495] = True
    return gray, inside


def test_margins_run_through_a_gap_of_a_frame() -> None:
    gray, inside = page()
    margins, lettered = parts(gray)
    assert margins[inside].mean() > 0.99, "the page shows no leak"
    assert not lettered.any()


def test_the_inside_of_a_frame_with_a_gap_is_no_paper_and_the_margin_is() -> None:
    gray, inside = page()
    margins, _ = parts(gray)
    found = leaks(gray, margins, np.where(inside, 0.1, 0.9).astype(np.float32))
    assert found[inside].mean() > 0.95
    outside = ~cv2.dilate(inside.astype(np.uint8), np.ones((13, 13))).astype(bool)
    assert not found[outside].any()


def test_where_all_is_surely_paper_nothing_leaks() -> None:
    gray, _ = page()
    margins, _ = parts(gray)
    assert not leaks(gray, margins, np.full((21, 15), 0.9, np.float32)).any()


def test_a_doubtful_margin_stays_paper() -> None:
    gray, inside = page()
    margins, _ = parts(gray)
    found = leaks(gray, margins, np.where(inside, 0.1, 0.45).astype(np.float32))
    assert not found[:190].any()


def test_only_margins_can_leak() -> None:
    gray, inside = page()
    margins, _ = parts(gray)
    margins[300:] = False
    found = leaks(gray, margins, np.where(inside, 0.1, 0.9).astype(np.float32))
    assert found.any()
    assert not found[~margins].any()


def test_specks_are_no_leaks() -> None:
    gray, _ = page()
    margins, _ = parts(gray)
    sure = np.full(gray.shape, 0.9, np.float32)
    sure[20:24, 20:24] = 0.0
    assert not leaks(gray, margins, sure).any()


def test_ends_in_open_white_fade_and_ends_at_lines_do_not() -> None:
    gray = np.full((600, 600), 255, np.uint8)
    cv2.rectangle(gray, (200, 0), (204, 599), 0, -1)
    margins = np.ones(gray.shape, bool)
    sure = np.full(gray.shape, 0.9, np.float32)
    sure[:, 200:400] = 0.1
    row = leaks(gray, margins, sure)[300]
    assert row[208] == 1
    assert row[195] == 0
    ends = row[380:410]
    assert len(np.unique(ends[(ends > 0) & (ends < 1)])) >= 4
    assert (np.diff(ends) <= 0).all()


def picture(left: int) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """(400, 400) white with a disc, and certainty: none inside, some in a rim of 20 px, all from row `left` on."""
    gray = np.full((400, 400), 255, np.uint8)
    cv2.circle(gray, (200, 150), 60, 0, 4)
    sure = np.full(gray.shape, 0.7, np.float32)
    sure[20:380, 20:380] = 0.1
    sure[left:] = 0.95
    return gray, sure


def test_a_picture_without_margin_leaks_up_to_its_border() -> None:
    gray, sure = picture(400)
    found = leaks(gray, gray > 250, sure)
    assert (found[gray > 250] == 1).all()


def test_paper_that_is_more_than_a_rim_stays() -> None:
    gray, sure = picture(300)
    found = leaks(gray, gray > 250, sure)
    assert not found[310:].any()
    assert found[30:280, 30:100].all()


def test_a_rim_that_a_gutter_runs_into_is_a_margin() -> None:
    gray, sure = picture(400)
    sure[190:206] = 0.95
    found = leaks(gray, gray > 250, sure)
    assert not found[:15].any()
    assert not found[195:200, 150:250].any()


def test_a_spot_in_the_midst_of_a_leak_leaks_too() -> None:
    gray, sure = picture(400)
    sure[300:308, 100:116] = 0.9
    assert leaks(gray, gray > 250, sure)[300:308, 100:116].all()
