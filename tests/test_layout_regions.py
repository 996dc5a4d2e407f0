from __future__ import annotations

import cv2
import numpy as np
import pytest

from mangapaint.layout.regions import nearest, regions


def framed() -> np.ndarray:
    """(300, 400): a page cut into a left and a right half by one line."""
    page = np.full((300, 400), 255, np.uint8)
    cv2.line(page, (200, 0), (200, 299), 0, 3)
    return page


def test_a_line_parts_two_regions():
    labels = regions(framed())
    assert labels[150, 50] != labels[150, 350]
    assert len(np.unique(labels)) == 2


def test_a_gap_narrower_than_the_ball_parts_regions_still():
    page = framed()
    page[148:153, 198:204] = 255
    labels = regions(page)
    assert labels[20, 50] == labels[280, 50] != labels[20, 350]


def test_a_wide_gap_joins_regions():
    page = framed()
    page[130:170, 198:204] = 255
    labels = regions(page)
    assert labels[150, 50] == labels[150, 350]


def test_narrow_places_between_lines_have_regions_of_their_own():
    page = framed()
    cv2.line(page, (206, 0), (206, 299), 0, 3)
    labels = regions(page)
    assert len({labels[150, 50], labels[150, 203], labels[150, 350]}) == 3


def test_px_of_lines_belong_to_the_nearest_region():
    page = framed()
    labels = regions(page)
    assert (labels > 0).all()
    assert labels[150, 198] == labels[150, 50] and labels[150, 202] == labels[150, 350]


def test_a_black_page_is_one_region():
    assert (regions(np.zeros((60, 40), np.uint8)) == 1).all()


def test_dense_tone_and_solid_black_are_regions_beside_paper():
    page = np.full((200, 300), 255, np.uint8)
    page[40:160, 40:140] = 110
    page[40:160, 180:260] = 0
    labels = regions(page)
    assert len({labels[10, 10], labels[100, 90], labels[100, 220]}) == 3
    assert (labels[50:150, 50:130] == labels[100, 90]).all()


def test_a_line_parts_two_fields_of_dense_tone():
    page = np.full((200, 300), 120, np.uint8)
    page[:, 149:152] = 20
    labels = regions(page)
    assert labels[100, 60] != labels[100, 240]


def test_nearest_keeps_labels_and_fills_the_rest():
    labels = np.zeros((5, 9), np.int32)
    labels[2, 1], labels[2, 7] = 4, 9
    filled = nearest(labels)
    assert (filled[:, :4] == 4).all() and (filled[:, 5:] == 9).all()


@pytest.mark.parametrize("shape", [(1, 1), (1, 50), (50, 1)])
def test_tiny_pages_have_labels_of_their_own_shape(shape: tuple[int, int]):
    labels = regions(np.full(shape, 255, np.uint8))
    assert labels.shape == shape and labels.dtype == np.int32
