"""How far the same thing keeps its colour over the pages of a chapter."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mangapaint.paint.sightings import Floats, Sightings

ALIKE = 0.8
"""Cosine of two descriptors of a net from which regions may show the same thing."""
ALIKE_GRAY = 0.7
"""The same of gray patches: finds faces and heads seen alike, and some that only are as light and dark."""
TONE = 0.12
"""Largest difference of their mean gray and of its deviation."""
SIZE = 4.0
"""Largest ratio of their areas."""
PAGES = 3
"""Pages on which a thing must be seen to count."""
SEEDS = 2000
"""Largest regions of a chapter around which like ones are looked for: bounds the time."""


@dataclass(frozen=True, slots=True)
class Consistency:
    """The score of a chapter.

    Attributes:
        spread: mean distance in ab (CIE Lab) of regions from the median of their like, weighted by the number of
            regions; 0 is perfect, under about 6 is hardly seen, above 15 things change their colour.
        groups: how many things were found on several pages.
        regions: how many regions belong to them.
        pages: pages that were measured.
    """

    spread: float
    groups: int
    regions: int
    pages: int


def consistency(pages: Sequence[Sightings]) -> Consistency | None:
    """Find regions that show the same thing and measure how their colours differ.

    Colour takes no part in finding them. From the largest region down, each that has no group yet gathers from every
    other page the one region that is most alike: cosine of `look` at least ALIKE (of gray patches ALIKE_GRAY), gray
    and texture within TONE, areas within a factor of SIZE. The choice must be mutual: on the page of the seed none
    may be more alike to the one chosen than the seed. Groups of at least PAGES pages count; a region is in one group
    at most. The order of `pages` does not matter.

    Returns:
        None when nothing was found often enough to be compared.
    """
    pages = sorted((page for page in pages if len(page.share)), key=lambda page: page.page)
    if len({page.page for page in pages}) < PAGES:
        return None
    number = np.concatenate([np.full(len(page.share), page.page) for page in pages])
    share, tone, look, lab = (
        np.concatenate([getattr(page, name) for page in pages]) for name in ("share", "tone", "look", "lab")
    )
    free = np.ones(len(share), bool)
    spreads: list[Floats] = []
    alike = ALIKE if pages[0].described else ALIKE_GRAY
    for seed in np.argsort(-share, kind="stable")[:SEEDS]:
        if not free[seed]:
            continue
        group = like(int(seed), number, share, tone, look, free, alike)
        if len(group) < PAGES:
            continue
        free[group] = False
        ab = lab[group, 1:]
        spreads.append(np.linalg.norm(ab - np.median(ab, 0), axis=1))
    if not spreads:
        return None
    every = np.concatenate(spreads)
    measured = len({page.page for page in pages})
    return Consistency(round(float(every.mean()), 3), len(spreads), len(every), measured)


def like(
    seed: int,
    number: NDArray[np.int64],
    share: Floats,
    tone: Floats,
    look: Floats,
    free: NDArray[np.bool_],
    alike: float,
) -> NDArray[np.int64]:
    """The seed and at most one region of each other page that shows the same thing: indices."""
    score = look @ look[seed]
    ratio = share / share[seed]
    fits = free & (score >= alike) & (np.abs(tone - tone[seed]).max(1) <= TONE)
    fits &= (ratio <= SIZE) & (ratio >= 1 / SIZE) & (number != number[seed])
    candidates = np.flatnonzero(fits)
    candidates = candidates[np.lexsort((candidates, -score[candidates]))]
    _, first = np.unique(number[candidates], return_index=True)
    best = candidates[first]
    rivals = np.flatnonzero(free & (number == number[seed]) & (np.arange(len(number)) != seed))
    if len(rivals) and len(best):
        best = best[(look[best] @ look[rivals].T).max(1) < score[best]]
    return np.concatenate([[seed], best]).astype(np.int64)
