"""How sharp the upscalers are, and what a megapixel costs them beside a known chain of convolutions.

    python -m benchmarks.upscale SR_DIR [--models NAME|PATH ...] [--kinds low2 low2_jpeg low4] [--crops DIR]
    python -m benchmarks.upscale --time [--models ...] [--scale 2] [--side 1024] [--runs 3]

SR_DIR holds truth/, low2/, low2_jpeg/ and low4/ with pictures of the same names; a name without its last digits is the
kind of crop ("comic3.png" is a comic). Prints PSNR and SSIM of BT.601 luma, the scale cut off at the border, by kind of
crop, bicubic beside them (`quality` chooses between its two nets, `upscaler-quality` is one of them); with --crops also
writes the middle of each, bicubic, models and truth in a row, at 300 %.

--time enlarges a made page in tiles, as the program does, in turn with a plain torch chain of the shape of waifu2x's
upconv7 (Nagadomi 2015: six 3x3 convolutions of 16, 32, 64, 128, 128, 256 channels and a 4x4 transposed one, 1.08 TFLOP
a megapixel of input), in float32 and in bfloat16. Seconds are those of processors, so that other work counts little.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections import defaultdict
from collections.abc import Callable
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from mangapaint import pixels
from mangapaint.engine.runner import Engine
from mangapaint.page import PageImage
from mangapaint.paint.colorizer import Colorizer
from mangapaint.settings import EngineSettings, Limits, Settings, UpscaleSettings
from train import metrics

Picture = NDArray[np.uint8]
MODELS = ("upscaler", "upscaler-quality", "upscaler-clean", "quality")
ENGINE = EngineSettings(device="cpu")


def read(path: Path) -> Picture:
    """(H, W, 3) uint8 sRGB."""
    return pixels.decode(path.read_bytes(), Limits()).pixels


def upscaler(model: str, scale: int) -> Colorizer:
    upscale = UpscaleSettings(scale=scale, model=model)  # type: ignore[arg-type]
    return Colorizer(Engine(ENGINE), Settings(paint=None, upscale=upscale, engine=ENGINE))


def enlarged(colorizer: Colorizer, low: Picture) -> Picture:
    return colorizer.upscale([PageImage(low)])[0].pixels


def cubic(low: Picture, truth: Picture) -> Picture:
    return np.asarray(cv2.resize(low, truth.shape[1::-1], interpolation=cv2.INTER_CUBIC), np.uint8)


def sharpness(source: Path, models: list[str], kinds: list[str], crops: Path | None) -> None:
    for kind in kinds:
        scale = int(kind.removeprefix("low").partition("_")[0])
        systems: dict[str, Callable[[Picture, Picture], Picture]] = {"bicubic": cubic}
        for model in models:
            colorizer = upscaler(model, scale)
            systems[Path(model).stem] = lambda low, _, colorizer=colorizer: enlarged(colorizer, low)  # type: ignore[misc]
        rows: dict[str, dict[str, list[metrics.Row]]] = defaultdict(lambda: defaultdict(list))
        for path in sorted((source / kind).iterdir()):
            low, truth = read(path), read(source / "truth" / f"{path.stem}.png")
            made = {system: enlarge(low, truth) for system, enlarge in systems.items()}
            for system, picture in made.items():
                row = metrics.sharpness_row(picture, truth, scale)
                rows[system][path.stem.rstrip("0123456789")].append(row)
                rows[system]["all"].append(row)
            if crops:
                show([*made.values(), truth], crops / f"{kind}-{path.stem}.png")
        which = sorted({group for groups in rows.values() for group in groups})
        print(f"| input | system | {' | '.join(f'{group} psnr_y | ssim_y' for group in which)} |")
        print("|---|---|" + "---|---|" * len(which))
        for system, groups in rows.items():
            means = (metrics.mean_row(groups[group]) for group in which)
            cells = " | ".join(f"{mean['psnr_y']:.2f} | {mean['ssim_y']:.3f}" for mean in means)
            print(f"| {kind} | {system} | {cells} |", flush=True)


def show(pictures: list[Picture], path: Path, side: int = 160) -> None:
    """The middle of each in a row, three times as large, without smoothing."""
    y, x = ((size - side) // 2 for size in pictures[0].shape[:2])
    row = np.concatenate([picture[y : y + side, x : x + side] for picture in pictures], 1)
    large = cv2.resize(row[..., ::-1], None, fx=3, fy=3, interpolation=cv2.INTER_NEAREST)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(cv2.imencode(".png", large)[1].tobytes())


def upconv7() -> nn.Sequential:
    """The chain, with weights as they come."""
    layers: list[nn.Module] = []
    for before, after in zip((1, 16, 32, 64, 128, 128), (16, 32, 64, 128, 128, 256), strict=True):
        layers += [nn.Conv2d(before, after, 3), nn.LeakyReLU(0.1)]
    return nn.Sequential(*layers, nn.ConvTranspose2d(256, 1, 4, stride=2, padding=3)).eval()


@torch.inference_mode()
def cost(models: list[str], scale: int, side: int, runs: int) -> None:
    page = np.random.default_rng(0).integers(0, 256, (side, side), np.uint8)
    gray = torch.from_numpy(page)[None, None]
    systems: dict[str, Callable[[], object]] = {}
    for model in models:
        enlarger = upscaler(model, scale).enlarger
        assert enlarger is not None
        systems[Path(model).stem] = partial(enlarger.gray, gray)
    chain = upconv7()
    systems["upconv7, float32"] = partial(in_tiles, chain, gray.float() / 255)
    half = upconv7().to(torch.bfloat16).to(memory_format=torch.channels_last)
    systems["upconv7, bfloat16"] = partial(in_tiles, half, gray.to(torch.bfloat16) / 255)
    seconds: dict[str, list[float]] = {name: [] for name in systems}
    for _ in range(runs):
        for name, call in systems.items():
            start = time.process_time()
            call()
            seconds[name].append((time.process_time() - start) / side**2 * 1e6)
    middle = {name: statistics.median(values) for name, values in seconds.items()}
    full, short = middle["upconv7, float32"], middle["upconv7, bfloat16"]
    rows = {
        name: {"s/MP": value, "of float32": value / full, "of bfloat16": value / short}
        for name, value in middle.items()
    }
    print(f"x{scale}, {side} px square, {torch.get_num_threads()} threads, seconds of processors, median of {runs}")
    print(metrics.table(rows))


def in_tiles(chain: nn.Module, x: Tensor, tile: int = 256) -> None:
    """Every tile by itself, without overlap: what the chain costs at best."""
    for y in range(0, x.shape[-2], tile):
        for left in range(0, x.shape[-1], tile):
            chain(x[..., y : y + tile, left : left + tile])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", type=Path, nargs="?")
    parser.add_argument("--models", nargs="+", default=list(MODELS))
    parser.add_argument("--kinds", nargs="+", default=["low2", "low2_jpeg", "low4"])
    parser.add_argument("--crops", type=Path)
    parser.add_argument("--time", action="store_true")
    parser.add_argument("--scale", type=int, default=2)
    parser.add_argument("--side", type=int, default=1024)
    parser.add_argument("--runs", type=int, default=3)
    options = parser.parse_args()
    if options.source is None and not options.time:
        parser.error("say SR_DIR or --time")
    if options.source is not None:
        sharpness(options.source, options.models, options.kinds, options.crops)
    if options.time:
        cost(options.models, options.scale, options.side, options.runs)


if __name__ == "__main__":
    main()
