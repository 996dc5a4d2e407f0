"""One run per output at a time: a kernel lock that a killed process can never leave behind."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from mangapaint.errors import LockedError, OutputError
from mangapaint.journal import FOLDER, short_name

POLL_SECONDS = 0.2


@contextmanager
def locked(
    target: Path,
    *,
    wait: bool = False,
    check: Callable[[], None] = lambda: None,
    on_wait: Callable[[], None] | None = None,
) -> Iterator[None]:
    """Hold `<output folder>/.mangapaint/<output name>.lock` while the block runs; makes the folders it needs.

    Args:
        target: the output that nobody else may write meanwhile.
        wait: wait for the other run instead of raising.
        check: called while waiting; raises to give up (a signal came).
        on_wait: called once when there is something to wait for.

    Raises:
        LockedError: another run holds it.
        OutputError: the output folder is not writable.
    """
    folder = target.parent / FOLDER
    path = folder / f"{short_name(target.name)}.lock"
    try:
        made = _make(folder)
        lock = FileLock(path)
        _acquire(lock, target, wait=wait, check=check, on_wait=on_wait)
    except OSError as error:
        raise OutputError(f"cannot write in {folder.parent}: {error.strerror or error}") from error
    try:
        yield
    finally:
        # Removed while still held: whoever opened the old file sees that it has no name any more and opens anew.
        with suppress(OSError):
            path.unlink()
        lock.release()
        for empty in [folder, *made]:
            with suppress(OSError):
                empty.rmdir()


def _make(folder: Path) -> list[Path]:
    """Make the folder; gives the parents that had to be made, the innermost first."""
    missing = [parent for parent in folder.parents if not parent.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    return missing


def _acquire(
    lock: FileLock, target: Path, *, wait: bool, check: Callable[[], None], on_wait: Callable[[], None] | None
) -> None:
    while True:
        try:
            lock.acquire(timeout=0)
            return
        except FileNotFoundError:  # the other run has just removed the empty folder
            target.parent.joinpath(FOLDER).mkdir(parents=True, exist_ok=True)
            continue
        except Timeout:
            pass
        if not wait:
            raise LockedError("another run works on this output", chapter=target)
        if on_wait is not None:
            on_wait()
            on_wait = None
        check()
        time.sleep(POLL_SECONDS)
