"""Which file of hints belongs to which page."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from mangapaint.errors import UsageError, printable
from mangapaint.pixels import SUFFIXES

_REMEDY = "name the files like the pages (001.png), or by their numbers"


class Named(Protocol):
    """A page of a chapter: `chapter` is the chapter's title, `index` 0-based, `name` as in the source."""

    @property
    def index(self) -> int: ...

    @property
    def name(self) -> str: ...

    @property
    def chapter(self) -> str: ...


@dataclass(frozen=True, slots=True)
class Match:
    """The files by 0-based page, and the files of this chapter that belong to no page."""

    files: dict[int, Path]
    unmatched: tuple[Path, ...] = ()


def files_of(place: Path) -> list[Path]:
    """The pictures of `--hints`: the file itself, or those of a folder and of its folders, sorted by path.

    Raises:
        UsageError: there is no such place, or no picture in it.
    """
    shown = printable(str(place))
    if place.is_file():
        return [place]
    if not place.is_dir():
        raise UsageError(f"the hints {shown} do not exist", remedy="check the path given with --hints")
    found = sorted(path for path in (*place.glob("*"), *place.glob("*/*")) if _is_picture(path))
    if not found:
        raise UsageError(f"the folder of hints {shown} holds no pictures", remedy=_REMEDY)
    return found


def matched(place: Path, pages: Sequence[Named]) -> Match:
    """Match the hints with the pages of one chapter.

    A folder inside `place` that is called like the chapter holds its hints; without one the files right in `place` do.
    A file belongs to the page of the same base name; else, when its name is a number or ends with one ("page 7"), to
    the page of that 1-based number. A single file belongs to the only page of a chapter whatever it is called.

    Raises:
        UsageError: a single file for a chapter of several pages that matches none, or a folder with files for this
            chapter of which none matches.
    """
    files = files_of(place)
    if not pages:
        return Match({})
    if place.is_file():
        match = _paired(files, pages)
        if match.files or len(pages) == 1:
            return match if match.files else Match({pages[0].index: place})
        raise UsageError(
            f"the hints {printable(str(place))} are one picture, {printable(pages[0].chapter)} has {len(pages)} pages",
            remedy=f"give a folder of hints: {_REMEDY}",
        )
    own = [path for path in files if path.parent != place and path.parent.name == pages[0].chapter]
    files = own or [path for path in files if path.parent == place]
    match = _paired(files, pages)
    if files and not match.files:
        raise UsageError(
            f"no file of the hints {printable(str(place))} is called like a page of {printable(pages[0].chapter)}",
            remedy=_REMEDY,
        )
    return match


def _paired(files: Sequence[Path], pages: Sequence[Named]) -> Match:
    by_name = {_stem(page.name): page.index for page in reversed(pages)}
    numbers = {page.index for page in pages}
    found: dict[int, Path] = {}
    unmatched = []
    for path in files:
        index = by_name.get(_stem(path.name))
        number = re.search(r"(\d{1,6})$", path.stem)
        if index is None and number is not None and int(number[1]) - 1 in numbers:
            index = int(number[1]) - 1
        if index is None or index in found:
            unmatched.append(path)
        else:
            found[index] = path
    return Match(found, tuple(unmatched))


def _stem(name: str) -> str:
    return Path(name).stem.casefold()


def _is_picture(path: Path) -> bool:
    return path.is_file() and path.suffix.lower() in SUFFIXES and not path.name.startswith(".")
