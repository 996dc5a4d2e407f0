"""Aligned faces of a corpus, small and in memory, the strangest left out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from train.corpus import Corpus, Picture, resized

LIKENESS_SIDE = 16
"""Of the gray thumbnails by which faces are compared, px."""
LIKENESS_DEPTH = 32
"""Principal directions of them that count."""
FRAMES: Mapping[str, tuple[float, float, float]] = {"faces256": (0.72, 0.5, 0.455)}
"""Set -> side of the square that is cut out (share of the short side), its centre in x and y; others are cut centrally.

So the eyes lie at half height and the face is as large as in sets that are cut close.
"""


@dataclass(frozen=True, slots=True)
class Frame:
    """A square of a picture, as shares of its short side and of its width and height."""

    share: float = 1.0
    x: float = 0.5
    y: float = 0.5

    def cut(self, picture: Picture) -> Picture:
        """The square of (H, W, 3), moved inside where it would reach over the edge."""
        height, width = picture.shape[:2]
        side = max(1, round(min(height, width) * self.share))
        top, left = (
            min(max(0, round(centre * size - side / 2)), size - side)
            for centre, size in ((self.y, height), (self.x, width))
        )
        return picture[top : top + side, left : left + side]


def frame_of(name: str) -> Frame:
    """Where the face of a picture of that set lies."""
    return Frame(*FRAMES[name]) if name in FRAMES else Frame()


class FaceSet:
    """Faces drawn at random from memory.

    Args:
        corpus: folder.
        weights: how often each set is drawn, relative to its pictures.
        side: of the faces, px.
        keep: share of each set that is kept, 1 where none is named: the faces likeliest by the first set's
            (instance selection, DeVries et al. 2020), for a small generator wastes itself on pictures unlike others.

    Raises:
        ValueError: no whole corpus, it lacks a set, or a share in `keep` is not in 0..1.
    """

    def __init__(
        self, corpus: Path, weights: Mapping[str, float], side: int, keep: Mapping[str, float] | None = None
    ) -> None:
        keep = keep or {}
        if strangers := sorted(set(keep) - set(weights)):
            raise ValueError(f"[options]: keep names {strangers}; the sets are {sorted(weights)}")
        if not all(0 < share <= 1 for share in keep.values()):
            raise ValueError(f"[options]: shares in keep must be over 0 and at most 1, not {dict(keep)}")
        parts, shares = [], []
        likeness: Likeness | None = None
        for name, weight in weights.items():
            found, frame = Corpus(corpus, {name: 1.0}), frame_of(name)
            faces = np.stack([resized(frame.cut(found.picture(i)), side, side) for i in range(len(found))])
            share = keep.get(name, 1.0)
            if likeness is None:
                likeness = Likeness(faces)
            if share < 1:
                strange = likeness.strangeness(faces)
                faces = faces[np.sort(np.argsort(strange, kind="stable")[: max(1, round(len(faces) * share))])]
            parts.append(faces)
            shares.append(np.full(len(faces), weight))
        self.faces = torch.from_numpy(np.concatenate(parts)).permute(0, 3, 1, 2).contiguous()
        every = np.concatenate(shares)
        self.cumulative = np.cumsum(every / every.sum())

    def __len__(self) -> int:
        return len(self.faces)

    def draw(self, rng: np.random.Generator, count: int) -> Tensor:
        """(count, 3, side, side) uint8, each mirrored half the time."""
        places = np.searchsorted(self.cumulative, rng.random(count)).clip(max=len(self) - 1)
        faces = self.faces[torch.from_numpy(places)]
        mirrored = torch.from_numpy(rng.random(count) < 0.5)
        return torch.where(mirrored.view(-1, 1, 1, 1), faces.flip(3), faces)


class Likeness:
    """The Gaussian of the gray thumbnails of faces and their mirror images.

    Args:
        faces: (N, H, W, 3).
    """

    def __init__(self, faces: NDArray[np.uint8]) -> None:
        rows = thumbnails(faces)
        mirrored = rows.reshape(-1, LIKENESS_SIDE, LIKENESS_SIDE)[:, :, ::-1].reshape(rows.shape)
        rows = np.concatenate([rows, mirrored])
        self.mean = rows.mean(0)
        _, sizes, directions = np.linalg.svd(rows - self.mean, full_matrices=False)
        spread = np.square(sizes) / len(rows)
        self.directions = directions[:LIKENESS_DEPTH]
        self.spread = spread[:LIKENESS_DEPTH] + 1e-9
        self.rest = 8 * (float(spread[LIKENESS_DEPTH:].sum()) / max(1, len(spread) - LIKENESS_DEPTH) + 1e-6)

    def strangeness(self, faces: NDArray[np.uint8]) -> NDArray[np.float64]:
        """(N,) squared distance from the mean in deviations; what the directions do not explain counts an eighth."""
        rows = thumbnails(faces) - self.mean
        within = rows @ self.directions.T
        outside = np.square(rows).sum(1) - np.square(within).sum(1)
        return np.asarray((np.square(within) / self.spread).sum(1) + outside / self.rest)


def thumbnails(faces: NDArray[np.uint8]) -> NDArray[np.float64]:
    """(N, H, W, 3) -> (N, 256) gray, each with mean 0 and about equal contrast: dark or light is all the same."""
    size = (LIKENESS_SIDE, LIKENESS_SIDE)
    small = [cv2.resize(cv2.cvtColor(face, cv2.COLOR_RGB2GRAY), size, interpolation=cv2.INTER_AREA) for face in faces]
    rows = np.stack(small).reshape(len(faces), -1).astype(np.float64)
    rows -= rows.mean(1, keepdims=True)
    return np.asarray(rows / (rows.std(1, keepdims=True) + 8))
