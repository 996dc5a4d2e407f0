"""`mangapaint variants`: many colourings of one picture, with a contact sheet and what makes each again."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mangapaint.cli import flags
from mangapaint.cli.screen import NORMAL, Screen
from mangapaint.cli.state import State
from mangapaint.errors import ExitCode, InputError, MangapaintError, PageError, UsageError, WeightsError, printable
from mangapaint.settings import Settings

if TYPE_CHECKING:
    from mangapaint.engine.runner import Engine
    from mangapaint.variants.run import Wish
    from mangapaint.variants.subjects import Faces, Find

MOST = 256
"""Variants of one picture; more cannot be told apart."""

VARIANTS = "Variants"

Count = Annotated[
    str,
    typer.Option("--count", "-n", metavar="N", help=f"How many, 1 to {MOST}.", rich_help_panel=VARIANTS),
]
FacesOf = Annotated[
    str | None,
    flags._option(
        "--faces",
        metavar="none|largest|all|N",
        panel=VARIANTS,
        help="Colour the faces of a page, each cut out with its hair: the largest, all, or the N largest. Default: "
        "none, the picture as a whole.",
    ),
]
Pages = Annotated[
    str | None,
    flags._option("--page", metavar="N,A-B,...", panel=VARIANTS, help="Pages of a chapter. Default: all of them."),
]
Edits = Annotated[
    list[str] | None,
    flags._option(
        "--edit",
        metavar="NAME=VALUE",
        panel=VARIANTS,
        help="With --model portrait: hair=blue, eyes=green, mouth=1, ...; may be given several times.",
    ),
]
Seed = Annotated[
    str | None,
    flags._option(
        "--seed",
        metavar="N",
        panel=VARIANTS,
        help="Of all chance; with -n 1 the variant of that seed, as in its file's name. Default: 0.",
    ),
]
Model = Annotated[
    str | None,
    flags._option(
        "--model",
        metavar="NAME|hf:...|PATH",
        panel=VARIANTS,
        help="painter (other palettes), dcgan or wgan-gp (other noise), portrait (draws anew). Default: painter.",
    ),
]
Output = Annotated[
    Path | None,
    flags._option(
        "--output", "-o", metavar="DIR", panel=flags.OUTPUT, help="Default: NAME-variants beside the source."
    ),
]
Format = Annotated[
    str | None,
    flags._option("--format", metavar="png|jpeg|webp|avif|keep", panel=flags.OUTPUT, help="Default: png."),
]
Overwrite = Annotated[
    bool | None,
    flags._option("--overwrite/--no-overwrite", panel=flags.OUTPUT, help="Replace variants that stand there."),
]


def variants(
    context: typer.Context,
    sources: flags.Sources,
    count: Count = "25",
    seed: Seed = None,
    faces: FacesOf = None,
    page: Pages = None,
    model: Model = None,
    edit: Edits = None,
    mode: flags.Mode = None,
    vividness: flags.Vividness = None,
    memory: flags.Memory = None,
    upscale: flags.Upscale = None,
    upscaler: flags.Upscaler = None,
    output: Output = None,
    format: Format = None,  # noqa: A002
    quality: flags.Quality = None,
    max_side: flags.MaxSide = None,
    overwrite: Overwrite = None,
    config: flags.Config = None,
    quiet: flags.Quiet = False,
    verbose: flags.Verbose = False,
    device: flags.Device = None,
    precision: flags.Precision = None,
    tile: flags.Tile = None,
    offline: flags.Offline = None,
    name_encoding: flags.NameEncoding = None,
    tolerate_truncated: flags.TolerateTruncated = None,
    limit_megapixels: flags.LimitMegapixels = None,
    limit_side: flags.LimitSide = None,
    limit_entry: flags.LimitEntry = None,
    limit_archive: flags.LimitArchive = None,
    limit_entries: flags.LimitEntries = None,
    limit_pdf_pages: flags.LimitPdfPages = None,
    pdf_megapixels: flags.PdfMegapixels = None,
) -> None:
    """Colour a picture in many ways that differ as much as they can, with a contact sheet to choose from.

    `mangapaint color CHAPTER --variant DIR/variants.json#7` colours a chapter as number 7.
    """
    settings = flags.settings_from(context, format="png")
    numbers, wanted = _pages(page), _faces(faces)
    if not count.isascii() or not count.isdigit() or not 1 <= int(count) <= MOST:
        raise UsageError(f"--count takes a whole number from 1 to {MOST}, not '{printable(count)}'")
    from mangapaint.variants.run import Wish

    wish = Wish(int(count), wanted, _words(context))
    raise typer.Exit(run(context.obj, sources, numbers, wish, settings, edit or []))


def run(
    state: State,
    sources: Sequence[Path],
    pages: Sequence[int] | None,
    wish: Wish,
    settings: Settings,
    edits: Sequence[str] = (),
) -> ExitCode:
    """Make the variants of all sources and show it; the exit code of the whole.

    Raises:
        MangapaintError: nothing can be made: sources, model, weights or output are not as they must be.
    """
    from mangapaint import archives
    from mangapaint.engine.runner import Engine
    from mangapaint.portrait import parsed
    from mangapaint.variants.folder import refuse_existing
    from mangapaint.variants.jobs import Job, jobs_of
    from mangapaint.variants.making import open_studio
    from mangapaint.variants.run import run_job

    screen, changes = state.screen, parsed(edits)
    found = list(jobs_of(archives.discover(sources, settings.input), pages, settings.run.output, settings.input))
    errors = [each for each in found if isinstance(each, MangapaintError)]
    jobs = [each for each in found if isinstance(each, Job)]
    for error in errors:
        screen.error(error)
    if len(jobs) == 1 and wish.faces in {"none", "largest", 1}:
        refuse_existing(jobs[0].target, overwrite=settings.run.overwrite)  # before seconds go into loading nets
    done = 0
    if jobs:
        engine = Engine(settings.engine)
        screen.say(f"using {engine.device.name} ({engine.device.kind}, {engine.device.precision})")
        studio = open_studio(engine, settings, changes, screen.say)
        find = _finder(engine, settings, wish.faces)
        with _Follower(screen) as follower, state.stop.gracefully():
            for job in jobs:
                try:
                    done += run_job(job, wish, settings, studio, find, follower, state.stop)
                except MangapaintError as error:
                    if state.stop.requested:
                        raise
                    errors.append(error.at(chapter=job.source, page=None if job.alone else job.page))
                    screen.error(errors[-1])
    elif not errors:
        raise InputError("no pages", chapter=sources[0])
    if done:
        return ExitCode.PARTIAL if errors else ExitCode.DONE
    codes = {ExitCode.INPUT if isinstance(error, PageError) else error.exit_code for error in errors}
    return codes.pop() if len(codes) == 1 else ExitCode.PARTIAL


def _finder(engine: Engine, settings: Settings, faces: Faces) -> Find:
    """The face detector; where no faces are asked for, an installation without it finds none."""
    from mangapaint.paint.faces import FaceFinder

    try:
        return FaceFinder.load(engine, offline=settings.engine.offline).find
    except (UsageError, WeightsError):
        if faces != "none":
            raise
        return lambda gray: []


def _faces(text: str | None) -> Faces:
    if text is None or text == "none":
        return "none"
    if text == "all":
        return "all"
    if text == "largest":
        return "largest"
    if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= 1000:
        raise UsageError(f"--faces takes none, largest, all or how many, not '{printable(text)}'")
    return int(text)


def _pages(text: str | None) -> list[int] | None:
    """0-based numbers of "3,5-7"."""
    if text is None:
        return None
    numbers: set[int] = set()
    for part in text.split(","):
        first, dash, last = part.strip().partition("-")
        words = [first, last] if dash else [first, first]
        if not all(word.isascii() and word.isdigit() and 1 <= int(word) <= 100_000 for word in words):
            raise UsageError(f"--page takes numbers such as 3,5-7, not '{printable(text)}'")
        numbers.update(range(int(words[0]) - 1, int(words[1])))
    if not numbers:
        raise UsageError(f"--page takes numbers such as 3,5-7, not '{printable(text)}'")
    return sorted(numbers)


def _words(context: typer.Context) -> str:
    """The options that a picture depends on, as they were given."""
    said = []
    for name in ("model", "mode", "vividness", "upscale", "upscaler", "max-side", "edit"):
        value: Any = context.params.get(name.replace("-", "_"))
        for each in value if isinstance(value, list | tuple) else [] if value is None else [value]:
            said.append(f" --{name} {shlex.quote(str(each))}")
    faces = context.params.get("faces")
    said.append(f" --faces {faces}" if faces not in {None, "none"} else "")
    said.append(" --no-memory" if context.params.get("memory") is False else "")
    return "".join(said)


class _Follower:
    """A progress bar on a terminal, a line per folder, the records' paths on stdout."""

    def __init__(self, screen: Screen) -> None:
        from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

        self.screen = screen
        self._bar = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            TimeRemainingColumn(),
            console=screen.console,
            transient=True,
            disable=screen.level < NORMAL or not screen.console.is_terminal,
        )
        self._task: Any = None

    def __enter__(self) -> _Follower:
        self._bar.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._bar.stop()

    def started(self, what: str) -> None:
        if self._task is not None:
            self._bar.remove_task(self._task)
        self._task = self._bar.add_task(printable(what), total=None)

    def step(self, done: int, total: int) -> None:
        self._bar.update(self._task, completed=done, total=total)

    def finished(self, record: Path, count: int, notes: Sequence[str]) -> None:
        from mangapaint.variants.folder import SHEET

        for note in notes:
            self.screen.warn(note)
        pictures = f"{count} variants" if count > 1 else "1 variant"
        self.screen.say(f"{pictures} -> {record.parent}, all on {record.parent / SHEET}")
        self.screen.result(printable(str(record)))
