"""What a generator is trained against: the PatchGAN discriminator (Isola et al. 2017) and the losses of both sides."""

from __future__ import annotations

from typing import Literal

import torch.nn.functional as F
from torch import Tensor, nn

from mangapaint.models.unet import BatchNorm

Kind = Literal["vanilla", "hinge"]


class PatchGAN(nn.Module):
    """(N, inputs, H, W) -> (N, 1, h, w) logits, each of a 70x70 patch; condition and picture stand side by side.

    Four 4x4 convolutions (strides 2, 2, 2, 1) that double in width, LeakyReLU(.2), and one to the logit.

    Args:
        inputs: channels of the condition and the picture together.
        width: of the first convolution; the paper's is 64.
        norm: "batch" as in the paper, "spectral" (Miyato et al. 2018) or "none".

    Raises:
        ValueError: another norm.
    """

    def __init__(self, inputs: int, width: int = 64, norm: str = "batch") -> None:
        super().__init__()
        if norm not in ("batch", "spectral", "none"):
            raise ValueError(f"norm is 'batch', 'spectral' or 'none', not {norm!r}")
        layers: list[nn.Module] = []
        before = inputs
        for level, stride in enumerate((2, 2, 2, 1)):
            after = width * 2**level
            normed = norm == "batch" and level > 0
            layers.append(nn.Conv2d(before, after, 4, stride, 1, bias=not normed))
            if normed:
                layers.append(BatchNorm(after))
            layers.append(nn.LeakyReLU(0.2))
            before = after
        layers.append(nn.Conv2d(before, 1, 4, 1, 1))
        for layer in layers:
            if isinstance(layer, nn.Conv2d):
                nn.init.normal_(layer.weight, 0.0, 0.02)
        if norm == "spectral":
            layers = [
                nn.utils.parametrizations.spectral_norm(layer) if isinstance(layer, nn.Conv2d) else layer
                for layer in layers
            ]
        self.layers = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.layers(x)
        return logits.float()


def judge_loss(real: Tensor, fake: Tensor, kind: Kind = "vanilla") -> Tensor:
    """What the discriminator goes down, mean over patches.

    Args:
        real: logits of true pictures.
        fake: logits of made ones (detached from the generator by the caller).
        kind: "vanilla", half of the two cross-entropies (Isola et al. halve it to slow the discriminator), or "hinge"
            (Lim and Ye 2017).
    """
    if kind == "hinge":
        return (F.relu(1 - real).mean() + F.relu(1 + fake).mean()) / 2
    return (F.softplus(-real).mean() + F.softplus(fake).mean()) / 2


def fool_loss(fake: Tensor, kind: Kind = "vanilla") -> Tensor:
    """What the generator goes down: the cross-entropy of "true" (non-saturating), or for "hinge" the negated logit."""
    return -fake.mean() if kind == "hinge" else F.softplus(-fake).mean()
