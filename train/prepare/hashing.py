"""The same picture again, at another size or quality: a perceptual hash for candidates, a tiny twin to be sure.

The hash is the sign pattern of low frequencies (DCT of 32x32 luminance, Zauner 2010). Of 13,718 drawings, 55 pairs lie
within 6 bits and 10 levels: looked at, 44 show one picture and 11 a variant of it (closed eyes, another backdrop, one
figure less). From 8 bits on most are different faces in the same pose. Other expressions or colours on the same
outline lie within 6 bits as well; their twins are further apart.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from train.corpus import Picture

NEAR = 6
"""Bits of 64 in which two hashes of one picture may differ."""
UNLIKE = 10.0
"""Mean difference of the twins above which the pictures are two, levels."""
TWIN = 16
"""Side of the tiny twin, px."""
_LENGTH = 64


def perceptual_hash(gray: NDArray[np.uint8]) -> int:
    """64 bits of an (H, W) picture: which of its 8x8 lowest frequencies lie above their median."""
    small = cv2.resize(gray, (32, 32), interpolation=cv2.INTER_AREA).astype(np.float32)
    low = cv2.dct(small)[:8, :8].ravel()
    return int.from_bytes(np.packbits(low > np.median(low[1:])).tobytes(), "big")


def twin_of(picture: Picture) -> Picture:
    """(16, 16, 3) uint8: the picture squeezed."""
    return np.asarray(cv2.resize(picture, (TWIN, TWIN), interpolation=cv2.INTER_AREA), np.uint8)


def alike(hashes: Sequence[int], twins: Sequence[Picture], areas: Sequence[int], near: int = NEAR) -> Mapping[int, int]:
    """Which pictures repeat another.

    Args:
        hashes: of `perceptual_hash`.
        twins: of `twin_of`.
        areas: px; of pictures that are alike the largest stays, the first of equal ones.
        near: see NEAR; at most 15.

    Returns:
        index of a picture -> index of the one that stays in its place. What stays is never alike another that stays.

    Hashes within `near` bits agree wholly in one of `near` + 1 bands of bits (pigeonhole), so only pictures that share
    a band are compared: for 14,000 pictures some 200 each.
    """
    values = np.array(hashes, np.uint64)
    colours = np.array(twins, np.int16).reshape(len(values), TWIN * TWIN * 3)
    edges = [round(_LENGTH * band / (near + 1)) for band in range(near + 2)]
    bands = [(low, (1 << (high - low)) - 1) for low, high in zip(edges, edges[1:], strict=False)]
    shelves: list[dict[int, list[int]]] = [{} for _ in bands]
    stays: dict[int, int] = {}
    for index in sorted(range(len(values)), key=lambda i: (-areas[i], i)):
        keys = [hashes[index] >> low & mask for low, mask in bands]
        same = [shelf[key] for shelf, key in zip(shelves, keys, strict=True) if key in shelf]
        if same:
            others = np.unique(np.concatenate(same))
            others = others[_bits(values[others] ^ values[index]) <= near]
            apart = np.abs(colours[others] - colours[index]).mean(1)
            if len(others) and apart.min() <= UNLIKE:
                stays[index] = int(others[apart.argmin()])
                continue
        for shelf, key in zip(shelves, keys, strict=True):
            shelf.setdefault(key, []).append(index)
    return stays


def _bits(values: NDArray[np.uint64]) -> NDArray[np.int64]:
    """How many bits are set in each of (N,) numbers."""
    return np.asarray(np.unpackbits(values.view(np.uint8).reshape(-1, 8), axis=1).sum(1), np.int64)
