"""ComicInfo.xml: what it says of a chapter, and what a finished chapter changes in it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from lxml import etree

from mangapaint.archives.base import ReadingDirection

NAME = "ComicInfo.xml"

# The schema is a sequence: readers that validate refuse another order (anansi-project/comicinfo, v2.1).
_ORDER = (
    *("Title", "Series", "Number", "Count", "Volume", "AlternateSeries", "AlternateNumber", "AlternateCount"),
    *("Summary", "Notes", "Year", "Month", "Day", "Writer", "Penciller", "Inker", "Colorist", "Letterer"),
    *("CoverArtist", "Editor", "Translator", "Publisher", "Imprint", "Genre", "Tags", "Web", "PageCount"),
    *("LanguageISO", "Format", "BlackAndWhite", "Manga", "Characters", "Teams", "Locations", "ScanInformation"),
    *("StoryArc", "StoryArcNumber", "SeriesGroup", "AgeRating", "Pages", "CommunityRating"),
    *("MainCharacterOrTeam", "Review", "GTIN"),
)
_DIRECTIONS: dict[str, ReadingDirection] = {"YesAndRightToLeft": "rtl", "No": "ltr"}


@dataclass(frozen=True, slots=True)
class PageFacts:
    """A finished page as ComicInfo lists it: px and bytes; None where the page cannot be read."""

    width: int | None
    height: int | None
    bytes: int


def pick(names: Iterable[str]) -> str | None:
    """Which of a chapter's entries is its ComicInfo: the one at the root, else the first in a folder."""
    found = [name for name in names if name.rpartition("/")[2].casefold() == NAME.casefold()]
    return min(found, key=lambda name: name.count("/"), default=None)


def direction(data: bytes) -> ReadingDirection | None:
    """Reading direction by the Manga element; None when it does not say, or is no XML."""
    root = _parse(data)
    return None if root is None else _DIRECTIONS.get((root.findtext("Manga") or "").strip())


def amend(data: bytes, pages: Sequence[PageFacts], *, painted: bool, note: str) -> bytes:
    """The file with page count, page sizes (where it lists pages) and a note brought up to date; idempotent.

    Args:
        data: the file as it was; returned as it is when it is no ComicInfo that can be parsed.
        pages: the finished pages in order.
        painted: whether colour was added, so that the chapter is no longer black and white.
        note: one sentence for Notes, appended unless it already stands there.
    """
    root = _parse(data)
    if root is None:
        return data
    if painted:
        _set(root, "BlackAndWhite", "No")
    _set(root, "PageCount", str(len(pages)))
    notes = (root.findtext("Notes") or "").strip()
    if note not in notes:
        _set(root, "Notes", f"{notes} {note}" if notes.endswith((".", "!", "?")) else f"{notes}. {note}".lstrip(". "))
    for element in root.iterfind("Pages/Page"):
        number = (element.get("Image") or "").strip()
        if number.isascii() and number.isdigit() and int(number[:9]) < len(pages):
            _set_facts(element, pages[int(number[:9])])
    tree = root.getroottree()
    return etree.tostring(tree, xml_declaration=True, encoding=tree.docinfo.encoding or "utf-8")


def _parse(data: bytes) -> etree._Element | None:
    # One parser a call: lxml's are not to be shared between threads.
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False)
    try:
        root = etree.fromstring(data, parser)
    except (etree.XMLSyntaxError, ValueError):
        return None
    return root if root is not None and root.tag == "ComicInfo" else None


def _set(root: etree._Element, name: str, text: str) -> None:
    element = root.find(name)
    if element is None:
        element = etree.Element(name)
        rank = _ORDER.index(name)
        later = [e for e in root if e.tag in _ORDER and _ORDER.index(str(e.tag)) > rank]
        at = root.index(later[0]) if later else len(root)
        _indent(root, element, at)
        root.insert(at, element)
    element.text = text


def _indent(root: etree._Element, element: etree._Element, at: int) -> None:
    """Give an inserted element the white space of its neighbours."""
    if at < len(root):
        before = root[at - 1].tail if at else root.text
        element.tail = before
    elif len(root):
        element.tail, root[-1].tail = root[-1].tail, root.text


def _set_facts(element: etree._Element, facts: PageFacts) -> None:
    element.set("ImageSize", str(facts.bytes))
    for name, value in (("ImageWidth", facts.width), ("ImageHeight", facts.height)):
        if value is not None:
            element.set(name, str(value))
