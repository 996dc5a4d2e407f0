"""A net of a few numbers, its weights file, and a registry that knows it."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch
from torch import Tensor, nn

from mangapaint.models import archs, registry, store
from mangapaint.models.spec import ModelSpec


@dataclass(frozen=True)
class ToyConfig:
    channels: int = 4
    kernels: tuple[int, ...] = (3,)


class ToyNet(nn.Module):
    """(N, 1, H, W) -> (N, channels, H, W)."""

    def __init__(self, config: ToyConfig) -> None:
        super().__init__()
        if not isinstance(config.kernels, tuple):
            raise TypeError("kernels must be a tuple")
        self.conv = nn.Conv2d(1, config.channels, config.kernels[0], padding=1)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.conv(x)
        return y


SPEC = ModelSpec(
    name="toy",
    task="colorize",
    arch="toy",
    filename="toy.safetensors",
    config={"channels": 6, "kernels": (3,)},
    scale=2,
    receptive_field=1,
    licence="CC0",
    data="random numbers",
)


def weights(spec: ModelSpec = SPEC, *, seed: int = 0, **changed: Any) -> bytes:
    """The bytes of a file that fits `spec`; `changed` replaces or (None) removes tensors."""
    torch.manual_seed(seed)
    tensors: dict[str, Any] = ToyNet(ToyConfig(channels=6)).bfloat16().state_dict() | changed
    return safetensors.torch.save({k: v for k, v in tensors.items() if v is not None}, metadata=spec.metadata())


def register(monkeypatch: pytest.MonkeyPatch, folder: Path, data: bytes | None, **more: Any) -> ModelSpec:
    """Make `toy` a registered model with that file, shipped in `folder`; the file is written when `data` is given."""
    monkeypatch.setitem(archs.ARCHS, "toy", (__name__, "ToyConfig", "ToyNet"))
    monkeypatch.setattr(store, "shipped_folder", lambda: folder)
    known = weights() if data is None else data
    spec = replace(SPEC, sha256=hashlib.sha256(known).hexdigest(), size=len(known), **more)
    monkeypatch.setitem(registry.REGISTRY, "toy", spec)
    if data is not None:
        folder.mkdir(exist_ok=True)
        (folder / spec.filename).write_bytes(data)
    return spec
