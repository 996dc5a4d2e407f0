"""Training of zhang and labgan on made pictures: losses fall or move, encoders start from other weights and stay."""

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
from safetensors.torch import save_file
from torch import nn

from mangapaint.models import store
from train import corpus, export, loop, tasks
from train.recipe import Recipe, load
from train.tasks.labgan import LabGanTask, load_encoder
from train.tasks.zhang import ZhangTask

NETS: dict[str, dict[str, Any]] = {
    "zhang": {"net": {"width": 8}, "options": {"sides": [64], "pictures": 24, "pages": 0.0, "ink": 0.0}},
    "labgan": {"net": {"base": 4, "cap": 4}, "options": {"sides": [256], "judge": 4, "alone": 0.5}},
}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A corpus of eight pictures: a red ball over a blue ground, or the other way round where the ground is light."""
    folder = tmp_path_factory.mktemp("pictures") / "made"
    folder.mkdir()
    rng = np.random.default_rng(0)
    for index in range(8):
        picture = np.full((256, 256, 3), (40, 70, 200), np.uint8)
        for _ in range(6):
            centre, radius = rng.integers(0, 256, 2).tolist(), int(rng.integers(25, 60))
            cv2.circle(picture, centre, radius, (250, 150, 120), -1)
            cv2.circle(picture, centre, radius, (20, 10, 10), 3)
        Image.fromarray(picture).save(folder / f"{index}.png")
    target = tmp_path_factory.mktemp("corpus")
    corpus.prepare([folder], target)
    return target


def recipe_of(name: str, steps: int, batch: int, **options: Any) -> Recipe:
    recipe = load(name)
    schedule = replace(recipe.schedule, steps=steps, batch=batch, warmup=2, log_every=1, sample_every=10_000, ema=0.5)
    small = NETS[name]
    return replace(
        recipe, sets={"made": 1.0}, net=small["net"], options={**small["options"], **options}, schedule=schedule
    )


def curve(folder: Path) -> list[dict[str, float]]:
    return [json.loads(line) for line in (folder / "curve.jsonl").read_text().splitlines()]


def test_zhang_learns_and_its_export_carries_the_quantisation(made: Path, tmp_path: Path) -> None:
    recipe = recipe_of("zhang", steps=30, batch=4)
    recipe = replace(recipe, schedule=replace(recipe.schedule, learning_rate=6e-3))
    task = tasks.build(recipe, made)
    loop.run(recipe, task, tmp_path, torch.device("cpu"))
    losses = [row["entropy"] for row in curve(tmp_path)]
    assert np.isfinite(losses).all()
    assert np.mean(losses[-8:]) < 0.8 * np.mean(losses[:4])
    net, spec = store.load(str(export.export(recipe, task, tmp_path, made, tmp_path)))
    assert spec.arch == "zhang"
    assert torch.equal(cast(torch.Tensor, net.centres), cast(ZhangTask, task).centres)
    assert torch.allclose(cast(torch.Tensor, net.prior), cast(ZhangTask, task).prior, rtol=0.01, atol=1e-6)


def test_the_prior_is_that_of_the_corpus(made: Path) -> None:
    task = cast(ZhangTask, tasks.build(recipe_of("zhang", 1, 2), made))
    likely = task.centres[task.prior.topk(2).indices]
    assert task.prior.sum() == pytest.approx(1, abs=1e-4)
    assert likely[:, 1].min() < -50  # the blue ground


def test_labgan_moves_both_its_losses(made: Path, tmp_path: Path) -> None:
    recipe = recipe_of("labgan", steps=14, batch=2)
    task = tasks.build(recipe, made)
    loop.run(recipe, task, tmp_path, torch.device("cpu"))
    rows = curve(tmp_path)
    l1, judged = [row["l1"] for row in rows], [row["judge"] for row in rows if "judge" in row]
    assert np.isfinite([*l1, *judged]).all()
    assert np.mean(l1[-3:]) < np.mean(l1[:3])
    assert 4 <= len(judged) <= 8  # the second half
    assert len(set(judged)) == len(judged)
    net, spec = store.load(str(export.export(recipe, task, tmp_path, made, tmp_path)))
    assert (spec.arch, spec.multiple_of) == ("labgan", 256)
    assert not net.training


def test_a_frozen_encoder_of_other_weights_stays(made: Path, tmp_path: Path) -> None:
    other = cast(LabGanTask, tasks.build(recipe_of("labgan", 1, 2), made)).nets()["labgan"]
    save_file(other.state_dict(), tmp_path / "other.safetensors")
    recipe = recipe_of("labgan", steps=2, batch=2, encoder=str(tmp_path / "other.safetensors"), frozen=3)
    task = cast(LabGanTask, tasks.build(recipe, made))
    nets = task.nets()
    net = nets["labgan"]
    started = {key: value.clone() for key, value in net.state_dict().items()}
    assert all(torch.equal(started[key], value) for key, value in other.state_dict().items() if "encoder" in key)
    optimizers = {name: torch.optim.AdamW(part.parameters(), 1e-2) for name, part in nets.items()}
    for phase in task.phases(nets, task.batch(np.random.default_rng(0), 2, 1.0), 1.0):
        optimizers[phase.net].zero_grad()
        phase.loss.backward()  # type: ignore[no-untyped-call]
        optimizers[phase.net].step()
    changed = {key for key, value in net.state_dict().items() if not torch.equal(value, started[key])}
    assert not {key for key in changed if key.startswith(("encoder.0", "encoder.1", "encoder.2"))}
    assert any(key.startswith("encoder.3") for key in changed)
    assert any(key.startswith("decoder.7") for key in changed)


def test_the_backbone_takes_torchvisions_names(made: Path, tmp_path: Path) -> None:
    from torchvision.models import resnet18  # type: ignore[import-untyped]

    torch.manual_seed(0)
    theirs = resnet18().eval()
    torch.save(theirs.state_dict(), tmp_path / "resnet18.pth")
    recipe = recipe_of("labgan", 1, 2, encoder=f"torchvision:{tmp_path / 'resnet18.pth'}", frozen=5)
    recipe = replace(recipe, net={**recipe.net, "backbone": "resnet18"})
    net = cast(LabGanTask, tasks.build(recipe, made)).nets()["labgan"].eval()
    x = torch.rand(1, 3, 64, 64)
    with torch.inference_mode():
        expected = nn.Sequential(*list(theirs.children())[:-2])(x)
        found = nn.Sequential(*cast(nn.ModuleList, net.encoder)[:5])(x)
    assert torch.allclose(found, expected, atol=1e-4)
    assert not any(p.requires_grad for p in cast(nn.ModuleList, net.encoder)[:5].parameters())


def test_an_encoder_that_does_not_fit_is_an_error_that_says_so(made: Path, tmp_path: Path) -> None:
    net = cast(Any, cast(LabGanTask, tasks.build(recipe_of("labgan", 1, 2), made)).nets()["labgan"])
    save_file({"encoder.0.0.weight": torch.zeros(1)}, tmp_path / "strange.safetensors")
    with pytest.raises(ValueError, match=r"does not fit this net.*0\.0\.weight"):
        load_encoder(net, str(tmp_path / "strange.safetensors"))
    with pytest.raises(ValueError, match="backbone"):
        load_encoder(net, "torchvision:resnet18.pth")
    with pytest.raises(ValueError, match="multiples of 256"):
        tasks.build(recipe_of("labgan", 1, 2, sides=[128]), made)
