"""Pages that went through lossy compression or a noisy scanner are told from clean ones."""

from __future__ import annotations

from functools import cache

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from test_layout_native import as_jpeg, drawn, noisy

from mangapaint.layout import damage

Gray = NDArray[np.uint8]


@cache
def large() -> Gray:
    return drawn(1000, 800, seed=3)


def halved(page: Gray, kernel: int = cv2.INTER_AREA) -> Gray:
    return np.asarray(cv2.resize(page, (page.shape[1] // 2, page.shape[0] // 2), interpolation=kernel), np.uint8)


def as_webp(page: Gray, quality: int) -> Gray:
    data = cv2.imencode(".webp", np.repeat(page[..., None], 3, 2), [cv2.IMWRITE_WEBP_QUALITY, quality])[1]
    return np.asarray(cv2.cvtColor(cv2.imdecode(data, cv2.IMREAD_COLOR), cv2.COLOR_BGR2GRAY), np.uint8)


def resized(page: Gray, factor: float) -> Gray:
    kernel = cv2.INTER_AREA if factor < 1 else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(page, None, fx=factor, fy=factor, interpolation=kernel), np.uint8)


def tinted(page: Gray, quality: int) -> Gray:
    """Through a JPEG in colour."""
    colour = np.rint(page[..., None] / 255 * np.array([220, 240, 255])).astype(np.uint8)
    data = cv2.imencode(".jpg", colour, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
    return np.asarray(cv2.cvtColor(cv2.imdecode(data, cv2.IMREAD_COLOR), cv2.COLOR_BGR2GRAY), np.uint8)


@pytest.mark.parametrize("page", [drawn(), large(), halved(large())], ids=["page", "large", "reduced twice"])
def test_pages_that_were_only_reduced_are_clean(page: Gray) -> None:
    assert damage.is_clean(page)


@pytest.mark.parametrize("quality", [50, 75, 90])
def test_compressed_pages_are_not(quality: int) -> None:
    assert not damage.is_clean(as_jpeg(large(), quality))
    assert not damage.is_clean(tinted(large(), quality))
    assert not damage.is_clean(as_webp(large(), quality))


@pytest.mark.parametrize("cut", [(1, 0), (3, 5), (7, 7)])
def test_nor_are_they_when_a_crop_moved_the_grid(cut: tuple[int, int]) -> None:
    assert not damage.is_clean(np.ascontiguousarray(as_jpeg(large(), 85)[cut[0] :, cut[1] :]))


@pytest.mark.parametrize("factor", [0.8, 0.9, 1.15])
def test_nor_when_they_were_resized_after_it(factor: float) -> None:
    assert not damage.is_clean(resized(as_jpeg(large(), 70), factor))


@pytest.mark.parametrize("sigma", [1.5, 4])
def test_noise_is_no_clean_page(sigma: float) -> None:
    assert not damage.is_clean(noisy(large(), sigma))
    assert not damage.is_clean(resized(noisy(large(), 2 * sigma), 0.6))


@pytest.mark.parametrize(
    "page",
    [
        np.full((400, 400), 255, np.uint8),
        drawn()[:90, :90],
        np.tile(np.array([[0, 255], [255, 0]], np.uint8), (100, 100)),
        np.random.default_rng(0).integers(0, 256, (300, 300)).astype(np.uint8),
        np.zeros((96, 5000), np.uint8),
    ],
    ids=["blank", "tiny", "checks", "grain", "black"],
)
def test_where_nothing_is_known_no_page_is_called_clean(page: Gray) -> None:
    assert not damage.is_clean(page)


def test_the_grid_is_found_in_windows_of_a_large_page() -> None:
    page = as_jpeg(np.tile(large(), (2, 2)), 90)
    assert not damage.is_clean(page)
    assert not damage.is_clean(np.ascontiguousarray(page[5:, 3:]))
