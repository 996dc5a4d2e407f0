"""The options of the commands, each declared once; `mangapaint.options` reads their values."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from mangapaint import config
from mangapaint.cli.state import State
from mangapaint.options import OPTIONS
from mangapaint.settings import Settings

PAINT, UPSCALING, OUTPUT, RUN, DEVICE, INPUT, LIMITS = (
    "Colours",
    "Upscaling",
    "Output",
    "Run",
    "Device",
    "Reading",
    "Limits (what is larger is refused)",
)


def _option(*names: str, help: str, panel: str, metavar: str | None = None) -> Any:  # noqa: A002
    return typer.Option(*names, help=help, rich_help_panel=panel, metavar=metavar, show_default=False)


Sources = Annotated[
    list[Path],
    typer.Argument(
        metavar="SOURCE",
        help="Folders, .cbz .zip .pdf .cbr .cb7 .cbt .epub, or single pictures; folders are walked through.",
        show_default=False,
    ),
]

Model = Annotated[
    str | None,
    _option("--model", metavar="NAME|hf:...|PATH", panel=PAINT, help="Net that paints. Default: painter."),
]
Mode = Annotated[
    str | None,
    _option(
        "--mode",
        metavar="auto|ink|gray",
        panel=PAINT,
        help="ink: the drawing is laid over the paint; gray: the brightness of the page is kept. Default: auto.",
    ),
]
Reference = Annotated[
    list[Path] | None,
    _option("--reference", metavar="IMG", panel=PAINT, help="Coloured picture to follow; may be given several times."),
]
Palette = Annotated[
    Path | None,
    _option(
        "--palette",
        metavar="FILE",
        panel=PAINT,
        help="Colours of another run, written by --save-palette: a .safetensors goes on where that chapter ended; a "
        "palette.toml may be edited: a changed hex is changed wherever that colour was.",
    ),
]
SavePalette = Annotated[
    Path | None,
    _option(
        "--save-palette",
        metavar="FILE",
        panel=PAINT,
        help="Write the chapter's colours: .toml for people, .safetensors with all that is remembered of its things.",
    ),
]
Variant = Annotated[
    str | None,
    _option(
        "--variant",
        metavar="FILE.json#N",
        panel=PAINT,
        help="Colours of the Nth picture that 'mangapaint variants' made; by the same net.",
    ),
]
Split = Annotated[
    str | None,
    _option(
        "--split",
        metavar="page|panels|faces",
        panel=PAINT,
        help="What the net sees at once: the page, or each panel, or each head found on the page, by itself and "
        "larger. Default: page.",
    ),
]
Paper = Annotated[
    str | None,
    _option(
        "--paper",
        metavar="auto|all",
        panel=PAINT,
        help="White that reaches the margin: a small net finds what of it is drawn and that is painted, or all of it "
        "stays white. Default: auto.",
    ),
]
Memory = Annotated[
    bool | None,
    _option(
        "--memory/--no-memory",
        panel=PAINT,
        help="Look at the chapter's pages before painting, so that like things get like colours. Default: yes.",
    ),
]
Hints = Annotated[
    Path | None,
    _option(
        "--hints",
        metavar="IMG|DIR",
        panel=PAINT,
        help="Colours drawn by an artist, on transparent or over the page: a picture for a single page, or a folder "
        "of pictures named like the pages (or by number; for several chapters, in folders named like them).",
    ),
]
Vividness = Annotated[
    str | None, _option("--vividness", metavar="X", panel=PAINT, help="Gain on the colours, 0 to 4. Default: 1.")
]
Seed = Annotated[
    str | None,
    _option("--seed", metavar="N", panel=PAINT, help="Chooses a palette when nothing else decides. Default: 0."),
]

Upscale = Annotated[
    str | None, _option("--upscale", metavar="1x|2x|3x|4x", panel=UPSCALING, help="Enlarge the pages. Default: 1x.")
]
Factor = Annotated[
    str | None, _option("--upscale", metavar="2x|3x|4x", panel=UPSCALING, help="By how much. Default: 2x.")
]
Upscaler = Annotated[
    str | None,
    _option(
        "--upscaler",
        metavar="fast|quality|hf:...|PATH",
        panel=UPSCALING,
        help="Net that enlarges: one of ours, or a community model (.pth, .safetensors; needs the extra 'spandrel'). "
        "Default: fast.",
    ),
]
Int8 = Annotated[
    bool | None,
    _option(
        "--int8/--no-int8",
        panel=UPSCALING,
        help="Our upscalers in 8-bit integers on a CPU, twice as fast, unless the first page comes out unlike; needs "
        "the extra 'openvino'. Default: no.",
    ),
]
Native = Annotated[
    str | None,
    _option(
        "--native",
        metavar="auto|off",
        panel=UPSCALING,
        help="auto: pages that were enlarged without a net before are first reduced to what they were; the result "
        "has the size asked for. Default: auto.",
    ),
]

Order = Annotated[
    str | None,
    _option(
        "--order",
        metavar="color-first|upscale-first",
        panel=UPSCALING,
        help="upscale-first: the enlarged page is coloured, which helps small pages. Default: color-first.",
    ),
]

Output = Annotated[
    Path | None,
    _option(
        "--output",
        "-o",
        metavar="PATH",
        panel=OUTPUT,
        help="Where results go. Default: a mirrored tree beside the source, with the same names.",
    ),
]
Format = Annotated[
    str | None,
    _option(
        "--format",
        metavar="keep|png|jpeg|webp|avif",
        panel=OUTPUT,
        help="Of the painted pages. Default: keep, the page's own.",
    ),
]
Quality = Annotated[
    str | None, _option("--quality", metavar="1-100", panel=OUTPUT, help="For jpeg, webp and avif. Default: 90.")
]
MaxSide = Annotated[
    str | None, _option("--max-side", metavar="PX", panel=OUTPUT, help="Reduce painted pages that are longer.")
]
ComicInfo = Annotated[
    bool | None, _option("--comicinfo/--no-comicinfo", panel=OUTPUT, help="Amend ComicInfo.xml. Default: yes.")
]
Overwrite = Annotated[
    bool | None,
    _option(
        "--overwrite/--no-overwrite",
        panel=OUTPUT,
        help="Replace outputs made with other settings or by other programs; finished ones are never done again.",
    ),
]

OnError = Annotated[
    str | None,
    _option(
        "--on-error",
        metavar="keep|fail",
        panel=RUN,
        help="keep: a page that fails keeps its original bytes and is listed; fail: its chapter fails. Default: keep.",
    ),
]
Lock = Annotated[
    str | None,
    _option("--lock", metavar="fail|wait|skip", panel=RUN, help="When another run works on a chapter. Default: fail."),
]
MinAge = Annotated[
    str | None,
    _option("--min-age", metavar="SECONDS", panel=RUN, help="Leave sources alone that changed more recently."),
]
DryRun = Annotated[
    bool | None,
    _option("--dry-run", panel=RUN, help="Only look: pages, verdicts, sizes on stdout. Writes nothing."),
]
Json = Annotated[bool, _option("--json", panel=RUN, help="One JSON line per page and one per chapter on stdout.")]
Report = Annotated[
    Path | None,
    _option("--report", metavar="FILE.html", panel=RUN, help="Write a page with before and after under a slider."),
]
Config = Annotated[
    Path | None,
    _option("--config", metavar="FILE", panel=RUN, help="Default: mangapaint.toml here, else the user's."),
]
Quiet = Annotated[bool, _option("--quiet", "-q", panel=RUN, help="Only errors.")]
Verbose = Annotated[bool, _option("--verbose", "-v", panel=RUN, help="Every page, and tracebacks.")]

Device = Annotated[
    str | None, _option("--device", metavar="auto|cpu|cuda|mps|xpu", panel=DEVICE, help="Default: auto, the fastest.")
]
Precision = Annotated[
    str | None,
    _option(
        "--precision", metavar="auto|fp32|bf16|fp16", panel=DEVICE, help="Default: auto, what the device has itself."
    ),
]
Batch = Annotated[
    str | None,
    _option("--batch", metavar="auto|N", panel=DEVICE, help="Pages per call. Default: auto, by memory; 1 on a CPU."),
]
Tile = Annotated[
    str | None,
    _option("--tile", metavar="auto|PX", panel=DEVICE, help="Side of the upscaler's tiles. Default: auto, by memory."),
]
Offline = Annotated[
    bool | None,
    _option("--offline/--online", panel=DEVICE, help="Never fetch weights. Default: --online."),
]

NameEncoding = Annotated[
    str | None,
    _option(
        "--name-encoding", metavar="CODEC", panel=INPUT, help="Of old zip entry names (cp932, ...). Default: guess."
    ),
]
ColorThreshold = Annotated[
    str | None,
    _option(
        "--color-threshold",
        metavar="X",
        panel=INPUT,
        help="Measured colourfulness above which a page counts as coloured. Default: 4.",
    ),
]
Direction = Annotated[
    str | None,
    _option("--direction", metavar="auto|rtl|ltr", panel=INPUT, help="Of reading. Default: ComicInfo.xml, else rtl."),
]
TolerateTruncated = Annotated[
    bool | None,
    _option(
        "--tolerate-truncated/--no-tolerate-truncated",
        panel=INPUT,
        help="Paint pages whose file ends early instead of keeping them.",
    ),
]

LimitMegapixels = Annotated[str | None, _option("--limit-megapixels", metavar="MP", panel=LIMITS, help="250.")]
LimitSide = Annotated[str | None, _option("--limit-side", metavar="PX", panel=LIMITS, help="100000.")]
LimitEntry = Annotated[str | None, _option("--limit-entry", metavar="MIB", panel=LIMITS, help="One file: 512.")]
LimitArchive = Annotated[str | None, _option("--limit-archive", metavar="MIB", panel=LIMITS, help="All: 8192.")]
LimitEntries = Annotated[str | None, _option("--limit-entries", metavar="N", panel=LIMITS, help="20000.")]
LimitPdfPages = Annotated[str | None, _option("--limit-pdf-pages", metavar="N", panel=LIMITS, help="2000.")]
PdfMegapixels = Annotated[
    str | None,
    _option("--pdf-megapixels", metavar="MP", panel=LIMITS, help="A drawn PDF page is rendered no larger: 50."),
]


def settings_from(context: typer.Context, *, paint: bool = True, **defaults: Any) -> Settings:
    """The settings of a command out of its own parameters, the environment and the file.

    Also sets how loud the screen is.

    Raises:
        UsageError: a name or value is wrong.
    """
    parameters = {name.replace("_", "-"): value for name, value in context.params.items()}
    state: State = context.obj
    state.set_level(quiet=parameters.get("quiet"), verbose=parameters.get("verbose"))
    flags = {name: value or None if isinstance(value, list | tuple) else value for name, value in parameters.items()}
    flags = {name: value for name, value in flags.items() if name in OPTIONS}
    return config.load(flags, file=parameters.get("config"), paint=paint, defaults=defaults)
