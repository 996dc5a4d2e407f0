"""The U-Net generator of pix2pix (Isola et al. 2017): halvings down to one place at 256 px, skips at every level."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

DROPPED = 3
"""Deepest decoder levels with dropout .5 while training; it is the only noise of pix2pix."""


class BatchNorm(nn.BatchNorm2d):
    """BatchNorm without its count of batches: an int64 that weights files in bf16 cannot hold and nobody reads."""

    def __init__(self, channels: int) -> None:
        super().__init__(channels, momentum=0.05)
        self.num_batches_tracked = None
        nn.init.normal_(self.weight, 1.0, 0.02)

    def _load_from_state_dict(self, *args: Any) -> None:
        nn.Module._load_from_state_dict(self, *args)  # torch's own would add the count that older files lack


class UNet(nn.Module):
    """(N, inputs, H, W) -> (N, outputs, H, W), not bounded; H and W are multiples of 2 ** levels.

    Encoder: 4x4 convolutions of stride 2, LeakyReLU(.2), norm on all but the first and the deepest. Decoder: ReLU, 4x4
    transposed convolutions of stride 2, norm, then the encoder's level of that size beside it. Weights start from
    N(0, .02). With levels 8, base 64, cap 8: the paper's 54 M.

    Args:
        inputs: channels.
        outputs: channels.
        base: width of the first level; it doubles at each next one.
        cap: widest level as a multiple of `base`.
        levels: halvings; 8 bring 256 px down to 1x1.
        norm: "batch" (running statistics at use) or "none".
        dropout: of the deepest decoder levels while training.

    Raises:
        ValueError: another norm.
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        base: int = 64,
        cap: int = 8,
        levels: int = 8,
        norm: str = "batch",
        dropout: float = 0.5,
    ) -> None:
        super().__init__()
        if norm not in ("batch", "none"):
            raise ValueError(f"norm is 'batch' or 'none', not {norm!r}")
        self.multiple_of = 2**levels
        widths = [base * min(cap, 2**level) for level in range(levels)]
        self.down = nn.ModuleList()
        self.up = nn.ModuleList()
        for level, width in enumerate(widths):
            outer = widths[level - 1] if level else inputs
            normed = norm == "batch" and 0 < level < levels - 1
            encoder: list[nn.Module] = [nn.LeakyReLU(0.2)] if level else []
            encoder.append(nn.Conv2d(outer, width, 4, 2, 1, bias=not normed))
            if normed:
                encoder.append(BatchNorm(width))
            self.down.append(nn.Sequential(*encoder))
        for level in reversed(range(levels)):
            inner = widths[level] * (1 if level == levels - 1 else 2)
            outer = widths[level - 1] if level else outputs
            normed = norm == "batch" and level > 0
            decoder: list[nn.Module] = [nn.ReLU(), nn.ConvTranspose2d(inner, outer, 4, 2, 1, bias=not normed)]
            if normed:
                decoder.append(BatchNorm(outer))
            if levels - 1 - DROPPED <= level < levels - 1 and level > 0:
                decoder.append(nn.Dropout(dropout))
            self.up.append(nn.Sequential(*decoder))
        for layer in self.modules():
            if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d):
                nn.init.normal_(layer.weight, 0.0, 0.02)

    def forward(self, x: Tensor) -> Tensor:
        skips: list[Tensor] = []
        for encoder in self.down:
            x = encoder(x)
            skips.append(x)
        x = self.up[0](skips.pop())
        for decoder in self.up[1:]:
            x = decoder(torch.cat([x, skips.pop()], 1))
        return x
