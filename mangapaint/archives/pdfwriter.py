"""The finished PDF: a copy of the source in which only pictures were exchanged.

Page sizes, outline, metadata, links and lettering stay; pages that are kept stay as they are to the byte.
"""

from __future__ import annotations

import hashlib
import re
import shutil
import struct
from io import BytesIO
from pathlib import Path
from typing import Any

from PIL import Image

from mangapaint import atomic, pixels
from mangapaint.archives.base import ChapterReader, Closing, claim, demand_all
from mangapaint.archives.carried import facts_of
from mangapaint.archives.mupdf import pymupdf
from mangapaint.archives.pdf import Cover, find_cover, open_document, shown_images, turned
from mangapaint.errors import InputError, OutputError
from mangapaint.settings import Limits, OutputSettings

_UNLIMITED = Limits(page_megapixels=1e6, side=2**31)
_IN_MEMORY = 256 * 2**20
_SHADE = re.compile(rb"(?<!\S)/[^\s/()<>\[\]]+\s+sh(?!\S)")
_DATE = "(D:19800101000000Z)"


class PdfWriter(Closing):
    """Pictures go into a working copy one by one; identical ones are stored once.

    MuPDF holds what is new in memory until it is saved, so the copy is saved whenever that has become much.
    """

    def __init__(self, reader: ChapterReader, target: Path, settings: OutputSettings, *, painted: bool = True) -> None:
        self._count, self._settings = len(reader), settings
        self._done: set[int] = set()
        self._sizes: dict[int, tuple[int | None, int | None]] = {}
        self._objects: dict[bytes, int] = {}
        self._fresh = 0
        """Bytes added since the working copy was last saved."""
        self._part, self._copy = atomic.Part(target), atomic.Part(target)
        try:
            with atomic.output_errors(target):
                shutil.copyfile(reader.source, self._copy.path)
            self._document = open_document(self._copy.path)
        except BaseException:
            self._part.discard()
            self._copy.discard()
            raise
        self._users: dict[int, set[int]] = {}
        for page in self._document:
            for row in shown_images(page):
                self._users.setdefault(row[0], set()).add(page.number)

    def add(self, index: int, data: bytes, suffix: str) -> None:
        claim(self._done, index, self._count)
        page = self._document[index]
        cover, picture = find_cover(page), turned(data, -page.rotation, _UNLIMITED)
        if cover is None:
            self._lay_under(page, picture)
        else:
            self._exchange(page, cover, picture)
        facts = facts_of(data)
        self._sizes[index] = facts.width, facts.height
        self._fresh += len(picture)
        if self._fresh > _IN_MEMORY and self._document.can_save_incrementally():
            self._save_copy()

    def keep(self, index: int) -> None:
        claim(self._done, index, self._count)

    def note(self, name: str, data: bytes) -> None:
        if name in self._document.embfile_names():
            self._document.embfile_del(name)
        xref = self._document.embfile_add(name, data)
        for date in ("CreationDate", "ModDate"):
            self._document.xref_set_key(xref, f"Params/{date}", _DATE)

    def commit(self) -> Path:
        demand_all(self._done, self._count)
        target = self._part.target
        with atomic.output_errors(target):
            with self._part.path.open("r+b") as file:
                self._document.save(file, garbage=1, deflate=True, no_new_id=True)
            self._verify()
        self._part.commit()
        self.close()
        return target

    def close(self) -> None:
        if not self._document.is_closed:
            self._document.close()
        self._part.discard()
        self._copy.discard()

    def _save_copy(self) -> None:
        with atomic.output_errors(self._part.target):
            self._document.save(self._copy.path, incremental=True, encryption=pymupdf.PDF_ENCRYPT_KEEP, no_new_id=True)
        self._document.close()
        self._document = open_document(self._copy.path)
        self._fresh = 0

    def _exchange(self, page: Any, cover: Cover, data: bytes) -> None:
        if self._users.get(cover.xref, set()) <= {page.number}:
            _put_image(self._document, cover.xref, data, self._settings.quality)
        elif not self._point_to(page, cover.xref, self._object(data)):
            # Inside a form that pages share: they show the same picture, so each has the same result.
            _put_image(self._document, cover.xref, data, self._settings.quality)

    def _object(self, data: bytes) -> int:
        digest = hashlib.sha256(data).digest()
        if digest not in self._objects:
            self._objects[digest] = self._document.get_new_xref()
            _put_image(self._document, self._objects[digest], data, self._settings.quality)
        return self._objects[digest]

    def _point_to(self, page: Any, old: int, new: int) -> bool:
        """Let this page alone show another picture object; False where it shows it from inside a form."""
        rows = [row for row in shown_images(page) if row[0] == old]
        if any(row[9] != 0 for row in rows):
            return False
        document = self._document
        # Resources may be shared with other pages, so the page gets its own.
        owner = page.xref
        while document.xref_get_key(owner, "Resources")[0] == "null":
            owner = int(document.xref_get_key(owner, "Parent")[1].split()[0])
        for key in ("Resources", "Resources/XObject"):
            kind, value = document.xref_get_key(owner if key == "Resources" else page.xref, key)
            text = document.xref_object(int(value.split()[0]), compressed=True) if kind == "xref" else value
            document.xref_set_key(page.xref, key, text)
        for row in rows:
            document.xref_set_key(page.xref, f"Resources/XObject/{row[7]}", f"{new} 0 R")
        return True

    def _lay_under(self, page: Any, data: bytes) -> None:
        """Put a rendered page's picture under its text, in place of all else that it showed."""
        annotations, rotation = _annotations(self._document, page.xref), page.rotation
        page.set_rotation(0)
        page.add_redact_annot(page.rect, fill=False, cross_out=False)
        page.apply_redactions(
            images=pymupdf.PDF_REDACT_IMAGE_REMOVE,
            graphics=pymupdf.PDF_REDACT_LINE_ART_REMOVE_IF_TOUCHED,
            text=pymupdf.PDF_REDACT_TEXT_NONE,
        )
        content = page.read_contents()  # one stream now; smooth shades are no line art to redaction
        if _SHADE.search(content):
            self._document.update_stream(page.get_contents()[0], _SHADE.sub(b" ", content))
        if annotations is not None:  # redaction takes the links away as well
            self._document.xref_set_key(page.xref, "Annots", annotations)
        page.insert_image(page.rect, xref=self._object(data), overlay=False, keep_proportion=False)
        page.set_rotation(rotation)

    def _verify(self) -> None:
        try:
            document = open_document(self._part.path)
        except InputError as error:
            raise OutputError("the PDF does not read back", chapter=self._part.target) from error
        try:
            if document.page_count != self._count:
                raise OutputError("the PDF does not read back", chapter=self._part.target)
            for index, size in self._sizes.items():
                shown = [tuple(row[2:4]) for row in document[index].get_images()]
                if size not in shown and size[::-1] not in shown:
                    raise OutputError(f"page {index + 1} does not read back", chapter=self._part.target)
        finally:
            document.close()


def _annotations(document: Any, xref: int) -> str | None:
    kind, value = document.xref_get_key(xref, "Annots")
    if kind == "xref":
        return str(document.xref_object(int(value.split()[0]), compressed=True))
    return str(value) if kind == "array" else None


def _put_image(document: Any, xref: int, data: bytes, quality: int) -> None:
    """Make an object the picture, its file's own compressed stream inside where PDF knows that compression."""
    header = pixels.inspect(data, _UNLIMITED)
    if header.format == "jpeg":
        bands = _jpeg_bands(data)
        if bands in (1, 3):
            _set_stream(document, xref, header, data, bands, "/DCTDecode", None)
            return
    if header.format == "png":
        bands, stream = _png_stream(data)
        if stream:
            parameters = f"<</Predictor 15/Colors {bands}/BitsPerComponent 8/Columns {header.width}>>"
            _set_stream(document, xref, header, stream, bands, "/FlateDecode", parameters)
            return
    picture = pixels.decode(data, _UNLIMITED).pixels
    lossy = header.format in {"webp", "avif", "jpeg"} and max(picture.shape) <= 65_500
    _put_image(document, xref, pixels.encode(picture, format="jpeg" if lossy else "png", quality=quality), quality)


def _set_stream(
    document: Any, xref: int, header: pixels.Header, data: bytes, bands: int, method: str, parameters: str | None
) -> None:
    colours = "/DeviceGray" if bands == 1 else "/DeviceRGB"
    document.update_object(
        xref,
        f"<</Type/XObject/Subtype/Image/Width {header.width}/Height {header.height}"
        f"/ColorSpace{colours}/BitsPerComponent 8>>",
    )
    document.update_stream(xref, data, new=True, compress=False)
    document.xref_set_key(xref, "Filter", method)  # only now: update_stream() takes it away
    if parameters:
        document.xref_set_key(xref, "DecodeParms", parameters)


def _jpeg_bands(data: bytes) -> int:
    with Image.open(BytesIO(data), formats=("JPEG",)) as image:
        return {"L": 1, "RGB": 3}.get(image.mode, 0)


def _png_stream(data: bytes) -> tuple[int, bytes]:
    """Bands and the compressed pixels of an 8-bit PNG without alpha or interlace; else 0 and nothing."""
    depth, kind, _, _, interlace = struct.unpack(">5B", data[24:29])
    if depth != 8 or kind not in (0, 2) or interlace or b"tRNS" in data[:1024]:
        return 0, b""
    parts, at = [], 8
    while at + 8 <= len(data):
        (length,) = struct.unpack(">I", data[at : at + 4])
        if data[at + 4 : at + 8] == b"IDAT":
            parts.append(data[at + 8 : at + 8 + length])
        at += 12 + length
    return (1 if kind == 0 else 3), b"".join(parts)
