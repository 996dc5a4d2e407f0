"""What a chapter's unfinished work leaves on disk, so that the next run can go on from it.

Beside the output lies `.mangapaint/<output name>/` with one encoded file per finished page (`0001.png`, ...) and
`journal.jsonl`: a header line and one JSON line per page. A page is trusted only when the hashes of its input, of the
settings, of the weights and of its own bytes all match; everything else is computed again.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import threading
from contextlib import suppress
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from mangapaint import __version__, atomic
from mangapaint.errors import OutputError

FOLDER = ".mangapaint"
FILE = "journal.jsonl"
FORMAT = 1


def sha256(data: bytes) -> str:
    """Hex digest of the bytes."""
    return hashlib.sha256(data).hexdigest()


def short_name(name: str, room: int = 200) -> str:
    """The file name itself, or a shortened one with a hash when suffixes would push it over 255 bytes."""
    raw = os.fsencode(name)
    if len(raw) <= room:
        return name
    return raw[: room - 20].decode("utf-8", "ignore") + "~" + hashlib.sha256(raw).hexdigest()[:16]


def work_folder(target: Path) -> Path:
    """Where the finished pages of that output wait for the rest."""
    return target.parent / FOLDER / short_name(target.name)


@dataclass(frozen=True, slots=True)
class Entry:
    """One finished page.

    Attributes:
        page: 0-based number in the chapter.
        input: sha256 of the page's bytes in the source.
        settings: `Settings.digest()`.
        weights: digest of the weights and of the files named by settings, known before any page is seen.
        palette: digest of what the painter decided for the whole chapter.
        suffix: of the page's file in the work folder; empty when the original bytes are kept.
        output: sha256 of that file; of the input when the original bytes are kept.
        action: an `Action` value.
        verdict: a `Verdict` value; empty when the page could not be read.
        value: measured colourfulness.
        seconds: spent in the nets.
    """

    page: int
    input: str
    settings: str
    weights: str
    palette: str
    suffix: str
    output: str
    action: str
    verdict: str
    value: float
    seconds: float


class Journal:
    """The finished pages of one chapter; safe to append to from several threads.

    Args:
        folder: the chapter's work folder; made on the first write.

    Attributes:
        warning: why an earlier journal was thrown away, or empty.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.warning = ""
        self._writing = threading.Lock()
        self._entries: dict[int, Entry] = {}
        self._load()

    def __len__(self) -> int:
        return len(self._entries)

    def trusted(self, page: int, input_sha: str, settings: str, weights: str) -> Entry | None:
        """The entry of a finished page, when every hash matches; the page's file is read to its end for that."""
        entry = self._entries.get(page)
        if entry is None or (entry.input, entry.settings, entry.weights) != (input_sha, settings, weights):
            return None
        return entry if not entry.suffix or self._sound(entry) else None

    def path(self, entry: Entry) -> Path:
        """The file of a finished page."""
        return self.folder / f"{entry.page + 1:04d}{entry.suffix}"

    def read(self, entry: Entry) -> bytes:
        """The encoded bytes of a finished page.

        Raises:
            OutputError: they are gone or no longer what was written.
        """
        try:
            data = self.path(entry).read_bytes()
        except OSError as error:
            raise OutputError(f"a finished page cannot be read back: {error}", page=entry.page) from error
        if sha256(data) != entry.output:
            raise OutputError(
                "a finished page was altered on disk", remedy="check the disk, then run again", page=entry.page
            )
        return data

    def add(self, entry: Entry, data: bytes | None) -> None:
        """Keep a finished page: its file first (atomically), then its line.

        Args:
            entry: suffix and output must fit `data`.
            data: the encoded page; None when the original bytes are kept.

        Raises:
            OutputError: the disk is full or not writable.
        """
        self._make_folder()
        if data is not None:
            atomic.write(self.path(entry), data)
        with self._writing:
            self._append(asdict(entry))
            self._entries[entry.page] = entry

    def remove(self) -> None:
        """Delete the work folder, and the folder around it when it is empty."""
        shutil.rmtree(self.folder, ignore_errors=True)
        with suppress(OSError):
            self.folder.parent.rmdir()

    @property
    def _file(self) -> Path:
        return self.folder / FILE

    @staticmethod
    def _header() -> dict[str, object]:
        return {"journal": FORMAT, "mangapaint": __version__}

    def _make_folder(self) -> None:
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OutputError(f"cannot make {self.folder}: {error.strerror}") from error

    def _append(self, line: dict[str, object]) -> None:
        lines = [line] if self._file.exists() else [self._header(), line]
        try:
            with self._file.open("ab") as stream:
                stream.write("".join(json.dumps(each) + "\n" for each in lines).encode())
        except OSError as error:
            raise OutputError(f"cannot write the journal: {error.strerror}") from error

    def _sound(self, entry: Entry) -> bool:
        try:
            return sha256(self.path(entry).read_bytes()) == entry.output
        except OSError:
            return False

    def _load(self) -> None:
        try:
            raw = self._file.read_bytes()
        except FileNotFoundError:
            self._start_anew("")
            return
        except OSError as error:
            raise OutputError(f"cannot read the journal: {error.strerror}") from error
        whole = raw[: raw.rfind(b"\n") + 1]  # a line without its end was torn by a crash
        try:
            header, *lines = [json.loads(line) for line in whole.splitlines()]
            if header != self._header():
                self._start_anew("the journal was written by another version: starting anew")
                return
            entries = [_entry(line) for line in lines]
        except (ValueError, TypeError):
            self._start_anew("the journal cannot be read: starting anew")
            return
        self._entries = {entry.page: entry for entry in entries}
        if len(whole) < len(raw):
            atomic.write(self._file, whole)

    def _start_anew(self, warning: str) -> None:
        """Forget pages that no journal vouches for, so that they do not fill the disk."""
        self.warning = warning
        if self.folder.exists():
            shutil.rmtree(self.folder, ignore_errors=True)


def _entry(line: object) -> Entry:
    """An entry out of a parsed line; TypeError or ValueError where it is none."""
    if not isinstance(line, dict) or set(line) != {field.name for field in fields(Entry)}:
        raise ValueError("no journal entry")
    entry = Entry(**line)
    numbers = isinstance(entry.page, int) and all(isinstance(x, int | float) for x in (entry.value, entry.seconds))
    texts = (entry.input, entry.settings, entry.weights, entry.palette, entry.output, entry.action, entry.verdict)
    # The suffix becomes part of a path, so it must be one.
    if not numbers or not all(isinstance(x, str) for x in texts) or not _is_suffix(entry.suffix):
        raise ValueError("no journal entry")
    return entry


def _is_suffix(text: object) -> bool:
    return isinstance(text, str) and (text == "" or (text[0] == "." and text[1:].isalnum()))
