"""Files that are never half: written beside their target, synced, then moved onto it in one step."""

from __future__ import annotations

import errno
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from mangapaint.errors import OutputError

try:
    import fcntl
except ImportError:  # Windows: sweep() then leaves files of live writers alone because they cannot be deleted
    fcntl = None  # type: ignore[assignment]

SUFFIX = ".part"
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_WRITE_ERRORS = _FULL | {errno.EROFS, errno.EACCES, errno.EPERM, errno.ENAMETOOLONG, errno.ENOTDIR, errno.EISDIR}


def write(target: Path, data: bytes) -> None:
    """Put `data` at `target`: afterwards the path holds all of it, or what it held before.

    Raises:
        OutputError: the folder is not writable or the disk is full.
    """
    with writing(target) as part:
        part.write_bytes(data)


@contextmanager
def writing(target: Path) -> Iterator[Path]:
    """A path beside `target` to write to; leaving without an error syncs it and moves it onto `target`.

    The path exists and is empty on entry; write into it in place (open it, do not replace it). Missing parent
    folders are made. On an error the path is removed and `target` is left as it was.

    Raises:
        OutputError: the folder is not writable or the disk is full, also when that happens in the body.
    """
    part = Part(target)
    try:
        with output_errors(target):
            yield part.path
        part.commit()
    finally:
        part.discard()


class Part:
    """A file in the making beside its target; commit() moves it there, discard() removes it.

    Attributes:
        path: exists and is empty; write into it in place, and close it before commit().

    Raises:
        OutputError: the target's folder cannot be written.
    """

    def __init__(self, target: Path) -> None:
        self.target = target
        with output_errors(target, any_code=True):
            target.parent.mkdir(parents=True, exist_ok=True)
            self.path = part_path(target)
            self._lock: int | None = os.open(self.path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o666)
            hold(self._lock)

    def commit(self) -> None:
        """Sync and move onto the target; what was there is replaced in one step."""
        with output_errors(self.target, any_code=True):
            sync(self.path)
            self.path.replace(self.target)
            sync(self.target.parent)
        self._release()

    def discard(self) -> None:
        """Remove what was not committed; does nothing afterwards or a second time."""
        if self._lock is not None:
            with suppress(OSError):
                self.path.unlink(missing_ok=True)
            self._release()

    def _release(self) -> None:
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None


def part_path(target: Path) -> Path:
    """A fresh temporary name beside `target` (same file system, so that a rename can be atomic)."""
    return target.parent / f"{_prefix(target.name)}{secrets.token_hex(4)}{SUFFIX}"


def hold(descriptor: int) -> None:
    """Mark an open part file or folder as in use, so that sweep() of another process leaves it."""
    if fcntl is not None:
        with suppress(OSError):  # file systems without locks: then only names protect
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


def sync(path: Path) -> None:
    """Bring a file or folder to the disk; folders where the platform can."""
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except (PermissionError, IsADirectoryError):
        if path.is_dir():  # Windows opens no folders
            return
        raise
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in {errno.EINVAL, errno.ENOTSUP}:  # some network file systems cannot sync folders
            raise
    finally:
        os.close(descriptor)


def sweep(folder: Path, name: str | None = None) -> list[Path]:
    """Remove part files and folders that killed runs left in `folder`; those of living runs stay.

    Args:
        folder: where to look, not below; absent is fine.
        name: only the leftovers of the target with this name.

    Returns:
        What was removed.
    """
    removed = []
    for path in sorted(folder.glob(".*" + SUFFIX)) if folder.is_dir() else []:
        if (name is not None and not path.name.startswith(_prefix(name))) or path.is_symlink() or _held(path):
            continue
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            with suppress(OSError):
                path.unlink()
        if not path.exists():
            removed.append(path)
    return removed


def _prefix(name: str) -> str:
    """Start of the part names of a target; short enough that token and suffix fit into 255 bytes."""
    return f".{os.fsdecode(os.fsencode(name)[:200])}."


def _held(path: Path) -> bool:
    if fcntl is None:
        return False
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    finally:
        os.close(descriptor)
    return False


@contextmanager
def output_errors(target: Path, *, any_code: bool = False) -> Iterator[None]:
    """Turn an OSError that says "cannot be written" (or any, with `any_code`) into an OutputError about `target`."""
    try:
        yield
    except OSError as error:
        if not any_code and error.errno not in _WRITE_ERRORS:
            raise
        raise OutputError(f"cannot write {target.name}: {_reason(target, error)}", chapter=target) from error


def _reason(target: Path, error: OSError) -> str:
    reason = error.strerror or str(error)
    if error.errno in _FULL:
        with suppress(OSError):
            return f"{reason}, {shutil.disk_usage(target.parent).free} bytes free in {target.parent}"
    return reason
