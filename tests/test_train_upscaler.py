"""The upscaler's net, its twins and tones, its losses, and nets that grow."""

from __future__ import annotations

import math
from functools import partial

import numpy as np
import pytest
import torch

from mangapaint.engine.runner import Engine
from mangapaint.models.upscaler_net import UpscalerConfig, UpscalerNet
from mangapaint.settings import EngineSettings
from train.muon import Muon, orthogonal
from train.synth import tones
from train.tasks.upscaler import charbonnier, log_rms
from train.widen import widened


def trained(**config: int) -> UpscalerNet:
    """A net whose heads are not zero, so that its body shows."""
    torch.manual_seed(1)
    net = UpscalerNet(UpscalerConfig(**config))  # type: ignore[arg-type]
    for head in net.heads.values():
        torch.nn.init.normal_(head.weight, std=0.05)  # type: ignore[arg-type]
    return net.eval()


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("scale", [2, 3, 4])
@torch.inference_mode()
def test_any_size_is_enlarged(stride: int, scale: int) -> None:
    result = trained(channels=8, pairs=1, stride=stride)(torch.rand(2, 1, 7, 9), scale)
    assert result.shape == (2, 1, 7 * scale, 9 * scale)
    assert result.dtype == torch.float32


@pytest.mark.parametrize("stride", [1, 2])
@torch.inference_mode()
def test_nothing_farther_than_the_receptive_field_counts(stride: int) -> None:
    net, x = trained(channels=8, pairs=2, stride=stride), torch.rand(1, 1, 64, 64)
    changed, reach = x.clone(), net.config.receptive_field
    changed[..., :20] = 0
    differs = (net(x, 2) - net(changed, 2)).abs().amax((0, 1, 2)) > 0
    assert not differs[(20 + reach) * 2 :].any()
    assert differs[(20 + reach - 4 * stride) * 2 : (20 + reach) * 2].any(), "the field is stated too large"


@torch.inference_mode()
def test_tiles_of_a_strided_net_leave_no_seams() -> None:
    net, x = trained(channels=8, pairs=1, stride=2), torch.rand(1, 1, 151, 173)
    engine = Engine(EngineSettings(device="cpu"))
    tiled = engine.tiled(
        "up",
        partial(net, scale=2),
        x,
        scale=2,
        overlap=net.config.receptive_field,
        tile=64,
        multiple_of=net.multiple_of,
        cast=False,
    )
    padded = torch.nn.functional.pad(x, (0, 1, 0, 1), mode="replicate")
    assert ((tiled - net(padded, 2)[..., :302, :346]).abs() < 1 / 255).all()


@torch.inference_mode()
def test_a_widened_net_computes_the_same_and_can_learn() -> None:
    net = trained(channels=8, pairs=1, stride=2)
    larger = widened(net, channels=12, pairs=3)
    x = torch.rand(1, 1, 20, 20)
    torch.testing.assert_close(larger(x, 2), net(x, 2), rtol=0, atol=1e-5)
    with torch.inference_mode(False), torch.enable_grad():
        copy = widened(net, channels=12, pairs=3)
        copy(torch.rand(1, 1, 20, 20), 2).square().mean().backward()
    head = copy.heads["2"].weight
    assert isinstance(head, torch.nn.Parameter)
    assert head.grad is not None
    assert head.grad[:, 8:].abs().max() > 0
    with pytest.raises(ValueError, match="less"):
        widened(net, channels=4, pairs=1)


def test_psnr_loss_is_the_mean_of_psnr() -> None:
    error = torch.randn(3, 1, 16, 16) * torch.tensor([0.01, 0.1, 0.3]).view(3, 1, 1, 1)
    psnr = -10 * error.square().mean((1, 2, 3)).log10().mean()
    assert log_rms(error, 0.0).item() * -20 / math.log(10) == pytest.approx(psnr.item(), rel=1e-4)
    assert log_rms(torch.zeros(1, 1, 4, 4), 0.1).item() == pytest.approx(math.log(0.1), rel=1e-4)


def test_charbonnier_counts_small_errors_squared_and_large_ones_once() -> None:
    small, large = torch.full((1, 1, 2, 2), 1e-3), torch.ones(1, 1, 2, 2)
    assert charbonnier(2 * small, 0.05) / charbonnier(small, 0.05) == pytest.approx(4, rel=0.01)
    assert charbonnier(2 * large, 0.05) / charbonnier(large, 0.05) == pytest.approx(2, rel=0.05)


@pytest.mark.parametrize("share", [0.2, 0.5, 0.8])
def test_screens_blacken_more_where_more_is_asked(share: float) -> None:
    rng = np.random.default_rng(0)
    black = [(tones.screen(256, 256, rng) < share * 255).mean() for _ in range(20)]
    assert np.mean(black) == pytest.approx(share, abs=0.12)


def test_a_drawing_keeps_ink_and_paper_and_its_gray_becomes_dots() -> None:
    page = np.full((128, 128), 255, np.uint8)
    page[:, 40:90] = 150
    page[:, 20:23] = page[:, 100:128] = 0
    for seed in range(8):
        made = tones.halftoned(page, np.random.default_rng(seed), drawn=True).astype(float)
        assert made[:, 5:15].mean() - made[:, 105:125].mean() > 150
        assert made[:, 21].mean() < made[:, 5:15].mean() - 100, "the line is gone"
    spread = [
        tones.halftoned(page, np.random.default_rng(seed), drawn=True)[:, 45:85].astype(float).std()
        for seed in range(8)
    ]
    assert np.median(spread) > 40


def test_a_tone_sheet_has_the_lines_of_its_sheet() -> None:
    wave = tones.waves(64, 64, math.pi / 4, 8.0, 0.3)
    rows, columns = np.mgrid[:64, :64]
    expected = np.cos((columns + rows) * math.sqrt(0.5) * 2 * math.pi / 8 + 0.3)
    np.testing.assert_allclose(wave, expected, atol=1e-4)


def test_muon_makes_updates_orthogonal() -> None:
    for shape in ((2, 8, 30), (2, 30, 8)):
        values = torch.linalg.svdvals(orthogonal(torch.randn(shape, generator=torch.Generator().manual_seed(0))))
        assert ((values > 0.5) & (values < 1.4)).all()


def test_muon_takes_hidden_matrices_and_adam_the_rest_and_both_learn() -> None:
    net = UpscalerNet(UpscalerConfig(channels=32, pairs=1, scales=(2,)))
    optimizer = Muon(net, 1e-3)
    hidden, rest = ({id(p) for p in group["params"]} for group in optimizer.param_groups)
    assert hidden == {id(net.body[0].first.weight), id(net.body[0].second.weight)}  # type: ignore[union-attr]
    assert len(hidden) + len(rest) == len(list(net.parameters()))
    x, target = torch.rand(2, 1, 12, 12), torch.rand(2, 1, 24, 24)
    losses = []
    for _ in range(30):
        loss = (net(x, 2) - target).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.7 * losses[0]
    copy = Muon(net, 1e-3)
    copy.load_state_dict(optimizer.state_dict())
    assert copy.state_dict()["state"].keys() == optimizer.state_dict()["state"].keys()
