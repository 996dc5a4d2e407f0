"""Scores weights on coloured pictures that they were not trained on, beside the gray page and bicubic enlargement."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from mangapaint.engine.runner import Engine
from mangapaint.models import store
from mangapaint.models.registry import REGISTRY
from mangapaint.page import PageImage
from mangapaint.paint.choosing import small
from mangapaint.paint.colorizer import Colorizer
from mangapaint.paint.palette import palette_of
from mangapaint.settings import EngineSettings, PaintSettings, Settings, UpscaleSettings
from train import features, metrics
from train.corpus import Picture, pictures
from train.report import Line
from train.single import Single
from train.synth.degrade import jpeg
from train.synth.manga import MangaOptions, manga_like

KINDS = {"gray": MangaOptions(gray=1.0), "toned": MangaOptions(0.0, 1.0, 0.0), "ink": MangaOptions(0.0, 0.0)}
SKETCH = "sketch"
"""Gaussian adaptive threshold, block size 7: the drawings that pix2pix was made for."""
INPUTS = (*KINDS, SKETCH)
CUE_SIGMA = 20 / 256
"""Of the blurred truth that stands for an artist's colour cue, as a share of the short side."""

Tell = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Plan:
    """What is scored on what.

    Attributes:
        models: names or weights files.
        inputs: kinds of black and white, of INPUTS.
        limit: pictures of each set, spread evenly; 0 takes all.
        seed: of the drawings and of the bootstrap.
        alone: models see the page alone; else also, in further rows, the truth's palette or the blurred truth.
    """

    models: tuple[str, ...]
    inputs: tuple[str, ...] = INPUTS
    limit: int = 0
    seed: int = 0
    alone: bool = False


def black_and_white(picture: Picture, kind: str, seed: int) -> Picture:
    """(H, W, 3) colour -> the same drawing in black and white, by the training's synthesis with a fixed seed.

    Raises:
        ValueError: no such kind.
    """
    if kind not in INPUTS:
        raise ValueError(f"no kind of input is called {kind}; there are {', '.join(INPUTS)}")
    gray = np.asarray(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY), np.uint8)
    if kind == SKETCH:
        gray = np.asarray(
            cv2.adaptiveThreshold(gray, 255, cv2.ADAPTIVE_THRESH_GAUSSIAN_C, cv2.THRESH_BINARY, 7, 4), np.uint8
        )
    elif kind != "gray":
        batch = torch.from_numpy(np.array(picture)).permute(2, 0, 1)[None].float() / 255
        page, _ = manga_like(batch, KINDS[kind], np.random.default_rng(seed))
        gray = (page[0, 0] * 255).round().byte().numpy()
    return np.repeat(gray[..., None], 3, 2)


class Painter:
    """One model as it is told things: nothing (each page is a chapter), the truth's palette, the truth blurred.

    Args:
        model: name or weights file.
        engine: where it runs.
        folder: for the cue, which is a file as the user's is.
    """

    def __init__(self, model: str, engine: EngineSettings, folder: Path) -> None:
        self.name = Path(model).stem
        self.colorizer = Colorizer(
            Engine(engine), Settings(paint=PaintSettings(model=model, memory=False), engine=engine)
        )
        self.cue = folder / "cue.png"
        self.told = ["", *([", own palette"] if hasattr(self.colorizer.net, "bank") else [])]
        self.told += [", cue"] if self.heeds_hints() else []

    def heeds_hints(self) -> bool:
        """Whether the net makes anything else of a page with hints."""
        rng = np.random.default_rng(0)
        truth = np.asarray(cv2.resize(rng.integers(0, 255, (8, 8, 3), np.uint8), (256, 256)), np.uint8)
        page = black_and_white(truth, "gray", 0)
        return not np.array_equal(self.painted(page, truth, ""), self.painted(page, truth, ", cue"))

    def painted(self, page: Picture, truth: Picture, told: str) -> Picture:
        """The page in colour; `told` is one of `self.told`."""
        self.colorizer.hints = {}
        self.colorizer.prepare([Single(page)])
        if told == ", own palette":
            self.colorizer.palette = palette_of(small(truth))
        if told == ", cue":
            sigma = CUE_SIGMA * min(truth.shape[:2])
            blurred = cv2.GaussianBlur(truth, (0, 0), sigma, borderType=cv2.BORDER_REPLICATE)
            Image.fromarray(np.asarray(blurred, np.uint8)).save(self.cue)
            self.colorizer.hints = {0: self.cue}
        return self.colorizer.paint([PageImage(page)], [0])[0].pixels


def sets_of(source: Path) -> Iterator[tuple[str, Path]]:
    """The folders of pictures in a folder, or the source itself: name and path."""
    inner = [path for path in sorted(source.iterdir()) if path.is_dir()] if source.is_dir() else []
    yield from ((path.name, path) for path in inner) if inner else ((source.stem, source),)


def chosen(source: Path, limit: int) -> list[Picture]:
    """Pictures of a folder or zip, at most `limit` (0: all), spread evenly over it.

    Raises:
        ValueError: there are none.
    """
    found = [np.array(picture) for _, picture in pictures(source)]
    if not found:
        raise ValueError(f"there are no pictures in {source}")
    if limit and len(found) > limit:
        found = [found[i] for i in np.linspace(0, len(found) - 1, limit).round().astype(int)]
    return found


def colour(source: Path, plan: Plan, engine: EngineSettings, tell: Tell = print) -> list[Line]:
    """Every model on every kind of input of every set in `source`, beside the page itself ("identity").

    Raises:
        ValueError: an unknown input or no pictures.
        UsageError: an unknown model.
        WeightsError: weights that cannot be used.
    """
    lines = []
    net = features.loaded() if features.SHIPPED.is_file() else None
    with tempfile.TemporaryDirectory() as folder:
        painters = [Painter(model, engine, Path(folder)) for model in plan.models]
        for name, path in sets_of(source):
            if name == "sr":  # for upscalers
                continue
            truths = chosen(path, plan.limit)
            true = [features.features_of(net, truth, plan.seed + i) for i, truth in enumerate(truths)] if net else []
            for kind in plan.inputs:
                pages = [black_and_white(truth, kind, plan.seed + i) for i, truth in enumerate(truths)]
                systems: list[tuple[str, Callable[[int], Picture]]] = [("identity", pages.__getitem__)]
                for painter in painters:
                    for told in painter.told[: 1 if plan.alone else None]:
                        systems.append((painter.name + told, painting(painter, pages, truths, told)))
                for system, paint in systems:
                    start = time.monotonic()
                    line = scored(paint, pages, truths, net, true, plan.seed)
                    lines.append(replace(line, data=name, input=kind, system=system))
                    tell(f"{name}, {kind}, {system}: {len(truths)} pictures, {time.monotonic() - start:.0f} s")
    return lines


def painting(painter: Painter, pages: list[Picture], truths: list[Picture], told: str) -> Callable[[int], Picture]:
    return lambda i: painter.painted(pages[i], truths[i], told)


def scored(
    paint: Callable[[int], Picture],
    pages: Sequence[Picture],
    truths: Sequence[Picture],
    net: features.FeatureNet | None,
    true: Sequence[NDArray[np.float32]],
    seed: int,
) -> Line:
    """The figures of one system; a result of another size is brought to the truth's."""
    rows, ours = [], []
    for i, (page, truth) in enumerate(zip(pages, truths, strict=True)):
        made = paint(i)
        if made.shape != truth.shape:
            made = np.asarray(cv2.resize(made, truth.shape[1::-1], interpolation=cv2.INTER_AREA), np.uint8)
        rows.append(metrics.colour_row(made, truth, page))
        if net is not None:
            ours.append(features.features_of(net, made, seed + i))
    kernel = features.distance(ours, true, seed) if len(ours) > 1 else None
    return Line("", "", "", metrics.mean_row(rows), kernel)


def sharpness(source: Path, model: str, engine: EngineSettings) -> dict[str, metrics.Row]:
    """Rows "xN | bicubic" and "xN | MODEL": sharp pictures reduced by area, and x2 again through JPEG of quality 70."""
    rows: dict[str, metrics.Row] = {}
    found = chosen(source, 0)
    for scale, through_jpeg in ((2, False), (2, True), (3, False), (4, False)):
        upscale = UpscaleSettings(scale=scale, model=model)  # type: ignore[arg-type]
        colorizer = Colorizer(Engine(engine), Settings(paint=None, upscale=upscale, engine=engine))
        cubic, ours = [], []
        for index, truth in enumerate(found):
            height, width = (side // scale * scale for side in truth.shape[:2])
            sharp = truth[:height, :width]
            low = cv2.resize(sharp, (width // scale, height // scale), interpolation=cv2.INTER_AREA)
            if through_jpeg:
                rng = np.random.default_rng(index)
                low = np.stack([jpeg(np.asarray(low[..., i], np.uint8), 70, rng) for i in range(3)], 2)
            large = np.asarray(cv2.resize(low, (width, height), interpolation=cv2.INTER_CUBIC), np.uint8)
            cubic.append(metrics.sharpness_row(large, sharp, scale))
            result = colorizer.upscale([PageImage(np.asarray(low, np.uint8))])[0].pixels
            ours.append(metrics.sharpness_row(result, sharp, scale))
        kind = f"x{scale}{', JPEG 70' if through_jpeg else ''}"
        rows[f"{kind} | bicubic"] = metrics.mean_row(cubic)
        rows[f"{kind} | {Path(model).stem}"] = metrics.mean_row(ours)
    return rows


def registered(task: str) -> tuple[str, ...]:
    """Names of the models for a task."""
    return tuple(spec.name for spec in REGISTRY.values() if spec.task == task)


def those_for(models: Sequence[str], task: str) -> tuple[str, ...]:
    """Those of the models, names or files, that are for a task."""
    return tuple(model for model in models if store.resolve(model)[1].task == task)
