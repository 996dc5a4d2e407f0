"""The score of a chapter: like regions are found without looking at colour, and their colours are compared."""

from __future__ import annotations

import time

import cv2
import numpy as np
import pytest
import torch

from mangapaint.models.lab import rgb_to_lab
from mangapaint.paint.consistency import consistency
from mangapaint.paint.drawing import labelled
from mangapaint.paint.sightings import LARGEST, Sightings, sightings_of


def page(number: int, colours: dict[int, tuple[float, float]], things: int = 6) -> Sightings:
    """A page on which every thing is seen once, a little different each time; `colours` are their ab."""
    rng = np.random.default_rng(number)
    look = np.random.default_rng(99).normal(size=(things, 48)) + 0.1 * rng.normal(size=(things, 48))
    lab = np.array([(60, *colours.get(thing, (0, 0))) for thing in range(things)], np.float32)
    order = rng.permutation(things)
    share = np.full(things, 0.02, np.float32) * rng.uniform(0.7, 1.4, things).astype(np.float32)
    look = (look / np.linalg.norm(look, axis=1, keepdims=True)).astype(np.float32)
    return Sightings(number, share[order], lab[order], np.full((things, 2), 0.3, np.float32), look[order])


def test_things_that_keep_their_colour_have_no_spread() -> None:
    found = consistency([page(number, {0: (40, 10), 1: (-20, 30)}) for number in range(5)])
    assert found is not None
    assert (found.spread, found.groups, found.regions, found.pages) == (0, 6, 30, 5)


def test_a_thing_that_changes_its_colour_raises_the_spread_whatever_the_order_of_pages() -> None:
    pages = [page(number, {0: (40, 10) if number != 2 else (-10, 10)}) for number in range(5)]
    found = consistency(pages)
    assert found is not None
    assert found.spread == pytest.approx(50 / 30, abs=0.01)
    assert consistency(pages[::-1]) == found


def test_what_is_seen_on_two_pages_only_does_not_count() -> None:
    assert consistency([page(0, {}), page(1, {})]) is None
    assert consistency([]) is None
    strangers = [page(number, {}) for number in range(4)]
    for number, each in enumerate(strangers):
        each.look[:] = np.eye(48, dtype=np.float32)[6 * number : 6 * number + 6]
    assert consistency(strangers) is None


def test_two_hundred_pages_take_seconds() -> None:
    started = time.process_time()
    found = consistency([page(number, {}, LARGEST) for number in range(200)])
    assert found is not None
    assert found.groups == LARGEST
    assert time.process_time() - started < 6


def drawing(shift: int) -> np.ndarray:
    """Two characters' heads at another place, on a page of 320x256."""
    gray = np.full((320, 256), 255, np.uint8)
    cv2.circle(gray, (70 + shift, 90), 40, 0, 2)
    gray[95:100, 50 + shift : 90 + shift] = 0
    cv2.rectangle(gray, (130, 180 + shift), (220, 280 + shift), 0, 3)
    return gray


def measured(number: int, gray: np.ndarray, colour: tuple[float, float, float], deep: bool = False) -> Sightings:
    labels = torch.from_numpy(labelled(gray, (320, 256), 32))
    rgb = torch.tensor(colour).view(1, 3, 1, 1).expand(1, 3, 160, 128)
    paper = torch.zeros(160, 128)
    paper[:20] = 1
    descriptors = torch.randn(16, 40, 32, generator=torch.Generator().manual_seed(number)) if deep else None
    page = torch.from_numpy(gray).float() / 255
    return sightings_of(number, page, labels, rgb_to_lab(rgb)[0], paper, descriptors)


@pytest.mark.parametrize("deep", [False, True])
def test_regions_are_measured_where_they_lie(deep: bool) -> None:
    found = measured(0, drawing(0), (0.9, 0.2, 0.2), deep)
    assert len(found.share) == 3
    assert 0.6 < found.share.sum() <= 1
    assert np.allclose(found.lab, found.lab[0], atol=0.1)
    assert found.lab[0, 1] > 50
    assert np.allclose(np.linalg.norm(found.look, axis=1), 1, atol=1e-3)
    assert found.look.shape[1] == (16 if deep else 64)


def test_drawings_that_moved_are_recognised_by_their_gray_alone() -> None:
    pages = [measured(number, drawing(8 * number), (0.8, 0.3 + 0.1 * number, 0.3)) for number in range(3)]
    found = consistency(pages)
    assert found is not None
    assert found.groups >= 2
    assert found.spread > 3
