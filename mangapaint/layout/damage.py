"""Whether a page shows traces of compression or of a scanner's noise.

JPEG rounds the cosine coefficients of 8 x 8 blocks, most of the high ones to zero. So of the 64 places where its grid
may lie, cropped pages included, one has far smaller high coefficients than all others (Fan and de Queiroz 2003 look
at the same grid through differences across its lines); WebP does that to blocks of 4. Noise fills the flattest places
of a page. A page that was reduced or enlarged after compression has lost its grid, but not the ringing beside strokes:
there is more in the quiet px near ink than in those far from it, where a clean page is even. That evidence is weighed,
and a page is clean only where it says so.

Costs 1 to 6 ms a megapixel.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

Gray = NDArray[np.uint8]
Floats = NDArray[np.float64]

SMALLEST = 96
"""Px of a side under which nothing can be said."""
_SIDE, _WINDOWS = 256, 12
"""Px of a side, and at most how many windows of a large page are looked at; they lie on multiples of 8."""
_GRID = 0.06, 2.0
"""Log of how much smaller the coefficients of one grid may be than of the others, and what is allowed to chance, over
the root of the number of blocks. One clean crop in 45 is over it, and 1,141 of 1,146 from JPEG and WebP (50 to 95)."""
_FAINT, _CLIP = 0.05, 2.0
"""Levels that are added to coefficients, and that they are cut off at."""
_EDGE, _QUIET = 80, 16
"""Levels within 3 x 3 px from where on there is an edge, and under which a place is quiet."""
_NEAR, _FAR = 11, 19
"""Px: sides of the squares around edges where ringing is, and outside which it is not."""
_BLOCKS = 512
"""At most so many quiet blocks are transformed."""
_ENOUGH = 256
"""Quiet px near edges without which nothing is known of ringing."""

EVIDENCE: dict[str, tuple[float, float, float, float]] = {
    "even": (-4.47, 9.55, 0, 0.99),  # quiet px near edges with one level within 3 x 3 px, of all that are quiet there
    "nearly": (19.06, -7.81, 0, 1),  # those with at most two levels between them
    "ringing": (-1.73, 1.16, -1.15, 2.53),  # log of the mean spread there, levels
    "texture": (1.08, 0.17, -1.2, 2.52),  # the same far from edges
    "quiet": (3.18, -5.41, 0.07, 1),  # quiet px near edges, of all near edges
    "floor": (0.18, -0.33, -1.2, 3.17),  # log of the spread in blocks, 5 % quantile
    "quarter": (-0.18, -0.04, -1.2, 4.77),  # 25 % quantile
    "slope": (-0.57, -0.5, -1.88, 0.91),  # log of high over middle coefficients of quiet blocks
    "high": (-0.41, -0.11, -3, 1.71),  # log of the high ones
}
"""Name: weight of the value and of its square, and the range that was seen, at whose ends values are held. Fitted by
logistic regression to 1,146 crops of comics, drawings and made screentone that were reduced once or twice, against
1,476 that JPEG or WebP and then resizing (by over 1.5 levels RMS) or noise (over 2.5) altered; both sides count alike.
Paintings that were resized after compression are left out: the net for clean pages is no worse on them."""
_BIAS = -5.75
_FIRST, _SECOND, _LEAST, _MOST = np.array(list(EVIDENCE.values())).T


def is_clean(gray: Gray) -> bool:
    """Whether a page surely was neither compressed with loss nor scanned with noise; when unsure, no.

    Args:
        gray: (H, W) uint8, as it is to be enlarged.
    """
    if min(gray.shape) < SMALLEST:
        return False
    windows = _windows(gray)
    if has_grid(windows, 8, 6) or has_grid(windows, 4, 3):
        return False
    found = evidence(windows)
    return found is not None and odds(found) > 0


def has_grid(windows: list[Gray], side: int, order: int) -> bool:
    """Whether `grid` is beyond chance."""
    blocks = sum(window.size for window in windows) / side**2
    return grid(windows, side, order) >= _GRID[0] + _GRID[1] / float(np.sqrt(blocks))


def grid(windows: list[Gray], side: int, order: int) -> float:
    """How far the high coefficients of blocks drop at the place of one grid: log, 0 or above; 0.02 to 0.1 by chance.

    Args:
        windows: of a page, at multiples of `side` px.
        side: of the blocks, px.
        order: of the cosine along both axes.
    """
    wave = _cosines(side)[order]
    table = np.zeros((side, side))
    for window in windows:
        height, width = ((length - side) // side * side for length in window.shape)
        found = cv2.sepFilter2D(window, cv2.CV_32F, wave, wave, anchor=(0, 0))[:height, :width]
        rows = np.minimum(np.abs(found), _CLIP).reshape(-1, side, width).sum(0)
        table += rows.reshape(side, -1, side).sum(1)
    table /= max(1, sum((window.shape[0] // side - 1) * (window.shape[1] // side - 1) for window in windows))
    return float(np.log((np.median(table) + _FAINT) / (table.min() + _FAINT)))


def evidence(windows: list[Gray]) -> Floats | None:
    """The values that EVIDENCE names; None where there is too little to tell.

    Args:
        windows: of a page.
    """
    near, far, flat, blocks = [], [], [], []
    around = 0
    square = np.ones((3, 3), np.uint8)
    for window in windows:
        spread = np.asarray(cv2.dilate(window, square) - cv2.erode(window, square), np.uint8)
        edges = (spread > _EDGE).astype(np.uint8)
        quiet = (spread < _QUIET).astype(np.uint8)
        ring = _grown(edges, _NEAR) - _grown(edges, 3)
        around += cv2.countNonZero(ring)
        near.append(_counts(spread, ring & quiet))
        far.append(_counts(spread, quiet & (1 - _grown(edges, _FAR))))
        height, width = (length // 8 for length in window.shape)
        cut = spread[: height * 8, : width * 8]
        flat.append(np.asarray(cv2.resize(cut, (width, height), interpolation=cv2.INTER_AREA)).ravel())
        most = cut.reshape(height, 8, width * 8).max(1).reshape(height, width, 8).max(2)
        tiles = window[: height * 8, : width * 8].reshape(height, 8, width, 8).swapaxes(1, 2)
        blocks.append(tiles[(most >= 3) & (most < 40)])
    rings, others = np.sum(near, 0), np.sum(far, 0)
    if rings.sum() < _ENOUGH:
        return None
    middle, high = _coefficients(np.concatenate(blocks))
    low, quarter = np.quantile(np.concatenate(flat), (0.05, 0.25))
    levels = np.arange(_QUIET)
    total = rings.sum()
    mean, far_mean = rings @ levels / total, others @ levels / max(1, others.sum())
    return np.array(
        [
            rings[0] / total,
            rings[:3].sum() / total,
            np.log(mean + 0.3),
            np.log(far_mean + 0.3),
            total / around,
            np.log(low + 0.3),
            np.log(quarter + 0.3),
            np.log((high + _FAINT) / (middle + _FAINT)),
            np.log(high + _FAINT),
        ]
    )


def odds(values: Floats) -> float:
    """Log odds of a clean page against a damaged one."""
    held = np.clip(values, _LEAST, _MOST)
    return float(held @ _FIRST + held**2 @ _SECOND + _BIAS)


def _windows(gray: Gray) -> list[Gray]:
    """The page as a whole where it is small, else windows spread evenly over it."""
    height, width = gray.shape
    if height * width <= _WINDOWS * _SIDE**2:
        return [gray]
    rows = max(1, min(height // _SIDE, round((_WINDOWS * height / width) ** 0.5)))
    columns = max(1, min(width // _SIDE, _WINDOWS // rows))
    rows = max(1, min(height // _SIDE, _WINDOWS // columns))
    tops, lefts = (
        [round(place) // 8 * 8 for place in np.linspace(0, max(0, length - _SIDE), count)]
        for length, count in ((height, rows), (width, columns))
    )
    return [np.ascontiguousarray(gray[y : y + _SIDE, x : x + _SIDE]) for y in tops for x in lefts]


def _grown(mask: Gray, side: int) -> Gray:
    return np.asarray(cv2.dilate(mask, np.ones((side, side), np.uint8)), np.uint8)


def _counts(spread: Gray, mask: Gray) -> Floats:
    """(16,): how many quiet px have each spread."""
    return np.asarray(cv2.calcHist([spread], [0], mask, [_QUIET], [0, _QUIET]), np.float64).ravel()


def _coefficients(blocks: Gray) -> tuple[float, float]:
    """Medians of middle (orders 2 and 3) and high (5 to 7) coefficients of (N, 8, 8) quiet blocks, levels."""
    if len(blocks) < 8:
        return 0.0, 0.0
    chosen = blocks[:: -(-len(blocks) // _BLOCKS)].astype(np.float32)
    waves = np.stack(_cosines(8))
    found = np.median(np.abs(waves @ chosen @ waves.T), 0)
    return float(found[2:4, 2:4].mean()), float(found[5:, 5:].mean())


def _cosines(side: int) -> list[NDArray[np.float32]]:
    """The orthonormal cosine transform's rows."""
    places = (2 * np.arange(side) + 1) * np.pi / (2 * side)
    waves = [np.cos(places * order) for order in range(side)]
    return [np.asarray(wave / np.sqrt(wave @ wave), np.float32) for wave in waves]
