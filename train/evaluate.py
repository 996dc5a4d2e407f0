"""Scores weights on coloured pictures that they were not trained on, beside the gray page and bicubic enlargement."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import torch

from mangapaint.engine.runner import Engine
from mangapaint.page import PageImage
from mangapaint.paint.colorizer import Colorizer
from mangapaint.settings import EngineSettings, PaintSettings, Settings, UpscaleSettings
from train import metrics
from train.corpus import Picture, pictures
from train.synth.degrade import jpeg
from train.synth.manga import MangaOptions, manga_like

Rows = dict[str, dict[str, float]]
KINDS = {"gray": MangaOptions(gray=1.0), "toned": MangaOptions(0.0, 1.0, 0.0), "ink": MangaOptions(0.0, 0.0)}


def black_and_white(picture: Picture, kind: str, seed: int) -> Picture:
    """(H, W, 3) colour -> the same drawing in black and white, by the training's synthesis with a fixed seed."""
    if kind == "gray":
        gray = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)
    else:
        batch = torch.from_numpy(np.ascontiguousarray(picture)).permute(2, 0, 1)[None].float() / 255
        page, _ = manga_like(batch, KINDS[kind], np.random.default_rng(seed))
        gray = (page[0, 0] * 255).round().byte().numpy()
    return np.repeat(gray[..., None], 3, 2)


def colour(source: Path, model: str, engine: EngineSettings) -> Rows:
    """Rows "KIND identity" and "KIND MODEL" over all pictures of a folder or zip, palettes from the bank."""
    colorizer = Colorizer(Engine(engine), Settings(paint=PaintSettings(model=model), engine=engine))
    colorizer.prepare([])
    rows: Rows = {}
    found = list(pictures(source))
    for kind in KINDS:
        none, ours = [], []
        for index, (_, truth) in enumerate(found):
            page = black_and_white(truth, kind, index)
            none.append(metrics.colour_row(page, truth))
            ours.append(metrics.colour_row(colorizer.paint([PageImage(page)])[0].pixels, truth))
        rows[f"{kind} identity"], rows[f"{kind} {Path(model).stem}"] = metrics.mean_row(none), metrics.mean_row(ours)
    return rows


def sharpness(source: Path, model: str, engine: EngineSettings) -> Rows:
    """Rows "xN bicubic" and "xN MODEL": sharp pictures reduced by area, and x2 once more through JPEG of quality 70."""
    rows: Rows = {}
    found = list(pictures(source))
    for scale, through_jpeg in ((2, False), (2, True), (3, False), (4, False)):
        upscale = UpscaleSettings(scale=scale, model=model)  # type: ignore[arg-type]
        colorizer = Colorizer(Engine(engine), Settings(paint=None, upscale=upscale, engine=engine))
        cubic, ours = [], []
        for index, (_, truth) in enumerate(found):
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
        kind = f"x{scale}{' jpeg' if through_jpeg else ''}"
        rows[f"{kind} bicubic"], rows[f"{kind} {Path(model).stem}"] = metrics.mean_row(cubic), metrics.mean_row(ours)
    return rows
