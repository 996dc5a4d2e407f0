"""What the painter does with references, tones and chapters; no figure of `train evaluate` is repeated here.

    python benchmarks/painter.py PAGES CHAPTER [--stories PICTURES] [--model painter] [--limit N] [--only speed]

PAGES is a folder of coloured pages of one title that was not trained on; CHAPTER a folder of black-and-white pages;
PICTURES a folder of coloured pictures STORY__NUMBER of stories that were not trained on.
Formulas: dab is the mean Euclidean error of (a*, b*) against the truth (CIE Lab, D65). Prints:

reference   dab in gray without a reference, with the next page of the title as reference, and what that is worth
stories     the same for the second and the last picture of every story with the one before as reference, in gray and
            drawn in ink and tone (train.evaluate, seeds 0, 1, ...), and the dab of the drawing itself
rotated     the same reference with its hues turned by 120 degrees: how far the result's hues turned (circular mean over
            the places with C* > 8 in both), and the share of places that turned by 60-180 degrees
tones       one drawing under two seeds of tone and shifted by 16 px: mean dE (CIE76) of the colours laid under the ink,
            over all places and over those that neither page keeps as paper, and the share that one of them does
chapter     spread of matched regions (paint.consistency) with every page as a chapter of its own, and as one chapter
speed       seconds of the net, of all and of all cores together for the last page of CHAPTER, best of 5; --only prints
            no other part
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from mangapaint import pixels
from mangapaint.engine.runner import Engine
from mangapaint.page import PageImage, Verdict
from mangapaint.paint.colorizer import Colorizer
from mangapaint.paint.consistency import consistency
from mangapaint.paint.drawing import drawing_of
from mangapaint.settings import EngineSettings, Limits, PaintSettings, Settings
from train.corpus import pictures
from train.evaluate import black_and_white
from train.metrics import colour_row, lab
from train.single import Single
from train.synth.manga import MangaOptions, manga_like

Picture = NDArray[np.uint8]
TURN = 120.0
SHIFT = 16


class Bench:
    """One Colorizer whose settings change."""

    def __init__(self, model: str) -> None:
        engine = EngineSettings()
        self.settings = Settings(paint=PaintSettings(model=model), engine=engine)
        self.colorizer = Colorizer(Engine(engine), self.settings)

    def painted(self, page: Picture, **paint: object) -> Picture:
        """The page as a chapter of its own."""
        self.told(**paint)
        self.colorizer.prepare([Single(page)])
        return self.colorizer.paint([PageImage(page)], [0])[0].pixels

    def told(self, **paint: object) -> None:
        assert self.settings.paint is not None and self.colorizer.brush is not None
        wish = replace(self.settings.paint, **paint)  # type: ignore[arg-type]
        self.colorizer.settings = replace(self.settings, paint=wish)
        self.colorizer.brush.settings = wish


def gray_of(picture: Picture) -> Picture:
    return np.repeat(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)[..., None], 3, 2)


def turned(picture: Picture) -> Picture:
    """The picture with its hues turned in Lab; what leaves sRGB is clipped."""
    from skimage.color import lab2rgb

    values = lab(picture)
    ab = values[..., 1] + 1j * values[..., 2]
    ab = ab * np.exp(1j * np.deg2rad(TURN))
    rgb = lab2rgb(np.stack([values[..., 0], ab.real, ab.imag], 2))
    return np.asarray((rgb * 255).round(), np.uint8)


def turn_between(first: Picture, second: Picture) -> tuple[float, float]:
    """Circular mean of the difference in hue, degrees, and the share of places within 60 degrees of TURN."""
    ab = [values[..., 1] + 1j * values[..., 2] for values in (lab(first), lab(second))]
    both = (np.abs(ab[0]) > 8) & (np.abs(ab[1]) > 8)
    step = (ab[1] / np.where(np.abs(ab[0]) > 0, ab[0], 1))[both]
    unit = step / np.abs(step)
    near = np.abs(np.angle(unit * np.exp(-1j * np.deg2rad(TURN)))) < np.pi / 3
    return float(np.rad2deg(np.angle(unit.mean()))), float(near.mean())


def references(bench: Bench, pages: Sequence[Picture], folder: Path) -> None:
    alone, led, angles, shares = [], [], [], []
    for number, truth in enumerate(pages):
        other = pages[(number + 1) % len(pages)]
        plain, strange = folder / "plain.png", folder / "turned.png"
        Image.fromarray(other).save(plain)
        Image.fromarray(turned(other)).save(strange)
        page = gray_of(truth)
        alone.append(colour_row(bench.painted(page), truth)["dab"])
        followed = bench.painted(page, references=(plain,))
        led.append(colour_row(followed, truth)["dab"])
        angle, share = turn_between(followed, bench.painted(page, references=(strange,)))
        angles.append(angle)
        shares.append(share)
    worth = 100 * (1 - np.mean(led) / np.mean(alone))
    print(f"reference: dab {np.mean(alone):.2f} without, {np.mean(led):.2f} with one page: {worth:.1f} % less")
    print(f"rotated: hues turned by {np.mean(angles):.0f} degrees (asked {TURN:.0f}); {np.mean(shares):.2f} of places")


def stories(bench: Bench, folder: Path) -> None:
    titles: dict[str, list[Path]] = {}
    for path in sorted(folder.iterdir()):
        titles.setdefault(path.stem.partition("__")[0], []).append(path)
    pairs = [(told[i], told[i - 1]) for told in titles.values() if len(told) > 1 for i in sorted({1, len(told) - 1})]
    for kind in ("gray", "toned"):
        rows = []
        for number, (path, reference) in enumerate(pairs):
            truth = pixels.decode(path.read_bytes(), Limits()).pixels
            page = black_and_white(truth, kind, number)
            made = (page, bench.painted(page, references=()), bench.painted(page, references=(reference,)))
            rows.append([colour_row(each, truth)["dab"] for each in made])
        itself, alone, led = np.mean(rows, axis=0)
        print(
            f"stories, {kind}: dab {itself:.2f} of the drawing, {alone:.2f} without, {led:.2f} with one picture of the "
            f"story: {100 * (1 - led / alone):.1f} % less ({len(pairs)} pairs)"
        )


def tones(bench: Bench, pages: Sequence[Picture]) -> None:
    rows = []
    for number, truth in enumerate(pages):
        batch = torch.from_numpy(truth.copy()).permute(2, 0, 1)[None].float() / 255
        seen = []
        for seed, shift in ((2 * number, 0), (2 * number + 1, SHIFT)):
            drawing, _ = manga_like(batch, MangaOptions(0.0, 1.0), np.random.default_rng(seed))
            page = (drawing[0, 0] * 255).round().byte().numpy()[shift:, shift:]
            layer = laid(bench, np.ascontiguousarray(np.repeat(page[..., None], 3, 2)))
            seen.append(layer[SHIFT - shift :, SHIFT - shift :])
        paint = [np.clip(each[..., :3] * (1 - each[..., 5:]) + each[..., 5:], 0, 1) for each in seen]
        first, second = (lab(np.asarray((each * 255).round(), np.uint8)) for each in paint)
        distance = np.linalg.norm(first - second, axis=2)
        blank = [each[..., 5] > 0.5 for each in seen]
        painted = ~(blank[0] | blank[1])
        inside = distance[painted].mean() if painted.any() else np.nan
        rows.append((distance.mean(), inside, (blank[0] != blank[1]).mean()))
    whole, inside, torn = np.nanmean(rows, axis=0)
    print(f"tones: mean dE {whole:.2f} between two seeds of tone and crops, {inside:.2f} where both are painted;")
    print(f"       {torn:.2f} of the area is paper in one of the two alone")


def laid(bench: Bench, page: Picture) -> NDArray[np.float32]:
    """(H, W, 6) layer of a page in ink, a chapter of its own: paint, ab, paper."""
    bench.told(mode="ink")
    bench.colorizer.prepare([Single(page)])
    brush = bench.colorizer.brush
    assert brush is not None
    layer = brush.layers([drawing_of(PageImage(page), "ink", finder=brush.paper)], [None])[0][0]
    small = layer.permute(1, 2, 0).float().cpu().numpy()
    return np.asarray(cv2.resize(small, page.shape[1::-1], interpolation=cv2.INTER_LINEAR), np.float32)


def chapter(bench: Bench, pages: Sequence[Picture]) -> None:
    bench.told()
    found = [Single(page, index, f"{index:03}") for index, page in enumerate(pages)]
    gray = [page for page in found if page.verdict() is Verdict.GRAY]
    alone = []
    for page in gray:
        bench.colorizer.prepare([page])
        bench.colorizer.paint([page.image()], [page.index])
        alone += bench.colorizer.brush.sightings
    bench.colorizer.prepare(found)
    for page in gray:
        bench.colorizer.paint([page.image()], [page.index])
    apart, together = consistency(alone), bench.colorizer.consistency()
    if apart is None or together is None:
        print("chapter: too few pages show the same thing")
        return
    fall = 100 * (1 - together.spread / apart.spread)
    print(
        f"chapter: spread {apart.spread:.2f} alone, {together.spread:.2f} as one chapter, {fall:.0f} % less "
        f"({together.groups} things, {together.regions} regions)"
    )


def speed(bench: Bench, page: Picture) -> None:
    bench.told()
    bench.colorizer.prepare([Single(page)])
    times = []
    for _ in range(5):
        if bench.colorizer.brush is not None:
            bench.colorizer.brush.desk.clear()  # else what the first look made would be found there
        before = bench.colorizer.engine.seconds
        started, spent = time.perf_counter(), time.process_time()
        bench.colorizer.paint([PageImage(page)], [0])
        whole, cpu = time.perf_counter() - started, time.process_time() - spent
        times.append((bench.colorizer.engine.seconds - before, whole, cpu))
    net, whole, cpu = (min(column) for column in zip(*times, strict=True))
    print(f"speed: {net:.3f} s in the net, {whole:.3f} s in all, {cpu:.3f} s of CPU for a page of", end=" ")
    print(f"{page.shape[1]} x {page.shape[0]} px with {torch.get_num_threads()} threads")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pages", type=Path)
    parser.add_argument("chapter", type=Path)
    parser.add_argument("--model", default="painter")
    parser.add_argument("--limit", type=int, default=0)
    parser.add_argument("--only", choices=("reference", "stories", "tones", "chapter", "speed"))
    parser.add_argument("--stories", type=Path, help="folder of pictures STORY__NUMBER")
    options = parser.parse_args()
    bench = Bench(options.model)
    files = [path for path in sorted(options.chapter.iterdir()) if path.suffix.lower() in {".png", ".jpg", ".webp"}]
    scanned = [pixels.decode(path.read_bytes(), Limits()).pixels for path in files]
    coloured = [picture for _, picture in pictures(options.pages)][: options.limit or None]
    with tempfile.TemporaryDirectory() as folder:
        parts: dict[str, Callable[[], None]] = {
            "speed": lambda: speed(bench, scanned[-1]),
            "chapter": lambda: chapter(bench, scanned),
            "tones": lambda: tones(bench, coloured),
            "reference": lambda: references(bench, coloured, Path(folder)),
        }
        if (told := options.stories) is not None:
            parts["stories"] = lambda: stories(bench, told)
        for name, part in parts.items():
            if options.only in (None, name):
                part()


if __name__ == "__main__":
    main()
