"""`mangapaint split`: panels as pictures, and their boxes in reading order as JSON."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mangapaint.cli import flags
from mangapaint.cli.screen import Screen
from mangapaint.errors import ExitCode, InputError, MangapaintError, OutputError, PageError, printable
from mangapaint.settings import Settings

if TYPE_CHECKING:
    from mangapaint.archives import ChapterReader, Found

BOXES = "panels.json"

Folder = Annotated[
    Path,
    typer.Option("--output", "-o", metavar="DIR", help="Gets one folder per chapter.", rich_help_panel=flags.OUTPUT),
]
OverwriteCrops = Annotated[
    bool | None,
    typer.Option("--overwrite", help="Write over an earlier split.", rich_help_panel=flags.OUTPUT, show_default=False),
]


def split(
    context: typer.Context,
    sources: flags.Sources,
    output: Folder,
    overwrite: OverwriteCrops = None,
    config: flags.Config = None,
    quiet: flags.Quiet = False,
    verbose: flags.Verbose = False,
    name_encoding: flags.NameEncoding = None,
    direction: flags.Direction = None,
    tolerate_truncated: flags.TolerateTruncated = None,
    limit_megapixels: flags.LimitMegapixels = None,
    limit_side: flags.LimitSide = None,
    limit_entry: flags.LimitEntry = None,
    limit_archive: flags.LimitArchive = None,
    limit_entries: flags.LimitEntries = None,
    limit_pdf_pages: flags.LimitPdfPages = None,
    pdf_megapixels: flags.PdfMegapixels = None,
) -> None:
    """Cut pages into their panels: PNG crops and their boxes, in reading order."""
    from mangapaint import archives

    settings = flags.settings_from(context)
    screen: Screen = context.obj.screen
    found = archives.discover(sources, settings.input)
    if not found:
        raise InputError("no pages", chapter=sources[0])
    codes = set()
    for chapter in found:
        try:
            codes.add(_split_chapter(chapter, output / chapter.relative, settings, screen))
        except MangapaintError as error:
            screen.error(error.at(chapter=chapter.path))
            codes.add(error.exit_code)
    raise typer.Exit(codes.pop() if len(codes) == 1 else ExitCode.PARTIAL)


def _split_chapter(chapter: Found, folder: Path, settings: Settings, screen: Screen) -> ExitCode:
    from mangapaint import archives, atomic

    boxes = folder / BOXES
    if boxes.exists() and not settings.run.overwrite:
        raise OutputError(f"{boxes} exists already", remedy="pass --overwrite, or choose another place with -o")
    pages: list[dict[str, Any]] = []
    failed = 0
    with archives.open_reader(chapter.path, settings.input) as reader:
        direction = _direction(reader, settings)
        for index in range(len(reader)):
            try:
                pages.append(_split_page(reader, index, direction, folder, settings))
            except PageError as error:
                failed += 1
                screen.warn(f"{error.at(chapter=chapter.path, page=index)}")
        said = {"chapter": chapter.path.name, "direction": direction, "pages": pages}
        atomic.write(boxes, (json.dumps(said, indent=1) + "\n").encode())
    panels = sum(len(page["panels"]) for page in pages)
    screen.say(f"{printable(str(chapter.path))}: {panels} panels of {len(pages)} pages -> {printable(str(folder))}")
    return ExitCode.PARTIAL if failed else ExitCode.DONE


def _direction(reader: ChapterReader, settings: Settings) -> Any:
    return reader.direction or "rtl" if settings.input.direction == "auto" else settings.input.direction


def _split_page(reader: ChapterReader, index: int, direction: Any, folder: Path, settings: Settings) -> dict[str, Any]:
    import cv2
    import numpy as np

    from mangapaint import atomic, pixels
    from mangapaint.layout.panels import find_panels

    tolerate = settings.input.tolerate_truncated
    image = pixels.decode(reader.read(index), settings.input.limits, tolerate_truncated=tolerate)
    gray = np.asarray(cv2.cvtColor(image.pixels, cv2.COLOR_RGB2GRAY), np.uint8)
    panels = []
    for panel in find_panels(gray, direction):
        box = panel.region
        name = f"{index + 1:04d}-{panel.order + 1:02d}.png"
        crop = np.ascontiguousarray(image.pixels[box.slices])
        atomic.write(folder / name, pixels.encode(crop, format="png", quality=100))
        panels.append({"file": name, "x": box.x, "y": box.y, "width": box.width, "height": box.height})
    return {
        "page": index + 1,
        "name": reader.names[index],
        "width": image.width,
        "height": image.height,
        "panels": panels,
    }
