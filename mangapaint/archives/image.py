"""One picture file as a chapter of one page."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from mangapaint import atomic
from mangapaint.archives import names, picturenote
from mangapaint.archives.base import PROVENANCE, ChapterReader, Closing, Extra, Kind, Reader, claim, demand_all
from mangapaint.errors import OutputError, PageError
from mangapaint.settings import InputSettings, OutputSettings


class ImageReader(Reader):
    kind: Kind = "image"

    def __init__(self, path: Path, settings: InputSettings) -> None:
        super().__init__(path)
        self._limits = settings.limits
        self.names = [path.name]

    def read(self, index: int) -> bytes:
        size = self.source.stat().st_size
        if size > self._limits.entry_bytes:
            raise PageError(
                f"{size} bytes are over the limit of {self._limits.entry_bytes}", remedy="raise --limit-entry"
            )
        return self.original(index)

    def original(self, index: int) -> bytes:
        try:
            return self.source.read_bytes()
        except OSError as error:
            raise PageError(f"cannot be read: {error.strerror or error}") from error

    def extras(self) -> Iterator[Extra]:
        return iter(())


class ImageWriter(Closing):
    """The provenance goes into the picture, in a place of its format that viewers pass over."""

    def __init__(self, reader: ChapterReader, target: Path, settings: OutputSettings, *, painted: bool = True) -> None:
        self._reader, self._target = reader, target
        self._data, self._suffix, self._kept = b"", target.suffix, False
        self._notes: dict[str, bytes] = {}
        self._done: set[int] = set()
        with atomic.output_errors(target, any_code=True):
            target.parent.mkdir(parents=True, exist_ok=True)

    def add(self, index: int, data: bytes, suffix: str) -> None:
        claim(self._done, index, 1)
        self._data, self._suffix = data, suffix

    def keep(self, index: int) -> None:
        claim(self._done, index, 1)
        self._data, self._suffix, self._kept = self._reader.original(index), self._reader.source.suffix, True

    def note(self, name: str, data: bytes) -> None:
        self._notes[name] = data

    def commit(self) -> Path:
        demand_all(self._done, 1)
        final = Path(names.with_suffix(str(self._target.with_suffix("")), self._target.name, self._suffix))
        note = self._notes.get(PROVENANCE)
        # A kept picture stays as it is to the byte; that it was done is then not written down.
        data = self._data if note is None or self._kept else picturenote.embed(self._data, note)
        atomic.write(final, data)
        if final.read_bytes() != data:
            raise OutputError("the picture does not read back", chapter=final)
        return final

    def close(self) -> None:
        """Nothing is written before commit()."""
