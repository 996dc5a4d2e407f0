"""From a checkpoint to shipped weights: the EMA in bf16 as safetensors that describe themselves."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from mangapaint.models.painter_net import PainterNet
from mangapaint.models.pix2pix_net import Pix2PixNet
from mangapaint.models.spec import ModelSpec
from mangapaint.models.upscaler_net import UpscalerNet
from mangapaint.models.zhang_net import ZhangNet
from train import bank, checkpoint
from train.loop import Task
from train.recipe import Recipe

BANK_SETS = {"faces256": 1.0, "illustrations": 3.0, "peppercarrot_pages": 10.0}


def spec_of(net: nn.Module, recipe: Recipe) -> ModelSpec:
    """What the weights file says of itself."""
    common: dict[str, Any] = {
        "name": recipe.name,
        "filename": f"{recipe.name}.safetensors",
        "licence": recipe.licence,
        "data": recipe.data,
    }
    if isinstance(net, UpscalerNet):
        config = net.config
        return ModelSpec(
            task="upscale",
            arch="upscaler",
            config=asdict(config),
            scale=max(config.scales),
            receptive_field=config.receptive_field,
            **common,
        )
    if isinstance(net, PainterNet):
        return ModelSpec(task="colorize", arch="painter", config=asdict(net.config), multiple_of=32, **common)
    if isinstance(net, Pix2PixNet):
        return ModelSpec(task="colorize", arch="pix2pix", config=asdict(net.config), multiple_of=256, **common)
    if isinstance(net, ZhangNet):
        config = asdict(net.config)
        return ModelSpec(task="colorize", arch="zhang", config=config, multiple_of=net.multiple_of, **common)
    raise ValueError(f"no export is known for {type(net).__name__}")


def trained(task: Task, folder: Path) -> nn.Module:
    """The EMA of a run, in eval mode on the CPU."""
    state = checkpoint.load(folder / "checkpoint.pt")
    if state is None:
        raise ValueError(f"{folder} holds no checkpoint; run the recipe first")
    net = task.nets()[task.main]
    net.load_state_dict(state["ema"])
    return net.eval()


def export(
    recipe: Recipe,
    task: Task,
    folder: Path,
    corpus: Path,
    target: Path,
    *,
    bank_sets: Mapping[str, float] = BANK_SETS,
) -> Path:
    """Write the weights file of a run.

    Args:
        recipe: that was run.
        task: made from it.
        folder: of the run; holds the checkpoint.
        corpus: that the painter's bank of palettes is taken from.
        target: folder of the file.
        bank_sets: sets of the corpus for the bank, with weights.

    Returns:
        `target` / NAME.safetensors: bf16, tensors in name order, no dates, so that the same EMA gives the same bytes.
    """
    net = trained(task, folder)
    if isinstance(net, PainterNet):
        sets, seed = dict(bank_sets), recipe.schedule.seed
        net.bank = bank.ranked(net, bank.palettes(corpus, sets, net.config.bank, seed), corpus, sets, seed)
    tensors: dict[str, Tensor] = {
        key: value.detach().to(torch.bfloat16).contiguous() for key, value in sorted(net.state_dict().items())
    }
    spec = spec_of(net, recipe)
    target.mkdir(parents=True, exist_ok=True)
    part = target / f"{spec.filename}.part"
    save_file(tensors, part, metadata=spec.metadata())
    path = target / spec.filename
    part.chmod(0o644)
    part.replace(path)
    return path
