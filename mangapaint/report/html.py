"""A report to look at: what became of each page, and before and after under a slider. One file, nothing fetched."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from mangapaint import __version__, archives, atomic, pixels
from mangapaint.errors import MangapaintError, printable
from mangapaint.page import Action
from mangapaint.pipeline.contracts import ChapterResult, ChapterState, PageResult
from mangapaint.settings import InputSettings, Limits

PAIRS = 48
"""Pairs of pictures in one report, shared among its chapters: more would make it too heavy for a browser."""
LONG_SIDE = 900
"""Of the pictures, px."""
_CHANGED = {Action.PAINTED, Action.UPSCALED, Action.RESUMED}


def write(path: Path, chapters: Sequence[ChapterResult], pages: Sequence[PageResult], settings: InputSettings) -> None:
    """Write the report of a run.

    Args:
        path: of the HTML file; replaced when it is there.
        chapters: results, in order.
        pages: results of all their pages.
        settings: how the sources are read again for their pictures.

    Raises:
        OutputError: the file cannot be written.
    """
    import jinja2

    loader = jinja2.PackageLoader("mangapaint.report", ".")
    template = jinja2.Environment(loader=loader, autoescape=True, trim_blocks=True).get_template("page.html")
    most = max(1, PAIRS // max(1, len(chapters)))
    described = [_chapter(chapter, pages, settings, most) for chapter in chapters]
    atomic.write(path, template.render(version=__version__, chapters=described).encode())


def _chapter(chapter: ChapterResult, pages: Sequence[PageResult], settings: InputSettings, most: int) -> dict[str, Any]:
    own = sorted((page for page in pages if page.chapter == chapter.source), key=lambda page: page.page)
    changed = [page.page for page in own if page.action in _CHANGED]
    done = chapter.state is ChapterState.DONE and chapter.target is not None
    return {
        "source": printable(str(chapter.source)),
        "target": printable(str(chapter.target)) if done else "",
        "state": chapter.state.value,
        "error": str(chapter.error) if chapter.error else "",
        "consistency": chapter.consistency,
        "flawed": bool(chapter.failed),
        "pages": [_page(page) for page in own],
        "pairs": _pairs(chapter, changed, settings, most) if done else [],
    }


def _page(page: PageResult) -> dict[str, Any]:
    return {
        "number": page.page + 1,
        "name": printable(page.name),
        "verdict": page.verdict.value if page.verdict else "",
        "value": f"{page.value:.2f}",
        "size": f"{page.width} x {page.height}" if page.width else "",
        "action": page.action.value,
        "seconds": f"{page.seconds:.1f}",
        "error": printable(page.error),
    }


def _pairs(chapter: ChapterResult, changed: Sequence[int], settings: InputSettings, most: int) -> list[dict[str, Any]]:
    """Pictures of some changed pages, spread over the chapter; a page that cannot be read again is left out."""
    picked = sorted({changed[place * len(changed) // most] for place in range(most)}) if changed else []
    found: list[dict[str, Any]] = []
    target = chapter.target
    if target is None or not picked:
        return found
    large = InputSettings(limits=Limits(page_megapixels=16 * settings.limits.page_megapixels))  # it was enlarged
    try:
        with archives.open_reader(chapter.source, settings) as before, archives.open_reader(target, large) as after:
            for index in picked:
                pair = _picture(before.read(index), settings), _picture(after.read(index), large)
                found.append({"page": index + 1, "before": pair[0], "after": pair[1]})
    except MangapaintError:
        return found
    return found


def _picture(data: bytes, settings: InputSettings) -> str:
    image = pixels.decode(data, settings.limits, tolerate_truncated=settings.tolerate_truncated).pixels
    scale = min(1.0, LONG_SIDE / max(image.shape[:2]))
    size = max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale))
    small = np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)
    return base64.b64encode(pixels.encode(small, format="jpeg", quality=80)).decode()
