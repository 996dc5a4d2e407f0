"""The folder that variants go to: it appears whole, or stays as it was."""

from __future__ import annotations

import json
import os
import shutil
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from mangapaint import atomic
from mangapaint.errors import OutputError
from mangapaint.paint.variantfile import NAME

SHEET = Path("sheet", "contact-sheet.png")
"""Apart from the variants, so that the folder itself holds nothing but them."""


class VariantFolder:
    """Collects files beside the target; `commit` moves them there, the record last.

    Args:
        target: the folder; what else it holds stays.

    Raises:
        OutputError: the place cannot be written.
    """

    def __init__(self, target: Path) -> None:
        self.target = target
        with atomic.output_errors(target, any_code=True):
            target.parent.mkdir(parents=True, exist_ok=True)
            self._stage = atomic.part_path(target)
            self._stage.mkdir()
            self._lock: int | None = os.open(self._stage, os.O_RDONLY)
        atomic.hold(self._lock)
        self._names: list[Path] = []

    def add(self, name: str | Path, data: bytes) -> None:
        """Take a file; safe from several threads for different names.

        Raises:
            OutputError: it cannot be written.
        """
        with atomic.output_errors(self.target, any_code=True):
            file = self._stage / name
            file.parent.mkdir(exist_ok=True)
            file.write_bytes(data)
            atomic.sync(file)
        self._names.append(Path(name))

    def commit(self, record: dict[str, Any]) -> Path:
        """Finish with the record; its path. Pictures of an earlier record in the target are replaced.

        Raises:
            OutputError: the target cannot be written.
        """
        self.add(NAME, (json.dumps(record, indent=1, ensure_ascii=False) + "\n").encode())
        with atomic.output_errors(self.target, any_code=True):
            atomic.sync(self._stage)
            if self.target.exists():
                self._move_into()
            else:
                self._stage.rename(self.target)
            atomic.sync(self.target.parent)
        self.close()
        return self.target / NAME

    def close(self) -> None:
        """Remove what was not committed."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None
            shutil.rmtree(self._stage, ignore_errors=True)

    def _move_into(self) -> None:
        old = pictures_of(self.target)
        (self.target / NAME).unlink(missing_ok=True)  # from here to the last move the folder is unfinished
        for stale in old:
            (self.target / stale).unlink(missing_ok=True)
        for name in sorted(self._names, key=lambda name: (name == Path(NAME), name)):
            (self.target / name).parent.mkdir(exist_ok=True)
            if name == Path(NAME):
                atomic.sync(self.target)
            (self._stage / name).replace(self.target / name)
        atomic.sync(self.target)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def refuse_existing(target: Path, *, overwrite: bool) -> None:
    """Raise OutputError where variants, or what is no folder, stand already."""
    if target.exists() and not target.is_dir():
        raise OutputError(f"{target} is no folder", remedy="choose another place with -o")
    if (target / NAME).exists() and not overwrite:
        raise OutputError(
            f"{target} holds variants already", remedy="pass --overwrite, or choose another place with -o"
        )


def pictures_of(target: Path) -> list[str]:
    """Names of the pictures that a folder's record lists; [] where it has none that can be read."""
    with suppress(OSError, ValueError, KeyError, TypeError):
        said = json.loads((target / NAME).read_text(encoding="utf-8"))
        names = [str(each["file"]) for each in said["variants"]]
        return [name for name in names if Path(name).name == name and name not in {"", "..", "."}]
    return []
