"""Which palette a chapter gets: references, else a coloured cover, else one of the bank."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mangapaint import pixels
from mangapaint.errors import UsageError
from mangapaint.page import PageImage, Verdict
from mangapaint.paint.palette import enriched, mixed, palette_of
from mangapaint.settings import Limits, PaintSettings

COVERS = 2
"""Pages at the start and at the end of a chapter among which a coloured cover is looked for."""


class Glance(Protocol):
    """A page that can be looked at before painting starts."""

    def verdict(self) -> Verdict | None: ...

    def image(self) -> PageImage: ...


def chapter_palette(paint: PaintSettings, bank: Tensor, pages: Sequence[Glance], limits: Limits) -> Tensor:
    """(1, 216) palette of a chapter; `bank` is (K, 216).

    Raises:
        UsageError: a reference cannot be read.
    """
    references = []
    for path in paint.references:
        try:
            data = path.read_bytes()
        except OSError as error:
            raise UsageError(f"the reference {path} cannot be read: {error.strerror}") from error
        references.append(palette_of(small(pixels.decode(data, limits).pixels)))
    if references:
        return mixed(torch.cat(references), torch.ones(len(references)))
    for page in dict.fromkeys((*pages[:COVERS], *pages[-COVERS:])):
        if page.verdict() is Verdict.COLOUR:
            return enriched(palette_of(small(page.image().pixels)), bank, paint.seed)
    return bank[paint.seed % len(bank)][None]


def small(picture: NDArray[np.uint8]) -> Tensor:
    """(1, 3, h, w) in 0..1, longest side 512 px: enough for a histogram."""
    scale = min(1.0, 512 / max(picture.shape[:2]))
    size = (max(2, round(picture.shape[1] * scale)), max(2, round(picture.shape[0] * scale)))
    reduced_picture = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
    return torch.from_numpy(reduced_picture).permute(2, 0, 1)[None].float() / 255
