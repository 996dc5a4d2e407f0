"""A prepared corpus: decoded pictures in one flat file, so that training reads no codec.

`prepare` writes a folder with `pixels.bin` (all pictures as uint8 sRGB rows, one after the other) and `manifest.json`
(set, name, size, offset and licence class of each). `Corpus` maps it and cuts random crops.
"""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

Picture = NDArray[np.uint8]
PICTURE_SUFFIXES = {".webp", ".png", ".jpg", ".jpeg"}
NEAR_GRAY = 3.0
"""Mean distance of the channels from their mean under which a picture teaches no colour, levels."""


@dataclass(frozen=True, slots=True)
class Item:
    """One picture of the corpus: where its rows lie in pixels.bin and where it came from."""

    set: str
    name: str
    height: int
    width: int
    offset: int
    licence: str


def pictures(source: Path) -> Iterator[tuple[str, Picture]]:
    """Name and (H, W, 3) uint8 sRGB of each readable picture of a zip or folder, in name order; alpha over white."""
    if source.is_dir():
        entries = [(str(p.relative_to(source)), p.read_bytes()) for p in sorted(source.rglob("*")) if p.is_file()]
    else:
        with zipfile.ZipFile(source) as archive:
            entries = [(name, archive.read(name)) for name in sorted(archive.namelist())]
    for name, data in entries:
        if Path(name).suffix.lower() not in PICTURE_SUFFIXES:
            continue
        try:
            with Image.open(io.BytesIO(data), formats=("WEBP", "PNG", "JPEG")) as image:
                rgba = image.convert("RGBA")
        except OSError as error:
            print(f"{source.name}: {name}: left out, {error}")
            continue
        white = Image.new("RGBA", rgba.size, "white")
        yield name, np.asarray(Image.alpha_composite(white, rgba).convert("RGB"))


def is_near_gray(picture: Picture) -> bool:
    small = cv2.resize(picture, (64, 64), interpolation=cv2.INTER_AREA).astype(np.float32)
    return float(np.abs(small - small.mean(2, keepdims=True)).mean()) < NEAR_GRAY


def prepare(sources: Sequence[Path], target: Path, *, keep_gray: Sequence[str] = ()) -> list[Item]:
    """Decode all sources (zips or folders) into a corpus folder.

    Args:
        sources: zips or folders; the set is named by the file's stem, the licence class by its parent folder.
        target: the corpus folder; an older one is replaced.
        keep_gray: sets that may hold gray pictures (they are dropped elsewhere).

    Returns:
        The manifest. Exact duplicates (by content of the pixels) are dropped.
    """
    target.mkdir(parents=True, exist_ok=True)
    items: list[Item] = []
    seen: set[str] = set()
    offset = 0
    with (target / "pixels.bin.part").open("wb") as sink:
        for source in sources:
            dropped = 0
            for name, picture in pictures(source):
                digest = hashlib.md5(picture.tobytes(), usedforsecurity=False).hexdigest()
                gray = source.stem not in keep_gray and is_near_gray(picture)
                if digest in seen or gray or min(picture.shape[:2]) < 64:
                    dropped += 1
                    continue
                seen.add(digest)
                height, width = picture.shape[:2]
                items.append(Item(source.stem, name, height, width, offset, source.parent.name))
                sink.write(picture.tobytes())
                offset += picture.size
            print(f"{source.stem}: {sum(i.set == source.stem for i in items)} kept, {dropped} dropped")
    (target / "pixels.bin.part").replace(target / "pixels.bin")
    part = target / "manifest.json.part"
    part.write_text(json.dumps([asdict(item) for item in items], indent=0))
    part.replace(target / "manifest.json")
    return items


class Corpus:
    """Random access to a prepared corpus.

    Args:
        folder: written by `prepare`.
        weights: how often each set is drawn, relative to its number of pictures; sets that are not named are left out.
    """

    def __init__(self, folder: Path, weights: dict[str, float]) -> None:
        self.items = [Item(**row) for row in json.loads((folder / "manifest.json").read_text())]
        self.items = [item for item in self.items if item.set in weights]
        missing = set(weights) - {item.set for item in self.items}
        if missing or not self.items:
            raise ValueError(f"{folder} lacks the sets {sorted(missing)}; run `python -m train prepare` with them")
        self.pixels = np.memmap(folder / "pixels.bin", np.uint8, "r")
        share = np.array([weights[item.set] for item in self.items])
        self.cumulative = np.cumsum(share / share.sum())

    def __len__(self) -> int:
        return len(self.items)

    def picture(self, index: int) -> Picture:
        """(H, W, 3) uint8 view of one picture."""
        item = self.items[index]
        rows = self.pixels[item.offset : item.offset + item.height * item.width * 3]
        return rows.reshape(item.height, item.width, 3)

    def draw(self, rng: np.random.Generator) -> tuple[Item, Picture]:
        """A random picture by the sets' weights."""
        index = min(int(np.searchsorted(self.cumulative, rng.random())), len(self.items) - 1)
        return self.items[index], self.picture(index)


def resized(picture: Picture, height: int, width: int) -> Picture:
    """The picture at that size: area where it shrinks, cubic where it grows."""
    shrink = height < picture.shape[0]
    return np.asarray(
        cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA if shrink else cv2.INTER_CUBIC), np.uint8
    )
