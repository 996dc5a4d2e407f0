"""Model cards: what a weights file is, how it was made and of what, how its training went, its figures, its limits.

The program writes what it can know. People write the rest: what stands between `<!-- notes: SECTION -->` and
`<!-- /notes -->` of an older card is kept. Of a card without such marks each paragraph is kept under its section.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from torch import nn

from mangapaint import atomic
from mangapaint.models.archs import ARCHS
from train import checkpoint, curves, metrics
from train.recipe import Recipe, Schedule

SECTIONS = {
    "does": "What it does",
    "net": "Net",
    "recipe": "Recipe",
    "data": "Data",
    "curve": "Curve",
    "rounds": "Rounds",
    "figures": "Figures",
    "limits": "Limits",
}
"""Key of the notes -> title, in order."""

OPEN = {
    "does": "Not written yet.",
    "limits": "Not written yet.",
}
"""What the notes of a new card say."""

COLUMNS = (
    "n",
    "mse",
    "mae",
    "psnr",
    "ssim",
    "dab",
    "chroma",
    "hue_ok",
    "m3",
    "ink",
    "white_keep",
    "edges",
    "kernel",
    "low_psnr",
    "drawn_psnr",
    "w",
    "w_share",
    "z",
)
ROWS = 8
"""Of the curve's table."""


@dataclass(frozen=True, slots=True)
class Made:
    """What a card is about.

    Attributes:
        recipe: that was run, with what was set over it.
        command: the arguments of `python -m train run` that say the same.
        folder: of the run.
        corpus: that it was trained on.
        net: the exported one.
        path: of the weights file.
        figures: JSON of `python -m train evaluate -o`, or None.
    """

    recipe: Recipe
    command: str
    folder: Path
    corpus: Path
    net: nn.Module
    path: Path
    figures: Path | None = None


def write(made: Made) -> Path:
    """Write or renew the card beside the weights file; its path.

    Raises:
        ValueError: the figures are no evaluation.
        OutputError: the card cannot be written.
    """
    path = made.path.with_suffix(".md")
    notes = notes_of(path.read_text(encoding="utf-8")) if path.is_file() else {}
    atomic.write(path, card(made, notes).encode())
    path.chmod(0o644)
    return path


def card(made: Made, notes: Mapping[str, str]) -> str:
    """The Markdown text."""
    told = {
        "net": net_text(made.net, made.path),
        "recipe": recipe_text(made),
        "data": data_text(made.recipe, made.corpus),
        "curve": curve_text(curves.rows(made.folder)),
        "figures": figures_text(made.figures, made.recipe.name) if made.figures is not None else "",
    }
    parts = [f"# {made.recipe.name}"]
    for key, title in SECTIONS.items():
        text, note = told.get(key, ""), notes.get(key, OPEN.get(key, ""))
        if not text and not note and key == "rounds":
            continue
        marked = f"<!-- notes: {key} -->\n{note}\n<!-- /notes -->" if note else f"<!-- notes: {key} --><!-- /notes -->"
        parts.append("\n\n".join(part for part in (f"**{title}.** {text}".rstrip(), marked) if part))
    return "\n\n".join(parts) + "\n"


def notes_of(text: str) -> dict[str, str]:
    """Section -> what people wrote in an older card."""
    marked = re.findall(r"<!-- notes: (\w+) -->(.*?)<!-- /notes -->", text, re.DOTALL)
    if marked:
        return {key: note.strip() for key, note in marked if key in SECTIONS and note.strip()}
    notes: dict[str, str] = {}
    keys = {title: key for key, title in SECTIONS.items()}
    for title, body in re.findall(
        r"^\*\*([^*\n]+?)\.?\*\*(.*?)(?=^\*\*[A-Z][^*\n]*\*\*|\Z)", text, re.DOTALL | re.MULTILINE
    ):
        if title in keys and body.strip():
            notes[keys[title]] = body.strip()
    return notes


def net_text(net: nn.Module, path: Path) -> str:
    """Where the net stands, its size and its parameters."""
    count = sum(parameter.numel() for parameter in net.parameters())
    module = next((row[0] for row in ARCHS.values() if row[2] == type(net).__name__), type(net).__module__)
    config = ", ".join(f"{key} {plain(value)}" for key, value in asdict(net.config).items())  # type: ignore[call-overload]
    size = path.stat().st_size / 2**20
    file = f"`{module.replace('.', '/')}.py`"
    return f"{file}: {count / 1e6:.2f} million parameters, {size:.1f} MiB in bf16. Its numbers: {config}."


def recipe_text(made: Made) -> str:
    """The commands, what was trained for how long, and every number that is not the default."""
    recipe, schedule = made.recipe, made.recipe.schedule
    state = checkpoint.load(made.folder / "checkpoint.pt") or {"step": 0, "seconds": 0.0}
    plain_schedule = asdict(Schedule())
    said = {key: value for key, value in asdict(schedule).items() if value != plain_schedule[key]}
    numbers = [f"{key} {plain(value)}" for key, value in (*said.items(), *recipe.options.items())]
    minutes = state["seconds"] / 60
    on = f" on {state['device']}" if "device" in state else ""
    return (
        f"`python -m train run {made.command}`, then `python -m train export {made.command}` (train/recipes): "
        f"{state['step']:,} steps of {schedule.batch} in {minutes:.0f} minutes{on}, seed {schedule.seed}; "
        f"the moving average ships. Not the defaults: {'; '.join(numbers) or 'none'}."
    )


def plain(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {plain(one)}" for key, one in value.items()) or "none"
    return (
        "-".join(map(plain, value))
        if isinstance(value, list | tuple)
        else f"{value:g}"
        if isinstance(value, float)
        else str(value)
    )


def data_text(recipe: Recipe, corpus: Path) -> str:
    """A table of the sets, then those without a stated licence by name."""
    known = tomllib.loads(Path(__file__).with_name("sets.toml").read_text(encoding="utf-8"))
    manifest = corpus / "manifest.json"
    counts = Counter(row["set"] for row in json.loads(manifest.read_text())) if manifest.is_file() else Counter()
    total = sum(recipe.sets[name] * counts[name] for name in recipe.sets)
    lines = ["| set | what | pictures | drawn | licence, author |", "|---|---|---|---|---|"]
    for name, weight in recipe.sets.items():
        row = known.get(name, {"what": "", "licence": "", "author": ""})
        whose = ", ".join(word for word in (row["licence"] or "none stated", row["author"]) if word)
        share = f"{100 * weight * counts[name] / total:.0f} %" if total else ""
        lines.append(f"| {name} | {row['what']} | {counts[name] or ''} | {share} | {whose} |")
    bare = [name for name in recipe.sets if not known.get(name, {}).get("licence")]
    warning = "All sets are openly licensed."
    if bare:
        warning = (
            f"**Without a stated licence: {', '.join(bare)}.** Whoever needs open data alone takes them out of the "
            "recipe (`--set sets.NAME=0`)."
        )
    return "\n\n" + "\n".join(lines) + "\n\n" + warning


def curve_text(rows: Sequence[curves.Row]) -> str:
    """A sparse table: steps that double, roughly, each the mean of the rows up to the one before."""
    names = curves.losses(rows)
    if not rows or not names:
        return "No curve was kept."
    last = len(rows) - 1
    places = sorted({int(round(x)) for x in np.geomspace(1, last + 1, min(ROWS, len(rows)))})
    lines = ["| step | " + " | ".join(names) + " |", "|" + "---|" * (len(names) + 1)]
    before = 0
    for place in places:
        part = rows[before:place]
        before = place
        means = [[row[name] for row in part if name in row] for name in names]
        cells = [metrics.shown(float(np.mean(values))) if values else "" for values in means]
        lines.append(f"| {int(part[-1]['step']):,} | " + " | ".join(cells) + " |")
    return "Means since the line before.\n\n" + "\n".join(lines)


def figures_text(file: Path, name: str) -> str:
    """The rows of the model and of the page itself, from the JSON of an evaluation.

    Raises:
        ValueError: the file is none, or has no rows of the model.
    """
    try:
        said = json.loads(file.read_text(encoding="utf-8"))
        means, how, formulas = said["means"], said["how"], said["formulas"]
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{file} is no evaluation (python -m train evaluate MODEL PICTURES -o FILE)") from error
    rows = {key: row for key, row in means.items() if system_of(key).split(",")[0] in {name, "identity"}}
    if not any(system_of(key).split(",")[0] == name for key in rows):
        raise ValueError(f"{file} has no figures of {name}")
    kept = {key: {column: row[column] for column in COLUMNS if column in row} for key, row in rows.items()}
    columns = dict.fromkeys(column for row in kept.values() for column in row)
    legend = "\n".join(f"- {key}: {formulas[key]}" for key in columns if key in formulas)
    return f"{how}\n\n{metrics.table(kept, 'input | system')}\n\n{legend}"


def system_of(key: str) -> str:
    """Of the row `gray | painter, cue` it is `painter, cue`."""
    return key.partition(" | ")[2]
