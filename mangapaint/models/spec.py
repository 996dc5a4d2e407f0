"""What is known of a model before its weights are read, and how a weights file says it of itself."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, cast, get_args

from mangapaint.errors import WeightsError, printable

Task = Literal["colorize", "upscale", "portrait", "detect", "segment"]

METADATA_KEY = "mangapaint"
"""Key of the JSON text in the header of a safetensors file."""

_DESCRIBED = ("name", "task", "arch", "config", "scale", "multiple_of", "receptive_field", "licence", "data")
_REMEDY = "use a file written by 'python -m train export'"


@dataclass(frozen=True, slots=True)
class ModelSpec:
    """One set of weights: which net it fills, where it lies and how the net may be used."""

    name: str
    task: Task
    arch: str
    """Key of `archs.ARCHS`."""
    filename: str
    """Name inside weights/ and inside the Hub repository."""
    config: Mapping[str, Any] = field(default_factory=dict)
    """Hyper-parameters of the net; what is absent has the net's default."""
    scale: int = 1
    """Output pixels per input pixel on each axis; for nets with a choice, the largest."""
    multiple_of: int = 1
    """Height and width of the input must be multiples of this, px."""
    receptive_field: int | None = None
    """Context that a result depends on, input px on each side; None: the whole picture, so never tiled."""
    sha256: str = ""
    """Hex digest of the file; empty: not known beforehand (a user's own file)."""
    size: int = 0
    """Bytes of the file; 0: not known beforehand."""
    repo_id: str | None = None
    """Hub repository; None: shipped with the program only."""
    revision: str | None = None
    """Full commit (40 hex) of that repository."""
    licence: str = ""
    data: str = ""
    """What it was trained on, one sentence."""

    def described(self) -> dict[str, Any]:
        """The part that a weights file carries in its own header."""
        whole = asdict(self)
        return {key: whole[key] for key in _DESCRIBED}

    def metadata(self) -> dict[str, str]:
        """Header entries for `safetensors.torch.save_file(..., metadata=...)`."""
        return {METADATA_KEY: json.dumps(self.described(), sort_keys=True)}


def from_metadata(metadata: Mapping[str, str], *, filename: str, default_name: str = "") -> ModelSpec:
    """The spec that a file's header describes; sha256, size and the Hub's place are left open.

    Raises:
        WeightsError: the header has no description of ours, or a broken one.
    """
    where = printable(filename)
    if METADATA_KEY not in metadata:
        raise WeightsError(f"{where} does not say which net it fills", remedy=_REMEDY)
    try:
        said = json.loads(metadata[METADATA_KEY])
    except (ValueError, RecursionError) as error:
        raise WeightsError(f"{where} describes itself in broken JSON: {error}", remedy=_REMEDY) from error
    if not isinstance(said, dict):
        raise WeightsError(f"{where} describes itself with a {type(said).__name__}, not an object", remedy=_REMEDY)

    def text(key: str, default: str = "") -> str:
        value = said.get(key, default)
        if not isinstance(value, str):
            raise WeightsError(f"{where}: '{key}' is no text", remedy=_REMEDY)
        return value

    def count(key: str, low: int, high: int, default: int) -> int:
        value = said.get(key, default)
        if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
            raise WeightsError(f"{where}: '{key}' is no whole number of {low}..{high}", remedy=_REMEDY)
        return value

    task, config = text("task"), said.get("config", {})
    if task not in get_args(Task):
        raise WeightsError(f"{where}: its task is '{printable(task)}', not one of {get_args(Task)}", remedy=_REMEDY)
    if not text("arch"):
        raise WeightsError(f"{where} names no arch", remedy=_REMEDY)
    if not isinstance(config, dict):
        raise WeightsError(f"{where}: 'config' is no object", remedy=_REMEDY)
    return ModelSpec(
        name=text("name") or default_name or filename,
        task=cast(Task, task),
        arch=text("arch"),
        filename=filename,
        config=config,
        scale=count("scale", 1, 16, 1),
        multiple_of=count("multiple_of", 1, 4096, 1),
        receptive_field=None if said.get("receptive_field") is None else count("receptive_field", 0, 4096, 0),
        licence=text("licence"),
        data=text("data"),
    )
