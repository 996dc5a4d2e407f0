"""The upscaler in 8-bit integers: alike, or not used."""

from __future__ import annotations

import importlib.util
import logging
from dataclasses import asdict, replace
from pathlib import Path

import pytest
import torch
from small_nets import UPSCALER_SPEC, weights
from test_layout_native import drawn

from mangapaint.engine.runner import Engine
from mangapaint.errors import UsageError
from mangapaint.models import upscaler_int8
from mangapaint.models.upscaler_net import UpscalerConfig, UpscalerNet
from mangapaint.paint.enlarge import Enlarger
from mangapaint.settings import EngineSettings, UpscaleSettings


def net_of(stride: int) -> UpscalerNet:
    torch.manual_seed(stride)
    net = UpscalerNet(UpscalerConfig(channels=16, pairs=2, stride=stride))
    for head in net.heads.values():
        torch.nn.init.normal_(head.weight, std=0.03)  # type: ignore[arg-type]
    return net.eval().requires_grad_(False)


def page() -> torch.Tensor:
    return torch.from_numpy(drawn())[None, None]


@pytest.mark.parametrize(("stride", "scale"), [(1, 2), (2, 3)])
def test_int8_comes_out_alike_on_tiles_of_any_size(stride: int, scale: int) -> None:
    pytest.importorskip("openvino")
    net = net_of(stride)
    quantised, decibels = upscaler_int8.tried(net, page(), scale)
    assert 38 < decibels < 90, "quantised, and not far off"
    odd = page()[..., :101, :77].float() / 255
    result = quantised(odd, scale)
    assert result.shape == (1, 1, 101 * scale, 77 * scale)
    with torch.inference_mode():
        assert (result.clamp(0, 1) - net(odd, scale).clamp(0, 1)).square().mean() < 10**-3.8


def enlarger(folder: Path) -> Enlarger:
    config = UpscalerConfig(channels=8, pairs=1)
    spec = replace(UPSCALER_SPEC, config=asdict(config), receptive_field=config.receptive_field)
    settings = UpscaleSettings(2, str(weights(folder, spec)), native="off", int8=True)
    return Enlarger(Engine(EngineSettings(device="cpu", precision="fp32")), settings, offline=True)


def test_a_net_that_int8_changes_too_much_is_run_as_usual(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def poor(net: UpscalerNet, page: torch.Tensor, scale: int) -> tuple[object, float]:
        return (lambda x, scale: torch.zeros(1)), 31.4

    monkeypatch.setattr(upscaler_int8, "demand_extra", lambda: None)
    monkeypatch.setattr(upscaler_int8, "tried", poor)
    found = enlarger(tmp_path)
    with caplog.at_level(logging.WARNING, "mangapaint"):
        assert found.gray(page()).shape == (1, 1, 840, 720)
    assert "int8 differs from fp32 by 31.4 dB at x2, under 45: not used" in caplog.text


def test_without_the_extra_its_name_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *rest: None if name == "openvino" else find(name, *rest)
    )
    with pytest.raises(UsageError, match=r"pip install 'mangapaint\[openvino\]'"):
        enlarger(tmp_path)
