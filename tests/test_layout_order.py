from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from mangapaint.layout.order import reading_order
from mangapaint.page import Region

boxes = st.builds(Region, st.integers(0, 500), st.integers(0, 500), st.integers(1, 300), st.integers(1, 300))


@given(st.lists(boxes, max_size=9), st.sampled_from(["rtl", "ltr"]))
def test_every_panel_is_read_exactly_once(regions: list[Region], direction):
    assert sorted(reading_order(regions, direction)) == list(range(len(regions)))


def test_a_grid_is_read_row_by_row_from_the_right():
    grid = [Region(0, 0, 100, 100), Region(110, 0, 100, 100), Region(0, 110, 100, 100), Region(110, 110, 100, 100)]
    assert reading_order(grid, "rtl") == [1, 0, 3, 2]
    assert reading_order(grid, "ltr") == [0, 1, 2, 3]


def test_a_tall_panel_on_the_right_comes_before_the_stack_beside_it():
    tall, upper, lower = Region(110, 0, 90, 210), Region(0, 0, 100, 100), Region(0, 110, 100, 100)
    assert reading_order([lower, upper, tall], "rtl") == [2, 1, 0]


def test_boxes_of_slanted_gutters_may_overlap():
    # The gutter rises from left to right by 40 px, so that the boxes of the rows share 30 px.
    upper, left, right = Region(0, 0, 210, 130), Region(0, 110, 100, 120), Region(110, 100, 100, 130)
    assert reading_order([left, right, upper], "rtl") == [2, 1, 0]
