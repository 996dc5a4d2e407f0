"""What stays paper white when a page is coloured: margins, gutters, speech bubbles and caption boxes."""

from __future__ import annotations

from collections.abc import Iterator

import cv2
import numpy as np

from mangapaint.layout.lettering import find_glyphs, holds_lettering, is_blank_bubble, sparse_lettering, without_marks
from mangapaint.layout.measure import Gray, Labels, Mask, components, crop_of, page_unit, paper_level
from mangapaint.layout.regions import regions
from mangapaint.layout.screentone import screened
from mangapaint.page import Region

WORKING_UNIT = 1000
"""Pages wider than this are reduced before bubbles are looked for; outlines stay crisp on the full page."""
OPENINGS = (2, 0)
"""Radii in px of a page 1246 px wide: a bubble whose outline has a pinhole is cut off by the wider one."""
REGION_UNIT = 460
"""Page width at which regions are trapped: about 600 px on the long side."""
BLANKS = 3
"""So many blank bubbles, and more than lettered ones, tell a page whose lettering is kept elsewhere, as PDFs do."""
TONE_SIDE = 0.04
"""Side of the square, of the page's width, that fits into screentone without frame or outline; less is its rim."""
RIM_LEVEL = 150
"""Anti-aliased px beside paper that are lighter than this still show the paper, not the ink."""


def paper(gray: Gray, *, neck: float = 0) -> Mask:
    """Margins, gutters, bubbles and caption boxes of a page.

    Args:
        gray: (H, W) uint8, 255 is white.
        neck: as of `gutters`.

    Returns:
        (H, W) bool, True where the page must stay paper white (lettering inside counts as paper).
    """
    margins, lettered = parts(gray, neck=neck)
    return margins | lettered


def parts(gray: Gray, *, neck: float = 0) -> tuple[Mask, Mask]:
    """The same in two: margins and gutters, (H, W) bool, and bubbles and caption boxes; they do not overlap."""
    margins, lettered = gutters(gray, neck=neck), bubbles(gray) > 0
    found = margins | lettered
    side = max(3, round(TONE_SIDE * page_unit(gray)))
    tone = (screened(gray) & found).astype(np.uint8)
    even = cv2.morphologyEx(tone, cv2.MORPH_OPEN, np.ones((side, side), np.uint8)) == 0
    return np.asarray(margins & ~lettered & even, bool), np.asarray(lettered & even, bool)


def gutters(gray: Gray, *, neck: float = 0) -> Mask:
    """Bright paper that touches the page border, and straight bright bands closed off from it.

    Args:
        gray: (H, W) uint8, 255 is white.
        neck: paper reached only through gaps narrower than this (px of a page 1246 px wide) is left out: white
            shirts and faces whose outline has a gap. 0 takes in all that is connected.

    Returns:
        (H, W) bool; thin strokes that stand on the paper (lettering in the margin) are closed.
    """
    unit = page_unit(gray)
    bright = (gray >= paper_level(gray)).astype(np.uint8)
    labels, stats = components(bright, 8)
    keep = _at_border(labels, len(stats))
    _add_bands(keep, labels, stats, unit)
    kept = keep[labels]
    radius = round(neck / 2 * unit / 1246)
    if radius > 0:
        kept = _without_leaks(kept, bright, radius, unit)
    return _with_rim(_with_lettering(kept, unit), gray, 1)


def _with_lettering(kept: Mask, unit: float) -> Gray:
    """The paper without its small holes: letters and thin strokes that stand on it."""
    stroke = max(3, 2 * round(0.004 * unit) + 1)
    closed = np.asarray(cv2.morphologyEx(kept.astype(np.uint8), cv2.MORPH_CLOSE, np.ones((stroke, stroke))), np.uint8)
    labels, stats = components(closed == 0, 8)
    small = np.maximum(stats[:, cv2.CC_STAT_WIDTH], stats[:, cv2.CC_STAT_HEIGHT]) < 0.04 * unit
    small[0] = False
    return closed | small[labels].astype(np.uint8)


def _at_border(labels: Labels, count: int) -> Mask:
    """Which labels occur on the border of the page; never the background."""
    touching = np.zeros(count, bool)
    touching[np.concatenate([labels[0], labels[-1], labels[:, 0], labels[:, -1]])] = True
    touching[0] = False
    return touching


def _add_bands(keep: Mask, labels: Labels, stats: Labels, unit: float) -> None:
    long_side = np.maximum(stats[:, cv2.CC_STAT_WIDTH], stats[:, cv2.CC_STAT_HEIGHT])
    candidates = ~keep & (long_side > 0.15 * unit) & (stats[:, cv2.CC_STAT_AREA] > 0.0006 * unit**2)
    candidates[0] = False
    for index in np.flatnonzero(candidates):
        keep[index] = _is_band(crop_of(labels, stats[index], int(index)), unit)


def _without_leaks(paper: Mask, bright: Gray, radius: int, unit: float) -> Mask:
    """The paper that the border reaches through gaps wider than 2 x radius; narrow gutters stay."""
    labels, stats = components(np.asarray(cv2.erode(bright, _disc(radius), borderValue=1), np.uint8), 8)
    wide = _at_border(labels, len(stats))[labels].astype(np.uint8)
    reached = (cv2.dilate(wide, _disc(radius + 2)) > 0) & paper
    labels, stats = components(paper & ~reached, 8)
    keep = stats[:, cv2.CC_STAT_AREA] < 0.0015 * unit**2
    keep[0] = False
    _add_bands(keep, labels, stats, unit)
    return np.asarray(reached | keep[labels], bool)


def _is_band(component: Mask, unit: float) -> bool:
    """Whether a bright component is made of straight bands of even thickness, as gutters are."""
    shape = np.pad(component, 1).astype(np.uint8)
    thickness = 2 * float(cv2.distanceTransform(shape, cv2.DIST_L2, 3).max())
    if not 3 < thickness < 0.045 * unit:
        return False
    contours, _ = cv2.findContours(shape, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    _, sides, _ = cv2.minAreaRect(contours[0])
    if max(sides) > 8 * min(sides) and component.sum() > 0.7 * sides[0] * sides[1]:
        return True
    length = max(3, round(0.08 * unit))
    flat = cv2.morphologyEx(shape, cv2.MORPH_OPEN, np.ones((1, length), np.uint8))
    upright = cv2.morphologyEx(shape, cv2.MORPH_OPEN, np.ones((length, 1), np.uint8))
    return bool(np.maximum(flat, upright).sum() > 0.85 * component.sum())


def bubbles(gray: Gray) -> Mask:
    """Speech bubbles and caption boxes: bright, compact regions that hold lettering.

    Blank ones count on a page that has hardly any others (`BLANKS`).

    Args:
        gray: (H, W) uint8, 255 is white.

    Returns:
        (H, W) bool, closed: the lettering and the light rim of the outline belong to the bubble.
    """
    height, width = gray.shape
    scale = min(1.0, WORKING_UNIT / page_unit(gray))
    small = gray
    if scale < 1:
        size = (max(1, round(width * scale)), max(1, round(height * scale)))
        small = np.asarray(cv2.resize(gray, size, interpolation=cv2.INTER_AREA), np.uint8)
    found = _bubbles(small)
    if scale < 1:
        found = np.asarray(cv2.resize(found, (width, height), interpolation=cv2.INTER_NEAREST), np.uint8)
    return _with_rim(found, gray, 1 + round(1 / scale))


def _with_rim(found: Gray, gray: Gray, radius: int) -> Mask:
    """Grown over the anti-aliased rim: px lighter than ink within `radius` px."""
    grown = cv2.dilate(found, np.ones((2 * radius + 1, 2 * radius + 1), np.uint8))
    return np.asarray((found > 0) | ((grown > 0) & (gray > RIM_LEVEL)), bool)


def _bubbles(gray: Gray) -> Gray:
    """1 where a bubble is, on a page of working size; holes are closed."""
    unit = page_unit(gray)
    result = np.zeros(gray.shape, np.uint8)
    bright = (gray >= min(225, paper_level(gray) - 8)).astype(np.uint8)
    glyphs = find_glyphs(gray, unit)
    lettered = 0
    blank: list[tuple[Region, Gray]] = []
    for window, closed in _candidates(_parted(bright, gray, unit), 0, unit):
        held = glyphs.inside(window.x, window.y, closed > 0)
        if sparse_lettering(gray[window.slices], closed > 0, held, window.x, window.y):
            result[window.slices] |= closed
            lettered += 1
        elif not len(held) and is_blank_bubble(gray[window.slices], closed > 0, unit):
            blank.append((window, closed))
    for radius in dict.fromkeys(round(r * unit / 1246) for r in OPENINGS):
        level = cv2.erode(bright, _disc(radius), borderValue=0) if radius else bright
        for window, closed in _candidates(np.asarray(level, np.uint8), radius, unit):
            already = result[window.slices]
            added = _added(closed, already)
            held = glyphs.inside(window.x, window.y, added > 0)
            if holds_lettering(gray[window.slices], added > 0, held, window.x, window.y):
                already |= closed
                lettered += 1
    if len(blank) >= BLANKS and len(blank) > lettered:
        for window, closed in blank:
            result[window.slices] |= closed
    return result


def _parted(bright: Gray, gray: Gray, unit: float) -> Gray:
    """The bright px, cut where two regions meet: gaps of an outline are closed by the trapped balls."""
    scale = min(1.0, REGION_UNIT / unit)
    size = (max(1, round(gray.shape[1] * scale)), max(1, round(gray.shape[0] * scale)))
    lines = cv2.erode(without_marks(gray, unit), np.ones((3, 3), np.uint8))  # hairlines survive the reduction
    small = np.asarray(cv2.resize(lines, size, interpolation=cv2.INTER_AREA), np.uint8)
    labels = cv2.resize(regions(small), gray.shape[::-1], interpolation=cv2.INTER_NEAREST)
    parted = bright.copy()
    parted[:, 1:][labels[:, 1:] != labels[:, :-1]] = 0
    parted[1:][labels[1:] != labels[:-1]] = 0
    return parted


def _candidates(level: Gray, radius: int, unit: float) -> Iterator[tuple[Region, Gray]]:
    """Components of the size of bubbles, closed and grown back by `radius`, each in its window of the page."""
    labels, stats = components(level, 4)
    width, height, area = (stats[:, i] for i in (cv2.CC_STAT_WIDTH, cv2.CC_STAT_HEIGHT, cv2.CC_STAT_AREA))
    fit = (area > 0.0005 * unit**2) & (width * height < 0.5 * unit**2) & (np.minimum(width, height) > 0.02 * unit)
    fit[0] = False
    for index in np.flatnonzero(fit):
        x, y, w, h = (int(v) for v in stats[index, :4])
        window = Region(x, y, w, h).padded(radius, level.shape[1], level.shape[0])
        yield window, _closed(labels[window.slices] == index, radius)


def _added(closed: Gray, already: Gray) -> Gray:
    """The part of a region that must hold lettering: not the bubble that is known, but art behind a gap of it."""
    rest = closed & (1 - already)
    return rest if already.any() and closed.sum() > 1.2 * (closed & already).sum() else closed


def _closed(part: Mask, radius: int) -> Gray:
    """The component without its holes, grown back by the radius that it was cut by."""
    contours, _ = cv2.findContours(part.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    closed = np.zeros(part.shape, np.uint8)
    cv2.drawContours(closed, contours, -1, 1, cv2.FILLED)
    return np.asarray(cv2.dilate(closed, _disc(radius)) if radius else closed, np.uint8)


def _disc(radius: int) -> Gray:
    size = 2 * radius + 1
    return np.asarray(cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (size, size)), np.uint8)
