"""Tells the paper of a page from the white of its drawing, with the paper net where measuring cannot know."""

from __future__ import annotations

from typing import cast

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from mangapaint.engine.runner import Engine
from mangapaint.layout import strips
from mangapaint.layout.leaks import leaks
from mangapaint.models import store
from mangapaint.models.paper_net import STRIDE, PaperNet
from mangapaint.models.registry import PAPER
from mangapaint.page import Region

ENLARGED = 1.4
"""Smaller pages are enlarged at most so much."""
OVERLAP = 0.3
"""Of the windows of a scroll strip, share of their height."""


class PaperFinder:
    """The paper net of one run; made by `load`.

    Args:
        engine: where the net runs.
        net: on the engine's device, see `mangapaint.models.paper_net.PaperNet`.
        sha256: of the weights.
    """

    def __init__(self, engine: Engine, net: PaperNet, sha256: str = "") -> None:
        self.engine = engine
        self.net = net
        self.sha256 = sha256

    @classmethod
    def load(cls, engine: Engine, *, offline: bool = False, model: str = PAPER) -> PaperFinder:
        """The shipped net, or another by name or path, on the engine's device.

        Raises:
            WeightsError: its weights are missing or altered, or of a net for something else.
        """
        net, spec = store.load(model, task="segment", offline=offline)
        return cls(engine, engine.prepare(cast(PaperNet, net)), spec.sha256)

    def leaks(self, gray: NDArray[np.uint8], margins: NDArray[np.bool_]) -> NDArray[np.float32]:
        """(H, W) in 0..1: how far each place of the measured margins and gutters is white of the drawing.

        Args:
            gray: (H, W) uint8 of any size, 255 is white.
            margins: (H, W) bool, without bubbles, as of `mangapaint.layout.paper.parts`.

        Raises:
            OutOfMemoryError: the page does not fit into memory.
        """
        found = margins.astype(np.float32)
        for window in self.windows(gray) if margins.any() else []:
            part = np.ascontiguousarray(gray[window.slices])
            seen = leaks(part, margins[window.slices], self.sure(part))
            found[window.slices] = np.minimum(found[window.slices], seen)
        return found

    def windows(self, gray: NDArray[np.uint8]) -> list[Region]:
        """The page, or overlapping parts of a scroll strip."""
        height, width = gray.shape
        if not strips.is_strip(height, width):
            return [Region(0, 0, width, height)]
        tall = round(1.4 * width)
        return strips.cut(gray, tall, round(OVERLAP * tall))

    def sure(self, gray: NDArray[np.uint8]) -> NDArray[np.float32]:
        """(h, w) in 0..1, how surely each place of a window is paper, in reduced size."""
        height, width = gray.shape
        scale = min(ENLARGED, self.net.long_side / max(height, width))
        size = (max(1, round(width * scale)), max(1, round(height * scale)))
        method = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
        small = cv2.resize(np.ascontiguousarray(gray), size, interpolation=method)
        page = torch.from_numpy(np.asarray(small, np.uint8))[None, None].float() / 255
        grid = self.net.multiple_of
        page = F.pad(page, (0, -size[0] % grid, 0, -size[1] % grid), value=1.0)
        logit = self.engine.run(PAPER, self.net, page)
        assert isinstance(logit, Tensor)
        sure = torch.sigmoid(logit.float())[0, 0, : -(-size[1] // STRIDE), : -(-size[0] // STRIDE)]
        return np.asarray(sure.cpu().numpy(), np.float32)
