"""Panels as crops and as JSON: what `mangapaint split` writes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from mangapaint.layout.order import Direction
from mangapaint.layout.panels import find_panels
from mangapaint.page import Panel


@dataclass(frozen=True, slots=True)
class PageCrops:
    """The panels of one page.

    Attributes:
        page: name of the page in its source.
        width: of the page, px.
        height: of the page, px.
        direction: reading direction that the order follows.
        panels: in reading order.
    """

    page: str
    width: int
    height: int
    direction: Direction
    panels: tuple[Panel, ...]

    def as_dict(self) -> dict[str, Any]:
        """JSON-able: page, size [w, h], direction, panels as [x, y, w, h] in reading order."""
        boxes = [[p.region.x, p.region.y, p.region.width, p.region.height] for p in self.panels]
        return {
            "page": self.page,
            "size": [self.width, self.height],
            "direction": self.direction,
            "panels": boxes,
            "order": [p.order for p in self.panels],
        }

    def cut(self, pixels: NDArray[np.uint8]) -> list[NDArray[np.uint8]]:
        """Copies of the panels' pixels in reading order; `pixels` is (H, W) or (H, W, 3), of the page's size."""
        if pixels.shape[:2] != (self.height, self.width):
            raise ValueError(f"pixels are {pixels.shape[1]}x{pixels.shape[0]}, the page {self.width}x{self.height}")
        return [pixels[panel.region.slices].copy() for panel in self.panels]


def split_page(page: str, pixels: NDArray[np.uint8], direction: Direction = "rtl") -> PageCrops:
    """Find the panels of a page.

    Args:
        page: name of the page in its source; goes into the JSON.
        pixels: (H, W, 3) uint8 sRGB or (H, W) uint8.
        direction: reading direction.
    """
    gray = pixels if pixels.ndim == 2 else np.asarray(cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY), np.uint8)
    return PageCrops(page, pixels.shape[1], pixels.shape[0], direction, tuple(find_panels(gray, direction)))
