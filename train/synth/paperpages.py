"""Whole coloured pages for the paper net: framed panels and open ones, figures that break out of them, bubbles."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from mangapaint.page import Region
from train.corpus import Picture
from train.synth.pages import bubble, parted

Mask = NDArray[np.bool_]
WHITE = 247
"""Least channel from which on a place of a picture is white."""


class Made(NamedTuple):
    """A page: (H, W, 3) uint8 colour; (H, W) bool paper; (H, W) bool, whether it is known what a place is."""

    colour: Picture
    paper: Mask
    known: Mask


@dataclass(frozen=True, slots=True)
class PaperOptions:
    """What pages are made of; shares of pages, panels or chances."""

    framed: float = 0.85
    bleeding: float = 0.35
    """Pages whose panels run off the paper."""
    slanted: float = 0.25
    """Panels with slanted sides."""
    vignettes: float = 0.15
    """Panels that are a figure on bare paper, without a frame."""
    breakouts: float = 0.5
    """Pages with figures that stand over panels and gutters."""
    bubbles: float = 0.55
    """Panels with a bubble or two."""


def page(
    height: int,
    width: int,
    crop: Callable[[int, int], Picture],
    figure: Callable[[], Picture] | None,
    options: PaperOptions,
    rng: np.random.Generator,
) -> Made:
    """A page of panels.

    Args:
        height: px.
        width: px.
        crop: gives a (height, width, 3) coloured crop.
        figure: gives a picture on a white background; None where there is no such picture.
        options: shares.
        rng: decides the layout.
    """
    made = Made(
        np.full((height, width, 3), 255, np.uint8), np.ones((height, width), bool), np.ones((height, width), bool)
    )
    margin = int(rng.integers(0, 1 + width // 12))
    reach = int(rng.integers(8, width // 6)) if rng.random() < options.bleeding else -margin
    gutter = int(rng.integers(3, 1 + width // 20))
    for panel in cut(Region(-reach, -reach, width + 2 * reach, height + 2 * reach), gutter, rng):
        seen = panel.intersection(Region(0, 0, width, height))
        if min(seen.width, seen.height) < 24:
            continue
        if figure is not None and rng.random() < options.vignettes:
            stand(made, figure(), seen, rng)
        else:
            fill(made, seen, crop(seen.height, seen.width), options, rng)
        if rng.random() < options.bubbles:
            for _ in range(int(rng.integers(1, 3))):
                bubble(made.colour, made.paper, seen, rng)
    if figure is not None and rng.random() < options.breakouts:
        for _ in range(int(rng.integers(1, 3))):
            side = int(rng.uniform(0.2, 0.6) * width)
            x, y = int(rng.integers(-side // 3, width - side // 2)), int(rng.integers(0, height - side // 2))
            stand(made, figure(), Region(x, y, side, side), rng)
    made.known[made.paper] = True
    return made


def cut(area: Region, gutter: int, rng: np.random.Generator, depth: int = 0) -> list[Region]:
    """Random guillotine cuts, rows first; panels keep at least 90 px a side."""
    can = [axis for axis, size in enumerate((area.width, area.height)) if size >= 2 * 90 + gutter]
    if not can or depth >= 4 or (depth >= 2 and rng.random() < 0.4):
        return [area]
    axis = 1 if 1 in can and (depth == 0 or rng.random() < 0.5) else can[0]
    return [panel for part in parted(area, axis, gutter, 90, rng) for panel in cut(part, gutter, rng, depth + 1)]


def fill(made: Made, panel: Region, art: Picture, options: PaperOptions, rng: np.random.Generator) -> None:
    """Put a picture into a panel; what is white in it may be meant as paper or not."""
    corners = np.array([[0, 0], [panel.width - 1, 0], [panel.width - 1, panel.height - 1], [0, panel.height - 1]])
    if rng.random() < options.slanted:
        most = np.array([panel.width, panel.height]) // 6
        corners = np.clip(corners + rng.integers(-most, most + 1, (4, 2)), 0, [panel.width - 1, panel.height - 1])
    inside = np.zeros((panel.height, panel.width), np.uint8)
    cv2.fillPoly(inside, [corners.astype(np.int32)], 1)
    on = inside > 0
    made.colour[panel.slices][on] = art[on]
    made.paper[panel.slices][on] = False
    made.known[panel.slices][on] = art.min(2)[on] < WHITE
    if rng.random() < options.framed:
        around = np.ascontiguousarray(made.colour[panel.slices])
        cv2.polylines(around, [corners.astype(np.int32)], True, (0, 0, 0), int(rng.integers(1, 5)))
        made.colour[panel.slices] = around


def stand(made: Made, figure: Picture, place: Region, rng: np.random.Generator) -> None:
    """Let a figure stand on a page, as large as the place allows; its own white is the figure's."""
    share = min(place.width / figure.shape[1], place.height / figure.shape[0])
    size = max(8, round(figure.shape[1] * share)), max(8, round(figure.shape[0] * share))
    small = np.asarray(cv2.resize(figure, size, interpolation=cv2.INTER_AREA), np.uint8)
    if rng.random() < 0.5:
        small = np.ascontiguousarray(small[:, ::-1])
    box = Region(place.x, place.y, *size)
    seen = box.intersection(Region(0, 0, made.paper.shape[1], made.paper.shape[0]))
    if min(seen.width, seen.height) < 8:
        return
    part = (slice(seen.y - box.y, seen.bottom - box.y), slice(seen.x - box.x, seen.right - box.x))
    body = silhouette(small)[part]
    made.colour[seen.slices][body] = small[part][body]
    made.paper[seen.slices][body] = False
    made.known[seen.slices][body] = True


def silhouette(figure: Picture) -> Mask:
    """(H, W) of a picture on white: all but the white that touches its border."""
    white = (figure.min(2) >= WHITE).astype(np.uint8)
    _, labels = cv2.connectedComponents(white, connectivity=4)
    outside = np.unique(np.concatenate([labels[0], labels[-1], labels[:, 0], labels[:, -1]]))
    return np.asarray((white == 0) | ~np.isin(labels, outside), bool)


def of_comic(picture: Picture) -> Made:
    """A page of a coloured comic as it is: white that touches the border is paper, other white may be anything."""
    outside = ~silhouette(picture)
    return Made(picture, outside, outside | (picture.min(2) < WHITE))
