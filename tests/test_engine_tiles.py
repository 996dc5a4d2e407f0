"""Tiled results equal untiled ones, for pictures of any size."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from torch import Tensor, nn

from mangapaint.engine.runner import Engine
from mangapaint.engine.tiles import tiles
from mangapaint.errors import OutOfMemoryError, WeightsError
from mangapaint.settings import EngineSettings

REACH = 4


class Upscaler(nn.Module):
    """Three zero-padded 3x3 convolutions and a pixel shuffle: receptive field 3 px, plus 1 of a bilinear skip."""

    def __init__(self, scale: int = 2) -> None:
        super().__init__()
        torch.manual_seed(2)
        self.first = nn.Conv2d(1, 8, 3, padding=1)
        self.second = nn.Conv2d(8, 8, 3, padding=1)
        self.head = nn.Conv2d(8, scale * scale, 3, padding=1)
        self.scale = scale

    def forward(self, x: Tensor) -> Tensor:
        y = self.head(F.relu(self.second(F.relu(self.first(x)))))
        return F.pixel_shuffle(y, self.scale) + F.interpolate(x, scale_factor=self.scale, mode="bilinear")


class Strided(nn.Module):
    """Down by four and up again: only multiples of 4 px, and its phase must not change at a seam."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(3)
        self.down = nn.Conv2d(1, 8, 8, stride=4, padding=2)
        self.up = nn.ConvTranspose2d(8, 1, 4, stride=4)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.up(torch.tanh(self.down(x)))
        return y


def engine(precision: str = "fp32", **more: int) -> Engine:
    return Engine(EngineSettings(device="cpu", precision=precision, **more))  # type: ignore[arg-type]


@given(
    height=st.integers(1, 400),
    width=st.integers(1, 400),
    side=st.integers(16, 200),
    overlap=st.integers(0, 40),
    step=st.sampled_from([1, 2, 4, 8]),
)
@hypothesis_settings(max_examples=100, deadline=None)
def test_cores_cover_each_pixel_once_and_windows_reach_far_enough(
    height: int, width: int, side: int, overlap: int, step: int
) -> None:
    height, width = height * step, width * step
    covered = np.zeros((height, width), np.uint8)
    for tile in tiles(height, width, side=side, overlap=overlap, multiple_of=step):
        core, window = tile.core, tile.window
        covered[core.slices] += 1
        assert max(core.width, core.height) <= max(side, step)
        assert window.x == 0 or core.x - window.x >= overlap
        assert window.y == 0 or core.y - window.y >= overlap
        assert window.right == width or window.right - core.right >= overlap
        assert window.bottom == height or window.bottom - core.bottom >= overlap
        assert not any(edge % step for edge in (window.x, window.y, window.right, window.bottom, core.x, core.y))
        assert window.intersection(core) == core
    assert (covered == 1).all()


@pytest.mark.parametrize("size", [(1, 1), (1, 300), (300, 1), (64, 64), (65, 191), (300, 257), (700, 70)])
@pytest.mark.parametrize("scale", [2, 3])
def test_tiled_equals_untiled_in_fp32(size: tuple[int, int], scale: int) -> None:
    runner = engine()
    net = runner.prepare(Upscaler(scale))
    x = torch.rand(1, 1, *size)
    result = runner.tiled("net", net, x, scale=scale, overlap=REACH, tile=64)
    assert result.shape == (1, 1, size[0] * scale, size[1] * scale)
    # Coordinates of a resampling by 3 are rounded in fp32, by the more the farther from the corner: up to 4e-5 here.
    torch.testing.assert_close(result, net(x), rtol=0, atol=1e-4 if scale == 3 else 2e-6)


def test_tiled_equals_untiled_within_one_level_in_bf16() -> None:
    runner = engine("bf16")
    net = runner.prepare(Upscaler())
    x = torch.rand(1, 1, 300, 257)
    tiled = runner.tiled("net", net, x, scale=2, overlap=REACH, tile=64).float()
    untiled = net(x.bfloat16()).float()
    levels = 255 * (tiled - untiled).abs()
    assert levels.max() <= 2.01  # one step of bf16 near 1 is two levels
    assert levels.mean() < 0.05


def test_too_little_overlap_shows_so_the_comparison_can_fail() -> None:
    runner = engine()
    net = runner.prepare(Upscaler())
    x = torch.rand(1, 1, 200, 200)
    result = runner.tiled("net", net, x, scale=2, overlap=0, tile=64)
    assert (result - net(x)).abs().max() > 1e-3


@pytest.mark.parametrize("size", [(1, 1), (3, 130), (200, 131), (128, 128)])
def test_strided_net_keeps_its_phase_and_odd_sizes_come_back(size: tuple[int, int]) -> None:
    runner = engine()
    net = runner.prepare(Strided())
    x = torch.rand(2, 1, *size)
    result = runner.tiled("net", net, x, scale=1, overlap=6, tile=64, multiple_of=4)
    padded = F.pad(x, (0, -size[1] % 4, 0, -size[0] % 4), mode="replicate")
    torch.testing.assert_close(result, net(padded)[..., : size[0], : size[1]], rtol=0, atol=2e-6)


class Cramped(Upscaler):
    """Runs out of memory above `most` pixels."""

    def __init__(self, most: int) -> None:
        super().__init__()
        self.most, self.sizes = most, []  # type: ignore[var-annotated]

    def forward(self, x: Tensor) -> Tensor:
        pixels = x.shape[0] * x.shape[-2] * x.shape[-1]
        self.sizes.append(pixels)
        if pixels > self.most:
            raise torch.OutOfMemoryError("out of memory")
        return super().forward(x)


@pytest.mark.parametrize("side", [64, 100, 128, 256])
def test_tiles_halve_when_memory_is_short_and_results_stay_equal(side: int) -> None:
    runner = engine()
    net = runner.prepare(Cramped((side + 2 * REACH) ** 2))
    x = torch.rand(1, 1, 500, 300)
    result = runner.tiled("net", net, x, scale=2, overlap=REACH, tile=512)
    assert sum(pixels > net.most for pixels in net.sizes) <= 3
    torch.testing.assert_close(result, Upscaler.forward(net, x), rtol=0, atol=2e-6)


def test_batch_shrinks_before_tiles_do() -> None:
    runner = engine()
    net = runner.prepare(Cramped((64 + 2 * REACH) ** 2))
    runner.tiled("net", net, torch.rand(4, 1, 64, 64), scale=2, overlap=REACH, tile=64)
    assert net.sizes == [4 * 4096, 2 * 4096, 4096, 4096, 4096, 4096][: len(net.sizes)]
    assert net.sizes[-1] == 4096


def test_tile_ceiling_is_remembered_for_that_size_until_forgotten() -> None:
    runner = engine()
    net = runner.prepare(Cramped((100 + 2 * REACH) ** 2))
    x = torch.rand(1, 1, 256, 256)
    runner.tiled("net", net, x, scale=2, overlap=REACH, tile=256)
    net.sizes.clear()
    runner.tiled("net", net, x, scale=2, overlap=REACH, tile=256)
    assert max(net.sizes) <= net.most
    runner.forget()
    net.most = 10**9
    net.sizes.clear()
    runner.tiled("net", net, x, scale=2, overlap=REACH, tile=256)
    assert net.sizes == [256 * 256]


def test_smallest_tile_that_does_not_fit_raises_out_of_memory() -> None:
    runner = engine()
    net = runner.prepare(Cramped(1000))
    with pytest.raises(OutOfMemoryError, match="64 px"):
        runner.tiled("net", net, torch.rand(1, 1, 512, 512), scale=2, overlap=REACH, tile=512)
    assert len(net.sizes) <= 4


def test_finish_decides_what_the_whole_is_kept_in() -> None:
    runner = engine()
    net = runner.prepare(Upscaler())
    x = torch.rand(1, 1, 150, 90)

    def levels(y: Tensor) -> Tensor:
        return (255 * y.clamp(0, 1)).round().to(torch.uint8)

    result = runner.tiled("net", net, x, scale=2, overlap=REACH, tile=64, finish=levels)
    assert result.dtype is torch.uint8
    assert (result.int() - levels(net(x)).int()).abs().max() <= 1


def test_tile_setting_is_used() -> None:
    runner = engine(tile=64)
    net = runner.prepare(Cramped(10**9))
    runner.tiled("net", net, torch.rand(1, 1, 128, 128), scale=2, overlap=REACH)
    assert net.sizes == [(64 + REACH) ** 2] * 4


def test_a_scale_that_the_net_does_not_have_is_an_error() -> None:
    runner = engine()
    with pytest.raises(WeightsError, match="its scale of 3"):
        runner.tiled("net", runner.prepare(Upscaler(2)), torch.rand(1, 1, 32, 32), scale=3, overlap=REACH)


def test_nan_in_one_tile_is_an_error() -> None:
    runner = engine()
    x = torch.rand(1, 1, 200, 200)
    x[0, 0, 150, 150] = float("nan")
    with pytest.raises(WeightsError, match="not finite"):
        runner.tiled("net", runner.prepare(Upscaler()), x, scale=2, overlap=REACH, tile=64)
