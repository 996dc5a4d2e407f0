"""Host memory: how much is left, what counts as running out of it, and libc's habit of giving it back. No torch."""

from __future__ import annotations

import ctypes
import os
from functools import cache
from pathlib import Path

_UNKNOWN = 2 * 2**30
"""Taken where the system does not say."""
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3

_OUT_OF_MEMORY = (
    "can't allocate memory",
    "cannot allocate memory",
    "not enough memory",
    "out of memory",
    "bad_alloc",
    "alloc_failed",
)
"""Lower-case parts of the texts of torch's CPU, CUDA, MPS, cuDNN and cuBLAS allocators."""

_PERHAPS = ("could not create a primitive", "could not create a memory", "could not execute a primitive")
"""What oneDNN says when it gets no memory, but also when it cannot do a thing at all."""
_SCARCE = 2**30
"""Free memory below which the doubtful texts are believed, bytes."""


def ran_out(error: BaseException) -> bool:
    """Whether the error means that memory is lacking, so that a smaller piece of work may succeed."""
    if isinstance(error, MemoryError):
        return True
    if not isinstance(error, RuntimeError):
        return False
    text = str(error).lower()
    if any(part in text for part in _OUT_OF_MEMORY):
        return True
    return any(part in text for part in _PERHAPS) and available_bytes() < _SCARCE


def available_bytes(proc: Path = Path("/proc"), cgroup: Path = Path("/sys/fs/cgroup")) -> int:
    """Bytes that this process can still allocate: least of the system's, the cgroup's and the address space's."""
    bounds = [_system(proc), *_cgroups(proc, cgroup), _address_space(proc)]
    return max(0, min((bound for bound in bounds if bound is not None), default=_UNKNOWN))


def _system(proc: Path) -> int | None:
    amount = _field(proc / "meminfo", "MemAvailable:")
    if amount is not None:
        return amount * 1024
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2
    except (ValueError, OSError, AttributeError):
        return None


def _cgroups(proc: Path, root: Path) -> list[int]:
    """What each memory cgroup above this process still grants (version 2 and 1); its file cache counts as free."""
    rooms = []
    for line in _lines(proc / "self" / "cgroup"):
        _, controllers, inside = line.split(":", 2)
        if controllers and "memory" not in controllers.split(","):
            continue
        v2 = not controllers
        base = root if v2 else root / "memory"
        folder = base / inside.lstrip("/")
        limit_name, usage_name = (
            ("memory.max", "memory.current")
            if v2
            else (
                "memory.limit_in_bytes",
                "memory.usage_in_bytes",
            )
        )
        for level in (folder, *folder.parents):
            limit, usage = _number(level / limit_name), _number(level / usage_name)
            if limit is not None and usage is not None:
                idle = _field(level / "memory.stat", "inactive_file") or 0
                rooms.append(limit - usage + min(idle, usage))
            if level == base:
                break
    return rooms


def _address_space(proc: Path) -> int | None:
    try:
        import resource
    except ImportError:  # Windows
        return None
    limit = resource.getrlimit(resource.RLIMIT_AS)[0]
    used = _field(proc / "self" / "status", "VmSize:")
    return None if limit == resource.RLIM_INFINITY or used is None else limit - used * 1024


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text().splitlines()
    except OSError:
        return []


def _number(path: Path) -> int | None:
    lines = _lines(path)
    return int(lines[0]) if lines and lines[0].isdecimal() else None  # "max": no limit


def _field(path: Path, name: str) -> int | None:
    for line in _lines(path):
        words = line.split()
        if len(words) > 1 and words[0] == name:
            return int(words[1])
    return None


@cache
def keep_freed_blocks() -> bool:
    """Let glibc reuse large freed blocks instead of returning each to the system; True where that worked.

    Activations are larger than malloc's threshold, so without this every layer maps and faults in fresh pages:
    1.3-1.4 times slower on large pictures.
    """
    libc = _glibc()
    if libc is None:
        return False
    kept = libc.mallopt(_M_MMAP_THRESHOLD, 2**30) or libc.mallopt(_M_MMAP_THRESHOLD, 32 * 2**20)
    return bool(kept and libc.mallopt(_M_TRIM_THRESHOLD, 2**31 - 1))


def trim() -> None:
    """Give what malloc keeps back to the system."""
    libc = _glibc()
    if libc is not None:
        libc.malloc_trim(0)


@cache
def _glibc() -> ctypes.CDLL | None:
    try:
        libc = ctypes.CDLL("libc.so.6")
        libc.gnu_get_libc_version  # noqa: B018  musl has no such symbol
    except (OSError, AttributeError):
        return None
    return libc
