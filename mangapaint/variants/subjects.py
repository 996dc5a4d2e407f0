"""What is coloured: a picture, or the faces of a page, each cut out with its hair."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from mangapaint.errors import PageError
from mangapaint.layout import strips
from mangapaint.layout.faces import head_of
from mangapaint.layout.gray_test import verdict
from mangapaint.layout.panels import find_panels
from mangapaint.layout.paper import bubbles
from mangapaint.page import Face, PageImage, Region, Verdict
from mangapaint.paint.drawing import Drawing, drawing_of
from mangapaint.paint.paperfinder import PaperFinder

Faces = int | Literal["all", "largest", "none"]
"""Which faces of a page; an int is how many at most, the largest first."""
Find = Callable[[NDArray[np.uint8]], Sequence[Face]]
"""The faces of an (H, W) uint8 picture, the largest first."""

PORTRAIT = 0.24
"""Height of a face in a picture's longest side above which the picture is a portrait and no page."""
LOOKED_AT = 320
"""Longest side, px, of a picture when it is asked whether it is a portrait: its face is then as large as on a page."""
SMALLEST = 8
"""Shortest side of a picture, px."""


@dataclass(frozen=True, slots=True)
class Subject:
    """One thing to colour.

    Attributes:
        image: its pixels at full resolution.
        drawing: the same, made ready for a net.
        face: whether one face fills it.
        region: where it lies on its page, px; None for the whole page.
    """

    image: PageImage
    drawing: Drawing
    face: bool
    region: Region | None = None


def subjects_of(
    image: PageImage, faces: Faces, find: Find, mode: str, paper: PaperFinder | None = None
) -> list[Subject]:
    """What of a page is to be coloured.

    Args:
        image: the page.
        faces: which of its faces; "none" is the page as a whole.
        find: the face detector.
        mode: as of PaintSettings.
        paper: as of Brush.

    Raises:
        PageError: the page is blank, too small, or has no face where faces are wanted.
    """
    refuse_empty(image)
    if faces == "none":
        return [whole(image, find, mode, paper)]
    gray = np.asarray(cv2.cvtColor(image.pixels, cv2.COLOR_RGB2GRAY), np.uint8)
    found = find(gray)
    if not found:
        raise PageError("no face was found", remedy="leave --faces out to colour the picture as a whole")
    number = len(found) if faces == "all" else 1 if faces == "largest" else faces
    lettered, panels = bubbles(gray), [panel.region for panel in find_panels(gray)]
    return [_head(image, face, panels, lettered, mode) for face in found[:number]]


def refuse_empty(image: PageImage) -> None:
    """Raise PageError for a page that is blank or too small."""
    if min(image.width, image.height) < SMALLEST:
        raise PageError(f"{image.width}x{image.height} px is too small to colour", remedy="take a larger picture")
    if verdict(image.pixels, 255.0)[0] is Verdict.BLANK:
        raise PageError("nothing is drawn here", remedy="take another picture")


def whole(image: PageImage, find: Find, mode: str, paper: PaperFinder | None = None) -> Subject:
    """A picture as it is. Of a portrait only bubbles stay white: what reaches its border is no gutter."""
    drawing = drawing_of(image, mode, finder=paper)
    face = face_that_fills(drawing.gray, find) is not None
    if face:
        drawing = replace(drawing, paper=bubbles(drawing.gray), leaks=None)
    return Subject(image, drawing, face)


def face_that_fills(gray: NDArray[np.uint8], find: Find) -> Region | None:
    """The face of a portrait, px; None where the picture is none."""
    height, width = gray.shape
    if strips.is_strip(height, width):
        return None
    scale = min(1.0, LOOKED_AT / max(height, width))
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    small = np.asarray(cv2.resize(gray, size, interpolation=cv2.INTER_AREA), np.uint8)
    found = find(small)
    if not found or found[0].region.height <= PORTRAIT * max(size):
        return None
    box = found[0].region
    return Region(*(round(value / scale) for value in (box.x, box.y, box.width, box.height)))


def _head(
    image: PageImage, face: Face, panels: Sequence[Region], lettered: NDArray[np.bool_] | NDArray[np.uint8], mode: str
) -> Subject:
    """One face with its hair, cut where its panel ends."""
    box = face.region
    region = head_of(box, image.width, image.height)
    middle = Region(box.x + box.width // 2, box.y + box.height // 2, 1, 1)
    around = [panel for panel in panels if panel.intersection(middle).area and panel.intersection(box).area == box.area]
    if around:
        region = region.intersection(min(around, key=lambda panel: panel.area))
    cut = replace(
        image,
        pixels=np.ascontiguousarray(image.pixels[region.slices]),
        alpha=None if image.alpha is None else np.ascontiguousarray(image.alpha[region.slices]),
    )
    drawing = drawing_of(cut, mode)
    return Subject(cut, replace(drawing, paper=np.asarray(lettered[region.slices], bool)), True, region)
