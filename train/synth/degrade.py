"""Low-resolution twins of sharp pictures: reduction, scanner noise and JPEG, as pages on the net have them."""

from __future__ import annotations

import cv2
import numpy as np

from train.synth.tones import Gray


def reduced(sharp: Gray, scale: int, rng: np.random.Generator) -> Gray:
    """(H, W) -> (H / scale, W / scale): mostly area, else area after blur or cubic with anti-aliasing left out."""
    height, width = sharp.shape[0] // scale, sharp.shape[1] // scale
    kind = rng.random()
    if kind < 0.8:
        return np.asarray(cv2.resize(sharp, (width, height), interpolation=cv2.INTER_AREA), np.uint8)
    if kind < 0.93:
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
