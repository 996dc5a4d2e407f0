"""Whether a gray page is a drawing in ink and tone, or the true luminance of coloured art."""

from __future__ import annotations

from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

DARK, LIGHT, WHITE = 40, 215, 248
TRUE_LUMINANCE = 0.48
"""Share of middle grays above which a page is no line drawing.

Measured on pages reduced to 1152 px: real manga .06-.44, comic pages in gray .52-.79.
"""
EVEN = 6.0
"""Standard deviation of 5 x 5 px, in levels, under which a place is evenly shaded: no line, no dots."""
SHADED, SHADES = 0.15, 3.0
"""Share of evenly shaded places that are neither ink nor paper, and how many of 32 shades the even places have
(perplexity): art with more of both is no line drawing, however bright it is.

Real manga .00-.13 and 1.0-3.2, illustrations and faces in gray .12-.74 and 5.5-25.
"""
LONG_SIDE = 1152


def mode_of(gray: NDArray[np.uint8]) -> Literal["ink", "gray"]:
    """Mode for a page.

    Args:
        gray: (H, W) uint8 luminance.

    Returns:
        "gray" when its luminance is worth keeping as it is, "ink" when the drawing is to be laid over paint.
    """
    scale = LONG_SIDE / max(gray.shape)
    if scale < 1:
        size = (max(1, round(gray.shape[1] * scale)), max(1, round(gray.shape[0] * scale)))
        gray = np.asarray(cv2.resize(gray, size, interpolation=cv2.INTER_AREA), np.uint8)
    if float(((gray > DARK) & (gray < LIGHT)).mean()) > TRUE_LUMINANCE:
        return "gray"
    share, shades = shading_of(gray)
    return "gray" if share > SHADED and shades > SHADES else "ink"


def shading_of(gray: NDArray[np.uint8]) -> tuple[float, float]:
    """Share of evenly shaded places between ink and paper, and the perplexity of the shades of all even places."""
    levels = gray.astype(np.float32)
    mean = cv2.blur(levels, (5, 5))
    even = cv2.blur(levels * levels, (5, 5)) - mean * mean < EVEN**2
    share = float((even & (gray > DARK) & (gray < WHITE)).mean())
    count = np.bincount(gray[even] // 8, minlength=32).astype(np.float64)
    part = count[count > 0] / max(1.0, count.sum())
    return share, float(np.exp(-(part * np.log(part)).sum()))
