"""Where nets run and in which precision."""

from __future__ import annotations

import platform
from dataclasses import dataclass
from pathlib import Path

import torch

from mangapaint.engine import memory
from mangapaint.errors import UsageError, printable
from mangapaint.settings import EngineSettings

_PRECISIONS = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
_KINDS = ("cuda", "xpu", "mps", "cpu")
"""In the order in which auto takes them."""


@dataclass(frozen=True, slots=True)
class Device:
    """A device with the precision that nets run in on it."""

    torch_device: torch.device
    dtype: torch.dtype
    name: str

    @property
    def kind(self) -> str:
        """One of cuda, xpu, mps, cpu."""
        return self.torch_device.type

    @property
    def precision(self) -> str:
        """One of fp32, bf16, fp16."""
        return next(name for name, dtype in _PRECISIONS.items() if dtype is self.dtype)

    def free_bytes(self) -> int:
        """Bytes that can still be allocated, those cached by torch included."""
        if self.kind == "cuda":
            free, _total = torch.cuda.mem_get_info(self.torch_device)
            cached = torch.cuda.memory_reserved(self.torch_device) - torch.cuda.memory_allocated(self.torch_device)
            return int(free + cached)
        if self.kind == "xpu":
            return int(torch.xpu.mem_get_info(self.torch_device)[0])
        if self.kind == "mps":
            return int(torch.mps.recommended_max_memory() - torch.mps.driver_allocated_memory())
        return memory.available_bytes()

    def synchronize(self) -> None:
        """Wait until all that was asked of the device is done."""
        if self.kind == "cuda":
            torch.cuda.synchronize(self.torch_device)
        elif self.kind == "xpu":
            torch.xpu.synchronize(self.torch_device)
        elif self.kind == "mps":
            torch.mps.synchronize()

    def release_cache(self) -> None:
        """Give memory that torch or libc keeps for reuse back to the system."""
        if self.kind == "cuda":
            torch.cuda.empty_cache()
        elif self.kind == "xpu":
            torch.xpu.empty_cache()
        elif self.kind == "mps":
            torch.mps.empty_cache()
        memory.trim()


def present() -> list[str]:
    """The kinds of device that this machine and this torch have, best first; cpu is always the last."""
    found = {"cuda": torch.cuda.is_available(), "xpu": torch.xpu.is_available(), "cpu": True}
    found["mps"] = torch.backends.mps.is_available()
    return [kind for kind in _KINDS if found[kind]]


def choose(settings: EngineSettings) -> Device:
    """The device and precision that the settings ask for.

    Raises:
        UsageError: the device is unknown or not there; the message lists those that are.
    """
    here = present()
    asked = here[0] if settings.device == "auto" else settings.device
    kind, _, index = asked.partition(":")
    remedy = f"--device takes auto, {', '.join(here)} here"
    if kind not in _KINDS or (index and not index.isdecimal()):
        raise UsageError(f"no device is called '{printable(asked)}'", remedy=remedy)
    if kind not in here:
        why = ": this torch is built without it" if kind == "cuda" and torch.version.cuda is None else ""
        raise UsageError(f"there is no {kind} device{why}", remedy=remedy)
    count = {"cuda": torch.cuda.device_count, "xpu": torch.xpu.device_count}.get(kind, lambda: 1)()
    if index and int(index) >= count:
        raise UsageError(f"there is no {kind} device {index}, only {count}", remedy=remedy)
    place = torch.device("cpu") if kind == "cpu" else torch.device(kind, int(index or 0))
    if kind == "cpu":
        memory.keep_freed_blocks()
    wish = native_precision(place) if settings.precision == "auto" else settings.precision
    return Device(place, _PRECISIONS[wish], _name(place))


def native_precision(place: torch.device) -> str:
    """The fastest precision that the device has in hardware: bf16, else fp16 on a GPU, else fp32."""
    if place.type == "cuda":
        capability = torch.cuda.get_device_capability(place)
        if torch.version.hip or capability >= (8, 0):
            return "bf16"
        return "fp16" if capability >= (7, 0) else "fp32"  # before tensor cores half precision is slower, or no faster
    if place.type == "xpu":
        return "bf16"
    if place.type == "mps":
        return "fp16"
    return "bf16" if cpu_has_bf16() else "fp32"


def cpu_has_bf16(cpuinfo: Path = Path("/proc/cpuinfo")) -> bool:
    """Whether the processor multiplies bf16 itself; where Linux does not say, it counts as emulated."""
    try:
        lines = cpuinfo.read_text(errors="replace").splitlines()
    except OSError:
        return False
    flags = next((line for line in lines if line.lower().startswith(("flags", "features"))), "")
    return not {"avx512_bf16", "amx_bf16", "bf16"}.isdisjoint(flags.split())


def _name(place: torch.device) -> str:
    if place.type == "cuda":
        return torch.cuda.get_device_name(place)
    if place.type == "xpu":
        return torch.xpu.get_device_name(place)
    return f"{platform.machine()}, {torch.get_num_threads()} threads" if place.type == "cpu" else place.type
