"""Whether a page was enlarged by interpolation before, and to what size it can be reduced without loss.

Interpolating n pixels to W repeats the spectrum of the small picture: what stands at frequency k (in cycles per W px)
stands again, weaker and mirrored, at n - k. What a camera or scanner puts at those two places has nothing to do with
each other, so their coherence over many lines of the page tells an enlarged page from a blurred one, and gives n to
the pixel (the peaks of Gallagher 2005 and of Popescu and Farid 2005 come from the same images). Screens and hatching
are coherent too, but at a few frequencies only, hence the median; JPEG's blocks are at n = W m / 8, all m alike.

Then the page is reduced to n and enlarged again: only where that gives the page back was nothing lost.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

Gray = NDArray[np.uint8]

LEAST, MOST = 1.3, 4.2
"""Factors that are looked for."""
SMALLEST = 192
"""Px of a side under which nothing can be said."""
_COHERENT = 0.18
"""Native pages, sharp, blurred, noisy or from JPEG, have .01 to .11; enlarged ones .19 (Lanczos, 1.5) to 1."""
_AGREE = 0.02
"""By how much the factors of both axes may differ."""
_LOST = 9.0
"""Levels: what may be missing (RMS of 16 x 16 px) after reducing and enlarging again, but for one block in 200."""
_LINES = 160
_BAND = 0.92, 0.55
"""Of the cut n / 2: from where to where the images are compared; above they overlap, below they are weak."""
_KERNELS = (cv2.INTER_CUBIC, cv2.INTER_LINEAR, cv2.INTER_LANCZOS4)
_STEPS = 4


@dataclass(frozen=True, slots=True)
class Peak:
    """The most likely native length of an axis, px, the median coherence there, and that of all lengths."""

    length: int
    coherence: float
    usual: float

    @property
    def stands_out(self) -> bool:
        """Lines that are all alike are coherent at every length: that says nothing."""
        return self.coherence >= _COHERENT and self.usual < self.coherence / 4


def native_size(gray: Gray) -> tuple[int, int] | None:
    """Height and width, px, that the page had before it was enlarged; None for most pages, which never were.

    Args:
        gray: (H, W) uint8.
    """
    height, width = gray.shape
    if min(height, width) < SMALLEST:
        return None
    across = peak(gray)
    if not across.stands_out:
        return None
    down = peak(np.ascontiguousarray(gray.T))
    if not down.stands_out or abs(across.length * height / (width * down.length) - 1) > _AGREE:
        return None
    size = (down.length, across.length)
    return size if _loses_nothing(gray, size) else None


def reduced(pixels: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.uint8]:
    """A page at its native size, so that enlarging it gives the page back as nearly as may be.

    Args:
        pixels: (H, W) or (H, W, 3) uint8.
        size: height and width, px.

    Returns:
        (*size) or (*size, 3) uint8.
    """
    return _solved(pixels, size, min(_KERNELS, key=lambda kernel: _missing(pixels, size, kernel).mean()))


def _solved(pixels: NDArray[np.uint8], size: tuple[int, int], kernel: int) -> NDArray[np.uint8]:
    """Back-projection (Irani and Peleg 1991): the small page is corrected by what enlarging it leaves over."""
    whole, target = (pixels.shape[1], pixels.shape[0]), (size[1], size[0])
    page = pixels.astype(np.float32)
    small = cv2.resize(page, target, interpolation=cv2.INTER_AREA)
    for _ in range(_STEPS):
        over = page - cv2.resize(small, whole, interpolation=kernel)
        small = small + cv2.resize(over, target, interpolation=cv2.INTER_AREA)
    return np.clip(np.rint(small), 0, 255).astype(np.uint8)


def _missing(gray: Gray, size: tuple[int, int], kernel: int) -> NDArray[np.float32]:
    """(H / 16, W / 16): RMS in levels of what reducing to `size` and enlarging by that kernel alters."""
    again = cv2.resize(_solved(gray, size, kernel), (gray.shape[1], gray.shape[0]), interpolation=kernel)
    error = np.square(np.asarray(gray, np.float32) - again)
    error = error.mean(2) if error.ndim == 3 else error
    blocks = (-(-gray.shape[1] // 16), -(-gray.shape[0] // 16))
    return np.sqrt(np.asarray(cv2.resize(error, blocks, interpolation=cv2.INTER_AREA), np.float32))


def _loses_nothing(gray: Gray, size: tuple[int, int]) -> bool:
    return any(float(np.quantile(_missing(gray, size, kernel), 0.995)) <= _LOST for kernel in _KERNELS)


def peak(gray: Gray) -> Peak:
    """Look along the rows of a page.

    Args:
        gray: (H, W) uint8.
    """
    lines = _telling_lines(gray)
    width = gray.shape[1]
    window = np.hanning(width).astype(np.float32)
    spectrum = np.fft.rfft((lines - lines.mean(1, keepdims=True)) * window, axis=1).astype(np.complex64)
    spectrum = np.ascontiguousarray(spectrum.T)  # (frequency, line)
    power = np.square(np.abs(spectrum)).sum(1) + 1e-6
    lengths = np.arange(int(width / MOST), int(width / LEAST) + 1)
    found = np.zeros(len(lengths), np.float32)
    for place, n in enumerate(lengths):
        k = np.arange(max(n - width // 2, int(n / 2 * _BAND[1])), int(n / 2 * _BAND[0]))
        joint = np.square(np.abs(np.einsum("kl,kl->k", spectrum[k], spectrum[n - k])))
        found[place] = np.median(joint / (power[k] * power[n - k])) if len(k) else 0
    best = int(found.argmax())
    return Peak(int(lengths[best]), float(found[best]), float(np.median(found)))


def _telling_lines(gray: Gray) -> NDArray[np.float32]:
    """(lines, W): those with the most edges, one of four neighbours at most."""
    edges = np.abs(np.diff(gray.astype(np.int16), axis=1)).sum(1)
    groups = edges[: len(edges) // 4 * 4].reshape(-1, 4)
    rows = groups.argmax(1) + 4 * np.arange(len(groups))
    best = np.argsort(groups.max(1), kind="stable")[::-1][:_LINES]
    return np.asarray(gray[np.sort(rows[best])], np.float32)
