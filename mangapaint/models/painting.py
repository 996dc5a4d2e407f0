"""What every colouring net has in common at use: one call from a reduced page to its paint."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple, Protocol

from torch import Tensor


class Memory(NamedTuple):
    """Coloured places to follow, as references have them.

    keys: (N or 1, M, D) unit vectors, alike where the same thing is drawn. values: (N or 1, M, 216) shares of the
    palette's cells. given: (N,) bool or None; False where a page has no memory.
    """

    keys: Tensor
    values: Tensor
    given: Tensor | None = None


class Kin(NamedTuple):
    """Regions of a chapter's pages, which vote together where they are alike.

    keys: (R, D) unit vectors. ballots: (R, 216) mean log shares of the palette's cells. skin: (R,) bool, the skin of
    faces; None where nobody looked for faces.
    """

    keys: Tensor
    ballots: Tensor
    skin: Tensor | None = None


@dataclass(frozen=True, slots=True)
class Guide:
    """What a net is told besides the page and the hints.

    Attributes:
        palette: (N, 216), see paint.palette; (N, 0) for nets without a bank of palettes, and for
            those that have one: colour by what is drawn alone.
        regions: (N, h / 2, w / 2) int64 line-enclosed regions from 0, or None.
        vividness: what the user asks for; nets that sharpen or soften a vote may use it, the gain on chroma is applied
            after the net in any case unless the net has `takes_vividness = True`.
        seed: of whatever the net chooses by chance.
        memory: coloured places to follow, for nets that can.
        kin: like regions of other pages to agree with, for nets that can.
        shaded: (N,) bool, pages that are true luminance and keep their own shades: nets that vote may do so more
            softly there; None: votes are as on none, and a*, b* are wanted all the same. Where no page of the batch
            is shaded, a net may leave its a*, b* at 0: nobody looks at them.
        seen: what a net that remembers found on these very pages when it was told the same palette and latent and no
            hints (painter_net.Seen), so that it need not look again.
        balance: 0..1, how far the colours of a page are brought to the shares that its palette has of them, for nets
            that can.
        latent: (N, net.latent_size) noise, for nets that have `latent_size`; None leaves it to the net, which
            draws it by `seed` or takes the likeliest.
    """

    palette: Tensor
    regions: Tensor | None = None
    vividness: float = 1.0
    seed: int = 0
    memory: Memory | None = None
    kin: Kin | None = None
    latent: Tensor | None = None
    shaded: Tensor | None = None
    seen: tuple[Tensor, Tensor] | None = None
    balance: float = 0.0


class PaintingNet(Protocol):
    """A net that colours pages; an nn.Module with these.

    May have as well: `bank`, a buffer (K, 216) of palettes that fit it; `vivid` and `lift`, floats that replace
    paint.look.VIVID and LIFT; `takes_vividness = True` when `paints` itself makes colours as vivid as asked for;
    `latent_size`, an int: how many numbers of noise make one colouring differ from the next;
    `follows_cues = True` when it was trained with cues over whole pages, so that such hints are left to it alone.

    Attributes:
        long_side: px; what the net sees is reduced to this longest side, never enlarged.
        multiple_of: px; height and width of its input are padded to multiples of this (an even number).
    """

    long_side: int
    multiple_of: int

    def paints(self, page: Tensor, hints: Tensor, guide: Guide) -> Tensor:
        """Colour a batch of pages.

        Args:
            page: (N, 1, h, w) luminance in 0..1, sides multiples of `multiple_of`.
            hints: (N, 4, h, w): sRGB in 0..1 times mask, and the mask (1 where an artist gave a colour); zeros: none.
            guide: see Guide.

        Returns:
            (N, 5, h / 2, w / 2) float32: paint as sRGB in 0..1, the colour layer that is multiplied under the ink in
            "ink" mode; then ab of CIE Lab / 110, which goes with the page's own L* in "gray" mode.
        """
        ...
