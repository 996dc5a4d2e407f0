"""What a chapter's container can do: the reading and the writing side, as Protocols, and what they share."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Literal, Protocol, Self

from mangapaint.errors import InputError, printable
from mangapaint.settings import Limits

Kind = Literal["folder", "cbz", "pdf", "image", "foreign"]
ReadingDirection = Literal["rtl", "ltr"]

PROVENANCE = "mangapaint.json"
"""Name of the entry that says how an output was made; an output without it is not finished."""


NESTED = (".cbz", ".zip", ".cbr", ".rar", ".cb7", ".7z", ".cbt", ".tar", ".epub", ".pdf")
"""Suffixes of containers; inside another container they are not opened."""


@dataclass(frozen=True, slots=True)
class Extra:
    """A file of the chapter that is no page and is carried along; `name` with "/" between folders."""

    name: str
    data: bytes


class ChapterReader(Protocol):
    """A chapter's pages in reading order. Reading is safe from many threads."""

    source: Path
    title: str
    kind: Kind
    names: Sequence[str]
    """Page names as in the source, with their inner folder, in reading order; numbers for a PDF."""
    direction: ReadingDirection | None
    """What the container says of the reading direction."""
    skipped: Sequence[str]
    """Entries left out (junk, nested archives, links), for the log."""
    comicinfo: str | None
    """Name of the extra that is the chapter's ComicInfo.xml."""

    def __len__(self) -> int: ...

    def read(self, index: int) -> bytes:
        """The whole picture file of a page, its checksum verified where the container has one.

        Raises:
            PageError: the page's bytes are damaged or over the limits.
        """
        ...

    def original(self, index: int) -> bytes:
        """The page's bytes as far as they can be had, unchecked: what keeping a damaged page copies."""
        ...

    def extras(self) -> Iterator[Extra]:
        """What is carried along, in a fixed order; the provenance of an earlier run is not among it."""
        ...

    def fingerprint(self) -> str:
        """Changes when the source changes on the disk (sizes, times, inodes); cheap."""
        ...

    def close(self) -> None: ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


class ChapterWriter(Protocol):
    """Builds the finished chapter beside its target. Pages may come in any order, each exactly once."""

    def add(self, index: int, data: bytes, suffix: str) -> None:
        """Take the finished page's encoded bytes; `suffix` (".png") says their format."""
        ...

    def keep(self, index: int) -> None:
        """Take the page's original bytes as they are."""
        ...

    def note(self, name: str, data: bytes) -> None:
        """Add an entry of the program's own, such as PROVENANCE; it replaces an extra of that name."""
        ...

    def commit(self) -> Path:
        """Finish, verify by reopening, move into place; the final path.

        Raises:
            OutputError: the output cannot be written or does not read back.
            ValueError: pages are missing.
        """
        ...

    def close(self) -> None:
        """Discard what was not committed."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


class Closing:
    """The context manager half of readers and writers: leaving closes."""

    def close(self) -> None:
        raise NotImplementedError

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class Reader(Closing):
    """What all readers have in common; __init__ of the class below fills the attributes of ChapterReader."""

    kind: Kind

    def __init__(self, source: Path) -> None:
        self.source = source
        self.title = source.resolve().name if source.is_dir() else source.stem
        self.names: Sequence[str] = ()
        self.direction: ReadingDirection | None = None
        self.skipped: Sequence[str] = ()
        self.comicinfo: str | None = None

    def __len__(self) -> int:
        return len(self.names)

    def fingerprint(self) -> str:
        return fingerprint([self.source])

    def close(self) -> None:
        """Nothing is held open."""

    def demand_pages(self) -> None:
        """Raise InputError for a chapter without pages, naming what was left out."""
        if not self.names:
            nested = [printable(name) for name in self.skipped if name.lower().endswith(NESTED)]
            raise InputError(
                "no pages" + (f", but archives inside: {', '.join(nested[:3])}" if nested else ""),
                remedy="unpack the archives inside and pass them one by one" if nested else "",
                chapter=self.source,
            )


def check_sizes(sizes: Sequence[int], limits: Limits) -> None:
    """Refuse an archive by what its directory says, before anything of it is read.

    Raises:
        InputError: too many entries, or too large alone or together.
    """
    if len(sizes) > limits.entries:
        raise InputError(f"{len(sizes)} entries are over the limit of {limits.entries}", remedy="raise --limit-entries")
    if max(sizes, default=0) > limits.entry_bytes:
        raise InputError(
            f"an entry of {max(sizes)} bytes is over the limit of {limits.entry_bytes}", remedy="raise --limit-entry"
        )
    if sum(sizes) > limits.archive_bytes:
        raise InputError(
            f"{sum(sizes)} bytes unpacked are over the limit of {limits.archive_bytes}", remedy="raise --limit-archive"
        )


def fingerprint(paths: Iterable[Path]) -> str:
    """Hex digest of names, sizes, times and inodes of files; a vanished file counts as a change."""
    digest = hashlib.sha256()
    for path in paths:
        try:
            found = path.lstat()
            state = f"{found.st_size} {found.st_mtime_ns} {found.st_ino}"
        except OSError:
            state = "gone"
        digest.update(os.fsencode(path) + b"\0" + state.encode() + b"\0")
    return digest.hexdigest()


def claim(done: set[int], index: int, count: int) -> None:
    """Mark a page as given to a writer.

    Raises:
        ValueError: there is no such page, or it was given before.
    """
    if not 0 <= index < count:
        raise ValueError(f"no page {index} in a chapter of {count}")
    if index in done:
        raise ValueError(f"page {index} was already added")
    done.add(index)


def demand_all(done: set[int], count: int) -> None:
    """Raise ValueError unless every page was given to the writer."""
    if len(done) != count:
        raise ValueError(f"{count - len(done)} of {count} pages are missing")
