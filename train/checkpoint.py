"""Atomic checkpoints: a killed run leaves the old one or the new one, never half."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import torch


def save(path: Path, state: dict[str, Any]) -> None:
    """Write `state` (tensors, numbers, strings, lists, dicts) beside `path` and replace it in one step."""
    part = path.with_suffix(".part")
    with part.open("wb") as sink:
        torch.save(state, sink)
        sink.flush()
        os.fsync(sink.fileno())
    part.replace(path)


def load(path: Path) -> dict[str, Any] | None:
    """The saved state on the CPU, or None when there is none yet.

    Raises:
        ValueError: the file is not a checkpoint; says what to do.
    """
    if not path.is_file():
        return None
    try:
        state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        raise ValueError(f"{path} is no readable checkpoint ({error}); move it away to start anew") from error
    return state
