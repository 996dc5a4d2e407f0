"""The sheet and the pen: all drawing is done three times larger and averaged down, which gives the clean lines."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from mangapaint.demo.curves import Points, points
from mangapaint.demo.tones import INK, PAPER, Paint
from mangapaint.page import Bytes2D

_SHIFT = 4  # fractional bits of the coordinates handed to cv2


class Canvas:
    """A white page of width x height px, drawn on in page coordinates."""

    def __init__(self, width: int, height: int, oversampling: int = 3) -> None:
        self.width, self.height = width, height
        self.oversampling = oversampling
        self._sheet: Bytes2D = np.full((height * oversampling, width * oversampling), PAPER, np.uint8)
        self._left, self._top = 0, 0

    def finished(self) -> Bytes2D:
        """The page as (height, width) uint8."""
        size = (self.width, self.height)
        return np.asarray(cv2.resize(self._sheet, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)

    def fill(self, shape: Points, paint: Paint, *, over: bool = False) -> None:
        """Fill a polygon; with `over` the paint only darkens, as a tone laid over line art does."""
        device = self._device(shape)
        if isinstance(paint, int) and not over:
            cv2.fillPoly(self._sheet, [device], paint, shift=_SHIFT)
            return
        left, top, right, bottom = self._bounds(device)
        if left >= right or top >= bottom:
            return
        mask = np.zeros((bottom - top, right - left), np.uint8)
        cv2.fillPoly(mask, [device - (np.array([left, top]) << _SHIFT)], 255, shift=_SHIFT)
        self._apply(mask, left, top, paint, over)

    def stroke(self, path: Points, widths: NDArray[np.float64], paint: Paint = INK) -> None:
        """A line whose width in px is given per point; the ends are round."""
        device, radii = self._device(path), np.maximum(widths * self.oversampling - 1, 0.3) / 2
        if isinstance(paint, int):
            _tube(self._sheet, device, radii, paint)
            return
        left, top, right, bottom = self._bounds(device, margin=int(radii.max()) + 1)
        if left >= right or top >= bottom:
            return
        mask = np.zeros((bottom - top, right - left), np.uint8)
        _tube(mask, device - (np.array([left, top]) << _SHIFT), radii, 255)
        self._apply(mask, left, top, paint, over=False)

    def print_mask(self, mask: Bytes2D, x: float, y: float, paint: int) -> None:
        """Lay an oversampled coverage mask (0..255), its top left corner at x, y, in a flat shade."""
        left, top = round(x * self.oversampling) - self._left, round(y * self.oversampling) - self._top
        rows = slice(max(0, top), min(self._sheet.shape[0], top + mask.shape[0]))
        columns = slice(max(0, left), min(self._sheet.shape[1], left + mask.shape[1]))
        if rows.start >= rows.stop or columns.start >= columns.stop:
            return
        cover = mask[rows.start - top : rows.stop - top, columns.start - left : columns.stop - left].astype(np.uint16)
        below = self._sheet[rows, columns].astype(np.uint16)
        self._sheet[rows, columns] = ((below * (255 - cover) + paint * cover) // 255).astype(np.uint8)

    @contextmanager
    def clipped(self, shape: Points) -> Iterator[None]:
        """Whatever is drawn inside the block shows only inside the polygon."""
        device = self._device(shape)
        left, top, right, bottom = self._bounds(device)
        whole, origin = self._sheet, (self._left, self._top)
        area = (slice(top, max(top, bottom)), slice(left, max(left, right)))
        self._sheet = whole[area].copy()
        self._left, self._top = origin[0] + left, origin[1] + top
        try:
            yield
        finally:
            mask = np.zeros(self._sheet.shape, np.uint8)
            if mask.size:
                cv2.fillPoly(mask, [device - (np.array([left, top]) << _SHIFT)], 255, shift=_SHIFT)
                cv2.copyTo(self._sheet, mask, whole[area])
            self._sheet = whole
            self._left, self._top = origin

    def _device(self, shape: Points) -> NDArray[np.int32]:
        scaled = shape * self.oversampling - (self._left, self._top)
        return np.asarray(np.rint(np.clip(scaled, -30000, 30000) * (1 << _SHIFT)), dtype=np.int32)

    def _bounds(self, device: NDArray[np.int32], margin: int = 0) -> tuple[int, int, int, int]:
        low = (device.min(axis=0) >> _SHIFT) - margin
        high = (device.max(axis=0) >> _SHIFT) + margin + 2
        height, width = self._sheet.shape
        left, top = max(0, int(low[0])), max(0, int(low[1]))
        return left, top, min(width, int(high[0])), min(height, int(high[1]))

    def _apply(self, mask: Bytes2D, left: int, top: int, paint: Paint, over: bool) -> None:
        height, width = mask.shape
        below = self._sheet[top : top + height, left : left + width]
        if isinstance(paint, int):
            shades = np.full(mask.shape, paint, np.uint8)
        else:
            x = (np.arange(left, left + width, dtype=np.float64) + self._left)[None, :] / self.oversampling
            y = (np.arange(top, top + height, dtype=np.float64) + self._top)[:, None] / self.oversampling
            shades = paint(x, y)
        if over:
            shades = np.minimum(shades, below)
        cv2.copyTo(shades, mask, below)


def _tube(sheet: Bytes2D, device: NDArray[np.int32], radii: NDArray[np.float64], shade: int) -> None:
    """One trapezium per segment and discs at the bends: no holes where a thick line turns on itself."""
    way = np.diff(device, axis=0).astype(np.float64)
    way /= np.maximum(np.hypot(way[:, 0], way[:, 1]), 1)[:, None]
    across = np.column_stack([-way[:, 1], way[:, 0]]) * (1 << _SHIFT)
    start, end = across * radii[:-1, None], across * radii[1:, None]
    quads = np.stack([device[:-1] - start, device[1:] - end, device[1:] + end, device[:-1] + start], axis=1)
    for quad in np.rint(quads).astype(np.int32):
        cv2.fillConvexPoly(sheet, quad, shade, cv2.LINE_8, _SHIFT)
    bent = np.ones(len(device), dtype=np.bool_)
    bent[1:-1] = (np.sum(way[1:] * way[:-1], axis=1) < 0.97) | (radii[1:-1] > 5)
    for k in np.flatnonzero(bent & (radii > 0.8)):
        centre = (int(device[k, 0]), int(device[k, 1]))
        cv2.circle(sheet, centre, int(radii[k] * (1 << _SHIFT)), shade, -1, cv2.LINE_8, _SHIFT)


@dataclass(frozen=True)
class Pen:
    """Draws on a canvas in its own unit, placed, scaled and turned on the page.

    Attributes:
        canvas: where the ink goes.
        placement: (3, 3) float64, own unit to px of the page.
        weight: px of a line of width 1.
        turn: radians by which the drawing is turned around the y axis as if on a ball of radius `ball` (heads).
        nod: own units by which features on that ball move down (up where negative).
    """

    canvas: Canvas
    placement: NDArray[np.float64] = field(default_factory=lambda: np.eye(3))
    weight: float = 2.0
    turn: float = 0.0
    nod: float = 0.0
    ball: float = 1.0

    @property
    def scale(self) -> float:
        """Px of the page per own unit."""
        return float(np.sqrt(abs(np.linalg.det(self.placement[:2, :2]))))

    def at(
        self, x: float, y: float, scale: float = 1.0, angle: float = 0.0, *, flip: bool = False, weight: float = 0.0
    ) -> Pen:
        """A pen whose origin lies at x, y of this one; `angle` in degrees clockwise, `flip` mirrors left and right."""
        c, s = scale * np.cos(np.radians(angle)), scale * np.sin(np.radians(angle))
        way = -1.0 if flip else 1.0
        placement = self.placement @ np.array([[c * way, -s, x], [s * way, c, y], [0, 0, 1]])
        return replace(self, placement=placement, weight=weight or self.weight)

    def turned(self, turn: float, nod: float = 0.0, ball: float = 1.0) -> Pen:
        """A pen that draws on the front of a ball turned to the side; for what lies within the ball."""
        return replace(self, turn=turn, nod=nod, ball=ball)

    def placed(self, shape: ArrayLike) -> Points:
        """Points after the turn of the head, still in own units."""
        own = points(shape)
        if not (self.turn or self.nod):
            return own
        angle = np.arcsin(np.clip(own[:, 0] / self.ball, -1, 1)) + self.turn
        return np.column_stack([self.ball * np.sin(np.clip(angle, -1.5, 1.5)), own[:, 1] + self.nod])

    def on_page(self, shape: ArrayLike) -> Points:
        """Own points in px of the page."""
        return np.asarray(self.placed(shape) @ self.placement[:2, :2].T + self.placement[:2, 2])

    def fill(self, shape: ArrayLike, paint: Paint = PAPER) -> None:
        """Cover an area."""
        self.canvas.fill(self.on_page(shape), paint)

    def shade(self, shape: ArrayLike, tone: Paint) -> None:
        """Lay a tone over what is drawn."""
        self.canvas.fill(self.on_page(shape), tone, over=True)

    def stroke(
        self, path: ArrayLike, width: float = 1.0, taper: tuple[float, float] = (0.3, 0.3), paint: Paint = INK
    ) -> None:
        """A line, full in the middle; `taper` is what is left of the width at its start and end."""
        way = self.on_page(path)
        t = np.linspace(0, 1, len(way))
        swell = _rise(t, taper[0]) * _rise(1 - t, taper[1])
        self.canvas.stroke(way, width * self.weight * swell, paint)

    def line(self, path: ArrayLike, width: float = 1.0, paint: Paint = INK) -> None:
        """A line of even width."""
        self.stroke(path, width, (1.0, 1.0), paint)

    def limb(self, path: ArrayLike, widths: ArrayLike, paint: Paint = PAPER, outline: float = 1.0) -> None:
        """A tube along the path, `widths` per point in own units, with an outline heavier at the lower right."""
        way, wide = self.on_page(path), np.asarray(widths, dtype=np.float64) * self.scale
        if outline:
            edge = outline * self.weight
            self.canvas.stroke(way + 0.15 * edge, wide + 2.0 * edge)
        self.canvas.stroke(way, wide, paint)

    def shape(self, shape: ArrayLike, paint: Paint = PAPER, width: float = 1.0) -> None:
        """An area with an even outline."""
        self.fill(shape, paint)
        own = points(shape)
        self.line(np.vstack([own, own[:1]]), width)

    @contextmanager
    def clipped(self, shape: ArrayLike) -> Iterator[None]:
        """See Canvas.clipped."""
        with self.canvas.clipped(self.on_page(shape)):
            yield


def _rise(t: NDArray[np.float64], floor: float) -> NDArray[np.float64]:
    return np.asarray(floor + (1 - floor) * np.sqrt(np.clip(t / 0.45, 0, 1)))
