"""What can stand in a recipe: every option with its type, default and meaning, read from the code that uses it."""

from __future__ import annotations

import ast
import dataclasses
import importlib
import inspect
from dataclasses import dataclass
from typing import Any

from train import recipe as recipes


@dataclass(frozen=True, slots=True)
class Option:
    """One key of a recipe."""

    name: str
    type: str
    default: str
    meaning: str


@dataclass(frozen=True, slots=True)
class Table:
    """One dataclass of options; `where` is the table of the recipe that it fills."""

    where: str
    summary: str
    options: tuple[Option, ...]


def tables(task: str) -> list[Table]:
    """[schedule], then [net] and [options] of a task: the dataclasses of its module whose names end so.

    Raises:
        ValueError: no such task.
    """
    try:
        module = importlib.import_module(f"train.tasks.{task}")
    except ModuleNotFoundError as error:
        raise ValueError(f"no task is called {task}") from error
    found = [table_of(recipes.Schedule, "schedule")]
    for suffix, where in (("Config", "net"), ("Options", "options")):
        classes = [value for name, value in vars(module).items() if name.endswith(suffix) and inspect.isclass(value)]
        for value in classes:
            extended = any(value in other.__mro__[1:] for other in classes)
            if dataclasses.is_dataclass(value) and not extended:
                found.append(table_of(value, where))
    return found


def table_of(cls: type[Any], where: str) -> Table:
    """The options of a dataclass, those of its bases first."""
    words = meanings(cls)
    rows = []
    for field in dataclasses.fields(cls):
        default = field.default
        if field.default_factory is not dataclasses.MISSING:
            default = field.default_factory()
        rows.append(Option(field.name, str(field.type), repr(default), words.get(field.name, "")))
    return Table(where, (inspect.getdoc(cls) or "").replace("\n", " "), tuple(rows))


def meanings(cls: type[Any]) -> dict[str, str]:
    """Field -> the string that stands under it in the source."""
    found: dict[str, str] = {}
    for base in reversed(cls.__mro__[:-1]):
        body = ast.parse(inspect.cleandoc("\n" + inspect.getsource(base))).body[0]
        if not isinstance(body, ast.ClassDef):
            continue
        for before, after in zip(body.body, body.body[1:], strict=False):
            if not isinstance(before, ast.AnnAssign) or not isinstance(before.target, ast.Name):
                continue
            if isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant):
                found[before.target.id] = " ".join(str(after.value.value).split())
    return found


def text(task: str) -> str:
    """Markdown tables."""
    parts = []
    for table in tables(task):
        lines = [f"[{table.where}] {table.summary}", "", "| key | type | default | meaning |", "|---|---|---|---|"]
        lines += [
            f"| {o.name} | {o.type} | {o.default} | {o.meaning} |".replace(" |  |", " | |") for o in table.options
        ]
        parts.append("\n".join(lines))
    return "\n\n".join(parts)
