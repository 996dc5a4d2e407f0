"""A prepared corpus: decoded pictures in one flat file, so that training reads no codec.

`prepare` (train.prepare) writes a folder with `pixels.bin` (all pictures as uint8 sRGB rows, one after the other) and
`manifest.json` (a list of `Item`s: set, name, size and offset, licence, title, split and measures of each). `Corpus`
maps it and draws pictures.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from train.prepare.titles import title_of

Picture = NDArray[np.uint8]
MANIFEST, PIXELS = "manifest.json", "pixels.bin"
WHITE_BACKGROUND = 0.6
"""Share of the border that is near-white from which on a background counts as white."""
BLACKEST = 0.4
"""Share of ink in the sketch above which pix2pix and its kin leave a picture out."""


@dataclass(frozen=True, slots=True)
class Item:
    """One picture of the corpus: where its rows lie in pixels.bin, where it came from, what was measured."""

    set: str
    name: str
    height: int
    width: int
    offset: int
    licence: str
    title: str = ""
    """The work it belongs to: story, episode, series, artist; else the picture stands alone (train.prepare.titles)."""
    split: str = "train"
    """train or val; a title is wholly on one side."""
    artist: str = ""
    source: str = ""
    """Where it was found, as a scrape's ledger says."""
    white_border: float = -1.0
    """Share of near-white pixels on the borders, 0..1; negative where it was not measured."""
    black: float = -1.0
    """Share of ink in the picture's sketch at 256 px, 0..1; negative where it was not measured."""

    @property
    def white_background(self) -> bool:
        return self.white_border >= WHITE_BACKGROUND


def pictures(source: Path) -> Iterator[tuple[str, Picture]]:
    """Name and (H, W, 3) uint8 sRGB of each readable picture of a zip, chapter or folder, in name order; over white."""
    from mangapaint import pixels
    from mangapaint.errors import MangapaintError, printable
    from train.prepare.sources import LIMITS, found

    for file in found(source):
        problem = file.error
        try:
            if not problem:
                yield file.name, pixels.decode(file.data, LIMITS).pixels
        except MangapaintError as error:
            problem = error.message
        if problem:
            print(f"{source.name}: {printable(file.name)}: left out, {problem}")


def prepare(sources: Sequence[Path], target: Path, *, keep_gray: Sequence[str] = ()) -> list[Item]:
    """Decode all sources into a corpus folder, everything on the training side (see train.prepare.build).

    Args:
        sources: zips, chapters or folders; the set is named by the file's stem, the licence class by its parent folder.
        target: the corpus folder; an older one is replaced.
        keep_gray: sets that may hold gray pictures (they are dropped elsewhere).

    Returns:
        The manifest. Duplicates are dropped.
    """
    from train.prepare import build
    from train.prepare.screening import Screen

    return build.build(sources, target, build.Options(Screen(keep_gray=tuple(keep_gray)))).items


def manifest(folder: Path) -> list[Item]:
    """The items of a corpus.

    Raises:
        ValueError: there is no whole corpus in the folder.
    """
    try:
        rows = json.loads((folder / MANIFEST).read_text())
        items = [Item(**row) for row in rows]
        there = (folder / PIXELS).stat().st_size
    except (FileNotFoundError, NotADirectoryError) as error:
        raise ValueError(f"{folder} holds no corpus; run `python -m train prepare`") from error
    except (ValueError, TypeError) as error:
        raise ValueError(f"{folder / MANIFEST} is damaged: {error}; run `python -m train prepare` again") from error
    if max((item.offset + item.height * item.width * 3 for item in items), default=0) > there:
        raise ValueError(f"{folder / PIXELS} is cut off; run `python -m train prepare` again")
    return [item if item.title else replace(item, title=title_of(item.set, item.name)) for item in items]


class Corpus:
    """Random access to a prepared corpus.

    Args:
        folder: written by `prepare`.
        weights: how often each set is drawn, relative to its number of pictures; sets that are not named are left out.
        split: the side to draw from; None takes both.
        white_background: only pictures whose border is near-white.
        most_black: only pictures whose sketch has no more ink than this share, such as BLACKEST; None takes all.

    Raises:
        ValueError: there is no whole corpus, it lacks a set, or nothing is left to draw.
    """

    def __init__(
        self,
        folder: Path,
        weights: dict[str, float],
        *,
        split: Literal["train", "val"] | None = "train",
        white_background: bool = False,
        most_black: float | None = None,
    ) -> None:
        items = [item for item in manifest(folder) if item.set in weights]
        if missing := sorted(set(weights) - {item.set for item in items}):
            raise ValueError(f"{folder} lacks the sets {missing}; run `python -m train prepare` with them")
        if (white_background and any(item.white_border < 0 for item in items)) or (
            most_black is not None and any(item.black < 0 for item in items)
        ):
            raise ValueError(f"{folder} was not measured for this; run `python -m train prepare` again")
        self.items = [
            item
            for item in items
            if (split is None or item.split == split)
            and (not white_background or item.white_background)
            and (most_black is None or item.black <= most_black)
        ]
        if not self.items:
            raise ValueError(f"{folder} has nothing to draw in {sorted(weights)}, split {split}")
        self.pixels = np.memmap(folder / PIXELS, np.uint8, "r")
        share = np.array([weights[item.set] for item in self.items])
        self.cumulative = np.cumsum(share / share.sum())

    def __len__(self) -> int:
        return len(self.items)

    def picture(self, index: int) -> Picture:
        """(H, W, 3) uint8 view of one picture."""
        return view(self.pixels, self.items[index])

    def draw(self, rng: np.random.Generator) -> tuple[Item, Picture]:
        """A random picture by the sets' weights."""
        index = min(int(np.searchsorted(self.cumulative, rng.random())), len(self.items) - 1)
        return self.items[index], self.picture(index)


def view(rows: NDArray[np.uint8], item: Item) -> Picture:
    """(H, W, 3) view of one picture in the flat rows of a corpus."""
    return rows[item.offset : item.offset + item.height * item.width * 3].reshape(item.height, item.width, 3)


def resized(picture: Picture, height: int, width: int) -> Picture:
    """The picture at that size: area where it shrinks, cubic where it grows."""
    shrink = height < picture.shape[0]
    return np.asarray(
        cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA if shrink else cv2.INTER_CUBIC), np.uint8
    )
