"""Pieces of manga-like pages with known faces: stamps in panels, lettering over them, and real pages with drawn boxes.

What comes from pictures whose faces nobody has marked is told apart, so that training can leave out what looks like a
face there.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

from train.synth import panels
from train.synth.facesheet import PAPER, UNKNOWN, Piece, Sheet, transformed
from train.synth.facestamps import Gray, Stamp, figure_stamp, toned

Made = TypeVar("Made")

FIGURES, HEADS, GROUNDS = 90, 48, 100
"""Drawings of each kind that are kept at hand: figures, heads of one size, other pictures. Drawing takes its time."""


@dataclass(frozen=True, eq=False)
class Marked:
    """A real page: (H, W) uint8 and boxes (N, 4) of its faces and of what counts neither way; x, y, right, bottom."""

    gray: Gray
    faces: NDArray[np.float64]
    ignore: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class PageOptions:
    """Shares and sizes of the pieces."""

    marked: float = 0.35
    """Share of pieces that are cut from real pages with marked faces."""
    smallest: float = 20.0
    """Side of the smallest pasted faces, px."""
    largest: float = 190.0
    figures: float = 0.12
    """Share of the demo's figures among the stamps."""
    cartoons: float = 0.2
    """Share of simple heads."""
    cut: float = 0.18
    """Share of heads cut from the marked pages."""


class Pool(Generic[Made]):
    """Keeps the last `most` things made; `fresh` is the share of calls that make a new one once it is full."""

    def __init__(self, most: int, fresh: float) -> None:
        self.kept: deque[Made] = deque(maxlen=most)
        self.fresh = fresh

    def one(self, make: Callable[[], Made], rng: np.random.Generator) -> Made:
        if len(self.kept) < (self.kept.maxlen or 1) or rng.random() < self.fresh:
            self.kept.append(make())
            return self.kept[-1]
        return self.kept[int(rng.integers(len(self.kept)))]


@dataclass(eq=False)
class Maker:
    """Makes pieces.

    Attributes:
        heads: gives a stamp whose face has about that many px a side, from anime crops or simple heads.
        art: gives some black-and-white drawing with unmarked faces, (H, W) uint8 of any size.
        marked: real pages.
        options: shares and sizes.
    """

    heads: Callable[[float, np.random.Generator], Stamp]
    art: Callable[[np.random.Generator], Gray]
    marked: Sequence[Marked]
    options: PageOptions = field(default_factory=PageOptions)
    figures: Pool[Stamp] = field(default_factory=lambda: Pool(FIGURES, 0.02))
    drawn: dict[int, Pool[Stamp]] = field(default_factory=dict)
    grounds: Pool[Gray] = field(default_factory=lambda: Pool(GROUNDS, 0.3))

    def piece(self, side: int, rng: np.random.Generator) -> Piece:
        """A square piece of a page."""
        sheet = Sheet(side)
        if self.marked and rng.random() < self.options.marked:
            self.cut_from_page(sheet, rng)
            if rng.random() < 0.3:
                for _ in range(int(rng.integers(1, 3))):
                    self.figure(sheet, (0, 0, side, side), rng)
        else:
            self.lay_out(sheet, rng)
        if rng.random() < 0.5:
            sheet.mirror()
        sheet.gray = worn(sheet.gray, rng)
        return sheet.piece()

    def cut_from_page(self, sheet: Sheet, rng: np.random.Generator) -> None:
        """Fill the sheet with a part of a real page in a random size, turned a little now and then."""
        page = self.marked[int(rng.integers(len(self.marked)))]
        height, width = page.gray.shape
        scale = float(np.exp(rng.uniform(np.log(480), np.log(1150)))) / height
        angle = float(rng.normal(0, 8)) if rng.random() < 0.3 else 0.0
        stretch = float(np.exp(rng.normal(0, 0.06)))
        turn = cv2.getRotationMatrix2D((0, 0), angle, 1.0)[:, :2] @ np.diag([scale * stretch, scale / stretch])
        span = sheet.side / scale
        middle = np.array(
            [
                rng.uniform(min(span / 2, width / 2), max(width - span / 2, width / 2)),
                rng.uniform(min(span / 2, height / 2), max(height - span / 2, height / 2)),
            ]
        )
        shift = sheet.side / 2 - turn @ middle
        matrix = np.column_stack([turn, shift])
        soft = page.gray if scale > 0.8 else cv2.GaussianBlur(page.gray, (0, 0), 0.35 / scale)
        sheet.gray[:] = cv2.warpAffine(soft, matrix, (sheet.side, sheet.side), flags=cv2.INTER_LINEAR, borderValue=255)
        if rng.random() < 0.35:
            sheet.gray = with_toned_blacks(sheet.gray, rng)
        for box in page.faces:
            sheet.own(transformed(tuple(box), matrix))
        sheet.ignore += [transformed(tuple(box), matrix) for box in page.ignore]

    def lay_out(self, sheet: Sheet, rng: np.random.Generator) -> None:
        """Panels with figures, bubbles and sounds."""
        side = sheet.side
        wide = int(rng.uniform(1.0, 1.9) * side)
        tall = int(wide * rng.uniform(1.25, 1.5))
        offset = np.array([rng.uniform(0, max(1, wide - side)), rng.uniform(0, max(1, tall - side))])
        unit = float(wide)
        gutter = 255 if rng.random() < 0.93 else 0
        sheet.gray[:] = gutter
        thick = max(1, round(unit * rng.uniform(0.0015, 0.0045)))
        laid = panels.layout(wide, tall, rng)
        for panel in laid:
            outline = panel.outline - offset
            low, high = np.floor(outline.min(0)).astype(int), np.ceil(outline.max(0)).astype(int)
            x0, y0 = (max(0, int(v)) for v in low)
            x1, y1 = (min(side, int(v)) for v in high)
            if x1 - x0 < 12 or y1 - y0 < 12:
                continue
            inner = Sheet(side, sheet)
            self.fill_panel(inner, (x0, y0, x1, y1), (int(low[0]), int(low[1]), int(high[0]), int(high[1])), unit, rng)
            inside = np.zeros((side, side), np.uint8)
            panels.fill(inside, outline, 255)
            sheet.take(inner, inside > 127)
            if panel.framed:
                panels.trace(sheet.gray, outline, 255 - gutter, thick)
        for panel in laid:
            outline = panel.outline - offset
            low, size = outline.min(0), np.ptp(outline, axis=0)
            if rng.random() < 0.12:
                box = (int(low[0]), int(low[1]), int(low[0] + size[0]), int(low[1] + size[1]))
                self.figure(sheet, box, rng)
            for _ in range(int(rng.choice([0, 1, 2, 3], p=[0.3, 0.35, 0.25, 0.1]))):
                span = np.minimum(size * rng.uniform(0.2, 0.5, 2), unit * rng.uniform(0.1, 0.28))
                sheet.bubble(low + size * rng.uniform(0.05, 0.95, 2), span, unit, rng)
            if rng.random() < 0.2:
                sheet.sound(low + size * rng.uniform(-0.05, 0.8, 2), unit * rng.uniform(0.03, 0.12), rng)

    def fill_panel(
        self,
        sheet: Sheet,
        seen: tuple[int, int, int, int],
        box: tuple[int, int, int, int],
        unit: float,
        rng: np.random.Generator,
    ) -> None:
        """Ground and figures of one panel; `seen` is the part of its bounding box on the sheet."""
        x0, y0, x1, y1 = seen
        place = np.s_[y0:y1, x0:x1]
        part = np.full((y1 - y0, x1 - x0), 255, np.uint8)
        kind = rng.random()
        sheet.owner[place] = PAPER
        if kind < 0.3:
            pass
        elif kind < 0.5:
            part[:] = int(rng.choice([0, 0, 235, 215, 190, 150, 90]))
            if rng.random() < 0.4:
                part[:] = np.linspace(rng.integers(0, 255), rng.integers(0, 255), len(part))[:, None].astype(np.uint8)
        elif kind < 0.6:
            panels.dots(part, rng)
        elif kind < 0.8:
            part[:] = panels.covering(self.grounds.one(lambda: self.art(rng), rng), x1 - x0, y1 - y0, rng)
            sheet.owner[place] = UNKNOWN
        elif self.marked:
            ground = self.faceless(x1 - x0, y1 - y0, rng)
            part[:] = part if ground is None else ground
        if rng.random() < 0.2:
            panels.speed_lines(part, rng)
        if rng.random() < 0.2:
            panels.straight_things(part, min(unit, 4.0 * min(part.shape)), rng)
        sheet.gray[place] = part
        for _ in range(int(rng.choice([0, 1, 2, 3, 5], p=[0.08, 0.37, 0.3, 0.17, 0.08]))):
            self.figure(sheet, box, rng)

    def faceless(self, width: int, height: int, rng: np.random.Generator) -> Gray | None:
        """A part of a marked page without a face: hands, clothes, machines, lettering; None where none was found."""
        for _ in range(4):
            page = self.marked[int(rng.integers(len(self.marked)))]
            scale = rng.uniform(0.3, 0.8)
            w, h = int(width / scale), int(height / scale)
            if w >= page.gray.shape[1] or h >= page.gray.shape[0]:
                continue
            x, y = int(rng.integers(0, page.gray.shape[1] - w)), int(rng.integers(0, page.gray.shape[0] - h))
            boxes = np.concatenate([page.faces, page.ignore])
            apart = (boxes[:, 0] >= x + w) | (boxes[:, 2] <= x) | (boxes[:, 1] >= y + h) | (boxes[:, 3] <= y)
            if apart.all():
                return np.asarray(
                    cv2.resize(page.gray[y : y + h, x : x + w], (width, height), interpolation=cv2.INTER_AREA), np.uint8
                )
        return None

    def figure(self, sheet: Sheet, box: tuple[int, int, int, int], rng: np.random.Generator) -> None:
        """Paste one figure whose head is about somewhere in the box."""
        options = self.options
        room = max(1.2 * options.smallest, min(options.largest, 0.7 * min(box[2] - box[0], box[3] - box[1])))
        size = float(np.exp(rng.uniform(np.log(options.smallest), np.log(room))))
        stamp = self.stamp(size, rng)
        height, width = stamp.gray.shape
        face = stamp.face or (0.3 * width, 0.3 * height, 0.7 * width, 0.7 * height)
        scale = size / math.sqrt(max(1.0, (face[2] - face[0]) * (face[3] - face[1])))
        kind = rng.random()
        angle = rng.normal(0, 7) if kind < 0.75 else rng.normal(0, 28) if kind < 0.97 else rng.uniform(-180, 180)
        flip = -1.0 if rng.random() < 0.5 else 1.0
        squeeze = float(np.clip(np.exp(rng.normal(0, 0.1)), 0.75, 1.3))
        turn = cv2.getRotationMatrix2D((0, 0), float(angle), 1.0)[:, :2] @ np.diag(
            [flip * scale * squeeze, scale / squeeze]
        )
        reach = np.array([0.2, 0.2]) * size if rng.random() < 0.25 else np.array([-0.45, -0.5]) * size
        low, high = np.array(box[:2]) - reach, np.array(box[2:]) + reach
        to = np.where(low < high, low + rng.random(2) * (high - low), (low + high) / 2)
        middle = np.array([(face[0] + face[2]) / 2, (face[1] + face[3]) / 2])
        sheet.paste(stamp, np.column_stack([turn, to - turn @ middle]), scale)

    def stamp(self, size: float, rng: np.random.Generator) -> Stamp:
        """A figure whose face is at least about that large."""
        kind = rng.random()
        if kind < self.options.figures and size < 90:
            return self.figures.one(lambda: figure_stamp(float(np.exp(rng.uniform(np.log(14), np.log(50)))), rng), rng)
        if kind > 1 - self.options.cut and self.marked:
            return self.cut_out(rng)
        # Sizes of a pool go by factors of 1.4: a drawing is pasted at most that much larger than it was asked for.
        step = math.floor(2 * math.log2(size))
        return self.drawn.setdefault(step, Pool(HEADS, 0.2)).one(lambda: self.heads(2 ** (0.5 * step + 0.5), rng), rng)

    def cut_out(self, rng: np.random.Generator) -> Stamp:
        """A head cut from a marked page."""
        page = self.marked[int(rng.integers(len(self.marked)))]
        x, y, right, bottom = page.faces[int(rng.integers(len(page.faces)))]
        w, h = right - x, bottom - y
        left, top = max(0, int(x - rng.uniform(0.1, 0.6) * w)), max(0, int(y - rng.uniform(0.2, 0.8) * h))
        gray = page.gray[top : int(bottom + rng.uniform(0.05, 0.5) * h), left : int(right + rng.uniform(0.1, 0.6) * w)]
        if rng.random() < 0.4:
            gray = with_toned_blacks(gray, rng)
        mask = np.full(gray.shape, 255, np.uint8)
        if rng.random() < 0.6:
            mask[:] = 0
            size = (float(gray.shape[1]), float(gray.shape[0]))
            cv2.ellipse(mask, ((size[0] / 2, size[1] / 2), size, 0.0), 255, -1)
        return Stamp(gray, mask, (x - left, y - top, right - left, bottom - top))


def with_toned_blacks(gray: Gray, rng: np.random.Generator) -> Gray:
    """Solid blacks, such as hair, as tone or white; lines stay."""
    side = int(rng.integers(3, 7))
    kernel = np.ones((side, side), np.uint8)
    solid = cv2.morphologyEx((gray < 90).astype(np.uint8), cv2.MORPH_OPEN, kernel)
    level = np.where(solid > 0, np.float32(rng.uniform(0, 0.8)), np.float32(0))
    drawn = toned(level, rng)
    edge = cv2.morphologyEx(solid, cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8)) > 0
    tone = np.where(edge & (rng.random() < 0.7), 0, drawn)
    return np.asarray(np.where(solid > 0, tone, gray), np.uint8)


def worn(gray: Gray, rng: np.random.Generator) -> Gray:
    """Thicker or thinner ink, tone over everything, soft focus; and the scanner."""
    kind = rng.random()
    if kind < 0.12:
        gray = np.asarray(cv2.erode(gray, np.ones((2, 2), np.uint8)), np.uint8)
    elif kind < 0.22:
        gray = np.asarray(cv2.dilate(gray, np.ones((2, 2), np.uint8)), np.uint8)
    if rng.random() < 0.25:  # the pen's lines at a scan of another size
        side = gray.shape[0]
        small = round(side * rng.uniform(0.45, 0.85))
        gray = np.asarray(
            cv2.resize(cv2.resize(gray, (small, small), interpolation=cv2.INTER_AREA), (side, side)), np.uint8
        )
    return panels.scanned(np.ascontiguousarray(gray), rng)


def from_json(rows: Mapping[str, Sequence[Sequence[float]]], gray: Gray) -> Marked:
    """A real page from {"faces": [[x, y, width, height], ...], "ignore": [...]}."""
    faces, ignore = (np.array(rows.get(key, []), np.float64).reshape(-1, 4) for key in ("faces", "ignore"))
    for boxes in (faces, ignore):
        boxes[:, 2:] += boxes[:, :2]
    return Marked(gray, faces, ignore)
