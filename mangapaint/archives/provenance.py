"""How a finished output says what made it; "done" is this, never "the file exists"."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

from mangapaint.archives import picturenote
from mangapaint.archives.base import PROVENANCE
from mangapaint.archives.opening import sniff
from mangapaint.errors import InputError

_LARGEST = 16 * 2**20


def provenance(target: Path) -> dict[str, Any] | None:
    """The note (PROVENANCE) of a finished output; None when it is absent, unfinished, broken or not ours."""
    try:
        data = _read(target)
        note = None if data is None else json.loads(data)
    except (InputError, OSError, ValueError, RuntimeError, NotImplementedError, zipfile.BadZipFile, RecursionError):
        return None
    return note if isinstance(note, dict) and note.get("finished", True) is True else None


def _read(target: Path) -> bytes | None:
    match sniff(target):
        case "folder":
            marker = target / PROVENANCE
            return _capped(marker.read_bytes()) if marker.is_file() else None
        case "zip":
            with zipfile.ZipFile(target) as archive:
                if PROVENANCE not in archive.namelist() or archive.getinfo(PROVENANCE).file_size > _LARGEST:
                    return None
                return archive.read(PROVENANCE)
        case "pdf":
            from mangapaint.archives.pdf import embedded_file

            return embedded_file(target, PROVENANCE)
        case "image":
            return picturenote.extract(target.read_bytes())
        case _:
            return None


def _capped(data: bytes) -> bytes | None:
    return data if len(data) <= _LARGEST else None
