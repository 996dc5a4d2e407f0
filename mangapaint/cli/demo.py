"""`mangapaint demo`: a chapter to try, drawn on the spot."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from mangapaint.cli import color, flags
from mangapaint.errors import ExitCode, printable

Folder = Annotated[Path, typer.Option("--output", "-o", metavar="DIR", help="Gets the chapter, before and after.")]


def demo(
    context: typer.Context,
    output: Folder = Path("mangapaint-demo"),
    upscale: flags.Upscale = None,
    device: flags.Device = None,
    quiet: flags.Quiet = False,
    verbose: flags.Verbose = False,
) -> None:
    """Draw a small chapter, colour it, and say where to look."""
    from mangapaint.archives import discover, output_path
    from mangapaint.demo import draw_chapter

    settings = flags.settings_from(context, upscale=2)
    settings = replace(settings, run=replace(settings.run, output=None, overwrite=True, dry_run=False))
    context.obj.screen.say("drawing a chapter")
    chapter = draw_chapter(output)
    code = color.run(context.obj, [chapter], settings)
    if code is ExitCode.DONE:
        target = output_path(discover([chapter], settings.input)[0], None, settings.output)
        context.obj.screen.result(printable(f"before: {chapter}"))
        context.obj.screen.result(printable(f"after:  {target}"))
    raise typer.Exit(code)
