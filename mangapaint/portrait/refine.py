"""A place in W+ moved until the drawing agrees with the face in low resolution (after PULSE, Menon et al. 2020)."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from mangapaint.models.portrait_net import PortraitNet
from mangapaint.portrait.consistency import LUMA, LUMA_SUM, consistent

RATE = 0.06
"""Of Adam, in units of w, whose deviation is about 1; falls to nothing along a cosine."""
STAY = 0.02
"""Weight of the mean square way from the start, which keeps results among faces."""
AGREE = 60.0
"""Weight of the mean square error of low-resolution luma in 0..1; a tenth of it at full resolution's edges."""


def luma_of(faces: Tensor) -> Tensor:
    """(N, 3, S, S) -> (N, 1, S, S) BT.601 luma."""
    weights = torch.tensor(LUMA, device=faces.device, dtype=faces.dtype) / LUMA_SUM
    return (faces * weights.view(1, 3, 1, 1)).sum(1, keepdim=True)


def enlarged(gray: Tensor, side: int) -> Tensor:
    """(N, 1, low, low) in 0..1 -> (N, 1, side, side), as the encoder sees low-resolution faces."""
    return F.interpolate(gray, size=(side, side), mode="bilinear", align_corners=False)


def refined(
    net: PortraitNet, styles: Tensor, noises: Sequence[Tensor], target: Tensor, steps: int, free: int = 0
) -> Tensor:
    """W+ (N, layers, latent) after `steps` of Adam on the low-resolution error.

    Args:
        net: not changed.
        styles: where it starts, (N, layers, latent).
        noises: of the faces, kept.
        target: (N or 1, 1, low, low) luma in 0..1.
        steps: 0 changes nothing.
        free: first layer that stays as it is, such as those with the colours of another face; 0 moves all.
    """
    if steps == 0:
        return styles
    low = target.shape[-1]
    moving = (torch.arange(styles.shape[1], device=styles.device) < (free or styles.shape[1])).view(1, -1, 1)
    with torch.inference_mode(False), torch.enable_grad():
        start, target = styles.detach().clone(), target.detach().clone()
        step = torch.zeros_like(start, requires_grad=True)
        optimizer = torch.optim.Adam([step], RATE, (0.9, 0.99))
        for index in range(steps):
            optimizer.param_groups[0]["lr"] = RATE * 0.5 * (1 + np.cos(np.pi * index / steps))
            faces = net.drawn(start + step * moving, noises)
            wrong = F.adaptive_avg_pool2d(luma_of(faces), low) - target
            outside = (faces - faces.clamp(0, 1)).square()
            far = (step * moving).square().mean((1, 2))
            loss = AGREE * (wrong.square().mean((1, 2, 3)) + 0.1 * outside.mean((1, 2, 3))) + STAY * far
            optimizer.zero_grad(set_to_none=True)
            loss.sum().backward()  # type: ignore[no-untyped-call]
            optimizer.step()
        return (start + step * moving).detach()


def agreement(faces: Tensor, target: Tensor) -> Tensor:
    """(N,) PSNR in dB of the reduced luma of faces against the target, before it is made exact."""
    wrong = F.adaptive_avg_pool2d(luma_of(faces.clamp(0, 1)), target.shape[-1]) - target
    return -10 * torch.log10(wrong.square().mean((1, 2, 3)).clamp_min(1e-10))


def exact(face: Tensor, target: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """(3, S, S) in 0..1 -> (S, S, 3) whose reduced luma is the (low, low) target."""
    return consistent(np.asarray(face.permute(1, 2, 0).cpu().numpy(), np.float64) * 255, target)


def as_seen(target: NDArray[np.uint8], side: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """The (low, low) target as luma (1, 1, low, low) in 0..1, and as the encoder sees it, (1, 1, side, side)."""
    luma = torch.from_numpy(np.array(target)).float()[None, None].to(device) / 255
    return luma, enlarged(luma, side)


def shown(gray: NDArray[np.uint8], side: int) -> NDArray[np.uint8]:
    """(low, low) -> (side, side, 3) for sheets: its pixels as squares."""
    large = cv2.resize(gray, (side, side), interpolation=cv2.INTER_NEAREST)
    return np.repeat(np.asarray(large, np.uint8)[..., None], 3, 2)
