"""Frozen settings, made once at the edge (command line, environment, file) and never mutated."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Literal

OutputFormat = Literal["keep", "png", "jpeg", "webp", "avif"]
Direction = Literal["auto", "rtl", "ltr"]
Order = Literal["color-first", "upscale-first"]
Mode = Literal["auto", "ink", "gray"]
Split = Literal["page", "panels", "faces"]

MIB = 2**20


@dataclass(frozen=True, slots=True)
class Limits:
    """What is refused before any work is done on it; each has a flag."""

    page_megapixels: float = 250.0
    side: int = 100_000
    """Longest side of a page, px."""
    entry_bytes: int = 512 * MIB
    archive_bytes: int = 8192 * MIB
    entries: int = 20_000
    pdf_pages: int = 2_000
    pdf_page_megapixels: float = 50.0
    """Ceiling of a rendered PDF page; the resolution is lowered to meet it."""


@dataclass(frozen=True, slots=True)
class InputSettings:
    limits: Limits = field(default_factory=Limits)
    name_encoding: str | None = None
    """Encoding of zip entry names without the UTF-8 flag; None guesses."""
    tolerate_truncated: bool = False
    """Paint pages whose file ends early instead of keeping them as they are."""
    color_threshold: float = 4.0
    """A page whose measured colourfulness (layout.gray) is above this counts as already coloured."""
    direction: Direction = "auto"
    """Reading direction; auto takes it from ComicInfo.xml, else right to left."""
    min_age: float = 0.0
    """Seconds since the last change under which a source is left for the next run."""


@dataclass(frozen=True, slots=True)
class PaintSettings:
    model: str = "painter"
    """Registry name, hf:owner/repo[@rev][:file], or a path to safetensors."""
    mode: Mode = "auto"
    """ink: manga, the drawing is multiplied over the paint; gray: the luminance is true and is kept."""
    references: tuple[Path, ...] = ()
    """Coloured pictures whose palette the chapter follows."""
    palette: Path | None = None
    """What --save-palette wrote: a palette.toml, which somebody may have edited, or a memory (.safetensors)."""
    variant: str | None = None
    """FILE.json#N: colours as of the Nth picture that `mangapaint variants` made."""
    split: Split = "page"
    """What one call of the net sees; panels, or heads, are seen larger, but each by itself."""
    paper: Literal["auto", "all"] = "auto"
    """auto: white of the drawing that margins run into is told from them by a net and painted; all: it stays white."""
    memory: bool = True
    """Look at the chapter's pages first, so that like things get like colours."""
    hints: Path | None = None
    """A picture with an artist's colours for a single page, or a folder of such pictures, named like the pages."""
    vividness: float = 1.0
    """Gain on the chroma of the paint; 1 is the model's own."""
    seed: int = 0
    """Chooses among the palettes of the bank when nothing else decides."""


@dataclass(frozen=True, slots=True)
class UpscaleSettings:
    scale: Literal[1, 2, 3, 4] = 1
    model: str = "fast"
    """fast, quality, a registry name, hf:owner/repo[@rev][:file], or a path; of others' nets also .pth."""
    order: Order = "color-first"
    """color-first: the page is coloured as it came, then enlarged; upscale-first: the enlarged page is coloured, so
    that the net sees more of a small one."""
    native: Literal["auto", "off"] = "auto"
    """auto: a page that was enlarged without a net before (layout.native) is first reduced to what it was."""
    int8: bool = False
    """Run the upscaler in 8-bit integers on a CPU, where that comes out alike on the first page."""


@dataclass(frozen=True, slots=True)
class OutputSettings:
    format: OutputFormat = "keep"
    quality: int = 90
    """For jpeg, webp and avif, 1-100."""
    max_side: int | None = None
    """Longest side of the result, px; larger results are reduced."""
    comicinfo: bool = True
    """Amend ComicInfo.xml (BlackAndWhite, page sizes, Notes)."""


@dataclass(frozen=True, slots=True)
class EngineSettings:
    device: str = "auto"
    precision: Literal["auto", "fp32", "bf16", "fp16"] = "auto"
    batch: int | None = None
    """Pages per network call; None chooses by free memory."""
    tile: int | None = None
    """Longest tile side of the upscaler, px of its input; None chooses by memory and cache."""
    offline: bool = False


@dataclass(frozen=True, slots=True)
class RunSettings:
    output: Path | None = None
    overwrite: bool = False
    on_error: Literal["keep", "fail"] = "keep"
    lock: Literal["skip", "wait", "fail"] = "fail"
    dry_run: bool = False
    save_palette: Path | None = None
    """Gets the chapter's colours; for runs of one chapter."""


@dataclass(frozen=True, slots=True)
class Settings:
    """All settings of one run."""

    input: InputSettings = field(default_factory=InputSettings)
    paint: PaintSettings | None = field(default_factory=PaintSettings)
    """None: upscale alone."""
    upscale: UpscaleSettings = field(default_factory=UpscaleSettings)
    output: OutputSettings = field(default_factory=OutputSettings)
    engine: EngineSettings = field(default_factory=EngineSettings)
    run: RunSettings = field(default_factory=RunSettings)

    def digest(self) -> str:
        """Hex digest of all settings that alter pixels or metadata of the result; feeds the journal."""
        picked = {
            "input": {k: v for k, v in asdict(self.input).items() if k not in {"limits", "min_age"}},
            "paint": asdict(self.paint) if self.paint else None,
            "upscale": asdict(self.upscale),
            "output": asdict(self.output),
            "precision": self.engine.precision,
        }
        return hashlib.sha256(json.dumps(picked, sort_keys=True, default=str).encode()).hexdigest()
