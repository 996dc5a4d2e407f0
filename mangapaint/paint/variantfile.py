"""What `mangapaint variants` writes down of its pictures, as far as a chapter can be coloured by it: FILE.json#7."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from mangapaint.errors import UsageError, printable
from mangapaint.options import place_of
from mangapaint.paint.palette import CELLS, FULL
from mangapaint.settings import PaintSettings, Settings

NAME = "variants.json"
"""Of the file in a folder of variants."""
_REMEDY = "give a file that 'mangapaint variants' wrote, and the number of a picture, such as variants.json#7"


@dataclass(frozen=True, slots=True)
class Variant:
    """One colouring.

    Attributes:
        model: name or path of the net that made it.
        seed: stands for the colouring, whichever others were made beside it.
        cells: of the palette that the net was given, with weights of three decimals; () for a net without a bank.
        latent: how many numbers of noise the net was given; 0 for none.
    """

    model: str
    seed: int
    cells: tuple[tuple[int, float], ...] = ()
    latent: int = 0

    @property
    def palette(self) -> Tensor:
        """(1, 216), see paint.palette; (1, 0) without cells."""
        if not self.cells:
            return torch.zeros(1, 0)
        palette = torch.zeros(1, CELLS)
        for cell, weight in self.cells:
            palette[0, cell] = weight
        full: Tensor = palette * (FULL / palette.norm().clamp_min(1e-6))
        return full

    @property
    def noise(self) -> Tensor | None:
        """(1, latent) standard normal numbers, the same for a seed; None without."""
        if not self.latent:
            return None
        return torch.randn(1, self.latent, generator=torch.Generator().manual_seed(self.seed))


def cells_of(palette: Tensor) -> tuple[tuple[int, float], ...]:
    """(1, 216) as a Variant keeps it; () of (1, 0)."""
    weights = [(cell, round(float(weight), 3)) for cell, weight in enumerate(palette.flatten())]
    return tuple(pair for pair in weights if pair[1] > 0)


def read(text: str) -> Variant:
    """The variant that "FILE.json#7" names.

    Raises:
        UsageError: the file cannot be read, is none of variants, or has no such number.
    """
    path, number = place_of(text)
    shown = printable(str(path))
    try:
        said = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"the variants {shown} cannot be read: {error.strerror}", remedy="check the path") from error
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{shown} is no JSON: {printable(str(error))}", remedy=_REMEDY) from error
    try:
        found = {int(each["number"]): each for each in said["variants"]}
        if number not in found:
            raise UsageError(f"{shown} has no variant {number}, but {_numbers(list(found))}", remedy=_REMEDY)
        return _variant(str(said["model"]), found[number])
    except (KeyError, TypeError, ValueError) as error:
        raise UsageError(f"{shown} does not describe variants", remedy=_REMEDY) from error


def followed(settings: Settings) -> Settings:
    """Settings whose colouring net is the one that made the variant they name; the same where they name none.

    Raises:
        UsageError: the variant cannot be read, is a portrait, or something else decides on colours as well.
    """
    paint = settings.paint
    if paint is None or paint.variant is None:
        return settings
    if paint.palette is not None:
        raise UsageError("--variant and --palette both say which colours to use", remedy="give one of them")
    found = read(paint.variant)
    if not found.cells and not found.latent:
        raise UsageError(f"a variant of {printable(found.model)} holds no colours for other pictures", remedy=_REMEDY)
    if paint.model not in {PaintSettings().model, found.model}:
        raise UsageError(
            f"--model {printable(paint.model)} did not make the variant, but {printable(found.model)}",
            remedy="leave --model out",
        )
    return replace(settings, paint=replace(paint, model=found.model))


def _variant(model: str, said: dict[str, Any]) -> Variant:
    cells = tuple((int(cell), float(weight)) for cell, weight in said.get("palette", ()))
    latent, seed = int(said.get("latent", 0)), int(said["seed"])
    if any(not 0 <= cell < CELLS or not 0 < weight <= FULL for cell, weight in cells):
        raise ValueError("no palette")
    if not 0 <= latent <= 4096 or not 0 <= seed < 2**63:
        raise ValueError("no seed")
    return Variant(model, seed, cells, latent)


def _numbers(found: Sequence[int]) -> str:
    return f"{min(found)} to {max(found)}" if found else "none"
