"""Panels of a page in reading order: straight cuts along gutters and frames, again and again."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from mangapaint.layout.evidence import EVIDENCE, rate, weigh
from mangapaint.layout.lines import Edges, Floats, Line, find_edges, find_lines
from mangapaint.layout.measure import Gray, Mask, page_unit
from mangapaint.layout.order import Direction, reading_order
from mangapaint.layout.paper import gutters
from mangapaint.page import Panel, Region

WORKING_UNIT = 700.0
"""Panels are looked for on a page reduced or enlarged to this width, px."""
LARGEST_SCALE = 4.0
"""Pictures of a few px are not blown up further; they hold no panels."""
SHORTEST_EDGE = 0.035
"""In page widths."""
LEVEL_FIRST = 1.0
"""Log odds by which a level cut may be less sure than an upright one and still be made first."""
SMALLEST_SIDE = 0.05
"""Shortest side of a panel, in page widths."""
INK = 200
"""Gray below this is drawn."""
FLAT = 12.0
"""Standard deviation of gray under which an area holds no drawing: a black bar."""
WHITE_SHARE = list(EVIDENCE).index("white")


def find_panels(gray: Gray, direction: Direction = "rtl") -> list[Panel]:
    """Panels in reading order.

    Args:
        gray: (H, W) uint8, 255 is white.
        direction: rtl for manga, ltr for western comics.

    Returns:
        The panels by their bounding boxes, which may overlap where gutters slant; a page without gutters is one
        panel, a blank page none.
    """
    sheet = prepared(gray)
    regions = [_to_page(box, sheet.scale, gray) for box in _leaves(sheet)]
    order = reading_order(regions, direction)
    return [Panel(regions[index], place) for place, index in enumerate(order)]


@dataclass(frozen=True, slots=True)
class Sheet:
    """A page at the working size, and what is known of all of it.

    Attributes:
        gray: (H, W) uint8.
        gutter: (H, W) uint8, not 0 where paper of margins and gutters is.
        edges: level and upright edges, each with the lines that they lie on.
        scale: px of the sheet per px of the page.
    """

    gray: Gray
    gutter: Gray
    edges: Sequence[tuple[Edges, list[Line]]]
    scale: float

    @property
    def outline(self) -> Floats:
        height, width = self.gray.shape
        return np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float64)


def prepared(gray: Gray) -> Sheet:
    """The sheet of a page, (H, W) uint8."""
    scale = min(LARGEST_SCALE, WORKING_UNIT / page_unit(gray))
    size = (max(1, round(gray.shape[1] * scale)), max(1, round(gray.shape[0] * scale)))
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    small = np.asarray(cv2.resize(gray, size, interpolation=method), np.uint8)
    edges = [(kind, find_lines(kind, WORKING_UNIT)) for kind in find_edges(small, SHORTEST_EDGE * WORKING_UNIT)]
    return Sheet(small, _shrunk(gutters(gray, neck=4), size), edges, scale)


def _shrunk(mask: Mask, size: tuple[int, int]) -> Gray:
    return np.asarray(cv2.resize(mask.astype(np.uint8) * 255, size, interpolation=cv2.INTER_AREA) > 127, np.uint8)


def _to_page(box: Region, scale: float, gray: Gray) -> Region:
    x, y = max(0, round(box.x / scale)), max(0, round(box.y / scale))
    right, bottom = min(gray.shape[1], round(box.right / scale)), min(gray.shape[0], round(box.bottom / scale))
    return Region(x, y, right - x, bottom - y)


def _leaves(sheet: Sheet) -> list[Region]:
    waiting, done = [sheet.outline], []
    while waiting:
        polygon = waiting.pop()
        box = content(sheet.gray, polygon)
        if box is None:
            continue
        polygon = trimmed(polygon, box)
        cut = _best_cut(sheet, polygon)
        if cut is None:
            done.append(box)
        else:
            waiting += [clipped(polygon, cut.point, cut.normal), clipped(polygon, cut.point, -cut.normal)]
    return done


@dataclass(frozen=True, slots=True)
class Cut:
    """A straight cut through a region of the page."""

    point: Floats
    normal: Floats
    evidence: Floats
    upright: bool


def _best_cut(sheet: Sheet, polygon: Floats) -> Cut | None:
    level, upright = (_best_of(sheet, polygon, edges, lines) for edges, lines in sheet.edges)
    if level and (upright is None or rate(level.evidence) >= rate(upright.evidence) - LEVEL_FIRST):
        return level
    return upright


def _best_of(sheet: Sheet, polygon: Floats, edges: Edges, lines: list[Line]) -> Cut | None:
    best, score = None, 0.0
    for cut in cuts(sheet, polygon, edges, lines):
        if (rated := rate(cut.evidence)) > score and divides(sheet, polygon, cut):
            best, score = cut, rated
    return best


def cuts(sheet: Sheet, polygon: Floats, edges: Edges, lines: list[Line]) -> Iterator[Cut]:
    """All cuts of a region along lines of one orientation, likely or not."""
    for line in lines:
        chord = _chord(polygon, line.point, line.along)
        if chord is None or line.support < 0.25 * np.hypot(*(chord[1] - chord[0])):
            continue
        side = (polygon - line.point) @ line.outward
        room = float(min(side.max(), -side.min()))
        evidence = weigh(sheet.gray, sheet.gutter, edges, line, *chord, room=room, unit=WORKING_UNIT)
        # A gutter is cut along its white, a shared frame line along its middle.
        shift = 2.5 if evidence[WHITE_SHARE] > 0.5 else -1.5
        yield Cut(line.point + shift * line.outward, line.outward, evidence, edges.upright)


def divides(sheet: Sheet, polygon: Floats, cut: Cut) -> bool:
    """Whether both parts hold drawing."""
    return all(content(sheet.gray, clipped(polygon, cut.point, n)) for n in (cut.normal, -cut.normal))


def content(gray: Gray, polygon: Floats) -> Region | None:
    """Box of what is drawn in the polygon; None when that is too small for a panel."""
    if len(polygon) < 3 or cv2.contourArea(polygon.astype(np.float32)) < (SMALLEST_SIDE * WORKING_UNIT) ** 2:
        return None
    x, y, w, h = cv2.boundingRect(polygon.astype(np.float32))
    window = Region(x, y, w, h).intersection(Region(0, 0, gray.shape[1], gray.shape[0]))
    if not window.area:
        return None
    mask = np.zeros((window.height, window.width), np.uint8)
    cv2.fillConvexPoly(mask, np.rint(polygon - (window.x, window.y)).astype(np.int32), 1)
    ink = (mask > 0) & (gray[window.slices] < INK)
    columns = np.flatnonzero(ink.sum(0) > 0.015 * window.height)
    rows = np.flatnonzero(ink.sum(1) > 0.015 * window.width)
    if not len(columns) or not len(rows):
        return None
    box = Region(
        window.x + int(columns[0]),
        window.y + int(rows[0]),
        int(columns[-1] - columns[0]) + 1,
        int(rows[-1] - rows[0]) + 1,
    )
    if min(box.width, box.height) < SMALLEST_SIDE * WORKING_UNIT:
        return None
    return box if float(gray[box.slices].std()) > FLAT else None


def trimmed(polygon: Floats, box: Region) -> Floats:
    """The part of a convex polygon inside a box."""
    for point, normal in (
        ((box.x, 0), (1, 0)),
        ((box.right, 0), (-1, 0)),
        ((0, box.y), (0, 1)),
        ((0, box.bottom), (0, -1)),
    ):
        polygon = clipped(polygon, np.array(point, np.float64), np.array(normal, np.float64))
    return polygon


def clipped(polygon: Floats, point: Floats, normal: Floats) -> Floats:
    """The part of a convex polygon on the side of the line through `point` that `normal` points to; (0..N + 1, 2)."""
    side = (polygon - point) @ normal
    result = []
    for i in range(len(polygon)):
        j = (i + 1) % len(polygon)
        if side[i] >= 0:
            result.append(polygon[i])
        if (side[i] >= 0) != (side[j] >= 0):
            result.append(polygon[i] + (polygon[j] - polygon[i]) * side[i] / (side[i] - side[j]))
    return np.array(result, np.float64).reshape(-1, 2)


def _chord(polygon: Floats, point: Floats, along: Floats) -> tuple[Floats, Floats] | None:
    """Where the line through `point` enters and leaves a convex polygon."""
    normal = np.array([-along[1], along[0]])
    side = (polygon - point) @ normal
    crossings = []
    for i in range(len(polygon)):
        j = (i + 1) % len(polygon)
        if (side[i] >= 0) != (side[j] >= 0):
            crossings.append(polygon[i] + (polygon[j] - polygon[i]) * side[i] / (side[i] - side[j]))
    return (crossings[0], crossings[1]) if len(crossings) == 2 else None
