"""Gray, sketch and colour cue of a picture as the published pix2pix colorizers were trained on them, at 256 px."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from mangapaint import atomic, pixels
from mangapaint.errors import OutputError
from train.corpus import BLACKEST, Item, Picture, resized

SIDE = 256
BLOCK, DARKER = 7, 4
"""Side of the Gaussian window, px, and levels under its mean from which on a pixel is ink (as models.pix2pix_net)."""
CUE_SIGMA = 20.0

Gray = NDArray[np.uint8]


def square_of(picture: Picture, side: int = SIDE) -> Picture:
    """(side, side, 3): the middle of the picture."""
    return resized(middle(picture), side, side)


def middle(picture: Picture) -> Picture:
    """The largest square in the middle, a view."""
    height, width = picture.shape[:2]
    short = min(height, width)
    y, x = (height - short) // 2, (width - short) // 2
    return picture[y : y + short, x : x + short]


def sketch_of(gray: Gray) -> Gray:
    """(H, W) luminance -> 0 where it is darker than its surroundings, 255 elsewhere."""
    kind = cv2.ADAPTIVE_THRESH_GAUSSIAN_C
    return np.asarray(cv2.adaptiveThreshold(gray, 255, kind, cv2.THRESH_BINARY, BLOCK, DARKER), np.uint8)


def cue_of(square: Picture) -> Picture:
    """(256, 256, 3) -> the same size: colours without form."""
    return np.asarray(cv2.GaussianBlur(square, (0, 0), CUE_SIGMA, borderType=cv2.BORDER_REPLICATE), np.uint8)


def black_share(gray: Gray) -> float:
    """Share of the sketch that is ink, 0..1: how crowded a drawing is."""
    return float(np.mean(sketch_of(gray) == 0))


def write(target: Path, pictures: Iterable[tuple[Item, Picture]]) -> int:
    """PNG files `target`/SPLIT/KIND/SET-NUMBER.png, KIND being colour, gray, sketch and cue; how many of each.

    Pictures whose sketch is crowded (`BLACKEST`) are left out. The folder appears when it is whole.

    Raises:
        OutputError: there is something at `target`, or it cannot be written.
    """
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise OutputError(f"{target} is not empty", remedy="name a new folder for the triplets")
    count = 0
    with atomic.output_errors(target, any_code=True):
        target.parent.mkdir(parents=True, exist_ok=True)
        atomic.sweep(target.parent, target.name)
        part = atomic.part_path(target)
        try:
            for number, (item, picture) in enumerate(pictures):
                if item.black > BLACKEST:
                    continue
                colour = square_of(picture)
                gray = np.asarray(cv2.cvtColor(colour, cv2.COLOR_RGB2GRAY), np.uint8)
                kinds = {"colour": colour, "gray": gray, "sketch": sketch_of(gray), "cue": cue_of(colour)}
                for kind, pixel in kinds.items():
                    path = part / item.split / kind / f"{item.set}-{number:06}.png"
                    path.parent.mkdir(parents=True, exist_ok=True)
                    path.write_bytes(pixels.encode(pixel, format="png"))
                count += 1
            if count:
                if target.exists():
                    target.rmdir()
                part.replace(target)
        finally:
            shutil.rmtree(part, ignore_errors=True)
    return count
