"""A training task so small that a step takes a millisecond: two nets that learn to copy their input."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from train.loop import Batch, Phase
from train.recipe import Recipe, Schedule


def recipe(steps: int = 10, **schedule: object) -> Recipe:
    """A recipe for `ToyTask`; keywords go to its schedule."""
    values = {"batch": 4, "warmup": 1, "learning_rate": 1e-2, "log_every": 2, "sample_every": 10_000} | schedule
    return Recipe("toy", "toy", {"made": 1.0}, schedule=Schedule(steps=steps, **values))  # type: ignore[arg-type]


class ToyTask:
    """`pause` seconds pass in each batch."""

    main = "copy"

    def __init__(self, width: int = 6, pause: float = 0.0) -> None:
        self.width = width
        self.pause = pause
        self.made: dict[str, nn.Module] = {}

    def nets(self) -> dict[str, nn.Module]:
        self.made = {
            "copy": nn.Sequential(nn.Conv2d(3, self.width, 3, padding=1), nn.Conv2d(self.width, 3, 1)),
            "other": nn.Sequential(nn.Conv2d(3, 3, 1), nn.BatchNorm2d(3)),
        }
        return self.made

    def batch(self, rng: np.random.Generator, size: int, done: float) -> Batch:
        time.sleep(self.pause)
        return {"x": torch.from_numpy(rng.random((size, 3, 8, 8), np.float32))}

    def phases(self, nets: Mapping[str, nn.Module], batch: Batch, done: float) -> Iterator[Phase]:
        for name in ("copy", "other", "other"):
            loss: Tensor = (nets[name](batch["x"]) - batch["x"]).square().mean()
            yield Phase(name, loss, {name: loss.item()})

    def samples(self, net: nn.Module, device: torch.device) -> NDArray[np.uint8]:
        return np.zeros((8, 8, 3), np.uint8)
