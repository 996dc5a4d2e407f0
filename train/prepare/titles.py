"""Which work a picture belongs to: what a split must not tear apart, and where the same characters come again."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from pathlib import PurePosixPath

TRAIN, VAL = "train", "val"

# Works whose pictures lie in several sets of the shared data, by the stem of the name. Group 1 is the work's own part.
_WORKS = (
    (re.compile(r"(?:asp_ccby_bw_)?(\d{4})__\d+$"), "asp"),
    (re.compile(r"(?:_site__|bookdash_bw_)*([\w-]+?)__en__images__\d+$"), "bookdash"),
    (re.compile(r".*Pepper-and-Carrot_by-David-Revoy_(E\d+)(?:P\d+)?$"), "peppercarrot"),
    (re.compile(r"layout__webtoons-en__png__(climate-frogs)-"), "nylnook"),
)
_PAGE = re.compile(r"(?:^|(?P<work>.*?)[ _.-]+)(?:page|pg|p|scroll)[ _.-]?\d+$", re.IGNORECASE)
_NUMBER = re.compile(r"(?:^|[ _.-]+|(?<=\d))(?:volume|vol|v|chapter|chap|ch|c|#)?[ _.-]*\d+(?:\.\d+)?$", re.IGNORECASE)


def title_of(set_name: str, name: str) -> str:
    """The work of a loose picture: by known names, else its inner folder, else "NAME page 12", else it stands alone.

    Args:
        set_name: the picture's set; stands in front where the work is no known one.
        name: its path inside the source, "/" between folders.
    """
    path = PurePosixPath(name)
    for pattern, work in _WORKS:
        if found := pattern.match(path.stem):
            return f"{work}/{found[1]}"
    if len(path.parts) > 1:
        return f"{set_name}/{path.parent}"
    if found := _PAGE.match(path.stem):
        return f"{set_name}/{found['work'] or ''}".rstrip("/")
    return f"{set_name}/{path.stem}"


def series_of(stem: str) -> str:
    """The series of a chapter's file: "Haruko v01 ch02" -> "Haruko"; the stem itself where nothing else is left."""
    series = stem
    while (shorter := _NUMBER.sub("", series).strip(" _.-")) != series:
        if not shorter:
            break
        series = shorter
    return series


def held_out(titles: Iterable[str], share: float) -> set[str]:
    """The titles that go to the validation side: those whose hash falls under `share`, on every machine the same."""
    return {title for title in set(titles) if _place(title) < share}


def _place(title: str) -> float:
    return int.from_bytes(hashlib.sha256(title.encode("utf-8", "surrogateescape")).digest()[:8], "big") / 2**64
