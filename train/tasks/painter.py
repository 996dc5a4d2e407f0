"""The painter's training, stage A: paint under known ink, ab under known luminance, palette always at hand."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from mangapaint.models.lab import lab_to_rgb, rgb_to_lab
from mangapaint.models.painter_net import TEMPERATURE, PainterConfig, PainterNet
from mangapaint.paint.palette import CELLS, corners, palette_of
from train.corpus import Corpus, Picture, resized
from train.loop import Batch, Phase
from train.recipe import Recipe, typed
from train.synth import pages
from train.synth.manga import MangaOptions, blur, ink_ratio, luminance, manga_like
from train.tasks.common import autocast

VOTE = 0.5
"""Weight of the cross-entropy of the votes."""
SOFT = 0.7
"""Pictures smaller than this share of the crop would be blurred; another is drawn."""


@dataclass(frozen=True, slots=True)
class PainterOptions:
    """Crops, augmentation and conditioning; the drawing's options are MangaOptions."""

    sides: tuple[int, ...] = (160, 192, 256)
    """Sides of the square batches, multiples of 32; the batch size is for the first, larger ones take fewer."""
    pages: float = 0.4
    """Share of synthetic pages among pictures, reached at half of the schedule."""
    permuted: float = 0.2
    """Share with the colour channels permuted in target, hints and palette together."""
    saturated: float = 1.3
    """Targets are saturated by up to this factor."""
    foreign: float = 0.3
    """Share whose palette holds another picture's colours too, as a chapter's palette does on one page."""
    hinted: float = 0.3
    """Share that gets 1-12 patches of the true colour as hints."""
    gray: float = 0.15
    toned: float = 0.45
    hashed: float = 0.8
    blank: float = 0.6

    @property
    def manga(self) -> MangaOptions:
        own: dict[str, Any] = asdict(self)
        return MangaOptions(**{f.name: own[f.name] for f in fields(MangaOptions)})


class PainterTask:
    """See the module."""

    main = "painter"

    def __init__(self, recipe: Recipe, corpus: Path) -> None:
        self.options = typed(PainterOptions, recipe.options, "[options]")
        self.config = typed(PainterConfig, recipe.net, "[net]")
        self.corpus = Corpus(corpus, dict(recipe.sets))

    def nets(self) -> dict[str, nn.Module]:
        return {"painter": PainterNet(self.config)}

    def piece(self, height: int, width: int, rng: np.random.Generator) -> Picture:
        """(height, width, 3) crop of one picture that shows most of it, mirrored half the time."""
        for _ in range(5):
            picture = self.corpus.draw(rng)[1]
            tall, wide = picture.shape[:2]
            if min(tall / height, wide / width) > SOFT:
                break
        span = rng.uniform(0.55, 1.0) * min(tall / height, wide / width)
        if min(tall, wide) > 700:  # whole comic pages: figures are small on them already
            span = rng.uniform(1.0, 2.4) if rng.random() < 0.8 else span
            span = min(span, tall / height, wide / width)
        rows, columns = max(8, int(height * span)), max(8, int(width * span))
        y, x = int(rng.integers(0, tall - rows + 1)), int(rng.integers(0, wide - columns + 1))
        crop = resized(picture[y : y + rows, x : x + columns], height, width)
        return crop[:, ::-1] if rng.random() < 0.5 else crop

    def batch(self, rng: np.random.Generator, size: int, done: float) -> Batch:
        sides = self.options.sides
        side = int(rng.choice(sides))
        size = max(2, round(size * (sides[0] / side) ** 2))
        colour = np.empty((size, side, side, 3), np.uint8)
        paper = np.zeros((size, side, side), bool)
        for i in range(size):
            if rng.random() < self.options.pages * min(1.0, 0.25 + 1.5 * done):
                colour[i], paper[i] = pages.page(side, lambda h, w: self.piece(h, w, rng), rng)
            else:
                colour[i] = self.piece(side, side, rng)
        picture = torch.from_numpy(colour).permute(0, 3, 1, 2).float() / 255
        picture = self.recoloured(picture, rng)
        with torch.no_grad():
            page, is_gray = manga_like(picture, self.options.manga, rng)
            palette = palette_of(picture)
        palette = self.blurred(palette, rng)
        hints = self.hints(picture, rng)
        return {
            "picture": picture,
            "page": page,
            "gray": is_gray,
            "palette": palette,
            "hints": hints,
            "paper": torch.from_numpy(paper)[:, None],
            "temperature": torch.tensor(1.0 if rng.random() < 0.5 else TEMPERATURE),
        }

    def blurred(self, palette: Tensor, rng: np.random.Generator) -> Tensor:
        """Palettes with shares that are not quite right and some colours of the neighbour in the batch."""
        jitter = torch.from_numpy(np.exp(rng.normal(0, 0.3, palette.shape)).astype(np.float32))
        foreign = torch.from_numpy((rng.random((len(palette), 1)) < self.options.foreign).astype(np.float32))
        return palette * jitter + 0.5 * foreign * palette.roll(1, 0)

    def recoloured(self, picture: Tensor, rng: np.random.Generator) -> Tensor:
        """Channels permuted in some, saturation raised in all: the palette that follows is taken after this."""
        gain = torch.from_numpy(rng.uniform(1, self.options.saturated, (len(picture), 1, 1, 1)).astype(np.float32))
        y = luminance(picture)
        picture = (y + (picture - y) * gain).clamp(0, 1)
        for i in np.nonzero(rng.random(len(picture)) < self.options.permuted)[0]:
            picture[i] = picture[i, torch.from_numpy(rng.permutation(3))]
        return picture

    def hints(self, picture: Tensor, rng: np.random.Generator) -> Tensor:
        """(N, 4, H, W): square patches of the smoothed true colour, and their mask."""
        n, _, height, width = picture.shape
        mask = torch.zeros(n, 1, height, width)
        for i in np.nonzero(rng.random(n) < self.options.hinted)[0]:
            for _ in range(int(rng.integers(1, 13))):
                half = int(rng.integers(1, 7))
                y, x = int(rng.integers(0, height)), int(rng.integers(0, width))
                mask[i, :, max(0, y - half) : y + half, max(0, x - half) : x + half] = 1
        return torch.cat([blur(picture, 2.0) * mask, mask], 1)

    def phases(self, nets: Mapping[str, nn.Module], batch: Batch, done: float) -> Iterator[Phase]:
        picture, page = batch["picture"], batch["page"].contiguous(memory_format=torch.channels_last)
        with autocast(page.device):
            output, votes, cells = nets["painter"](page, batch["hints"], batch["palette"], float(batch["temperature"]))
        losses = painter_losses(output, picture, batch["gray"], batch["paper"])
        losses["vote"] = vote_loss(votes, cells, picture, batch["paper"])
        yield Phase("painter", torch.stack(list(losses.values())).sum(), {k: v.item() for k, v in losses.items()})

    def samples(self, net: nn.Module, device: torch.device) -> NDArray[np.uint8]:
        batch = {key: value.to(device) for key, value in self.batch(np.random.default_rng(5), 12, 1.0).items()}
        with torch.inference_mode(), autocast(device):
            output = net(batch["page"], batch["hints"], batch["palette"], TEMPERATURE)[0]
        painted = composed(output, batch["page"], batch["gray"])
        rows = [batch["page"].expand(-1, 3, -1, -1), painted, batch["picture"]]
        sheet = torch.cat([torch.cat(list(row.cpu()), 2) for row in rows], 1)
        return (sheet.permute(1, 2, 0).clamp(0, 1) * 255).round().byte().numpy()


def composed(output: Tensor, page: Tensor, is_gray: Tensor) -> Tensor:
    """Net output and page -> (N, 3, H, W) colour, plainly: paint times page, or the page's L* with the net's ab."""
    full = F.interpolate(output, size=page.shape[-2:], mode="bilinear", align_corners=False)
    lightness = rgb_to_lab(page.expand(-1, 3, -1, -1))[:, :1]
    kept = lab_to_rgb(torch.cat([lightness, full[:, 3:] * 110], 1))
    return torch.where(is_gray.view(-1, 1, 1, 1), kept, full[:, :3] * page)


def painter_losses(output: Tensor, picture: Tensor, is_gray: Tensor, paper: Tensor) -> dict[str, Tensor]:
    """The terms of stage A; the whole loss is their sum.

    Args:
        output: (N, 5, H/2, W/2) of the net.
        picture: (N, 3, H, W) truth in 0..1.
        is_gray: (N,) samples whose input is true luminance; only they are judged by ab.
        paper: (N, 1, H, W) gutters and bubbles, which composition forces to white; they weigh little.

    Returns:
        fine, coarse: L1 of paint times the picture's own ink, at stride 2 and 16. chroma: L1 of the channels' distances
        from their mean. ab: L1 of ab / 110. Pixels weigh more the more colour the truth has: against sepia.
    """
    ink = ink_ratio(luminance(picture))
    truth = F.avg_pool2d(picture, 2)
    painted = output[:, :3] * F.avg_pool2d(ink, 2)
    spread = truth.amax(1, keepdim=True) - truth.amin(1, keepdim=True)
    weight = (0.6 + 2 * spread) * (1 - 0.7 * F.avg_pool2d(paper.float(), 2))
    weight = weight / weight.mean()
    error = (painted - truth).abs().mean(1, keepdim=True)
    distance = (painted - painted.mean(1, keepdim=True)) - (truth - truth.mean(1, keepdim=True))
    coarse = (F.avg_pool2d(painted * weight, 8) - F.avg_pool2d(truth * weight, 8)).abs().mean()
    lab = rgb_to_lab(truth)[:, 1:] / 110
    judged = is_gray.view(-1, 1, 1, 1) * weight
    ab = ((output[:, 3:] - lab).abs() * judged).mean() * 4
    return {
        "fine": (error * weight).mean(),
        "coarse": coarse,
        "chroma": 2 * (distance.abs() * weight).mean(),
        "ab": ab,
    }


def vote_loss(votes: Tensor, cells: Tensor, picture: Tensor, paper: Tensor) -> Tensor:
    """Cross-entropy of the votes against the truth's colour, spread over the cells around it (Zhang et al. 2016).

    Args:
        votes: (N, K, H/4, W/4) logits for the palette's heaviest cells.
        cells: (N, K) which cells those are.
        picture: (N, 3, H, W) truth in 0..1; its ink is divided out.
        paper: (N, 1, H, W) weighs little.

    Returns:
        Mean over places; colours that are rare in the picture weigh up to four times more (lambda .5).
    """
    paint = F.avg_pool2d((picture / ink_ratio(luminance(picture)).clamp_min(0.2)).clamp(0, 1), 4)
    truth = torch.zeros(len(paint), CELLS, *paint.shape[-2:], device=paint.device)
    for index, share in corners(paint):
        truth.scatter_add_(1, index[:, None], share[:, None])
    target = truth.gather(1, cells[:, :, None, None].expand(-1, -1, *paint.shape[-2:]))
    covered = target.sum(1, keepdim=True)
    target = target / covered.clamp_min(1e-4)
    common = target.mean((2, 3), keepdim=True)
    rare = (1 / (0.5 * common * target.shape[1] + 0.5)).clamp_max(4)
    weight = (target * rare).sum(1, keepdim=True) * (covered > 0.3) * (1 - 0.7 * F.avg_pool2d(paper.float(), 4))
    entropy = -(target * F.log_softmax(votes, 1)).sum(1, keepdim=True)
    return VOTE * (entropy * weight).sum() / weight.sum().clamp_min(1)
