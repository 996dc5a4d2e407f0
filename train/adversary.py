"""What a generator is trained against: the PatchGAN discriminator (Isola et al. 2017) and the losses of both sides."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mangapaint.models.unet import BatchNorm

Kind = Literal["vanilla", "hinge", "wasserstein"]


class PatchGAN(nn.Module):
    """(N, inputs, H, W) -> (N, 1, h, w) logits, each of a 70x70 patch; condition and picture stand side by side.

    Four 4x4 convolutions (strides 2, 2, 2, 1) that double in width, LeakyReLU(.2), and one to the logit.

    Args:
        inputs: channels of the condition and the picture together.
        width: of the first convolution; the paper's is 64.
        norm: "batch" as in the paper, "spectral" (Miyato et al. 2018) or "none".
        strides: of the convolutions before the last; fewer or smaller ones look at smaller patches.

    Raises:
        ValueError: another norm.
    """

    def __init__(
        self, inputs: int, width: int = 64, norm: str = "batch", strides: tuple[int, ...] = (2, 2, 2, 1)
    ) -> None:
        super().__init__()
        if norm not in ("batch", "spectral", "none"):
            raise ValueError(f"norm is 'batch', 'spectral' or 'none', not {norm!r}")
        layers: list[nn.Module] = []
        before = inputs
        for level, stride in enumerate(strides):
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
        kind: "vanilla", half of the two cross-entropies (Isola et al. halve it to slow the discriminator), "hinge"
            (Lim and Ye 2017), or "wasserstein" (Arjovsky et al. 2017; wants `gradient_penalty` beside it).
    """
    if kind == "wasserstein":
        return fake.mean() - real.mean()
    if kind == "hinge":
        return (F.relu(1 - real).mean() + F.relu(1 + fake).mean()) / 2
    return (F.softplus(-real).mean() + F.softplus(fake).mean()) / 2


def fool_loss(fake: Tensor, kind: Kind = "vanilla") -> Tensor:
    """What the generator goes down: the cross-entropy of "true" (non-saturating), else the negated logit."""
    return F.softplus(-fake).mean() if kind == "vanilla" else -fake.mean()


def gradient_penalty(judge: Callable[[Tensor], Tensor], real: Tensor, fake: Tensor) -> Tensor:
    """Mean over pictures of (|gradient of the critic| - 1)^2 between truth and made (Gulrajani et al. 2017, eq. 3).

    Args:
        judge: (N, C, H, W) -> scores; without BatchNorm, which would make one picture's gradient depend on the others.
        real: (N, C, H, W) true pictures; what the critic is told besides belongs into `judge`.
        fake: made ones, detached.
    """
    share = torch.rand(len(real), 1, 1, 1, device=real.device)
    between = torch.lerp(real, fake, share).requires_grad_(True)
    scores = judge(between).flatten(1).mean(1).sum()
    (slope,) = torch.autograd.grad(scores, between, create_graph=True)
    excess: Tensor = slope.float().flatten(1).norm(dim=1) - 1
    return excess.square().mean()
