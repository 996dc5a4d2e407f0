"""Enlarged pages: no seams, colour that stays behind its ink, and the size that was asked for."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from small_nets import UPSCALER, UPSCALER_SPEC, weights
from test_layout_native import as_jpeg, drawn

from mangapaint.engine.runner import Engine
from mangapaint.errors import WeightsError
from mangapaint.models import store, weightfile
from mangapaint.models.registry import REGISTRY
from mangapaint.models.upscaler_net import UpscalerConfig
from mangapaint.page import PageImage
from mangapaint.paint import chroma
from mangapaint.paint.enlarge import Enlarger
from mangapaint.pipeline.loading import ColorizerLoader
from mangapaint.settings import EngineSettings, Settings, UpscaleSettings

Pixels = NDArray[np.uint8]


def enlarger(folder: Path, scale: int, *, stride: int = 1, tile: int | None = None, native: str = "auto") -> Enlarger:
    config = UpscalerConfig(channels=8, pairs=1, stride=stride)
    spec = replace(UPSCALER_SPEC, config=asdict(config), receptive_field=config.receptive_field)
    settings = UpscaleSettings(scale, str(weights(folder, spec)), native=native)  # type: ignore[arg-type]
    found = Enlarger(Engine(EngineSettings(device="cpu", precision="fp32", tile=tile)), settings, offline=True)
    torch.manual_seed(1)
    for head in found.upscaler.net.heads.values():  # type: ignore[union-attr, operator]
        torch.nn.init.normal_(head.weight, std=0.05)
    return found


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("scale", [2, 3, 4])
def test_tiles_equal_the_page_as_a_whole(tmp_path: Path, scale: int, stride: int) -> None:
    page = np.dstack([drawn()[:201, :175], drawn(seed=4)[:201, :175], drawn(seed=5)[:201, :175]])
    both = [enlarger(tmp_path, scale, stride=stride, tile=tile, native="off") for tile in (512, 64)]
    whole, tiled = (each.gray(torch.from_numpy(page[..., 0].copy())[None, None]).int() for each in both)
    assert (whole - tiled).abs().max() <= 1
    large, stitched = (each.colour(page).astype(int) for each in both)
    assert large.shape == (201 * scale, 175 * scale, 3)
    assert np.abs(large - stitched).max() <= 4, "colour follows luminance by its slope, which is 4 at most"


def flat_art(side: int = 240) -> Pixels:
    """Flat saturated areas behind black lines, beside white; as a vector drawing at full size."""
    page = np.full((side, side, 3), 255, np.uint8)
    cv2.circle(page, (80, 90), 60, (220, 40, 60), -1, cv2.LINE_AA)
    cv2.circle(page, (80, 90), 60, (0, 0, 0), 7, cv2.LINE_AA)
    cv2.rectangle(page, (110, 130), (220, 225), (40, 90, 210), -1)
    cv2.rectangle(page, (110, 130), (220, 225), (0, 0, 0), 6)
    cv2.line(page, (20, 220), (225, 20), (0, 0, 0), 5, cv2.LINE_AA)
    return page


def planes(pixels: NDArray[Any]) -> torch.Tensor:
    return torch.from_numpy(np.ascontiguousarray(pixels.transpose(2, 0, 1)))[None]


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_colour_bleeds_less_over_ink_than_by_interpolation(scale: int) -> None:
    truth = planes(flat_art()).float()
    small = F.avg_pool2d(truth, scale).round().to(torch.uint8)
    sharp = chroma.luma(truth).round().to(torch.uint8)
    found = chroma.carried(small, sharp, scale).float()
    cubic = F.interpolate(small.float(), scale_factor=scale, mode="bicubic")
    plain = cubic + sharp - chroma.luma(cubic)
    ink = F.max_pool2d((sharp < 60).float(), 5, 1, 2).bool().expand_as(truth)

    def error(x: torch.Tensor) -> float:
        return float((x.clamp(0, 255) - truth)[ink].square().mean())

    assert error(found) < 0.75 * error(plain)


def test_luminance_is_the_nets_and_even_colours_stay() -> None:
    even = torch.tensor([200, 60, 90], dtype=torch.uint8).view(1, 3, 1, 1).expand(1, 3, 20, 30).contiguous()
    y = chroma.luma(even.float()).round().to(torch.uint8)
    assert (
        chroma.carried(even, y.repeat_interleave(3, 2).repeat_interleave(3, 3), 3).int() - even[..., :1, :1]
    ).abs().max() <= 1
    small = planes(cv2.resize(flat_art(), (80, 80), interpolation=cv2.INTER_AREA) // 2 + 60)
    sharp = chroma.luma(planes(flat_art() // 2 + 60).float()).round().to(torch.uint8)
    found = chroma.carried(small, sharp, 3)
    assert (chroma.luma(found.float()) - sharp).abs().max() <= 3


def test_strips_cannot_be_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    small, sharp = planes(cv2.resize(flat_art(), (60, 60))), chroma.luma(planes(flat_art()).float()).to(torch.uint8)
    whole, kept = chroma.carried(small, sharp, 4), chroma.kept(small, planes(flat_art()).clone(), 4)
    monkeypatch.setattr(chroma, "_STRIP", 240 * 12)
    assert (chroma.carried(small, sharp, 4).int() - whole.int()).abs().max() <= 1
    assert (chroma.kept(small, planes(flat_art()).clone(), 4).int() - kept.int()).abs().max() <= 1


@pytest.mark.parametrize(("factor", "scale"), [(2.0, 2), (1.5, 2), (2.0, 3)])
def test_a_page_enlarged_before_is_seen_small_and_gets_the_size_asked_for(
    tmp_path: Path, factor: float, scale: int
) -> None:
    small = drawn()
    size = round(small.shape[1] * factor), round(small.shape[0] * factor)
    page = np.repeat(np.asarray(cv2.resize(small, size, interpolation=cv2.INTER_CUBIC), np.uint8)[..., None], 3, 2)
    found = enlarger(tmp_path, scale, native="auto")
    seen: list[tuple[int, ...]] = []
    found.upscaler.net.register_forward_pre_hook(lambda _, given: seen.append(tuple(given[0].shape[-2:])))
    gray = found.gray(torch.from_numpy(page[..., 0].copy())[None, None])
    assert gray.shape[-2:] == (size[1] * scale, size[0] * scale)
    assert sum(h * w for h, w in seen) < 0.8 * page.shape[0] * page.shape[1]
    tinted = (page * np.array([1.0, 0.8, 0.9])).astype(np.uint8)
    assert found.colour(tinted).shape == (size[1] * scale, size[0] * scale, 3)
    large = found.drawing(PageImage(page, None, None, "png")).pixels
    assert large.shape == (size[1] * scale, size[0] * scale, 3)


def test_native_off_takes_the_page_as_it_is(tmp_path: Path) -> None:
    page = np.asarray(cv2.resize(drawn(), None, fx=2, fy=2, interpolation=cv2.INTER_CUBIC), np.uint8)
    gray = torch.from_numpy(page)[None, None]
    auto, off = (enlarger(tmp_path, 2, native=each).gray(gray) for each in ("auto", "off"))
    assert auto.shape == off.shape
    assert (auto != off).any()


def test_the_small_net_of_the_tests_has_every_scale() -> None:
    assert UPSCALER.scales == (2, 3, 4)


@pytest.fixture
def two_nets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The quality tier with small nets whose files lie in the folder."""
    config = UpscalerConfig(channels=8, pairs=1)
    for seed, name in enumerate(("upscaler-quality", "upscaler-clean")):
        spec = replace(UPSCALER_SPEC, name=name, filename=f"{name}.safetensors", config=asdict(config))
        found = weightfile.sha256_of(weights(tmp_path, spec, seed))
        monkeypatch.setitem(REGISTRY, name, replace(spec, receptive_field=config.receptive_field, sha256=found))
    monkeypatch.setattr(store, "shipped_folder", lambda: tmp_path)
    return tmp_path


def quality_tier() -> Enlarger:
    engine = Engine(EngineSettings(device="cpu", precision="fp32"))
    return Enlarger(engine, UpscaleSettings(2, "quality", native="off"), offline=True)


@pytest.mark.parametrize("coloured", [False, True])
def test_the_quality_tier_has_a_net_of_its_own_for_clean_pages(two_nets: Path, coloured: bool) -> None:
    found = quality_tier()
    assert found.clean is not None
    seen: list[str] = []
    for each in (found.upscaler, found.clean):
        each.net.register_forward_pre_hook(lambda *_, name=each.spec.name: seen.append(name))  # type: ignore[misc]
    tint = np.array([0.7, 0.9, 1.0]) if coloured else np.ones(3)
    for page in (drawn(), as_jpeg(drawn(), 75), drawn()):
        pixels = (page[..., None] * tint).astype(np.uint8)
        assert found.colour(pixels).shape == (840, 720, 3)
        found.gray(torch.from_numpy(page)[None, None])
    parts = len(seen) // 6
    names = seen[::parts]
    assert names == ["upscaler-clean"] * 2 + ["upscaler-quality"] * 2 + ["upscaler-clean"] * 2


@pytest.mark.parametrize("name", ["upscaler-quality", "upscaler-clean"])
def test_the_digest_of_the_quality_tier_changes_with_either_net(
    two_nets: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    settings = Settings(upscale=UpscaleSettings(2, "quality"), engine=EngineSettings(device="cpu", offline=True))
    settings = replace(settings, paint=None)
    before = quality_tier().sha256, ColorizerLoader(settings, lambda _: None).identity
    found = weightfile.sha256_of(weights(two_nets, REGISTRY[name], seed=5))
    monkeypatch.setitem(REGISTRY, name, replace(REGISTRY[name], sha256=found))
    after = quality_tier().sha256, ColorizerLoader(settings, lambda _: None).identity
    assert before[0] != after[0]
    assert before[1] != after[1]


def test_the_quality_tier_lacks_neither_of_its_nets_quietly(two_nets: Path) -> None:
    (two_nets / "upscaler-clean.safetensors").unlink()
    with pytest.raises(WeightsError, match="the weights of 'upscaler-clean' are not in"):
        quality_tier()
