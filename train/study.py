"""Short equal runs of recipes with something varied, scored together: one table."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from mangapaint import atomic
from mangapaint.settings import EngineSettings
from train import curves, evaluate, export, loop, metrics, ranks, report, tasks
from train.recipe import load


@dataclass(frozen=True, slots=True)
class Case:
    """One run: a recipe and what is set over it."""

    recipe: str
    settings: tuple[str, ...]

    @property
    def name(self) -> str:
        """As a file may be called: `pix2pix-l1-10` for options.l1=10."""
        words = [Path(self.recipe).stem, *(setting.rpartition(".")[2] for setting in self.settings)]
        return re.sub(r"[^A-Za-z0-9.]+", "-", "-".join(words)).strip("-")


def cases(recipes: Sequence[str], varied: Sequence[str]) -> list[Case]:
    """Every recipe with every combination of values.

    Args:
        recipes: names.
        varied: `key.path=value|value|value` each.

    Raises:
        ValueError: something varied has no values.
    """
    choices = []
    for text in varied:
        key, equals, values = text.partition("=")
        if not equals or not values:
            raise ValueError(f"--vary wants key.path=value|value, not '{text}'")
        choices.append([f"{key}={value.strip()}" for value in values.split("|")])
    return [Case(recipe, settings) for recipe in recipes for settings in itertools.product(*choices)]


def study(
    found: Sequence[Case],
    settings: Sequence[str],
    minutes: float | None,
    corpus: Path,
    source: Path,
    plan: evaluate.Plan,
    folder: Path,
    *,
    device: str = "auto",
    tell: Callable[[str], None] = print,
) -> str:
    """Run, export and score each case; the table as Markdown, which also goes to `folder`/study.md.

    A study that was stopped goes on: runs are resumed, and only scored again.

    Args:
        found: the cases.
        settings: laid over every recipe, before what a case says.
        minutes: of each run, or None for the recipes' own (steps=0 is set then).
        corpus: to train on.
        source: pictures never trained on.
        plan: inputs, limit and seed; its models are not looked at.
        folder: of the study.
        device: auto, cpu or cuda.
        tell: gets a line for each case.

    Raises:
        ValueError: two cases have one name, or a recipe is wrong.
    """
    if len({case.name for case in found}) < len(found):
        raise ValueError("two of the runs would have one name; vary keys that end differently")
    paths = []
    for case in found:
        recipe = load(case.recipe, None, (*settings, *case.settings))
        schedule = recipe.schedule if minutes is None else replace(recipe.schedule, minutes=minutes, steps=0)
        recipe = replace(recipe, name=case.name, schedule=schedule)
        with ranks.joined(device) as (together, place):
            task = tasks.build(recipe, corpus)
            loop.run(recipe, task, folder / case.name, place, ranks=together)
        paths.append(export.export(recipe, task, folder / case.name, corpus, folder))
        tell(f"{case.name}: trained")
    engine = EngineSettings(device=device)
    lines = evaluate.colour(source, replace(plan, models=tuple(map(str, paths))), engine, tell)
    rows = report.summed(lines)
    text = "\n\n".join(
        [
            runs(found, folder),
            report.how(lines, source.name, plan.seed),
            metrics.table(rows, "input | system"),
        ]
    )
    atomic.write(folder / "study.md", (text + "\n").encode())
    return text


def runs(found: Sequence[Case], folder: Path) -> str:
    """How far each run came: steps, minutes and its last losses."""
    lines = ["| run | recipe | set | steps | minutes | last losses |", "|---|---|---|---|---|---|"]
    for case in found:
        rows = curves.rows(folder / case.name)
        last = rows[-1] if rows else {"step": 0.0}
        losses = ", ".join(f"{name} {metrics.shown(last[name])}" for name in curves.losses([last]))
        numbers = f"{last['step']:.0f} | {last.get('minutes', 0):.1f}"
        lines.append(f"| {case.name} | {case.recipe} | {' '.join(case.settings)} | {numbers} | {losses} |")
    return "\n".join(lines)
