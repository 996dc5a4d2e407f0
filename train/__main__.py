"""`python -m train`: prepare a corpus, run a recipe, evaluate it, export its weights."""

from __future__ import annotations

import errno
import os
import shlex
import sys
import traceback
from pathlib import Path
from typing import Annotated

import typer

from mangapaint.errors import ExitCode, MangapaintError, printable
from train.prepare import cli as prepare_cli
from train.scrape import cli as scrape_cli

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help=__doc__)

TRACEBACK = "TRAIN_TRACEBACK"
"""Environment variable; where it is set, errors come with their traceback."""
CORPUS = Path("runs/corpus")
RUNS = Path("runs")

CorpusOption = Annotated[Path, typer.Option("--corpus", help="Folder written by 'prepare'.")]
ProfileOption = Annotated[str | None, typer.Option("--profile", help="cpu or gpu: a table of the recipe laid over it.")]
SetOption = Annotated[
    list[str] | None, typer.Option("--set", help="key.path=value over the recipe, e.g. schedule.batch=8; repeatable.")
]
RecipeArgument = Annotated[str, typer.Argument(help="Name in train/recipes, or a .toml file.")]

app.command(name="scrape")(scrape_cli.scrape)
app.command(name="prepare")(prepare_cli.prepare)


@app.command()
def run(
    recipe: RecipeArgument,
    corpus: CorpusOption = CORPUS,
    folder: Annotated[Path | None, typer.Option(help="Where checkpoints and curves go.")] = None,
    profile: ProfileOption = None,
    minutes: Annotated[float | None, typer.Option(help="Instead of the recipe's.")] = None,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
    settings: SetOption = None,
    start_from: Annotated[
        Path | None, typer.Option("--from", help="Weights file whose fitting tensors a new run starts with.")
    ] = None,
) -> None:
    """Train a recipe, or go on with it from its last checkpoint."""
    from dataclasses import replace

    from train import loop, ranks, tasks
    from train.recipe import load

    loaded = load(recipe, profile, settings or ())
    if minutes is not None:
        loaded = replace(loaded, schedule=replace(loaded.schedule, minutes=minutes))
    where = folder or RUNS / loaded.name
    with ranks.joined(device) as (together, place):
        task = tasks.build(loaded, corpus)
        path = loop.run(loaded, task, where, place, start_from=start_from, ranks=together)
        if together.writes:
            print(path)


@app.command(name="options")
def list_options(recipe: RecipeArgument) -> None:
    """Print every option that a recipe can set, with its type, default and meaning."""
    from train import options
    from train.recipe import load

    print(options.text(load(recipe).task))


@app.command(name="fit-panels")
def fit_panels(
    corpus: CorpusOption = CORPUS,
    made: Annotated[int, typer.Option(help="Made pages; a third as many comic pages come along.")] = 120,
    seed: Annotated[int, typer.Option()] = 0,
) -> None:
    """Print the table of mangapaint/layout/evidence.py, fitted to made pages and comic pages."""
    from train import panels

    print(panels.fitted(corpus, made, seed).text())


@app.command()
def evaluate(
    model: Annotated[
        str, typer.Argument(help="Names of models or .safetensors files, joined by commas, or 'all' registered ones.")
    ],
    source: Annotated[
        Path, typer.Argument(help="Folder (or folder of folders) or zip of pictures never trained on.", exists=True)
    ],
    alone: Annotated[bool, typer.Option("--alone", help="From the page alone: neither palette nor cue.")] = False,
    inputs: Annotated[list[str] | None, typer.Option("--input", help="gray, toned, ink, sketch; repeatable.")] = None,
    limit: Annotated[int, typer.Option(help="Pictures of each folder; 0 takes all.")] = 0,
    seed: Annotated[int, typer.Option(help="Of the drawings and of the bootstrap.")] = 0,
    output: Annotated[Path | None, typer.Option("-o", "--output", help="JSON with every figure of every set.")] = None,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
) -> None:
    """Print a table of figures beside the gray page (colour) or bicubic enlargement (upscaler)."""
    from mangapaint import atomic
    from mangapaint.settings import EngineSettings
    from train import evaluate as evaluation
    from train import metrics, report

    engine = EngineSettings(device=device)
    every = model == "all"
    named = tuple(model.split(","))
    if not every and evaluation.those_for(named, "portrait"):
        from train import portraits

        lines = portraits.portraits(
            named[0], source, engine, limit, seed, lambda line: print(line, file=sys.stderr, flush=True)
        )
        if output is not None:
            atomic.write(output, report.written(lines, source.name, seed).encode())
        print(report.text(lines, source.name, seed))
        return
    colorizers = evaluation.registered("colorize") if every else evaluation.those_for(named, "colorize")
    if colorizers:
        plan = evaluation.Plan(colorizers, tuple(inputs or evaluation.INPUTS), limit, seed, alone)
        lines = evaluation.colour(source, plan, engine, lambda line: print(line, file=sys.stderr, flush=True))
        if output is not None:
            atomic.write(output, report.written(lines, source.name, seed).encode())
        print(report.text(lines, source.name, seed))
    sharp = source / "sr" / "truth" if every else source
    for name in evaluation.registered("upscale") if every else evaluation.those_for(named, "upscale"):
        if sharp.exists():
            rows = evaluation.sharpness(sharp, name, engine)
            print(f"\n{metrics.table(rows, 'input | system')}\n\n{metrics.legend(['psnr_y', 'ssim_y'])}")


@app.command()
def study(
    recipes: Annotated[list[str], typer.Argument(help="Names in train/recipes, or .toml files.")],
    source: Annotated[Path, typer.Option("--on", help="Pictures to score on, never trained on.", exists=True)],
    vary: Annotated[list[str] | None, typer.Option(help="key.path=value|value; repeatable, all combinations.")] = None,
    settings: SetOption = None,
    minutes: Annotated[float | None, typer.Option(help="Of each run, instead of the recipes'.")] = None,
    inputs: Annotated[list[str] | None, typer.Option("--input", help="gray, toned, ink, sketch; repeatable.")] = None,
    limit: Annotated[int, typer.Option(help="Pictures of each folder; 0 takes all.")] = 12,
    seed: Annotated[int, typer.Option(help="Of the drawings and of the bootstrap.")] = 0,
    corpus: CorpusOption = CORPUS,
    folder: Annotated[Path, typer.Option(help="Of the study.")] = RUNS / "study",
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
) -> None:
    """Short equal runs with something varied, scored together in one table."""
    from train import evaluate as evaluation
    from train import study as studies

    plan = evaluation.Plan((), tuple(inputs or evaluation.INPUTS), limit, seed)
    found = studies.cases(recipes, vary or ())
    print(studies.study(found, settings or (), minutes, corpus, source, plan, folder, device=device))


@app.command()
def export(
    recipe: RecipeArgument,
    corpus: CorpusOption = CORPUS,
    folder: Annotated[Path | None, typer.Option(help="The run's folder.")] = None,
    target: Annotated[Path, typer.Option("-o", "--output", help="Where the weights file goes.")] = Path("weights"),
    profile: ProfileOption = None,
    settings: SetOption = None,
    figures: Annotated[
        Path | None, typer.Option(help="JSON of 'evaluate -o' for the card; RUN/evaluation.json if there is one.")
    ] = None,
) -> None:
    """Write the EMA of a run as bf16 safetensors and its model card; note sizes and checksums for the program."""
    from mangapaint.models import pin, store
    from train import cards, tasks
    from train import export as exporting
    from train.recipe import load

    loaded = load(recipe, profile, settings or ())
    where, task = folder or RUNS / loaded.name, tasks.build(loaded, corpus)
    path = exporting.export(loaded, task, where, corpus, target)
    print(f"{path}: {path.stat().st_size / 2**20:.1f} MiB")
    over = [word for setting in settings or () for word in ("--set", setting)]
    command = shlex.join([recipe, *(["--profile", profile] if profile else []), *over])
    if figures is None and (where / "evaluation.json").is_file():
        figures = where / "evaluation.json"
    net = exporting.trained(task, where)
    print(cards.write(cards.Made(loaded, command, where, corpus, net, path, figures)))
    if target.resolve() == store.shipped_folder().resolve():
        pin.main()


def main() -> None:
    """Run a command; every error that can be foreseen is one line and an exit code of mangapaint.errors."""
    try:
        app(prog_name="python -m train")
    except KeyboardInterrupt:
        sys.exit(ExitCode.INTERRUPT)
    except Exception as error:
        if TRACEBACK in os.environ:
            traceback.print_exc()
        line, code = told(error)
        print(f"train: {line}", file=sys.stderr)
        sys.exit(code)


def told(error: Exception) -> tuple[str, ExitCode]:
    """One line about an error, and its exit code."""
    text = printable(" ".join(str(error).split())) or type(error).__name__
    if isinstance(error, MangapaintError):
        return text, error.exit_code
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
        return f"out of memory: {text[:200]} (try --set schedule.batch=...)", ExitCode.MEMORY
    if isinstance(error, FloatingPointError):
        return f"{text} (go on from the last checkpoint with --set schedule.learning_rate=...)", ExitCode.INTERNAL
    if isinstance(error, OSError):
        if error.errno in {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS}:
            return f"cannot write: {text} (what was saved before is whole; free space and run again)", ExitCode.OUTPUT
        return text, ExitCode.INPUT
    if isinstance(error, ValueError):
        return text, ExitCode.USAGE
    return f"{type(error).__name__}: {text} (set {TRACEBACK}=1 to see where)", ExitCode.INTERNAL


if __name__ == "__main__":
    main()
