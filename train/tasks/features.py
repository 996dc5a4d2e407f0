"""The feature net's training: three questions about a square whose answers cost no labels.

Whether its colours are its own (channels exchanged, hue turned, paled, sepia), whether they lie where they belong
(blurred, shifted, in blotches: what goes wrong when a machine colours), and which set of the corpus it is from. The
answering layer is thrown away.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from train.corpus import Corpus, Picture
from train.features import SIDE, FeatureConfig, FeatureNet
from train.loop import Batch, Phase
from train.recipe import Recipe, typed
from train.tasks.common import autocast

PLACES = ("own", "colour blurred", "colour shifted", "blotches", "all blurred")
COLOURS = ("own", "red and blue exchanged", "channels rotated", "hue turned", "half the chroma", "sepia")


@dataclass(frozen=True, slots=True)
class FeatureOptions:
    """Weights of the three questions."""

    misplaced: float = 1.0
    recoloured: float = 1.0
    whose: float = 0.5


class FeatureTask:
    """See the module."""

    main = "features"

    def __init__(self, recipe: Recipe, corpus: Path) -> None:
        self.options = typed(FeatureOptions, recipe.options, "[options]")
        self.config = typed(FeatureConfig, recipe.net, "[net]")
        self.corpus = Corpus(corpus, dict(recipe.sets))
        self.sets = {name: number for number, name in enumerate(sorted(recipe.sets))}

    def nets(self) -> dict[str, nn.Module]:
        return {"features": FeatureNet(self.config, len(PLACES) + len(COLOURS) + len(self.sets))}

    def batch(self, rng: np.random.Generator, size: int, done: float) -> Batch:
        squares = np.empty((size, SIDE, SIDE, 3), np.uint8)
        placed, colour, whose = (np.empty(size, np.int64) for _ in range(3))
        for i in range(size):
            item, picture = self.corpus.draw(rng)
            placed[i], colour[i], whose[i] = rng.integers(len(PLACES)), rng.integers(len(COLOURS)), self.sets[item.set]
            squares[i] = recoloured(misplaced(square(picture, rng), int(placed[i]), rng), int(colour[i]), rng)
        return {
            "squares": torch.from_numpy(squares),
            "placed": torch.from_numpy(placed),
            "colour": torch.from_numpy(colour),
            "whose": torch.from_numpy(whose),
        }

    def phases(self, nets: Mapping[str, nn.Module], batch: Batch, done: float) -> Iterator[Phase]:
        picture = batch["squares"].permute(0, 3, 1, 2).float() / 255
        with autocast(picture.device):
            answers = answered(nets["features"], picture)
        first, second = len(PLACES), len(PLACES) + len(COLOURS)
        asked = {
            "placed": (self.options.misplaced, answers[:, :first], batch["placed"]),
            "colour": (self.options.recoloured, answers[:, first:second], batch["colour"]),
            "whose": (self.options.whose, answers[:, second:], batch["whose"]),
        }
        loss = torch.stack([weight * F.cross_entropy(said, true) for weight, said, true in asked.values()]).sum()
        right = {
            f"{key}_right": (said.argmax(1) == true).float().mean().item() for key, (_, said, true) in asked.items()
        }
        yield Phase("features", loss, {"loss": loss.item(), **right})

    def samples(self, net: nn.Module, device: torch.device) -> NDArray[np.uint8]:
        """Squares; a green edge where the colours were told right, red where not."""
        batch = self.batch(np.random.default_rng(3), 48, 1.0)
        with torch.inference_mode(), autocast(device):
            answers = answered(net, batch["squares"].to(device).permute(0, 3, 1, 2).float() / 255)
        right = (answers[:, len(PLACES) : len(PLACES) + len(COLOURS)].argmax(1).cpu() == batch["colour"]).numpy()
        edged = [
            cv2.copyMakeBorder(one, 2, 2, 2, 2, cv2.BORDER_CONSTANT, value=(0, 200, 0) if ok else (220, 0, 0))
            for one, ok in zip(batch["squares"].numpy(), right, strict=True)
        ]
        return np.concatenate([np.concatenate(edged[i : i + 12], 1) for i in range(0, 48, 12)]).astype(np.uint8)


def answered(net: nn.Module, picture: Tensor) -> Tensor:
    """(N, places + colours + sets) float32 logits."""
    answers: Tensor = cast(nn.Linear, cast(FeatureNet, net).answers)(net(picture))
    return answers.float()


def square(picture: Picture, rng: np.random.Generator) -> Picture:
    """(64, 64, 3): 15-90 % of the short side, mirrored half the time."""
    short = min(picture.shape[:2])
    side = max(min(SIDE, short), round(short * rng.uniform(0.15, 0.9)))
    y, x = (int(rng.integers(0, size - side + 1)) for size in picture.shape[:2])
    cut = cv2.resize(picture[y : y + side, x : x + side], (SIDE, SIDE), interpolation=cv2.INTER_AREA)
    return np.asarray(cut[:, ::-1] if rng.random() < 0.5 else cut, np.uint8)


def misplaced(picture: Picture, kind: int, rng: np.random.Generator) -> Picture:
    """One of PLACES by its number."""
    if kind == 0:
        return picture
    if kind == 4:
        return np.asarray(cv2.GaussianBlur(picture, (0, 0), rng.uniform(1.2, 3)), np.uint8)
    lab = cv2.cvtColor(np.ascontiguousarray(picture), cv2.COLOR_RGB2LAB)
    colour = lab[..., 1:]
    if kind == 1:
        colour = cv2.GaussianBlur(np.ascontiguousarray(colour), (0, 0), rng.uniform(3, 8))
    elif kind == 2:
        angle, far = rng.uniform(0, 2 * np.pi), rng.uniform(3, 10)
        move = np.array([[1, 0, far * np.cos(angle)], [0, 1, far * np.sin(angle)]])
        colour = cv2.warpAffine(np.ascontiguousarray(colour), move, (SIDE, SIDE), borderMode=cv2.BORDER_REFLECT)
    else:
        mask = np.zeros((SIDE, SIDE), np.float32)
        for _ in range(int(rng.integers(1, 5))):
            axes = (int(rng.integers(4, 16)), int(rng.integers(4, 16)))
            centre = (int(rng.integers(0, SIDE)), int(rng.integers(0, SIDE)))
            cv2.ellipse(mask, centre, axes, float(rng.uniform(0, 180)), 0, 360, 1, -1)
        soft = cv2.GaussianBlur(mask, (0, 0), rng.uniform(0.7, 3))[..., None]
        other = rng.uniform(-35, 35, 2) * rng.uniform(0.5, 1.5)
        colour = np.clip(colour + soft * other, 0, 255)
    whole = np.dstack([lab[..., 0], np.asarray(colour, np.uint8)])
    return np.asarray(cv2.cvtColor(whole, cv2.COLOR_LAB2RGB), np.uint8)


def recoloured(picture: Picture, kind: int, rng: np.random.Generator) -> Picture:
    """One of COLOURS by its number."""
    if kind == 1:
        return picture[..., ::-1]
    if kind == 2:
        return np.roll(picture, int(rng.integers(1, 3)), 2)
    if kind == 3:
        hsv = cv2.cvtColor(np.ascontiguousarray(picture), cv2.COLOR_RGB2HSV)
        hsv[..., 0] = (hsv[..., 0].astype(np.int64) + int(rng.integers(20, 161))) % 180
        return np.asarray(cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB), np.uint8)
    if kind == 4:
        gray = picture.mean(2, keepdims=True)
        return np.asarray(gray + (picture - gray) * rng.uniform(0.2, 0.6), np.uint8)
    if kind == 5:
        tint = np.array([1, rng.uniform(0.85, 1), rng.uniform(0.65, 0.95)])
        return np.asarray(picture.mean(2, keepdims=True) * tint, np.uint8)
    return picture
