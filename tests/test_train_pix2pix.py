"""pix2pix's training on made pictures: triplets are as the paper's, both sides move, the export paints."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from PIL import Image

from mangapaint.models import store
from train import corpus, export, loop, tasks
from train.recipe import Recipe, load
from train.tasks.pix2pix import Pix2PixTask

NAMES = ["pix2pix", "pix2pix-cue"]


def drawing(seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    picture = np.full((160, 160, 3), rng.integers(120, 255, 3), np.uint8)
    for _ in range(8):
        centre, radius = rng.integers(0, 160, 2).tolist(), int(rng.integers(15, 50))
        cv2.circle(picture, centre, radius, rng.integers(60, 255, 3).tolist(), -1)
        cv2.circle(picture, centre, radius, (20, 10, 10), 2)
    return picture


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A corpus of six drawings and, as a set of its own, one that is nothing but hatching."""
    root = tmp_path_factory.mktemp("pictures")
    for name in ("made", "hatched"):
        (root / name).mkdir()
    for seed in range(6):
        Image.fromarray(drawing(seed)).save(root / "made" / f"{seed}.png")
    hatched = np.full((256, 256, 3), (250, 200, 100), np.uint8)
    hatched[:, ::4] = hatched[:, 1::4] = 0
    Image.fromarray(hatched).save(root / "hatched" / "0.png")
    target = tmp_path_factory.mktemp("corpus")
    corpus.prepare([root / "made", root / "hatched"], target)
    return target


def recipe_of(name: str, steps: int = 0, **options: object) -> Recipe:
    recipe = load(name)
    return replace(
        recipe,
        sets={"made": 1.0},
        net={**recipe.net, "base": 4, "cap": 2},
        options={**recipe.options, "judge_width": 4, **options},
        schedule=replace(recipe.schedule, steps=steps, batch=2, learning_rate=2e-3, log_every=1, sample_every=10_000),
    )


@pytest.mark.parametrize("name", NAMES)
def test_both_sides_move_and_the_export_paints(name: str, made: Path, tmp_path: Path) -> None:
    recipe = recipe_of(name, steps=16)
    task = tasks.build(recipe, made)
    before = task.nets()
    loop.run(recipe, task, tmp_path, torch.device("cpu"))
    rows = [json.loads(line) for line in (tmp_path / "curve.jsonl").read_text().splitlines()]
    assert all(np.isfinite(value) for row in rows for value in row.values())
    assert np.mean([row["l1"] for row in rows[-4:]]) < np.mean([row["l1"] for row in rows[:4]])
    assert len({row["judge"] for row in rows}) > 12
    assert list(tmp_path.glob("samples-*.png"))
    path = export.export(recipe, task, tmp_path, made, tmp_path / "out", bank_sets={"made": 1.0})
    net, spec = store.load(str(path), task="colorize")
    assert spec.multiple_of == 256
    moved = dict(net.named_parameters())
    assert all(not torch.equal(value, moved[key]) for key, value in before["pix2pix"].named_parameters())
    running = [value for key, value in net.state_dict().items() if key.endswith("running_mean")]
    assert running
    assert all(value.abs().sum() > 0 for value in running)


@pytest.mark.parametrize("name", NAMES)
def test_the_shipped_file_is_small_and_the_papers_width_stands_in_the_recipe(name: str, made: Path) -> None:
    task = Pix2PixTask(replace(load(name), sets={"made": 1.0}), made)
    assert 2 * sum(value.numel() for value in task.nets()["pix2pix"].state_dict().values()) < 4.3 * 2**20
    wide = load(name, "gpu")
    assert (wide.net["base"], wide.net["cap"], wide.options["judge_width"]) == (64, 8, 64)


def test_only_the_recipe_with_a_cue_gets_one_and_it_is_smooth_colour(made: Path) -> None:
    rng = np.random.default_rng(0)
    assert "cue" not in Pix2PixTask(recipe_of("pix2pix"), made).batch(rng, 2, 0)
    task = Pix2PixTask(recipe_of("pix2pix-cue", blanked=0.0, strokes=0.0), made)
    batch = task.batch(rng, 3, 0)
    assert batch["cue"].shape == batch["picture"].shape == (3, 3, 256, 256)
    torch.testing.assert_close(batch["cue"].mean((2, 3)), batch["picture"].mean((2, 3)), atol=0.08, rtol=0)
    assert batch["cue"].diff(dim=3).abs().max() < 0.02 < batch["picture"].diff(dim=3).abs().max()


def test_the_blur_of_the_cue_is_20_px(made: Path) -> None:
    task = Pix2PixTask(recipe_of("pix2pix-cue", blanked=0.0, strokes=0.0), made)
    edge = torch.zeros(1, 3, 256, 256)
    edge[..., 128:] = 1
    profile = task.cue(edge, np.random.default_rng(0))[0, 0, 128]
    assert float(profile[148]) == pytest.approx(0.841, abs=0.02)  # the normal distribution at one sigma


def test_artists_leave_parts_of_a_cue_blank(made: Path) -> None:
    rng = np.random.default_rng(0)
    dark = torch.full((1, 3, 256, 256), 0.25)
    for blanked, strokes, least, most in ((1.0, 0.0, 0.02, 0.99), (0.0, 1.0, 0.5, 0.999)):
        task = Pix2PixTask(recipe_of("pix2pix-cue", blanked=blanked, strokes=strokes), made)
        blank = float((task.cue(dark, rng) == 1).float().mean())
        assert least < blank < most


def test_pictures_whose_sketch_is_mostly_black_are_dropped(made: Path) -> None:
    recipe = replace(recipe_of("pix2pix"), sets={"made": 1.0, "hatched": 5.0})
    task = Pix2PixTask(recipe, made)
    black = [float(1 - task.pair(np.random.default_rng(seed))[1].mean()) for seed in range(12)]
    assert max(black) <= 0.4
    open_task = Pix2PixTask(replace(recipe, options={**recipe.options, "black": 1.0}), made)
    assert max(float(1 - open_task.pair(np.random.default_rng(seed))[1].mean()) for seed in range(12)) > 0.4


def test_lambda_is_an_option_of_the_recipe() -> None:
    assert load("pix2pix", None, ["options.l1=10"]).options["l1"] == 10
