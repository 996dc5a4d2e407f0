"""PDF chapters: a page's picture as it is embedded where one covers the page, else the page rendered without its text.

Lettering that lies over a picture as text stays text in the output, so it is never part of what is read here.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from mangapaint import pixels
from mangapaint.archives.base import Extra, Kind, Reader
from mangapaint.archives.mupdf import pymupdf
from mangapaint.errors import EncryptedError, InputError, MangapaintError, PageError
from mangapaint.settings import InputSettings, Limits

COVERING = 0.97
"""Share of the page from which on one picture is taken for the page."""
_OTHERS = 0.1
"""Share of the page that other pictures may take then; they lie over it as they are."""
_DPI = 300.0
_DPI_RANGE = (100.0, 600.0)
_SAME = 2
"""Levels by which a picture's profile may differ from plain grey or sRGB to be taken for it."""
_DO = re.compile(rb"/([^\s/<>\[\]()]+)\s+Do\b")


class PdfReader(Reader):
    kind: Kind = "pdf"

    def __init__(self, path: Path, settings: InputSettings) -> None:
        super().__init__(path)
        self._limits = settings.limits
        self._lock = threading.Lock()  # MuPDF's documents are for one thread at a time
        self.document = open_document(path)
        try:
            count = self.document.page_count
            if count > self._limits.pdf_pages:
                raise InputError(
                    f"{count} pages are over the limit of {self._limits.pdf_pages}", remedy="raise --limit-pdf-pages"
                )
            digits = max(4, len(str(count)))
            self.names = [f"{number:0{digits}}" for number in range(1, count + 1)]
            self.demand_pages()
            preference = self.document.xref_get_key(self.document.pdf_catalog(), "ViewerPreferences/Direction")
            self.direction = "rtl" if preference[1] == "/R2L" else None
        except BaseException:
            self.close()
            raise

    def read(self, index: int) -> bytes:
        """The picture of a page.

        The embedded file itself where it is a JPEG or PNG in plain colours, else its pixels as PNG; a rendered page
        as PNG. Turned as the page is shown.
        """
        with self._lock, _page_errors():
            page = self.document[index]
            cover = find_cover(page)
            if cover is None:
                return _render(page, self._limits)
            return turned(_embedded(self.document, cover, self._limits), page.rotation, self._limits)

    def original(self, index: int) -> bytes:
        return self.read(index)

    def extras(self) -> Iterator[Extra]:
        return iter(())

    def close(self) -> None:
        self.document.close()


@dataclass(frozen=True, slots=True)
class Cover:
    """The one picture that covers a page: its object number and size in px."""

    xref: int
    width: int
    height: int


def open_document(path: Path) -> Any:
    """Open a PDF that can be read to its last page.

    Raises:
        InputError: damaged, cut off, no PDF.
        EncryptedError: it asks for a password to be read.
    """
    try:
        document = pymupdf.open(path, filetype="pdf")
    except (RuntimeError, ValueError, pymupdf.mupdf.FzErrorBase) as error:
        raise InputError("damaged or cut off PDF", remedy="get the file again", chapter=path) from error
    if document.needs_pass:
        document.close()
        raise EncryptedError("the PDF is encrypted", chapter=path)
    # MuPDF mends a cut-off file by leaving out what is missing; pages must not vanish like that.
    if not document.is_pdf or (document.is_repaired and b"%%EOF" not in _tail(path)):
        document.close()
        raise InputError("damaged or cut off PDF", remedy="get the file again", chapter=path)
    return document


def embedded_file(path: Path, name: str) -> bytes | None:
    """A file attached to a PDF, or None."""
    document = open_document(path)
    try:
        return bytes(document.embfile_get(name)) if name in document.embfile_names() else None
    finally:
        document.close()


def find_cover(page: Any) -> Cover | None:
    """The upright, opaque picture that covers the page alone, or None."""
    shown = pymupdf.Rect(0, 0, page.cropbox.width, page.cropbox.height)
    covering, others = [], 0.0
    for info in page.get_image_info():
        a, b, c, d = info["transform"][:4]
        share = abs(pymupdf.Rect(info["bbox"]) & shown) / max(1e-9, abs(shown))
        if share >= COVERING:
            upright = a > 0 and d > 0 and max(abs(b), abs(c)) < 1e-3 * min(a, d)
            covering.append((info, upright and not info["has-mask"]))
        else:
            others += share
    if len(covering) != 1 or not covering[0][1] or others > _OTHERS:
        return None
    width, height = covering[0][0]["width"], covering[0][0]["height"]
    found = {row[0] for row in shown_images(page) if row[2:4] == (width, height) and not row[1]}
    if len(found) > 1:  # same size: told apart by their pixels
        number = covering[0][0]["number"]
        found = {info["xref"] for info in page.get_image_info(xrefs=True) if info["number"] == number}
    found.discard(0)
    return Cover(found.pop(), width, height) if len(found) == 1 else None


def shown_images(page: Any) -> list[tuple[Any, ...]]:
    """Rows of Page.get_images() for pictures that the page shows; its resources may list those of all pages."""
    drawn = {name.decode("latin-1") for name in _DO.findall(page.read_contents())}
    return [row for row in page.get_images(full=True) if row[9] != 0 or row[7] in drawn]


def turned(data: bytes, degrees: int, limits: Limits) -> bytes:
    """A picture file turned clockwise by a multiple of 90 degrees; PNG unless nothing is to do."""
    if degrees % 360 == 0:
        return data
    picture = pixels.decode(data, limits)
    return pixels.encode(np.ascontiguousarray(np.rot90(picture.pixels, -degrees // 90)), format="png")


def without_text(page: Any) -> None:
    """Take the text off a page of an open document."""
    page.add_redact_annot(page.rect, fill=False, cross_out=False)
    page.apply_redactions(
        images=pymupdf.PDF_REDACT_IMAGE_NONE,
        graphics=pymupdf.PDF_REDACT_LINE_ART_NONE,
        text=pymupdf.PDF_REDACT_TEXT_REMOVE,
    )


def _embedded(document: Any, cover: Cover, limits: Limits) -> bytes:
    if cover.width * cover.height > limits.page_megapixels * 1e6 or max(cover.width, cover.height) > limits.side:
        raise PageError(f"{cover.width}x{cover.height} px is over the limit", remedy="raise --limit-megapixels")
    as_jpeg = document.xref_get_key(cover.xref, "Filter")[1] in {"/DCTDecode", "[/DCTDecode]"} and (
        document.xref_get_key(cover.xref, "Decode")[0] == "null"
    )
    jpeg = bytes(document.xref_stream_raw(cover.xref)) if as_jpeg else None
    if jpeg and document.xref_get_key(cover.xref, "ColorSpace")[1] in {"/DeviceGray", "/DeviceRGB"}:
        return jpeg
    raw = pymupdf.Pixmap(document, cover.xref)
    if raw.alpha:
        raw = pymupdf.Pixmap(raw, 0)
    bands = 0 if raw.colorspace is None else raw.colorspace.n
    shown = pymupdf.Pixmap(pymupdf.csGRAY if bands == 1 else pymupdf.csRGB, raw)
    if jpeg and bands in (1, 3) and cv2.norm(_array(raw), _array(shown), cv2.NORM_INF) <= _SAME:
        return jpeg  # its profile says nothing else than the plain colours of its file
    return pixels.encode(_array(shown), format="png")


def _render(page: Any, limits: Limits) -> bytes:
    without_text(page)
    width, height = page.rect.width / 72, page.rect.height / 72  # inches
    stored = {tuple(row[2:4]) for row in page.get_images()}  # smooth shades are listed among the shown pictures
    native = [
        info["width"] * 72 / max(1e-3, info["transform"][0] ** 2 + info["transform"][1] ** 2) ** 0.5
        for info in page.get_image_info()
        if abs(pymupdf.Rect(info["bbox"])) >= _OTHERS * abs(page.rect) and (info["width"], info["height"]) in stored
    ]
    dpi = min(max(max(native), _DPI_RANGE[0]), _DPI_RANGE[1]) if native else _DPI
    dpi = min(dpi, (limits.pdf_page_megapixels * 1e6 / (width * height)) ** 0.5, limits.side / max(width, height))
    pixmap = page.get_pixmap(matrix=pymupdf.Matrix(dpi / 72, dpi / 72), colorspace=pymupdf.csRGB, annots=False)
    return pixels.encode(_array(pixmap), format="png", dpi=(dpi, dpi))


def _array(pixmap: Any) -> NDArray[np.uint8]:
    """(H, W) for one band, else (H, W, bands)."""
    rows = np.frombuffer(pixmap.samples_mv, np.uint8).reshape(pixmap.height, pixmap.stride)
    picture = rows[:, : pixmap.width * pixmap.n].reshape(pixmap.height, pixmap.width, pixmap.n)
    return picture[..., 0] if pixmap.n == 1 else picture


def _tail(path: Path) -> bytes:
    with path.open("rb") as file:
        file.seek(0, 2)
        file.seek(max(0, file.tell() - 2048))
        return file.read()


@contextmanager
def _page_errors() -> Iterator[None]:
    try:
        yield
    except MangapaintError:
        raise
    except Exception as error:  # a third party's parser on hostile bytes: any failure means a damaged page
        raise PageError(f"damaged page: {error}") from error
