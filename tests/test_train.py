"""The training loop on made pictures: losses fall, a killed run goes on, an export loads again."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from PIL import Image

from mangapaint.models import store
from train import checkpoint, corpus, export, loop, metrics, tasks
from train.recipe import RECIPES, Recipe, load
from train.synth.manga import MangaOptions, closing, manga_like
from train.synth.pages import page

SMALL: dict[str, dict[str, Any]] = {
    "painter": {
        "sets": {"made": 1.0},
        "net": {
            "channels": [8, 12, 16, 16],
            "blocks": [1, 1, 1, 1],
            "embedding": 16,
            "heads": 2,
            "bank": 3,
            "descriptor": 8,
        },
        "options": {"sides": [64], "judged": 0.1},
    },
    "upscaler": {
        "sets": {"made": 1.0},
        "net": {"channels": 8, "pairs": 1},
        "options": {"patch": 32, "scales": [2], "clean": 1.0, "halftoned": 0.0},
    },
}


def drawing(seed: int, side: int = 160) -> np.ndarray:
    """A coloured picture with outlines."""
    rng = np.random.default_rng(seed)
    picture = np.full((side, side, 3), rng.integers(120, 255, 3), np.uint8)
    for _ in range(12):
        centre, radius = rng.integers(0, side, 2).tolist(), int(rng.integers(8, 40))
        cv2.circle(picture, centre, radius, rng.integers(0, 255, 3).tolist(), -1)
        cv2.circle(picture, centre, radius, (20, 10, 10), 2)
    return picture


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A prepared corpus of one set of twelve pictures."""
    folder = tmp_path_factory.mktemp("pictures") / "made"
    folder.mkdir()
    for seed in range(12):
        Image.fromarray(drawing(seed)).save(folder / f"{seed:02}.png")
    target = tmp_path_factory.mktemp("corpus")
    corpus.prepare([folder], target)
    return target


def recipe_of(name: str, steps: int) -> Recipe:
    recipe = load(name)
    schedule = replace(recipe.schedule, steps=steps, batch=4, warmup=5, log_every=5, sample_every=10_000)
    return replace(recipe, **SMALL[name], schedule=schedule)


@pytest.mark.parametrize("path", sorted(RECIPES.glob("*.toml")), ids=lambda p: p.stem)
def test_every_recipe_and_profile_is_valid(path: Path) -> None:
    for profile in (None, "cpu", "gpu"):
        recipe = load(path.stem, profile)
        assert recipe.sets
        assert recipe.data
        assert recipe.schedule.minutes > 0


def test_a_misspelt_option_is_an_error_that_names_it(tmp_path: Path) -> None:
    file = tmp_path / "bad.toml"
    file.write_text('task = "painter"\n[sets]\nmade = 1.0\n[schedule]\nminuts = 3\n')
    with pytest.raises(ValueError, match="minuts"):
        load(file)


@pytest.mark.parametrize("name", ["painter", "upscaler"])
def test_losses_fall_and_the_export_loads(name: str, made: Path, tmp_path: Path) -> None:
    recipe = recipe_of(name, steps={"painter": 60, "upscaler": 100}[name])
    recipe = replace(recipe, schedule=replace(recipe.schedule, batch={"painter": 4, "upscaler": 16}[name]))
    task = tasks.build(recipe, made)
    loop.run(recipe, task, tmp_path, torch.device("cpu"))
    rows = [json.loads(line) for line in (tmp_path / "curve.jsonl").read_text().splitlines()]
    key = {"painter": "fine", "upscaler": "log_rms"}[name]
    losses, third = [row[key] for row in rows], len(rows) // 3
    assert np.mean(losses[-third:]) < np.mean(losses[:third])
    assert list(tmp_path.glob("samples-*.png"))
    path = export.export(replace(recipe, name=name), task, tmp_path, made, tmp_path / "out", bank_sets={"made": 1.0})
    net, spec = store.load(str(path))
    assert spec.name == name
    assert sum(p.numel() for p in net.parameters()) == sum(p.numel() for p in task.nets()[task.main].parameters())


def test_a_run_goes_on_where_it_was_stopped(made: Path, tmp_path: Path) -> None:
    recipe = recipe_of("upscaler", steps=10)
    loop.run(recipe, tasks.build(recipe, made), tmp_path, torch.device("cpu"))
    first = checkpoint.load(tmp_path / "checkpoint.pt")
    longer = replace(recipe, schedule=replace(recipe.schedule, steps=20))
    loop.run(longer, tasks.build(longer, made), tmp_path, torch.device("cpu"))
    second = checkpoint.load(tmp_path / "checkpoint.pt")
    assert first is not None
    assert second is not None
    assert (first["step"], second["step"]) == (10, 20)
    assert second["seconds"] > first["seconds"]


def test_a_broken_checkpoint_is_an_error_and_stays(tmp_path: Path) -> None:
    file = tmp_path / "checkpoint.pt"
    file.write_bytes(b"half a file")
    with pytest.raises(ValueError, match="move it away"):
        checkpoint.load(file)
    assert file.read_bytes() == b"half a file"


def test_an_error_in_the_data_thread_reaches_the_trainer(made: Path, tmp_path: Path) -> None:
    recipe = recipe_of("upscaler", steps=10)
    task = tasks.build(recipe, made)

    def broken(*_: object) -> loop.Batch:
        raise OSError("the disk is gone")

    task.batch = broken  # type: ignore[method-assign]
    with pytest.raises(OSError, match="disk is gone"):
        loop.run(recipe, task, tmp_path, torch.device("cpu"))


def test_gray_family_is_the_luminance_and_the_others_are_not() -> None:
    picture = torch.from_numpy(drawing(3)).permute(2, 0, 1)[None].float() / 255
    gray, is_gray = manga_like(picture, MangaOptions(gray=1.0), np.random.default_rng(0))
    ink, is_ink = manga_like(picture, MangaOptions(gray=0.0, toned=0.0), np.random.default_rng(0))
    luma = (picture * torch.tensor([0.299, 0.587, 0.114]).view(1, 3, 1, 1)).sum(1, keepdim=True)
    assert is_gray.all()
    assert not is_ink.any()
    assert (gray - luma).abs().mean() < 0.1
    assert ((ink < 0.2) | (ink > 0.7)).float().mean() > 0.75


def test_closing_removes_thin_dark_lines_only() -> None:
    y = torch.ones(1, 1, 20, 20)
    y[..., 5] = 0
    y[..., 10:18] = 0
    closed = closing(y, 5)
    assert closed[..., 5].min() == 1
    assert closed[..., 14].max() == 0


def test_synthetic_pages_have_white_paper_and_painted_panels() -> None:
    rng = np.random.default_rng(2)
    canvas, paper = page(256, lambda h, w: np.full((h, w, 3), (200, 40, 40), np.uint8), rng)
    assert 0.05 < paper.mean() < 0.8
    assert (canvas[paper] > 200).all(1).mean() > 0.7
    assert (canvas[~paper][:, 1] < 60).mean() > 0.8


def test_metrics_agree_with_their_definitions() -> None:
    truth = drawing(1, 96)
    gray = np.repeat(cv2.cvtColor(truth, cv2.COLOR_RGB2GRAY)[..., None], 3, 2)
    same, none = metrics.colour_row(truth, truth), metrics.colour_row(gray, truth)
    assert same["psnr"] == 100
    assert same["hue_ok"] == 1
    assert none["chroma"] < 0.01
    assert none["hue_ok"] == 0
    shifted = np.clip(truth.astype(int) + 5, 0, 255).astype(np.uint8)
    assert 33 < metrics.psnr(shifted, truth) < 36


def test_duplicates_and_gray_pictures_are_left_out(tmp_path: Path) -> None:
    folder = tmp_path / "set"
    folder.mkdir()
    Image.fromarray(drawing(1)).save(folder / "a.png")
    Image.fromarray(drawing(1)).save(folder / "copy of a.png")
    Image.fromarray(drawing(2)).convert("L").save(folder / "gray.png")
    (folder / "broken.png").write_bytes(b"\x89PNG no more")
    items = corpus.prepare([folder], tmp_path / "corpus")
    assert [item.name for item in items] == ["a.png"]
