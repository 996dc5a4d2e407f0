"""What `mangapaint doctor` says of this machine and this installation."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import platform
import shutil
from dataclasses import dataclass
from pathlib import Path

from mangapaint import __version__
from mangapaint.engine import memory
from mangapaint.errors import UsageError
from mangapaint.models import catalog, hub, store
from mangapaint.settings import EngineSettings

_GIB = 2**30
_LOW = 2 * _GIB
"""Free memory below which a chapter may not fit, bytes."""
_PACKAGES = ("torch", "torchvision", "numpy", "opencv-python-headless", "pillow", "pymupdf")
_PACKAGES_OF_HUB = ("huggingface-hub", "safetensors")
_EXTRAS = {
    "archives": "libarchive",
    "spandrel": "spandrel",
    "openvino": "openvino",
    "ray": "ray",
    "train": "tensorboard",
}
"""Extra -> a module that it brings."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the report; `ok` is False where something will not work."""

    item: str
    value: str
    ok: bool = True


def examine(settings: EngineSettings | None = None) -> list[Finding]:
    """Everything worth knowing when something does not work; opens no socket and changes nothing.

    A few seconds, most of them the import of torch.
    """
    asked = settings or EngineSettings()
    return [*_versions(), *_device(asked), *_memory(), *_weights(), *_places(asked), *_extras()]


def _versions() -> list[Finding]:
    found = [
        Finding("mangapaint", __version__),
        Finding("python", f"{platform.python_version()} on {platform.platform()}"),
    ]
    for package in (*_PACKAGES, *_PACKAGES_OF_HUB):
        try:
            found.append(Finding(package, importlib.metadata.version(package)))
        except importlib.metadata.PackageNotFoundError:
            found.append(Finding(package, "not installed", ok=False))
    return found


def _device(settings: EngineSettings) -> list[Finding]:
    try:
        from mangapaint.engine.device import choose, present
    except (ImportError, OSError) as error:  # OSError: a shared library of torch does not load
        return [Finding("device", f"torch cannot be imported: {error}", ok=False)]
    try:
        device = choose(settings)
    except UsageError as error:
        return [Finding("device", str(error), ok=False)]
    free = device.free_bytes()
    return [
        Finding("devices here", ", ".join(present())),
        Finding("device", f"{device.torch_device} ({device.name})"),
        Finding("precision", device.precision),
        Finding("free on the device", f"{free / _GIB:.1f} GiB", free > _LOW),
    ]


def _memory() -> list[Finding]:
    free = memory.available_bytes()
    kept = "kept for reuse" if memory.keep_freed_blocks() else "given back by malloc (no glibc)"
    return [Finding("free memory", f"{free / _GIB:.1f} GiB", free > _LOW), Finding("freed memory", kept)]


def _weights() -> list[Finding]:
    found = [Finding(f"weights of {check.name}", check.detail, check.ok) for check in catalog.verify()]
    return [Finding("shipped weights", str(store.shipped_folder()), store.shipped_folder().is_dir()), *found]


def _places(settings: EngineSettings) -> list[Finding]:
    from huggingface_hub import constants

    cache = Path(constants.HF_HUB_CACHE)
    exists = next(folder for folder in (cache, *cache.absolute().parents) if folder.exists())
    room = shutil.disk_usage(exists).free
    note = "" if os.access(exists, os.W_OK) else ", not writable"
    offline = hub.is_offline(settings.offline)
    return [
        Finding("cache of the Hub", f"{cache}, {room / _GIB:.1f} GiB free{note}", not note),
        Finding("Hub", "offline, nothing is fetched" if offline else constants.ENDPOINT),
    ]


def _extras() -> list[Finding]:
    found = []
    for extra, module in _EXTRAS.items():
        here = importlib.util.find_spec(module) is not None
        found.append(Finding(f"extra {extra}", "installed" if here else f"pip install 'mangapaint[{extra}]'"))
    return found
