"""Recipes: TOML files that say what is trained on what, typed and checked before anything starts."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from types import UnionType
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

RECIPES = Path(__file__).parent / "recipes"
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Schedule:
    """How long and how fast; `minutes` counts the time of all sessions of the run together."""

    minutes: float = 60.0
    """Of wall time, all sessions together."""
    steps: int = 0
    """Instead of minutes, where it is not 0."""
    batch: int = 16
    """Of one process; torchrun with N processes trains on N times as many a step."""
    workers: int = 1
    """Threads that make batches."""
    optimizer: Literal["adamw", "muon"] = "adamw"
    """Of all nets; muon is for hidden matrices, and leaves the rest to AdamW (train.muon)."""
    learning_rate: float = 3e-4
    """After the warm-up."""
    final_rate: float = 0.05
    """Share of the learning rate that is left at the end of the cosine."""
    warmup: int = 300
    """Steps of linear rise."""
    ema: float = 0.999
    """Decay of the moving average of the weights, which is what ships."""
    clip: float = 1.0
    """Largest norm of a net's gradient."""
    weight_decay: float = 0.0
    """Decoupled, as AdamW has it."""
    betas: tuple[float, float] = (0.9, 0.99)
    """Of Adam; GANs want (0.5, 0.999) or (0, 0.9)."""
    rates: Mapping[str, float] = field(default_factory=dict)
    """Net -> factor on the learning rate, e.g. of a discriminator (TTUR, Heusel et al. 2017); 1 where none is named."""
    seed: int = 0
    """Of the first weights and of the batches; processes and sessions get seeds of their own from it."""
    checkpoint_seconds: float = 60.0
    """Between two checkpoints."""
    log_every: int = 50
    """Steps of which a row of the curve is the mean."""
    sample_every: int = 500
    """Steps between two sheets of samples."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """One training: which task with which options, net and schedule on which sets."""

    name: str
    task: str
    sets: Mapping[str, float]
    """Sampling weight of one picture of each set of the corpus; a set with 0 is left out, and need not be there."""
    net: Mapping[str, Any] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)
    schedule: Schedule = field(default_factory=Schedule)
    licence: str = "AGPL-3.0-or-later"
    data: str = ""
    """What the sets are and what licence they carry, one line; stands in the weights' metadata."""


def typed(cls: type[T], values: Mapping[str, Any], where: str) -> T:
    """A frozen dataclass from a TOML table; unknown keys and wrong types are errors that name the place."""
    hints = get_type_hints(cls)
    known = [f.name for f in fields(cls)]  # type: ignore[arg-type]
    if unknown := set(values) - set(known):
        raise ValueError(f"{where}: unknown keys {sorted(unknown)}; known are {sorted(known)}")
    arguments = {key: converted(value, hints[key], f"{where}: {key}") for key, value in values.items()}
    try:
        return cls(**arguments)
    except TypeError as error:  # a key without default is missing
        raise ValueError(f"{where}: {str(error).partition('() ')[2] or error}") from error


def converted(value: Any, hint: Any, where: str) -> Any:
    """A TOML value as the type of a field: whole numbers where fractions are due, lists for tuples.

    Raises:
        ValueError: the value is of another type; the message names `where`.
    """
    origin, parts = get_origin(hint), get_args(hint)
    wrong = ValueError(f"{where} must be {getattr(hint, '__name__', hint)}, not {value!r}")
    if hint is Any:
        return value
    if origin is Literal:
        if value not in parts:
            raise ValueError(f"{where} must be one of {', '.join(map(str, parts))}, not {value!r}")
        return value
    if origin in {Union, UnionType}:
        for part in parts:
            with suppress(ValueError):
                return converted(value, part, where)
        raise wrong
    if origin is tuple:
        if not isinstance(value, list | tuple):
            raise wrong
        each = (parts[0],) * len(value) if Ellipsis in parts else parts
        if len(each) != len(value):
            raise ValueError(f"{where} must have {len(each)} values, not {len(value)}")
        return tuple(converted(one, kind, where) for one, kind in zip(value, each, strict=True))
    if origin is Mapping:
        if not isinstance(value, Mapping):
            raise wrong
        return {key: converted(one, parts[1], f"{where}.{key}") for key, one in value.items()}
    if hint is float and type(value) is int:
        return float(value)
    if isinstance(hint, type) and (not isinstance(value, hint) or (isinstance(value, bool) and hint is not bool)):
        raise wrong
    return value


def load(path: Path | str, profile: str | None = None, overrides: Sequence[str] = ()) -> Recipe:
    """Read a recipe by name (train/recipes) or path.

    Args:
        path: name or .toml file.
        profile: lays one of its [profile.*] tables over it.
        overrides: `key.path=value` each, laid over that; the value as in TOML, bare words are strings.

    Raises:
        ValueError: no such recipe, broken TOML, unknown keys, wrong types, or a profile that the recipe lacks.
    """
    file = Path(path) if Path(path).suffix == ".toml" else RECIPES / f"{path}.toml"
    if not file.is_file():
        known = sorted(p.stem for p in RECIPES.glob("*.toml"))
        raise ValueError(f"no recipe {path}; there are {', '.join(known)}")
    try:
        table = tomllib.loads(file.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{file.name} is no valid TOML: {error}") from error
    profiles, where = table.pop("profile", {}), file.name
    if profile is not None:
        if profile not in profiles:
            raise ValueError(f"{file.name} has no [profile.{profile}]; it has {sorted(profiles)}")
        table, where = laid_over(table, profiles[profile]), f"{file.name} [profile.{profile}]"
    for text in overrides:
        table = laid_over(table, override(text))
    schedule = typed(Schedule, table.pop("schedule", {}), f"{where} [schedule]")
    recipe = typed(Recipe, {"name": file.stem, **table}, where)
    return replace(recipe, schedule=schedule, sets={name: weight for name, weight in recipe.sets.items() if weight})


def override(text: str) -> dict[str, Any]:
    """`schedule.batch=8` -> {"schedule": {"batch": 8}}.

    Raises:
        ValueError: there is no key or no `=`.
    """
    path, equals, raw = text.partition("=")
    keys = [key.strip() for key in path.split(".")]
    if not equals or not all(keys):
        raise ValueError(f"--set wants key.path=value, not '{text}'")
    try:
        value: Any = tomllib.loads(f"value = {raw}")["value"]
    except tomllib.TOMLDecodeError:
        value = raw.strip()
    for key in reversed(keys):
        value = {key: value}
    return dict(value)


def laid_over(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """`base` with the values of `over`, table by table; an empty table empties that of `base`."""
    both = {
        key: laid_over(base[key], over[key])
        for key in over
        if isinstance(base.get(key), Mapping) and isinstance(over[key], Mapping) and over[key]
    }
    return {**base, **over, **both}
