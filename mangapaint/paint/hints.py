"""Colour cues drawn by an artist: read for the net, and laid over its paint in the regions that hold a stroke."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mangapaint import pixels
from mangapaint.errors import PageError, printable
from mangapaint.layout.measure import components
from mangapaint.layout.regions import INK
from mangapaint.page import PageImage, Region
from mangapaint.paint.compose import joint_upsample
from mangapaint.paint.drawing import labelled, reduced
from mangapaint.paint.palette import mixed, palette_of
from mangapaint.settings import Limits

COLOURED = 8.0
"""Distance from the page's own ab (CIE Lab) above which an opaque picture counts as a cue."""
DENSE = 0.5
"""Share of a page above which a cue is a reference, no set of strokes."""
FOLLOWED = 0.7
"""Share of a dense cue in the palette and in the colours of its page."""
LARGE = 0.05
"""Share of a page above which a region may hold several things, and so several colours of a dense cue."""
SHAPE = 0.02
"""Largest relative difference between the aspects of a page and of its hints."""
THICK = 3
"""Radius, px of the net's grid, of what is dark all over and so an area, no line."""
DOTS = 2.5
"""Deviation of the blur, px of the net's grid, that melts dots and hatching into tone but leaves no line dark."""
INSIDE = 0.5
"""Share of a region that must lie in such an area for its bright places to belong there."""
PIECE = 0.85
"""Share of a dark area that the largest of its regions has at least, unless it fell to pieces."""
HELD = 0.15
"""Share of a stroke that must lie in a region for it to count there: a stroke may cross a line by mistake."""
LOST = 0.5
"""Share of a stroke under which what counts is too little: it runs through many small regions, and is meant to."""
SCRAP = 0.03
"""Share of such a stroke that must lie in a region for it to count there."""
COVERED = 0.3
"""Share of a region that is covered by a stroke and so makes it count there in any case."""
SAME = 20.0
"""Distance in Lab under which two colours belong to one stroke."""
FAINT = 0.1
"""Weight that upsampling leaves on the far side of a thin line, taken off at both ends."""
FRINGE = 0.1
"""Share of a region's strokes under which a colour is the soft rim of another."""


@dataclass(frozen=True, slots=True)
class Cue:
    """What an artist gave for a page: (h, w, 4) uint8 sRGB and mask (0 or 255), of the page's shape but any size."""

    rgba: NDArray[np.uint8]

    @property
    def dense(self) -> bool:
        """Whether it covers most of the page, and so is followed where it suits, not to the letter."""
        return float(self.rgba[..., 3].mean()) > DENSE * 255

    def part(self, window: Region, page: tuple[int, int], size: tuple[int, int]) -> NDArray[np.float32]:
        """(4, *size): sRGB in 0..1 times mask, and the mask, 0 or 1.

        Args:
            window: of the page, px.
            page: height and width of the page, px.
            size: height and width of what is wanted, px.
        """
        high, wide = self.rgba.shape[0] / page[0], self.rgba.shape[1] / page[1]
        rows = slice(round(window.y * high), max(round(window.y * high) + 1, round(window.bottom * high)))
        columns = slice(round(window.x * wide), max(round(window.x * wide) + 1, round(window.right * wide)))
        cut = self.rgba[rows, columns]
        mask = (cut[..., 3:] > 0).astype(np.float32)
        both = np.concatenate([cut[..., :3] * (mask / 255), mask], 2).astype(np.float32)
        shrinks = size[0] < both.shape[0]
        scaled = cv2.resize(both, size[::-1], interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_NEAREST)
        given = scaled[..., 3:] > 0.25
        colour = scaled[..., :3] / np.maximum(scaled[..., 3:], 1e-3)
        return np.asarray(np.concatenate([colour * given, given], 2).transpose(2, 0, 1), np.float32)


def read_cue(path: Path, page: PageImage, limits: Limits) -> Cue:
    """The hints of a page: where the picture is opaque, or, without alpha, where it is more coloured than the page.

    Raises:
        PageError: it cannot be read, or its shape is not the page's.
    """
    shown = printable(path.name)
    try:
        picture = pixels.decode(path.read_bytes(), limits)
    except OSError as error:
        raise PageError(f"the hints {shown} cannot be read: {error.strerror}", remedy="check the file") from error
    except PageError as error:
        raise PageError(f"the hints {shown}: {error.message}", remedy="save them anew as PNG") from error
    if abs(picture.width * page.height / (picture.height * page.width) - 1) > SHAPE:
        raise PageError(
            f"the hints {shown} are {picture.width}x{picture.height} px, the page has {page.width}x{page.height} px: "
            "another shape",
            remedy="draw hints over the whole page, uncropped",
        )
    colour = picture.pixels
    if picture.alpha is not None:
        opacity = np.maximum(picture.alpha, 1)[..., None].astype(np.float32) / 255
        colour = np.asarray(np.clip((picture.pixels - 255 * (1 - opacity)) / opacity, 0, 255).round(), np.uint8)
        mask = picture.alpha >= 128
    else:
        size = (picture.width, picture.height)
        own = cv2.resize(page.pixels, size, interpolation=cv2.INTER_LINEAR)
        before, after = (
            cv2.cvtColor(each, cv2.COLOR_RGB2LAB)[..., 1:].astype(np.int16) for each in (own, picture.pixels)
        )
        mask = np.hypot(*np.moveaxis(after - before, 2, 0)) > COLOURED
    return Cue(np.dstack([colour, mask.astype(np.uint8) * 255]))


def palettes(chapter: Tensor, cues: Sequence[Cue | None]) -> Tensor:
    """(N, 216): the palette of each page, which is the chapter's (1, 216) but for pages with a dense cue.

    A net that votes for colours of a palette could not follow a reference whose colours are not in it.
    """
    own = [chapter] * len(cues)
    for place, cue in enumerate(cues):
        if cue is not None and cue.dense and chapter.numel():
            scale = min(1.0, 256 / max(cue.rgba.shape[:2]))
            small = cv2.resize(cue.rgba[..., :3], None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
            given = palette_of(torch.from_numpy(small).permute(2, 0, 1)[None].float() / 255)
            own[place] = mixed(torch.cat([chapter, given]), torch.tensor([1 - FOLLOWED, FOLLOWED]))
    return torch.cat(own)


def fill_of(cue: Cue, gray: NDArray[np.uint8], size: tuple[int, int]) -> Tensor:
    """The regions that hold a stroke, in its colour; or, of a dense cue, all regions, in what lies over them.

    Args:
        cue: its strokes.
        gray: (H, W) uint8 page.
        size: height and width of the result.

    Returns:
        (1, 4, *size) float32: sRGB in 0..1, and its weight 0..1; edges run along the drawing's lines.
    """
    grid = areas(gray, size)
    page = (int(gray.shape[0]), int(gray.shape[1]))
    given = cue.part(Region(0, 0, page[1], page[0]), page, (grid.shape[0], grid.shape[1]))
    filled = torch.from_numpy(washed(given, grid) if cue.dense else spread(given, grid))[None]
    even = (2 * grid.shape[0], 2 * grid.shape[1])
    guide = reduced(torch.from_numpy(gray)[None, None].float() / 255, even)
    full = reduced(joint_upsample(filled, guide), size)
    if cue.dense:
        return torch.cat([full[:, :3] / full[:, 3:].clamp_min(1e-3), full[:, 3:].clamp(0, 1) * FOLLOWED], 1)
    weight = ((full[:, 3:] - FAINT) / (1 - 2 * FAINT)).clamp(0, 1)
    return torch.cat([full[:, :3] / full[:, 3:].clamp_min(1e-3), weight], 1)


def areas(gray: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.int64]:
    """Line-enclosed regions on half the grid of `size`; dark tone that fell to pieces at its dots is made whole."""
    labels = labelled(gray, size, 2)
    small = cv2.resize(gray, labels.shape[::-1], interpolation=cv2.INTER_AREA)
    dark = (cv2.GaussianBlur(small, (0, 0), DOTS) < INK).astype(np.uint8)
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * THICK + 1, 2 * THICK + 1))
    core, _ = components(np.asarray(cv2.erode(dark, disc, borderValue=1), np.uint8), 8)
    whole = cv2.dilate(core.astype(np.float32), disc).astype(np.int64) * dark
    pairs, count = np.unique(np.stack([whole[whole > 0], labels[whole > 0]]), axis=1, return_counts=True)
    largest = np.zeros(int(whole.max()) + 1, np.int64)
    np.maximum.at(largest, pairs[0], count)
    broken = largest < PIECE * np.bincount(whole.ravel())
    inside = np.bincount(labels[whole > 0], minlength=int(labels.max()) + 1) >= INSIDE * np.bincount(labels.ravel())
    joins = broken[whole] & (whole > 0) & (inside[labels] | (small < INK))
    return np.where(joins, whole + labels.max(), labels)


def spread(given: NDArray[np.float32], labels: NDArray[np.int64]) -> NDArray[np.float32]:
    """Give every place of a region that holds strokes the colour of the nearest of them.

    Args:
        given: (4, h, w) sRGB in 0..1 times mask, and the mask.
        labels: (h, w) regions.

    Returns:
        (4, h, w) like `given`.
    """
    result = np.zeros_like(given)
    kinds, colours = strokes(given)
    seeds = believed(kinds, labels)
    for label in np.unique(labels[seeds > 0]):
        inside = labels == label
        rows, columns = np.flatnonzero(inside.any(1)), np.flatnonzero(inside.any(0))
        box = np.s_[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
        place = inside[box]
        kind = nearest_kind(np.where(place, seeds[box], 0))
        result[:, *box][:, place] = np.concatenate([colours[kind[place]].T, np.ones((1, int(place.sum())))])
    return result


def washed(given: NDArray[np.float32], labels: NDArray[np.int64]) -> NDArray[np.float32]:
    """(4, h, w) like `given`, small regions in their mean colour; a large one keeps the cue's course of colours."""
    flat = labels.ravel()
    total = np.stack([np.bincount(flat, channel.ravel()) for channel in given])
    area = np.bincount(flat)
    mean = total[:, labels] / np.maximum(area, 1)[labels]
    mean[:3] /= np.maximum(mean[3:], 1e-3)
    mean[3] = mean[3] > 0.5
    mean[:3] *= mean[3]
    return np.where(area[labels] > LARGE * labels.size, given, mean).astype(np.float32)


def strokes(given: NDArray[np.float32]) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    """Sort the given places by colour: (h, w) kinds 1.. (0: none), and (kinds + 1, 3) their colours, sRGB 0..1.

    The most frequent colours come first; rare ones that are near none of them (rims, compression) are left out.
    """
    mask = given[3] > 0
    kinds = np.zeros(mask.shape, np.int32)
    colours = [np.zeros(3, np.float32)]
    found = given[:3, mask].T
    lab = cv2.cvtColor(np.ascontiguousarray(found[:, None]), cv2.COLOR_RGB2Lab)[:, 0] if len(found) else found
    kind = np.zeros(len(found), np.int32)
    left = np.ones(len(found), bool)
    enough = max(2, 0.005 * len(found))
    while left.any():
        cells, member, count = np.unique((lab[left] // 8).astype(int), axis=0, return_inverse=True, return_counts=True)
        if count.max() < enough and len(colours) > 1:
            break
        centre = np.median(lab[left][member.ravel() == count.argmax()], 0)
        near = left & (np.linalg.norm(lab - centre, axis=1) < SAME)
        if not near.any():
            break
        kind[near] = len(colours)
        colours.append(np.asarray(np.median(found[near], 0), np.float32))
        left &= ~near
    kinds[mask] = kind
    return kinds, np.stack(colours)


def believed(kinds: NDArray[np.int32], labels: NDArray[np.int64]) -> NDArray[np.int32]:
    """`kinds` without what strays over a line into a region that it was not meant for, and without soft rims."""
    seeds = np.zeros_like(kinds)
    area = np.bincount(labels.ravel())
    whole = np.zeros((len(area), int(kinds.max()) + 1), np.int64)
    for kind in range(1, whole.shape[1]):
        pieces, stats = components(kinds == kind, 8)
        place = pieces > 0
        pairs, member, count = np.unique(
            np.stack([labels[place], pieces[place]]), axis=1, return_inverse=True, return_counts=True
        )
        size = stats[pairs[1], cv2.CC_STAT_AREA]
        held = (count >= HELD * size) | (count >= COVERED * area[pairs[0]])
        found = np.bincount(pairs[1], count * held, len(stats))[pairs[1]]
        held |= (found < LOST * size) & (count >= SCRAP * size)
        seeds[place] = np.where(held[member.ravel()], kind, 0)
        whole[:, kind] = np.bincount(labels[seeds == kind], minlength=len(area))
    rim = whole < FRINGE * whole.max(1, keepdims=True)
    return np.where(rim[labels, seeds], 0, seeds)


def nearest_kind(seeds: NDArray[np.int32]) -> NDArray[np.int32]:
    """(h, w) with each place's nearest kind that is not 0."""
    free = (seeds == 0).astype(np.uint8)
    _, index = cv2.distanceTransformWithLabels(free, cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL)
    table = np.zeros(int(index.max()) + 1, np.int32)
    table[index[seeds > 0]] = seeds[seeds > 0]
    return np.asarray(table[index], np.int32)
