"""The upscaler in 8-bit integers through OpenVINO (the extra of that name), calibrated on the user's own page.

Weights are quantised by output channel, activations by layer, from the tiles given; stem, skip and residual sums stay
in floating point. On a core with VNNI the fast tier takes 1.0 s/MP where bf16 in torch takes 2.0; 57 dB lie between.
"""

from __future__ import annotations

import functools
import importlib.util
from collections.abc import Sequence
from typing import Any, cast

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from mangapaint.errors import UsageError
from mangapaint.models.upscaler_net import UpscalerNet

_TAIL = 2e-4
"""Share of a layer's values on each side that may be clipped."""
_LEVELS = 256
_TILE, _TILES = 160, 6
"""Px of the sides, and how many of a page's tiles are calibrated and measured on."""


def demand_extra() -> None:
    """Raise UsageError where OpenVINO is not installed."""
    if importlib.util.find_spec("openvino") is None:
        raise UsageError("--int8 needs the extra 'openvino'", remedy="pip install 'mangapaint[openvino]'")


class Int8Upscaler:
    """What an UpscalerNet does at one scale, nearly: (N, 1, H, W) float32 in 0..1 -> (N, 1, H * scale, W * scale).

    Args:
        net: on the CPU, in any precision; not changed.
        scale: one of the net's.
        tiles: (1, 1, h, w) float32 each, from which the range of each layer is taken.
        threads: of the processor.
    """

    def __init__(self, net: UpscalerNet, scale: int, tiles: Sequence[Tensor], threads: int) -> None:
        import openvino

        self.net = net
        self.scale = scale
        self._convs = {name: module for name, module in net.named_modules() if isinstance(module, nn.Conv2d)}
        self._ranges = self._calibrated(tiles)
        settings = {"INFERENCE_NUM_THREADS": threads, "INFERENCE_PRECISION_HINT": "f32"}
        self._request = openvino.Core().compile_model(self._graph(), "CPU", settings).create_infer_request()

    def __call__(self, x: Tensor, scale: int) -> Tensor:
        if scale != self.scale:
            raise ValueError(f"compiled for x{self.scale}, asked for x{scale}")
        height, width, stride = x.shape[-2], x.shape[-1], self.net.config.stride
        skip = F.interpolate(x.float(), scale_factor=scale, mode="bicubic", align_corners=False)
        padded = F.pad(x.float() - 0.5, (0, -width % stride, 0, -height % stride), mode="replicate")
        planes = F.pixel_unshuffle(padded, stride)
        for page, result in zip(planes, skip, strict=True):
            [features] = self._request.infer([np.ascontiguousarray(page[None].numpy())]).values()
            detail = F.pixel_shuffle(torch.from_numpy(features), scale * stride)
            result += detail[0, :, : height * scale, : width * scale]
        return skip

    def _calibrated(self, tiles: Sequence[Tensor]) -> dict[str, tuple[float, float]]:
        """Least and greatest input of each convolution over the tiles, tails cut."""
        seen: dict[str, list[tuple[float, float]]] = {name: [] for name in self._convs}

        def note(name: str, _: nn.Module, given: tuple[Tensor, ...]) -> None:
            values = given[0].float().flatten()
            values = values[:: max(1, len(values) // 200_000)]
            low, high = torch.quantile(values, torch.tensor([_TAIL, 1 - _TAIL])).tolist()
            seen[name].append((low, high))

        hooks = [
            module.register_forward_pre_hook(functools.partial(note, name)) for name, module in self._convs.items()
        ]
        with torch.inference_mode():
            for tile in tiles:
                self.net(tile, self.scale)
        for hook in hooks:
            hook.remove()
        return {
            name: (min(low for low, _ in found), max(high for _, high in found))
            for name, found in seen.items()
            if found
        }

    def _graph(self) -> Any:
        """The body and head as an OpenVINO model: (1, stride ** 2, h, w) -> (1, (stride * scale) ** 2, h, w)."""
        import openvino
        from openvino import opset13 as ops

        given = ops.parameter([1, self.net.config.stride**2, -1, -1], np.float32)
        x = self._conv(given, "stem", exact=True)
        for place in range(len(self.net.body)):
            inner = ops.relu(self._conv(x, f"body.{place}.first"))
            x = ops.add(x, self._conv(inner, f"body.{place}.second"))
        return openvino.Model([self._conv(x, f"heads.{self.scale}")], [given], "upscaler")

    def _conv(self, x: Any, name: str, *, exact: bool = False) -> Any:
        from openvino import opset13 as ops

        module = self._convs[name]
        weights: Any = ops.constant(_array(module.weight))
        if not exact:
            x, weights = self._coarse(x, name), _whole_numbers(_array(module.weight))
        y = ops.convolution(x, weights, [1, 1], [1, 1], [1, 1], [1, 1])
        return ops.add(y, ops.constant(_array(cast(Tensor, module.bias)).reshape(1, -1, 1, 1)))

    def _coarse(self, x: Any, name: str) -> Any:
        """`x` in 256 levels: from 0 on behind a ReLU, else symmetric."""
        from openvino import opset13 as ops

        low, high = self._ranges[name]
        most = max(-low, high, 1e-6)
        low, high = (0.0, most) if low >= 0 else (-most, most * 127 / 128)
        ends = [np.float32(low), np.float32(high)]
        return ops.fake_quantize(x, *ends, *ends, _LEVELS)


def _array(x: Tensor) -> NDArray[np.float32]:
    return np.asarray(x.detach().float().cpu().numpy(), np.float32)


def _whole_numbers(weights: NDArray[np.float32]) -> Any:
    """int8 times a factor for each output channel."""
    from openvino import opset13 as ops

    factor = np.maximum(np.abs(weights).max((1, 2, 3), keepdims=True) / 127, 1e-12)
    rounded = np.rint(weights / factor).astype(np.int8)
    return ops.multiply(ops.convert(ops.constant(rounded), "f32"), ops.constant(factor.astype(np.float32)))


def tried(net: UpscalerNet, page: Tensor, scale: int) -> tuple[Int8Upscaler, float]:
    """The net in int8, and what that costs on a page: PSNR in dB between both results, clipped to 0..1.

    It is calibrated on half of the page's liveliest tiles and measured on the other half.

    Args:
        net: as prepared for the CPU.
        page: (1, 1, H, W) uint8.
        scale: one of the net's.
    """
    tiles = _liveliest(page.float() / 255)
    quantised = Int8Upscaler(net, scale, tiles[::2], torch.get_num_threads())
    with torch.inference_mode():
        pairs = [(net(tile, scale), quantised(tile, scale)) for tile in tiles[1::2] or tiles]
        error = max(1e-12, float(np.mean([float((a.clamp(0, 1) - b.clamp(0, 1)).square().mean()) for a, b in pairs])))
    return quantised, -10 * float(np.log10(error))


def _liveliest(page: Tensor) -> list[Tensor]:
    """Tiles of a page whose values spread most, the most so first."""
    height, width = page.shape[-2:]
    found = [
        page[..., y : y + _TILE, x : x + _TILE]
        for y in range(0, max(1, height - _TILE // 2), _TILE)
        for x in range(0, max(1, width - _TILE // 2), _TILE)
    ]
    return sorted(found, key=lambda tile: -float(tile.var(correction=0)))[:_TILES]
