"""`mangapaint split`: panels or heads as pictures, and their boxes in reading order as JSON."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mangapaint.cli import flags
from mangapaint.cli.screen import Screen
from mangapaint.errors import ExitCode, InputError, MangapaintError, OutputError, PageError, UsageError, printable
from mangapaint.settings import Settings

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from mangapaint.archives import ChapterReader, Found
    from mangapaint.page import Region
    from mangapaint.paint.faces import FaceFinder

BOXES = {"panels": "panels.json", "faces": "faces.json"}
"""What a page is cut into -> name of the file with the boxes."""

Folder = Annotated[
    Path,
    typer.Option("--output", "-o", metavar="DIR", help="Gets one folder per chapter.", rich_help_panel=flags.OUTPUT),
]
Units = Annotated[
    str,
    typer.Option(
        "--split",
        metavar="panels|faces",
        help="What to cut out: panels, or heads, found by a small net.",
        rich_help_panel=flags.OUTPUT,
    ),
]
OverwriteCrops = Annotated[
    bool | None,
    typer.Option("--overwrite", help="Write over an earlier split.", rich_help_panel=flags.OUTPUT, show_default=False),
]


def split(
    context: typer.Context,
    sources: flags.Sources,
    output: Folder,
    units: Units = "panels",
    overwrite: OverwriteCrops = None,
    config: flags.Config = None,
    quiet: flags.Quiet = False,
    verbose: flags.Verbose = False,
    name_encoding: flags.NameEncoding = None,
    direction: flags.Direction = None,
    device: flags.Device = None,
    precision: flags.Precision = None,
    offline: flags.Offline = None,
    tolerate_truncated: flags.TolerateTruncated = None,
    limit_megapixels: flags.LimitMegapixels = None,
    limit_side: flags.LimitSide = None,
    limit_entry: flags.LimitEntry = None,
    limit_archive: flags.LimitArchive = None,
    limit_entries: flags.LimitEntries = None,
    limit_pdf_pages: flags.LimitPdfPages = None,
    pdf_megapixels: flags.PdfMegapixels = None,
) -> None:
    """Cut pages into their panels, or heads out of them: PNG crops and their boxes, in reading order."""
    from mangapaint import archives

    settings = flags.settings_from(context)
    if units not in BOXES:
        raise UsageError(f"--split '{printable(units)}' is none of {', '.join(BOXES)}", remedy="choose one of them")
    screen: Screen = context.obj.screen
    found = archives.discover(sources, settings.input)
    if not found:
        raise InputError("no pages", chapter=sources[0])
    finder = _finder(settings) if units == "faces" else None
    codes = set()
    for chapter in found:
        try:
            codes.add(_split_chapter(chapter, output / chapter.relative, finder, settings, screen))
        except MangapaintError as error:
            screen.error(error.at(chapter=chapter.path))
            codes.add(error.exit_code)
    raise typer.Exit(codes.pop() if len(codes) == 1 else ExitCode.PARTIAL)


def _finder(settings: Settings) -> FaceFinder:
    from mangapaint.engine.runner import Engine
    from mangapaint.paint.faces import FaceFinder

    return FaceFinder.load(Engine(settings.engine), offline=settings.engine.offline)


def _split_chapter(
    chapter: Found, folder: Path, finder: FaceFinder | None, settings: Settings, screen: Screen
) -> ExitCode:
    from mangapaint import archives, atomic

    units = "panels" if finder is None else "faces"
    boxes = folder / BOXES[units]
    if boxes.exists() and not settings.run.overwrite:
        raise OutputError(f"{boxes} exists already", remedy="pass --overwrite, or choose another place with -o")
    pages: list[dict[str, Any]] = []
    failed = 0
    with archives.open_reader(chapter.path, settings.input) as reader:
        direction = _direction(reader, settings)
        for index in range(len(reader)):
            try:
                pages.append(_split_page(reader, index, direction, folder, finder, settings))
            except PageError as error:
                failed += 1
                screen.warn(f"{error.at(chapter=chapter.path, page=index)}")
        said = {"chapter": chapter.path.name, "direction": direction, "pages": pages}
        atomic.write(boxes, (json.dumps(said, indent=1) + "\n").encode())
    count = sum(len(page[units]) for page in pages)
    screen.say(f"{printable(str(chapter.path))}: {count} {units} of {len(pages)} pages -> {printable(str(folder))}")
    return ExitCode.PARTIAL if failed else ExitCode.DONE


def _direction(reader: ChapterReader, settings: Settings) -> Any:
    return reader.direction or "rtl" if settings.input.direction == "auto" else settings.input.direction


def _split_page(
    reader: ChapterReader, index: int, direction: Any, folder: Path, finder: FaceFinder | None, settings: Settings
) -> dict[str, Any]:
    import cv2
    import numpy as np

    from mangapaint import pixels
    from mangapaint.layout.faces import head_of, in_reading_order
    from mangapaint.layout.panels import find_panels

    tolerate = settings.input.tolerate_truncated
    image = pixels.decode(reader.read(index), settings.input.limits, tolerate_truncated=tolerate)
    gray = np.asarray(cv2.cvtColor(image.pixels, cv2.COLOR_RGB2GRAY), np.uint8)
    panels = find_panels(gray, direction)
    found: list[dict[str, Any]] = []
    if finder is None:
        for panel in panels:
            name = f"{index + 1:04d}-{panel.order + 1:02d}.png"
            _write(folder / name, image.pixels, panel.region)
            found.append({"file": name, **_box(panel.region)})
    else:
        for number, (face, place) in enumerate(in_reading_order(finder.find(gray), panels, direction), 1):
            name, head = f"{index + 1:04d}-face-{number:02d}.png", head_of(face.region, image.width, image.height)
            _write(folder / name, image.pixels, head)
            said = {"score": round(face.score, 3), "panel": None if place is None else place + 1, "crop": _box(head)}
            found.append({"file": name, **_box(face.region), **said})
    return {
        "page": index + 1,
        "name": reader.names[index],
        "width": image.width,
        "height": image.height,
        "panels" if finder is None else "faces": found,
    }


def _box(region: Region) -> dict[str, int]:
    return {"x": region.x, "y": region.y, "width": region.width, "height": region.height}


def _write(path: Path, picture: NDArray[np.uint8], region: Region) -> None:
    import numpy as np

    from mangapaint import atomic, pixels

    crop = np.ascontiguousarray(picture[region.slices])
    atomic.write(path, pixels.encode(crop, format="png", quality=100))
