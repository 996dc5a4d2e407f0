"""The paper net on drawings: what margins run into is coloured, margins and bubbles stay white."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from small_nets import weights

from mangapaint.demo import story
from mangapaint.engine.runner import Engine
from mangapaint.errors import UsageError
from mangapaint.layout.paper import parts
from mangapaint.models.paper_net import PaperConfig
from mangapaint.models.spec import ModelSpec
from mangapaint.page import PageImage, Region
from mangapaint.paint.drawing import Drawing, drawing_of, labelled
from mangapaint.paint.paperfinder import PaperFinder
from mangapaint.settings import EngineSettings

SMALL = PaperConfig((4, 4, 8, 8, 8), (1, 1, 1, 1, 1))


@pytest.fixture(scope="module")
def finder() -> PaperFinder:
    """With the shipped weights."""
    return PaperFinder.load(Engine(EngineSettings(device="cpu", precision="fp32")), offline=True)


def drawn_page() -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """(1400, 1000): four framed panels with drawn heads, the first frame open over 40 px; and that panel's inside."""
    gray = np.full((1400, 1000), 255, np.uint8)
    boxes = [(60, 60, 480, 660), (520, 60, 940, 660), (60, 700, 620, 1340), (660, 700, 940, 1340)]
    for left, top, right, bottom in boxes:
        cv2.rectangle(gray, (left, top), (right, bottom), 0, 5)
        x, y = (left + right) // 2, (top + bottom) // 2
        radius = (right - left) // 4
        cv2.circle(gray, (x, y), radius, 0, 4)
        cv2.ellipse(gray, (x, y - radius // 3), (radius, radius), 0, 190, 350, 0, -1)
        for side in (-1, 1):
            cv2.circle(gray, (x + side * radius // 3, y + radius // 4), radius // 8, 0, -1)
        for k in range(9):
            cv2.line(gray, (left + 20 + 40 * k, bottom - 90), (left + 5 + 40 * k, bottom - 4), 0, 3)
    inside = np.zeros(gray.shape, bool)
    inside[70:650, 70:470] = True
    gray[300:340, 50:70] = 255
    return gray, inside & (gray > 250)


def test_a_panel_that_the_margin_runs_into_is_no_paper(finder: PaperFinder) -> None:
    gray, inside = drawn_page()
    margins, _ = parts(gray)
    assert margins[inside].mean() > 0.5, "the page shows no leak"
    found = finder.leaks(gray, margins)
    assert found[inside & margins].mean() > 0.9
    margin = np.ones(gray.shape, bool)
    margin[50:1350, 50:950] = False
    assert found[margin].mean() < 0.01


def test_the_drawing_keeps_leaks_apart(finder: PaperFinder) -> None:
    gray, inside = drawn_page()
    page = PageImage(np.repeat(gray[..., None], 3, 2))
    with_net, without = drawing_of(page, "ink", finder=finder), drawing_of(page, "ink")
    assert without.leaks is None
    assert with_net.leaks is not None
    assert np.array_equal(with_net.paper, without.paper)
    everything = Region(0, 0, 1000, 1400)
    assert 0 <= with_net.white(everything).min() < with_net.white(everything).max() <= 1
    labels = labelled(gray, (1152, 823), 32, with_net.leaking(everything))
    assert labels[4, 4] != labels[200, 60], "margin and panel are one region"
    assert labels.min() == 0


def test_white_beside_a_leak_that_was_never_paper_goes_with_it() -> None:
    gray = np.full((512, 512), 255, np.uint8)
    paper = np.ones(gray.shape, bool)
    paper[100:110, 100:300] = paper[400:410, 100:300] = False  # the rims of tones
    leaks = np.zeros(gray.shape, np.float32)
    leaks[110:300, 100:300] = 1
    labels = labelled(gray, gray.shape, 32, Drawing(gray, paper, "ink", leaks=leaks).leaking(Region(0, 0, 512, 512)))
    assert labels[52, 100] == labels[100, 100] != labels[10, 10]
    assert labels[202, 100] == labels[10, 10]


def test_pages_in_true_gray_are_left_to_measuring(finder: PaperFinder) -> None:
    gray, _ = drawn_page()
    assert drawing_of(PageImage(np.repeat(gray[..., None], 3, 2)), "gray", finder=finder).leaks is None


def test_margins_of_the_demo_stay_white(finder: PaperFinder) -> None:
    for gray in story.draw_pages()[:2]:
        margins, lettered = parts(gray)
        edge = np.zeros(gray.shape, bool)
        edge[:8] = edge[-8:] = edge[:, :8] = edge[:, -8:] = True
        assert not finder.leaks(gray, margins)[edge | lettered].any()


@pytest.mark.parametrize("size", [(1, 1), (16, 16), (40, 900), (3000, 500)])
def test_any_size_is_looked_at(finder: PaperFinder, size: tuple[int, int]) -> None:
    gray = np.full(size, 255, np.uint8)
    found = finder.leaks(gray, np.ones(size, bool))
    assert found.shape == size


def test_weights_of_another_net_are_refused(tmp_path: Path) -> None:
    spec = ModelSpec("p", "detect", "paper", "p.safetensors", asdict(SMALL), multiple_of=64)
    engine = Engine(EngineSettings(device="cpu", precision="fp32"))
    with pytest.raises(UsageError, match="segment"):
        PaperFinder.load(engine, offline=True, model=str(weights(tmp_path, spec)))
