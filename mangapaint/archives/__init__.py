"""Chapters as they lie on the disk: folders, CBZ, PDF, single pictures; RAR, 7z, tar and EPUB to read only."""

from mangapaint.archives.base import PROVENANCE, ChapterReader, ChapterWriter, Extra
from mangapaint.archives.discover import Found, discover, output_path
from mangapaint.archives.opening import open_reader, open_writer
from mangapaint.archives.provenance import provenance

__all__ = [
    "PROVENANCE",
    "ChapterReader",
    "ChapterWriter",
    "Extra",
    "Found",
    "discover",
    "open_reader",
    "open_writer",
    "output_path",
    "provenance",
]
