"""A folder of pictures as a chapter. Folders below it are chapters of their own."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from mangapaint import atomic
from mangapaint.archives import comicinfo, names
from mangapaint.archives.base import (
    PROVENANCE,
    ChapterReader,
    Closing,
    Extra,
    Kind,
    Reader,
    claim,
    demand_all,
    fingerprint,
)
from mangapaint.archives.carried import carried, facts_of
from mangapaint.archives.comicinfo import PageFacts
from mangapaint.errors import InputError, OutputError, PageError
from mangapaint.settings import InputSettings, OutputSettings


class FolderReader(Reader):
    """Regular files only: links, pipes and devices are left out, so nothing outside is read and nothing blocks."""

    kind: Kind = "folder"

    def __init__(self, path: Path, settings: InputSettings) -> None:
        super().__init__(path)
        self._limits = settings.limits
        with os.scandir(path) as listing:
            found = sorted((entry for entry in listing if not entry.is_dir(follow_symlinks=False)), key=_raw_name)
        files = [entry for entry in found if entry.is_file(follow_symlinks=False)]
        odd = [entry.name for entry in found if not entry.is_file(follow_symlinks=False)]
        raw = [_raw_name(entry) for entry in files]
        decoded, doubtful = names.decode(raw, settings.name_encoding)
        pages, extras, skipped = names.classify(decoded, raw if doubtful else decoded)
        if len(files) > self._limits.entries:
            raise InputError(
                f"{len(files)} files are over the limit of {self._limits.entries}", remedy="raise --limit-entries"
            )
        self._pages = [Path(files[index].path) for index in pages]
        self._extras = [(decoded[index], Path(files[index].path)) for index in extras]
        self.names = [decoded[index] for index in pages]
        self.skipped = [*skipped, *odd]
        self.comicinfo = comicinfo.pick(name for name, _ in self._extras)
        self.demand_pages()
        for name, file in self._extras:
            if name == self.comicinfo:
                with suppress(OSError):
                    self.direction = comicinfo.direction(file.read_bytes())

    def read(self, index: int) -> bytes:
        file = self._pages[index]
        try:
            size = file.stat().st_size
            if size > self._limits.entry_bytes:
                raise PageError(
                    f"{size} bytes are over the limit of {self._limits.entry_bytes}", remedy="raise --limit-entry"
                )
            return file.read_bytes()
        except OSError as error:
            raise PageError(f"{file.name} cannot be read: {error.strerror or error}") from error

    def original(self, index: int) -> bytes:
        return self.read(index)

    def extras(self) -> Iterator[Extra]:
        for name, file in self._extras:
            try:
                yield Extra(name, file.read_bytes())
            except OSError as error:
                raise InputError(f"{file.name} cannot be read: {error.strerror or error}") from error

    def fingerprint(self) -> str:
        return fingerprint([*self._pages, *(file for _, file in self._extras)])


class FolderWriter(Closing):
    """Collects the files in a folder beside the target, which then takes the target's place.

    Where the target exists already, it may hold what is not ours, so that it cannot be replaced as a whole: its
    marker is set to unfinished, each file is moved in by itself, and the marker comes last.
    """

    def __init__(self, reader: ChapterReader, target: Path, settings: OutputSettings, *, painted: bool = True) -> None:
        self._reader, self._target, self._settings = reader, target, settings
        self._painted = painted
        self._added = False
        self._stems = names.page_stems(reader.names)
        self._pages: dict[int, str] = {}
        self._facts: dict[int, PageFacts] = {}
        self._sizes: dict[str, int] = {}
        self._notes: dict[str, bytes] = {}
        self._done: set[int] = set()
        with atomic.output_errors(target, any_code=True):
            target.parent.mkdir(parents=True, exist_ok=True)
            self._stage = atomic.part_path(target)
            self._stage.mkdir()
            self._lock: int | None = os.open(self._stage, os.O_RDONLY)
        atomic.hold(self._lock)

    def add(self, index: int, data: bytes, suffix: str) -> None:
        claim(self._done, index, len(self._reader))
        self._put(index, data, suffix)
        self._added = True

    def keep(self, index: int) -> None:
        claim(self._done, index, len(self._reader))
        self._put(index, self._reader.original(index), names.suffix(self._reader.names[index]))

    def note(self, name: str, data: bytes) -> None:
        self._notes[name] = data

    def commit(self) -> Path:
        demand_all(self._done, len(self._reader))
        pages = [self._pages[index] for index in range(len(self._reader))]
        facts = [self._facts[index] for index in range(len(self._reader))]
        painted = self._painted and self._added
        for name, data in carried(self._reader, pages, facts, self._notes, self._settings, painted=painted):
            self._write(name, data)
        with atomic.output_errors(self._target, any_code=True):
            self._verify()
            atomic.sync(self._stage)
            if self._target.exists():
                self._move_into()
            else:
                self._stage.rename(self._target)
            atomic.sync(self._target.parent)
        self.close()
        return self._target

    def close(self) -> None:
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None
            shutil.rmtree(self._stage, ignore_errors=True)

    def _put(self, index: int, data: bytes, suffix: str) -> None:
        name = names.with_suffix(self._stems[index], self._reader.names[index], suffix)
        self._pages[index], self._facts[index] = name, facts_of(data)
        self._write(name, data)

    def _write(self, name: str, data: bytes) -> None:
        file = self._stage / name
        with atomic.output_errors(self._target, any_code=True):
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(data)
            atomic.sync(file)
        self._sizes[name] = len(data)

    def _verify(self) -> None:
        for name, size in self._sizes.items():
            if (self._stage / name).stat().st_size != size:
                raise OutputError(f"{name} does not read back", chapter=self._target)

    def _move_into(self) -> None:
        marker = self._target / PROVENANCE
        ours = marker.is_file()
        atomic.write(marker, json.dumps({"finished": False}).encode())
        fresh = {names.folded(name) for name in self._sizes}
        stems = {names.folded(Path(name).stem) for name in self._pages.values()}
        for file in self._target.iterdir():
            # Pages of an earlier result in another format, or of pages that are gone.
            stale = names.is_picture(file.name) and names.folded(file.name) not in fresh
            if stale and not file.is_dir() and (ours or names.folded(file.stem) in stems):
                file.unlink()
        for name in sorted(self._sizes, key=lambda name: (name == PROVENANCE, name)):
            (self._target / name).parent.mkdir(parents=True, exist_ok=True)
            if name == PROVENANCE:
                atomic.sync(self._target)
            (self._stage / name).replace(self._target / name)
        if PROVENANCE not in self._sizes:
            marker.unlink()
        atomic.sync(self._target)


def _raw_name(entry: os.DirEntry[str]) -> bytes:
    return os.fsencode(entry.name)
