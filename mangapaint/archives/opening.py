"""Which reader and which writer a path gets; decided by content, because suffixes lie."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Literal

from mangapaint.archives.base import ChapterReader, ChapterWriter
from mangapaint.archives.names import is_picture
from mangapaint.errors import InputError
from mangapaint.settings import InputSettings, OutputSettings

Content = Literal["folder", "zip", "epub", "pdf", "rar", "7z", "tar", "image"]

_HEAD = 1024


def open_reader(path: Path, settings: InputSettings) -> ChapterReader:
    """Open a chapter of any kind.

    Raises:
        InputError: not a chapter, damaged as a whole, over the limits, or without pages.
        EncryptedError: it asks for a password.
        MissingExtraError: its format needs an extra that is not installed.
    """
    # Imported here: each format brings its own library, and most runs see one format.
    try:
        match sniff(path):
            case "folder":
                from mangapaint.archives.folder import FolderReader

                return FolderReader(path, settings)
            case "zip":
                from mangapaint.archives.cbz import CbzReader

                return CbzReader(path, settings)
            case "pdf":
                from mangapaint.archives.pdf import PdfReader

                return PdfReader(path, settings)
            case "image":
                from mangapaint.archives.image import ImageReader

                return ImageReader(path, settings)
            case "epub":
                from mangapaint.archives.epub import EpubReader

                return EpubReader(path, settings)
            case "tar":
                from mangapaint.archives.foreign import TarReader

                return TarReader(path, settings)
            case "rar" | "7z":
                from mangapaint.archives.foreign import LibarchiveReader

                return LibarchiveReader(path, settings)
    except InputError as error:
        raise error.at(chapter=path) from error.__cause__
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror or error}", chapter=path) from error


def open_writer(
    reader: ChapterReader, target: Path, settings: OutputSettings, *, painted: bool = True
) -> ChapterWriter:
    """The writer for what `reader` reads: the same container, or a CBZ where that is read-only.

    Args:
        reader: stays open until the writer is closed.
        target: the final path, as output_path() gives it.
        settings: whether ComicInfo.xml is amended, and the quality of pictures that a PDF cannot hold as they are.
        painted: whether colour is added; False for upscaling alone.

    Raises:
        OutputError: the target's folder cannot be written.
    """
    match reader.kind:
        case "folder":
            from mangapaint.archives.folder import FolderWriter

            return FolderWriter(reader, target, settings, painted=painted)
        case "pdf":
            from mangapaint.archives.pdfwriter import PdfWriter

            return PdfWriter(reader, target, settings, painted=painted)
        case "image":
            from mangapaint.archives.image import ImageWriter

            return ImageWriter(reader, target, settings, painted=painted)
        case "cbz" | "foreign":
            from mangapaint.archives.cbz import CbzWriter

            return CbzWriter(reader, target, settings, painted=painted)


def sniff(path: Path) -> Content:
    """What a path holds, by its first bytes.

    Raises:
        InputError: nothing there, no regular file, or no known format.
        OSError: it cannot be read.
    """
    if path.is_dir():
        return "folder"
    if not path.exists():
        raise InputError("does not exist", remedy="check the path", chapter=path)
    if not path.is_file():
        raise InputError("is no regular file", chapter=path)
    with path.open("rb") as file:
        head = file.read(_HEAD)
    if head.startswith((b"PK\3\4", b"PK\5\6")):
        return "epub" if b"mimetypeapplication/epub+zip" in head[:100] or path.suffix.lower() == ".epub" else "zip"
    if head.startswith(b"Rar!\x1a\x07"):
        return "rar"
    if head.startswith(b"7z\xbc\xaf\x27\x1c"):
        return "7z"
    if b"%PDF-" in head:
        return "pdf"
    if head[257:262] == b"ustar" or path.suffix.lower() in {".cbt", ".tar"}:
        return "tar"
    if is_picture(path.name):
        return "image"
    if zipfile.is_zipfile(path):  # with something in front, such as a self-extractor
        return "zip"
    raise InputError("the file is empty" if not head else "its format is not known", chapter=path)
