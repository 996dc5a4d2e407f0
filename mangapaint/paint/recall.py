"""Before a chapter is painted: which palette it gets, and what is remembered of references and of its own pages."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from typing import cast

import cv2
import numpy as np
import torch
from torch import Tensor

from mangapaint.engine.runner import Engine
from mangapaint.page import PageImage
from mangapaint.paint import choosing, memory, palettefile, variantfile
from mangapaint.paint.brush import Brush
from mangapaint.paint.choosing import Choice, Glance
from mangapaint.paint.drawing import levelled
from mangapaint.paint.firstlook import FirstLook, RememberingNet
from mangapaint.paint.mode import mode_of
from mangapaint.paint.palette import livened
from mangapaint.settings import Limits

BALANCE = 0.4
"""How far the colours of a page are brought to their shares in references and, under ink, in typical palettes.

In true gray shades tell colours apart, and the dull ones, which are the most in a typical palette, would win.
"""
KIND_PAGES = 4
"""Pages by which the kind of art is told."""


def recall(engine: Engine, brush: Brush, pages: Sequence[Glance], limits: Limits) -> bytes:
    """Choose the chapter's palette and, where the net can follow one, make its memory; both go to the brush.

    A palette file comes first, then references, then a cover in colour. Else drawings that look like a kind of coloured
    art get the typical palette of that kind, manga gets one of the bank, and a seed other than 0 one of the bank in
    any case. A net without typical palettes guesses the colours of true gray from what is drawn alone. The pages are
    looked at in an order of their own, so that theirs does not matter.

    Returns:
        Digest of the pages that the memory was made from; empty without one.

    Raises:
        UsageError: a palette or a reference cannot be used.
    """
    paint, bank = brush.settings, cast(Tensor, brush.net.bank).float().cpu()  # type: ignore[attr-defined]
    remembers = bool(getattr(brush.net, "remembers", False))
    width = int(getattr(brush.net, "descriptor_width", 0))
    brush.memory, brush.file = None, None
    saved: memory.ChapterMemory | None = None
    if paint.palette is not None and paint.palette.suffix.lower() == memory.SUFFIX:
        saved = memory.load(paint.palette, width)
    elif paint.palette is not None:
        brush.file = palettefile.read(paint.palette)
    brush.desk.clear()
    net = cast(RememberingNet, brush.net)
    look = FirstLook(engine, net, paint.mode, brush.latent, brush.paper, brush.finder, brush.desk)
    seen = list(choosing.anchors(pages)) if remembers else []

    def typical(shown: Sequence[PageImage], *, coloured: bool = True) -> Tensor | None:
        kind = kind_of(look, shown[:KIND_PAGES], coloured=coloured) if remembers and shown else None
        if kind is None:
            return None
        return livened(cast(Tensor, brush.net.typical).float().cpu()[kind : kind + 1])  # type: ignore[attr-defined]

    def suggested() -> Choice:
        if paint.seed == 0 and seen:
            gray = paint.mode == "gray" or paint.mode == "auto" and all(is_true_gray(page) for page in seen)
            usual = typical(seen, coloured=gray)
            if usual is not None:
                return Choice(usual, shares=not gray)
            if gray:
                return Choice(torch.zeros(1, 0))
        return Choice(bank[paint.seed % len(bank)][None])

    choice = choosing.choose(paint, bank, pages, limits, suggested, typical)
    brush.palette = choice.palette
    if saved is not None:
        brush.palette = saved.palette
    elif brush.file is not None:
        brush.palette = brush.file.palette
    elif paint.variant is not None:
        brush.palette = variantfile.read(paint.variant).palette
    if not remembers:
        return b""
    known = memory.empty(brush.palette, width) if saved is None else saved
    if choice.shares and brush.palette is choice.palette:
        known = replace(known, balance=BALANCE)
    for picture in choice.pictures:
        known = look.with_reference(known, picture)
    for page in seen if paint.memory else []:
        known = look.with_page(known, page)
    brush.memory = known.settled(engine.device.torch_device) if paint.memory else known
    return b"".join(hashlib.sha256(page.pixels.tobytes()).digest() for page in seen)


def kind_of(look: FirstLook, pages: Sequence[PageImage], *, coloured: bool) -> int | None:
    """The kind of coloured art that pages look like most, None for manga and for nets that know no kinds.

    Args:
        look: with the net.
        pages: at least one.
        coloured: they are not manga, so the likeliest kind is given in any case.
    """
    share = torch.stack([look.kinds(page) for page in pages]).mean(0)
    if len(share) < 2:
        return None
    kind = int((share[:-1] if coloured else share).argmax())
    return kind if kind < len(share) - 1 else None


def is_true_gray(page: PageImage) -> bool:
    """Whether a page is the luminance of coloured art and no drawing in ink."""
    gray = np.asarray(cv2.cvtColor(page.pixels, cv2.COLOR_RGB2GRAY), np.uint8)
    return mode_of(levelled(gray)) == "gray"
