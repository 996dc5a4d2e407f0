"""Enlarges pages: nets for luminance lend their detail to the colour, nets for RGB take the page as it is."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from typing import cast

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from mangapaint.engine.runner import Engine
from mangapaint.errors import UsageError
from mangapaint.layout import damage, native
from mangapaint.models import upscaler_int8, upscalers
from mangapaint.models.upscaler_int8 import Int8Upscaler
from mangapaint.models.upscaler_net import UpscalerNet
from mangapaint.models.upscalers import Upscaler
from mangapaint.page import PageImage
from mangapaint.paint import chroma
from mangapaint.settings import UpscaleSettings

LARGEST_ON_CPU = 768
"""Px: side of a tile for nets that would rather see whole pages: the system ends processes that ask for too much."""
INT8_GATE = 45.0
"""dB between the results of int8 and of the precision that it replaces: 1.4 levels RMS."""
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Plan:
    """How a page gets its size: reduced to `small` where that is its native size, enlarged `scale` times by the net,
    and brought to `size` where that is another one. Sizes are (height, width), px.
    """

    small: tuple[int, int] | None
    scale: int
    size: tuple[int, int]


class Enlarger:
    """The upscaler of one run.

    Whatever a page went through, its result has `scale` times the height and width of the page as it was given.

    Attributes:
        upscaler: the net.
        clean: the net for pages that show no damage (`layout.damage`); None where the tier has but one.
        sha256: of the weights, of both one after the other.

    Raises:
        WeightsError: weights are missing, altered or made for another task.
        UsageError: the net has not that scale, or the extra that it needs is missing.
    """

    def __init__(self, engine: Engine, settings: UpscaleSettings, *, offline: bool) -> None:
        self.engine = engine
        self.settings = settings
        self.scale = settings.scale
        nets = [upscalers.load(ref, settings.scale, offline=offline) for ref in upscalers.nets_of(settings.model)]
        for net in nets:
            engine.prepare(net.net, dtypes=net.dtypes)
        self.upscaler = nets[0]
        self.clean = nets[1] if len(nets) > 1 else None
        self.sha256 = "".join(net.spec.sha256 for net in nets)
        self._quantised: dict[tuple[str, int], Int8Upscaler | None] = {}
        if settings.int8:
            upscaler_int8.demand_extra()
            if engine.device.kind != "cpu" or self.upscaler.spec.arch == upscalers.FOREIGN:
                raise UsageError("--int8 is for our own upscalers on a CPU", remedy="leave it out")

    def gray(self, gray: Tensor) -> Tensor:
        """(N, 1, H, W) uint8 -> (N, 1, H * scale, W * scale) uint8, on the device."""
        return torch.cat([self._gray(page[None]) for page in gray])

    def drawing(self, page: PageImage) -> PageImage:
        """The page enlarged and without colour, as a colouring net is to see it; (H * scale, W * scale, 3)."""
        gray = np.asarray(cv2.cvtColor(page.pixels, cv2.COLOR_RGB2GRAY), np.uint8)
        large = self.gray(self._moved(gray))[0, 0].cpu().numpy()
        return replace(page, pixels=np.repeat(large[..., None], 3, 2))

    def colour(self, pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """(H, W, 3) uint8 sRGB -> (H * scale, W * scale, 3): the net's detail, the page's own colours."""
        if (pixels == pixels[..., :1]).all():
            large = self._gray(self._moved(np.ascontiguousarray(pixels[..., 0])))
            return np.repeat(large[0, 0].cpu().numpy()[..., None], 3, 2)
        plan = self._plan(np.asarray(cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY), np.uint8))
        page = self._moved(pixels if plan.small is None else native.reduced(pixels, plan.small))
        if self.upscaler.channels == 3:
            large = chroma.kept(page, self._run(page, plan.scale), plan.scale)
        else:
            y = chroma.luma(page.float()).round_().to(torch.uint8)
            large = chroma.carried(page, self._run(y, plan.scale), plan.scale)
        return np.ascontiguousarray(_fitted(large, plan.size)[0].permute(1, 2, 0).cpu().numpy())

    def _gray(self, page: Tensor) -> Tensor:
        plan = self._plan(page[0, 0].cpu().numpy())
        if plan.small is not None:
            page = self._moved(native.reduced(page[0, 0].cpu().numpy(), plan.small))
        if self.upscaler.channels == 3:
            page = page.expand(-1, 3, -1, -1)
        return _fitted(self._run(page, plan.scale, gray=True), plan.size)

    def _plan(self, gray: NDArray[np.uint8]) -> _Plan:
        height, width = gray.shape
        size = height * self.scale, width * self.scale
        found = native.native_size(gray) if self.settings.native == "auto" else None
        if found is None:
            return _Plan(None, self.scale, size)
        _log.debug("a page of %dx%d px was enlarged before, from %dx%d", width, height, found[1], found[0])
        enough = (scale for scale in self.upscaler.scales if scale * found[1] >= size[1])
        return _Plan(found, min(enough, default=self.upscaler.scales[-1]), size)

    def _run(self, page: Tensor, scale: int, *, gray: bool = False) -> Tensor:
        """(1, C, H, W) uint8 through the net: (1, C, H * scale, W * scale) uint8; of RGB the luminance, if `gray`."""

        def finished(y: Tensor) -> Tensor:
            y = chroma.luma(y) if gray and y.shape[1] == 3 else y
            return (y.clamp(0, 1) * 255).round().to(torch.uint8)

        upscaler = self._chosen(page)
        net = (self._int8(upscaler, page, scale) if self.settings.int8 else None) or upscaler
        return self.engine.tiled(
            "upscaler",
            lambda x: net(x.float() / 255, scale),
            page,
            scale=scale,
            overlap=upscaler.overlap,
            tile=self._tile(page),
            multiple_of=upscaler.multiple_of,
            finish=finished,
            cast=False,
        )

    def _chosen(self, page: Tensor) -> Upscaler:
        """The net for clean pages only where the page, as the net will see it, shows that it is one."""
        if self.clean is None:
            return self.upscaler
        gray = page[0, 0].cpu().numpy()
        chosen = self.clean if damage.is_clean(gray) else self.upscaler
        _log.debug("a page of %dx%d px is enlarged by %s", gray.shape[1], gray.shape[0], chosen.spec.name)
        return chosen

    def _tile(self, page: Tensor) -> int | None:
        """The page as a whole for nets that wish that; None: as settings and device say."""
        if not self.upscaler.whole or self.engine.settings.tile is not None:
            return None
        longest = max(page.shape[-2:])
        return min(longest, LARGEST_ON_CPU) if self.engine.device.kind == "cpu" else longest

    def _int8(self, upscaler: Upscaler, page: Tensor, scale: int) -> Int8Upscaler | None:
        """The net in int8, calibrated on the first page that asks; None where that page came out too unlike."""
        key = upscaler.spec.name, scale
        if key not in self._quantised:
            net, decibels = upscaler_int8.tried(cast(UpscalerNet, upscaler.net), page, scale)
            good = decibels >= INT8_GATE
            told = f"int8 differs from {self.engine.device.precision} by {decibels:.1f} dB at x{scale}"
            if good:
                _log.info("%s: taken", told)
            else:
                _log.warning("%s, under %.0f: not used", told, INT8_GATE)
            self._quantised[key] = net if good else None
        return self._quantised[key]

    def _moved(self, pixels: NDArray[np.uint8]) -> Tensor:
        """(H, W) or (H, W, 3) -> (1, 1 or 3, H, W) on the device."""
        planes = pixels[None] if pixels.ndim == 2 else np.ascontiguousarray(pixels.transpose(2, 0, 1))
        return torch.from_numpy(planes)[None].to(self.engine.device.torch_device)


def _fitted(large: Tensor, size: tuple[int, int]) -> Tensor:
    """(1, C, *size) uint8; as it is where it has that size."""
    if tuple(large.shape[-2:]) == size:
        return large
    planes = [
        F.interpolate(large[:, i : i + 1].float(), size, mode="bicubic", align_corners=False, antialias=True)
        for i in range(large.shape[1])
    ]
    return torch.cat([plane.round_().clamp_(0, 255).to(torch.uint8) for plane in planes], 1)
