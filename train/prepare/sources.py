"""Where pictures come from: scraped folders, folders, zips, and chapters in any container that mangapaint reads."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from mangapaint.archives import names, opening
from mangapaint.errors import InputError, PageError
from mangapaint.settings import InputSettings, Limits
from train.prepare.titles import series_of, title_of
from train.scrape import ledger

LIMITS = Limits(page_megapixels=100.0, archive_bytes=2**40, entries=1_000_000, pdf_pages=100_000)
"""A zip of a data set is larger than a chapter; it is read entry by entry."""
PICTURE_SETS = {".zip", ".7z", ".tar", ".rar"}
"""Containers of loose pictures; all others are chapters, each of one title."""


@dataclass(frozen=True, slots=True)
class Found:
    """One picture file: its bytes, or why it cannot be read."""

    set: str
    name: str
    title: str
    licence: str
    data: bytes = b""
    error: str = ""
    artist: str = ""
    source: str = ""


def found(source: Path, limits: Limits = LIMITS) -> Iterator[Found]:
    """All pictures under a source, in order of name; what cannot be read comes with `error` instead of `data`.

    The set is named by the source, its licence by the folder above (of a scrape by its ledger). Links are not followed.

    Raises:
        InputError: the source itself cannot be read, or is a chapter without pages.
    """
    source = Path(os.path.abspath(source))  # noqa: PTH100  a link's own name is wanted, and ".." gone
    settings = InputSettings(limits=limits)
    if not source.is_dir():
        yield from _contained(source, source.stem, source.parent.name, "", settings)
    elif (source / ledger.FILENAME).exists():
        yield from _scraped(source, limits)
    else:
        yield from _listed(source, settings)


def _listed(folder: Path, settings: InputSettings) -> Iterator[Found]:
    licence = folder.parent.name
    for path in _files(folder):
        name = path.relative_to(folder).as_posix()
        if names.is_archive(name):
            try:
                yield from _contained(path, folder.name, licence, name, settings)
            except InputError as error:
                yield Found(folder.name, name, "", licence, error=error.message)
        elif names.is_picture(name):
            data, problem = _read(path, settings.limits)
            yield Found(folder.name, name, title_of(folder.name, name), licence, data, problem)


def _contained(path: Path, set_name: str, licence: str, inside: str, settings: InputSettings) -> Iterator[Found]:
    """The pictures of a container; `inside` is its path in the folder that was named, if it was not named itself."""
    with opening.open_reader(path, settings) as reader:
        one = path.suffix.lower() not in PICTURE_SETS and reader.kind != "image"
        above = Path(inside).parent.as_posix()
        title = f"{set_name}/{above}" if above != "." else series_of(path.stem)
        for index, page in enumerate(reader.names):
            name = f"{inside}/{page}" if inside else page
            data, problem = b"", ""
            try:
                data = reader.read(index)
            except InputError as error:
                problem = error.message
            yield Found(set_name, name, title if one else title_of(set_name, name), licence, data, problem)


def _scraped(folder: Path, limits: Limits) -> Iterator[Found]:
    """The fetched pictures of a scrape: the work is the artist's, else the copyright, else the picture stands alone."""
    seen: set[str] = set()
    for post in ledger.fetched(folder):
        if post.md5 in seen:
            continue
        seen.add(post.md5)
        data, problem = _read(folder / post.path, limits)
        title = f"artist/{post.artist.split()[0]}" if post.artist else post.title or post.md5
        origin = post.source or post.url
        yield Found(folder.name, post.path.name, title, post.licence, data, problem, post.artist, origin)


def _files(folder: Path) -> Iterator[Path]:
    """Regular files below, folder by folder, without junk and hidden ones."""
    for parent, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if not names.is_junk(name))
        for name in sorted(files):
            path = Path(parent, name)
            if not names.is_junk(name) and path.is_file() and not path.is_symlink():
                yield path


def _read(path: Path, limits: Limits) -> tuple[bytes, str]:
    """The bytes of a file, or why there are none."""
    try:
        size = path.stat().st_size
        if size > limits.entry_bytes:
            raise PageError(f"{size} bytes are over the limit of {limits.entry_bytes}")
        return path.read_bytes(), ""
    except PageError as error:
        return b"", error.message
    except OSError as error:
        return b"", f"cannot be read: {error.strerror or error}"
