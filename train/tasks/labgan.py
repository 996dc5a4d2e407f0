"""L* to ab by a U-Net against a PatchGAN on Lab (after Isola et al. 2017); its encoder may come from elsewhere."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from mangapaint.models import weightfile
from mangapaint.models.labgan_net import LEVELS, LabGanConfig, LabGanNet
from train.adversary import PatchGAN, fool_loss, judge_loss
from train.loop import Batch, Phase
from train.recipe import Recipe, typed
from train.tasks.common import autocast
from train.tasks.labpictures import LabOptions, LabPictures, chroma_ratio

TORCHVISION = "torchvision:"


@dataclass(frozen=True, slots=True)
class LabGanOptions(LabOptions):
    """Losses, discriminator and the encoder that training starts with."""

    sides: tuple[int, ...] = (256,)
    faithful: float = 100.0
    """Lambda: weight of the L1 loss beside the GAN's."""
    alone: float = 0.2
    """Share of the schedule with the L1 loss alone; 0 in pix2pix."""
    judge: int = 24
    """Channels of the discriminator's first layer, 64 in the paper."""
    encoder: str = ""
    """Weights of the encoder: a labgan's .safetensors, or "torchvision:FILE" with those of torchvision's resnet18."""
    frozen: int = 0
    """First levels of the encoder that stay as they are."""


class LabGanTask:
    """See the module."""

    main = "labgan"

    def __init__(self, recipe: Recipe, corpus: Path) -> None:
        self.options = typed(LabGanOptions, recipe.options, "[options]")
        self.config = typed(LabGanConfig, recipe.net, "[net]")
        if not 0 <= self.options.frozen <= LEVELS:
            raise ValueError(f"[options]: frozen must be 0..{LEVELS}, not {self.options.frozen}")
        if any(side % 2**LEVELS for side in self.options.sides):
            raise ValueError(f"[options]: sides must be multiples of {2**LEVELS}, not {self.options.sides}")
        self.pictures = LabPictures(corpus, recipe.sets, self.options)

    def nets(self) -> dict[str, nn.Module]:
        net = LabGanNet(self.config)
        if self.options.encoder:
            load_encoder(net, self.options.encoder)
        for level in net.encoder[: self.options.frozen]:
            level.requires_grad_(False)
        return {"labgan": net, "judge": PatchGAN(3, self.options.judge)}

    def batch(self, rng: np.random.Generator, size: int, done: float) -> Batch:
        made = self.pictures.batch(rng, size)
        return {"light": made["light"], "ab": made["lab"][:, 1:] / 110}

    def phases(self, nets: Mapping[str, nn.Module], batch: Batch, done: float) -> Iterator[Phase]:
        net, judge = nets["labgan"], nets["judge"]
        cast(nn.ModuleList, net.encoder)[: self.options.frozen].eval()  # no new statistics either
        light = batch["light"].contiguous(memory_format=torch.channels_last)
        truth = batch["ab"]
        with autocast(light.device):
            guess: Tensor = net(light)
        l1 = (guess - truth).abs().mean()
        numbers = {"l1": l1.item(), "chroma": chroma_ratio(guess.detach(), truth)}
        loss = self.options.faithful * l1
        if done >= self.options.alone:
            with autocast(light.device):
                real, fake = judge(seen(light, truth)), judge(seen(light, guess.detach()))
            judged = judge_loss(real, fake)
            yield Phase("judge", judged, {"judge": judged.item()})
            judge.requires_grad_(False)
            with autocast(light.device):
                fooled = fool_loss(judge(seen(light, guess)))
            judge.requires_grad_(True)
            loss = loss + fooled
            numbers["fooled"] = fooled.item()
        yield Phase("labgan", loss, numbers)

    def samples(self, net: nn.Module, device: torch.device) -> NDArray[np.uint8]:
        return self.pictures.sheet(cast(LabGanNet, net), device)


def seen(light: Tensor, ab: Tensor) -> Tensor:
    """(N, 3, H, W): what the discriminator judges, L* brought to -1..1 beside ab / 110."""
    return torch.cat([(light - 50) / 50, ab], 1)


def load_encoder(net: LabGanNet, source: str) -> None:
    """Start a net's encoder with weights from elsewhere; nothing is fetched.

    Args:
        net: changed in place.
        source: see LabGanOptions.encoder.

    Raises:
        ValueError: another backbone than the net's, or tensors that do not fit it.
        WeightsError: the file is absent or no valid safetensors.
    """
    if source.startswith(TORCHVISION):
        if net.config.backbone != "resnet18":
            raise ValueError(f"[options]: encoder {source} needs [net] backbone = 'resnet18'")
        found = from_torchvision(tensors_of(Path(source.removeprefix(TORCHVISION))))
    else:
        found = tensors_of(Path(source))
        found = {key.removeprefix("encoder."): value for key, value in found.items() if key.startswith("encoder.")}
    own = net.encoder.state_dict()
    wrong = [key for key, value in found.items() if key not in own or own[key].shape != value.shape]
    if wrong or not found:
        raise ValueError(
            f"[options]: encoder {source} does not fit this net: {', '.join(sorted(wrong)[:3]) or 'empty'}"
        )
    net.encoder.load_state_dict({**own, **found})


def tensors_of(path: Path) -> dict[str, Tensor]:
    """Of a .safetensors file, or of a .pth file of plain tensors (loaded without unpickling anything else)."""
    if path.suffix != ".pth":
        return {key: value.float() for key, value in weightfile.read(path)[0].items()}
    try:
        loaded: Any = torch.load(path, "cpu", weights_only=True)
    except (OSError, RuntimeError, ValueError, EOFError) as error:
        raise ValueError(f"[options]: encoder {path} cannot be read: {error}") from error
    return dict(loaded)


def from_torchvision(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Names of torchvision's resnet18 -> names inside LabGanNet.encoder; the classifier is left out."""
    renamed = {}
    for key, value in tensors.items():
        first, _, rest = key.partition(".")
        if key.endswith("num_batches_tracked") or first == "fc":
            continue
        if first.startswith("layer"):
            level, (place, _, rest) = int(first[5:]), rest.partition(".")
            renamed[f"{level}.{int(place) + (level == 1)}.{rest}"] = value  # level 1 starts with the pooling
        else:
            renamed[f"0.{'0' if first == 'conv1' else '1'}.{rest}"] = value
    return renamed
