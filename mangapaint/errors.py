"""Everything that can go wrong, as one tree; each class holds its exit code and its remedy.

MangapaintError (70)
├── UsageError (2)              an option or a combination of options makes no sense
├── InputError (3)              a source cannot be read or holds no pages
│   ├── PageError (1)           one page cannot be decoded or painted; the chapter goes on
│   ├── EncryptedError (6)      the source asks for a password
│   └── MissingExtraError (3)   the format needs an optional extra that is not installed
├── OutputError (4)             the output cannot be written, or the disk is full
├── WeightsError (5)            weights are missing, altered or do not fit the net
├── LockedError (7)             another run holds the chapter
├── OutOfMemoryError (8)        not even one picture in the smallest tile fits
└── InterruptedBySignal (128 + signal)
"""

from __future__ import annotations

from enum import IntEnum
from pathlib import Path


class ExitCode(IntEnum):
    """The exit codes of the command line; a public interface, listed in the README."""

    DONE = 0
    PARTIAL = 1
    USAGE = 2
    INPUT = 3
    OUTPUT = 4
    WEIGHTS = 5
    ENCRYPTED = 6
    LOCKED = 7
    MEMORY = 8
    INTERNAL = 70
    HANGUP = 129
    INTERRUPT = 130
    TERMINATED = 143


class MangapaintError(Exception):
    """Base of all errors that this program raises on purpose.

    Args:
        message: what is wrong, in one line, without the place.
        remedy: what the user can do about it; the class's own remedy when empty.
        chapter: the source that it happened in.
        page: 0-based page number inside the chapter; shown 1-based.
    """

    exit_code: ExitCode = ExitCode.INTERNAL
    remedy: str = "run again with -v and report the traceback"

    def __init__(
        self, message: str, *, remedy: str = "", chapter: Path | str | None = None, page: int | None = None
    ) -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy or type(self).remedy
        self.chapter = chapter
        self.page = page

    def __str__(self) -> str:
        place = [printable(str(self.chapter))] if self.chapter is not None else []
        if self.page is not None:
            place.append(f"page {self.page + 1}")
        prefix = ", ".join(place)
        text = f"{prefix}: {self.message}" if prefix else self.message
        return f"{text} ({self.remedy})" if self.remedy else text

    def at(self, *, chapter: Path | str | None = None, page: int | None = None) -> MangapaintError:
        """The same error with the place filled in where it was still open; returns itself."""
        if self.chapter is None:
            self.chapter = chapter
        if self.page is None:
            self.page = page
        return self


class UsageError(MangapaintError):
    exit_code = ExitCode.USAGE
    remedy = "see --help"


class InputError(MangapaintError):
    exit_code = ExitCode.INPUT
    remedy = "check that the source is a folder, CBZ, PDF or picture that other programs open"


class PageError(InputError):
    exit_code = ExitCode.PARTIAL
    remedy = "replace the page in the source and run again"


class EncryptedError(InputError):
    exit_code = ExitCode.ENCRYPTED
    remedy = "remove the password first"


class MissingExtraError(InputError):
    """A format needs an optional dependency; the message names the extra to install."""

    def __init__(self, what: str, extra: str, *, chapter: Path | str | None = None) -> None:
        super().__init__(
            f"{what} needs the extra '{extra}'", remedy=f"pip install 'mangapaint[{extra}]'", chapter=chapter
        )


class OutputError(MangapaintError):
    exit_code = ExitCode.OUTPUT
    remedy = "free space or choose another place with -o"


class WeightsError(MangapaintError):
    exit_code = ExitCode.WEIGHTS
    remedy = "run 'mangapaint models verify', then 'mangapaint models pull'"


class LockedError(MangapaintError):
    exit_code = ExitCode.LOCKED
    remedy = "wait for the other run, or pass --lock wait"


class OutOfMemoryError(MangapaintError):
    exit_code = ExitCode.MEMORY
    remedy = "close other programs, or pass --device cpu or a smaller --max-side"


class InterruptedBySignal(MangapaintError):
    """A signal asked the run to end; finished pages are kept and the next run goes on from them."""

    remedy = "run the same command again to go on"

    def __init__(self, signal_number: int) -> None:
        super().__init__(f"stopped by signal {signal_number}")
        self.exit_code = ExitCode(128 + signal_number)


def printable(text: str) -> str:
    """Text from a file as it may stand on a terminal: control and direction characters are escaped."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
