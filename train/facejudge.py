"""The discriminator of portraits: residual, with the deviation among the batch (Karras et al. 2018, 2020), and R1."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mangapaint.models.portrait_net import GAIN, SMALLEST, Linear

GROUP = 4
"""Pictures among which the deviation is taken."""


class Conv(nn.Conv2d):
    """A convolution with the learning rate equalised: weights of N(0, 1), scaled at use."""

    def __init__(
        self, inner: int, outer: int, kernel: int, stride: int = 1, bias: bool = True, gain: float = GAIN
    ) -> None:
        super().__init__(inner, outer, kernel, stride, (kernel - 1) // 2, bias=bias)
        nn.init.normal_(self.weight)
        if self.bias is not None:
            nn.init.zeros_(self.bias)
        self.scale = gain / math.sqrt(inner * kernel * kernel)

    def forward(self, x: Tensor) -> Tensor:
        return F.conv2d(x, self.weight * self.scale, self.bias, self.stride, self.padding)


class Halving(nn.Module):
    """A residual block that halves the side."""

    def __init__(self, inner: int, outer: int) -> None:
        super().__init__()
        self.first, self.second = Conv(inner, outer, 4, 2), Conv(outer, outer, 3, gain=1.0)
        self.past = Conv(inner, outer, 1, bias=False, gain=GAIN / 2)

    def forward(self, x: Tensor) -> Tensor:
        y = F.leaky_relu(self.first(x), 0.2)
        y = F.leaky_relu(self.second(y), 0.2)
        past: Tensor = self.past(F.avg_pool2d(x, 2))
        return y + past


class FaceJudge(nn.Module):
    """(N, 3, side, side) in 0..1 -> (N,) logits; while it grows, pictures of side / 2, side / 4, ... enter further in.

    Args:
        widths: channels at side / 2, side / 4, ... down to 4 px.
    """

    def __init__(self, widths: tuple[int, ...]) -> None:
        super().__init__()
        self.side = SMALLEST << len(widths)
        self.stems = nn.ModuleList(Conv(3, width, 4, 2) for width in widths)
        self.blocks = nn.ModuleList(Halving(a, b) for a, b in zip(widths, widths[1:], strict=False))
        self.last = Conv(widths[-1] + 1, widths[-1], 3)
        self.flat = Linear(widths[-1] * SMALLEST * SMALLEST, widths[-1])
        self.logit = Linear(widths[-1], 1)

    def forward(self, picture: Tensor, fade: float = 1.0) -> Tensor:
        """`fade`: share of the first block, the rest is of the picture at half its side (Karras et al. 2018)."""
        picture = (picture * 2 - 1).contiguous(memory_format=torch.channels_last)
        entry = (self.side // picture.shape[-1]).bit_length() - 1
        x = F.leaky_relu(self.stems[entry](picture), 0.2)
        for place in range(entry, len(self.blocks)):
            x = self.blocks[place](x)
            if place == entry and fade < 1:
                x = torch.lerp(F.leaky_relu(self.stems[place + 1](F.avg_pool2d(picture, 2)), 0.2).to(x.dtype), x, fade)
        x = F.leaky_relu(self.last(torch.cat([x, deviation(x)], 1)), 0.2)
        logit: Tensor = self.logit(F.leaky_relu(self.flat(x.flatten(1)), 0.2))
        return logit[:, 0].float()


def deviation(x: Tensor) -> Tensor:
    """(N, C, H, W) -> (N, 1, H, W): mean standard deviation among GROUP pictures, so that sameness shows.

    Batches that are no multiple of GROUP are one group.
    """
    count = len(x)
    group = GROUP if count % GROUP == 0 else count
    parts = x.float().reshape(group, count // group, -1)
    spread = (parts.var(0, unbiased=False) + 1e-8).sqrt().mean(1)
    return spread.repeat(group).view(-1, 1, 1, 1).expand(-1, 1, *x.shape[2:]).to(x.dtype)


def roughness(judge: nn.Module, true: Tensor, fade: float = 1.0) -> Tensor:
    """R1 (Mescheder et al. 2018): mean squared length of the logit's gradient at true pictures."""
    true = true.detach().requires_grad_()
    (slope,) = torch.autograd.grad(judge(true, fade).sum(), true, create_graph=True)
    return slope.square().sum((1, 2, 3)).mean()
