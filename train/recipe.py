"""Recipes: TOML files that say what is trained on what, typed and checked before anything starts."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

RECIPES = Path(__file__).parent / "recipes"
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Schedule:
    """How long and how fast; `minutes` counts the time of all sessions of the run together."""

    minutes: float = 60.0
    steps: int = 0
    """Instead of minutes, where it is not 0."""
    batch: int = 16
    learning_rate: float = 3e-4
    final_rate: float = 0.05
    """Share of the learning rate that is left at the end of the cosine."""
    warmup: int = 300
    """Steps of linear rise."""
    ema: float = 0.999
    clip: float = 1.0
    weight_decay: float = 0.0
    seed: int = 0
    checkpoint_seconds: float = 60.0
    log_every: int = 50
    sample_every: int = 500


@dataclass(frozen=True, slots=True)
class Recipe:
    """One training: which task with which options, net and schedule on which sets."""

    name: str
    task: str
    sets: Mapping[str, float]
    """Sampling weight of one picture of each set of the corpus."""
    net: Mapping[str, Any] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)
    schedule: Schedule = field(default_factory=Schedule)
    licence: str = "AGPL-3.0-or-later"
    data: str = ""
    """What the sets are and what licence they carry, one line; stands in the weights' metadata."""


def typed(cls: type[T], values: Mapping[str, Any], where: str) -> T:
    """A frozen dataclass from a TOML table; unknown keys and wrong types are errors that name the place."""
    known = {f.name for f in fields(cls)}  # type: ignore[arg-type]
    if unknown := set(values) - known:
        raise ValueError(f"{where}: unknown keys {sorted(unknown)}; known are {sorted(known)}")
    hints = get_type_hints(cls)
    converted = {}
    for key, value in values.items():
        hint = hints[key]
        if hint is float and type(value) is int:
            value = float(value)
        if get_origin(hint) is tuple and isinstance(value, list):
            value = tuple(value)
            parts = [part for part in get_args(hint) if part is not Ellipsis]
            if parts[0] is float:
                value = tuple(float(part) for part in value)
        if isinstance(hint, type) and not isinstance(value, hint):
            raise ValueError(f"{where}: {key} must be {hint.__name__}, not {value!r}")
        converted[key] = value
    return cls(**converted)


def load(path: Path | str, profile: str | None = None) -> Recipe:
    """Read a recipe by name (train/recipes) or path; `profile` lays one of its [profile.*] tables over it.

    Raises:
        ValueError: unknown keys, wrong types, or a profile that the recipe lacks.
    """
    file = Path(path) if Path(path).suffix == ".toml" else RECIPES / f"{path}.toml"
    if not file.is_file():
        known = sorted(p.stem for p in RECIPES.glob("*.toml"))
        raise ValueError(f"no recipe {path}; there are {', '.join(known)}")
    table = tomllib.loads(file.read_text())
    profiles = table.pop("profile", {})
    schedule = typed(Schedule, table.pop("schedule", {}), f"{file.name} [schedule]")
    recipe = replace(typed(Recipe, {"name": file.stem, **table}, file.name), schedule=schedule)
    if profile is None:
        return recipe
    if profile not in profiles:
        raise ValueError(f"{file.name} has no [profile.{profile}]; it has {sorted(profiles)}")
    over = dict(profiles[profile])
    over_schedule = over.pop("schedule", {})
    typed(Schedule, over_schedule, f"{file.name} [profile.{profile}.schedule]")
    merged: dict[str, Any] = {}
    for key, value in over.items():
        base = getattr(recipe, key, None)
        merged[key] = {**base, **value} if isinstance(base, Mapping) else value
    known_keys = {f.name for f in fields(Recipe)}
    if unknown := set(merged) - known_keys:
        raise ValueError(f"{file.name} [profile.{profile}]: unknown keys {sorted(unknown)}")
    return replace(recipe, **merged, schedule=replace(schedule, **over_schedule))
