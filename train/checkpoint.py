"""Atomic checkpoints: a killed run leaves the old one or the new one, never half; the one before is kept beside it."""

from __future__ import annotations

from pathlib import Path
from typing import IO, Any, cast

import torch

from mangapaint import atomic
from mangapaint.errors import OutputError


def previous(path: Path) -> Path:
    """checkpoint.pt -> checkpoint.prev.pt."""
    return path.with_suffix(f".prev{path.suffix}")


def save(path: Path, state: dict[str, Any]) -> None:
    """Write `state` (tensors, numbers, strings, lists, dicts) beside `path` and replace it; the old one is kept.

    Raises:
        OutputError: the disk is full or the folder cannot be written; `path` is what it was before.
    """
    try:
        with atomic.writing(path) as part:
            with part.open("wb") as file:
                _write(state, file)
            atomic.sync(part)  # whole on the disk before the old one moves
            if path.is_file():
                path.replace(previous(path))
    except OutputError as error:
        error.remedy = "the last checkpoint is whole; free space and give the same command again"
        raise


def _write(state: dict[str, Any], file: IO[bytes]) -> None:
    sink = _Sink(file)
    try:
        torch.save(state, cast(IO[bytes], sink))
    except Exception:
        if sink.error is not None:  # torch hides it behind an error of its own
            raise sink.error from None
        raise


class _Sink:
    """A file that remembers what went wrong in it."""

    def __init__(self, file: IO[bytes]) -> None:
        self.file = file
        self.error: OSError | None = None

    def write(self, data: Any) -> int:
        try:
            return self.file.write(data)
        except OSError as error:
            self.error = error
            raise

    def flush(self) -> None:
        try:
            self.file.flush()
        except OSError as error:
            self.error = error
            raise


def load(path: Path) -> dict[str, Any] | None:
    """The saved state on the CPU, or None when there is none yet.

    A damaged file is moved aside (NAME.damaged.pt) where the one before it is whole, which is then taken.

    Raises:
        OSError: it may not be read.
        ValueError: no whole checkpoint is left; says what to do.
    """
    before, wrong = previous(path), ""
    for file in (path, before):
        if not file.is_file():
            continue
        with file.open("rb") as stream:
            try:
                state = _read(stream)
            except Exception as error:  # torch raises every kind over a file that was cut off
                wrong = wrong or f"{file} is no readable checkpoint ({' '.join(str(error).split())[:100]})"
                continue
        if wrong:
            aside = path.with_suffix(f".damaged{path.suffix}")
            path.replace(aside)
            print(f"{wrong}; kept as {aside.name}, {before.name} is taken instead")
        return state
    if wrong:
        raise ValueError(f"{wrong}; move it away to start anew")
    return None


def _read(file: IO[bytes]) -> dict[str, Any]:
    state = torch.load(file, map_location="cpu", weights_only=True)
    if not isinstance(state, dict) or not {"nets", "optimizers", "ema", "step", "seconds"} <= set(state):
        raise ValueError("it holds no training")
    return state
