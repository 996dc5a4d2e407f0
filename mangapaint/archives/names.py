"""Names inside containers: how they are decoded, ordered, told apart and made safe to write."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from pathlib import PurePosixPath

from natsort import natsort_keygen, ns

from mangapaint.archives.base import NESTED, PROVENANCE
from mangapaint.errors import UsageError
from mangapaint.pixels import SUFFIXES, format_of

_JUNK_FOLDERS = {"__macosx", "@recently-snapshot", "@recycle", "@eadir", "$recycle.bin", "#recycle", ".@__thumb"}
_JUNK_FILES = {"thumbs.db", "ehthumbs.db", "desktop.ini", ".ds_store", "iconcache.db"}
_ENCODINGS = ("utf-8", "cp932", "euc_jp", "gb18030", "cp437")
_RESERVED = re.compile(r"(con|prn|aux|nul|com[0-9]|lpt[0-9])(\..*)?$", re.IGNORECASE)
_FORBIDDEN = re.compile(r'[<>:"|?*\\]')
_LONGEST_PART = 200  # bytes; leaves room for a part file's token and for other suffixes
_natural: Callable[[str], object] = natsort_keygen(alg=ns.PATH | ns.IGNORECASE)


def decode(raw: Sequence[bytes], encoding: str | None = None) -> tuple[list[str], bool]:
    """Decode an archive's names that do not say their encoding, all by the same one.

    Args:
        raw: the names as stored.
        encoding: what the user says it is; None takes the first that fits all of them.

    Returns:
        The names with "/" between folders, and whether the encoding is a guess, so that the order of the names must
        not be trusted.

    Raises:
        UsageError: the user's encoding is unknown or does not fit.
    """
    if encoding is not None:
        try:
            return [name.decode(encoding).replace("\\", "/") for name in raw], False
        except (LookupError, UnicodeDecodeError) as error:
            raise UsageError(f"names are not in {encoding}: {error}", remedy="see --name-encoding") from error
    for candidate in _ENCODINGS:  # cp437 fits every byte
        try:
            # Only after decoding: the byte of "\" is the second half of letters in cp932.
            names = [name.decode(candidate).replace("\\", "/") for name in raw]
        except UnicodeDecodeError:
            continue
        return names, candidate != "utf-8"
    raise AssertionError("cp437 decodes every byte")


def sort_key(name: str | bytes) -> tuple[object, str]:
    """Key of natural order, case ignored, folder by folder; bytes for names of doubtful encoding."""
    text = name if isinstance(name, str) else name.decode("ascii", "surrogateescape")
    return _natural(text), text


def suffix(name: str) -> str:
    """The suffix in lower case, with its dot; "" without one."""
    return PurePosixPath(name).suffix.lower()


def is_junk(name: str) -> bool:
    """What systems leave behind: resource forks, thumbnails, hidden files."""
    parts = [part.lower() for part in name.split("/") if part not in {"", ".", ".."}]
    return bool(parts) and (
        parts[-1] in _JUNK_FILES or any(part in _JUNK_FOLDERS for part in parts) or parts[-1].startswith(".")
    )


def is_picture(name: str) -> bool:
    return suffix(name) in SUFFIXES


def is_archive(name: str) -> bool:
    return suffix(name) in NESTED


def is_safe(name: str) -> bool:
    """Whether the name may be written on any system: relative, no way out, nothing that a system would alter."""
    return all(_is_safe_part(part) for part in name.split("/"))


def _is_safe_part(part: str) -> bool:
    return (
        part not in {"", ".", ".."}
        and not part.startswith((" ", "."))
        and not part.endswith((" ", "."))
        and all(c.isprintable() for c in part)  # neither control and direction characters nor lone surrogates
        and not _FORBIDDEN.search(part)
        and not _RESERVED.match(part)
        and len(part.encode()) <= _LONGEST_PART
    )


def page_stems(names: Sequence[str]) -> list[str]:
    """Output names of a chapter's pages without suffix, unique on every file system.

    They are the source's own, with their folders. When one of them is unsafe, or two differ only by suffix, case or
    Unicode form, all become numbers, so that their order stays.
    """
    stems = [name.removesuffix(PurePosixPath(name).suffix) for name in names]
    if all(is_safe(stem) for stem in stems) and len({folded(stem) for stem in stems}) == len(stems):
        return stems
    digits = max(4, len(str(len(names))))
    return [f"{number:0{digits}}" for number in range(1, len(names) + 1)]


def with_suffix(stem: str, source_name: str, new: str) -> str:
    """The page's output name: the source's own suffix when it stands for the same format, else the new one."""
    own = PurePosixPath(source_name).suffix
    return stem + (own if format_of(own) == format_of(new) is not None else new)


class FreeNames:
    """Gives out names that are safe to write and that nothing else in the output has."""

    def __init__(self, taken: Iterable[str]) -> None:
        self._used = {folded(name) for name in taken}

    def give(self, name: str) -> str:
        """The name itself where it can be had, else the nearest one."""
        if not is_safe(name):
            name = "/".join(_cleaned(part) for part in name.split("/") if part.strip(" .")) or "extra"
        wanted, number = PurePosixPath(name), 1
        while folded(name) in self._used:
            number += 1
            stem = _cut(wanted.stem, _LONGEST_PART // 2)
            name = str(wanted.with_name(f"{stem}-{number}{_cut(wanted.suffix, _LONGEST_PART // 4)}"))
        self._used.add(folded(name))
        return name


def classify(names: Sequence[str], keys: Sequence[str | bytes]) -> tuple[list[int], list[int], list[str]]:
    """Sort a container's entries out.

    Args:
        names: decoded names, with "/" between folders.
        keys: what to order each by: its name, or its bytes where the decoding is doubtful.

    Returns:
        Indices of the pages in reading order, indices of what is carried along in order of name, names left out.
    """
    pages, extras, skipped = [], [], []
    for index, name in enumerate(names):
        if is_junk(name) or is_archive(name):
            skipped.append(name)
        elif is_picture(name):
            pages.append(index)
        elif PurePosixPath(name).name != PROVENANCE:  # of an earlier run; this one writes its own
            extras.append(index)
    pages.sort(key=lambda index: (*sort_key(keys[index]), index))
    extras.sort(key=lambda index: (names[index], index))
    return pages, extras, skipped


def folded(name: str) -> str:
    """What two names must not share, because some file systems then take them for the same."""
    return unicodedata.normalize("NFC", name).casefold()


def _cleaned(part: str) -> str:
    text = "".join(c if c.isprintable() else "_" for c in part)
    text = _FORBIDDEN.sub("_", text).strip(" .")
    text = _cut(text, _LONGEST_PART - 1).rstrip(" .")
    return f"_{text}" if not text or _RESERVED.match(text) else text


def _cut(text: str, length: int) -> str:
    """At most `length` bytes of UTF-8, whole characters."""
    return text.encode()[:length].decode(errors="ignore")
