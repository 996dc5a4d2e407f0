"""Pages for the paper net: what stays paper is known where it is said to be."""

from __future__ import annotations

import numpy as np

from mangapaint.page import Region
from train.corpus import Picture
from train.synth.paperpages import PaperOptions, cut, of_comic, page, silhouette


def crop(height: int, width: int) -> Picture:
    return np.full((height, width, 3), (180, 60, 60), np.uint8)


def figure() -> Picture:
    """A blue disc with a white eye on white."""
    y, x = np.mgrid[:80, :60]
    picture = np.full((80, 60, 3), 255, np.uint8)
    picture[(y - 40) ** 2 + (x - 30) ** 2 < 25**2] = (40, 60, 200)
    picture[36:44, 26:34] = 255
    return picture


def test_what_is_coloured_is_no_paper_and_the_rest_is() -> None:
    options = PaperOptions(framed=0.0, bubbles=0.0, breakouts=0.0, vignettes=0.0)
    for seed in range(5):
        made = page(704, 512, crop, None, options, np.random.default_rng(seed))
        coloured = made.colour.min(2) < 200
        assert np.array_equal(made.paper, ~coloured)
        assert made.known.all()
        assert 0.2 < coloured.mean() < 1


def test_bubbles_are_paper() -> None:
    with_bubbles = PaperOptions(bubbles=1.0, breakouts=0.0, vignettes=0.0)
    without = PaperOptions(bubbles=0.0, breakouts=0.0, vignettes=0.0)
    shares = [page(704, 512, crop, None, o, np.random.default_rng(1)).paper.mean() for o in (with_bubbles, without)]
    assert shares[0] > shares[1]


def test_a_figure_keeps_its_own_white() -> None:
    body = silhouette(figure())
    assert body[40, 30], "the eye belongs to the figure"
    assert not body[0, 0]


def test_figures_stand_over_gutters() -> None:
    options = PaperOptions(framed=0.0, bubbles=0.0, breakouts=1.0, vignettes=0.0)
    made = [page(704, 512, crop, figure, options, np.random.default_rng(seed)) for seed in range(4)]
    blue = [(each.colour[..., 2] > 150) & (each.colour[..., 0] < 100) for each in made]
    assert any(mask.any() for mask in blue)
    assert not any((each.paper & mask).any() for each, mask in zip(made, blue, strict=True))


def test_white_inside_a_picture_may_be_anything() -> None:
    def white(height: int, width: int) -> Picture:
        return np.full((height, width, 3), 255, np.uint8)

    options = PaperOptions(framed=0.0, bubbles=0.0, breakouts=0.0, vignettes=0.0)
    made = page(704, 512, white, None, options, np.random.default_rng(0))
    assert not made.known[~made.paper].any()
    assert made.known[made.paper].all()


def test_the_margin_of_a_real_page_is_paper() -> None:
    picture = np.full((200, 150, 3), 255, np.uint8)
    picture[20:180, 20:130] = (90, 120, 60)
    picture[90:110, 60:80] = 255
    made = of_comic(picture)
    assert made.paper[5, 5]
    assert made.known[5, 5]
    assert not made.known[100, 70]
    assert not made.paper[100, 70]


def test_panels_leave_gutters_and_cover_the_rest() -> None:
    area = Region(0, 0, 512, 704)
    panels = cut(area, 12, np.random.default_rng(3))
    assert len(panels) > 2
    covered = np.zeros((704, 512), int)
    for panel in panels:
        covered[panel.slices] += 1
    assert covered.max() == 1
    assert 0.6 < covered.mean() < 1
