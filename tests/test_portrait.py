"""Portraits: exact low resolution, refinement, mixing, edits that change what they say; nets of random weights."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from safetensors.torch import save_file

from mangapaint.engine.runner import Engine
from mangapaint.errors import PageError, UsageError, WeightsError
from mangapaint.models import archs
from mangapaint.models.portrait_encoder import PortraitEncoder, PortraitEncoderConfig
from mangapaint.models.portrait_net import PortraitConfig, PortraitNet
from mangapaint.models.spec import ModelSpec
from mangapaint.portrait import Edit, Portrait, directions, parsed
from mangapaint.portrait.consistency import consistent, low_luma, luma
from mangapaint.portrait.measures import NAMES, measured
from mangapaint.portrait.refine import agreement, as_seen, refined
from mangapaint.settings import EngineSettings

SMALL = PortraitConfig(latent=32, mapping=2, widths=(16, 16, 12, 8))
"""32 px."""
ENCODER = PortraitEncoderConfig(width=2, pyramid=4, layers=SMALL.layers, latent=SMALL.latent, side=SMALL.side)


@pytest.fixture(scope="module")
def portrait() -> Portrait:
    torch.manual_seed(3)
    net = PortraitNet(SMALL).eval()
    directions.find(net)
    return Portrait(net, PortraitEncoder(ENCODER), torch.device("cpu"))


@pytest.fixture(scope="module")
def face() -> NDArray[np.uint8]:
    """48 x 40 px: a light oval on a dark ground."""
    picture = np.full((48, 40), 60, np.uint8)
    cv2.ellipse(picture, (20, 26), (13, 17), 0, 0, 360, 210, -1)
    return picture


@pytest.mark.parametrize("low", [8, 16, 32])
@pytest.mark.parametrize("extreme", [False, True])
def test_the_reduced_luma_is_the_target_exactly(low: int, extreme: bool) -> None:
    rng = np.random.default_rng(low)
    picture = rng.uniform(-40, 295, (32, 32, 3))
    target = rng.choice([0, 1, 254, 255], (low, low)) if extreme else rng.integers(0, 256, (low, low))
    made = consistent(picture, target.astype(np.uint8))
    assert np.array_equal(low_luma(made, low), target)
    gray = cv2.cvtColor(made, cv2.COLOR_RGB2GRAY)
    assert np.array_equal(gray, luma(made))
    assert np.array_equal(cv2.resize(gray, (low, low), interpolation=cv2.INTER_AREA), target)


def test_what_agrees_already_keeps_its_colours() -> None:
    rng = np.random.default_rng(0)
    picture = cv2.resize(rng.integers(40, 215, (4, 4, 3)).astype(np.uint8), (32, 32)).astype(np.float64)
    target = np.rint(low_luma(picture.astype(np.uint8), 8)).astype(np.uint8)
    assert np.abs(consistent(picture, target) - picture).max() <= 3


def test_a_side_that_is_no_multiple_is_refused() -> None:
    with pytest.raises(ValueError, match="no multiple"):
        consistent(np.zeros((30, 30, 3)), np.zeros((8, 8), np.uint8))


def test_every_portrait_has_the_faces_luma(portrait: Portrait, face: NDArray[np.uint8]) -> None:
    square = np.asarray(face[4:44], np.uint8)
    for low in (8, 32):
        target = cv2.resize(square, (low, low), interpolation=cv2.INTER_AREA)
        results = portrait.results(face, 3, low=low)
        for result in results:
            assert result.pixels.shape == (32, 32, 3)
            assert np.array_equal(low_luma(result.pixels, low), target)
            assert result.record["low"] == low
        assert len({result.pixels.tobytes() for result in results}) == 3


def test_a_seed_makes_its_portrait_again(portrait: Portrait, face: NDArray[np.uint8]) -> None:
    several = portrait.results(face, 3, 11)
    again = portrait.results(face, 1, several[2].record["seed"])[0]
    assert np.abs(again.pixels.astype(int) - several[2].pixels).max() <= 2
    assert portrait.results(face, 1, 12)[0].pixels.tobytes() != again.pixels.tobytes()


def test_refinement_brings_the_drawing_nearer(portrait: Portrait) -> None:
    net = portrait.net
    with torch.no_grad():
        w = net.mapped(torch.randn(2, SMALL.latent, generator=torch.Generator().manual_seed(1)))
        goal = net.drawn(net.broadcast(w[:1]), portrait.silent(1))
    target = np.clip(np.asarray(goal[0].permute(1, 2, 0)) * 255, 0, 255)
    seen, _ = as_seen(np.rint(low_luma(target.astype(np.uint8), 16)).astype(np.uint8), 32, torch.device("cpu"))
    start = net.broadcast(w[1:]).contiguous()
    moved = refined(net, start, portrait.silent(1), seen, 40)
    with torch.no_grad():
        before, after = (agreement(net.drawn(one, portrait.silent(1)), seen) for one in (start, moved))
    assert float(after) > float(before) + 3
    assert torch.equal(refined(net, start, portrait.silent(1), seen, 5, free=4)[:, 4:], start[:, 4:])


@pytest.mark.parametrize("word", ["hair=blue", "hair=red", "brightness=1.5", "warmth=-1.5"])
def test_an_edit_changes_what_it_says(portrait: Portrait, word: str) -> None:
    net = portrait.net
    with torch.no_grad():
        w = net.truncated(net.mapped(torch.randn(4, SMALL.latent, generator=torch.Generator().manual_seed(2))), 0.7)
        styles, noises = net.broadcast(w), portrait.silent(4)
        [edit] = parsed([word])
        before = measured(net.drawn(styles, noises))
        after = measured(net.drawn(directions.edited(net, styles, noises, [edit]), noises))
        aim, named = directions.wanted(net, net.drawn(styles, noises), [edit])
    far = [(one - aim)[:, named].norm(dim=1) for one in (before, after)]
    assert bool((far[1] <= far[0]).all())
    assert float(far[1].mean()) < 0.8 * float(far[0].mean())


def test_colour_edits_keep_the_light_and_light_edits_move_it(portrait: Portrait, face: NDArray[np.uint8]) -> None:
    target = cv2.resize(np.asarray(face[4:44], np.uint8), (8, 8), interpolation=cv2.INTER_AREA)
    plain = portrait.results(face, 1, 4, low=8)[0]
    blue = portrait.results(face, 1, 4, parsed(["hair=blue"]), low=8)[0]
    light = portrait.results(face, 1, 4, parsed(["brightness=2"]), low=8)[0]
    assert np.array_equal(low_luma(blue.pixels, 8), target)
    assert blue.pixels.tobytes() != plain.pixels.tobytes()
    assert blue.record["edits"] == {"hair": "blue"}
    assert low_luma(light.pixels, 8).mean() > target.mean() + 2
    assert light.record["low"] == 0


def test_each_principal_direction_is_named_by_a_measure(portrait: Portrait) -> None:
    names = directions.named(portrait.net)
    assert {name for name, _ in names} <= set(NAMES)
    spreads = portrait.net.get_buffer("spreads")
    assert bool((spreads[1:] <= spreads[:-1] + 1e-6).all())


def test_words_of_edits_are_read_and_nonsense_is_refused() -> None:
    assert parsed(["hair = Blue", "mouth=1", "hair=red"]) == (Edit("hair", "red"), Edit("mouth", 1.0))
    for word in ("hair", "nose=1", "hair=plaid", "mouth=blue", "mouth=9", "mouth=nan"):
        with pytest.raises(UsageError):
            parsed([word])


def test_senseless_wishes_are_errors(portrait: Portrait, face: NDArray[np.uint8]) -> None:
    for count, low, seed in ((0, None, 0), (5000, None, 0), (1, 12, 0), (1, 64, 0), (1, None, -1)):
        with pytest.raises(UsageError):
            portrait.results(face, count, seed, low=low)
    with pytest.raises(PageError, match="too small"):
        portrait.results(face[:6], 1)
    assert portrait.results(face[:17, :17], 1)[0].record["low"] == 16


def test_a_pair_of_weights_is_loaded_and_a_mismatched_one_refused(portrait: Portrait, tmp_path: Path) -> None:
    def written(name: str, arch: str, config: object, net: torch.nn.Module) -> None:
        spec = ModelSpec(name, "portrait", arch, f"{name}.safetensors", asdict(config))  # type: ignore[call-overload]
        save_file({k: v.contiguous() for k, v in net.state_dict().items()}, tmp_path / spec.filename, spec.metadata())

    engine = Engine(EngineSettings(device="cpu", precision="fp32", offline=True))
    written("face", "portrait", SMALL, portrait.net)
    with pytest.raises(WeightsError):
        Portrait.load(engine, str(tmp_path / "face.safetensors"))
    written("face-encoder", "portrait-encoder", ENCODER, portrait.encoder)
    loaded = Portrait.load(engine, str(tmp_path / "face.safetensors"))
    assert loaded.side == 32
    assert torch.equal(loaded.net.get_buffer("effects"), portrait.net.get_buffer("effects"))
    other = replace(ENCODER, latent=16)
    written("face-encoder", "portrait-encoder", other, PortraitEncoder(other))
    with pytest.raises(WeightsError, match="another generator"):
        Portrait.load(engine, str(tmp_path / "face.safetensors"))


def test_the_nets_of_the_recipes_fit_the_budget() -> None:
    numbers = 0
    for arch in ("portrait", "portrait-encoder"):
        with torch.device("meta"):
            numbers += sum(value.numel() for value in archs.build(arch, {}).state_dict().values())
    assert numbers * 2 <= 6.1 * 2**20
