"""Finds the faces of a page with the detector's net."""

from __future__ import annotations

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from mangapaint.engine.runner import Engine
from mangapaint.layout import strips
from mangapaint.layout.faces import apart, decoded, on_page
from mangapaint.models import store
from mangapaint.models.registry import FACES
from mangapaint.page import Face, Region

MODEL = FACES
"""Name of the shipped detector."""
LEAST = 0.47
"""Score from which on a place is a face."""
LONG_SIDE = 704
"""Longest side, px, of a page as the net sees it; its faces were 20 to 190 px in training."""
ENLARGED = 1.4
"""Smaller pages are enlarged at most so much: a tiny picture is more often all face than a page."""
OVERLAP = 300
"""Of the windows of a scroll strip, px of what the net sees: a face lies in one of them as a whole."""


class FaceFinder:
    """The detector of one run; made by `load`.

    Args:
        engine: where the net runs.
        net: on the engine's device, see `mangapaint.models.faces_net.FacesNet`.
        least: score under which a place is no face, 0..1.
        sha256: of the weights.
    """

    def __init__(self, engine: Engine, net: torch.nn.Module, least: float = LEAST, sha256: str = "") -> None:
        self.engine = engine
        self.net = net
        self.least = least
        self.sha256 = sha256

    @classmethod
    def load(cls, engine: Engine, *, offline: bool = False, model: str = MODEL, least: float = LEAST) -> FaceFinder:
        """The shipped detector, or another by name or path, on the engine's device.

        Raises:
            WeightsError: its weights are missing or altered, or of a net that finds no faces.
        """
        net, spec = store.load(model, task="detect", offline=offline)
        return cls(engine, engine.prepare(net), least, spec.sha256)

    def find(self, gray: NDArray[np.uint8]) -> list[Face]:
        """The faces of a page, tight from brows to chin and ear to ear, in px of the page.

        Args:
            gray: (H, W) uint8 of any size; reduced inside, scroll strips in windows.

        Returns:
            The largest first; [] where there is none.

        Raises:
            OutOfMemoryError: the page does not fit into memory.
        """
        height, width = gray.shape
        if min(height, width) < 1:
            return []
        found: list[Face] = []
        for window in self.windows(gray):
            for face in self.seen(gray[window.slices]):
                box = face.region
                moved = Region(box.x + window.x, box.y + window.y, box.width, box.height)
                found.append(Face(moved, face.score))
        return on_page(apart(found), height, width)

    def windows(self, gray: NDArray[np.uint8]) -> list[Region]:
        """The page, or overlapping parts of a scroll strip."""
        height, width = gray.shape
        if not strips.is_strip(height, width):
            return [Region(0, 0, width, height)]
        tall = round(1.4 * width)
        return strips.cut(gray, tall, round(OVERLAP * tall / LONG_SIDE))

    def seen(self, gray: NDArray[np.uint8]) -> list[Face]:
        """Faces of one window, px of the window."""
        height, width = gray.shape
        scale = min(ENLARGED, LONG_SIDE / max(height, width))
        size = (max(1, round(width * scale)), max(1, round(height * scale)))
        method = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
        small = cv2.resize(np.ascontiguousarray(gray), size, interpolation=method)
        page = torch.from_numpy(np.asarray(small, np.uint8))[None, None].float() / 255
        grid = int(getattr(self.net, "multiple_of", 32))
        page = F.pad(page, (0, -size[0] % grid, 0, -size[1] % grid), value=1.0)
        maps = self.engine.run(MODEL, self.net, page)
        assert isinstance(maps, Tensor)
        return decoded(maps[0].float().cpu().numpy(), self.least, scale)
