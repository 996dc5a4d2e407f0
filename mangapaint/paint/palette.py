"""Palettes: which colours a chapter has and how much of each, the soft histogram that the painter is conditioned on."""

from __future__ import annotations

from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch import Tensor

from mangapaint.models.lab import rgb_to_lab

SIDE = 6
CELLS = SIDE**3
HUES_ENOUGH = 8.0
BEST = 4
"""First palettes of the bank, among which the one that is least like a cover is taken beside it."""
LIVELY = 1.3
"""Factor on the distance from gray of typical colours: the mean of many pictures is paler than any of them."""
OWN_SHARE = 0.25
"""Of a cover that has too few hues, in the palette that is made of it and one of the bank."""
FULL = 4.0
"""A palette of one cell holds this number."""
NEUTRAL = 0.15
"""Weight of paper and ink, whose share says how a page is laid out, not which colours it has."""


def palette_of(picture: Tensor) -> Tensor:
    """Soft 6x6x6 sRGB histogram, its square root, scaled to about unit size of the large cells.

    Args:
        picture: (N, 3, H, W) sRGB in 0..1.

    Returns:
        (N, 216) float32; cells in order red, green, blue (blue fastest). Zeros only where the picture is empty.
    """
    cells = F.avg_pool2d(picture.float(), 2).clamp(0, 1)
    brightest, darkest = cells.amax(1).flatten(1), cells.amin(1).flatten(1)
    weight = torch.where((darkest > 0.92) | (brightest < 0.12), NEUTRAL, 1.0)
    histogram = torch.zeros(len(picture), CELLS, device=picture.device)
    for index, share in corners(cells):
        histogram.scatter_add_(1, index.flatten(1), share.flatten(1) * weight)
    return (histogram / histogram.sum(1, keepdim=True).clamp_min(1e-6)).sqrt() * FULL


def mixed(palettes: Tensor, shares: Tensor) -> Tensor:
    """(N, 216) palettes and N shares -> (1, 216): the palette of their pictures side by side."""
    weight = shares.view(-1, 1) / shares.sum()
    return (palettes.square() * weight).sum(0, keepdim=True).sqrt()


def cell_colours() -> Tensor:
    """(3, 216) sRGB in 0..1 of the cells."""
    index = torch.arange(CELLS)
    return torch.stack([index // SIDE**2, index // SIDE % SIDE, index % SIDE]).float() / (SIDE - 1)


def livened(palette: Tensor) -> Tensor:
    """(N, 216) typical palettes with their colours moved away from gray of the same luminance (BT.601), see LIVELY."""
    colours = cell_colours()
    gray = (colours * colours.new_tensor([[0.299], [0.587], [0.114]])).sum(0)
    moved = (gray + LIVELY * (colours - gray)).clamp(0, 1)[None, :, :, None]
    share = torch.zeros_like(palette)
    for index, part in corners(moved):
        share.index_add_(1, index.flatten(), palette.square() * part.flatten())
    return (share / share.sum(1, keepdim=True).clamp_min(1e-6)).sqrt() * FULL


def hue_count(palette: Tensor) -> Tensor:
    """(N, 216) -> (N,): how many hues are in it, as the perplexity of a 12-bin hue histogram weighted by chroma."""
    lab = rgb_to_lab(cell_colours()[None, :, :, None])[0, :, :, 0]
    chroma = torch.hypot(lab[1], lab[2])
    bins = ((torch.atan2(lab[2], lab[1]) / (2 * torch.pi) + 0.5) * 12).long().clamp(0, 11)
    weight = palette.square() * chroma * (chroma > 8)
    share = torch.zeros(len(palette), 12).index_add_(1, bins, weight)
    share = share / share.sum(1, keepdim=True).clamp_min(1e-6)
    return torch.exp(-(share * share.clamp_min(1e-9).log()).sum(1))


def enriched(palette: Tensor, bank: Tensor, place: int) -> Tensor:
    """A palette of few hues with one of the bank added, so that a page is not painted in one tint.

    Args:
        palette: (1, 216), of a cover.
        bank: (K, 216).
        place: 0 takes, of the best of the bank, the one that is least like the cover, and so on; then the others.

    Returns:
        (1, 216); the same palette when it has hues enough.
    """
    if hue_count(palette)[0] >= HUES_ENOUGH:
        return palette
    alike = torch.cosine_similarity(palette, bank[:BEST])
    order = [*alike.argsort().tolist(), *range(len(alike), len(bank))]
    other = bank[order[place % len(order)]][None]
    return mixed(torch.cat([palette, other]), torch.tensor([OWN_SHARE, 1 - OWN_SHARE]))


def corners(colour: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
    """The eight cells around each colour: (N, H, W) int64 index and trilinear share; (N, 3, H, W) sRGB in 0..1."""
    scaled = colour * (SIDE - 1)
    low = scaled.floor().clamp(0, SIDE - 2)
    part = scaled - low
    for corner in range(8):
        share = torch.ones_like(colour[:, 0])
        index = torch.zeros_like(share)
        for channel in range(3):
            bit = corner >> channel & 1
            share = share * (part[:, channel] if bit else 1 - part[:, channel])
            index = index * SIDE + low[:, channel] + bit
        yield index.long(), share
