"""Batches, shortage of memory and results that are not finite."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from mangapaint.engine.runner import Engine
from mangapaint.errors import OutOfMemoryError, WeightsError
from mangapaint.settings import EngineSettings

CPU_TEXT = "[enforce fail at alloc_cpu.cpp:127] . DefaultCPUAllocator: can't allocate memory: you tried to allocate"
SHORTAGES: dict[str, Callable[[], Exception]] = {
    "gpu": lambda: torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"),
    "cpu": lambda: RuntimeError(CPU_TEXT),
    "mps": lambda: RuntimeError("MPS backend out of memory (MPS allocated: 1 GB)"),
    "cudnn": lambda: RuntimeError("cuDNN error: CUDNN_STATUS_ALLOC_FAILED"),
    "host": lambda: MemoryError(),
}


class OomNet(nn.Module):
    """A convolution that runs out of memory above `most` pixels in one call."""

    def __init__(self, most: int, shortage: str = "gpu") -> None:
        super().__init__()
        torch.manual_seed(1)
        self.conv = nn.Conv2d(1, 2, 3, padding=1)
        self.most, self.shortage = most, shortage
        self.batches: list[int] = []

    def forward(self, x: Tensor) -> Tensor:
        self.batches.append(x.shape[0])
        if x.shape[0] * x.shape[-2] * x.shape[-1] > self.most:
            raise SHORTAGES[self.shortage]()
        y: Tensor = self.conv(x)
        return y


@pytest.fixture
def engine() -> Engine:
    return Engine(EngineSettings(device="cpu", precision="fp32"))


@pytest.mark.parametrize(
    ("shortage", "fits"), [*((name, 3) for name in SHORTAGES), *(("gpu", n) for n in (1, 2, 5, 8))]
)
def test_batch_halves_until_it_fits_and_results_stay_equal(engine: Engine, shortage: str, fits: int) -> None:
    x = torch.rand(8, 1, 16, 20)
    net = engine.prepare(OomNet(fits * 16 * 20, shortage))
    expected = net.conv(x)
    result = engine.run("net", net, x)
    assert isinstance(result, Tensor)
    torch.testing.assert_close(result, expected, rtol=0, atol=1e-6)
    failed = sum(batch > fits for batch in net.batches)
    assert failed <= 3  # log2(8)
    assert sum(batch for batch in net.batches if batch <= fits) == 8


def test_ceiling_is_remembered_for_the_shape_and_only_for_it(engine: Engine) -> None:
    net = engine.prepare(OomNet(2 * 32 * 32))
    engine.run("net", net, torch.rand(4, 1, 32, 32))
    net.batches.clear()
    engine.run("net", net, torch.rand(4, 1, 32, 32))
    assert net.batches == [2, 2]
    net.batches.clear()
    engine.run("net", net, torch.rand(8, 1, 16, 16))
    assert net.batches == [8]
    net.batches.clear()
    engine.run("another", net, torch.rand(4, 1, 32, 32))
    assert net.batches == [4, 2, 2]


def test_after_forget_the_large_batch_is_tried_again(engine: Engine) -> None:
    net = engine.prepare(OomNet(2 * 32 * 32))
    engine.run("net", net, torch.rand(4, 1, 32, 32))
    engine.forget()
    net.batches.clear()
    net.most = 10**9
    engine.run("net", net, torch.rand(4, 1, 32, 32))
    assert net.batches == [4]


def test_settings_stay_as_they_were_after_a_shortage(engine: Engine) -> None:
    before = EngineSettings(device="cpu", precision="fp32")
    engine.run("net", engine.prepare(OomNet(16 * 16)), torch.rand(4, 1, 16, 16))
    assert engine.settings == before
    assert engine.fitting_batch("other", 16, 16) == 1


def test_one_picture_that_does_not_fit_raises_out_of_memory(engine: Engine) -> None:
    net = engine.prepare(OomNet(0))
    with pytest.raises(OutOfMemoryError, match="one picture of 20x16 px"):
        engine.run("net", net, torch.rand(4, 1, 16, 20))
    assert net.batches == [4, 2, 1]


def test_other_errors_are_not_tried_again(engine: Engine) -> None:
    calls = []

    def net(x: Tensor) -> Tensor:
        calls.append(x.shape[0])
        raise RuntimeError("CUDA error: an illegal memory access was encountered")

    with pytest.raises(RuntimeError, match="illegal memory access"):
        engine.run("net", net, torch.rand(4, 1, 8, 8))
    assert calls == [4]


def test_failed_attempts_keep_no_tensor_alive(engine: Engine) -> None:
    import weakref

    seen: list[weakref.ref[Tensor]] = []
    alive: list[int] = []

    def net(x: Tensor) -> Tensor:
        alive.append(sum(ref() is not None for ref in seen))
        big = x * 2
        seen.append(weakref.ref(big))
        if x.shape[0] > 1:
            raise torch.OutOfMemoryError("out of memory")
        return x

    engine.run("net", net, torch.rand(8, 1, 4, 4))
    assert alive[:4] == [0, 0, 0, 0]


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), float("-inf")])
def test_values_that_are_not_finite_are_an_error(engine: Engine, bad: float) -> None:
    def net(x: Tensor) -> tuple[Tensor, Tensor]:
        broken = x.clone()
        broken[-1, 0, 2, 3] = bad
        return x, broken

    with pytest.raises(WeightsError, match="painter produced values that are not finite"):
        engine.run("painter", net, torch.rand(2, 1, 8, 8))


def test_nan_weights_are_an_error_and_never_a_black_page(engine: Engine) -> None:
    net = engine.prepare(OomNet(10**9))
    with torch.no_grad():
        net.conv.weight[0, 0, 0, 0] = float("nan")
    with pytest.raises(WeightsError, match="not finite"):
        engine.run("painter", net, torch.rand(1, 1, 8, 8))


def test_several_inputs_and_results_are_split_and_joined_together(engine: Engine) -> None:
    def net(x: Tensor, palette: Tensor) -> tuple[Tensor, Tensor]:
        if x.shape[0] > 2:
            raise torch.OutOfMemoryError("out of memory")
        return x * palette[:, :, None, None], palette + 1

    x, palette = torch.rand(5, 3, 8, 8), torch.rand(5, 3)
    result = engine.run("net", net, x, palette)
    assert isinstance(result, tuple)
    torch.testing.assert_close(result[0], x * palette[:, :, None, None])
    torch.testing.assert_close(result[1], palette + 1)


def test_inputs_of_different_length_are_refused(engine: Engine) -> None:
    with pytest.raises(ValueError, match="batch sizes differ"):
        engine.run("net", lambda a, b: a, torch.rand(2, 1, 4, 4), torch.rand(3, 1, 4, 4))


def test_net_gets_its_precision_channels_last_and_no_gradients() -> None:
    engine = Engine(EngineSettings(device="cpu", precision="bf16"))
    net = engine.prepare(OomNet(10**9))
    seen: list[Tensor] = []
    net.register_forward_pre_hook(lambda _, args: seen.append(args[0]))
    result = engine.run("net", net, torch.rand(2, 1, 8, 8))
    assert isinstance(result, Tensor)
    assert seen[0].dtype is net.conv.weight.dtype is result.dtype is torch.bfloat16
    assert seen[0].is_contiguous(memory_format=torch.channels_last)
    assert not result.requires_grad
    assert not net.training
    whole = engine.run("net", lambda x: x, torch.rand(1, 1, 4, 4), cast=False)
    assert isinstance(whole, Tensor)
    assert whole.dtype is torch.float32


def test_seconds_and_calls_are_summed(engine: Engine) -> None:
    import time

    def net(x: Tensor) -> Tensor:
        time.sleep(0.02)
        return x

    for _ in range(3):
        engine.run("net", net, torch.rand(1, 1, 4, 4))
    assert engine.calls == 3
    assert 0.06 <= engine.seconds < 1


def test_only_one_thread_uses_the_device_at_a_time(engine: Engine) -> None:
    inside = []
    most = []

    def net(x: Tensor) -> Tensor:
        inside.append(1)
        most.append(len(inside))
        threading.Event().wait(0.01)
        inside.pop()
        return x

    threads = [threading.Thread(target=engine.run, args=("net", net, torch.rand(1, 1, 4, 4))) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(most) == 6
    assert max(most) == 1


def test_batch_setting_is_kept_to_but_not_above_the_ceiling() -> None:
    engine = Engine(EngineSettings(device="cpu", precision="fp32", batch=6))
    assert engine.fitting_batch("net", 16, 16) == 6
    engine.run("net", engine.prepare(OomNet(3 * 16 * 16)), torch.rand(6, 1, 16, 16))
    assert engine.fitting_batch("net", 16, 16) == 3
    assert engine.fitting_batch("net", 32, 16) == 6


def test_one_number_that_stands_for_a_picture_stays_one_number(engine: Engine) -> None:
    seen = []

    def net(x: Tensor, hints: Tensor) -> Tensor:
        seen.append(hints.untyped_storage().nbytes())
        return x + hints

    x = torch.rand(2, 1, 8, 8)
    result = engine.run("net", net, x, torch.full((1, 1, 1, 1), 0.5).expand(2, 1, 8, 8))
    assert isinstance(result, Tensor)
    assert (result - x - 0.5).abs().max() < 1e-6
    assert seen == [4]
