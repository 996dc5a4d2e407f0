"""Coloured portraits of one low-resolution gray face, drawn anew by a generator of faces (`--model portrait`).

Unlike the colouring models this draws: a ResNet encoder places the face in the latent space of a StyleGAN, the place
is refined until the drawing agrees with the face, and the luminance of the result, reduced to the resolution that was
kept of the face, equals it exactly. Hair, eyes and colours beyond that are the generator's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mangapaint.portrait.edits import NAMES, Edit, parsed

if TYPE_CHECKING:
    from mangapaint.portrait.painter import Portrait, Result

__all__ = ["NAMES", "Edit", "Portrait", "Result", "parsed"]


def __getattr__(name: str) -> Any:
    """Portrait and Result, which need torch, when they are first asked for."""
    if name in ("Portrait", "Result"):
        from mangapaint.portrait import painter

        return getattr(painter, name)
    raise AttributeError(name)
