"""A sheet of drawings that knows whose each pixel is, and so what is seen of each face."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from train.synth import panels
from train.synth.facestamps import Box, Gray, Stamp

UNKNOWN, PAPER = -2, -1
"""Owners of pixels besides the numbers of faces: pictures with unmarked faces, and everything else."""
SEEN = 0.3
"""Share of a face that must be visible; less of it counts neither way."""


@dataclass(frozen=True, eq=False)
class Piece:
    """What the detector trains on.

    Attributes:
        gray: (S, S) uint8.
        faces: (N, 4) float64: x, y, right, bottom in px, of what is seen of each face.
        ignore: (M, 4) likewise, of what counts neither way.
        unknown: (S, S) bool: from pictures whose faces are not marked.
    """

    gray: Gray
    faces: NDArray[np.float64]
    ignore: NDArray[np.float64]
    unknown: NDArray[np.bool_]


class Sheet:
    """A canvas that knows whose each pixel is, and so what is seen of each face.

    Args:
        side: px.
        other: a sheet to copy, whose faces go on being counted.
    """

    def __init__(self, side: int, other: Sheet | None = None) -> None:
        self.side = side
        self.gray: Gray = np.full((side, side), 255, np.uint8) if other is None else other.gray.copy()
        self.owner: NDArray[np.int16] = np.full((side, side), PAPER, np.int16) if other is None else other.owner.copy()
        self.areas: list[tuple[float, Box]] = [] if other is None else other.areas
        self.ignore: list[Box] = [] if other is None else other.ignore

    def own(self, box: Box) -> None:
        """A new face lies there, in front of all others."""
        number = len(self.areas)
        area = max(1.0, (box[2] - box[0]) * (box[3] - box[1]))
        self.areas.append((area * math.pi / 4, box))
        centre = ((box[0] + box[2]) / 2, (box[1] + box[3]) / 2)
        layer = np.zeros((self.side, self.side), np.uint8)
        cv2.ellipse(layer, (centre, (box[2] - box[0], box[3] - box[1]), 0.0), 1, -1)
        self.owner[layer > 0] = number

    def paste(self, stamp: Stamp, matrix: NDArray[np.float64], scale: float) -> None:
        """Draw a stamp through a (2, 3) affine map."""
        gray, mask = stamp.gray, stamp.mask
        if scale < 0.75:
            gray = np.asarray(cv2.GaussianBlur(gray, (0, 0), 0.4 / scale), np.uint8)
        height, width = gray.shape
        corners = np.array([[0, 0], [width, 0], [0, height], [width, height]]) @ matrix[:, :2].T + matrix[:, 2]
        x0, y0 = (max(0, int(v)) for v in np.floor(corners.min(0)))
        x1, y1 = (min(self.side, int(v) + 1) for v in np.ceil(corners.max(0)))
        if x1 <= x0 or y1 <= y0:
            return
        moved = matrix - np.array([[0, 0, x0], [0, 0, y0]])
        drawn = cv2.warpAffine(gray, moved, (x1 - x0, y1 - y0), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        cover = cv2.warpAffine(mask, moved, (x1 - x0, y1 - y0), flags=cv2.INTER_LINEAR) > 127
        place = np.s_[y0:y1, x0:x1]
        self.gray[place][cover] = drawn[cover]
        self.owner[place][cover] = PAPER
        if stamp.face is not None:
            self.own(transformed(stamp.face, matrix))

    def take(self, other: Sheet, inside: NDArray[np.bool_]) -> None:
        """Take over what another sheet shows there."""
        self.gray[inside] = other.gray[inside]
        self.owner[inside] = other.owner[inside]

    def over(self, layer: Gray, x: int, y: int) -> None:
        """Lay what is not 128 in a layer over the sheet; it hides faces."""
        x0, y0, x1, y1 = max(0, x), max(0, y), min(self.side, x + layer.shape[1]), min(self.side, y + layer.shape[0])
        if x1 <= x0 or y1 <= y0:
            return
        part = layer[y0 - y : y1 - y, x0 - x : x1 - x]
        there = np.abs(part.astype(np.int16) - 128) > 8
        self.gray[y0:y1, x0:x1][there] = part[there]
        self.owner[y0:y1, x0:x1][there] = PAPER

    def bubble(
        self, middle: NDArray[np.float64], size: NDArray[np.float64], unit: float, rng: np.random.Generator
    ) -> None:
        if not (-60 < middle[0] < self.side + 60 and -60 < middle[1] < self.side + 60):
            return
        w, h = (max(14, int(v)) for v in size)
        layer = np.full((int(1.5 * h) + 8, int(1.5 * w) + 8), 128, np.uint8)
        panels.bubble(
            layer, np.array([layer.shape[1] / 2, layer.shape[0] / 2]), np.array([w, h], np.float64), unit, rng
        )
        self.over(layer, int(middle[0]) - layer.shape[1] // 2, int(middle[1]) - layer.shape[0] // 2)

    def sound(self, at: NDArray[np.float64], letter: float, rng: np.random.Generator) -> None:
        """Large lettering without a bubble."""
        long = np.where(rng.random() < 0.5, [1.4, rng.uniform(2, 5)], [rng.uniform(2, 5), 1.4]) * letter
        layer = np.full((int(long[1]) + 4, int(long[0]) + 4), 128, np.uint8)
        panels.lettering(layer, (0, 0, layer.shape[1], layer.shape[0]), letter, int(rng.choice([0, 0, 255])), rng)
        self.over(layer, int(at[0]), int(at[1]))

    def mirror(self) -> None:
        self.gray, self.owner = np.ascontiguousarray(self.gray[:, ::-1]), np.ascontiguousarray(self.owner[:, ::-1])
        self.ignore = [(self.side - x1, y0, self.side - x0, y1) for x0, y0, x1, y1 in self.ignore]
        self.areas = [(area, (self.side - x1, y0, self.side - x0, y1)) for area, (x0, y0, x1, y1) in self.areas]

    def piece(self) -> Piece:
        """What is seen of each face now."""
        faces: list[Box] = []
        ignore = list(self.ignore)
        for number, (area, box) in enumerate(self.areas):
            x, y = max(0, int(box[0]) - 1), max(0, int(box[1]) - 1)
            mine = self.owner[y : int(box[3]) + 2, x : int(box[2]) + 2] == number
            count = int(mine.sum())
            if count < 30:
                continue
            columns, rows = np.flatnonzero(mine.any(0)), np.flatnonzero(mine.any(1))
            seen = (float(x + columns[0]), float(y + rows[0]), float(x + columns[-1] + 1), float(y + rows[-1] + 1))
            whole = count > SEEN * area and min(seen[2] - seen[0], seen[3] - seen[1]) >= 8
            (faces if whole else ignore).append(seen)
        return Piece(self.gray, boxes_of(faces), boxes_of(ignore), self.owner == UNKNOWN)


def boxes_of(found: Sequence[Box]) -> NDArray[np.float64]:
    """(N, 4)."""
    return np.array(found, np.float64).reshape(-1, 4)


def transformed(box: Box, matrix: NDArray[np.float64]) -> Box:
    """The box around the ellipse in a box, after a (2, 3) affine map."""
    x, y = matrix[:, :2] @ ((box[0] + box[2]) / 2, (box[1] + box[3]) / 2) + matrix[:, 2]
    half = np.hypot(matrix[:, 0] * (box[2] - box[0]) / 2, matrix[:, 1] * (box[3] - box[1]) / 2)
    return (float(x - half[0]), float(y - half[1]), float(x + half[0]), float(y + half[1]))
