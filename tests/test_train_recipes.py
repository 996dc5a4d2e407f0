"""Every recipe file: typed, its task builds in both profiles, and its losses move when it runs, shrunken."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from PIL import Image
from small_nets import weights

from mangapaint.models.portrait_net import PortraitConfig
from mangapaint.models.spec import ModelSpec
from train import corpus, curves, loop, options, tasks
from train.recipe import RECIPES, Recipe, load

SMALL: Mapping[str, Mapping[str, Mapping[str, Any]]] = {
    "abgan": {
        "net": {"widths": [4, 4, 8, 8, 8], "latent": 4, "style": 4},
        "options": {"sides": [64], "judge": 4, "background": "any"},
    },
    "faces": {
        "net": {"channels": [8, 8, 8, 8], "blocks": [1, 1, 1, 1]},
        "options": {"side": 64, "figures": 0.0, "smallest": 12.0},
    },
    "features": {"net": {"widths": [4, 8, 8, 8], "features": 16}, "options": {}},
    "labgan": {"net": {"base": 4, "cap": 2}, "options": {"judge": 4}},
    "painter": {
        "net": {"channels": [8, 12, 16, 16], "blocks": [1, 1, 1, 1], "embedding": 16, "heads": 2, "bank": 3},
        "options": {"sides": [64]},
    },
    "paper": {
        "net": {"channels": [4, 4, 8, 8, 8], "blocks": [1, 1, 1, 1, 1]},
        "options": {"sizes": [[192, 128]], "comics": ["made"]},
    },
    "pix2pix": {"net": {"base": 4, "cap": 2}, "options": {"judge_width": 4}},
    "portrait": {
        "net": {"latent": 8, "mapping": 1, "widths": [8, 8, 8]},
        "options": {"judge": [8, 8], "grow": []},
    },
    "portrait_encoder": {"net": {"width": 2, "pyramid": 4}, "options": {}},
    "upscaler": {"net": {"channels": 8, "pairs": 1}, "options": {"patch": 16, "scales": [2]}},
    "zhang": {"net": {"width": 4}, "options": {"sides": [64], "pictures": 8}},
}
"""Task -> what makes its nets and crops small; a new task needs a row."""

FILES = sorted(RECIPES.glob("*.toml"))


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A prepared corpus of one set of six pictures."""
    folder = tmp_path_factory.mktemp("pictures") / "made"
    folder.mkdir()
    for seed in range(6):
        rng = np.random.default_rng(seed)
        picture = np.full((160, 160, 3), rng.integers(120, 255, 3), np.uint8)
        for _ in range(10):
            centre, radius = rng.integers(0, 160, 2).tolist(), int(rng.integers(10, 40))
            cv2.circle(picture, centre, radius, rng.integers(40, 255, 3).tolist(), -1)
            cv2.circle(picture, centre, radius, (20, 10, 10), 2)
        Image.fromarray(picture).save(folder / f"{seed}.png")
    target = tmp_path_factory.mktemp("corpus")
    corpus.prepare([folder], target)
    return target


@pytest.fixture(scope="module")
def generator(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Weights of a small generator of faces of 64 px, which the encoder of portraits needs."""
    config = PortraitConfig(8, 1, (8, 8, 8, 8, 8))
    spec = ModelSpec("g", "portrait", "portrait", "g.safetensors", asdict(config))
    return weights(tmp_path_factory.mktemp("generator"), spec)


def on_made(recipe: Recipe, generator: Path) -> Recipe:
    """The recipe on the made pictures, without what it says of its own sets and of shipped weights."""
    own = {key: value for key, value in recipe.options.items() if key != "keep"}
    if "generator" in own:
        own["generator"] = str(generator)
    return replace(recipe, sets={"made": 1.0}, options=own)


@pytest.mark.parametrize("profile", [None, "cpu", "gpu"])
@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_recipe_is_typed_and_its_task_builds(path: Path, profile: str | None, made: Path, generator: Path) -> None:
    recipe = load(path, profile)
    assert recipe.sets
    assert all(weight > 0 for weight in recipe.sets.values())
    assert recipe.data
    assert recipe.schedule.steps > 0 or recipe.schedule.minutes > 0
    recipe = on_made(recipe, generator)
    assert tasks.build(recipe, made).main
    with pytest.raises(ValueError, match="no_such"):
        tasks.build(replace(recipe, options={**recipe.options, "no_such": 1}), made)
    with pytest.raises(ValueError, match="no_such"):
        tasks.build(replace(recipe, net={**recipe.net, "no_such": 1}), made)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_losses_of_a_shrunken_recipe_are_finite_and_move(
    path: Path, made: Path, generator: Path, tmp_path: Path
) -> None:
    recipe = on_made(load(path), generator)
    small = SMALL[recipe.task]
    schedule = replace(recipe.schedule, steps=4, minutes=0.0, batch=2, warmup=1, log_every=1, sample_every=10_000)
    recipe = replace(
        recipe, net={**recipe.net, **small["net"]}, options={**recipe.options, **small["options"]}, schedule=schedule
    )
    task = tasks.build(recipe, made)
    start = {key: value.clone() for key, value in task.nets()[task.main].state_dict().items()}
    loop.run(recipe, task, tmp_path, torch.device("cpu"))
    rows = curves.rows(tmp_path)
    assert len(rows) == 4
    seen = {name: [row[name] for row in rows if name in row] for name in curves.losses(rows)}
    assert all(math.isfinite(value) for values in seen.values() for value in values), seen
    assert any(len(set(values)) > 1 for values in seen.values()), seen
    state = torch.load(tmp_path / "checkpoint.pt", weights_only=True)["nets"][task.main]
    assert any(not torch.equal(value, start[key]) for key, value in state.items() if key in start)
    assert (tmp_path / "samples-0000004.png").is_file()


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_every_option_of_a_recipe_is_explained(path: Path) -> None:
    recipe = load(path)
    explained = {option.name: option for table in options.tables(recipe.task) for option in table.options}
    assert set(recipe.net) | set(recipe.options) <= set(explained)
    text = options.text(recipe.task)
    for name in (*recipe.net, *recipe.options, "learning_rate", "betas"):
        assert f"| {name} |" in text
