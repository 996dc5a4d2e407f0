"""The terms of the painter's loss: paint under known ink, ab under known luminance, votes, agreement, variety."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from mangapaint.models.lab import rgb_to_lab
from mangapaint.models.painter_net import TEMPERATURE
from mangapaint.paint.palette import CELLS, corners

VOTE = 0.5
"""Weight of the cross-entropy of the votes."""
LOSER = 0.1
"""Weight of the worse of two colourings by different noise: the better one learns, so that each noise keeps a way."""
FAR = 0.12
"""Distance of two colourings in sRGB, 0..1, beyond which mode seeking asks no more."""


def cells_of(paint: Tensor, stride: int) -> Tensor:
    """(N, 3, H, W) sRGB in 0..1 -> (N, 216, H / stride, W / stride): each place spread over the cells around it."""
    small = F.avg_pool2d(paint, stride)
    shares = torch.zeros(len(small), CELLS, *small.shape[-2:], device=paint.device)
    for index, share in corners(small):
        shares.scatter_add_(1, index[:, None], share[:, None])
    return shares


def painter_losses(output: Tensor, picture: Tensor, is_gray: Tensor, paper: Tensor, ink: Tensor) -> dict[str, Tensor]:
    """The terms of stage A; the whole loss is their sum.

    Args:
        output: (N, 5, H/2, W/2) of the net.
        picture: (N, 3, H, W) truth in 0..1.
        is_gray: (N,) samples whose input is true luminance; only they are judged by ab.
        paper: (N, 1, H, W) gutters and bubbles, which composition forces to white; they weigh little.
        ink: (N, 1, H, W) what the picture's own lines let through, 0..1.

    Returns:
        fine, coarse: L1 of paint times the picture's own ink, at stride 2 and 16. chroma: L1 of the channels' distances
        from their mean. ab: L1 of ab / 110. Pixels weigh more the more colour the truth has: against sepia.
    """
    truth = F.avg_pool2d(picture, 2)
    painted = output[:, :3] * F.avg_pool2d(ink, 2)
    spread = truth.amax(1, keepdim=True) - truth.amin(1, keepdim=True)
    weight = (0.6 + 2 * spread) * (1 - 0.7 * F.avg_pool2d(paper.float(), 2))
    weight = weight / weight.mean()
    error = (painted - truth).abs().mean(1, keepdim=True)
    distance = (painted - painted.mean(1, keepdim=True)) - (truth - truth.mean(1, keepdim=True))
    coarse = (F.avg_pool2d(painted * weight, 8) - F.avg_pool2d(truth * weight, 8)).abs().mean()
    lab = rgb_to_lab(truth)[:, 1:] / 110
    judged = is_gray.view(-1, 1, 1, 1) * weight
    ab = ((output[:, 3:] - lab).abs() * judged).mean() * 4
    return {
        "fine": (error * weight).mean(),
        "coarse": coarse,
        "chroma": 2 * (distance.abs() * weight).mean(),
        "ab": ab,
    }


def vote_loss(votes: Tensor, cells: Tensor, truth: Tensor, paper: Tensor, trust: Tensor | None = None) -> Tensor:
    """Cross-entropy of the votes against the truth's colour, spread over the cells around it (Zhang et al. 2016).

    Args:
        votes: (N, K, H / 4, W / 4) logits for the palette's heaviest cells.
        cells: (N, K) which cells those are.
        truth: (N, 216, H / 4, W / 4) shares of all cells, the picture's ink divided out.
        paper: (N, 1, H, W) weighs little.
        trust: (N,) weights of the samples; None is 1 for all.

    Returns:
        Mean over places; colours that are rare in the picture weigh up to four times more (lambda .5).
    """
    entropy, weight = entropies(votes, cells, truth, paper)
    if trust is not None:
        weight = weight * trust.view(-1, 1, 1, 1)
    return VOTE * (entropy * weight).sum() / weight.sum().clamp_min(1)


def entropies(votes: Tensor, cells: Tensor, truth: Tensor, paper: Tensor) -> tuple[Tensor, Tensor]:
    """(N, 1, H / 4, W / 4) cross-entropy and the weight of each place; arguments as of `vote_loss`."""
    target = truth.gather(1, cells[:, :, None, None].expand(-1, -1, *truth.shape[-2:]))
    covered = target.sum(1, keepdim=True)
    target = target / covered.clamp_min(1e-4)
    common = target.mean((2, 3), keepdim=True)
    rare = (1 / (0.5 * common * target.shape[1] + 0.5)).clamp_max(4)
    weight = (target * rare).sum(1, keepdim=True) * (covered > 0.3) * (1 - 0.7 * F.avg_pool2d(paper.float(), 4))
    return -(target * F.log_softmax(votes, 1)).sum(1, keepdim=True), weight


def better(first: Tensor, second: Tensor, cells: Tensor, truth: Tensor, paper: Tensor) -> Tensor:
    """(N,) bool: the first votes are at least as near to the truth as the second; arguments as of `vote_loss`."""

    def mean(votes: Tensor) -> Tensor:
        entropy, weight = entropies(votes, cells, truth, paper)
        return (entropy * weight).sum((1, 2, 3)) / weight.sum((1, 2, 3)).clamp_min(1)

    with torch.no_grad():
        return mean(first) <= mean(second)


def voted_colour(votes: Tensor, cells: Tensor, temperature: float = TEMPERATURE) -> Tensor:
    """(N, 3, h, w) sRGB: annealed mean of the (N, K) cells by (N, K, h, w) logits; the votes learn through it."""
    colours = torch.stack([cells // 36, cells // 6 % 6, cells % 6], 2).float() / 5
    return torch.einsum("nkhw,nkc->nchw", torch.softmax(votes.float() / temperature, 1), colours)


def sameness(first: Tensor, second: Tensor, cells: Tensor) -> Tensor:
    """How much of `FAR` two colourings of one drawing lack, 0..1 (mode seeking: Mao et al. 2019).

    Args:
        first: (N, K, h, w) votes by some noise.
        second: the same by other noise.
        cells: (N, K) that they are for.

    Returns:
        Mean over samples of 1 - distance / FAR, 0 from FAR on, of colours pooled over 16 px.
    """
    one, other = (F.avg_pool2d(voted_colour(votes, cells, 1.0), 4) for votes in (first, second))
    distance = (one - other).abs().mean(1).flatten(1)
    return (1 - distance.mean(1) / FAR).clamp_min(0).mean()


def disagreement(votes: Tensor, cells: Tensor, twins: Tensor) -> Tensor:
    """Jensen-Shannon divergence, in nats, between the votes of two renderings of one drawing, mean over places.

    Votes are as sharp as at use: soft ones nearly agree whatever they will end as.

    Args:
        votes: (N, K, h, w) logits of a batch of pairs.
        cells: (N, K) that they are for; the two of a pair may have different ones.
        twins: (P,) indices of pairs that show the same drawing.
    """
    both = torch.stack([2 * twins, 2 * twins + 1], 1).flatten()
    share = torch.softmax(votes[both].float() / TEMPERATURE, 1)
    index = cells[both][:, :, None, None].expand_as(share)
    share = share.new_zeros(len(both), CELLS, *share.shape[2:]).scatter_add(1, index, share)
    one, other = share[0::2] + 1e-6, share[1::2] + 1e-6
    log_mean = ((one + other) / 2).log()
    return ((one * (one.log() - log_mean)).sum(1) + (other * (other.log() - log_mean)).sum(1)).mean() / 2
