"""What the painter is told in training where its own colours are withheld."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from mangapaint.paint.palette import palette_of
from train import corpus
from train.recipe import Recipe
from train.tasks.painter import PainterTask

NET = {"channels": [8, 8, 8, 8], "blocks": [1, 1, 1, 1], "embedding": 16, "heads": 2, "descriptor": 8, "kinds": 2}
COLOURS = {"reds": (200, 60, 60), "blues": (60, 60, 200)}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A corpus of a red and a blue set."""
    folder = tmp_path_factory.mktemp("pictures")
    for name, colour in COLOURS.items():
        (folder / name).mkdir()
        for number in range(4):
            picture = np.full((96, 96, 3), colour, np.uint8)
            picture[10 + 9 * number : 30 + 9 * number, 20:70] //= 2
            Image.fromarray(picture).save(folder / name / f"{number}.png")
    target = tmp_path_factory.mktemp("corpus")
    corpus.prepare([folder / name for name in COLOURS], target)
    return target


def task_of(made: Path, **options: object) -> PainterTask:
    kinds = {"warm": ("reds",), "cold": ("blues",)}
    wishes = {"sides": [64], "kinds": kinds, "typical": 1.0, **options}
    return PainterTask(Recipe("p", "painter", {name: 1.0 for name in COLOURS}, NET, wishes), made)


def warmth(palette: torch.Tensor) -> torch.Tensor:
    """(N, 216) -> (N,): red minus blue, in cells, of the mean colour."""
    index = torch.arange(216)
    share = palette.square() / palette.square().sum(1, keepdim=True)
    return share @ (index // 36 - index % 6).float()


def test_typical_palettes_are_those_of_the_kinds(made: Path) -> None:
    task = task_of(made)
    assert warmth(task.typical)[0] > 1.5
    assert warmth(task.typical)[1] < -1.5
    assert abs(warmth(task.prior)[0]) < 1.5


def test_pairs_that_are_told_no_colours_hear_of_their_kind_and_keep_their_hues(made: Path) -> None:
    task = task_of(made, open=1.0, permuted=1.0, saturated=1.0, together=1.0, pages=0.0)
    batch = task.batch(np.random.default_rng(0), 8, 0.5)
    own = warmth(palette_of(batch["picture"]))
    assert batch["open"].all()
    assert (own.abs() > 1.5).all()
    assert torch.equal(warmth(batch["palette"]) > 0, own > 0)


def test_lent_colours_are_not_all_of_the_palette(made: Path) -> None:
    task = task_of(
        made, open=0.0, lent=1.0, permuted=0.0, saturated=1.0, together=1.0, foreign=0.0, pages=0.0, typical=0.0
    )
    batch = task.batch(np.random.default_rng(0), 8, 0.5)
    own, told = warmth(palette_of(batch["picture"])), warmth(batch["palette"])
    assert (told.abs() < own.abs()).all()  # half of it is the mean of both sets
    assert torch.equal(told > 0, own > 0)


def test_as_many_kinds_are_named_as_the_net_has(made: Path) -> None:
    with pytest.raises(ValueError, match="kinds of art"):
        task_of(made, kinds={"warm": ("reds",)})
