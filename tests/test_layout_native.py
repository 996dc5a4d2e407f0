"""Pages that were enlarged by interpolation are known, and no others."""

from __future__ import annotations

from functools import cache

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from mangapaint.layout import native

Gray = NDArray[np.uint8]
RNG = np.random.default_rng(5)


@cache
def drawn(height: int = 420, width: int = 360, *, seed: int = 1) -> Gray:
    """An inked page with tone: strokes of all directions, lettering, a dotted screen; antialiased as a scan is."""
    rng = np.random.default_rng(seed)
    page = np.full((4 * height, 4 * width), 255, np.uint8)
    for _ in range(90):
        a, b = rng.integers(0, (4 * width, 4 * height), (2, 2))
        cv2.line(page, tuple(map(int, a)), tuple(map(int, b)), int(rng.integers(0, 60)), int(rng.integers(3, 14)))
    for _ in range(25):
        x, y = rng.integers(0, 4 * width), rng.integers(0, 4 * height)
        cv2.putText(page, "Manga 42", (int(x), int(y)), cv2.FONT_HERSHEY_DUPLEX, 2.6, 0, 6)
    y, x = np.mgrid[: 4 * height, : 4 * width]
    dots = ((x * 0.8 + y * 0.6) % 21 - 10) ** 2 + ((y * 0.8 - x * 0.6) % 21 - 10) ** 2 < 40
    page[2 * height : 3 * height][dots[2 * height : 3 * height]] = 20
    return np.asarray(cv2.resize(page, (width, height), interpolation=cv2.INTER_AREA), np.uint8)


def enlarged(page: Gray, factor: float, kernel: int) -> Gray:
    size = round(page.shape[1] * factor), round(page.shape[0] * factor)
    return np.asarray(cv2.resize(page, size, interpolation=kernel), np.uint8)


def as_jpeg(page: Gray, quality: int) -> Gray:
    data = cv2.imencode(".jpg", page, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
    return np.asarray(cv2.imdecode(data, cv2.IMREAD_GRAYSCALE), np.uint8)


def noisy(page: Gray, sigma: float) -> Gray:
    return np.clip(page + RNG.normal(0, sigma, page.shape), 0, 255).astype(np.uint8)


def blurred(page: Gray, sigma: float) -> Gray:
    return np.asarray(cv2.GaussianBlur(page, (0, 0), sigma), np.uint8)


@pytest.mark.parametrize(
    ("factor", "kernel"),
    [
        (1.5, cv2.INTER_LINEAR),
        (1.5, cv2.INTER_CUBIC),
        (2.0, cv2.INTER_LINEAR),
        (2.0, cv2.INTER_CUBIC),
        (2.0, cv2.INTER_LANCZOS4),
        (3.0, cv2.INTER_CUBIC),
    ],
)
def test_the_native_size_of_an_enlarged_page_is_found_to_the_pixel(factor: float, kernel: int) -> None:
    page = drawn()
    quality = 96 if kernel == cv2.INTER_LANCZOS4 else 85  # Lanczos leaves least above the cut, and JPEG covers it
    assert native.native_size(enlarged(page, factor, kernel)) == page.shape
    assert native.native_size(as_jpeg(enlarged(page, factor, kernel), quality)) == page.shape


@pytest.mark.parametrize(
    "page",
    [
        drawn(),
        drawn(700, 500, seed=2),
        as_jpeg(drawn(), 20),
        as_jpeg(drawn(), 60),
        blurred(drawn(), 2.0),
        noisy(blurred(drawn(), 1.5), 3),
        as_jpeg(blurred(drawn(), 1.0), 40),
        enlarged(drawn(), 0.7, cv2.INTER_LINEAR),
        drawn(800, 640)[:, ::2],
        np.full((400, 400), 255, np.uint8),
        np.tile(drawn()[:1], (400, 1)),
        noisy(np.full((400, 400), 128, np.uint8), 20),
        drawn(100, 100),
    ],
    ids=[
        "scan",
        "scan2",
        "q20",
        "q60",
        "blurred",
        "noise",
        "soft",
        "less",
        "aliased",
        "blank",
        "bars",
        "grain",
        "tiny",
    ],
)
def test_native_pages_are_left_alone(page: Gray) -> None:
    assert native.native_size(page) is None


def test_a_page_enlarged_along_one_axis_only_is_left_alone() -> None:
    page = drawn()
    wide = cv2.resize(page, (2 * page.shape[1], page.shape[0]), interpolation=cv2.INTER_CUBIC)
    assert native.native_size(np.asarray(wide, np.uint8)) is None


def test_sharp_lettering_over_an_enlarged_drawing_is_not_given_up() -> None:
    page = enlarged(drawn(), 2, cv2.INTER_CUBIC)
    page[300:500, 100:600] = drawn(200, 500, seed=3)
    assert native.native_size(page) is None


@pytest.mark.parametrize("kernel", [cv2.INTER_LINEAR, cv2.INTER_CUBIC])
def test_reducing_gives_back_what_was_enlarged(kernel: int) -> None:
    page = drawn()
    again = native.reduced(enlarged(page, 2, kernel), (page.shape[0], page.shape[1]))
    assert np.abs(again.astype(int) - page).mean() < 2.5
    plain = cv2.resize(enlarged(page, 2, kernel), page.shape[::-1], interpolation=cv2.INTER_AREA)
    assert np.square(again.astype(float) - page).mean() < 0.3 * np.square(plain.astype(float) - page).mean()


def test_colour_is_reduced_too() -> None:
    page = np.dstack([drawn(), drawn(seed=4), drawn(seed=5)])
    large = np.asarray(cv2.resize(page, None, fx=2, fy=2, interpolation=cv2.INTER_CUBIC), np.uint8)
    again = native.reduced(large, page.shape[:2])
    assert again.shape == page.shape
    assert np.abs(again.astype(int) - page).mean() < 2.5
