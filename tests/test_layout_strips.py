from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mangapaint.layout.strips import cut, is_strip


@given(
    height=st.integers(1, 4000),
    target=st.integers(1, 900),
    overlap=st.integers(0, 200),
    seed=st.integers(0, 2**16),
    blank=st.booleans(),
)
def test_windows_cover_every_row_and_stay_on_the_page(height: int, target: int, overlap: int, seed: int, blank: bool):
    rng = np.random.default_rng(seed)
    strip = np.full((height, 7), 255, np.uint8) if blank else rng.integers(0, 256, (height, 7), np.uint8)
    windows = cut(strip, target, overlap)
    assert windows[0].y == 0 and windows[-1].bottom == height
    for window in windows:
        assert window.x == 0 and window.width == 7 and window.height > 0
        assert window.y >= 0 and window.bottom <= height
        assert window.height <= 1.35 * target + 2 + overlap
    for above, below in zip(windows[:-1], windows[1:], strict=True):
        assert above.y < below.y <= above.bottom < below.bottom or overlap > 0
        assert below.y <= above.bottom


def test_cuts_fall_into_the_blank_band_between_two_scenes():
    rng = np.random.default_rng(0)
    strip = rng.integers(0, 256, (2000, 60), np.uint8)
    strip[880:960] = 255
    above, below = cut(strip, 1000, 0)
    assert 880 <= above.bottom <= 960
    assert above.bottom == below.y


def test_a_black_band_is_as_blank_as_a_white_one():
    rng = np.random.default_rng(0)
    strip = rng.integers(0, 256, (2000, 60), np.uint8)
    strip[1050:1100] = 0
    assert 1050 <= cut(strip, 1000, 0)[0].bottom <= 1100


def test_without_a_blank_row_the_emptiest_row_is_cut():
    rng = np.random.default_rng(0)
    strip = rng.integers(0, 256, (2000, 60), np.uint8)
    strip[940] = np.where(np.arange(60) < 4, 0, 255)
    assert cut(strip, 1000, 0)[0].bottom == 940


def test_neighbours_share_the_overlap():
    strip = np.full((3000, 20), 255, np.uint8)
    windows = cut(strip, 700, 64)
    assert len(windows) > 2
    assert {above.bottom - below.y for above, below in zip(windows[:-1], windows[1:], strict=True)} == {64}


def test_a_short_page_is_one_window():
    assert [w.height for w in cut(np.zeros((500, 400), np.uint8), 600, 32)] == [500]


@pytest.mark.parametrize(("height", "width", "strip"), [(3699, 850, True), (1635, 1246, False), (1600, 2400, False)])
def test_pages_and_spreads_are_no_strips(height: int, width: int, strip: bool):
    assert is_strip(height, width) is strip


@pytest.mark.parametrize(("target", "overlap"), [(0, 0), (100, -1)])
def test_senseless_windows_are_refused(target: int, overlap: int):
    with pytest.raises(ValueError, match="at least"):
        cut(np.zeros((10, 10), np.uint8), target, overlap)
