"""Lettering: small dark marks of even size that stand in rows or columns, and the test for a region that holds it."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from mangapaint.layout.measure import Gray, Mask, components

INK_LEVEL = 140
"""Darkest half: gray below this is ink of a letter or a line."""


STROKE_LEVEL = 170
"""Strokes are measured with half of their anti-aliased rim."""
FEWEST_LETTERS = 4
"""Fewer marks than this have to look like lettering at any region, not just in a bubble's outline."""
MOST_LETTERS = 1000
"""More marks than this in one region are the dots of a tone; pairs of them would fill the memory."""
SMOOTH = 0.975
"""Smoothness of bubbles that hold few letters; faces, cut into by hair, are at 0.93..0.98."""
BLANK_DEPTH, BLANK_SMOOTH, BLANK_LEVEL = 0.042, 0.97, 215
"""Radius of the widest disc in a blank bubble (page widths), its smoothness and its darkest px."""
MARK_LEVEL = 200
"""Marks are erased with their anti-aliased rim."""


@dataclass(frozen=True, slots=True)
class Glyphs:
    """Dark marks of the size of letters or parts of letters; arrays of equal length, px."""

    x: NDArray[np.int32]
    y: NDArray[np.int32]
    w: NDArray[np.int32]
    h: NDArray[np.int32]
    area: NDArray[np.int32]

    def inside(self, x: int, y: int, closed: Mask) -> Glyphs:
        """Those that lie wholly in `closed`, a mask whose corner stands at (x, y) of the page."""
        height, width = closed.shape
        left, top = self.x - x, self.y - y
        right, bottom = left + self.w - 1, top + self.h - 1
        near = np.flatnonzero((left >= 0) & (top >= 0) & (right < width) & (bottom < height))
        left, top, right, bottom = left[near], top[near], right[near], bottom[near]
        held = closed[top, left] & closed[top, right] & closed[bottom, left] & closed[bottom, right]
        kept = near[held]
        return Glyphs(self.x[kept], self.y[kept], self.w[kept], self.h[kept], self.area[kept])

    def __len__(self) -> int:
        return len(self.x)


def find_glyphs(gray: Gray, unit: float) -> Glyphs:
    """All marks on the page of the size of letters.

    Args:
        gray: (H, W) uint8.
        unit: width of a page in px.
    """
    _, stats = components(gray < INK_LEVEL, 8)
    x, y, w, h, area = (stats[1:, i] for i in range(5))
    size = np.maximum(w, h)
    fit = (size >= max(3, 0.0045 * unit)) & (size <= 0.075 * unit) & (area > 0.1 * w * h)
    return Glyphs(x[fit], y[fit], w[fit], h[fit], area[fit])


def without_marks(gray: Gray, unit: float) -> Gray:
    """The page with its small marks white: what is left are outlines, hatching and solid black.

    Args:
        gray: (H, W) uint8.
        unit: width of a page in px.
    """
    labels, stats = components(gray < MARK_LEVEL, 8)
    small = np.maximum(stats[:, cv2.CC_STAT_WIDTH], stats[:, cv2.CC_STAT_HEIGHT]) <= 0.05 * unit
    small[0] = False
    return np.asarray(np.where(small[labels], 255, gray), np.uint8)


@dataclass(frozen=True, slots=True)
class LetteringMeasures:
    """What tells a bubble from a face or a shirt; shares are 0..1."""

    glyphs: int
    ink_share: float
    """Part of all ink in the region that belongs to glyphs."""
    density: float
    """Ink over the area of the box around the glyphs."""
    aligned: float
    """Part of the glyphs that have a neighbour of like size in their row or column."""
    rowed: float
    """Part of the glyphs' ink that stands in a row or column of letters: equal in height, side by side."""
    regular: float
    """Part of the glyphs of about the typical size."""
    solidity: float
    """Area over that of the convex hull."""
    centred: float
    """Distance of the glyphs' box from the middle of the region, in half sides: 0 in the middle, 1 at the edge."""
    box: float
    """Area of the glyphs' box over the region's."""
    size: float
    """Typical glyph size over the region's shorter side."""
    tone: float
    """Part of the region that is neither paper nor ink."""


def measure(gray: Gray, closed: Mask, held: Glyphs, x: int, y: int) -> LetteringMeasures:
    """Measures of one closed region.

    Args:
        gray: (h, w) uint8, the part of the page under `closed`.
        closed: (h, w) bool, the region with its holes filled.
        held: the glyphs inside, at least one.
        x: column of the page that `closed` starts at.
        y: row of the page that `closed` starts at.
    """
    core = cv2.erode(closed.astype(np.uint8), np.ones((5, 5), np.uint8), borderValue=0) > 0
    values = gray[core]
    ink = int((values < INK_LEVEL).sum())
    height, width = closed.shape
    left, top = int(held.x.min()) - x, int(held.y.min()) - y
    right, bottom = int((held.x + held.w).max()) - x, int((held.y + held.h).max()) - y
    box = (right - left) * (bottom - top)
    sizes = np.maximum(held.w, held.h)
    typical = float(np.percentile(sizes, 60))
    contours, _ = cv2.findContours(closed.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    hull = cv2.contourArea(cv2.convexHull(np.concatenate(contours)))
    area = float(closed.sum())
    return LetteringMeasures(
        glyphs=len(held),
        ink_share=min(1.0, float(held.area.sum()) / max(1, ink)),
        density=float(held.area.sum()) / max(1, box),
        aligned=_aligned(held, sizes),
        rowed=_rowed(held),
        regular=float(((sizes > 0.5 * typical) & (sizes < 1.7 * typical)).mean()),
        solidity=min(1.0, area / max(1.0, hull)),
        centred=max(abs(left + right - width) / width, abs(top + bottom - height) / height),
        box=box / area,
        size=typical / min(width, height),
        tone=float(((values >= INK_LEVEL) & (values < 215)).sum()) / max(1, values.size),
    )


def _aligned(glyphs: Glyphs, sizes: NDArray[np.int32]) -> float:
    middle_x, middle_y = glyphs.x + glyphs.w / 2, glyphs.y + glyphs.h / 2
    across = np.abs(middle_x[:, None] - middle_x[None])
    down = np.abs(middle_y[:, None] - middle_y[None])
    larger = np.maximum(sizes[:, None], sizes[None])
    alike = larger < 1.7 * np.minimum(sizes[:, None], sizes[None])
    np.fill_diagonal(alike, False)
    in_line = (np.minimum(across, down) < 0.35 * larger) & (np.maximum(across, down) < 2 * larger)
    return float((alike & in_line).any(1).mean())


def _rowed(glyphs: Glyphs) -> float:
    across = _side_by_side(glyphs.x, glyphs.w, glyphs.y, glyphs.h)
    down = _side_by_side(glyphs.y, glyphs.h, glyphs.x, glyphs.w)
    return float(glyphs.area[across | down].sum() / glyphs.area.sum())


def _side_by_side(
    along: NDArray[np.int32], length: NDArray[np.int32], low: NDArray[np.int32], size: NDArray[np.int32]
) -> Mask:
    """Which glyphs have a neighbour that starts and ends level with them, a letter's gap away."""
    high, end = low + size, along + length
    larger = np.maximum(size[:, None], size[None])
    level = np.maximum(abs(low[:, None] - low[None]), abs(high[:, None] - high[None])) <= 0.2 * larger + 1
    gap = np.maximum(along[:, None], along[None]) - np.minimum(end[:, None], end[None])
    np.fill_diagonal(level, False)
    return np.asarray((level & (gap <= 0.6 * larger)).any(1), bool)


def holds_lettering(gray: Gray, closed: Mask, held: Glyphs, x: int, y: int) -> bool:
    """Whether a closed bright region is a bubble or a caption; arguments as of `measure`."""
    return 0 < len(held) <= MOST_LETTERS and judge(measure(gray, closed, held, x, y))


def judge(m: LetteringMeasures) -> bool:
    """Whether measures are those of a bubble.

    Faces are the near miss: bright, with a few small dark marks. Their marks are thin for the room that they take
    up (density), stand in no row, and spread over the whole region (box).
    """
    if m.ink_share < 0.8 or m.tone > 0.12 or m.centred > 0.4:
        return False
    if m.glyphs == 1:
        return m.solidity > 0.96 and m.centred < 0.15 and m.density > 0.2 and m.box < 0.2 and 0.08 < m.size < 0.23
    if m.glyphs < 6:
        burst = m.glyphs >= 4 and m.solidity > 0.75 and m.box < 0.25 and m.centred < 0.15
        return m.density > 0.16 and 0.03 < m.box < 0.35 and ((m.solidity > 0.92 and m.centred < 0.27) or burst)
    if m.glyphs < 15:
        if m.size > 0.2 and m.box > 0.45 and m.aligned < 0.7:  # eyes, brows, nose and mouth of a small face
            return False
        dense = m.density > 0.17 and (m.box < 0.3 or m.aligned > 0.5) and m.solidity > 0.75
        compact = m.density > 0.12 and m.box < 0.3 and m.solidity > 0.93
        in_rows = m.aligned >= 0.65 and m.rowed > 0.1 and m.regular >= 0.6 and m.density > 0.055 and m.solidity > 0.85
        return dense or compact or in_rows
    return m.solidity > 0.7 and m.density > 0.05 and (m.aligned > 0.7 or (m.aligned > 0.45 and m.density > 0.13))


def sparse_lettering(gray: Gray, closed: Mask, held: Glyphs, x: int, y: int) -> bool:
    """Whether a closed bright region has the outline of a bubble and a few letters; arguments as of `measure`.

    Letters are drawn with one pen and stand side by side; the marks of a face are neither.
    """
    if not FEWEST_LETTERS <= len(held) <= MOST_LETTERS:
        return False
    m = measure(gray, closed, held, x, y)
    if m.ink_share < 0.9 or m.tone > 0.05 or m.centred > 0.42 or m.solidity < 0.8 or m.rowed < 0.5:
        return False
    return _stroke_variation(gray, held, x, y) < 0.3 and _smoothness(_depth(closed)) > SMOOTH


def is_blank_bubble(gray: Gray, closed: Mask, unit: float) -> bool:
    """Whether a closed region is nothing but paper, wide and smooth as a bubble without its lettering.

    Args:
        gray: (h, w) uint8, the part of the page under `closed`.
        closed: (h, w) bool, the region with its holes filled.
        unit: width of a page in px.
    """
    depth = _depth(closed)
    inner = gray[depth[1:-1, 1:-1] > 3]
    if depth.max() < BLANK_DEPTH * unit or not inner.size or inner.min() < BLANK_LEVEL:
        return False
    return _smoothness(depth) > BLANK_SMOOTH


def _stroke_variation(gray: Gray, held: Glyphs, x: int, y: int) -> float:
    """Deviation of the glyphs' widest strokes over their mean."""
    depth = cv2.distanceTransform((gray < STROKE_LEVEL).astype(np.uint8), cv2.DIST_L2, 5)
    boxes = zip(held.x - x, held.y - y, held.w, held.h, strict=True)
    strokes = np.array([depth[top : top + h, left : left + w].max() for left, top, w, h in boxes])
    return float(strokes.std() / strokes.mean())


def _depth(closed: Mask) -> NDArray[np.float32]:
    """Distance to the region's outline, px; padded by 1."""
    shape = np.pad(closed, 1).astype(np.uint8)
    return np.asarray(cv2.distanceTransform(shape, cv2.DIST_L2, 5), np.float32)


def _smoothness(depth: NDArray[np.float32]) -> float:
    """Part of a shape that a disc of a third of its depth reaches: 1 where it has neither spikes nor notches."""
    radius = 0.35 * float(depth.max())
    reach = cv2.distanceTransform((depth < radius).astype(np.uint8), cv2.DIST_L2, 5)
    shape = depth > 0
    return float((shape & (reach < radius)).sum() / shape.sum())
