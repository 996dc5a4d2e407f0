"""From a checkpoint to shipped weights: the EMA in bf16 as safetensors that describe themselves."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, cast

import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from mangapaint import atomic
from mangapaint.models.archs import ARCHS
from mangapaint.models.painter_net import PainterNet
from mangapaint.models.portrait_net import PortraitNet
from mangapaint.models.spec import ModelSpec
from mangapaint.portrait import directions
from train import bank, checkpoint, kinds
from train.loop import Task
from train.recipe import Recipe

ONLY_TRAINED = ("answers.",)
"""Starts of the names of tensors that serve training alone."""
BANK_SETS = {"faces256": 1.0, "illustrations": 3.0, "peppercarrot_pages": 10.0}


def spec_of(net: nn.Module, recipe: Recipe) -> ModelSpec:
    """What the weights file says of itself; a net that stands in `archs.ARCHS` and has a `config` needs nothing here.

    `multiple_of` is the net's, `receptive_field` and the largest of `scales` its config's, where there are any.

    Raises:
        ValueError: no arch is known for the net.
    """
    kind, config = type(net).__name__, net.config
    arch = next((name for name, (_, _, class_name) in ARCHS.items() if class_name == kind), None)
    if arch is None and kind != "FeatureNet":
        raise ValueError(f"no export is known for {kind}: it has no row in mangapaint/models/archs.py")
    scales = getattr(config, "scales", None)
    task: Any = "features" if arch is None else getattr(net, "task", "upscale" if scales else "colorize")
    return ModelSpec(
        name=recipe.name,
        task=task,
        arch=arch or "features",
        filename=f"{recipe.name}.safetensors",
        config=asdict(cast(Any, config)),
        scale=max(scales) if scales else 1,
        multiple_of=int(cast(int, getattr(net, "multiple_of", 1))),
        receptive_field=getattr(config, "receptive_field", None),
        licence=recipe.licence,
        data=recipe.data,
    )


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
        bank_sets: sets of the corpus for the bank, with weights; those of the recipe where it has none of them.

    Returns:
        `target` / NAME.safetensors: bf16, tensors in name order, no dates, so that the same EMA gives the same bytes.
    """
    net = trained(task, folder)
    if isinstance(net, PainterNet):
        sets, seed = {k: v for k, v in bank_sets.items() if k in recipe.sets} or dict(recipe.sets), recipe.schedule.seed
        net.bank = bank.ranked(net, bank.palettes(corpus, sets, net.config.bank, seed), corpus, sets, seed)
        if net.config.kinds:
            kinds.learn(net, corpus, recipe.options["kinds"], seed)
    if isinstance(net, PortraitNet):
        directions.find(net, recipe.schedule.seed)
    spec = spec_of(net, recipe)
    path = target / spec.filename
    with atomic.writing(path) as part:
        save_file(tensors_of(net), part, metadata=spec.metadata())
    path.chmod(0o644)
    return path


def tensors_of(net: nn.Module) -> dict[str, Tensor]:
    """What a weights file holds: fractions in bf16, whole numbers (of BatchNorm) as they are, in name order."""
    state = {key: value.detach() for key, value in sorted(net.state_dict().items()) if not key.startswith(ONLY_TRAINED)}
    return {
        key: (value.to(torch.bfloat16) if value.is_floating_point() else value).contiguous()
        for key, value in state.items()
    }
