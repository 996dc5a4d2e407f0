"""Makes honest and hostile pictures, archives and PDFs by code."""

from __future__ import annotations

import struct
import zipfile
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pymupdf
from numpy.typing import NDArray
from PIL import Image

COMICINFO = b"""<?xml version="1.0" encoding="utf-8"?>
<ComicInfo xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">
  <Title>A day</Title>
  <Series>Days</Series>
  <!-- kept -->
  <Notes>Scanned at home</Notes>
  <LanguageISO>en</LanguageISO>
  <Manga>YesAndRightToLeft</Manga>
  <Shelf room="2">own element</Shelf>
  <Pages>
    <Page Image="0" Type="FrontCover" />
    <Page Image="1" Bookmark="start" />
  </Pages>
</ComicInfo>
"""


def page_pixels(width: int = 240, height: int = 340, *, seed: int = 0, colour: bool = False) -> NDArray[np.uint8]:
    """A page like a manga's: white gutters, framed panels with lines and dotted tone; (H, W, 3) uint8."""
    rng = np.random.default_rng(seed)
    page = np.full((height, width, 3), 255, np.uint8)
    margin, middle = max(1, width // 20), height // 2
    for top, bottom in ((margin, middle - margin // 2), (middle + margin // 2, height - margin)):
        if bottom - top < 8 or width < 24:
            continue
        panel = page[top:bottom, margin : width - margin]
        tone = (np.indices(panel.shape[:2]).sum(0) % 4 == 0) & (np.arange(panel.shape[1]) < panel.shape[1] // 3)
        panel[tone] = 0
        for _ in range(12):
            x, y, x2, y2 = rng.integers(0, (panel.shape[1], panel.shape[0]) * 2)
            cv2.line(panel, (int(x), int(y)), (int(x2), int(y2)), (20, 20, 20), 2)
        centre = (panel.shape[1] * 2 // 3, panel.shape[0] // 2)
        cv2.circle(panel, centre, max(2, min(panel.shape[:2]) // 4), (255, 255, 255), -1)
        cv2.circle(panel, centre, max(2, min(panel.shape[:2]) // 4), (0, 0, 0), 2)
        if colour:
            cv2.circle(panel, centre, max(1, min(panel.shape[:2]) // 5), (230, 60, 40), -1)
        cv2.rectangle(page, (margin, top), (width - margin - 1, bottom - 1), (0, 0, 0), 2)
    return page


def encoded(pixels: NDArray[Any], format: str = "PNG", **options: Any) -> bytes:
    """Pixels (H, W) or (H, W, C) as a file of a Pillow format."""
    return saved(Image.fromarray(pixels), format, **options)


def saved(image: Image.Image, format: str = "PNG", **options: Any) -> bytes:
    out = BytesIO()
    image.save(out, format, **options)
    return out.getvalue()


def page(format: str = "PNG", **options: Any) -> bytes:
    """One page as a file; options of page_pixels()."""
    return encoded(page_pixels(**options), format)


def pages(count: int, format: str = "PNG", **options: Any) -> list[bytes]:
    return [page(format, seed=seed, **options) for seed in range(count)]


def folder(path: Path, files: dict[str, bytes]) -> Path:
    for name, data in files.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_bytes(data)
    return path


def cbz(path: Path, files: dict[str, bytes] | Iterable[tuple[str, bytes]]) -> Path:
    """An honest zip; pairs may repeat names (zipfile warns of them: use raw_zip)."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in files.items() if isinstance(files, dict) else files:
            archive.writestr(name, data)
    return path


def chapter(path: Path, count: int = 3, **options: Any) -> Path:
    """A chapter of numbered PNG pages as what the suffix of `path` says: none is a folder, .cbz, .pdf."""
    files = {f"{number:03}.png": data for number, data in enumerate(pages(count, **options), 1)}
    if path.suffix == ".pdf":
        return pdf(path, list(files.values()))
    return cbz(path, files) if path.suffix else folder(path, files)


@dataclass(frozen=True)
class RawEntry:
    """A zip entry of which any field may lie; None takes the true value."""

    name: bytes
    data: bytes
    flags: int = 0
    method: int = 0
    crc: int | None = None
    size: int | None = None
    packed_size: int | None = None
    alias: int | None = None
    """Points to the local header of this earlier entry instead of having its own."""
    attributes: int = 0o100644 << 16


def raw_zip(path: Path, entries: Sequence[RawEntry]) -> Path:
    """A zip written byte by byte."""
    body, directory, offsets = bytearray(), bytearray(), []
    for entry in entries:
        packed = entry.data
        if entry.method == zipfile.ZIP_DEFLATED:
            packer = zlib.compressobj(9, zlib.DEFLATED, -15)
            packed = packer.compress(entry.data) + packer.flush()
        crc = zlib.crc32(entry.data) if entry.crc is None else entry.crc
        size = len(entry.data) if entry.size is None else entry.size
        packed_size = len(packed) if entry.packed_size is None else entry.packed_size
        fields = (entry.flags, entry.method, 0, 0x21, crc, packed_size, size, len(entry.name), 0)
        if entry.alias is None:
            offsets.append(len(body))
            body += struct.pack("<4sHHHHHIIIHH", b"PK\3\4", 20, *fields) + entry.name + packed
        else:
            offsets.append(offsets[entry.alias])
        directory += struct.pack(
            "<4sHHHHHHIIIHHHHHII", b"PK\1\2", 0x314, 20, *fields, 0, 0, 0, entry.attributes, offsets[-1]
        )
        directory += entry.name
    count = len(entries)
    end = struct.pack("<4sHHHHIIH", b"PK\5\6", 0, 0, count & 0xFFFF, count & 0xFFFF, len(directory), len(body), 0)
    path.write_bytes(bytes(body + directory) + end)
    return path


def pdf(path: Path, pictures: Sequence[bytes], *, text: str = "", size: tuple[float, float] = (240, 340)) -> Path:
    """A PDF with one covering picture a page, text over it where asked, an outline and metadata."""
    document = pymupdf.open()
    for number, picture in enumerate(pictures, 1):
        one = document.new_page(width=size[0], height=size[1])
        one.insert_image(one.rect, stream=picture, keep_proportion=False)
        if text:
            one.insert_text((40, 60), f"{text} {number}")
    document.set_toc([[1, "Start", 1]])
    document.set_metadata({"title": "A day", "author": "Someone"})
    document.save(path, deflate=True, no_new_id=True)
    document.close()
    return path


def giant_png(side: int) -> bytes:
    """A valid 1-bit grey PNG of side x side px, a few kB for hundreds of megapixels."""
    packer, row = zlib.compressobj(9), b"\0" + b"\xff" * ((side + 7) // 8)
    data = b"".join(packer.compress(row * min(256, side - at)) for at in range(0, side, 256)) + packer.flush()
    header = struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        for kind, body in ((b"IHDR", header), (b"IDAT", data), (b"IEND", b""))
    )


def icc(space: str, gamma: float, primaries: Sequence[tuple[float, float, float]] = ()) -> bytes:
    """An ICC display profile: "GRAY", or "RGB " with the XYZ (D50) of its three primaries."""

    def fixed(*values: float) -> bytes:
        return b"".join(round(value * 65536).to_bytes(4, "big", signed=True) for value in values)

    curve = b"curv\0\0\0\0" + (1).to_bytes(4, "big") + round(gamma * 256).to_bytes(2, "big") + b"\0\0"
    text = "by code".encode("utf-16-be")
    words = b"mluc" + struct.pack(">IIIIII", 0, 1, 12, 0x656E5553, len(text), 28) + text
    tags = {b"desc": words, b"wtpt": b"XYZ \0\0\0\0" + fixed(0.9642, 1.0, 0.8249)}
    if space == "GRAY":
        tags[b"kTRC"] = curve
    for letter, primary in zip("rgb", primaries, strict=False):
        tags[f"{letter}TRC".encode()] = curve
        tags[f"{letter}XYZ".encode()] = b"XYZ \0\0\0\0" + fixed(*primary)
    table, body, start = b"", b"", 128 + 4 + 12 * len(tags)
    for name, data in tags.items():
        data += b"\0" * (-len(data) % 4)
        table += name + struct.pack(">II", start + len(body), len(data))
        body += data
    head = struct.pack(">I4xI4s4s4s12x4s28x", start + len(body), 0x04200000, b"mntr", space.encode(), b"XYZ ", b"acsp")
    return (head + fixed(0.9642, 1.0, 0.8249)).ljust(128, b"\0") + len(tags).to_bytes(4, "big") + table + body
