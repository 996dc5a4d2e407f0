"""A small manga chapter, drawn by code alone: something to paint on the first day, and free of anyone's rights."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from xml.sax.saxutils import escape

from mangapaint import atomic, pixels
from mangapaint.demo.story import TITLE, draw_pages
from mangapaint.page import Bytes2D

__all__ = ["FILE_NAME", "draw_chapter", "draw_pages"]

FILE_NAME = "the-paint-box.cbz"
_DATE = (1980, 1, 1, 0, 0, 0)  # fixed, so that the same version always writes the same bytes


def draw_chapter(folder: Path) -> Path:
    """Draw the chapter's four pages into `folder` as a CBZ with a ComicInfo.xml and return its path.

    A chapter already there is replaced.

    Raises:
        OutputError: the folder is not writable or the disk is full.
    """
    target = folder / FILE_NAME
    atomic.write(target, _archive(draw_pages()))
    return target


def _archive(pages: list[Bytes2D]) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_STORED) as archive:
        for number, page in enumerate(pages, start=1):
            _store(archive, f"{number:03d}.png", pixels.encode(page, format="png", quality=100))
        _store(archive, "ComicInfo.xml", _comic_info(len(pages)).encode())
    return content.getvalue()


def _store(archive: zipfile.ZipFile, name: str, data: bytes) -> None:
    entry = zipfile.ZipInfo(name, _DATE)
    entry.create_system = 3  # the same on every system
    entry.external_attr = 0o644 << 16
    archive.writestr(entry, data)


def _comic_info(page_count: int) -> str:
    fields = {
        "Title": TITLE,
        "Series": "mangapaint demo",
        "Number": "1",
        "Summary": "Two friends find a box of paints under an old tree.",
        "PageCount": str(page_count),
        "LanguageISO": "en",
        "BlackAndWhite": "Yes",
        "Manga": "YesAndRightToLeft",
    }
    body = "".join(f"  <{name}>{escape(value)}</{name}>\n" for name, value in fields.items())
    return f'<?xml version="1.0" encoding="utf-8"?>\n<ComicInfo>\n{body}</ComicInfo>\n'
