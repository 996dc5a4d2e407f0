"""What goes into an output besides its pages: the source's other files, and the program's notes."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence

from mangapaint import pixels
from mangapaint.archives import comicinfo
from mangapaint.archives.base import ChapterReader
from mangapaint.archives.comicinfo import PageFacts
from mangapaint.archives.names import FreeNames
from mangapaint.errors import PageError
from mangapaint.settings import Limits, OutputSettings

_ANY_SIZE = Limits(page_megapixels=math.inf, side=2**31)  # an upscaled page may be over the limits of the input


def carried(
    reader: ChapterReader,
    page_names: Sequence[str],
    facts: Sequence[PageFacts],
    notes: Mapping[str, bytes],
    settings: OutputSettings,
    *,
    painted: bool,
) -> Iterator[tuple[str, bytes]]:
    """Names and contents in a fixed order: the source's extras, ComicInfo.xml amended, then the notes.

    Args:
        reader: the source.
        page_names: the pages' names in the output, which no extra may take.
        facts: the finished pages.
        notes: name -> bytes.
        settings: whether ComicInfo.xml is amended.
        painted: whether colour was added to at least one page.
    """
    free = FreeNames([*page_names, *notes])
    for extra in reader.extras():
        data = extra.data
        if settings.comicinfo and extra.name == reader.comicinfo:
            sentence = "Coloured by mangapaint." if painted else "Upscaled by mangapaint."
            data = comicinfo.amend(data, facts, painted=painted, note=sentence)
        yield free.give(extra.name), data
    yield from sorted(notes.items())


def facts_of(data: bytes) -> PageFacts:
    """Size in px and bytes of a finished page; px None where the kept original is no readable picture."""
    try:
        header = pixels.inspect(data, _ANY_SIZE)
    except PageError:
        return PageFacts(None, None, len(data))
    return PageFacts(header.width, header.height, len(data))
