"""Training of portraits on made faces: losses move and stay finite, strange faces are left out, scores are figures."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import cv2
import numpy as np
import pytest
import torch
from PIL import Image

from mangapaint.errors import WeightsError
from mangapaint.models import store
from mangapaint.models.portrait_encoder import PortraitEncoder
from mangapaint.models.portrait_net import PortraitNet
from mangapaint.portrait import Portrait
from mangapaint.portrait.measures import NAMES
from train import corpus, export, loop, portraits, tasks
from train.diffaugment import KINDS, augmented
from train.facejudge import FaceJudge, deviation, roughness
from train.faceset import FaceSet, Frame
from train.recipe import Recipe, load
from train.tasks.portrait import PortraitTask

GENERATOR: dict[str, Any] = {"latent": 16, "mapping": 2, "widths": [12, 12, 8]}
"""16 px."""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A corpus of two sets of 12: ovals in the middle, and the same with two that are halves."""
    rng = np.random.default_rng(0)
    folders = [tmp_path_factory.mktemp("pictures") / name for name in ("near", "mixed")]
    for folder in folders:
        folder.mkdir()
        for index in range(12):
            picture = np.full((64, 64, 3), rng.integers(0, 120, 3), np.uint8)
            picture[:, :, :] += rng.integers(0, 12, picture.shape).astype(np.uint8)
            centre = (32 + int(rng.integers(-3, 4)), 36 + int(rng.integers(-3, 4)))
            cv2.ellipse(picture, centre, (18, 22), 0, 0, 360, (250, 215, 190), -1)
            cv2.circle(picture, (centre[0] - 8, centre[1]), 3, (30, 40, 90), -1)
            cv2.circle(picture, (centre[0] + 8, centre[1]), 3, (30, 40, 90), -1)
            if folder.name == "mixed" and index < 2:
                picture[:, :30] = (250, 240, 60 + 90 * index)
                picture[:, 30:] = (10, 40, 90 * index)
            Image.fromarray(picture).save(folder / f"{index:02}.png")
    target = tmp_path_factory.mktemp("corpus")
    corpus.prepare(folders, target)
    return target


def recipe_of(name: str, steps: int, **options: Any) -> Recipe:
    recipe = load(name)
    schedule = replace(recipe.schedule, steps=steps, batch=8, warmup=2, log_every=1, sample_every=10_000, ema=0.5)
    net = GENERATOR if name == "portrait" else {"width": 2, "pyramid": 4}
    return replace(recipe, sets={"near": 1.0}, net=net, options=options, schedule=schedule)


@pytest.fixture(scope="module")
def generator(made: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Weights of a generator after 20 steps; its run lies in the same folder."""
    folder = tmp_path_factory.mktemp("portrait")
    recipe = recipe_of("portrait", 20, judge=[12, 12], lazy=8, grow=[0.3], fade=0.3)
    task = tasks.build(recipe, made)
    loop.run(recipe, task, folder, torch.device("cpu"))
    return export.export(recipe, task, folder, made, folder)


def curve(folder: Path) -> list[dict[str, float]]:
    return [json.loads(line) for line in (folder / "curve.jsonl").read_text().splitlines()]


def test_the_generator_and_its_judge_move_and_r1_comes_lazily(generator: Path) -> None:
    rows = curve(generator.parent)
    for name in ("judge", "fooled"):
        values = [row[name] for row in rows]
        assert np.isfinite(values).all()
        assert len(set(values)) > 10
    assert [int(row["step"]) for row in rows if "r1" in row] == [1, 9, 17]


def test_the_exported_generator_knows_its_directions(generator: Path) -> None:
    net, spec = store.load(str(generator))
    assert (spec.task, spec.arch) == ("portrait", "portrait")
    assert isinstance(net, PortraitNet)
    assert float(net.get_buffer("mean").abs().sum()) > 0
    assert float(net.get_buffer("effects")[:8].abs().sum()) > 0
    assert net.get_buffer("effects").shape[1] == len(NAMES)


def test_the_encoder_learns_places_and_pairs_with_its_generator(made: Path, generator: Path, tmp_path: Path) -> None:
    options = {"generator": str(generator), "lows": [8, 16]}
    recipe = recipe_of("portrait-encoder", 40, **options)
    recipe = replace(recipe, schedule=replace(recipe.schedule, learning_rate=4e-3))
    task = tasks.build(recipe, made)
    loop.run(recipe, task, tmp_path, torch.device("cpu"))
    rows = curve(tmp_path)
    for name in ("w", "z", "image", "coarse"):
        assert np.isfinite([row[name] for row in rows]).all()
    assert np.mean([row["w"] for row in rows[-8:]]) < np.mean([row["w"] for row in rows[:8]])
    path = export.export(recipe, task, tmp_path, made, generator.parent)
    assert isinstance(store.load(str(path))[0], PortraitEncoder)
    path.rename(generator.with_name("portrait-encoder.safetensors"))
    from mangapaint.engine.runner import Engine
    from mangapaint.settings import EngineSettings

    portrait = Portrait.load(Engine(EngineSettings(device="cpu", offline=True)), str(generator))
    row = portraits.places(portrait, 8, 0.7)
    assert 0 < row["w_share"] < 3
    assert 0 < row["z"] < 3
    face = np.full((20, 20), 90, np.uint8)
    assert portrait.results(face, 2)[1].pixels.shape == (16, 16, 3)


def test_an_encoder_without_a_generator_is_told_to_train_one(made: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="run and export the recipe portrait first"):
        tasks.build(recipe_of("portrait-encoder", 1, generator=str(tmp_path / "none.safetensors")), made)
    (tmp_path / "bad.safetensors").write_bytes(b"12345678")
    with pytest.raises(WeightsError):
        tasks.build(recipe_of("portrait-encoder", 1, generator=str(tmp_path / "bad.safetensors")), made)


def test_the_faces_least_like_the_first_set_are_left_out(made: Path) -> None:
    every = FaceSet(made, {"near": 1.0, "mixed": 1.0}, 16)
    most = FaceSet(made, {"near": 1.0, "mixed": 1.0}, 16, {"mixed": 10 / 12})
    assert (len(every), len(most)) == (24, 22)
    left_out = [one for one in every.faces if not any(torch.equal(one, kept) for kept in most.faces)]
    assert len(left_out) == 2
    assert all(float(face[0, :, 0].float().mean() - face[0, :, 15].float().mean()) > 200 for face in left_out)
    with pytest.raises(ValueError, match="keep"):
        FaceSet(made, {"near": 1.0}, 16, {"mixed": 0.5})
    with pytest.raises(ValueError, match="keep"):
        FaceSet(made, {"near": 1.0}, 16, {"near": 0.0})


def test_a_frame_stays_inside_the_picture() -> None:
    picture = np.arange(100, dtype=np.uint8).repeat(80).reshape(100, 80)[..., None].repeat(3, 2)
    cut = Frame(0.5, 0.5, 0.05).cut(picture)
    assert cut.shape == (40, 40, 3)
    assert cut[0, 0, 0] == 0


def test_the_nets_grow_and_a_new_level_comes_in_slowly(made: Path) -> None:
    task = cast(PortraitTask, tasks.build(recipe_of("portrait", 1, judge=[8, 8], grow=[0.5], fade=0.1), made))
    assert task.grown(0.0) == (2, 1.0)
    assert task.grown(0.5) == (3, 0.0)
    assert task.grown(0.55)[1] == pytest.approx(0.5)
    assert task.grown(1.0) == (3, 1.0)
    torch.manual_seed(0)
    net, judge = (task.nets()[name].eval() for name in ("portrait", "judge"))
    net, w = cast(PortraitNet, net), torch.randn(2, 6, 16)
    with torch.no_grad():
        small, large = net.drawn(w, levels=2), net.drawn(w, levels=3, fade=0.0)
        assert small.shape[-1] == 8
        assert torch.allclose(large, torch.nn.functional.interpolate(small, scale_factor=2, mode="bilinear"), atol=1e-5)
        assert torch.allclose(judge(large, 0.0), judge(torch.nn.functional.avg_pool2d(large, 2)), atol=1e-4)
        assert not torch.allclose(judge(large, 1.0), judge(large, 0.0), atol=1e-4)


@pytest.mark.parametrize("kind", KINDS)
def test_an_augmentation_changes_each_picture_and_lets_gradients_through(kind: str) -> None:
    torch.manual_seed(0)
    picture = torch.rand(3, 1, 16, 16).expand(3, 3, 16, 16).clone().requires_grad_()
    seen = augmented(picture, (kind,))
    assert seen.shape == picture.shape
    assert not torch.equal(seen, picture)
    seen.sum().backward()  # type: ignore[no-untyped-call]
    assert picture.grad is not None
    assert bool((picture.grad.abs().sum((1, 2, 3)) > 0).all())
    with pytest.raises(ValueError, match="augmentations"):
        augmented(picture, ("blur",))


def test_sameness_shows_and_r1_is_the_slope() -> None:
    torch.manual_seed(0)
    same, varied = torch.rand(1, 4, 4, 4).expand(8, -1, -1, -1), torch.rand(8, 4, 4, 4)
    assert float(deviation(varied).mean()) > 100 * float(deviation(same).mean())
    judge = FaceJudge((8, 8))
    true, push = torch.rand(4, 3, 16, 16), 1e-3
    slope = float(roughness(judge, true).detach())
    moved = true.clone().requires_grad_()
    (direction,) = torch.autograd.grad(judge(moved).sum(), moved)
    with torch.no_grad():
        rise = (judge(true + push * direction).sum() - judge(true).sum()) / push
    assert float(rise) / len(true) == pytest.approx(slope, rel=0.1)


def test_recipes_that_do_not_fit_say_so(made: Path) -> None:
    for options, word in (
        ({"judge": [8]}, "judge"),
        ({"augment": ["blur"]}, "augment"),
        ({"grow": [0.5, 0.2]}, "grow"),
    ):
        with pytest.raises(ValueError, match=word):
            PortraitTask(recipe_of("portrait", 1, **{"judge": [8, 8], **options}), made)
    task = cast(PortraitTask, tasks.build(recipe_of("portrait", 1, judge=[8, 8]), made))
    sheet = task.samples(task.nets()["portrait"].eval(), torch.device("cpu"))
    assert sheet.shape == (6 * 16, 16 * 16, 3)
