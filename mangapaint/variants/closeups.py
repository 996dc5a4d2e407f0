"""Faces as a generator of portraits wants them: cut close, the eyes at half height."""

from __future__ import annotations

import math
from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray

from mangapaint.errors import PageError
from mangapaint.page import PageImage, Region
from mangapaint.paint.drawing import drawing_of
from mangapaint.variants.subjects import Faces, Find, Subject, face_that_fills, refuse_empty

SIDE, LIFT = 1.5, 0.15
"""Of the square around a face, and by how much its middle lies above the box's, in mean sides of the box.

Medians over the faces that the generator learned from (set faces256, cut as train.faceset.FRAMES says).
"""
CUT_OUT = 128
"""Longest side, px, of a picture that is taken for a face where none is found: who has so little has cut it out."""


def close_ups_of(image: PageImage, faces: Faces, find: Find, mode: str) -> list[Subject]:
    """The faces of a page, each in a square of its own.

    Args:
        image: the page, or a portrait, or a face cut out already.
        faces: which of its faces; "none" is the largest, for a page as a whole cannot be drawn anew.
        find: the face detector.
        mode: as of PaintSettings.

    Raises:
        PageError: the page is blank, too small, or has no face.
    """
    refuse_empty(image)
    gray = np.asarray(cv2.cvtColor(image.pixels, cv2.COLOR_RGB2GRAY), np.uint8)
    own = face_that_fills(gray, find)
    boxes = [own] if own is not None else []
    if own is None or faces not in {"none", "largest", 1}:
        boxes = [face.region for face in find(gray)] or boxes
    if not boxes and max(gray.shape) <= CUT_OUT:
        return [_cut(image, _middle(gray), mode)]
    if not boxes:
        raise PageError(
            "no face was found", remedy=f"give the face alone, from crown to chin, reduced to {CUT_OUT} px or less"
        )
    number = len(boxes) if faces == "all" else faces if isinstance(faces, int) else 1
    return [_cut(image, square_around(box), mode) for box in boxes[:number]]


def square_around(face: Region) -> Region:
    """The square that a portrait shows; it may reach over the edges of the page."""
    mean = math.sqrt(face.area)
    side = max(1, round(SIDE * mean))
    middle = face.x + face.width / 2, face.y + face.height / 2 - LIFT * mean
    return Region(round(middle[0] - side / 2), round(middle[1] - side / 2), side, side)


def _middle(gray: NDArray[np.uint8]) -> Region:
    height, width = gray.shape
    side = min(height, width)
    return Region((width - side) // 2, (height - side) // 2, side, side)


def _cut(image: PageImage, square: Region, mode: str) -> Subject:
    """The square; where it reaches over the edge of the page, the edge goes on."""
    seen = square.intersection(Region(0, 0, image.width, image.height))
    margins = seen.y - square.y, square.bottom - seen.bottom, seen.x - square.x, square.right - seen.right
    pixels = cv2.copyMakeBorder(image.pixels[seen.slices], *margins, cv2.BORDER_REPLICATE)
    cut = replace(image, pixels=np.ascontiguousarray(pixels, np.uint8), alpha=None)
    return Subject(cut, drawing_of(cut, mode), face=True, region=seen)
