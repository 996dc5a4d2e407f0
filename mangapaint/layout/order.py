"""Reading order of panels: a recursive XY-cut that tolerates slanted gutters and frames that overlap."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from mangapaint.page import Region

Direction = Literal["rtl", "ltr"]


def reading_order(regions: Sequence[Region], direction: Direction = "rtl") -> list[int]:
    """Indices of the regions in the order that they are read: rows from top to bottom, in a row by `direction`.

    A tall panel beside a stack of smaller ones makes one row with the stack.
    """
    return _ordered(list(range(len(regions))), regions, direction)


def _ordered(members: list[int], regions: Sequence[Region], direction: Direction) -> list[int]:
    if len(members) < 2:
        return members
    rows = _best_split(members, [(regions[i].y, regions[i].bottom) for i in members])
    columns = _best_split(members, [(regions[i].x, regions[i].right) for i in members])
    # Rows win unless they cut clearly deeper into the panels than columns do.
    if rows[0] <= columns[0] + 0.02:
        first, second = rows[1], rows[2]
    else:
        first, second = (columns[2], columns[1]) if direction == "rtl" else (columns[1], columns[2])
    return _ordered(first, regions, direction) + _ordered(second, regions, direction)


def _best_split(members: list[int], spans: list[tuple[int, int]]) -> tuple[float, list[int], list[int]]:
    """The cut of one axis that the panels overlap least: (worst overlap as a share of a panel, before, after)."""
    by_middle = sorted(range(len(members)), key=lambda i: (spans[i][0] + spans[i][1], members[i]))
    best: tuple[float, int] = (float("inf"), 1)
    for place in range(1, len(members)):
        before, after = by_middle[:place], by_middle[place:]
        best = min(best, (_overlap([spans[i] for i in before], [spans[i] for i in after]), place))
    cost, place = best
    return cost, [members[i] for i in by_middle[:place]], [members[i] for i in by_middle[place:]]


def _overlap(before: list[tuple[int, int]], after: list[tuple[int, int]]) -> float:
    worst = 0.0
    for low, high in before:
        for start, end in after:
            common = min(high, end) - max(low, start)
            worst = max(worst, common / max(1, min(high - low, end - start)))
    return worst
