"""What a chapter remembers of its colours: tokens of coloured places, gathered over pages, saved and continued."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor

from mangapaint import atomic
from mangapaint.errors import UsageError, printable
from mangapaint.models.painting import Memory
from mangapaint.paint.palette import CELLS, SIDE, corners

PER_PAGE = 1024
"""Tokens taken from one page, evenly over it."""
KINDS = 1024
"""Tokens that a chapter keeps: means of like places."""
ROUNDS = 8
"""Of k-means."""
NEAR = 0.17
"""Distance in sRGB (0..1, largest channel) within which places agree with the colour that most of their kind have."""
SUFFIX = ".safetensors"


@dataclass(frozen=True, slots=True)
class ChapterMemory:
    """Coloured places, and the palette that they were coloured by.

    Attributes:
        keys: (M, D) float32 unit vectors, the net's descriptors.
        colours: (M, 3) float32 sRGB in 0..1 of the paint, not of paper or ink.
        palette: (1, 216), see paint.palette.
    """

    keys: Tensor
    colours: Tensor
    palette: Tensor

    def to_net(self, device: torch.device) -> Memory | None:
        """The memory as PaintingNet takes it, for any number of pages; None where it is empty."""
        if not len(self.keys):
            return None
        values = torch.zeros(len(self.keys), CELLS)
        for index, share in corners(self.colours.T[None, :, :, None]):
            values.scatter_add_(1, index[0], share[0])
        return Memory(self.keys.to(device)[None], values.to(device)[None])

    def joined(self, other: ChapterMemory) -> ChapterMemory:
        """This memory and another one; the palette is this one's."""
        return ChapterMemory(torch.cat([self.keys, other.keys]), torch.cat([self.colours, other.colours]), self.palette)

    def save(self, path: Path) -> None:
        """Write it as safetensors, whole or not at all."""
        tensors = {"colours": self.colours, "keys": self.keys.to(torch.float16), "palette": self.palette}
        atomic.write(path, save({k: v.contiguous() for k, v in tensors.items()}, {"format": "mangapaint memory"}))


def load(path: Path, width: int) -> ChapterMemory:
    """Read a memory for a net whose descriptors have that width.

    Raises:
        UsageError: the file is missing, damaged, no memory, or another net's.
    """
    try:
        tensors = load_file(path)
        keys, colours, palette = (tensors[name].float() for name in ("keys", "colours", "palette"))
    except FileNotFoundError as error:
        raise UsageError(f"there is no palette file {printable(str(path))}", remedy="check the path") from error
    except (SafetensorError, OSError, KeyError) as error:
        raise UsageError(
            f"{printable(str(path))} holds no memory of colours: {error}",
            remedy="give a file that --save-palette wrote",
        ) from error
    if keys.ndim != 2 or colours.shape != (len(keys), 3) or palette.shape != (1, CELLS):
        raise UsageError(f"{printable(str(path))} holds no memory of colours: its tensors do not fit each other")
    if len(keys) and keys.shape[1] != width:
        raise UsageError(
            f"{printable(str(path))} was made with another model", remedy="colour the chapter before once more"
        )
    return ChapterMemory(F.normalize(keys, dim=1), colours.clamp(0, 1), palette)


def tokens(descriptors: Tensor, paint: Tensor, blank: Tensor) -> tuple[Tensor, Tensor]:
    """Coloured places of one page.

    Args:
        descriptors: (D, h / 8, w / 8) unit vectors.
        paint: (3, h / 2, w / 2) sRGB in 0..1.
        blank: (h / 2, w / 2) bool, what stays paper.

    Returns:
        (T, D) keys and (T, 3) colours on the CPU, float32, at most PER_PAGE, in reading order.
    """
    height, width = descriptors.shape[1:]
    colours = F.adaptive_avg_pool2d(paint.float()[None], (height, width))[0].flatten(1).T
    paper = F.adaptive_avg_pool2d(blank.float()[None, None], (height, width)).flatten()
    keys = descriptors.float().flatten(1).T
    drawn = torch.nonzero(paper < 0.5).flatten()
    if len(drawn) > PER_PAGE:
        drawn = drawn[torch.linspace(0, len(drawn) - 1, PER_PAGE, device=drawn.device).long()]
    return keys[drawn].cpu(), colours[drawn].cpu()


def gathered(pages: Iterable[tuple[Tensor, Tensor]], palette: Tensor, kinds: int = KINDS) -> ChapterMemory:
    """One memory of the tokens of many pages: like places get the colour that most of them have.

    Args:
        pages: what `tokens` gave for each page; their order does not matter beyond rounding.
        palette: (1, 216) that they were painted by.
        kinds: tokens to keep.
    """
    found = list(pages)
    if not found:
        return ChapterMemory(torch.zeros(0, 1), torch.zeros(0, 3), palette)
    keys, colours = (torch.cat(parts) for parts in zip(*found, strict=True))
    order = torch.argsort((colours * torch.tensor([1.0, 3.7, 9.1])).sum(1) + keys[:, 0])  # not that of the pages
    keys, colours = keys[order], colours[order]
    if len(keys) <= kinds:
        return ChapterMemory(keys, colours, palette)
    centres = keys[torch.linspace(0, len(keys) - 1, kinds).long()]
    for _ in range(ROUNDS):
        kind = (keys @ centres.T).argmax(1)
        total = torch.zeros_like(centres).index_add_(0, kind, keys)
        centres = torch.where(total.abs().sum(1, keepdim=True) > 0, F.normalize(total, dim=1), centres)
    kind = (keys @ centres.T).argmax(1)
    used = torch.bincount(kind, minlength=kinds) > 0
    return ChapterMemory(centres[used], agreed(colours, kind, kinds)[used], palette)


def agreed(colours: Tensor, kind: Tensor, kinds: int) -> Tensor:
    """(kinds, 3): of each kind, the mean of the colours near the one that most have; no mixture of two camps.

    Args:
        colours: (T, 3) sRGB in 0..1.
        kind: (T,) int64.
        kinds: how many there are; those without colours get zeros.
    """
    counts = torch.zeros(kinds, CELLS)
    for index, share in corners(colours.T[None, :, :, None]):
        counts.index_put_((kind, index[0, :, 0]), share[0, :, 0], accumulate=True)
    cell = counts.argmax(1)
    peak = torch.stack([cell // SIDE**2, cell // SIDE % SIDE, cell % SIDE], 1).float() / (SIDE - 1)
    near = ((colours - peak[kind]).abs().amax(1) < NEAR).float()
    near = torch.where(torch.zeros(kinds).index_add_(0, kind, near)[kind] > 0, near, torch.ones(()))
    total = torch.zeros(kinds, 3).index_add_(0, kind, colours * near[:, None])
    return total / torch.zeros(kinds).index_add_(0, kind, near).clamp_min(1e-6)[:, None]
