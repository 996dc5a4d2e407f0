"""Exact low-resolution consistency: the luminance of a portrait, reduced, is that of the face it was drawn from."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

LUMA = (9798, 19235, 3735)
"""BT.601 weights of R, G, B in 1/32768, as OpenCV has them; their sum is 32768, so (v, v, v) has luma v."""
LUMA_SUM = sum(LUMA)
ROUNDS = 12
"""Of projection before the last, whole-numbered step."""


def square(gray: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The middle square of (H, W)."""
    height, width = gray.shape
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    return gray[top : top + side, left : left + side]


def reduced(gray: NDArray[np.uint8], low: int) -> NDArray[np.uint8]:
    """(H, W) of at least `low` px -> (low, low): the middle square by area."""
    return np.asarray(cv2.resize(square(gray), (low, low), interpolation=cv2.INTER_AREA), np.uint8)


def luma(picture: NDArray[np.uint8]) -> NDArray[np.int64]:
    """(..., 3) sRGB -> (...) BT.601 luma in 0..255, rounded as OpenCV does."""
    return np.asarray((picture.astype(np.int64) @ np.array(LUMA) + LUMA_SUM // 2) // LUMA_SUM)


def low_luma(picture: NDArray[np.uint8], low: int) -> NDArray[np.float64]:
    """(S, S, 3), S a multiple of `low` -> (low, low) means of `luma` over blocks."""
    each = len(picture) // low
    return np.asarray(luma(picture).reshape(low, each, low, each).mean((1, 3)))


def consistent(picture: NDArray[np.floating], target: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The nearest pictures whose reduced luma is the target, found by projecting back and forth.

    First the missing luma is enlarged smoothly and added to all channels, which keeps hues; what clipping takes away
    is added again per block; whole numbers are settled at the end, a pixel at a time. Where a channel has no room
    left, the pixel loses colour.

    Args:
        picture: (S, S, 3) in 0..255, overshoot allowed.
        target: (low, low); S is a multiple of low.

    Returns:
        (S, S, 3) uint8 with `low_luma` exactly `target`.

    Raises:
        ValueError: S is no multiple of low.
    """
    side, low = len(picture), len(target)
    if side % low:
        raise ValueError(f"{side} px is no multiple of {low} px")
    each = side // low
    x = np.clip(np.asarray(picture, np.float64), 0, 255)
    weights = np.array(LUMA) / LUMA_SUM
    for step in range(ROUNDS):
        missing = target - (x @ weights).reshape(low, each, low, each).mean((1, 3))
        if step < ROUNDS // 2:
            spread = cv2.resize(missing, (side, side), interpolation=cv2.INTER_CUBIC)
        else:
            spread = missing.repeat(each, 0).repeat(each, 1)
        x = np.clip(x + spread[..., None], 0, 255)
    blocks = (
        np.rint(x).astype(np.int64).reshape(low, each, low, each, 3).transpose(0, 2, 1, 3, 4).reshape(-1, each**2, 3)
    )
    settle(blocks, target.astype(np.int64).ravel())
    return blocks.reshape(low, low, each, each, 3).transpose(0, 2, 1, 3, 4).reshape(side, side, 3).astype(np.uint8)


def settle(blocks: NDArray[np.int64], target: NDArray[np.int64]) -> None:
    """Bring the mean luma of each block to its target, in place; (B, P, 3) in 0..255 and (B,)."""
    weights, pixels = np.array(LUMA), blocks.shape[1]
    while True:
        gray = (blocks @ weights + LUMA_SUM // 2) // LUMA_SUM
        missing = target * pixels - gray.sum(1)
        if not missing.any():
            return
        sign = np.sign(missing)
        room = np.where(sign[:, None] > 0, 255 - blocks.max(2), blocks.min(2))  # whole steps that keep the colour
        grayroom = np.where(sign[:, None] > 0, 255 - gray, gray)
        order = np.argsort(-(room * 256 + grayroom), axis=1, kind="stable")  # pixels with room go first
        rank = np.empty_like(order)
        np.put_along_axis(rank, order, np.arange(pixels)[None].repeat(len(order), 0), 1)
        moved = (rank < np.abs(missing)[:, None]) & (grayroom > 0)
        plain = moved & (room > 0)
        blocks += plain[..., None] * sign[:, None, None]
        faded = moved & (room == 0)  # a step of one level towards gray would change luma by no whole number
        blocks[faded] = (gray + sign[:, None])[faded][:, None]
