"""The colours of a chapter as a file that a person can read and edit: palette.toml."""

from __future__ import annotations

import math
import re
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from mangapaint import __version__, atomic
from mangapaint.errors import UsageError, printable
from mangapaint.models.lab import lab_to_rgb, rgb_to_lab
from mangapaint.paint.palette import CELLS, SIDE, corners
from mangapaint.paint.sightings import Sightings

MAIN = 12
"""Colours that a file names."""
APART = 14.0
"""Distance in Lab under which two colours are one."""
ROUNDS = 12
"""Of k-means."""
LEAST = 1e-3
"""Weight of a cell under which it is left out of the file."""
SUFFIX = ".toml"

_HEX = re.compile(r"#[0-9a-fA-F]{6}")
_REMEDY = "correct the line, or have the file written anew with --save-palette"
_HUES = (
    (12, "pink"),
    (40, "red"),
    (75, "orange"),
    (112, "yellow"),
    (165, "green"),
    (225, "turquoise"),
    (295, "blue"),
    (330, "violet"),
    (361, "pink"),
)
"""Hue angle of CIE Lab, degrees, up to which a name goes."""
_HEAD = """# Colours of {chapter}, by mangapaint {version}.
# Change a hex and colour again with --palette {name}: what has the colour `was` then gets the new one.
# A colour taken out of the file stays as it is painted; share and name only tell what it is.
"""
_TAIL = """
# What the net was given, so that it paints the same again. Without this table the colours above are all it is given.
"""


@dataclass(frozen=True, slots=True)
class Colour:
    """One colour of a chapter.

    Attributes:
        hex: as it is to be, "#rrggbb".
        was: as the net paints it; None: a colour that somebody added.
        share: of the coloured area, 0..1.
        pages: on how many pages it was seen.
    """

    hex: str
    was: str | None
    share: float
    pages: int = 0


@dataclass(frozen=True, slots=True)
class PaletteFile:
    """Colours, heaviest first; `cells` is the palette (1, 216) that the net was given, None where none is known."""

    colours: tuple[Colour, ...]
    cells: Tensor | None = None

    @property
    def palette(self) -> Tensor:
        """(1, 216) for the net: `cells` with the added colours, or all colours where there are no cells."""
        added = [colour for colour in self.colours if self.cells is None or colour.was is None]
        weight = torch.zeros(1, CELLS) if self.cells is None else (self.cells / 4).square()
        for colour in added:
            rgb = torch.tensor(rgb_of(colour.hex)).view(1, 3, 1, 1)
            for index, share in corners(rgb):
                weight[0, int(index.item())] += float(share) * max(colour.share, LEAST)
        return (weight / weight.sum().clamp_min(1e-6)).sqrt() * 4

    def edits(self) -> Edits | None:
        """The changes that somebody made; None where there are none."""
        known = [colour for colour in self.colours if colour.was is not None]
        if all(colour.hex.lower() == (colour.was or "").lower() for colour in known):
            return None
        was, now = (
            rgb_to_lab(torch.tensor([rgb_of(text or "") for text in side]).T[None, :, :, None])[0, :, :, 0].T
            for side in zip(*((colour.was, colour.hex) for colour in known), strict=True)
        )
        return Edits(was, now - was)

    def continued(self, measured: Sequence[Colour]) -> tuple[Colour, ...]:
        """Its colours with their changes, and those measured colours that are none of them."""
        known = [colour for colour in self.colours if colour.was is not None]
        return (*known, *(new for new in measured if all(_distance(new.was, old.was) > APART for old in known)))


@dataclass(frozen=True, slots=True)
class Edits:
    """Changes of a chapter's colours: (K, 3) CIE Lab of its main colours, and how each is to be moved."""

    was: Tensor
    shift: Tensor

    def applied(self, lab: Tensor) -> Tensor:
        """(N, 3, h, w) CIE Lab with each place moved like the main colour that it is nearest to.

        Every place belongs to the main colours by a softmax over squared distances (deviation 7, the width of an
        edge's blend); far from all of them (over 40) nothing moves.
        """
        was, shift = self.was.to(lab.device), self.shift.to(lab.device)
        squared = torch.stack([(lab - colour.view(1, 3, 1, 1)).square().sum(1) for colour in was], 1)
        near = ((40 - squared.amin(1, keepdim=True).sqrt()) / 20).clamp(0, 1)
        belongs = torch.softmax(squared / (-2 * 7.0**2), 1) * near
        return lab + torch.einsum("nkhw,kc->nchw", belongs, shift)


def read(path: Path) -> PaletteFile:
    """Read a palette.toml.

    Raises:
        UsageError: it cannot be read, or a line of it is wrong.
    """
    shown = printable(str(path))
    if path.suffix.lower() != SUFFIX:
        raise UsageError(f"the palette {shown} is no {SUFFIX} file", remedy="give a file that --save-palette wrote")
    try:
        text = path.read_text(encoding="utf-8")
        said = tomllib.loads(text)
    except OSError as error:
        raise UsageError(f"the palette {shown} cannot be read: {error.strerror}", remedy="check the path") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"the palette {shown} is no TOML: {error}", remedy=_REMEDY) from error
    tables = said.get("colour", [])
    if not isinstance(tables, list) or not tables or not all(isinstance(table, dict) for table in tables):
        raise UsageError(f"the palette {shown} has no [[colour]]", remedy='add: [[colour]] hex = "#e8b898"')
    places = [number for number, line in enumerate(text.splitlines(), 1) if re.match(r"\s*\[\[\s*colour", line)]
    lines = places if len(places) == len(tables) else [1] * len(tables)
    colours = tuple(_colour(table, shown, line) for table, line in zip(tables, lines, strict=True))
    cells = said.get("net", {}).get("cells") if isinstance(said.get("net", {}), dict) else None
    return PaletteFile(colours, None if cells is None else _cells(cells, shown))


def write(path: Path, found: PaletteFile, *, chapter: str) -> None:
    """Write a palette.toml, whole or not at all.

    Raises:
        OutputError: the file cannot be written.
    """
    lines = [_HEAD.format(chapter=printable(chapter), version=__version__, name=path.name)]
    for colour in found.colours:
        seen = f", on {colour.pages} page{'s' if colour.pages != 1 else ''}" if colour.pages else ""
        lines.append(f'[[colour]]  # {name_of(colour.was or colour.hex)}{seen}\nhex = "{colour.hex}"')
        lines += [f'was = "{colour.was}"'] if colour.was else []
        lines.append(f'share = {colour.share:.3f}\nname = "{name_of(colour.hex)}"\n')
    if found.cells is not None and found.cells.numel():
        weights = [(cell, round(float(weight), 3)) for cell, weight in enumerate(found.cells[0]) if weight > LEAST]
        body = "".join(f"  [{cell}, {weight}],\n" for cell, weight in weights)
        lines.append(f"{_TAIL}[net]\ncells = [\n{body}]\n")
    atomic.write(path, "\n".join(lines).encode())


def main_colours(pages: Sequence[Sightings], most: int = MAIN) -> tuple[Colour, ...]:
    """The heaviest colours of regions, by k-means in Lab weighted by area; the order of pages does not matter."""
    pages = sorted((page for page in pages if len(page.share)), key=lambda page: page.page)
    if not pages:
        return ()
    lab = np.concatenate([page.lab for page in pages]).astype(np.float64)
    weight = np.concatenate([page.share for page in pages]).astype(np.float64)
    number = np.concatenate([np.full(len(page.share), page.page) for page in pages])
    centres = lab[[int(weight.argmax())]]
    while len(centres) < most:  # farthest point, weighted: heavy colours far from those that are there
        distance = np.linalg.norm(lab[:, None] - centres, axis=2).min(1)
        if not (distance > APART).any():
            break
        following = int((weight * np.where(distance > APART, distance**2, 0)).argmax())
        centres = np.concatenate([centres, lab[[following]]])
    for _ in range(ROUNDS):
        kind = np.linalg.norm(lab[:, None] - centres, axis=2).argmin(1)
        for index in range(len(centres)):
            mine = kind == index
            if mine.any():
                centres[index] = np.average(lab[mine], axis=0, weights=weight[mine])
    kind = np.linalg.norm(lab[:, None] - centres, axis=2).argmin(1)
    rgb = lab_to_rgb(torch.tensor(centres, dtype=torch.float32).T[None, :, :, None])[0, :, :, 0].T.numpy()
    shares = np.bincount(kind, weight, len(centres)) / weight.sum()
    order = [int(index) for index in np.argsort(-shares, kind="stable") if shares[index] > 0]
    texts = ["#" + "".join(f"{round(float(value) * 255):02x}" for value in colour) for colour in rgb]
    return tuple(
        Colour(texts[index], texts[index], float(shares[index]), len(set(number[kind == index].tolist())))
        for index in order
    )


def name_of(text: str) -> str:
    """An everyday name: "light orange", "dark gray"."""
    lightness, a, b = rgb_to_lab(torch.tensor(rgb_of(text)).view(1, 3, 1, 1)).flatten().tolist()
    chroma, hue = math.hypot(a, b), math.degrees(math.atan2(b, a)) % 360
    if chroma < 7:
        return "white" if lightness > 93 else "black" if lightness < 12 else f"{_depth(lightness)}gray"
    base = next(name for limit, name in _HUES if hue < limit)
    if base in {"orange", "red"} and lightness < 50 and chroma < 50:
        base = "brown"
    if base == "red" and lightness > 65:
        base = "pink"
    return f"{_depth(lightness)}{'grayish ' if chroma < 18 else ''}{base}"


def rgb_of(text: str) -> tuple[float, float, float]:
    """The colour of "#rrggbb", sRGB in 0..1."""
    return int(text[1:3], 16) / 255, int(text[3:5], 16) / 255, int(text[5:7], 16) / 255


def _depth(lightness: float) -> str:
    return "light " if lightness > 68 else "dark " if lightness < 38 else ""


def _distance(one: str | None, other: str | None) -> float:
    """In Lab; infinite where a colour is not given."""
    if one is None or other is None:
        return math.inf
    first, second = (rgb_to_lab(torch.tensor(rgb_of(text)).view(1, 3, 1, 1)) for text in (one, other))
    return float((first - second).norm())


def _colour(table: dict[str, Any], shown: str, line: int) -> Colour:
    def fail(what: str) -> UsageError:
        return UsageError(f"the palette {shown}, colour at line {line}: {what}", remedy=_REMEDY)

    if strangers := sorted(set(table) - {"hex", "was", "share", "name"}):
        raise fail(f"nothing is called '{printable(strangers[0])}'")
    for key in ("hex", "was"):
        value = table.get(key)
        if not (value is None and key == "was") and not (isinstance(value, str) and _HEX.fullmatch(value)):
            raise fail(f"{key} takes a colour such as \"#e8b898\", not '{printable(str(value))}'")
    share = table.get("share", 0.05)
    if not isinstance(share, int | float) or isinstance(share, bool) or not 0 <= share <= 1:
        raise fail(f"share takes a number from 0 to 1, not '{printable(str(share))}'")
    return Colour(table["hex"].lower(), table["was"].lower() if "was" in table else None, float(share))


def _cells(pairs: Any, shown: str) -> Tensor:
    cells = torch.zeros(1, CELLS)
    try:
        for cell, weight in pairs:
            if not 0 <= cell < CELLS or not 0 <= weight <= 4:
                raise ValueError
            cells[0, cell] = weight
    except (TypeError, ValueError, IndexError) as error:
        message = f"the palette {shown}: [net] cells is no list of [cell of {SIDE}x{SIDE}x{SIDE}, weight up to 4]"
        raise UsageError(message, remedy=_REMEDY) from error
    return cells
