"""Settings from flags, MANGAPAINT_* environment variables and mangapaint.toml, in this order of weight.

An option has one name in all three: `--max-side`, `MANGAPAINT_MAX_SIDE`, `max-side = 2400`. Unknown names are errors.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from mangapaint.errors import UsageError, printable
from mangapaint.options import OPTIONS
from mangapaint.settings import (
    EngineSettings,
    InputSettings,
    Limits,
    OutputSettings,
    PaintSettings,
    RunSettings,
    Settings,
    UpscaleSettings,
)

FILE = "mangapaint.toml"
PREFIX = "MANGAPAINT_"

OTHER_VARIABLES = frozenset({"MANGAPAINT_CONFIG"})
"""Variables with the prefix that are no options."""


def load(
    flags: Mapping[str, Any],
    *,
    environ: Mapping[str, str] = os.environ,
    file: Path | None = None,
    paint: bool = True,
    defaults: Mapping[str, Any] | None = None,
) -> Settings:
    """Settings for one command.

    Args:
        flags: option name -> value given on the command line; None where it was not given.
        environ: MANGAPAINT_* variables are read from it, MANGAPAINT_CONFIG names the file.
        file: the configuration file; None takes MANGAPAINT_CONFIG, else mangapaint.toml here, else the user's.
        paint: False for upscaling alone: `Settings.paint` is None, and options for painting in the environment or
            the file do not matter.
        defaults: the command's own defaults, the weakest of all.

    Raises:
        UsageError: an unknown name or an impossible value, in the spelling of the place where it stands.
    """
    values: dict[str, Any] = dict(defaults or {})
    path = file or _found_file(environ)
    if path is not None:
        values.update(_from_file(path))
    values.update(_from_environment(environ))
    values.update({name: _parsed(name, value, f"--{name}") for name, value in flags.items() if value is not None})
    sections: dict[str, dict[str, Any]] = {}
    for name, value in values.items():
        sections.setdefault(OPTIONS[name].section, {})[OPTIONS[name].field] = value
    input_settings = replace(InputSettings(**sections.get("input", {})), limits=Limits(**sections.get("limits", {})))
    return Settings(
        input=input_settings,
        paint=PaintSettings(**sections.get("paint", {})) if paint else None,
        upscale=UpscaleSettings(**sections.get("upscale", {})),
        output=OutputSettings(**sections.get("output", {})),
        engine=EngineSettings(**sections.get("engine", {})),
        run=RunSettings(**sections.get("run", {})),
    )


def _found_file(environ: Mapping[str, str]) -> Path | None:
    if named := environ.get("MANGAPAINT_CONFIG"):
        return Path(named)
    import platformdirs

    places = [Path(FILE), Path(platformdirs.user_config_path("mangapaint")) / FILE]
    return next((place for place in places if place.is_file()), None)


def _from_file(path: Path) -> dict[str, Any]:
    shown = printable(str(path))
    try:
        said = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"{shown} cannot be read: {error.strerror}", remedy="check the path") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{shown} is no TOML: {error}", remedy="correct the file") from error
    values = {}
    for key, value in said.items():
        name = key.replace("_", "-")
        if name not in OPTIONS:
            raise UsageError(f"{shown}: nothing is called '{printable(key)}'", remedy=_names())
        values[name] = _parsed(name, value, f"{shown}: {key}")
    return values


def _from_environment(environ: Mapping[str, str]) -> dict[str, Any]:
    values = {}
    for key, value in sorted(environ.items()):
        if not key.startswith(PREFIX) or key in OTHER_VARIABLES:
            continue
        name = key.removeprefix(PREFIX).lower().replace("_", "-")
        if name not in OPTIONS:
            raise UsageError(f"the environment has {printable(key)}, but nothing is called so", remedy=_names())
        values[name] = _parsed(name, value, key)
    return values


def _parsed(name: str, value: Any, place: str) -> Any:
    try:
        return OPTIONS[name].parse(value)
    except ValueError as error:
        raise UsageError(f"{place} takes {error}, not '{printable(str(value))}'") from error


def _names() -> str:
    return f"known are {', '.join(sorted(OPTIONS))}"
