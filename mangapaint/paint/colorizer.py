"""Colours and enlarges decoded pages: layout and palette on the host, everything else in one trip to the device."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol, cast

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from mangapaint.engine.runner import Engine
from mangapaint.errors import UsageError
from mangapaint.layout import strips
from mangapaint.layout.measure import paper_level
from mangapaint.layout.paper import paper
from mangapaint.layout.regions import regions
from mangapaint.models import store
from mangapaint.models.painter_net import TEMPERATURE, PainterNet, voted_together
from mangapaint.models.upscaler_net import UpscalerNet
from mangapaint.page import PageImage, Region, Verdict
from mangapaint.paint.compose import joint_upsample, lifted, under_ink, under_luminance, vivid
from mangapaint.paint.mode import mode_of
from mangapaint.paint.palette import enriched, mixed, palette_of
from mangapaint.settings import PaintSettings, Settings

LONG_SIDE = 1152
"""Longest side of what the painter sees, px: cost does not depend on the scan's size."""
STRIDE = 32
MOSTLY = 0.6
"""Share of a region that is paper above which all of it stays white."""
STRIP_OVERLAP = 96
"""Overlap of the windows of a scroll strip, px of the page."""
COVERS = 2
"""Pages at the start and at the end of a chapter among which a coloured cover is looked for."""
VIVID = 1.75
"""Gain on the colour of paint under ink: the mean of a vote is paler than any colour that was voted for."""
LIFT = 0.7
"""Share by which paint under ink is brightened (compose.lifted)."""
DULL_PAPER = 190
"""Paper darker than this is no paper: such a page's levels are left alone."""


class Glance(Protocol):
    """A page that can be looked at before painting starts."""

    def verdict(self) -> Verdict | None: ...

    def image(self) -> PageImage: ...


@dataclass(frozen=True, slots=True)
class Painted:
    """A result: (H * scale, W * scale, 3) uint8 sRGB, and the seconds that the nets took for it."""

    pixels: NDArray[np.uint8]
    seconds: float


@dataclass(frozen=True, slots=True)
class Drawing:
    """A page made ready on the host: levelled luminance and the mask of what stays paper, both (H, W)."""

    gray: NDArray[np.uint8]
    paper: NDArray[np.bool_]
    mode: str


class Colorizer:
    """The painter and the upscaler of one run.

    Args:
        engine: where the nets run.
        settings: of the run; `settings.paint` None loads no painter.

    Raises:
        WeightsError: weights are missing, altered or made for another task.
    """

    def __init__(self, engine: Engine, settings: Settings) -> None:
        self.engine = engine
        self.settings = settings
        offline = settings.engine.offline
        self.painter: PainterNet | None = None
        self.upscaler: UpscalerNet | None = None
        sums = []
        self.overlap = 0
        if settings.paint is not None:
            net, spec = store.load(settings.paint.model, task="colorize", offline=offline)
            self.painter = engine.prepare(cast(PainterNet, net))
            self.bank = cast(Tensor, self.painter.bank).float().cpu()
            sums.append(spec.sha256)
        if settings.upscale.scale > 1:
            net, spec = store.load(settings.upscale.model, task="upscale", offline=offline)
            self.upscaler = engine.prepare(cast(UpscalerNet, net))
            self.overlap = spec.receptive_field or 0
            sums.append(spec.sha256)
            if settings.upscale.scale not in self.upscaler.config.scales:
                raise UsageError(f"{spec.name} enlarges by {self.upscaler.config.scales}, not {settings.upscale.scale}")
        self.weights = "".join(sums)
        self.palette = torch.zeros(1, 0)

    @property
    def digest(self) -> str:
        """Hex digest of the weights and of the chapter's palette."""
        palette = (self.palette * 1000).round().to(torch.int32).numpy().tobytes()
        return hashlib.sha256(self.weights.encode() + palette).hexdigest()

    @property
    def device(self) -> str:
        return f"{self.engine.device.torch_device} {self.engine.device.precision}"

    def prepare(self, pages: Sequence[Glance]) -> None:
        """Choose the chapter's palette: references, else a coloured cover, else one of the bank."""
        if self.settings.paint is None:
            return
        self.palette = chapter_palette(self.settings.paint, self.bank, pages, self.settings)

    def paint(self, pages: list[PageImage]) -> list[Painted]:
        """Colour (and enlarge, where the settings say so) pages of one size."""
        if self.painter is None or self.settings.paint is None:
            raise UsageError("no painter was loaded")
        started = self.engine.seconds
        drawings = [drawing_of(page, self.settings.paint.mode) for page in pages]
        layers = self.layers(drawings)
        results = [self.composed(drawing, layer) for drawing, layer in zip(drawings, layers, strict=True)]
        seconds = (self.engine.seconds - started) / len(pages)
        return [Painted(pixels, seconds) for pixels in results]

    def upscale(self, pages: list[PageImage]) -> list[Painted]:
        """Enlarge pages without touching their colours: the net's detail in luminance over cubic colour."""
        results = []
        for page in pages:
            started = self.engine.seconds
            pixels = self.enlarged_colour(page.pixels)
            results.append(Painted(pixels, self.engine.seconds - started))
        return results

    def layers(self, drawings: Sequence[Drawing]) -> list[Tensor]:
        """(1, 6, h, w) each, at the size the net saw: paint, ab (Lab units), paper."""
        height, width = drawings[0].gray.shape
        windows = [Region(0, 0, width, height)]
        if strips.is_strip(height, width):
            windows = strips.cut(drawings[0].gray, round(1.4 * width), STRIP_OVERLAP)
            return [stitched(self.seen([d], windows), windows) for d in drawings]
        return list(self.seen(drawings, windows))

    def seen(self, drawings: Sequence[Drawing], windows: Sequence[Region]) -> list[Tensor]:
        """What the net says of each drawing in each window: (1, 6, h, w)."""
        found = []
        for window in windows:
            scale = min(1.0, LONG_SIDE / max(window.width, window.height))
            size = (max(1, round(window.height * scale)), max(1, round(window.width * scale)))
            gray = self.moved([d.gray[window.slices] for d in drawings])[:, None]
            mask = self.moved([d.paper[window.slices] for d in drawings])[:, None]
            labels = self.moved([labelled(d.gray[window.slices], size) for d in drawings])
            page, share = reduced(gray.float() / 255, size), reduced(mask.float(), size)
            found.append(torch.cat([self.run_painter(page, labels), whole_regions(share, labels)], 1))
        return [part[i : i + 1] for part in found for i in range(len(part))]

    def moved(self, arrays: Sequence[NDArray[Any]]) -> Tensor:
        """(N, ...) on the device."""
        return torch.from_numpy(np.stack(arrays)).to(self.engine.device.torch_device)

    def run_painter(self, page: Tensor, labels: Tensor) -> Tensor:
        """Net and upsampling along the drawing's edges.

        Args:
            page: (N, 1, h, w) in 0..1.
            labels: (N, H / 2, W / 2) int64 regions, H and W being h and w rounded up to the stride.

        Returns:
            (N, 5, h, w): paint sRGB in 0..1, ab in Lab units.
        """
        n, _, height, width = page.shape
        padded = F.pad(page, (0, -width % STRIDE, 0, -height % STRIDE), mode="replicate")
        hints = padded.new_zeros(n, 4, *padded.shape[-2:])
        palette = self.palette.to(page.device).expand(n, -1)
        output = self.engine.run("painter", self.paint_of, padded, hints, palette, labels)
        full = joint_upsample(cast(Tensor, output).float(), padded)[:, :, :height, :width]
        return torch.cat([full[:, :3], full[:, 3:] * 110], 1)

    def paint_of(self, page: Tensor, hints: Tensor, palette: Tensor, labels: Tensor) -> Tensor:
        """(N, 5, h / 2, w / 2): the net's paint under the annealed vote of each region."""
        return cast(Tensor, cast(PainterNet, self.painter)(page, hints, palette, TEMPERATURE, labels)[0])

    def composed(self, drawing: Drawing, layer: Tensor) -> NDArray[np.uint8]:
        """The full-resolution (and enlarged) coloured page."""
        paint = cast(PaintSettings, self.settings.paint)
        page = torch.from_numpy(drawing.gray)[None, None].to(layer.device)
        if self.upscaler is not None:
            page = self.enlarged(page)
        paper_share = layer[:, 5:6]
        if drawing.mode == "gray":
            colour = under_luminance(layer[:, 3:5] * paint.vividness, page, paper_share)
        else:
            colour = under_ink(lifted(vivid(layer[:, :3], VIVID * paint.vividness), LIFT), page, paper_share)
        return np.ascontiguousarray(colour[0].permute(1, 2, 0).cpu().numpy())

    def enlarged(self, gray: Tensor) -> Tensor:
        """(N, 1, H, W) uint8 -> (N, 1, H * scale, W * scale) uint8."""
        scale = self.settings.upscale.scale
        net = cast(UpscalerNet, self.upscaler)
        return self.engine.tiled(
            "upscaler",
            ByScale(net, scale),
            gray.float() / 255,
            scale=scale,
            overlap=self.overlap,
            cast=False,
            finish=lambda y: (y.clamp(0, 1) * 255).round().to(torch.uint8),
        )

    def enlarged_colour(self, pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
        scale = self.settings.upscale.scale
        height, width = pixels.shape[0] * scale, pixels.shape[1] * scale
        cubic = cv2.resize(pixels, (width, height), interpolation=cv2.INTER_CUBIC)
        gray = torch.from_numpy(cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY))[None, None]
        sharp = self.enlarged(gray.to(self.engine.device.torch_device))[0, 0].cpu().numpy()
        detail = sharp.astype(np.int16) - cv2.cvtColor(cubic, cv2.COLOR_RGB2GRAY)
        return np.clip(cubic + detail[..., None], 0, 255).astype(np.uint8)


class ByScale:
    """The upscaler with its scale fixed, as the engine's tiles call it."""

    def __init__(self, net: UpscalerNet, scale: int) -> None:
        self.net, self.scale = net, scale

    def __call__(self, x: Tensor) -> Tensor:
        return cast(Tensor, self.net(x, self.scale))


def drawing_of(page: PageImage, mode: str) -> Drawing:
    """Luminance with dull or yellowed paper brought to white, its paper mask, and the mode."""
    gray = np.asarray(cv2.cvtColor(page.pixels, cv2.COLOR_RGB2GRAY), np.uint8)
    mask = paper(gray)
    white = paper_level(gray) + 8
    if DULL_PAPER <= white < 255:
        gray = np.asarray(cv2.convertScaleAbs(gray, alpha=255 / white), np.uint8)
    return Drawing(gray, mask, mode_of(gray) if mode == "auto" else mode)


def labelled(gray: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.int64]:
    """Regions of a page for the net's grid: half of `size` (height, width) rounded up to the net's stride."""
    height, width = (-(-side // STRIDE) * STRIDE // 2 for side in size)
    small_page = cv2.resize(gray, (max(1, size[1] // 2), max(1, size[0] // 2)), interpolation=cv2.INTER_AREA)
    below, right = height - small_page.shape[0], width - small_page.shape[1]
    padded = cv2.copyMakeBorder(small_page, 0, below, 0, right, cv2.BORDER_REPLICATE)
    return regions(np.asarray(padded, np.uint8)).astype(np.int64)


def whole_regions(share: Tensor, labels: Tensor) -> Tensor:
    """Paper that fills most of a region takes all of it.

    Args:
        share: (N, 1, h, w) share of paper, 0..1.
        labels: (N, H / 2, W / 2) regions on the net's grid.

    Returns:
        (N, 1, h, w), 0..1; edges run along the drawing's lines.
    """
    n, _, height, width = share.shape
    rows, columns = labels.shape[1:]
    grid = F.pad(share, (0, 2 * columns - width, 0, 2 * rows - height), mode="replicate")
    grid = F.avg_pool2d(grid, 2)
    decided = torch.where(voted_together(grid, labels) > MOSTLY, 1.0, grid)
    full = F.interpolate(decided, scale_factor=2, mode="bilinear", align_corners=False)
    return full[:, :, :height, :width]


def reduced(x: Tensor, size: tuple[int, int]) -> Tensor:
    if tuple(x.shape[-2:]) == size:
        return x
    return F.interpolate(x, size=size, mode="bilinear", align_corners=False, antialias=True)


def stitched(parts: Sequence[Tensor], windows: Sequence[Region]) -> Tensor:
    """Layers of overlapping windows of a strip, joined top to bottom; overlaps are faded linearly."""
    width = min(part.shape[3] for part in parts)
    scale = width / windows[0].width
    total = round(windows[-1].bottom * scale)
    joined = parts[0].new_zeros(1, parts[0].shape[1], total, width)
    weight = parts[0].new_zeros(1, 1, total, 1)
    for part, window in zip(parts, windows, strict=True):
        top, bottom = round(window.y * scale), round(window.bottom * scale)
        piece = F.interpolate(part, size=(bottom - top, width), mode="bilinear", align_corners=False)
        rows = torch.arange(bottom - top, device=part.device, dtype=part.dtype)
        ramp = torch.minimum(rows + 1, (bottom - top) - rows).clamp_max(STRIP_OVERLAP * scale).view(1, 1, -1, 1)
        joined[:, :, top:bottom] += piece * ramp
        weight[:, :, top:bottom] += ramp
    return joined / weight


def chapter_palette(paint: PaintSettings, bank: Tensor, pages: Sequence[Glance], settings: Settings) -> Tensor:
    """(1, 216) palette of a chapter."""
    from mangapaint import pixels

    references = []
    for path in paint.references:
        try:
            data = path.read_bytes()
        except OSError as error:
            raise UsageError(f"the reference {path} cannot be read: {error.strerror}") from error
        references.append(palette_of(small(pixels.decode(data, settings.input.limits).pixels)))
    if references:
        return mixed(torch.cat(references), torch.ones(len(references)))
    for page in dict.fromkeys((*pages[:COVERS], *pages[-COVERS:])):
        if page.verdict() is Verdict.COLOUR:
            return enriched(palette_of(small(page.image().pixels)), bank, paint.seed)
    return bank[paint.seed % len(bank)][None]


def small(picture: NDArray[np.uint8]) -> Tensor:
    """(1, 3, h, w) in 0..1, longest side 512 px: enough for a histogram."""
    scale = min(1.0, 512 / max(picture.shape[:2]))
    size = (max(2, round(picture.shape[1] * scale)), max(2, round(picture.shape[0] * scale)))
    reduced_picture = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
    return torch.from_numpy(reduced_picture).permute(2, 0, 1)[None].float() / 255
