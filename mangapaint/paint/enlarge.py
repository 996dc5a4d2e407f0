"""Enlarges pages: the net sees luminance, colour is carried over by cubic interpolation."""

from __future__ import annotations

from dataclasses import replace
from typing import cast

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mangapaint.engine.runner import Engine
from mangapaint.errors import UsageError
from mangapaint.models import store
from mangapaint.models.upscaler_net import UpscalerNet
from mangapaint.page import PageImage
from mangapaint.settings import UpscaleSettings


class Enlarger:
    """The upscaler of one run.

    Raises:
        WeightsError: weights are missing, altered or made for another task.
        UsageError: the net has not that scale.
    """

    def __init__(self, engine: Engine, settings: UpscaleSettings, *, offline: bool) -> None:
        net, spec = store.load(settings.model, task="upscale", offline=offline)
        self.engine = engine
        self.scale = settings.scale
        self.net = engine.prepare(cast(UpscalerNet, net))
        self.overlap = spec.receptive_field or 0
        self.sha256 = spec.sha256
        if self.scale not in self.net.config.scales:
            raise UsageError(f"{spec.name} enlarges by {self.net.config.scales}, not {self.scale}")

    def gray(self, gray: Tensor) -> Tensor:
        """(N, 1, H, W) uint8 -> (N, 1, H * scale, W * scale) uint8."""
        return self.engine.tiled(
            "upscaler",
            self._net_of_scale,
            gray.float() / 255,
            scale=self.scale,
            overlap=self.overlap,
            cast=False,
            finish=lambda y: (y.clamp(0, 1) * 255).round().to(torch.uint8),
        )

    def drawing(self, page: PageImage) -> PageImage:
        """The page enlarged and without colour, as a colouring net is to see it; (H * scale, W * scale, 3)."""
        gray = torch.from_numpy(cv2.cvtColor(page.pixels, cv2.COLOR_RGB2GRAY))[None, None]
        large = self.gray(gray.to(self.engine.device.torch_device))[0, 0].cpu().numpy()
        return replace(page, pixels=np.repeat(large[..., None], 3, 2))

    def colour(self, pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """(H, W, 3) uint8 sRGB -> (H * scale, W * scale, 3): the net's detail in luminance over cubic colour."""
        height, width = pixels.shape[0] * self.scale, pixels.shape[1] * self.scale
        cubic = cv2.resize(pixels, (width, height), interpolation=cv2.INTER_CUBIC)
        gray = torch.from_numpy(cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY))[None, None]
        sharp = self.gray(gray.to(self.engine.device.torch_device))[0, 0].cpu().numpy()
        detail = sharp.astype(np.int16) - cv2.cvtColor(cubic, cv2.COLOR_RGB2GRAY)
        return np.clip(cubic + detail[..., None], 0, 255).astype(np.uint8)

    def _net_of_scale(self, x: Tensor) -> Tensor:
        return cast(Tensor, self.net(x, self.scale))
