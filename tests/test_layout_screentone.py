from __future__ import annotations

import cv2
import numpy as np
import pytest

from mangapaint.layout.paper import paper
from mangapaint.layout.screentone import screened


def page_with_tone(holes: bool = False) -> np.ndarray:
    """(900, 640) uint8: paper with a field of dots, or of black with holes, in the middle."""
    page = np.full((900, 640), 255, np.uint8)
    ground, dot = (0, 255) if holes else (255, 0)
    page[300:600, 200:440] = ground
    for y in range(302, 599, 4):
        for x in range(202, 439, 4):
            page[y : y + 2, x : x + 2] = dot
    return page


@pytest.mark.parametrize("holes", [False, True])
def test_a_field_of_dots_is_screened_and_paper_is_not(holes: bool) -> None:
    found = screened(page_with_tone(holes))
    assert found[330:570, 230:410].all()
    assert not found[:280].any() and not found[:, :180].any()


@pytest.mark.parametrize("holes", [False, True])
def test_screentone_ends_where_its_dots_end(holes: bool) -> None:
    found = screened(page_with_tone(holes))
    outside = np.ones(found.shape, bool)
    outside[300:600, 200:440] = False
    assert not found[outside].any()


def test_lettering_is_not_screentone() -> None:
    page = np.full((900, 640), 255, np.uint8)
    for row in range(100, 800, 40):
        cv2.putText(page, "THE QUICK BROWN FOX, I SAY!", (60, row), cv2.FONT_HERSHEY_SIMPLEX, 0.8, 0, 2)
    assert screened(page).mean() < 0.001


def test_tone_without_a_frame_is_no_paper() -> None:
    page = page_with_tone()
    mask = paper(page)
    assert not mask[340:560, 240:400].any()
    assert mask[:250].all() and mask[:, :150].all()


@pytest.mark.parametrize("shape", [(1, 1), (1, 60), (60, 1)])
def test_tiny_pages_are_not_screened(shape: tuple[int, int]) -> None:
    assert not screened(np.full(shape, 255, np.uint8)).any()
