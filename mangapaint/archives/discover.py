"""Which chapters lie under the paths that a user names, and where their results go."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from mangapaint.archives import names
from mangapaint.archives.base import PROVENANCE
from mangapaint.archives.provenance import provenance
from mangapaint.errors import InputError, UsageError
from mangapaint.pixels import SUFFIXES, format_of, suffix_of
from mangapaint.settings import InputSettings, OutputSettings

_log = logging.getLogger(__name__)

_WRITTEN = {".cbz", ".zip", ".pdf"}
_ENCODED = {"png", "jpeg", "webp", "avif"}


@dataclass(frozen=True, slots=True)
class Found:
    """One chapter.

    Attributes:
        path: the folder or file.
        relative: its place under the output folder: the named path's own name, then what lies below; made unique
            among the chapters found together.
        root: what the user named: the path itself, or a folder above it.
    """

    path: Path
    relative: Path
    root: Path


def discover(paths: Sequence[Path], settings: InputSettings) -> list[Found]:
    """Find chapters: each named file, and in named folders all archives and all folders that hold pictures.

    Links are not followed below a named folder, junk, hidden and earlier results are left out, and so is what changed
    within the last `min_age` seconds.

    Raises:
        InputError: a path does not exist.
    """
    found: list[Found] = []
    seen: set[Path] = set()
    for named in paths:
        if not named.exists():
            raise InputError("does not exist", remedy="check the path", chapter=named)
        name = _name(named)
        for path in _walk(named) if named.is_dir() else [named]:
            resolved = path.resolve()
            if resolved in seen:
                continue
            seen.add(resolved)
            if settings.min_age > 0 and time.time() - _changed(path) < settings.min_age:
                _log.info("%s changed within the last %g s: left for the next run", path, settings.min_age)
                continue
            below = path.relative_to(named)
            found.append(Found(path, Path(name) / below if path != named else Path(name), named))
    return _unique(found)


def output_path(found: Found, output: Path | None, settings: OutputSettings) -> Path:
    """Where a chapter's result goes.

    Args:
        found: the chapter.
        output: the user's choice: a folder that takes a mirrored tree, or, for a single named file, the file itself;
            None puts "<folder>-color" beside a named folder and "<stem>-color/" with the same name beside a file.
        settings: the format of single pictures.

    Raises:
        UsageError: the result would lie inside the source or replace it.
    """
    source, relative = found.path, found.relative
    is_folder = source.is_dir()
    if not is_folder:
        relative = relative.with_name(_output_name(relative.name, settings))
    if output is None:
        root = found.root.resolve()
        if root.is_dir():
            target = root.with_name(f"{root.name}-color").joinpath(*relative.parts[1:])
        else:
            target = root.parent / f"{root.stem}-color" / relative
        if not root.name:
            raise UsageError("the root of a file system has no place beside it", remedy="choose an output with -o")
    elif found.root == source and not is_folder and not output.is_dir() and _same_kind(output, relative):
        target = output
    else:
        target = output / relative
    _refuse_inside(target, found)
    return target


def _output_name(name: str, settings: OutputSettings) -> str:
    suffix = Path(name).suffix
    own = format_of(suffix)
    if own is None:
        return name if suffix.lower() in _WRITTEN else str(Path(name).with_suffix(".cbz"))
    wanted = settings.format if settings.format != "keep" else own if own in _ENCODED else "png"
    return name if own == wanted else str(Path(name).with_suffix(suffix_of(wanted)))


def _same_kind(output: Path, relative: Path) -> bool:
    """Whether a named output is a file for this result: its suffix fits."""
    wanted, given = relative.suffix.lower(), output.suffix.lower()
    return given == wanted or {given, wanted} <= {".cbz", ".zip"} or (given in SUFFIXES and wanted in SUFFIXES)


def _refuse_inside(target: Path, found: Found) -> None:
    final, root, source = target.resolve(), found.root.resolve(), found.path.resolve()
    inside = root.is_dir() and final.is_relative_to(root)
    if inside or final == source:
        raise UsageError(
            f"the output {final} would {'lie inside' if inside else 'replace'} the source",
            remedy="choose another place with -o",
            chapter=found.path,
        )


def _name(named: Path) -> str:
    return named.name if named.name not in {"", ".."} else named.resolve().name or "root"


def _walk(root: Path) -> Iterator[Path]:
    """Chapters at and below a folder, in natural order, folders before what they hold."""
    for folder, below, files in os.walk(root, followlinks=False, onerror=_warn):
        here = Path(folder)
        below[:] = sorted((name for name in below if not _left_out(name)), key=names.sort_key)
        if here != root and PROVENANCE in files:  # an earlier result
            below.clear()
            continue
        regular = [name for name in files if not names.is_junk(name) and _is_regular(here / name)]
        if any(names.is_picture(name) for name in regular):
            yield here
        for name in sorted(filter(names.is_archive, regular), key=names.sort_key):
            if provenance(here / name) is None:
                yield here / name


def _left_out(folder: str) -> bool:
    return folder.startswith(".") or names.is_junk(f"{folder}/x")


def _is_regular(path: Path) -> bool:
    return path.is_file() and not path.is_symlink()


def _warn(error: OSError) -> None:
    _log.warning("%s cannot be read: %s", error.filename, error.strerror)


def _changed(path: Path) -> float:
    """Time of the last change, of a folder's files as well, in seconds since the epoch."""
    times = [path.stat().st_mtime]
    if path.is_dir():
        with os.scandir(path) as listing:
            times += [entry.stat(follow_symlinks=False).st_mtime for entry in listing]
    return max(times)


def _unique(found: Iterable[Found]) -> list[Found]:
    """Give chapters whose results would have the same path (ch1.cbr beside ch1.cbz) one each."""
    result: list[Found] = []
    taken: set[str] = set()
    for one in found:
        place, number = one.relative, 1
        while (key := names.folded(str(place.with_name(_output_name(place.name, OutputSettings()))))) in taken:
            number += 1
            tag = f"-{one.relative.suffix[1:]}" if number == 2 and one.relative.suffix else f"-{number}"
            place = one.relative.with_name(f"{one.relative.stem}{tag}{one.relative.suffix}")
        taken.add(key)
        result.append(replace(one, relative=place))
    return result
