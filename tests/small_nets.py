"""Real nets of few channels and random weights, and the pipeline run with them."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import safetensors.torch
import torch
from standin import Notes

from mangapaint.models import archs
from mangapaint.models.painter_net import PainterConfig
from mangapaint.models.spec import ModelSpec
from mangapaint.models.upscaler_net import UpscalerConfig
from mangapaint.pipeline.contracts import ChapterResult
from mangapaint.pipeline.loading import ColorizerLoader
from mangapaint.pipeline.run import run
from mangapaint.settings import EngineSettings, PaintSettings, RunSettings, Settings, UpscaleSettings
from mangapaint.signals import Stop

PAINTER = PainterConfig((8, 8, 8, 8), (1, 1, 1, 1), embedding=16, heads=2, bank=3, descriptor=8)
UPSCALER = UpscalerConfig(channels=8, pairs=1)
PAINTER_SPEC = ModelSpec("painter", "colorize", "painter", "p.safetensors", asdict(PAINTER), multiple_of=32)
UPSCALER_SPEC = ModelSpec(
    "up", "upscale", "upscaler", "u.safetensors", asdict(UPSCALER), scale=4, receptive_field=UPSCALER.receptive_field
)


def weights(folder: Path, spec: ModelSpec, seed: int = 0) -> Path:
    """A weights file of random numbers that fits `spec`."""
    torch.manual_seed(seed)
    net = archs.build(spec.arch, spec.config)
    tensors = {key: torch.nan_to_num(value).contiguous() for key, value in net.state_dict().items()}
    for name in ("bank", "prior"):
        if name in tensors:
            tensors[name].uniform_(0, 1)
    safetensors.torch.save_file(tensors, folder / spec.filename, metadata=spec.metadata())
    return folder / spec.filename


def settings_of(folder: Path, scale: int = 1) -> Settings:
    """Settings with a painter (and an upscaler) whose weights lie in `folder`; results go to `folder`/out."""
    return Settings(
        paint=PaintSettings(model=str(weights(folder, PAINTER_SPEC))),
        upscale=UpscaleSettings(scale, str(weights(folder, UPSCALER_SPEC))),  # type: ignore[arg-type]
        engine=EngineSettings(device="cpu", precision="fp32", offline=True),
        run=RunSettings(output=folder / "out"),
    )


def paint(source: Path, settings: Settings) -> tuple[ChapterResult, ColorizerLoader, Notes]:
    """Run the pipeline on one source; an error of the whole chapter is raised."""
    notes = Notes()
    loader = ColorizerLoader(settings, notes.message)
    [result] = run([source], settings, loader, notes, Stop())
    if result.error is not None:
        raise result.error
    return result, loader, notes
