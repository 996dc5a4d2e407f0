"""Containers that are only read: tar by the standard library, RAR and 7z by libarchive. Their results are CBZ."""

from __future__ import annotations

import tarfile
import tempfile
import threading
from abc import abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from mangapaint.archives import comicinfo, names
from mangapaint.archives.base import Extra, Kind, Reader, check_sizes
from mangapaint.errors import EncryptedError, InputError, MissingExtraError, PageError
from mangapaint.settings import InputSettings

_IN_MEMORY = 256 * 2**20
_CHUNK = 2**20


class _ForeignReader(Reader):
    """Pages and extras of a container whose entries are known by number; `_entry` reads one."""

    kind: Kind = "foreign"

    def _sort_out(self, entries: Sequence[str], keys: Sequence[str | bytes]) -> None:
        self._pages, self._extras, self.skipped = names.classify(entries, keys)
        self._entries = entries
        self.names = [entries[index] for index in self._pages]
        self.comicinfo = comicinfo.pick(entries[index] for index in self._extras)
        self.demand_pages()
        for index in self._extras:
            if entries[index] == self.comicinfo:
                with suppress(PageError):
                    self.direction = comicinfo.direction(self._entry(index))

    @abstractmethod
    def _entry(self, index: int) -> bytes:
        """The whole entry, or PageError."""

    def read(self, index: int) -> bytes:
        return self._entry(self._pages[index])

    def original(self, index: int) -> bytes:
        try:
            return self.read(index)
        except PageError:
            return b""

    def extras(self) -> Iterator[Extra]:
        for index in self._extras:
            yield Extra(self._entries[index], self._entry(index))


class TarReader(_ForeignReader):
    """CBT; regular members of a plain tar only."""

    def __init__(self, path: Path, settings: InputSettings) -> None:
        super().__init__(path)
        self._limits = settings.limits
        self._lock = threading.Lock()
        try:
            # latin-1 gives each byte back, so that names can be decoded like those of a zip.
            self._tar = tarfile.open(path, "r:", encoding="latin-1", errors="strict")  # noqa: SIM115 until close()
        except (tarfile.TarError, OSError, ValueError, EOFError) as error:
            raise InputError(f"damaged or cut off tar: {error}") from error
        try:
            self._members = self._listed()
            check_sizes([member.size for member in self._members], self._limits)
            raw = [member.name.encode("latin-1", "replace") for member in self._members]
            decoded, doubtful = names.decode(raw, settings.name_encoding)
            self._sort_out(decoded, raw if doubtful else decoded)
        except BaseException:
            self.close()
            raise

    def _listed(self) -> list[tarfile.TarInfo]:
        members = []
        try:
            for count, member in enumerate(self._tar):
                if count > self._limits.entries:
                    raise InputError(
                        f"entries are over the limit of {self._limits.entries}", remedy="raise --limit-entries"
                    )
                if member.isreg() and not member.issparse():
                    members.append(member)
        except (tarfile.TarError, OSError, ValueError, EOFError) as error:
            raise InputError(f"damaged or cut off tar: {error}") from error
        return members

    def _entry(self, index: int) -> bytes:
        member = self._members[index]
        try:
            with self._lock:
                file = self._tar.extractfile(member)
                data = b"" if file is None else file.read()
        except (tarfile.TarError, OSError, EOFError) as error:
            raise PageError(f"damaged entry: {error}") from error
        if len(data) != member.size:
            raise PageError(f"damaged entry: {len(data)} bytes instead of {member.size}")
        return data

    def close(self) -> None:
        self._tar.close()


class LibarchiveReader(_ForeignReader):
    """CBR and CB7. Such archives are read from front to back only, so all entries are unpacked at once, into memory
    or, when large, into a file without a name.
    """

    def __init__(self, path: Path, settings: InputSettings) -> None:
        super().__init__(path)
        self._limits = settings.limits
        self._lock = threading.Lock()
        self._places: list[tuple[int, int] | None] = []
        """Offset and length in the spool; None for a damaged entry."""
        self._spool = tempfile.SpooledTemporaryFile(_IN_MEMORY)  # noqa: SIM115 lives until close()
        try:
            entries = self._unpack(_libarchive(path))
            self._sort_out(entries, entries)
        except BaseException:
            self.close()
            raise

    def _unpack(self, libarchive: Any) -> list[str]:
        entries: list[str] = []
        try:
            with libarchive.file_reader(str(self.source)) as archive:
                for entry in archive:
                    if not entry.isreg:
                        continue
                    name = str(entry.pathname).replace("\\", "/")
                    if not names.is_junk(name):
                        entries.append(name)
                        self._places.append(self._take(entry, libarchive))
                        check_sizes([place[1] for place in self._places if place], self._limits)
        except libarchive.ArchiveError as error:
            text = str(error).lower()
            if "passphrase" in text or "encrypt" in text:
                raise EncryptedError("the archive is encrypted") from error
            raise InputError(f"damaged or not supported: {error}", remedy="repack it as an ordinary zip") from error
        return entries

    def _take(self, entry: Any, libarchive: Any) -> tuple[int, int] | None:
        start, length = self._spool.seek(0, 2), 0
        try:
            for block in entry.get_blocks(_CHUNK):
                length += self._spool.write(block)
                if length > self._limits.entry_bytes:
                    return None
        except libarchive.ArchiveError as error:
            if "passphrase" in str(error).lower() or "encrypt" in str(error).lower():
                raise
            return None
        return start, length

    def _entry(self, index: int) -> bytes:
        place = self._places[index]
        if place is None or place[1] == 0:  # libarchive gives nothing for what it cannot unpack, such as a hard link
            raise PageError("damaged entry")
        with self._lock:
            self._spool.seek(place[0])
            return self._spool.read(place[1])

    def extras(self) -> Iterator[Extra]:
        for index in self._extras:
            try:
                yield Extra(self._entries[index], self._entry(index))
            except PageError:  # it cannot be had in part, and the pages matter more
                continue

    def close(self) -> None:
        self._spool.close()


def _libarchive(path: Path) -> Any:
    try:
        import libarchive

        libarchive.file_reader  # noqa: B018 without the C library this is missing
    except (ImportError, OSError, AttributeError, TypeError) as error:
        raise MissingExtraError(f"reading {path.suffix or 'this archive'}", "archives", chapter=path) from error
    return libarchive
