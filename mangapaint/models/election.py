"""How votes become colours: places of a region vote together, regions agree with their kin, the mean is annealed.

The kin of a chapter agree among themselves first (`settled`), so that whichever of them a region is most like, it hears
the same.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from mangapaint.models.painting import Kin
from mangapaint.models.regional import keys_of

KINDRED = 30.0
"""Sharpness of the likeness (cosine) by which a region finds its kin on other pages."""
STRANGER = 0.5
"""Likeness under which a region has no kin."""
AGREEMENT = 0.95
"""Weight of the common vote of a region's kin against its own."""
EAGERNESS = 0.3
"""Power of the likeness by which that weight rises from that of a stranger: small, so that it does so at once."""
KINSHIP = 26.0
"""Sharpness of the likeness by which kin settle on one vote: at 15 a chapter falls to two hues, at 45 few agree."""
ROUNDS = 8
"""Rounds in which they do."""
SKIN_KINSHIP = 4.4
"""Sharpness of the likeness by which the skins of faces agree before: so small that nearly their mean decides."""
SKIN_WEIGHT = 1.5
"""Votes that the skin of a face has among its kin: it was told by its face, others only look alike. At 10 shirts turn
to skin."""
DECISION = 0.4
"""Temperature at which votes are as decided after settling as before."""
LEAST = -80.0
"""Logarithm under which a share is not computed: float32 ends at -87, and exp is slow from there on."""
STRIP = 8
"""Rows of votes that a CPU works on at a time: what is in its cache need not be fetched again for every step."""
SPARSE = 4
"""Every so many-th place, down and across, is asked for the shares of the colours on a page."""
APPROACH, APPROACHES = 0.7, 3
"""Share of the way to the palette's shares that each of so many steps goes."""
BIAS = 3.0
"""Most that a colour's votes are raised or lowered for its share, in logits."""
ROWS = 512
"""Regions that are compared with all others at once: bounds the memory."""


class Common(NamedTuple):
    """What regions vote for: ballots (R, K), regions (h, w) int64 labels 0..R - 1, weight against each place's vote."""

    ballots: Tensor
    regions: Tensor
    weight: float


def balanced(votes: Tensor, shares: Tensor, weight: float) -> Tensor:
    """Votes whose mean over each page is nearer to what its palette holds (label shift: Saerens et al. 2002).

    A favourite colour else takes many places at which others came close.

    Args:
        votes: (N, K, h, w) logits.
        shares: (N, K), any scale, of the colours in the palette.
        weight: 0..1 of the correction.
    """
    wanted = torch.log(shares / shares.sum(1, keepdim=True).clamp_min(1e-6) + 1e-3)
    sample, bias = votes[:, :, ::SPARSE, ::SPARSE].float(), torch.zeros_like(wanted)
    for _ in range(APPROACHES):
        mean = torch.softmax(sample + bias[:, :, None, None], 1).mean((2, 3))
        bias = bias + APPROACH * (wanted - torch.log(mean + 1e-3))
    return votes + weight * bias.clamp(-BIAS, BIAS)[:, :, None, None]


def shares_of(votes: Tensor) -> Tensor:
    """(N, K, h, w) logits -> (N, K, h, w) log shares, the colours of a place side by side in memory."""
    return F.log_softmax(votes.permute(0, 2, 3, 1), 3).permute(0, 3, 1, 2)


def ballots_of(shares: Tensor) -> Iterator[tuple[slice, Tensor]]:
    """(K, h, w) log shares at twice the size, strip by strip: which of the 2 h 2 w places, and their (P, K) ballots."""
    height, width = shares.shape[1:]
    step = STRIP if shares.is_cpu else height
    page = shares.permute(1, 2, 0)[None].permute(0, 3, 1, 2)  # with the strides of a picture that is channels last
    for top in range(0, height, step):
        bottom = min(height, top + step)
        above, below = max(0, top - 1), min(height, bottom + 1)
        large = F.interpolate(page[:, :, above:below], scale_factor=2, mode="bilinear", align_corners=False)
        rows = large[0, :, 2 * (top - above) : 2 * (bottom - above)].permute(1, 2, 0)
        yield slice(4 * top * width, 4 * bottom * width), rows.flatten(0, 1)


def agreed(mean: Tensor, cells: Tensor, descriptors: Tensor, regions: Tensor, kin: Kin) -> Tensor:
    """The votes of a page's regions, drawn to those of their kin on other pages.

    Args:
        mean: (R, K) mean vote of each label.
        cells: (K,) of the palette.
        descriptors: (D, h / 4, w / 4).
        regions: (h, w) int64 labels 0..R - 1.
        kin: regions to agree with.

    Returns:
        (R, K).
    """
    known, keys = keys_of(descriptors, regions)
    alike = keys @ kin.keys.T
    said = torch.softmax(alike * KINDRED, 1) @ kin.ballots.index_select(1, cells)
    near = ((alike.amax(1, keepdim=True) - STRANGER) / (1 - STRANGER)).clamp(0, 1)
    weight = AGREEMENT * near**EAGERNESS
    mean = mean.clone()
    mean[known] = torch.lerp(mean[known], said, weight)
    return mean


def settled(kin: Kin) -> Kin:
    """Kin that settled on what to vote for: like ones, on whatever pages, say nearly the same.

    Blurring mean shift (Cheng 1995) of descriptors and votes together: in each round every region becomes the mean of
    those like it, so that they gather around a few things. The skins of faces, which are known to be one thing, count
    for more, and agree before all others and once more after them. The mean of votes that differ is less decided than
    they were, and paint would turn gray: votes are sharpened until they are as decided on the whole as before.

    Args:
        kin: regions of a chapter.

    Returns:
        The same regions with their own keys and with other ballots.
    """
    if len(kin.keys) < 2:
        return kin
    keys, ballots = kin.keys.float(), kin.ballots.float()
    favour, ballots = favour_of(kin), skins_agreed(ballots, kin)
    for _ in range(ROUNDS):
        parts = []
        for start in range(0, len(keys), ROWS):
            share = torch.softmax(keys[start : start + ROWS] @ keys.T * KINSHIP + favour, 1)
            parts.append((share @ keys, share @ ballots))
        means, votes = (torch.cat(each) for each in zip(*parts, strict=True))
        keys, ballots = F.normalize(means, dim=1), votes
    return kin._replace(ballots=as_decided(skins_agreed(ballots, kin), kin.ballots.float()))


def favour_of(kin: Kin) -> Tensor:
    """(R,) logarithm of how many votes each region has among its kin."""
    if kin.skin is None:
        return kin.keys.new_zeros(len(kin.keys))
    return kin.skin.to(kin.keys.dtype) * math.log(SKIN_WEIGHT)


def skins_agreed(ballots: Tensor, kin: Kin) -> Tensor:
    """(R, K) ballots of which those of the skins of faces became nearly their mean."""
    if kin.skin is None or not bool(kin.skin.any()):
        return ballots
    faces = kin.keys[kin.skin].float()
    share = torch.softmax(faces @ faces.T * SKIN_KINSHIP, 1)
    return ballots.index_put((kin.skin,), share @ ballots[kin.skin])


def as_decided(ballots: Tensor, as_these: Tensor) -> Tensor:
    """(R, K) log shares sharpened until their mean entropy is no more than that of others, (R, K) too."""
    wanted, low, high = entropy(as_these), 1.0, 8.0
    for _ in range(8):
        middle = (low * high) ** 0.5
        low, high = (middle, high) if entropy(ballots * middle) > wanted else (low, middle)
    return F.log_softmax(ballots * low, 1)


def entropy(ballots: Tensor) -> float:
    """Mean over the rows of (R, K) log shares, as they count at DECISION; nats."""
    shares = F.log_softmax(ballots / DECISION, 1)
    return -float((shares.exp() * shares).sum(1).mean())


def elected(shares: Tensor, colours: Tensor, temperature: float, common: Common | None = None) -> Tensor:
    """Annealed mean (Zhang et al. 2016) of the colours that are voted for, at twice the size.

    Args:
        shares: (K, h, w) log shares.
        colours: (K, 3).
        temperature: under 1 the favourite counts for more.
        common: votes along, for regions of (2 h, 2 w).

    Returns:
        (2 h 2 w, 3).
    """
    height, width = shares.shape[1:]
    weights = torch.cat([colours.T, colours.new_ones(1, len(colours))])  # the last one counts
    result = shares.new_empty(4 * height * width, 4)
    own, label, said = 1 / temperature, None, None
    if common is not None:
        own, label = own * (1 - common.weight), common.regions.flatten()
        favourite = common.ballots.amax(1, keepdim=True)  # becomes 0, so that not all shares of a place underflow
        said = (common.ballots - favourite) * (common.weight / temperature)
    for places, ballots in ballots_of(shares):
        if said is None or label is None:
            ballots = ballots * own
        else:
            ballots = said.index_select(0, label[places]).add_(ballots, alpha=own)
        torch.mm(ballots.clamp_min_(LEAST).exp_(), weights.T, out=result[places])
    return result[:, :3] / result[:, 3:]


def by_region(shares: Tensor, regions: Tensor) -> Tensor:
    """(R, K) mean over each label of (2 h, 2 w) of the (K, h, w) log shares at twice the size."""
    label = regions.flatten()
    total = shares.new_zeros(int(label.max()) + 1, len(shares))
    for places, ballots in ballots_of(shares):
        total.index_add_(0, label[places], ballots)
    return total / torch.bincount(label).clamp_min(1)[:, None]
