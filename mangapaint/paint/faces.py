"""Finds the faces of a page with the detector's net."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mangapaint.engine.runner import Engine
from mangapaint.page import Face


class FaceFinder:
    """The detector of one run; made by `load`."""

    @classmethod
    def load(cls, engine: Engine, *, offline: bool = False) -> FaceFinder:
        """The shipped detector on the engine's device.

        Raises:
            WeightsError: its weights are missing or altered.
        """
        raise NotImplementedError

    def find(self, gray: NDArray[np.uint8]) -> list[Face]:
        """The faces of a page, tight from brows to chin and ear to ear, in px of the page.

        Args:
            gray: (H, W) uint8 of any size; reduced inside, scroll strips in windows.

        Returns:
            The largest first; [] where there is none.

        Raises:
            OutOfMemoryError: the page does not fit into memory.
        """
        raise NotImplementedError
