"""Low-resolution twins of sharp pictures: reduction, scanner noise and JPEG, as pages on the net have them."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

Gray = NDArray[np.uint8]


def halftoned(gray: Gray, rng: np.random.Generator) -> Gray:
    """(H, W) luminance -> the same drawing in ink and screentone: 2-4 shades as dots or lines of one random screen."""
    height, width = gray.shape
    size = int(rng.choice([3, 5, 7]))
    closed = cv2.morphologyEx(gray, cv2.MORPH_CLOSE, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (size, size)))
    ratio = gray.astype(np.float32) / np.maximum(closed, 1)
    ink = np.clip((ratio - rng.uniform(0.4, 0.7)) / rng.uniform(0.15, 0.4), 0, 1)
    shade = cv2.GaussianBlur(closed, (0, 0), rng.uniform(1.5, 3)).astype(np.float32) / 255
    levels = np.sort(rng.uniform(0.1, 0.9, int(rng.integers(2, 5))))
    cover = 1 - (np.searchsorted(levels, shade.ravel()).reshape(shade.shape) / len(levels))
    cover = np.where(shade > levels[-1], 0, np.where(shade < rng.uniform(0.02, 0.12), 1, cover * 0.7)).astype(
        np.float32
    )
    page = np.minimum(ink, screen(cover.astype(np.float32), rng))
    return np.asarray(255 * page, np.uint8)


def screen(cover: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.float32]:
    """(H, W) share of black 0..1 -> (H, W) screentone 0..1 (0 black): dots or lines, any angle, period 3-14 px."""
    height, width = cover.shape
    rows, columns = np.mgrid[:height, :width].astype(np.float32)
    period = float(np.exp(rng.uniform(np.log(3), np.log(14))))
    angle = np.pi / 4 if rng.random() < 0.6 else rng.uniform(0, np.pi)
    u = (columns * np.cos(angle) + rows * np.sin(angle)) * (2 * np.pi / period) + rng.uniform(0, 6)
    v = (rows * np.cos(angle) - columns * np.sin(angle)) * (2 * np.pi / period) + rng.uniform(0, 6)
    wave = 0.5 - 0.25 * (np.cos(u) + np.cos(v)) if rng.random() < 0.8 else 0.5 - 0.5 * np.cos(u)
    soft = np.clip((wave - cover) * rng.uniform(2, 5) + 0.5, 0, 1)
    return np.where(cover <= 0, 1, np.where(cover >= 1, 0, soft)).astype(np.float32)


def reduced(sharp: Gray, scale: int, rng: np.random.Generator) -> Gray:
    """(H, W) -> (H / scale, W / scale): mostly area, else area after blur or cubic with anti-aliasing left out."""
    height, width = sharp.shape[0] // scale, sharp.shape[1] // scale
    kind = rng.random()
    if kind < 0.75:
        return np.asarray(cv2.resize(sharp, (width, height), interpolation=cv2.INTER_AREA), np.uint8)
    if kind < 0.9:
        sharp = np.asarray(cv2.GaussianBlur(sharp, (0, 0), rng.uniform(0.3, 0.45) * scale), np.uint8)
        return np.asarray(cv2.resize(sharp, (width, height), interpolation=cv2.INTER_AREA), np.uint8)
    return np.asarray(cv2.resize(sharp, (width, height), interpolation=cv2.INTER_CUBIC), np.uint8)


def jpeg(gray: Gray, quality: int, rng: np.random.Generator) -> Gray:
    """Through JPEG with the 8x8 grid at a random place, as pages are cropped after they were compressed."""
    top, left = int(rng.integers(0, 8)), int(rng.integers(0, 8))
    padded = cv2.copyMakeBorder(gray, top, 8, left, 8, cv2.BORDER_REPLICATE)
    data = cv2.imencode(".jpg", padded, (cv2.IMWRITE_JPEG_QUALITY, quality))[1]
    decoded = cv2.imdecode(data, cv2.IMREAD_GRAYSCALE)
    return np.asarray(np.asarray(decoded)[top : top + gray.shape[0], left : left + gray.shape[1]], np.uint8)


def scanned(low: Gray, rng: np.random.Generator) -> Gray:
    """Noise and one or two JPEG rounds of quality 55-95 on a low-resolution page."""
    if rng.random() < 0.3:
        noise = rng.normal(0, rng.uniform(1, 6), low.shape)
        low = np.clip(low + noise, 0, 255).astype(np.uint8)
    for _ in range(1 + int(rng.random() < 0.2)):
        low = jpeg(low, int(rng.integers(55, 96)), rng)
    return low
