"""Training of dcgan and wgan-gp on made faces: what is drawn, how it is dyed, and that both sides of the game move."""

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
from torch import Tensor, nn

from mangapaint.models import store
from mangapaint.models.lab import rgb_to_lab
from train import corpus, export, loop, tasks
from train.adversary import gradient_penalty
from train.corpus import Picture
from train.recipe import Recipe, load
from train.tasks.abgan import AbGanTask
from train.tasks.whitefaces import FaceOptions, WhiteFaces, background, dyed, whitened

SKIN, GROUND = (250, 215, 190), (120, 190, 160)


def face(hair: tuple[int, int, int], ground: tuple[int, int, int] = GROUND, side: int = 112) -> Picture:
    """A face with hair, eyes and shoulders before one colour."""
    picture = np.full((112, 112, 3), ground, np.uint8)
    cv2.ellipse(picture, (56, 112), (44, 22), 0, 0, 360, (60, 60, 110), -1)
    cv2.ellipse(picture, (56, 54), (36, 40), 0, 0, 360, hair, -1)
    cv2.ellipse(picture, (56, 66), (25, 29), 0, 0, 360, SKIN, -1)
    cv2.ellipse(picture, (56, 42), (27, 14), 0, 0, 360, hair, -1)
    for x in (46, 66):
        cv2.circle(picture, (x, 64), 4, (30, 60, 160), -1)
    return np.asarray(cv2.resize(picture, (side, side), interpolation=cv2.INTER_AREA), np.uint8)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A corpus of eight faces before green, and one that fills the picture."""
    folder = tmp_path_factory.mktemp("pictures") / "made"
    folder.mkdir()
    rng = np.random.default_rng(0)
    for index in range(8):
        hair = tuple(int(x) for x in rng.integers(60, 200, 3))
        Image.fromarray(face(hair, side=112 + 8 * index)).save(folder / f"{index}.png")  # type: ignore[arg-type]
    Image.fromarray(face((90, 60, 40))[30:90, 30:90].repeat(2, 0).repeat(2, 1)).save(folder / "close.png")
    target = tmp_path_factory.mktemp("corpus")
    corpus.prepare([folder], target)
    return target


def recipe_of(name: str, **options: Any) -> Recipe:
    recipe = load(name)
    schedule = replace(
        recipe.schedule, steps=6, batch=4, warmup=1, log_every=1, sample_every=10_000, ema=0.5, learning_rate=1e-3
    )
    net = {"widths": [4, 4, 8, 8, 8], "latent": 4, "style": 4}
    small = {"sides": [64], "judge": 4}
    return replace(
        recipe, sets={"made": 1.0}, net=net, options={**recipe.options, **small, **options}, schedule=schedule
    )


@pytest.mark.parametrize("name", ["dcgan", "wgan-gp"])
def test_both_sides_move_and_the_export_colours_by_its_noise(name: str, made: Path, tmp_path: Path) -> None:
    recipe = recipe_of(name, ink=0.25)
    task = tasks.build(recipe, made)
    loop.run(recipe, task, tmp_path, torch.device("cpu"))
    rows = [json.loads(line) for line in (tmp_path / "curve.jsonl").read_text().splitlines()]
    assert len(rows) == 6
    for key in ("judge", "fooled", "apart", "chroma", *(["penalty"] if name == "wgan-gp" else [])):
        values = [row[key] for row in rows]
        assert np.isfinite(values).all()
        assert len(set(values)) > 1
    net, spec = store.load(str(export.export(recipe, task, tmp_path, made, tmp_path)))
    assert (spec.arch, spec.multiple_of) == ("abgan", 32)
    assert cast(Any, net).latent_size == 4
    assert not net.training


def test_the_wasserstein_critic_has_no_batchnorm_and_five_steps_on_pictures_of_their_own(made: Path) -> None:
    task = cast(AbGanTask, tasks.build(recipe_of("wgan-gp"), made))
    nets = task.nets()
    assert not [part for part in nets["judge"].modules() if isinstance(part, nn.BatchNorm2d)]
    batch = task.batch(np.random.default_rng(0), 4, 0.0)
    assert batch["light"].shape == (20, 1, 64, 64)
    assert batch["ab"].shape == (20, 2, 32, 32)
    names = []
    for phase in task.phases(nets, batch, 0.0):
        names.append(phase.net)
        phase.loss.backward()  # type: ignore[no-untyped-call]
    assert names == ["judge"] * 5 + ["abgan"]


def test_dcgans_critic_is_normed_and_steps_once(made: Path) -> None:
    task = cast(AbGanTask, tasks.build(recipe_of("dcgan"), made))
    nets = task.nets()
    assert [part for part in nets["judge"].modules() if isinstance(part, nn.BatchNorm2d)]
    phases = task.phases(nets, task.batch(np.random.default_rng(0), 4, 0.0), 0.0)
    assert [phase.net for phase in phases] == ["judge", "abgan"]


def test_the_generators_step_leaves_the_critic_without_gradient(made: Path) -> None:
    task = cast(AbGanTask, tasks.build(recipe_of("wgan-gp", seeking=1.0), made))
    nets = task.nets()
    for phase in task.phases(nets, task.batch(np.random.default_rng(0), 4, 0.0), 0.0):
        nets["judge"].zero_grad()
        phase.loss.backward()  # type: ignore[no-untyped-call]
    assert "sought" in phase.scalars
    assert all(p.grad is None for p in nets["judge"].parameters())
    assert all(p.grad is not None for p in nets["abgan"].parameters())


def test_the_penalty_of_a_linear_critic_is_that_of_its_slope() -> None:
    weight = torch.full((1, 2, 4, 4), 0.5)  # its norm is 0.5 * sqrt(32)

    def critic(x: Tensor) -> Tensor:
        return (x * weight).sum((1, 2, 3)).view(-1, 1, 1, 1)

    real, fake = torch.rand(3, 2, 4, 4), torch.rand(3, 2, 4, 4)
    assert gradient_penalty(critic, real, fake).item() == pytest.approx((0.5 * 32**0.5 - 1) ** 2, rel=1e-5)


def test_a_plain_background_becomes_white_and_the_face_stays() -> None:
    before = face((150, 80, 60), side=160)
    after = whitened(before)
    assert after is not None
    assert (after[5, 5] == 255).all()
    assert (after[80, 8] == 255).all()
    assert np.array_equal(after[60:120, 50:110], before[60:120, 50:110])


@pytest.mark.parametrize(
    "picture",
    [
        face((150, 80, 60))[30:90, 30:90],  # hair up to the border
        face((150, 80, 60), ground=(30, 30, 30)),  # dark: a rim would stay
        np.random.default_rng(0).integers(0, 256, (112, 112, 3), np.uint8),
    ],
    ids=["close", "dark", "noise"],
)
def test_what_is_no_certain_background_is_left_alone(picture: Picture) -> None:
    assert background(picture) is None
    assert whitened(picture) is None


def test_only_faces_with_such_a_background_are_drawn(made: Path) -> None:
    white = WhiteFaces(made, {"made": 1.0}, FaceOptions())
    assert len(white.faces) == len(white.corpus) - 1 > 1  # all but the close one
    with pytest.raises(ValueError, match="background = 'any'"):
        _ = WhiteFaces(made, {"made": 1.0}, FaceOptions(background="white")).faces
    batch = WhiteFaces(made, {"made": 1.0}, FaceOptions(background="any")).batch(np.random.default_rng(0), 3, 64)
    assert batch["light"].shape == (3, 1, 64, 64)


def test_one_face_gets_many_hair_colours_and_one_skin() -> None:
    picture = torch.from_numpy(face((150, 70, 60), (255, 255, 255))).permute(2, 0, 1)[None].float() / 255
    lab = rgb_to_lab(picture)
    options = FaceOptions(turned=1.0, skin=0.0)
    made = torch.cat([dyed(lab, options, np.random.default_rng(seed)) for seed in range(6)])
    hair, skin, paper = made[:, :, 22, 56], made[:, :, 84, 50], made[:, :, 2, 2]
    assert torch.pdist(hair).mean() > 15
    assert torch.pdist(skin).max() < 3
    assert paper.abs().max() < 1


def test_undyed_faces_keep_their_colours() -> None:
    lab = rgb_to_lab(torch.from_numpy(face((150, 70, 60))).permute(2, 0, 1)[None].float() / 255)
    same = dyed(lab, FaceOptions(turned=0.0, skin=0.0), np.random.default_rng(0))
    assert (same - lab[:, 1:]).abs().max() < 0.5


@pytest.mark.parametrize(
    ("options", "message"), [({"sides": [48]}, "multiples of 32"), ({"critic_steps": 0}, "critic_steps")]
)
def test_options_that_cannot_be_are_refused(options: dict[str, Any], message: str, made: Path) -> None:
    with pytest.raises(ValueError, match=message):
        tasks.build(recipe_of("dcgan", **options), made)
