"""Choice of device and precision, host memory, and the report of `doctor`."""

from __future__ import annotations

import re
import resource
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from mangapaint.engine import device as device_module
from mangapaint.engine import doctor, memory
from mangapaint.engine.device import choose, cpu_has_bf16, native_precision, present
from mangapaint.errors import UsageError
from mangapaint.settings import EngineSettings

GIB = 2**30


@pytest.mark.parametrize(
    ("here", "expected"),
    [(["cuda", "xpu", "cpu"], "cuda"), (["xpu", "cpu"], "xpu"), (["mps", "cpu"], "mps"), (["cpu"], "cpu")],
)
def test_auto_takes_the_best_device_there_is(monkeypatch: pytest.MonkeyPatch, here: list[str], expected: str) -> None:
    monkeypatch.setattr(device_module, "present", lambda: here)
    monkeypatch.setattr(device_module, "native_precision", lambda _: "fp32")
    monkeypatch.setattr(device_module, "_name", lambda _: "a device")
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    monkeypatch.setattr(torch.xpu, "device_count", lambda: 1)
    assert choose(EngineSettings()).kind == expected


def test_device_that_is_not_there_is_named_with_those_that_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(device_module, "present", lambda: ["cpu"])
    with pytest.raises(UsageError, match=r"there is no cuda device.*auto, cpu here"):
        choose(EngineSettings(device="cuda"))


def test_index_beyond_the_devices_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(device_module, "present", lambda: ["cuda", "cpu"])
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    with pytest.raises(UsageError, match="no cuda device 2, only 2"):
        choose(EngineSettings(device="cuda:2"))
    with pytest.raises(UsageError, match="no cpu device 1"):
        choose(EngineSettings(device="cpu:1"))


@pytest.mark.parametrize("name", ["gpu", "cuda:x", "", "cpu\x1b[31m"])
def test_unknown_device_is_refused_and_printed_safely(name: str) -> None:
    with pytest.raises(UsageError, match="no device is called") as caught:
        choose(EngineSettings(device=name))
    assert "\x1b" not in str(caught.value)


@pytest.mark.parametrize(
    ("capability", "expected"), [((9, 0), "bf16"), ((8, 0), "bf16"), ((7, 5), "fp16"), ((6, 1), "fp32")]
)
def test_precision_follows_the_generation_of_the_gpu(
    monkeypatch: pytest.MonkeyPatch, capability: tuple[int, int], expected: str
) -> None:
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda _: capability)
    monkeypatch.setattr(torch.version, "hip", None)
    assert native_precision(torch.device("cuda", 0)) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("flags\t\t: fpu avx512f avx512_bf16\n", True),
        ("flags\t\t: fpu amx_bf16\n", True),
        ("Features\t: fp asimd bf16\n", True),
        ("flags\t\t: fpu avx2 avx512f avx512bw\n", False),
        ("", False),
    ],
)
def test_cpu_counts_as_bf16_only_with_the_instruction(tmp_path: Path, text: str, expected: bool) -> None:
    cpuinfo = tmp_path / "cpuinfo"
    cpuinfo.write_text("processor\t: 0\n" + text)
    assert cpu_has_bf16(cpuinfo) is expected
    assert cpu_has_bf16(tmp_path / "absent") is False


@pytest.mark.parametrize(
    ("asked", "dtype"), [("fp32", torch.float32), ("bf16", torch.bfloat16), ("fp16", torch.float16)]
)
def test_precision_setting_wins(asked: Any, dtype: torch.dtype) -> None:
    device = choose(EngineSettings(device="cpu", precision=asked))
    assert (device.dtype, device.precision) == (dtype, asked)
    assert device.free_bytes() > 0


def fake_system(root: Path, *, available: int, cgroup: str, files: dict[str, str]) -> tuple[Path, Path]:
    proc, groups = root / "proc", root / "cgroup"
    (proc / "self").mkdir(parents=True)
    (proc / "meminfo").write_text(f"MemTotal: 99999999 kB\nMemAvailable: {available // 1024} kB\n")
    (proc / "self" / "cgroup").write_text(cgroup)
    for name, text in files.items():
        (groups / name).parent.mkdir(parents=True, exist_ok=True)
        (groups / name).write_text(text)
    return proc, groups


def test_free_memory_is_what_the_system_says_without_limits(tmp_path: Path) -> None:
    places = fake_system(tmp_path, available=8 * GIB, cgroup="0::/\n", files={})
    assert memory.available_bytes(*places) == 8 * GIB


def test_free_memory_is_the_least_of_all_cgroups_above(tmp_path: Path) -> None:
    files = {
        "pod/memory.max": f"{4 * GIB}\n",
        "pod/memory.current": f"{3 * GIB}\n",
        "pod/memory.stat": f"anon 5\ninactive_file {GIB // 2}\n",
        "pod/box/memory.max": "max\n",
        "pod/box/memory.current": f"{GIB}\n",
    }
    places = fake_system(tmp_path, available=8 * GIB, cgroup="0::/pod/box\n", files=files)
    assert memory.available_bytes(*places) == GIB + GIB // 2


def test_first_version_of_cgroups_is_read_too(tmp_path: Path) -> None:
    files = {"memory/box/memory.limit_in_bytes": f"{2 * GIB}", "memory/box/memory.usage_in_bytes": f"{GIB // 2}"}
    places = fake_system(tmp_path, available=8 * GIB, cgroup="4:cpu:/\n3:memory:/box\n", files=files)
    assert memory.available_bytes(*places) == 2 * GIB - GIB // 2


def test_limit_of_the_address_space_counts() -> None:
    code = "from mangapaint.engine import memory; print(memory.available_bytes())"
    limited = subprocess.run(
        [sys.executable, "-c", code],
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (GIB, GIB)),
        capture_output=True,
        check=True,
    )
    assert 0 < int(limited.stdout) < GIB


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (MemoryError(), True),
        (torch.OutOfMemoryError("CUDA out of memory"), True),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 8 bytes"), True),
        (RuntimeError("std::bad_alloc"), True),
        (RuntimeError("CUDA error: an illegal memory access was encountered"), False),
        (RuntimeError("The size of tensor a (3) must match"), False),
        (ValueError("out of memory"), False),
    ],
)
def test_only_shortage_counts_as_shortage(error: Exception, expected: bool) -> None:
    assert memory.ran_out(error) is expected


@pytest.mark.parametrize(("free", "expected"), [(GIB // 4, True), (8 * GIB, False)])
def test_primitive_that_cannot_be_made_counts_as_shortage_only_when_memory_is_scarce(
    monkeypatch: pytest.MonkeyPatch, free: int, expected: bool
) -> None:
    monkeypatch.setattr(memory, "available_bytes", lambda: free)
    assert memory.ran_out(RuntimeError("could not create a primitive")) is expected


@pytest.mark.skipif(sys.platform != "linux", reason="needs RLIMIT_AS")
def test_tight_address_space_ends_in_a_result_or_out_of_memory_and_never_hangs() -> None:
    code = """
import resource, sys, torch
from pathlib import Path
from mangapaint.engine.runner import Engine
from mangapaint.errors import OutOfMemoryError
from mangapaint.settings import EngineSettings
torch.set_num_threads(1)
engine = Engine(EngineSettings(device="cpu", precision="fp32"))
net = engine.prepare(torch.nn.Sequential(*(torch.nn.Conv2d(a, b, 3, padding=1) for a, b in ((1, 48), (48, 1)))))
x = torch.rand(1, 1, 700, 700)
engine.tiled("net", net, x[..., :64, :64], scale=1, overlap=2)
pages = int(Path("/proc/self/statm").read_text().split()[0])
for megabytes in (40, 12, 1):
    limit = pages * resource.getpagesize() + megabytes * 2**20
    resource.setrlimit(resource.RLIMIT_AS, (limit, resource.RLIM_INFINITY))
    engine.forget()
    try:
        engine.tiled("net", net, x, scale=1, overlap=2, tile=700)
        print("done")
    except OutOfMemoryError as error:
        print(int(error.exit_code))
"""
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert result.returncode == 0, result.stderr
    assert result.stdout.split()[0] == "done"
    assert result.stdout.split()[-1] in {"8", "done"}


def test_a_real_shortage_on_the_cpu_is_recognised() -> None:
    with pytest.raises(RuntimeError) as caught:
        torch.empty(2**60, dtype=torch.uint8)
    assert memory.ran_out(caught.value)


@pytest.mark.skipif(sys.platform != "linux", reason="glibc only")
def test_malloc_keeps_large_blocks_on_glibc() -> None:
    if memory._glibc() is None:
        pytest.skip("no glibc")
    assert memory.keep_freed_blocks() is True
    memory.trim()


def test_doctor_finds_the_parts_and_opens_no_socket(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("a socket was opened")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    found = {finding.item: finding for finding in doctor.examine(EngineSettings(device="cpu", offline=True))}
    assert found["torch"].value == torch.__version__.split("+")[0]
    assert found["opencv-python-headless"].ok
    assert re.search(r"cpu", found["device"].value)
    assert found["precision"].value in {"bf16", "fp32"}
    assert found["weights of painter"].item
    assert found["Hub"].value.startswith("offline")
    assert found["extra train"].value


def test_doctor_says_what_is_wrong_with_the_device() -> None:
    found = [finding for finding in doctor.examine(EngineSettings(device="tpu")) if finding.item == "device"]
    assert len(found) == 1
    assert not found[0].ok
    assert "tpu" in found[0].value


def test_present_devices_end_with_the_cpu() -> None:
    assert present()[-1] == "cpu"
