"""Sheets of a corpus for a person to look at: pictures of every set, and pairs that were taken for one picture."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from mangapaint import pixels
from mangapaint.errors import printable
from train.corpus import Item, Picture, resized

SIDE, TEXT, GAP = 144, 14, 6
"""Of a picture, a line of text and the space between, px."""
LINES = 2
"""Of text under a picture."""
COLUMNS = 9
PAIRS = 60
_PAPER = (250, 250, 250)

Named = tuple[str, Picture]


def chosen(items: Sequence[Item], columns: int = COLUMNS) -> list[Item]:
    """Up to `columns` items of every set, evenly over the set."""
    sets: dict[str, list[Item]] = {}
    for item in items:
        sets.setdefault(item.set, []).append(item)
    picked = []
    for rows in sets.values():
        places = np.linspace(0, len(rows) - 1, min(columns, len(rows))).round().astype(int)
        picked += [rows[place] for place in places]
    return picked


def contact(pictures: Iterable[tuple[Item, Picture]]) -> bytes:
    """PNG with one row for each set; under each picture its size, side of the split and name."""
    rows: dict[str, list[Named]] = {}
    for item, picture in pictures:
        marks = ["val"] * (item.split == "val") + ["white"] * item.white_background
        label = " ".join([f"{item.width}x{item.height}", *marks]) + f"\n{item.name}"
        rows.setdefault(f"{item.set} ({item.licence})", []).append((label, thumbnail(picture)))
    return _sheet(rows)


def pairs(found: Sequence[tuple[Named, Named]], most: int = PAIRS) -> bytes:
    """PNG of evenly sampled pairs side by side: left the picture that was dropped; empty without pairs."""
    if not found:
        return b""
    places = np.linspace(0, len(found) - 1, min(most, len(found))).round().astype(int)
    cells = [(name, thumbnail(picture)) for place in places for name, picture in found[place]]
    wide = COLUMNS // 2 * 2
    rows = {"dropped, kept": cells[:wide]}
    for at in range(wide, len(cells), wide):
        rows[" " * (at // wide)] = cells[at : at + wide]
    return _sheet(rows)


def thumbnail(picture: Picture) -> Picture:
    """(SIDE, SIDE, 3): the whole picture on the sheet's paper."""
    height, width = picture.shape[:2]
    scale = SIDE / max(height, width)
    small = resized(picture, max(1, round(height * scale)), max(1, round(width * scale)))
    cell = np.full((SIDE, SIDE, 3), _PAPER, np.uint8)
    y, x = (SIDE - small.shape[0]) // 2, (SIDE - small.shape[1]) // 2
    cell[y : y + small.shape[0], x : x + small.shape[1]] = small
    return np.asarray(cv2.rectangle(cell, (0, 0), (SIDE - 1, SIDE - 1), (190, 190, 190), 1), np.uint8)


def _sheet(rows: dict[str, list[Named]]) -> bytes:
    """PNG of rows of cells, each row under its title."""
    tall = SIDE + (1 + LINES) * TEXT + GAP
    wide = max(len(cells) for cells in rows.values()) * (SIDE + GAP) + GAP
    canvas = Image.new("RGB", (wide, len(rows) * (tall + GAP) + GAP), _PAPER)
    draw, font = ImageDraw.Draw(canvas), ImageFont.load_default(TEXT - 3)
    for row, (title, cells) in enumerate(rows.items()):
        y = GAP + row * (tall + GAP)
        draw.text((GAP, y), printable(title), (160, 30, 30), font)
        for column, (label, picture) in enumerate(cells):
            x = GAP + column * (SIDE + GAP)
            canvas.paste(Image.fromarray(picture), (x, y + TEXT))
            for line, text in enumerate(label.split("\n", LINES - 1)):
                text = printable(text)
                while draw.textlength(text, font) > SIDE and len(text) > 1:
                    text = text[1:]  # names differ at their ends
                draw.text((x, y + (1 + line) * TEXT + SIDE), text, (60, 60, 60), font)
    return pixels.encode(np.asarray(canvas, np.uint8), format="png")
