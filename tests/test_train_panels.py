"""Made pages have the panels that are told of them, and the table of evidence is fitted to right cuts."""

from __future__ import annotations

import numpy as np

from mangapaint.layout.evidence import EVIDENCE
from mangapaint.layout.panels import clipped
from train.panels import Choice, choices, likelihood, maximised
from train.synth.panels import page, rectangle


def art(rng: np.random.Generator) -> np.ndarray:
    return rng.integers(0, 256, (90, 120), np.uint8)


def test_made_pages_are_the_same_for_the_same_seed_and_their_panels_lie_on_them() -> None:
    for seed in range(4):
        gray, outlines = page(280, 400, art, np.random.default_rng(seed))
        again, _ = page(280, 400, art, np.random.default_rng(seed))
        assert gray.shape == (400, 280)
        assert np.array_equal(gray, again)
        assert outlines
        for outline in outlines:
            assert (outline >= -0.01).all()
            assert (outline <= (280.01, 400.01)).all()


def test_clipping_keeps_the_side_of_the_normal() -> None:
    part = clipped(rectangle(0, 0, 10, 10), np.array([4.0, 0.0]), np.array([1.0, 0.0]))
    assert part.min(0).tolist() == [4, 0]
    assert part.max(0).tolist() == [10, 10]


def two_panels() -> tuple[np.ndarray, list[np.ndarray]]:
    gray = np.full((1000, 700), 255, np.uint8)
    rng = np.random.default_rng(0)
    outlines = []
    for top, bottom in ((40, 480), (500, 960)):
        gray[top:bottom, 40:660] = 0
        gray[top + 4 : bottom - 4, 44:656] = rng.integers(90, 256, (bottom - top - 8, 612))
        outlines.append(rectangle(40, top, 660, bottom))
    return gray, outlines


def test_the_gutter_between_two_panels_is_a_right_cut_and_the_panels_have_none() -> None:
    first, *rest = choices(*two_panels(), 1.0)
    assert first.right.any()
    assert first.evidence.shape == (len(first.right), len(EVIDENCE))
    assert not any(choice.right.any() for choice in rest)


def test_the_fit_tells_right_cuts_from_wrong_ones() -> None:
    rng = np.random.default_rng(1)
    rows = []
    for _ in range(60):
        evidence = rng.uniform(0, 1, (6, len(EVIDENCE)))
        right = evidence[:, 0] > 0.85
        rows.append(Choice(evidence, right, 1.0))
    weights, bias = maximised(rows[:40], 1e-3)
    assert weights[0] + weights[len(EVIDENCE)] > 0
    assert likelihood(rows[40:], weights, bias) > likelihood(rows[40:], weights * 0, 0.0) + 0.5
