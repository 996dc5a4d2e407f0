"""Speech bubbles, captions and sound effects, in the font that comes inside Pillow."""

from __future__ import annotations

from functools import cache
from typing import Literal

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from mangapaint.demo.canvas import Pen
from mangapaint.demo.curves import Points, box, ellipse, spline, zigzag
from mangapaint.demo.tones import INK, PAPER
from mangapaint.page import Bytes2D

Bubble = Literal["speech", "shout", "thought"]
_LEADING = 1.14


@cache
def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)


def _text_mask(text: str, size: int, boldness: int, spacing: int = 0) -> Bytes2D:
    """Coverage of centred lines of text, `size` in px of the mask, cut to the ink."""
    font, rows = _font(size), text.split("\n")
    pad, step = boldness + 4, round(size * _LEADING)
    widths = [sum(font.getlength(c) + spacing for c in row) for row in rows]
    wide = int(max(widths)) + 2 * pad
    sheet = Image.new("L", (wide, step * len(rows) + 2 * pad))
    draw = ImageDraw.Draw(sheet)
    for k, (row, width) in enumerate(zip(rows, widths, strict=True)):
        x = (wide - width) / 2
        for letter in row:
            draw.text((x, pad + k * step), letter, 255, font=font, stroke_width=boldness)
            x += font.getlength(letter) + spacing
    left, top, right, bottom = sheet.getbbox() or (0, 0, 1, 1)
    return np.asarray(sheet, dtype=np.uint8)[top:bottom, left:right]


def write(pen: Pen, text: str, x: float, y: float, size: float, *, bold: float = 0.035, paint: int = INK) -> None:
    """Upright text centred on x, y of the page."""
    oversampling = pen.canvas.oversampling
    mask = _text_mask(
        text.upper(), round(size * oversampling), round(bold * size * oversampling), round(0.045 * size * oversampling)
    )
    pen.canvas.print_mask(mask, x - mask.shape[1] / 2 / oversampling, y - mask.shape[0] / 2 / oversampling, paint)


def sound(pen: Pen, text: str, x: float, y: float, size: float, angle: float = -8.0) -> None:
    """A big slanted sound effect or title, hollow with an ink rim."""
    oversampling = pen.canvas.oversampling
    big = round(size * oversampling)
    body = _text_mask(text.upper(), big, max(1, round(0.05 * big)), round(0.1 * big))
    rim, halo = round(0.055 * big), round(0.035 * big)
    body = np.pad(body, rim + halo + 4)
    height, width = body.shape
    turn = cv2.getRotationMatrix2D((width / 2, height / 2), -angle, 1.0)
    spread = int(abs(np.sin(np.radians(angle))) * width) + 2
    turn[1, 2] += spread / 2
    body = np.asarray(cv2.warpAffine(body, turn, (width, height + spread)), dtype=np.uint8)
    edged, haloed = _grown(body, rim), _grown(body, rim + halo)
    left, top = x - body.shape[1] / 2 / oversampling, y - body.shape[0] / 2 / oversampling
    for mask, shade in ((haloed, PAPER), (edged, INK), (body, PAPER)):
        pen.canvas.print_mask(mask, left, top, shade)


def _grown(mask: Bytes2D, by: int) -> Bytes2D:
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * by + 1, 2 * by + 1))
    return np.asarray(cv2.dilate(mask, kernel), dtype=np.uint8)


def bubble(
    pen: Pen,
    text: str,
    x: float,
    y: float,
    tail: tuple[float, float] | None = None,
    *,
    kind: Bubble = "speech",
    size: float = 25.0,
) -> None:
    """A bubble around centred text at x, y; its tail points at `tail`, all in px of the page."""
    rows = text.upper().split("\n")
    wide = max(_font(100).getlength(row) for row in rows) * size / 100
    rx, ry = wide * 0.5 + size * 1.15, len(rows) * size * _LEADING * 0.5 * 1.25 + size * 0.8
    rim = 1.15 * pen.weight
    body = _burst(x, y, rx * 1.12, ry * 1.12) if kind == "shout" else _egg(x, y, rx, ry)
    parts = [body]
    if kind == "thought":
        count = 11
        around = [
            (x + rx * 0.82 * np.cos(a), y + ry * 0.8 * np.sin(a)) for a in np.linspace(0, 2 * np.pi, count + 1)[:-1]
        ]
        parts = [ellipse(cx, cy, rx * 0.34, ry * 0.4) for cx, cy in around] + [ellipse(x, y, rx * 0.85, ry * 0.85)]
    if tail and kind == "thought":
        for k, r in ((0.82, 0.17), (1.0, 0.1)):
            parts.append(ellipse(x + (tail[0] - x) * k, y + (tail[1] - y) * k, size * 4 * r * 0.6, size * 4 * r * 0.5))
    elif tail:
        parts.append(_tail(x, y, rx, ry, tail))
    for outline in parts:
        pen.line(np.vstack([outline, outline[:1]]), 2.0 * rim / pen.weight)
    for outline in parts:
        pen.fill(outline)
    write(pen, text, x, y, size)


def _egg(x: float, y: float, rx: float, ry: float) -> Points:
    """An ellipse a little squarer than round, to hold the text's corners."""
    t = np.linspace(0, 2 * np.pi, 64, endpoint=False)
    c, s = np.cos(t), np.sin(t)
    return np.column_stack([x + rx * np.sign(c) * np.abs(c) ** 0.86, y + ry * np.sign(s) * np.abs(s) ** 0.86])


def _burst(x: float, y: float, rx: float, ry: float) -> Points:
    """A jagged edge for loud words; irregular, but always the same."""
    tips = 15
    angles = 2 * np.pi * np.arange(2 * tips) / (2 * tips)
    reach = np.where(np.arange(2 * tips) % 2 == 0, 1.22 + 0.12 * np.sin(5 * angles + 1), 0.98)
    corners = np.column_stack([x + rx * reach * np.cos(angles), y + ry * reach * np.sin(angles)])
    return zigzag(np.vstack([corners, corners[:1]]), [0.07])


def _tail(x: float, y: float, rx: float, ry: float, tip: tuple[float, float]) -> Points:
    angle = np.arctan2((tip[1] - y) / ry, (tip[0] - x) / rx)
    wide = 0.17
    a, b = ((x + 0.93 * rx * np.cos(angle + d), y + 0.93 * ry * np.sin(angle + d)) for d in (-wide, wide))
    sway = (0.5 * (a[0] + tip[0]) + 0.06 * (tip[1] - y), 0.5 * (a[1] + tip[1]) - 0.06 * (tip[0] - x))
    back = (0.5 * (b[0] + tip[0]) + 0.06 * (tip[1] - y), 0.5 * (b[1] + tip[1]) - 0.06 * (tip[0] - x))
    return np.vstack([spline([a, sway, tip]), spline([tip, back, b])])


def caption(pen: Pen, text: str, x: float, y: float, size: float = 24.0) -> None:
    """The narrator's words in a box centred on x, y."""
    rows = text.upper().split("\n")
    wide = max(_font(100).getlength(row) for row in rows) * size / 100 / 2 + 0.8 * size
    high = len(rows) * size * _LEADING / 2 + 0.55 * size
    pen.shape(box(x - wide, y - high, x + wide, y + high), PAPER, 1.1)
    write(pen, text, x, y, size)
