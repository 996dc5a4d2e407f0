"""From a gray face to portraits: the interface of this package."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mangapaint.engine.runner import Engine
from mangapaint.portrait.edits import Edit

_log = logging.getLogger("mangapaint.portrait")


@dataclass(frozen=True, slots=True)
class Result:
    """One portrait.

    Attributes:
        pixels: (side, side, 3) uint8 sRGB.
        record: JSON-able; {"seed", "edits", "low", "psnr"} and what else says how it came about. The same face, seed
            and edits give the same pixels.
    """

    pixels: NDArray[np.uint8]
    record: dict[str, Any]


class Portrait:
    """The two nets of the model, ready to draw.

    Attributes:
        side: of the results, px; an upscaler makes more of them.
    """

    side: int

    @classmethod
    def load(
        cls, engine: Engine, model: str = "portrait", *, offline: bool = False, tell: Callable[[str], None] = _log.info
    ) -> Portrait:
        """Load generator and encoder.

        Args:
            engine: the device.
            model: name or file of the generator's weights; the encoder's are beside them, NAME-encoder.
            offline: never open a socket.
            tell: gets lines for the user.

        Raises:
            UsageError: no such model.
            WeightsError: weights are missing, altered or do not fit together.
        """
        raise NotImplementedError

    def results(
        self,
        gray: NDArray[np.uint8],
        count: int,
        seed: int = 0,
        edits: Sequence[Edit] = (),
        *,
        low: int | None = None,
    ) -> list[Result]:
        """Draw portraits of one face, far apart from each other; the first is the likeliest.

        Args:
            gray: (H, W) uint8, a face with its hair from forehead to chin, eyes at half height; cut to a square in
                the middle. At least 8 px.
            count: 1 or more.
            seed: of all chance. Result i of (seed, count) has a seed of its own in its record, with which
                `results(gray, 1, that seed)` makes it again.
            edits: from `parsed`.
            low: px of the side at which the luminance of the results equals the face's exactly: 8, 16, 32 or `side`;
                None is 32.

        Raises:
            PageError: the face is smaller than 8 px.
            UsageError: count or low make no sense.
        """
        raise NotImplementedError
