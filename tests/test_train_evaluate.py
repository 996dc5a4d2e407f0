"""Figures agree with their definitions, the kernel distance with its formula, and the report says how it was made."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

from mangapaint.models import archs
from mangapaint.settings import EngineSettings
from train import evaluate, export, features, metrics, report
from train.recipe import load

CPU = EngineSettings(device="cpu", precision="fp32")


def drawing(seed: int, height: int = 120, width: int = 96) -> np.ndarray:
    """Coloured discs with outlines on white paper."""
    rng = np.random.default_rng(seed)
    picture = np.full((height, width, 3), 255, np.uint8)
    for _ in range(8):
        centre, radius = rng.integers(20, 80, 2).tolist(), int(rng.integers(8, 30))
        cv2.circle(picture, centre, radius, rng.integers(30, 255, 3).tolist(), -1)
        cv2.circle(picture, centre, radius, (20, 10, 10), 2)
    return picture


def gray(picture: np.ndarray) -> np.ndarray:
    return np.repeat(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)[..., None], 3, 2)


def test_lab_and_ssim_are_those_of_scikit_image() -> None:
    from skimage.color import rgb2lab
    from skimage.metrics import structural_similarity

    truth = drawing(1)
    other = cv2.GaussianBlur(truth, (0, 0), 1.5)
    assert np.abs(metrics.lab(truth) - rgb2lab(truth)).max() < 0.01
    reference = structural_similarity(
        truth, other, data_range=255, gaussian_weights=True, sigma=1.5, use_sample_covariance=False, channel_axis=2
    )
    assert metrics.ssim(truth, other) == pytest.approx(reference, abs=1e-6)


def test_colour_figures_of_known_pictures() -> None:
    truth = drawing(2)
    shifted = np.where(truth < 128, truth + 51, truth - 51).astype(np.uint8)
    row = metrics.colour_row(shifted, truth)
    assert row["mse"] == pytest.approx(0.04)
    assert row["mae"] == pytest.approx(0.2)
    assert row["psnr"] == pytest.approx(13.979, abs=1e-3)
    same = metrics.colour_row(truth, truth)
    assert (same["psnr"], same["dab"], same["chroma"], same["hue_ok"]) == (100, 0, pytest.approx(1), 1)
    none = metrics.colour_row(gray(truth), truth)
    assert none["chroma"] < 0.01
    assert none["hue_ok"] == 0


def test_ink_and_paper_are_those_of_the_page() -> None:
    truth = drawing(3)
    page = gray(truth)
    kept = metrics.colour_row(page, truth, page)
    assert kept["white_keep"] == 1
    assert kept["ink"] == pytest.approx(0, abs=1e-4)
    assert kept["edges"] == pytest.approx(1)
    tinted = np.clip(page * np.array([1.0, 0.9, 0.8]) + 20, 0, 255).astype(np.uint8)
    spoiled = metrics.colour_row(tinted, truth, page)
    assert spoiled["white_keep"] == 0
    assert spoiled["ink"] > 2


def test_every_column_has_a_formula() -> None:
    truth = drawing(4)
    row = metrics.colour_row(truth, truth, gray(truth)) | metrics.sharpness_row(truth, truth, 2)
    assert set(row) <= set(metrics.FORMULAS)


def test_the_kernel_distance_is_the_mean_over_pairs_of_different_pictures() -> None:
    rng = np.random.default_rng(0)
    ours, true = (list(rng.normal(size=(3, 2, 5)).astype(np.float32)) for _ in range(2))

    def k(a: np.ndarray, b: np.ndarray) -> float:
        return float(np.mean([(x @ y / 5 + 1) ** 3 for x in a.astype(float) for y in b.astype(float)]))

    terms = [
        k(ours[i], ours[j]) + k(true[i], true[j]) - k(ours[i], true[j]) - k(true[i], ours[j])
        for i in range(3)
        for j in range(3)
        if i != j
    ]
    assert features.distance(ours, true).value == pytest.approx(np.mean(terms))


def test_the_kernel_distance_is_near_zero_for_one_distribution_and_grows_with_the_shift() -> None:
    rng = np.random.default_rng(1)
    true, same, near, far = (
        list((rng.normal(size=(40, 4, 8)) + shift).astype(np.float32)) for shift in (0.0, 0.0, 0.3, 0.8)
    )
    nothing, some, much = (features.distance(ours, true) for ours in (same, near, far))
    assert nothing.low < 0 < nothing.high
    assert some.low > nothing.value
    assert much.low > some.high
    assert features.distance(true, true).value == 0


def test_one_picture_makes_no_distance() -> None:
    one = [np.zeros((2, 4), np.float32)]
    with pytest.raises(ValueError, match="two pictures"):
        features.distance(one, one)


def test_the_shipped_feature_net_tells_true_colours_from_spoiled_ones() -> None:
    net = features.loaded()
    pictures = [drawing(seed, 160, 160) for seed in range(12)]
    true = [features.features_of(net, picture, seed) for seed, picture in enumerate(pictures)]
    assert np.concatenate(true).std() > 0.2
    spoiled = {name: [] for name, _ in features.versions(pictures[0])}
    for seed, picture in enumerate(pictures):
        for name, version in features.versions(picture):
            spoiled[name].append(features.features_of(net, version, seed))
    assert features.SHIPPED.stat().st_size < 0.6 * 2**20
    found = {name: features.distance(ours, true) for name, ours in spoiled.items()}
    other = found.pop("red and blue exchanged")  # discs have random colours: the exchanged ones are as good
    assert other.low < 0 < other.high
    assert all(one.low > 0 for one in found.values()), found
    assert found["gray"].value > found["half the chroma"].value


def test_the_same_seed_draws_the_same_page_in_each_kind() -> None:
    truth = drawing(5)
    for kind in evaluate.INPUTS:
        first, second = (evaluate.black_and_white(truth, kind, 7) for _ in range(2))
        assert np.array_equal(first, second)
        assert (first[..., 0] == first[..., 2]).all()
    assert set(np.unique(evaluate.black_and_white(truth, "sketch", 0))) <= {0, 255}
    with pytest.raises(ValueError, match="no kind of input is called pencil"):
        evaluate.black_and_white(truth, "pencil", 0)


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A painter that was never trained."""
    torch.manual_seed(0)
    config = {"channels": [8, 12, 16, 16], "blocks": [1, 1, 1, 1], "embedding": 16, "heads": 2, "bank": 3}
    net = archs.build("painter", config)
    with torch.no_grad():
        net.bank.uniform_()  # type: ignore[operator, union-attr]
    recipe = replace(load("painter"), name="tiny")
    path = tmp_path_factory.mktemp("weights") / "tiny.safetensors"
    save_file(export.tensors_of(net), path, metadata=export.spec_of(net, recipe).metadata())
    return path


@pytest.fixture(scope="module")
def sets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of two sets of pictures, and one for upscalers."""
    root = tmp_path_factory.mktemp("val")
    for name, seeds in (("discs", (1, 2)), ("more", (3, 4, 5)), ("sr", (6,))):
        (root / name).mkdir()
        for seed in seeds:
            Image.fromarray(drawing(seed)).save(root / name / f"{seed}.png")
    return root


def test_one_table_holds_every_input_and_everything_a_model_can_be_told(weights: Path, sets: Path) -> None:
    lines = evaluate.colour(sets, evaluate.Plan((str(weights),), ("gray", "sketch"), 2), CPU, lambda _: None)
    assert {line.data for line in lines} == {"discs", "more"}
    assert all(line.figures["n"] == 2 for line in lines)
    rows = report.summed(lines)
    systems = {"identity", "tiny", "tiny, own palette", "tiny, cue"}
    assert set(rows) == {f"{kind} | {system}" for kind in ("gray", "sketch") for system in systems}
    assert rows["gray | identity"]["chroma"] < 0.01
    assert rows["gray | tiny"]["n"] == 4
    text = report.text(lines, "val", 0)
    assert "discs (2), more (2)" in text
    assert "Seed 0" in text
    assert "-10 log10 mse" in text
    said = json.loads(report.written(lines, "val", 0))
    assert said["means"]["gray | tiny"]["psnr"] == pytest.approx(rows["gray | tiny"]["psnr"])
    assert len(said["rows"]) == len(lines)


def test_models_can_be_compared_by_what_they_make_of_the_page_alone(weights: Path, sets: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.safetensors"
    other.write_bytes(weights.read_bytes())
    models = evaluate.those_for((str(weights), str(other)), "colorize")
    assert not evaluate.those_for(models, "upscale")
    lines = evaluate.colour(sets, evaluate.Plan(models, ("gray",), 1, alone=True), CPU, lambda _: None)
    assert {line.system for line in lines} == {"identity", "tiny", "other"}


def test_a_folder_without_pictures_is_an_error_that_names_it(weights: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match="no pictures in .*empty"):
        evaluate.colour(tmp_path, evaluate.Plan((str(weights),)), CPU, lambda _: None)
