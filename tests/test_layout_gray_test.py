from __future__ import annotations

import cv2
import numpy as np
import pytest

from mangapaint.layout.gray_test import colourfulness, verdict
from mangapaint.page import Verdict
from mangapaint.settings import InputSettings

THRESHOLD = InputSettings().color_threshold


def drawn_page(seed: int = 0) -> np.ndarray:
    """(900, 640, 3) gray page: panels, hair, tones."""
    rng = np.random.default_rng(seed)
    page = np.full((900, 640), 255, np.uint8)
    for top in (30, 330, 630):
        cv2.rectangle(page, (30, top), (610, top + 250), 0, 3)
        for _ in range(12):
            x, y = int(rng.integers(60, 560)), int(rng.integers(top + 30, top + 220))
            cv2.ellipse(page, (x, y), (40, 25), int(rng.integers(0, 180)), 0, 360, int(rng.integers(0, 220)), -1)
    page[640:870:4, 40:300:4] = 0
    return np.repeat(page[..., None], 3, 2)


def yellowed(page: np.ndarray) -> np.ndarray:
    return (page * np.array([1, 0.93, 0.75])).astype(np.uint8)


def tinted(page: np.ndarray) -> np.ndarray:
    return (np.array([40, 20, 60]) + page / 255 * np.array([210, 225, 175])).astype(np.uint8)


def browned_at_the_edges(page: np.ndarray) -> np.ndarray:
    y, x = np.mgrid[-1 : 1 : page.shape[0] * 1j, -1 : 1 : page.shape[1] * 1j]
    far = ((x**2 + y**2) / 2)[..., None]
    return (page * (1 - far**2 * np.array([0.1, 0.2, 0.4]))).astype(np.uint8)


def noisy_jpeg(page: np.ndarray) -> np.ndarray:
    grainy = np.clip(page + np.random.default_rng(1).normal(0, 10, page.shape), 0, 255).astype(np.uint8)
    data = cv2.imencode(".jpg", grainy, [cv2.IMWRITE_JPEG_QUALITY, 50])[1]
    return cv2.imdecode(data, cv2.IMREAD_COLOR)


def misaligned(page: np.ndarray) -> np.ndarray:
    shifted = page.copy()
    shifted[:, 1:, 0] = page[:, :-1, 0]
    return shifted


@pytest.mark.parametrize("scan", [np.copy, yellowed, tinted, browned_at_the_edges, noisy_jpeg, misaligned])
def test_a_scan_without_colour_is_gray_whatever_its_tint(scan):
    assert verdict(scan(drawn_page()), THRESHOLD)[0] is Verdict.GRAY


def test_tint_and_noise_together_are_still_gray():
    assert verdict(noisy_jpeg(browned_at_the_edges(yellowed(drawn_page()))), THRESHOLD)[0] is Verdict.GRAY


@pytest.mark.parametrize("scan", [np.copy, yellowed, noisy_jpeg])
def test_a_small_spot_of_real_colour_makes_a_colour_page(scan):
    page = drawn_page()
    page[120:180, 400:470] = (page[120:180, 400:470] * np.array([0.9, 0.25, 0.25])).astype(np.uint8)
    assert verdict(scan(page), THRESHOLD)[0] is Verdict.COLOUR


def test_a_coloured_cover_is_far_above_the_threshold():
    cells = np.random.default_rng(2).integers(0, 256, (9, 6, 3), np.uint8)
    assert colourfulness(cv2.resize(cells, (600, 900), interpolation=cv2.INTER_CUBIC)) > 3 * THRESHOLD


def test_a_gray_file_measures_nearly_zero():
    assert colourfulness(drawn_page()) < 0.1
    assert colourfulness(drawn_page()[..., 0]) == 0


@pytest.mark.parametrize("shade", [0, 128, 255])
def test_one_flat_shade_is_blank(shade: int):
    page = np.full((900, 640, 3), shade, np.uint8)
    page[400:403, 300:303] = 255 - shade
    assert verdict(yellowed(page), THRESHOLD)[0] is Verdict.BLANK


def test_a_page_with_one_drawing_is_not_blank():
    page = np.full((900, 640, 3), 255, np.uint8)
    cv2.circle(page, (320, 450), 60, (0, 0, 0), 3)
    assert verdict(page, THRESHOLD)[0] is Verdict.GRAY


@pytest.mark.parametrize("shape", [(1, 1, 3), (1, 50, 3), (5000, 3, 3), (3, 3)])
def test_tiny_and_thin_pictures_get_a_verdict(shape: tuple[int, ...]):
    value = verdict(np.full(shape, 200, np.uint8), THRESHOLD)
    assert value == (Verdict.BLANK, pytest.approx(0, abs=1e-3))
