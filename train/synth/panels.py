"""Synthetic manga pages with known panels: layouts, frames, gutters, and whatever crosses them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from mangapaint.layout.panels import clipped
from train.synth.pages import LETTERS

Gray = NDArray[np.uint8]
Polygon = NDArray[np.float64]
Art = Callable[[np.random.Generator], Gray]
"""Gives some black-and-white drawing, (H, W) uint8 of any size."""

SHIFT = 4
"""Bits of the fraction in cv2's drawing calls."""


@dataclass
class Laid:
    """A panel to be drawn: its convex outline in px of the canvas, whether it has a frame and lies over others."""

    outline: Polygon
    framed: bool = True
    inset: bool = False


def rectangle(x: float, y: float, right: float, bottom: float) -> Polygon:
    return np.array([[x, y], [right, y], [right, bottom], [x, bottom]], np.float64)


def split(
    area: Polygon, gaps: tuple[float, float], slant: float, unit: float, rng: np.random.Generator, depth: int = 0
) -> list[Polygon]:
    """Guillotine cuts again and again; `gaps` are those of upright and level gutters, px."""
    low, high = area.min(0), area.max(0)
    size = high - low
    smallest = unit * rng.uniform(0.1, 0.2)
    can = [axis for axis in (0, 1) if size[axis] > 2.2 * smallest]
    stop = (0.0, 0.04, 0.3, 0.6, 0.8)[min(depth, 4)] + 0.5 * float(size[0] * size[1] < 0.1 * unit * unit)
    if not can or depth > 5 or rng.random() < stop:
        return [area]
    share = 1.15 * size[1] / (size[0] + 1.15 * size[1]) + (0.2 if depth == 0 else 0)
    axis = 1 if 1 in can and (rng.random() < share or 0 not in can) else 0
    point = (low + high) / 2
    point[axis] = low[axis] + smallest + (size[axis] - 2 * smallest) * float(rng.beta(1.6, 1.6))
    lean = float(np.clip(rng.normal(0, 0.09), -0.3, 0.3)) if rng.random() < slant else 0.0
    normal = np.array([1.0, lean] if axis == 0 else [lean, 1.0])
    normal /= np.hypot(*normal)
    gap = gaps[axis] * rng.uniform(0.85, 1.15)
    if rng.random() < 0.06:
        gap = 0.0
    elif rng.random() < 0.06:
        gap *= rng.uniform(1.5, 3)
    parts = [clipped(area, point + normal * gap / 2, normal), clipped(area, point - normal * gap / 2, -normal)]
    if any(len(part) < 3 or (part.max(0) - part.min(0)).min() < 0.06 * unit for part in parts):
        return [area]
    return [leaf for part in parts for leaf in split(part, gaps, slant, unit, rng, depth + 1)]


def pinwheel(area: Polygon, gaps: tuple[float, float], rng: np.random.Generator) -> list[Polygon]:
    """Four panels around a fifth, which no straight cut divides."""
    (x, y), (right, bottom) = area.min(0), area.max(0)
    w, h = right - x, bottom - y
    a, b = x + w * rng.uniform(0.25, 0.42), x + w * rng.uniform(0.58, 0.75)
    c, d = y + h * rng.uniform(0.25, 0.42), y + h * rng.uniform(0.58, 0.75)
    u, v = gaps[0] / 2, gaps[1] / 2
    found = [
        rectangle(x, y, b - u, c - v),
        rectangle(b + u, y, right, d - v),
        rectangle(a + u, d + v, right, bottom),
        rectangle(x, c + v, a - u, bottom),
        rectangle(a + u, c + v, b - u, d - v),
    ]
    if rng.random() < 0.5:
        found = [part * (-1, 1) + (x + right, 0) for part in found]
    return found


def layout(width: int, height: int, rng: np.random.Generator) -> list[Laid]:
    """Outlines of one page in the order in which they are drawn, insets last."""
    unit = min(float(width), height / 1.3)
    margins = unit * rng.uniform(0.0, 0.09, 4) if rng.random() < 0.8 else unit * np.full(4, rng.uniform(0.01, 0.1))
    area = rectangle(margins[0], margins[1], width - margins[2], height - margins[3])
    level = unit * float(np.exp(rng.uniform(np.log(0.006), np.log(0.035))))
    gaps = (level * rng.uniform(0.4, 1.0), level)
    slant = float(rng.choice([0.0, 0.3, 0.8]))
    outlines = split(area, gaps, slant, unit, rng)
    if rng.random() < 0.08:
        whole = max(outlines, key=lambda part: float(np.prod(part.max(0) - part.min(0))))
        outlines = [part for part in outlines if part is not whole] + pinwheel(whole, gaps, rng)
    middle = np.array([width / 2, height / 2])
    turn = float(rng.normal(0, 0.006)) if rng.random() < 0.3 else 0.0
    rotation = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    bleeds = rng.random() < 0.5
    bare = rng.choice([0.0, 0.06, 0.3], p=[0.5, 0.35, 0.15])
    panels = []
    for outline in outlines:
        if bleeds and rng.random() < 0.45:
            outline = bled(outline, area, width, height)
        outline = (outline - middle) @ rotation.T + middle
        panels.append(Laid(outline, bool(rng.random() >= bare)))
    if rng.random() < 0.3:
        panels += [inset(panels, unit, rng) for _ in range(int(rng.integers(1, 3)))]
    return panels


def bled(outline: Polygon, area: Polygon, width: int, height: int) -> Polygon:
    """The outline with all sides on the type area pulled out over the edge of the page."""
    result, edge = outline.copy(), 20.0
    (x, y), (right, bottom) = area.min(0), area.max(0)
    result[outline[:, 0] < x + 1, 0] = -edge
    result[outline[:, 1] < y + 1, 1] = -edge
    result[outline[:, 0] > right - 1, 0] = width + edge
    result[outline[:, 1] > bottom - 1, 1] = height + edge
    return result


def inset(panels: list[Laid], unit: float, rng: np.random.Generator) -> Laid:
    """A small panel over a part of a larger one, often over its corner or side."""
    below = max(panels[: max(1, len(panels))], key=lambda p: float(np.prod(p.outline.max(0) - p.outline.min(0))))
    low, high = below.outline.min(0), below.outline.max(0)
    size = np.clip((high - low) * rng.uniform(0.2, 0.5, 2), 0.09 * unit, 0.45 * unit)
    at = low + (high - low - size) * np.where(rng.random(2) < 0.5, rng.integers(0, 2, 2), rng.random(2))
    at += rng.uniform(-0.04, 0.04, 2) * unit
    return Laid(rectangle(*at, *(at + size)), inset=True)


def fixed(outline: Polygon) -> NDArray[np.int32]:
    return np.rint(outline * (1 << SHIFT)).astype(np.int32)


def fill(canvas: Gray, outline: Polygon, shade: int) -> None:
    cv2.fillConvexPoly(canvas, fixed(outline), shade, cv2.LINE_AA, SHIFT)


def trace(canvas: Gray, outline: Polygon, shade: int, thickness: int) -> None:
    cv2.polylines(canvas, [fixed(outline)], True, shade, thickness, cv2.LINE_AA, SHIFT)


def covering(art: Gray, width: int, height: int, rng: np.random.Generator) -> Gray:
    """A random crop of the drawing, enlarged to (height, width)."""
    span = min(art.shape[1] / width, art.shape[0] / height) * rng.uniform(0.6, 1.0)
    w, h = max(2, int(width * span)), max(2, int(height * span))
    x, y = int(rng.integers(0, art.shape[1] - w + 1)), int(rng.integers(0, art.shape[0] - h + 1))
    piece = art[y : y + h, x : x + w]
    piece = piece[:, ::-1] if rng.random() < 0.5 else piece
    method = cv2.INTER_AREA if w > width else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(np.ascontiguousarray(piece), (width, height), interpolation=method), np.uint8)


def blob(width: int, height: int, rng: np.random.Generator) -> Polygon:
    """A figure's outline of that size: a wobbly ellipse."""
    turns = np.linspace(0, 2 * np.pi, 40, endpoint=False)
    radius = 0.42 + sum(rng.normal(0, 0.06 / k) * np.sin(k * turns + rng.uniform(0, 6)) for k in range(2, 8))
    points = np.stack([np.cos(turns), np.sin(turns)], 1) * np.asarray(radius)[:, None]
    return np.asarray((points + 0.5) * (width, height), np.float64)


def figure(canvas: Gray, art: Gray, at: tuple[int, int], size: tuple[int, int], rng: np.random.Generator) -> None:
    """A cut-out of a drawing with a pen outline, anywhere on the canvas."""
    width, height = size
    outline = blob(width, height, rng)
    mask = np.zeros((height, width), np.uint8)
    cv2.fillPoly(mask, [fixed(outline)], 255, cv2.LINE_AA, SHIFT)
    piece = covering(art, width, height, rng)
    thickness = int(rng.integers(1, 5))
    cv2.polylines(piece, [fixed(outline)], True, 0, 2 * thickness, cv2.LINE_AA, SHIFT)
    if rng.random() < 0.3:  # a white rim around the figure
        wide = cv2.dilate(mask, np.ones((9, 9), np.uint8))
        piece[(mask < 128) & (wide >= 128)] = 255
        mask = np.asarray(wide, np.uint8)
    x, y = at
    x0, y0, x1, y1 = max(0, x), max(0, y), min(canvas.shape[1], x + width), min(canvas.shape[0], y + height)
    if x1 <= x0 or y1 <= y0:
        return
    place = np.s_[y0:y1, x0:x1]
    part = np.s_[y0 - y : y1 - y, x0 - x : x1 - x]
    canvas[place] = np.where(mask[part] > 127, piece[part], canvas[place])


def content(size: tuple[int, int], art: Art, unit: float, rng: np.random.Generator) -> Gray:
    """(height, width) of drawing for one panel."""
    width, height = size
    kind = rng.random()
    if kind < 0.6:
        inside = covering(art(rng), width, height, rng)
    else:
        shade = int(rng.choice([255, 255, 255, 0, 0, 200, 150, 90])) if rng.random() < 0.8 else int(rng.integers(256))
        inside = np.full((height, width), shade, np.uint8)
        if rng.random() < 0.35:
            dots(inside, rng)
        if rng.random() < 0.3:
            speed_lines(inside, rng)
        if kind < 0.92:
            for _ in range(int(rng.integers(1, 3))):
                w, h = (max(8, int(side * rng.uniform(0.35, 1.2))) for side in (width, height))
                where = (int(rng.uniform(-0.4 * w, width - 0.6 * w)), int(rng.uniform(-0.2 * h, height - 0.4 * h)))
                figure(inside, art(rng), where, (w, h), rng)
    if rng.random() < 0.22:
        straight_things(inside, unit, rng)
    if rng.random() < 0.06:
        speed_lines(inside, rng)
    return inside


def dots(inside: Gray, rng: np.random.Generator) -> None:
    """Screentone over everything or under a level line."""
    turn = 2 * np.pi / float(rng.uniform(3, 8))
    rows, columns = (np.cos(np.arange(side, dtype=np.float32) * turn) for side in inside.shape)
    wave = 2 * rows[:, None] * columns  # cos(a + b) + cos(a - b)
    start = int(rng.integers(0, inside.shape[0])) if rng.random() < 0.5 else 0
    inside[start:][wave[start:] > rng.uniform(-0.5, 1.2)] = 0


def speed_lines(inside: Gray, rng: np.random.Generator) -> None:
    height, width = inside.shape
    centre = np.array([rng.uniform(0, width), rng.uniform(0, height)])
    reach = float(width + height)
    shade = int(rng.choice([0, 0, 255]))
    angle = rng.uniform(0, np.pi) if rng.random() < 0.5 else float(rng.choice([0, np.pi / 2])) + rng.normal(0, 0.03)
    parallel = rng.random() < 0.5
    for _ in range(int(rng.integers(15, 60))):
        if parallel:
            way = np.array([np.cos(angle), np.sin(angle)])
            start = np.array([rng.uniform(0, width), rng.uniform(0, height)]) - way * rng.uniform(0, 0.5) * reach
        else:
            turn = rng.uniform(0, 2 * np.pi)
            way = np.array([np.cos(turn), np.sin(turn)])
            start = centre + way * rng.uniform(0.15, 0.5) * reach * 0.5
        end = start + way * reach * rng.uniform(0.3, 1.0)
        ends = [tuple(int(v) for v in np.rint(point)) for point in (start, end)]
        cv2.line(inside, ends[0], ends[1], shade, int(rng.integers(1, 4)), cv2.LINE_AA)


def straight_things(inside: Gray, unit: float, rng: np.random.Generator) -> None:
    """Doors, windows, screens, walls: straight lines that are no frames."""
    height, width = inside.shape
    for _ in range(int(rng.integers(1, 4))):
        thick, shade = int(rng.integers(1, 6)), int(rng.choice([0, 0, 0, 255]))
        if rng.random() < 0.5:
            w, h = rng.uniform(0.05, 0.5) * unit, rng.uniform(0.05, 0.5) * unit
            x, y = rng.uniform(-0.3 * w, width - 0.5 * w), rng.uniform(-0.3 * h, height - 0.5 * h)
            box = rectangle(x, y, x + w, y + h) + rng.normal(0, 0.02 * unit, (4, 2)) * float(rng.random() < 0.6)
            if rng.random() < 0.3:
                fill(inside, cv2.convexHull(box.astype(np.float32))[:, 0].astype(np.float64), int(rng.integers(256)))
            trace(inside, box, shade, thick)
            if rng.random() < 0.4:
                trace(inside, (box - box.mean(0)) * 0.9 + box.mean(0), shade, max(1, thick // 2))
        else:
            axis = int(rng.integers(2))
            ends = np.array([[0.0, 0.0], [width, height]])
            ends[:, axis] = rng.uniform(0, (width, height)[axis]) + rng.normal(0, 0.02 * unit, 2)
            first, last = (tuple(int(v) for v in np.rint(point)) for point in ends)
            cv2.line(inside, first, last, shade, thick, cv2.LINE_AA)


def lettering(canvas: Gray, box: tuple[int, int, int, int], size: float, shade: int, rng: np.random.Generator) -> None:
    """Rows or columns of letters or brush-like signs inside x, y, right, bottom; `size` px each."""
    x, y, right, bottom = box
    upright = rng.random() < 0.6
    across, down = (y, bottom), (x, right)
    step = size * rng.uniform(1.05, 1.35)
    thick = max(1, round(size / 9))
    for line in np.arange((down if upright else across)[0] + size, (down if upright else across)[1], step):
        length = rng.uniform(0.5, 1.0)
        start, end = across if upright else down
        for along in np.arange(start + size, start + (end - start) * length, size * 1.02):
            px, py = (line - size, along - size) if upright else (along - size, line - size)
            if rng.random() < 0.3:
                text = str(rng.choice(list(LETTERS)))
                cv2.putText(canvas, text, (int(px), int(py + size)), 0, size / 26, shade, thick, cv2.LINE_AA)
                continue
            points = rng.uniform(0, 0.9 * size, (int(rng.integers(3, 6)), 2, 2)) + (px, py)
            flat = rng.integers(0, 2, len(points))
            points[np.arange(len(points)), 1, flat] = points[np.arange(len(points)), 0, flat]
            cv2.polylines(canvas, list(fixed(points)), False, shade, thick, cv2.LINE_AA, SHIFT)


def bubble(canvas: Gray, place: Polygon, size: Polygon, unit: float, rng: np.random.Generator) -> None:
    """A speech bubble with lettering around a place; round, wobbly, spiky, boxed, or without an outline."""
    w, h = (max(14, int(side)) for side in size)
    kind = rng.random()
    turns = np.linspace(0, 2 * np.pi, 72, endpoint=False)
    radius = np.ones(72)
    if kind < 0.25:
        radius = radius + 0.1 * np.sin(turns * int(rng.integers(2, 5)) + 1) * np.sin(turns + rng.uniform(0, 6))
    elif kind < 0.4:
        radius[::2] *= rng.uniform(0.75, 0.9)
    outline = np.stack([np.cos(turns) * w / 2, np.sin(turns) * h / 2], 1) * radius[:, None] + place
    if 0.4 <= kind < 0.5:
        outline = rectangle(-w / 2, -h / 2, w / 2, h / 2) + place
    inner, pen = (255, 0) if rng.random() < 0.93 else (0, 255)
    cv2.fillPoly(canvas, [fixed(outline)], inner, cv2.LINE_AA, SHIFT)
    if rng.random() < 0.88:
        cv2.polylines(canvas, [fixed(outline)], True, pen, int(rng.integers(1, 5)), cv2.LINE_AA, SHIFT)
    box = tuple(int(v) for v in (*(place - (w * 0.34, h * 0.36)), *(place + (w * 0.34, h * 0.36))))
    lettering(canvas, box, unit * rng.uniform(0.014, 0.028), pen, rng)  # type: ignore[arg-type]


def overlays(canvas: Gray, panels: list[Laid], art: Art, unit: float, rng: np.random.Generator) -> None:
    """Figures, bubbles and sound effects that heed no frame, and what is printed in the margins."""
    height, width = canvas.shape
    for panel in panels:
        low, size = panel.outline.min(0), np.ptp(panel.outline, axis=0)
        if rng.random() < 0.09:
            span = (size * rng.uniform(0.4, 0.9, 2)).clip(0.1 * unit, 0.6 * unit).astype(int)
            at = low + size * rng.uniform(0.1, 0.9, 2) - span / 2
            figure(canvas, art(rng), (int(at[0]), int(at[1])), (int(span[0]), int(span[1])), rng)
        for _ in range(int(rng.choice([0, 1, 2, 3], p=[0.3, 0.35, 0.25, 0.1]))):
            span = np.minimum(size * rng.uniform(0.2, 0.55, 2), unit * rng.uniform(0.12, 0.32))
            spread = 0.5 if rng.random() < 0.3 else 0.32
            bubble(canvas, low + size * (0.5 + rng.uniform(-spread, spread, 2)), span, unit, rng)
        if rng.random() < 0.12:
            letter = unit * rng.uniform(0.04, 0.12)
            at = low + size * rng.uniform(-0.05, 0.8, 2)
            end = at + np.where(rng.random() < 0.5, [1.3, rng.uniform(2, 5)], [rng.uniform(2, 5), 1.3]) * letter
            shade = int(rng.choice([0, 0, 255]))
            box = (int(at[0]), int(at[1]), int(end[0]), int(end[1]))
            lettering(canvas, box, letter, shade, rng)
    if rng.random() < 0.3:
        x, y = rng.uniform(0, width * 0.9), float(rng.choice([0.003, 0.975])) * height
        size_ = unit * 0.02
        lettering(canvas, (int(x), int(y), int(x + rng.uniform(2, 12) * size_), int(y + 1.2 * size_)), size_, 0, rng)


def page(width: int, height: int, art: Art, rng: np.random.Generator) -> tuple[Gray, list[Polygon]]:
    """A page and its panels.

    Args:
        width: px of the page; it is drawn at twice that.
        height: likewise.
        art: source of drawings.
        rng: decides everything.

    Returns:
        (height, width) uint8, and the convex outlines (N, 2) of the panels, px of the page: frames by their middle,
        panels without a frame by what is drawn; panels that lie over others are left out.
    """
    width, height = 2 * width, 2 * height
    unit = min(float(width), height / 1.3)
    gutter = 255 if rng.random() < 0.93 else int(rng.choice([0, 0, 235, 210]))
    canvas = np.full((height, width), gutter, np.uint8)
    panels = layout(width, height, rng)
    pen = unit * float(np.exp(rng.uniform(np.log(0.0012), np.log(0.007))))
    ink = 0 if gutter > 40 or rng.random() < 0.5 else 255
    outlines: list[Polygon] = []
    for panel in panels:
        low, high = np.floor(panel.outline.min(0)).astype(int), np.ceil(panel.outline.max(0)).astype(int)
        low, high = low.clip(-30, (width - 8, height - 8)), np.maximum(high, low + 8)
        inside = content((int(high[0] - low[0]), int(high[1] - low[1])), art, unit, rng)
        x0, y0 = low.clip(0)
        x1, y1 = high.clip(0, (width, height))
        mask = np.zeros((height, width), np.uint8)
        if panel.inset and rng.random() < 0.6:
            wide = panel.outline.mean(0) + (panel.outline - panel.outline.mean(0)) * rng.uniform(1.03, 1.12)
            fill(canvas, wide, gutter)
        fill(mask, panel.outline, 255)
        place = np.s_[y0:y1, x0:x1]
        piece = inside[y0 - low[1] : y1 - low[1], x0 - low[0] : x1 - low[0]]
        canvas[place] = np.where(mask[place] > 127, piece, canvas[place])
        thickness = max(1, round(pen * float(rng.uniform(0.9, 1.1))))
        outline = panel.outline
        for axis, far in ((0, width), (1, height)):
            way = np.eye(2)[axis]
            outline = clipped(clipped(outline, np.zeros(2), way), way * far, -way)
        if panel.framed:
            trace(canvas, panel.outline, ink, thickness)
        else:
            seen = (mask[place] > 127) & (np.abs(piece.astype(np.int16) - gutter) > 50)
            columns, rows = (np.flatnonzero(seen.mean(axis) > 0.01) for axis in (0, 1))
            if not len(columns) or not len(rows):
                trace(canvas, panel.outline, ink, thickness)
            else:
                right, bottom = x0 + columns[-1] + 1, y0 + rows[-1] + 1
                outline = rectangle(x0 + columns[0], y0 + rows[0], right, bottom)
        if not panel.inset and len(outline) > 2 and np.ptp(outline, axis=0).min() > 0.05 * unit:
            outlines.append(outline / 2)
    overlays(canvas, panels, art, unit, rng)
    small = cv2.resize(canvas, (width // 2, height // 2), interpolation=cv2.INTER_AREA)
    return scanned(np.asarray(small, np.uint8), rng), outlines


def scanned(gray: Gray, rng: np.random.Generator) -> Gray:
    """Dull paper, faded ink, noise, JPEG."""
    low, high = (rng.uniform(0, 50), rng.uniform(225, 255)) if rng.random() < 0.25 else (0.0, 255.0)
    page = low + gray * ((high - low) / 255)
    if rng.random() < 0.3:
        page = page + rng.normal(0, rng.uniform(1, 8), page.shape)
    page = np.clip(page, 0, 255).astype(np.uint8)
    if rng.random() < 0.3:
        page = cv2.GaussianBlur(page, (0, 0), rng.uniform(0.3, 0.8)) if rng.random() < 0.5 else page
        data = cv2.imencode(".jpg", page, (cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(40, 95))))[1]
        page = np.asarray(cv2.imdecode(data, cv2.IMREAD_GRAYSCALE), np.uint8)
    return np.asarray(page, np.uint8)
