"""How real, how different and how true to the drawing many colourings of one face are, model by model.

    python benchmarks/variants.py FACES [--corpus runs/corpus] [--model dcgan --model wgan-gp --model painter] [-n 25]
        [--limit 12] [--every] [-o FOLDER]

FACES is a folder of coloured faces that no model was trained on; the seen ones are those before white of the corpus,
which `dcgan` and `wgan-gp` were trained on. All models get the same gray faces and make n colourings of each, as
`mangapaint variants` does: more than n, of which those are kept that are far apart and agree on what is skin. With
--every it is n candidates as they come, so that the choice cannot hide what a net does. Prints for both kinds of faces:

kernel      MMD^2 on features of our own net (train.features) of squares of the colourings and of the true pictures,
            with its 95 % interval by bootstrap over faces; lower is more real
less        that less the kernel of the first model on the same faces, draw by draw, with its interval: where it is all
            below 0 the model is more real than the first beyond chance
dE          mean distance in (a*, b*), seen at 128x128, of two colourings of one face; mean over faces
least       the same of the two most alike, mean over faces; then of the worst face
L           mean |L* - L* of the page|
spread      mean |L* - mean L* of the colourings|, as L* is seen at 128x128

"gray" is the page itself. "dyed" is the truth in other colours, as training shows it (train.tasks.whitefaces): what a
generator could be that had learnt all there was to learn.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import combinations
from pathlib import Path

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from PIL import Image

from mangapaint.engine.runner import Engine
from mangapaint.layout.paper import bubbles
from mangapaint.models.lab import lab_to_rgb, rgb_to_lab
from mangapaint.page import PageImage
from mangapaint.paint.colorizer import Colorizer
from mangapaint.paint.drawing import drawing_of
from mangapaint.settings import EngineSettings, PaintSettings, Settings
from mangapaint.variants.easel import Easel
from mangapaint.variants.making import PaintingStudio
from mangapaint.variants.seeds import candidates
from mangapaint.variants.subjects import Subject
from train import features
from train.corpus import Corpus, Picture
from train.evaluate import black_and_white, chosen
from train.metrics import lab
from train.tasks.whitefaces import FaceOptions, dyed, whitened

SEED = 1
SEEN_SETS = {"faces256": 1.0}
SIDE = 128
"""At which colourings are compared, px."""
JUDGED = 6
"""Colourings of each face that the kernel distance sees."""
COLUMNS = 5
"""Of a sheet."""

Make = Callable[[Picture, Picture, int], list[Picture]]
"""Gray page, truth and how many -> colourings."""


class Model:
    """A colouring model that is asked for many colourings of one page."""

    def __init__(self, name: str, *, every: bool) -> None:
        engine = EngineSettings()
        settings = Settings(paint=PaintSettings(model=name, mode="gray"), engine=engine)
        self.studio = PaintingStudio(Colorizer(Engine(engine), settings))
        self.every = every

    def __call__(self, page: Picture, _truth: Picture, count: int) -> list[Picture]:
        image = PageImage(page)
        drawing = drawing_of(image, "gray")
        subject = Subject(image, replace(drawing, paper=bubbles(drawing.gray)), face=True)
        if not self.every:
            return [made.pixels for made in self.studio.variants(subject, count, SEED, lambda _done, _of: None)]
        easel = Easel(self.studio.brush, subject.drawing)
        found = (self.studio.variant(seed, subject) for seed in candidates(SEED, count))
        layers = (easel.layer(self.studio.painted(easel, variant)) for variant in found)
        return [self.studio.colorizer.composed(subject.drawing, layer, None) for layer in layers]


def unchanged(page: Picture, _truth: Picture, count: int) -> list[Picture]:
    return [page] * count


def in_other_colours(page: Picture, truth: Picture, count: int) -> list[Picture]:
    """See "dyed" above."""
    true = rgb_to_lab(torch.from_numpy(np.array(truth)).permute(2, 0, 1)[None].float() / 255)
    light = rgb_to_lab(torch.from_numpy(np.array(page)).permute(2, 0, 1)[None].float() / 255)[:, :1]
    made = []
    for seed in range(1, count + 1):
        ab = dyed(F.avg_pool2d(true, 2), FaceOptions(), np.random.default_rng(seed))
        ab = F.interpolate(ab, light.shape[-2:], mode="bilinear", align_corners=False)
        rgb = lab_to_rgb(torch.cat([light, ab], 1))[0].permute(1, 2, 0)
        made.append((rgb * 255).round().byte().numpy())
    return made


def seen(corpus: Path, limit: int) -> list[Picture]:
    """Faces before white, or made so, of the corpus."""
    drawn = Corpus(corpus, SEEN_SETS)
    found: list[Picture] = []
    for index in np.random.default_rng(0).permutation(len(drawn)):
        white = whitened(drawn.picture(int(index)))
        if white is not None:
            found.append(white)
        if len(found) == limit:
            break
    return found


def figures(made: Sequence[Picture], page: Picture) -> tuple[float, float, float, float]:
    """dE, its least, L and spread of the colourings of one page, as the module says."""
    small = [lab(np.asarray(cv2.resize(x, (SIDE, SIDE), interpolation=cv2.INTER_AREA), np.uint8)) for x in made]
    pairs = [float(np.linalg.norm(a[..., 1:] - b[..., 1:], axis=2).mean()) for a, b in combinations(small, 2)]
    light = np.stack([x[..., 0] for x in small])
    kept = lab(page)[..., 0]
    off = float(np.mean([np.abs(lab(x)[..., 0] - kept).mean() for x in made]))
    return float(np.mean(pairs)), float(np.min(pairs)), off, float(np.abs(light - light.mean(0)).mean())


def looked_at(net: features.FeatureNet, pictures: Sequence[Picture], face: int) -> NDArray[np.float32]:
    """Features of equal squares for equal numbers of a face."""
    return np.concatenate([features.features_of(net, x, 1000 * face + i) for i, x in enumerate(pictures[:JUDGED])])


def between(value: float, draws: NDArray[np.float64]) -> str:
    return f"{value:.3f} ({np.nanquantile(draws, 0.025):.3f}..{np.nanquantile(draws, 0.975):.3f})"


def measured(name: str, truths: Sequence[Picture], systems: dict[str, Make], count: int, folder: Path | None) -> None:
    """Print the rows of one set of faces."""
    net = features.loaded()
    true = [looked_at(net, [truth] * count, i) for i, truth in enumerate(truths)]
    first: features.Distance | None = None
    for system, make in systems.items():
        rows, ours = [], []
        for i, truth in enumerate(truths):
            page = black_and_white(truth, "gray", 0)
            made = make(page, truth, count)
            rows.append(figures(made, page))
            ours.append(looked_at(net, made, i))
            if folder is not None:
                save(folder / f"{name}-{system}-{i + 1:02}.png", [page, truth, *made])
        kernel = features.distance(ours, true)
        less = ""
        if system not in {"gray", "dyed"}:
            if first is None:
                first = kernel
            else:
                less = between(kernel.value - first.value, np.subtract(kernel.draws, first.draws))
        mean = np.mean(rows, 0)
        least = f"{mean[1]:.1f}, {min(row[1] for row in rows):.1f}"
        value = between(kernel.value, np.asarray(kernel.draws))
        print(f"| {name} | {system} | {value} | {less} | {mean[0]:.1f} | {least} | {mean[2]:.2f} | {mean[3]:.2f} |")


def save(path: Path, pictures: Sequence[Picture]) -> None:
    """A sheet: page and truth, then the colourings."""
    size = pictures[0].shape[1::-1]
    cells = [np.asarray(cv2.resize(x, size), np.uint8) for x in pictures]
    columns = COLUMNS + 1
    cells += [np.full_like(cells[0], 255)] * (-len(cells) % columns)
    lines = [np.concatenate(cells[at : at + columns], 1) for at in range(0, len(cells), columns)]
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.concatenate(lines, 0)).save(path)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("faces", type=Path)
    parser.add_argument("--corpus", type=Path, help="a prepared corpus; without it only unseen faces are used")
    parser.add_argument("--model", action="append", help="name or weights file; repeatable")
    parser.add_argument("-n", type=int, default=25, help="colourings of each face")
    parser.add_argument("--limit", type=int, default=12, help="faces of each kind")
    parser.add_argument("--every", action="store_true", help="count n candidates as they come")
    parser.add_argument("-o", "--output", type=Path, help="folder for the sheets")
    arguments = parser.parse_args()
    models = arguments.model or ["dcgan", "wgan-gp", "painter"]
    systems: dict[str, Make] = {"gray": unchanged, "dyed": in_other_colours}
    systems |= {Path(model).stem: Model(model, every=arguments.every) for model in models}
    print("| faces | system | kernel | less | dE | least | L | spread |\n|---|---|---|---|---|---|---|---|")
    if arguments.corpus:
        measured("seen", seen(arguments.corpus, arguments.limit), systems, arguments.n, arguments.output)
    measured("unseen", chosen(arguments.faces, arguments.limit), systems, arguments.n, arguments.output)


if __name__ == "__main__":
    main()
