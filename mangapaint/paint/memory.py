"""What a chapter remembers of its colours: coloured places of references, regions of its pages; saved and continued."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor

from mangapaint import atomic
from mangapaint.errors import UsageError, printable
from mangapaint.models.election import settled
from mangapaint.models.painting import Kin, Memory
from mangapaint.paint.palette import CELLS, corners

PER_PICTURE = 1024
"""Places kept of one reference, evenly over it."""
PLACES = 4096
"""Places kept of all references."""
REGIONS = 256
"""Regions kept of one page, the largest."""
ALL_REGIONS = 4096
"""Regions kept of all chapters, the latest."""
SUFFIX = ".safetensors"
_FORMAT = {"format": "mangapaint memory"}


@dataclass(frozen=True, slots=True)
class ChapterMemory:
    """What coloured things looked like.

    Attributes:
        palette: (1, 216) that the chapter is coloured by, see paint.palette; (1, 0): by what is drawn alone.
        keys: (M, D) float32 unit vectors, the net's descriptors of places of references.
        colours: (M, 3) float32 sRGB in 0..1 of their paint, not of paper or ink.
        kin_keys: (R, D) float32 unit vectors, descriptors of regions of pages.
        ballots: (R, 216) float32 log shares of the palette's cells that they voted for.
        skin: (R,) bool, which of them are the skin of a face.
        balance: as of models.painting.Guide.
    """

    palette: Tensor
    keys: Tensor
    colours: Tensor
    kin_keys: Tensor
    ballots: Tensor
    skin: Tensor
    balance: float = 0.0

    def memory(self, device: torch.device) -> Memory | None:
        """The places as a net takes them, for any number of pages; None where there are none."""
        if not len(self.keys):
            return None
        values = torch.zeros(len(self.keys), CELLS)
        for index, share in corners(self.colours.T[None, :, :, None]):
            values.scatter_add_(1, index[0], share[0])
        return Memory(self.keys.to(device)[None], values.to(device)[None])

    def kin(self, device: torch.device) -> Kin | None:
        """The regions as a net takes them; None where there are none."""
        if not len(self.kin_keys):
            return None
        return Kin(self.kin_keys.to(device), self.ballots.to(device), self.skin.to(device))

    def with_places(self, keys: Tensor, colours: Tensor) -> ChapterMemory:
        """With the places of one more reference."""
        return replace(
            self, keys=torch.cat([self.keys, keys])[:PLACES], colours=torch.cat([self.colours, colours])[:PLACES]
        )

    def with_regions(self, kin: Kin) -> ChapterMemory:
        """With the regions of one more page."""
        skin = torch.zeros(len(kin.keys), dtype=torch.bool) if kin.skin is None else kin.skin.cpu()
        return replace(
            self,
            kin_keys=torch.cat([self.kin_keys, kin.keys.float().cpu()])[-ALL_REGIONS:],
            ballots=torch.cat([self.ballots, kin.ballots.float().cpu()])[-ALL_REGIONS:],
            skin=torch.cat([self.skin, skin])[-ALL_REGIONS:],
        )

    def settled(self, device: torch.device) -> ChapterMemory:
        """With regions that agree among themselves what to vote for, see models.election.settled."""
        kin = self.kin(device)
        return self if kin is None else replace(self, ballots=settled(kin).ballots.cpu())

    def save(self, path: Path) -> None:
        """Write it as safetensors, whole or not at all."""
        tensors = {
            "palette": self.palette,
            "keys": self.keys.to(torch.float16),
            "colours": self.colours,
            "kin_keys": self.kin_keys.to(torch.float16),
            "ballots": self.ballots.to(torch.float16),
            "skin": self.skin,
            "balance": torch.tensor([self.balance]),
        }
        atomic.write(path, save({name: tensor.contiguous() for name, tensor in tensors.items()}, _FORMAT))


def empty(palette: Tensor, width: int) -> ChapterMemory:
    """The memory of a chapter of which nothing was seen yet, for descriptors of that width."""
    nothing = torch.zeros(0, width)
    return ChapterMemory(
        palette, nothing, torch.zeros(0, 3), nothing, torch.zeros(0, CELLS), torch.zeros(0, dtype=torch.bool)
    )


def load(path: Path, width: int | None = None) -> ChapterMemory:
    """Read a memory for a net whose descriptors have that width; None takes any.

    Raises:
        UsageError: the file is missing, damaged, no memory, or another net's.
    """
    shown = printable(str(path))
    try:
        tensors = load_file(path)
        said = {name: tensors[name].float() for name in ("palette", "keys", "colours", "kin_keys", "ballots")}
        nobody = torch.zeros(len(said["kin_keys"]), dtype=torch.bool)  # of files from before faces were looked for
        balance = float(tensors.get("balance", torch.zeros(1)).sum())  # of files from before pages were balanced
        found = ChapterMemory(**said, skin=tensors.get("skin", nobody).bool(), balance=balance)
    except FileNotFoundError as error:
        raise UsageError(f"there is no palette {shown}", remedy="check the path") from error
    except (SafetensorError, OSError, KeyError) as error:
        raise UsageError(
            f"the palette {shown} holds no memory of colours: {error}", remedy="give a file that --save-palette wrote"
        ) from error
    places, regions = len(found.keys), len(found.kin_keys)
    fits = found.palette.shape in {(1, CELLS), (1, 0)} and found.colours.shape == (places, 3)
    fits = fits and found.ballots.shape == (regions, CELLS) and found.skin.shape == (regions,)
    if not fits or found.keys.shape[1:] != found.kin_keys.shape[1:]:
        raise UsageError(
            f"the palette {shown} holds no memory of colours: its tensors do not fit each other",
            remedy="give a file that --save-palette wrote",
        )
    if width is not None and found.keys.shape[1:] != (width,):
        raise UsageError(
            f"the palette {shown} was made with another model", remedy="colour the chapter before once more"
        )
    return found


def places_of(descriptors: Tensor, paint: Tensor) -> tuple[Tensor, Tensor]:
    """Coloured places of one reference.

    Args:
        descriptors: (D, h / 8, w / 8) unit vectors.
        paint: (3, h, w) sRGB in 0..1.

    Returns:
        (T, D) keys and (T, 3) colours on the CPU, float32, at most PER_PICTURE, in reading order.
    """
    height, width = descriptors.shape[1:]
    colours = F.adaptive_avg_pool2d(paint.float()[None], (height, width))[0].flatten(1).T
    keys = descriptors.float().flatten(1).T
    chosen = torch.arange(len(keys))
    if len(chosen) > PER_PICTURE:
        chosen = torch.linspace(0, len(keys) - 1, PER_PICTURE).long()
    return keys[chosen].cpu(), colours[chosen].cpu()
