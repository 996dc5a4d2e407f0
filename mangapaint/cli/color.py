"""`mangapaint color` and `mangapaint upscale`: the pipeline with settings from the command line."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from mangapaint.cli import flags
from mangapaint.cli.screen import Watch
from mangapaint.cli.state import State
from mangapaint.errors import ExitCode, UsageError, printable
from mangapaint.settings import Settings

if TYPE_CHECKING:
    from mangapaint.pipeline.contracts import PainterLoader

MakeLoader = Callable[[Settings, Callable[[str], None]], "PainterLoader"]


def color(
    context: typer.Context,
    sources: flags.Sources,
    model: flags.Model = None,
    mode: flags.Mode = None,
    reference: flags.Reference = None,
    palette: flags.Palette = None,
    save_palette: flags.SavePalette = None,
    variant: flags.Variant = None,
    split: flags.Split = None,
    paper: flags.Paper = None,
    memory: flags.Memory = None,
    hints: flags.Hints = None,
    vividness: flags.Vividness = None,
    seed: flags.Seed = None,
    upscale: flags.Upscale = None,
    upscaler: flags.Upscaler = None,
    native: flags.Native = None,
    int8: flags.Int8 = None,
    order: flags.Order = None,
    output: flags.Output = None,
    format: flags.Format = None,  # noqa: A002
    quality: flags.Quality = None,
    max_side: flags.MaxSide = None,
    comicinfo: flags.ComicInfo = None,
    overwrite: flags.Overwrite = None,
    on_error: flags.OnError = None,
    lock: flags.Lock = None,
    min_age: flags.MinAge = None,
    dry_run: flags.DryRun = None,
    json: flags.Json = False,
    report: flags.Report = None,
    config: flags.Config = None,
    quiet: flags.Quiet = False,
    verbose: flags.Verbose = False,
    device: flags.Device = None,
    precision: flags.Precision = None,
    batch: flags.Batch = None,
    tile: flags.Tile = None,
    offline: flags.Offline = None,
    name_encoding: flags.NameEncoding = None,
    color_threshold: flags.ColorThreshold = None,
    tolerate_truncated: flags.TolerateTruncated = None,
    limit_megapixels: flags.LimitMegapixels = None,
    limit_side: flags.LimitSide = None,
    limit_entry: flags.LimitEntry = None,
    limit_archive: flags.LimitArchive = None,
    limit_entries: flags.LimitEntries = None,
    limit_pdf_pages: flags.LimitPdfPages = None,
    pdf_megapixels: flags.PdfMegapixels = None,
) -> None:
    """Colour chapters, and enlarge them with --upscale; the same container comes out.

    Pages that are coloured already stay as they are. An interrupted run goes on where it stopped.
    """
    raise typer.Exit(run(context.obj, sources, flags.settings_from(context), json_lines=json, report=report))


def upscale(
    context: typer.Context,
    sources: flags.Sources,
    upscale: flags.Factor = None,
    upscaler: flags.Upscaler = None,
    native: flags.Native = None,
    int8: flags.Int8 = None,
    output: flags.Output = None,
    format: flags.Format = None,  # noqa: A002
    quality: flags.Quality = None,
    max_side: flags.MaxSide = None,
    comicinfo: flags.ComicInfo = None,
    overwrite: flags.Overwrite = None,
    on_error: flags.OnError = None,
    lock: flags.Lock = None,
    min_age: flags.MinAge = None,
    dry_run: flags.DryRun = None,
    json: flags.Json = False,
    report: flags.Report = None,
    config: flags.Config = None,
    quiet: flags.Quiet = False,
    verbose: flags.Verbose = False,
    device: flags.Device = None,
    precision: flags.Precision = None,
    batch: flags.Batch = None,
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
    """Enlarge chapters without touching their colours."""
    settings = flags.settings_from(context, paint=False, upscale=2)
    if settings.upscale.scale == 1:
        raise UsageError("--upscale 1x leaves nothing to do here", remedy="choose 2x, 3x or 4x")
    raise typer.Exit(run(context.obj, sources, settings, json_lines=json, report=report))


def run(
    state: State,
    sources: Sequence[Path],
    settings: Settings,
    *,
    json_lines: bool = False,
    report: Path | None = None,
) -> ExitCode:
    """Run the pipeline and show it; the exit code of the whole.

    Raises:
        UsageError: the report is no HTML file, or sources and outputs collide.
    """
    if report is not None and report.suffix.lower() not in {".html", ".htm"}:
        raise UsageError(f"--report writes HTML, not '{report.suffix}'", remedy="name a file that ends in .html")
    if settings.paint is not None and settings.paint.variant is not None:
        from mangapaint.paint.variantfile import followed

        settings = followed(settings)
    from mangapaint.pipeline.run import exit_code
    from mangapaint.pipeline.run import run as run_pipeline

    watch = Watch(state.screen, json_lines=json_lines, planned=settings.run.dry_run)
    loader = state.make_loader(settings, watch.message)
    with watch, state.stop.gracefully():
        results = run_pipeline(sources, settings, loader, watch, state.stop)
    if report is not None:
        from mangapaint.report import html

        html.write(report, results, watch.pages, settings.input)
        state.screen.say(f"report: {printable(str(report))}")
    if not results:
        state.screen.say("nothing to do: every source changed a moment ago")
    if len(results) > 1:
        failed = sum(result.error is not None for result in results)
        flawed = sum(bool(result.failed) for result in results)
        state.screen.say(f"{len(results)} chapters: {failed} failed, {flawed} with pages left as they were")
    return exit_code(results)
