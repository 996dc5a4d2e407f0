"""CBZ and ZIP chapters. Entries are never extracted to the disk; their names only ever name entries."""

from __future__ import annotations

import lzma
import struct
import tempfile
import threading
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import IO

from mangapaint import atomic
from mangapaint.archives import comicinfo, names
from mangapaint.archives.base import (
    ChapterReader,
    Closing,
    Extra,
    Kind,
    Reader,
    check_sizes,
    claim,
    demand_all,
)
from mangapaint.archives.carried import carried, facts_of
from mangapaint.archives.comicinfo import PageFacts
from mangapaint.errors import EncryptedError, InputError, OutputError, PageError
from mangapaint.settings import InputSettings, OutputSettings

_BROKEN = (
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    struct.error,
    EOFError,
    OSError,
    RuntimeError,  # includes NotImplementedError
    ValueError,  # includes UnicodeDecodeError
)
_METHODS = {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA}
_AES = 99
_ENCRYPTED, _UTF8 = 0x1, 0x800
_LOCAL_HEADER = 30
_EPOCH = (1980, 1, 1, 0, 0, 0)


class ZipEntries:
    """The files of a zip, checked by its directory before anything is unpacked; reading is safe from many threads.

    Raises:
        InputError: no zip, damaged directory, over the limits, overlapping entries.
    """

    def __init__(self, path: Path, settings: InputSettings) -> None:
        self._limits = settings.limits
        self._path = path
        try:
            self._zip = zipfile.ZipFile(path)
        except _BROKEN as error:
            raise InputError(f"damaged or cut off zip: {error}", remedy="get the file again") from error
        try:
            self._check(settings)
        except BaseException:
            self._zip.close()
            raise
        self._lock = threading.Lock()

    def _check(self, settings: InputSettings) -> None:
        listed = self._zip.infolist()
        check_sizes([info.file_size for info in listed], self._limits)
        _check_overlaps(listed, self._zip.start_dir)
        self._infos = [info for info in listed if not info.orig_filename.endswith("/")]
        self.names, self.keys = _decoded(self._infos, settings.name_encoding)

    def encrypted(self, index: int) -> bool:
        info = self._infos[index]
        return bool(info.flag_bits & _ENCRYPTED) or info.compress_type == _AES

    def readable(self, index: int) -> bool:
        """Whether this program knows the entry's compression."""
        return self._infos[index].compress_type in _METHODS

    def read(self, index: int) -> bytes:
        """The whole entry; its CRC is checked at its end, so nothing less is ever read.

        Raises:
            PageError: damaged, or larger than the directory says.
        """
        info, cap = self._infos[index], self._limits.entry_bytes
        try:
            with self._lock, self._zip.open(info) as file:
                data = file.read(cap + 1)
                file.read(1)
        except _BROKEN as error:
            raise PageError(f"damaged entry: {error}") from error
        if len(data) != info.file_size:
            raise PageError(f"damaged entry: {len(data)} bytes instead of {info.file_size}")
        return data

    def raw(self, index: int) -> bytes:
        """The entry as far as it unpacks, its CRC unchecked; empty where nothing of it can be had."""
        info, cap = self._infos[index], self._limits.entry_bytes
        try:
            with self._path.open("rb") as file:
                file.seek(info.header_offset)
                header = file.read(_LOCAL_HEADER)
                if header[:4] != b"PK\3\4":
                    return b""
                file.seek(sum(struct.unpack("<HH", header[26:30])), 1)
                packed = file.read(min(info.compress_size, cap))
        except (OSError, struct.error):
            return b""
        if info.compress_type == zipfile.ZIP_STORED:
            return packed
        if info.compress_type != zipfile.ZIP_DEFLATED:
            return b""
        stream, parts = zlib.decompressobj(-zlib.MAX_WBITS), bytearray()
        try:
            for at in range(0, len(packed), 4096):
                parts += stream.decompress(packed[at : at + 4096], max(1, cap - len(parts)))
        except zlib.error:  # up to here it was good
            pass
        return bytes(parts)

    def close(self) -> None:
        self._zip.close()


class CbzReader(Reader):
    kind: Kind = "cbz"

    def __init__(self, path: Path, settings: InputSettings) -> None:
        super().__init__(path)
        self._entries = ZipEntries(path, settings)
        try:
            self._pages, self._extras, self.skipped = self._choose()
            self.names = [self._entries.names[index] for index in self._pages]
            self.demand_pages()
            if any(map(self._entries.encrypted, self._pages)):
                raise EncryptedError("the pages are encrypted")
            if not all(map(self._entries.readable, self._pages)):
                raise InputError("its compression is not supported", remedy="repack it as an ordinary zip")
            self._read_comicinfo()
        except BaseException:
            self.close()
            raise

    def _choose(self) -> tuple[list[int], list[int], list[str]]:
        """Indices of the entries that are pages in reading order, of the extras, and names left out."""
        return names.classify(self._entries.names, self._entries.keys)

    def _read_comicinfo(self) -> None:
        self.comicinfo = comicinfo.pick(self._entries.names[index] for index in self._extras)
        for index in self._extras:
            if self._entries.names[index] == self.comicinfo:
                self.direction = comicinfo.direction(self._entries.raw(index))

    def read(self, index: int) -> bytes:
        return self._entries.read(self._pages[index])

    def original(self, index: int) -> bytes:
        return self._entries.raw(self._pages[index])

    def extras(self) -> Iterator[Extra]:
        for index in self._extras:
            if not self._entries.encrypted(index):
                try:
                    data = self._entries.read(index)
                except PageError:  # carried along as it is: it is not what the run is about
                    data = self._entries.raw(index)
                yield Extra(self._entries.names[index], data)

    def close(self) -> None:
        self._entries.close()


class CbzWriter(Closing):
    """Stored entries, fixed dates, pages in order, then extras: the same input gives the same bytes."""

    def __init__(self, reader: ChapterReader, target: Path, settings: OutputSettings, *, painted: bool = True) -> None:
        self._reader, self._settings = reader, settings
        self._painted, self._added = painted, False
        self._stems = names.page_stems(reader.names)
        self._pages: list[str] = []
        self._facts: list[PageFacts] = []
        self._notes: dict[str, bytes] = {}
        self._done: set[int] = set()
        self._waiting: dict[int, tuple[int, int, str]] = {}
        """Pages that came before their turn: offset and length in the spool, name."""
        self._spool: IO[bytes] | None = None
        self._part = atomic.Part(target)
        self._zip = zipfile.ZipFile(self._part.path, "w")

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
        target, painted = self._part.target, self._painted and self._added
        with atomic.output_errors(target):
            extras = carried(self._reader, self._pages, self._facts, self._notes, self._settings, painted=painted)
            for name, data in extras:
                self._store(name, data)
            self._zip.close()
            _verify(self._part.path, self._pages)
        self._part.commit()
        self.close()
        return target

    def close(self) -> None:
        if self._spool is not None:
            self._spool.close()
        try:
            self._zip.close()
        except (OSError, ValueError):  # a full disk, while all of it is thrown away
            file, self._zip.fp = self._zip.fp, None
            if file is not None:
                with suppress(OSError):
                    file.close()
        self._part.discard()

    def _put(self, index: int, data: bytes, suffix: str) -> None:
        name = names.with_suffix(self._stems[index], self._reader.names[index], suffix)
        with atomic.output_errors(self._part.target):
            if index != len(self._pages):
                if self._spool is None:
                    self._spool = tempfile.TemporaryFile(dir=self._part.path.parent)  # noqa: SIM115 lives until close()
                self._waiting[index] = self._spool.seek(0, 2), len(data), name
                self._spool.write(data)
                return
            self._store_page(name, data)
            while self._spool and (waiting := self._waiting.pop(len(self._pages), None)):
                self._spool.seek(waiting[0])
                self._store_page(waiting[2], self._spool.read(waiting[1]))

    def _store_page(self, name: str, data: bytes) -> None:
        self._store(name, data)
        self._pages.append(name)
        self._facts.append(facts_of(data))

    def _store(self, name: str, data: bytes) -> None:
        info = zipfile.ZipInfo(name, _EPOCH)
        info.external_attr = 0o100644 << 16
        info.create_system = 3
        self._zip.writestr(info, data, zipfile.ZIP_STORED)


def _verify(path: Path, pages: list[str]) -> None:
    try:
        with zipfile.ZipFile(path) as archive:
            broken = archive.testzip()
            complete = archive.namelist()[: len(pages)] == pages
    except zipfile.BadZipFile as error:
        raise OutputError("the archive does not read back", chapter=path) from error
    if broken is not None or not complete:
        raise OutputError("the archive does not read back", chapter=path)


def _decoded(infos: list[zipfile.ZipInfo], encoding: str | None) -> tuple[list[str], list[str | bytes]]:
    """Names, and what to order them by; entries without the UTF-8 flag share one encoding."""
    plain = [index for index, info in enumerate(infos) if not info.flag_bits & _UTF8]
    raw = [infos[index].orig_filename.encode("cp437") for index in plain]
    found, doubtful = names.decode(raw, encoding)
    result = [info.orig_filename.replace("\\", "/") for info in infos]
    keys: list[str | bytes] = list(result)
    for index, name, original in zip(plain, found, raw, strict=True):
        result[index] = name
        keys[index] = original if doubtful else name
    return result, keys


def _check_overlaps(infos: list[zipfile.ZipInfo], end: int) -> None:
    """Entries that share bytes are how 100 kB unpack to gigabytes; Python's zipfile reads them happily."""
    ordered = sorted(infos, key=lambda info: info.header_offset)
    starts = [info.header_offset for info in ordered[1:]] + [end]
    for info, start in zip(ordered, starts, strict=False):
        if info.header_offset + _LOCAL_HEADER + info.compress_size > start:
            raise InputError("its entries overlap", remedy="this is no honest zip; repack it")
