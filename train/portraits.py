"""Scores portraits: places in the latent space on drawn pairs, and faces never trained on beside painter + upscaler."""

from __future__ import annotations

import functools
import importlib.util
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray

from mangapaint.engine.runner import Engine
from mangapaint.page import PageImage
from mangapaint.paint.colorizer import Colorizer
from mangapaint.portrait.consistency import low_luma, reduced
from mangapaint.portrait.painter import Portrait
from mangapaint.portrait.refine import enlarged, luma_of
from mangapaint.settings import EngineSettings, PaintSettings, Settings, UpscaleSettings
from train import features, metrics
from train.corpus import Picture, resized
from train.evaluate import chosen
from train.faceset import frame_of
from train.report import Line
from train.single import Single

LOWS = (16, 32)
"""Low resolutions that are scored, px."""
PAIRS = 256
"""Drawn faces on which places are compared."""
PSIS = (1.0, 0.7)
"""Their truncations."""
SETS_FRAME = "faces256"
"""Whose framing the pictures have that are scored."""
INCEPTION = "weights-inception-2015-12-05-6726825d.pth"
"""Weights that torchmetrics takes for a true FID, looked for in torch.hub's folder; nothing is fetched."""

Tell = Callable[[str], None]


@torch.inference_mode()
def places(portrait: Portrait, low: int, psi: float, seed: int = 0) -> metrics.Row:
    """Mean square error of w and z that the encoder finds for drawn faces in low resolution.

    w_share is that of w as a share of the variance of w, so 1 is knowing nothing; z has variance 1.
    """
    net, device = portrait.net, portrait.device
    chance = torch.Generator().manual_seed(seed)
    mean, errors = net.get_buffer("mean"), []
    for _ in range(PAIRS // 32):
        z = torch.randn(32, net.config.latent, generator=chance).to(device)
        w = net.truncated(net.mapped(z), psi)
        noises = [noise.to(device) for noise in net.noises(32, chance)]
        gray = luma_of(net.drawn(net.broadcast(w), noises).clamp(0, 1))
        small = (F.adaptive_avg_pool2d(gray, low) * 255).round() / 255
        found, guess = portrait.encoder(enlarged(small, portrait.side))
        wrong = (mean + found - w[:, None]).square().mean((1, 2))
        errors.append(torch.stack([wrong, (guess - z).square().mean(1), (w - mean).square().mean(1)], 1))
    w_error, z_error, variance = torch.cat(errors).mean(0).tolist()
    return {"w": w_error, "w_share": w_error / max(variance, 1e-9), "z": z_error, "n": float(PAIRS)}


class Peer:
    """Painter + upscaler on the same low-resolution faces: enlarged four times, then coloured."""

    def __init__(self, engine: EngineSettings) -> None:
        upscale = UpscaleSettings(scale=4, order="upscale-first")
        settings = Settings(paint=PaintSettings(memory=False), upscale=upscale, engine=engine)
        self.colorizer = Colorizer(Engine(engine), settings)

    def painted(self, side: int, low: NDArray[np.uint8], seed: int) -> tuple[Picture, metrics.Row]:
        """(low, low) gray -> (side, side, 3); the painter needs no seed."""
        page = np.repeat(low[..., None], 3, 2)
        self.colorizer.prepare([Single(page)])
        made = self.colorizer.paint([PageImage(page)], [0])[0].pixels
        return resized(made, side, side), {}


def row_of(made: Picture, truth: Picture, target: NDArray[np.uint8]) -> metrics.Row:
    """Figures of one result; `truth` is of its size, `target` (low, low) is the face that it was made from."""
    whole = metrics.colour_row(made, truth)
    row = {key: whole[key] for key in ("mse", "mae", "psnr", "ssim", "dab", "chroma", "hue_ok") if key in whole}
    low = low_luma(made, len(target))
    return row | {"low_psnr": metrics.psnr(low, target.astype(np.float64)), "low_exact": float((low == target).mean())}


def frechet(ours: Sequence[Picture], truths: Sequence[Picture]) -> float | None:
    """FID by torchmetrics, where it, torch-fidelity and the Inception weights are at hand; else None."""
    weights = Path(torch.hub.get_dir()) / "checkpoints" / INCEPTION
    if not all(importlib.util.find_spec(name) for name in ("torchmetrics", "torch_fidelity")) or not weights.is_file():
        return None
    from torchmetrics.image.fid import FrechetInceptionDistance  # type: ignore[import-not-found, unused-ignore]

    distance = FrechetInceptionDistance(feature_extractor_weights_path=str(weights))
    for pictures, real in ((truths, True), (ours, False)):
        for picture in pictures:
            distance.update(torch.from_numpy(np.array(picture)).permute(2, 0, 1)[None], real=real)
    return float(distance.compute())


def portraits(
    model: str, source: Path, engine: EngineSettings, limit: int = 0, seed: int = 0, tell: Tell = print
) -> list[Line]:
    """The model on drawn pairs and on the faces of a folder, painter + upscaler beside it.

    Raises:
        ValueError: no pictures.
        WeightsError: weights that cannot be used.
    """
    portrait = Portrait.load(Engine(engine), model)
    lines = [
        Line("drawn faces", f"gray {low} px, psi {psi:g}", Path(model).stem, places(portrait, low, psi, seed))
        for low in LOWS
        for psi in PSIS
    ]
    folder = source / "faces" if (source / "faces").is_dir() else source
    frame = frame_of(SETS_FRAME)
    truths = [resized(frame.cut(picture), portrait.side, portrait.side) for picture in chosen(folder, limit)]
    net = features.loaded() if features.SHIPPED.is_file() else None
    true = [features.features_of(net, truth, seed + i) for i, truth in enumerate(truths)] if net else []
    peer = Peer(engine)
    for low in LOWS:
        targets = [reduced(np.asarray(cv2.cvtColor(truth, cv2.COLOR_RGB2GRAY), np.uint8), low) for truth in truths]
        systems = {
            "identity": functools.partial(plain, portrait.side),
            Path(model).stem: functools.partial(drawn, portrait),
            "painter + upscaler": functools.partial(peer.painted, portrait.side),
        }
        for system, make in systems.items():
            start, rows, made = time.monotonic(), [], []
            for i, (truth, target) in enumerate(zip(truths, targets, strict=True)):
                picture, said = make(target, seed + i)
                made.append(picture)
                rows.append(row_of(picture, truth, target) | said)
            kernel = None
            if net is not None and len(made) > 1:
                ours = [features.features_of(net, picture, seed + i) for i, picture in enumerate(made)]
                kernel = features.distance(ours, true, seed)
            row = metrics.mean_row(rows)
            if (far := frechet(made, truths)) is not None:
                row["fid"] = far
            lines.append(Line(folder.name, f"gray {low} px", system, row, kernel))
            tell(f"{folder.name}, gray {low} px, {system}: {len(made)} faces, {time.monotonic() - start:.0f} s")
    return lines


def drawn(portrait: Portrait, target: NDArray[np.uint8], seed: int) -> tuple[Picture, metrics.Row]:
    """One portrait, and the agreement of its drawing before it was made exact."""
    result = portrait.results(target, 1, seed, low=len(target))[0]
    return result.pixels, {"drawn_psnr": float(result.record["psnr"])}


def plain(side: int, target: NDArray[np.uint8], seed: int) -> tuple[Picture, metrics.Row]:
    """The low-resolution face itself, enlarged cubically."""
    large = cv2.resize(target, (side, side), interpolation=cv2.INTER_CUBIC)
    return np.repeat(np.asarray(large, np.uint8)[..., None], 3, 2), {}
