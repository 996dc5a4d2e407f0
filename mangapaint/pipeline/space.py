"""How large a result will be, and whether the disk has room for it."""

from __future__ import annotations

import shutil
from pathlib import Path

from mangapaint import pixels
from mangapaint.errors import OutputError, PageError
from mangapaint.page import Verdict
from mangapaint.pipeline import guard
from mangapaint.pipeline.feed import Source
from mangapaint.settings import MIB, Settings

SAMPLE = 8
"""Pages looked at for an estimate: enough, as a chapter's pages are much alike."""

BYTES_PER_PIXEL = {"png": 1.2, "jpeg": 0.4, "webp": 0.2, "avif": 0.15}
"""Of painted manga pages at the default quality; on the low side, so that no possible run is refused."""


def page_bytes(width: int, height: int, source_format: str, settings: Settings) -> int:
    """About how many bytes a painted page's file will have."""
    found = guard.plan(width, height, source_format, settings)
    return int(found.width * found.height * BYTES_PER_PIXEL[found.format])


def is_kept(verdict: Verdict, settings: Settings) -> bool:
    """Whether a page keeps its original bytes: there is nothing to paint and nothing to enlarge."""
    return settings.paint is not None and verdict is not Verdict.GRAY and settings.upscale.scale == 1


def chapter_bytes(source: Source, settings: Settings) -> int:
    """About how many bytes the finished pages of a chapter will have, judged by a few of them."""
    count = len(source)
    picked = sorted({round(place * (count - 1) / max(1, SAMPLE - 1)) for place in range(SAMPLE)})
    sizes = []
    for index in picked:
        try:
            header = pixels.inspect(source.read(index), settings.input.limits)
        except PageError:
            continue
        sizes.append(page_bytes(header.width, header.height, header.format, settings))
    return sum(sizes) * count // len(sizes) if sizes else 0


def demand(folder: Path, needed: int) -> None:
    """Refuse to start what cannot end.

    Args:
        folder: an existing folder on the disk of the output.
        needed: bytes.

    Raises:
        OutputError: the disk has less.
    """
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise OutputError(f"about {-(-needed // MIB)} MiB are needed in {folder}, {free // MIB} MiB are free")
