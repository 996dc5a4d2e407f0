"""A generator of faces after StyleGAN2 (Karras et al. 2020): a mapping net, weight demodulation, noise, RGB skips."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

SMALLEST = 4
"""Side of the first level, px."""
COMPONENTS = 24
"""Principal directions of W that are kept for edits."""
MEASURES = 14
"""What is measured of a face for edits, see portrait.measures."""
SOFT = 0.1
"""Rate at which the loudness of noise is learned: at the full rate it drowns the face before there is one."""
GAIN = math.sqrt(2)
"""Of LeakyReLU, so that variance stays."""


@dataclass(frozen=True, slots=True)
class PortraitConfig:
    """Sizes; the paper's are 512 for latent and all levels up to 32 px, 256 at 64 px, 128 at 128 px, 8 mapping layers.

    `widths` are channels at 4, 8, 16, ... px: five make 64 px, six 128 px.
    """

    latent: int = 128
    mapping: int = 4
    widths: tuple[int, ...] = (160, 160, 112, 64, 32)

    @property
    def side(self) -> int:
        """Of a face, px."""
        return SMALLEST << (len(self.widths) - 1)

    @property
    def layers(self) -> int:
        """Styles that one face takes: one at 4 px, two at each further level, one for the last RGB layer."""
        return 2 * len(self.widths)


class Linear(nn.Module):
    """A linear layer with the learning rate equalised (Karras et al. 2018): weights of N(0, 1), scaled at use.

    Args:
        inner: features in.
        outer: features out.
        bias: that it starts with.
        rate: factor on the learning rate.
    """

    def __init__(self, inner: int, outer: int, bias: float = 0.0, rate: float = 1.0) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(outer, inner) / rate)
        self.bias = nn.Parameter(torch.full((outer,), bias / rate))
        self.rate = rate
        self.gain = rate / math.sqrt(inner)

    def forward(self, x: Tensor) -> Tensor:
        return F.linear(x, self.weight * self.gain, self.bias * self.rate)


class StyledConv(nn.Module):
    """A convolution whose input channels are scaled by a style, output brought back to unit variance.

    Scaling the activations instead of the weights is the same and keeps one convolution for the whole batch.

    Args:
        inner: channels in.
        outer: channels out.
        latent: length of w.
        kernel: 3, or 1 for RGB, which is not demodulated and has no noise.
        up: double the side after the convolution, bilinearly.
    """

    def __init__(self, inner: int, outer: int, latent: int, kernel: int = 3, up: bool = False) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(outer, inner, kernel, kernel))
        self.bias = nn.Parameter(torch.zeros(outer))
        self.style = Linear(latent, inner, bias=1.0)
        self.gain = 1 / math.sqrt(inner * kernel * kernel)
        self.up = up
        self.loudness = nn.Parameter(torch.zeros(())) if kernel > 1 else None

    def forward(self, x: Tensor, w: Tensor, noise: Tensor | None = None) -> Tensor:
        """(N, inner, h, w), (N, latent) and (N or 1, 1, H, W) or None -> (N, outer, H, W)."""
        style = self.style(w).float()
        weight = self.weight * self.gain
        scaled = x * style.to(x.dtype)[:, :, None, None]
        y = F.conv2d(scaled, weight, padding=weight.shape[-1] // 2)
        if self.up:
            y = F.interpolate(y, scale_factor=2, mode="bilinear", align_corners=False)
        if self.loudness is None:
            return y + self.bias.to(y.dtype)[None, :, None, None]
        bias = (self.bias * GAIN).to(y.dtype)[None, :, None, None]
        power = torch.rsqrt(style.square() @ weight.float().square().sum((2, 3)).t() + 1e-8)
        y = torch.addcmul(bias, y, (power * GAIN).to(y.dtype)[:, :, None, None])
        if noise is not None:
            y = y + noise.to(y.dtype) * (self.loudness * (GAIN * SOFT)).to(y.dtype)
        return F.leaky_relu(y, 0.2)  # the gain went before it, where it costs nothing


class PortraitNet(nn.Module):
    """z -> w -> a face; see `mapped` and `drawn`.

    Buffers: `mean` (latent,) of w; for edits, found after training: `components` (COMPONENTS, latent) unit vectors,
    `spreads` (COMPONENTS,) standard deviations along them, `effects` (COMPONENTS, MEASURES) what one deviation does to
    each measure, `usual` (2, MEASURES) mean and deviation of the measures.
    """

    task = "portrait"

    def __init__(self, config: PortraitConfig | None = None) -> None:
        super().__init__()
        self.config = config or PortraitConfig()
        latent, widths = self.config.latent, self.config.widths
        self.mapping = nn.ModuleList(Linear(latent, latent, rate=0.01) for _ in range(self.config.mapping))
        self.start = nn.Parameter(torch.randn(1, widths[0], SMALLEST, SMALLEST))
        convs, colours = [StyledConv(widths[0], widths[0], latent)], []
        for inner, outer in zip(widths, widths[1:], strict=False):
            convs += [StyledConv(inner, outer, latent, up=True), StyledConv(outer, outer, latent)]
        colours = [StyledConv(width, 3, latent, 1) for width in widths]
        self.convs, self.colours = nn.ModuleList(convs), nn.ModuleList(colours)
        for name, shape in (
            ("mean", (latent,)),
            ("components", (COMPONENTS, latent)),
            ("spreads", (COMPONENTS,)),
            ("effects", (COMPONENTS, MEASURES)),
            ("usual", (2, MEASURES)),
        ):
            self.register_buffer(name, torch.zeros(shape))

    def mapped(self, z: Tensor) -> Tensor:
        """(N, latent) of N(0, 1) -> w (N, latent)."""
        w = z * torch.rsqrt(z.square().mean(1, keepdim=True) + 1e-8)
        for layer in self.mapping:
            w = F.leaky_relu(layer(w), 0.2) * GAIN
        return w.float()

    def truncated(self, w: Tensor, psi: float) -> Tensor:
        """Draw w towards the mean face: likelier faces for less variety."""
        return torch.lerp(cast(Tensor, self.mean), w, psi)

    def broadcast(self, w: Tensor) -> Tensor:
        """From w (N, latent) to W+ (N, layers, latent), the same for every layer."""
        return w[:, None].expand(-1, self.config.layers, -1)

    def sides(self) -> list[int]:
        """Of the noise of each convolution, px."""
        return [SMALLEST] + [side for level in range(1, len(self.config.widths)) for side in (SMALLEST << level,) * 2]

    def noises(self, count: int, generator: torch.Generator | None = None) -> list[Tensor]:
        """(count, 1, side, side) of N(0, 1) for each convolution, on the CPU."""
        return [torch.randn(count, 1, side, side, generator=generator) for side in self.sides()]

    def drawn(
        self, styles: Tensor, noises: Sequence[Tensor] | None = None, levels: int | None = None, fade: float = 1.0
    ) -> Tensor:
        """Faces of W+.

        Args:
            styles: (N, layers, latent).
            noises: see `noises`; None is fresh noise while training and none otherwise.
            levels: that are drawn, while the net grows (Karras et al. 2018); None is all.
            fade: share of what the last of them adds.

        Returns:
            (N, 3, side, side) (less where there are fewer levels) float32 sRGB, 0..1 but for overshoot.
        """
        given: Sequence[Tensor | None] = noises if noises is not None else [None] * len(self.convs)
        if noises is None and self.training:
            count, device = len(styles), styles.device
            given = [torch.randn(count, 1, side, side, device=device) for side in self.sides()]
        x = self.start.expand(len(styles), -1, -1, -1).contiguous(memory_format=torch.channels_last)
        x = self.convs[0](x, styles[:, 0], given[0])
        rgb = self.colours[0](x, styles[:, 1])
        levels = len(self.colours) if levels is None else levels
        for level in range(1, levels):
            for place in (2 * level - 1, 2 * level):
                x = self.convs[place](x, styles[:, place], given[place])
            rgb = F.interpolate(rgb, scale_factor=2, mode="bilinear", align_corners=False)
            more = self.colours[level](x, styles[:, 2 * level + 1])
            rgb = rgb + (more if fade == 1 or level < levels - 1 else more * fade)
        faces: Tensor = rgb.float() * 0.5 + 0.5
        return faces

    def forward(self, z: Tensor, psi: float = 1.0) -> Tensor:
        """(N, latent) of N(0, 1) -> (N, 3, side, side), see `drawn`."""
        return self.drawn(self.broadcast(self.truncated(self.mapped(z), psi)))
