"""Which of many colourings are shown: the doubtful ones go, the most different ones stay."""

from __future__ import annotations

import torch
from torch import Tensor

SAME, LEAST = 0.6, 6.0
"""Distance at which two regions hardly look like one thing: of the mean one in the picture, and at least, in a*, b*."""
SKIN_MATTERS = 8.0
"""Weight of a face without skin against hair in two colours."""
SKIN_DIFFERS = 0.3
"""Weight of skin when colourings are compared: it must stay skin."""
CUT = 0.25
"""Share of the candidates that is left out."""
SKIN_HUE, SKIN_WIDTH = 0.85, 0.85
"""Radians in a*, b*."""
SKIN_CHROMA = (4.0, 48.0)


def doubts(colours: Tensor, area: Tensor) -> Tensor:
    """How far each candidate strays from what all candidates agree on.

    They are painted in different colours, but what is one thing in most of them (hair on both sides of a face) should
    be one in each, and what is skin in most of them should be skin in each.

    Args:
        colours: (K, R, 2) a*, b* of the regions.
        area: (R,) shares that sum to 1.

    Returns:
        (K,), 0 and more.
    """
    weight = area.sqrt() / area.sqrt().sum().clamp_min(1e-6)
    apart = torch.cdist(colours, colours)
    usual = torch.einsum("krq,r,q->k", apart, weight, weight)
    same = torch.exp(-(apart / (SAME * usual).clamp_min(LEAST)[:, None, None]).square() / 2)
    torn: Tensor = torch.einsum("krq,r,q->k", (1 - same) * _sure(same), weight, weight)
    found = skin(colours)
    lost: Tensor = torch.einsum("kr,r->k", (1 - found) * _sure(found), area)
    return torn + SKIN_MATTERS * lost


def skin(colours: Tensor) -> Tensor:
    """(..., 2) a*, b* -> (...): 1 where it could be lit skin, 0 where never."""
    chroma, hue = colours.norm(dim=-1), torch.atan2(colours[..., 1], colours[..., 0])
    turned: Tensor = torch.exp(-(((hue - SKIN_HUE) / SKIN_WIDTH) ** 6))
    within = (chroma > SKIN_CHROMA[0]) & (chroma < SKIN_CHROMA[1])
    return torch.where(within, turned, 0.0)


def far_apart(colours: Tensor, area: Tensor, count: int) -> list[int]:
    """`count` candidates, the least doubtful first, then always the one that is farthest from those chosen.

    Farthest point sampling (Gonzalez 1985). The most doubtful are left out, as far as enough remain.

    Args:
        colours: (K, R, 2) a*, b* of the regions.
        area: (R,) shares.
        count: at most K.

    Returns:
        Indices of candidates.
    """
    total = len(colours)
    order = doubts(colours, area).argsort(stable=True)
    kept = order[: max(count, total - int(CUT * total))]
    weight = area * (1 - (1 - SKIN_DIFFERS) * skin(colours).mean(0))
    distance = torch.stack([(colours - each).norm(dim=-1) @ weight for each in colours])
    chosen = [int(kept[0])]
    nearest = distance[chosen[0]].clone()
    while len(chosen) < count:
        nearest[chosen] = -1.0
        chosen.append(int(kept[nearest[kept].argmax()]))
        nearest = torch.minimum(nearest, distance[chosen[-1]])
    return chosen


def _sure(said: Tensor) -> Tensor:
    """(K, ...) shares in 0..1 -> (...): 1 where all candidates say so, 0 where half of them do or fewer."""
    return (2 * said.mean(0) - 1).clamp_min(0)
