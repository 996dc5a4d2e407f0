"""Which palette a chapter gets: references, else a coloured cover, else one of the bank."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mangapaint import pixels
from mangapaint.errors import UsageError
from mangapaint.page import PageImage, Verdict
from mangapaint.paint.palette import HUES_ENOUGH, enriched, hue_count, mixed, palette_of
from mangapaint.settings import Limits, PaintSettings

COVERS = 2
"""Pages at the start and at the end of a chapter among which a coloured cover is looked for."""
REFERENCE_SHARE = 0.25
"""Of the references' own colours in the palette that is made of them and of what is typical."""
ANCHORS = 12
"""Pages of a chapter that its memory is made from."""


class Glance(Protocol):
    """A page that can be looked at before painting starts."""

    @property
    def sha(self) -> str: ...

    def verdict(self) -> Verdict | None: ...

    def image(self) -> PageImage: ...


@dataclass(frozen=True, slots=True)
class Choice:
    """A chapter's palette (1, 216), and the coloured pictures (H, W, 3) uint8 sRGB that it came from.

    shares: it says how much there is of each colour in such chapters, and not just which colours there are.
    """

    palette: Tensor
    pictures: tuple[NDArray[np.uint8], ...] = ()
    shares: bool = False


def choose(
    paint: PaintSettings,
    bank: Tensor,
    pages: Sequence[Glance],
    limits: Limits,
    suggest: Callable[[], Choice],
    typical: Callable[[Sequence[PageImage]], Tensor | None],
) -> Choice:
    """References, else a coloured cover, else what the drawings themselves suggest.

    A reference may lack colours that its chapter has, so those typical of its kind of art go with its own.

    Args:
        paint: the references and the seed.
        bank: (K, 216).
        pages: of the chapter.
        limits: for decoding references.
        suggest: chooses where nothing else decides.
        typical: gives the typical palette (1, 216) of the kind of art that coloured pages are, None where not known.

    Raises:
        UsageError: a reference cannot be read.
    """
    references = [reference(path, limits) for path in paint.references]
    if references:
        palettes = torch.cat([palette_of(small(picture)) for picture in references])
        own, usual = mixed(palettes, torch.ones(len(references))), typical([PageImage(each) for each in references])
        if usual is not None:
            own = mixed(torch.cat([own, usual]), torch.tensor([REFERENCE_SHARE, 1 - REFERENCE_SHARE]))
        return Choice(own, tuple(references), shares=True)
    for page in dict.fromkeys((*pages[:COVERS], *pages[-COVERS:])):
        if page.verdict() is Verdict.COLOUR:
            picture = page.image().pixels
            own = palette_of(small(picture))
            fits = float(hue_count(own)[0]) >= HUES_ENOUGH  # else whatever is recalled would have the cover's one tint
            return Choice(enriched(own, bank, paint.seed), (picture,) if fits else ())
    return suggest()


def reference(path: Path, limits: Limits) -> NDArray[np.uint8]:
    """(H, W, 3) uint8 sRGB of a reference.

    Raises:
        UsageError: it cannot be read.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise UsageError(f"the reference {path} cannot be read: {error.strerror}") from error
    return pixels.decode(data, limits).pixels


def anchors(pages: Sequence[Glance], count: int = ANCHORS) -> Iterator[PageImage]:
    """A few pages without colour, the same ones whatever order they come in: those whose bytes hash lowest."""
    found = 0
    for page in sorted(pages, key=lambda page: page.sha):
        if found < count and page.verdict() is Verdict.GRAY:
            found += 1
            yield page.image()


def small(picture: NDArray[np.uint8]) -> Tensor:
    """(1, 3, h, w) in 0..1, longest side 512 px: enough for a histogram."""
    scale = min(1.0, 512 / max(picture.shape[:2]))
    size = (max(2, round(picture.shape[1] * scale)), max(2, round(picture.shape[0] * scale)))
    reduced_picture = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
    return torch.from_numpy(reduced_picture).permute(2, 0, 1)[None].float() / 255
