"""The face detector's training: made pages, a focal loss on the heat of centres, L1 on boxes (Zhou et al. 2019)."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from mangapaint.layout.faces import decoded
from mangapaint.models.faces_net import STRIDE, USUAL, FacesConfig, FacesNet
from train.corpus import Corpus
from train.loop import Batch, Phase
from train.recipe import RECIPES, Recipe, typed
from train.synth.facepages import Maker, PageOptions, from_json
from train.synth.facesheet import Piece
from train.synth.facestamps import USUAL_BOX, Gray, Stamp, cartoon_stamp, crop_stamp, inked
from train.tasks.common import autocast

BOXES = RECIPES / "manga_faces.json"
"""Faces of real pages, [x, y, width, height] by set and name of the corpus."""
BREADTH = 0.1
"""Standard deviation of the heat around a centre, share of the face's sides."""
DOUBTED = 0.25
"""Heat above which an unmarked place of an unmarked picture counts neither way."""


@dataclass(frozen=True, slots=True)
class FacesOptions(PageOptions):
    """Pieces and losses; the rest are PageOptions."""

    side: int = 416
    """Of the square pieces, px, a multiple of 32."""
    boxes: float = 2.0
    """Weight of the boxes' loss beside the heat's."""


class FacesTask:
    """See the module."""

    main = "faces"

    def __init__(self, recipe: Recipe, corpus: Path) -> None:
        self.options = typed(FacesOptions, recipe.options, "[options]")
        self.config = typed(FacesConfig, recipe.net, "[net]")
        if self.options.side % FacesNet.multiple_of:
            raise ValueError(f"[options]: side must be a multiple of {FacesNet.multiple_of}, not {self.options.side}")
        sets = dict(recipe.sets)
        crops = {name: weight for name, weight in sets.items() if name in USUAL_BOX}
        self.crops = {name: Corpus(corpus, {name: weight}) for name, weight in crops.items()}
        said = json.loads(BOXES.read_text(encoding="utf-8"))
        marked = []
        for name in sorted(set(sets) & set(said)):
            pages = Corpus(corpus, {name: 1.0}, split=None)
            for index, item in enumerate(pages.items):
                if item.name in said[name]:
                    gray = cv2.cvtColor(np.ascontiguousarray(pages.picture(index)), cv2.COLOR_RGB2GRAY)
                    marked.append(from_json(said[name][item.name], np.asarray(gray, np.uint8)))
        others = {name: weight for name, weight in sets.items() if name not in crops and name not in said}
        self.others = Corpus(corpus, others) if others else None
        own: dict[str, Any] = asdict(self.options)
        pages_only = PageOptions(**{f.name: own[f.name] for f in fields(PageOptions)})
        self.maker = Maker(self.head, self.art, marked, pages_only)
        self.share = {name: len(corpus) * crops[name] for name, corpus in self.crops.items()}

    def nets(self) -> dict[str, nn.Module]:
        return {"faces": FacesNet(self.config)}

    def head(self, size: float, rng: np.random.Generator) -> Stamp:
        """A head from a crop, drawn about as large as it will be seen or larger; or a simple one."""
        share = self.options.cartoons / max(1e-6, 1 - self.options.figures - self.options.cut)
        if not self.crops or rng.random() < share:
            return cartoon_stamp(int(np.clip(2.4 * size * rng.uniform(1, 1.6), 48, 200)), rng)
        fine = self.share
        if size > 90 and "faces256" in fine:
            fine = {"faces256": 1.0}
        names, weights = list(fine), np.array(list(fine.values()))
        name = names[int(rng.choice(len(names), p=weights / weights.sum()))]
        _, picture = self.crops[name].draw(rng)
        usual = USUAL_BOX[name]
        side = int(np.clip(size / (usual[2] - usual[0]) * rng.uniform(0.9, 2.0), 56, 288))
        return crop_stamp(picture, usual, side, rng)

    def art(self, rng: np.random.Generator) -> Gray:
        """A drawing of some other picture."""
        if self.others is None:
            return np.full((64, 64), int(rng.integers(256)), np.uint8)
        _, picture = self.others.draw(rng)
        height, width = picture.shape[:2]
        span = int(min(height, width, rng.uniform(180, 420)))
        y, x = int(rng.integers(0, height - span + 1)), int(rng.integers(0, width - span + 1))
        part = np.ascontiguousarray(picture[y : y + span, x : x + span])
        if span > 288:
            part = np.asarray(cv2.resize(part, (288, 288), interpolation=cv2.INTER_AREA), np.uint8)
        middle = 0.5 * part.shape[0]
        return inked(part, (0.5 * middle, 0.6 * middle, 1.5 * middle, 1.6 * middle), rng)

    def batch(self, rng: np.random.Generator, size: int, done: float) -> Batch:
        pieces = [self.maker.piece(self.options.side, rng) for _ in range(size)]
        targets = [told(piece) for piece in pieces]
        heat, boxes, near, counted, unknown = (torch.from_numpy(np.stack(each)) for each in zip(*targets, strict=True))
        page = torch.from_numpy(np.stack([piece.gray for piece in pieces])[:, None])
        return {"page": page, "heat": heat, "boxes": boxes, "near": near, "counted": counted, "unknown": unknown}

    def phases(self, nets: Mapping[str, nn.Module], batch: Batch, done: float) -> Iterator[Phase]:
        page = (batch["page"].float() / 255).contiguous(memory_format=torch.channels_last)
        with autocast(page.device):
            maps = nets["faces"](page)
        logit, truth = maps[:, 0].float(), batch["heat"]
        doubted = batch["unknown"] & (logit.detach().sigmoid() > DOUBTED)
        heat = focal(logit, truth, batch["counted"] & ~doubted)
        near = batch["near"]
        error = (maps[:, 1:].float() - batch["boxes"][:, :4]) * batch["boxes"][:, 4:]
        box = (error.abs().sum(1) * near).sum() / near.sum().clamp_min(1)
        centres = truth == 1
        hit = (logit.detach()[centres] > 0).float().mean().item() if centres.any() else 1.0
        yield Phase("faces", heat + self.options.boxes * box, {"heat": heat.item(), "box": box.item(), "hit": hit})

    def samples(self, net: nn.Module, device: torch.device) -> NDArray[np.uint8]:
        """Made pieces: true boxes light, found ones dark."""
        rng = np.random.default_rng(5)
        pieces = [self.maker.piece(self.options.side, rng) for _ in range(8)]
        page = torch.from_numpy(np.stack([piece.gray for piece in pieces])[:, None]).to(device).float() / 255
        with torch.inference_mode(), autocast(device):
            maps = net(page).float().cpu().numpy()
        tiles = []
        for piece, said in zip(pieces, maps, strict=True):
            tile = cv2.cvtColor(piece.gray, cv2.COLOR_GRAY2RGB)
            for box in piece.faces.astype(int):
                cv2.rectangle(tile, box[:2].tolist(), box[2:].tolist(), (0, 200, 0), 1)
            for box in piece.ignore.astype(int):
                cv2.rectangle(tile, box[:2].tolist(), box[2:].tolist(), (0, 160, 255), 1)
            for found in decoded(said, 0.3):
                corner = (found.region.x, found.region.y)
                cv2.rectangle(tile, corner, (found.region.right, found.region.bottom), (255, 0, 0), 2)
            tiles.append(np.asarray(tile, np.uint8))
        return np.concatenate([np.concatenate(tiles[i : i + 4], 1) for i in (0, 4)])


def told(piece: Piece) -> tuple[NDArray[Any], ...]:
    """A piece as the net is to see it, on the grid of its maps.

    Returns:
        heat (h, w) float32, 1 at centres; boxes (8, h, w) float32, four targets and the weight of each; near (h, w)
        float32, how much a place's box counts; counted (h, w) bool; unknown (h, w) bool.
    """
    side = piece.gray.shape[0] // STRIDE
    rows, columns = np.mgrid[:side, :side].astype(np.float32) + 0.5
    heat, near = np.zeros((side, side), np.float32), np.zeros((side, side), np.float32)
    boxes = np.zeros((8, side, side), np.float32)
    counted = np.ones((side, side), bool)
    for x0, y0, x1, y1 in piece.ignore / STRIDE:
        counted[max(0, int(y0)) : int(np.ceil(y1)), max(0, int(x0)) : int(np.ceil(x1))] = False
    order = np.argsort(piece.faces[:, 0] - piece.faces[:, 2])
    for x0, y0, x1, y1 in piece.faces[order] / STRIDE:  # small ones last: they lie in front
        w, h, x, y = x1 - x0, y1 - y0, (x0 + x1) / 2, (y0 + y1) / 2
        sx, sy = max(0.45, BREADTH * w), max(0.45, BREADTH * h)
        own = np.exp(-0.5 * (((columns - x) / sx) ** 2 + ((rows - y) / sy) ** 2))
        row, column = min(side - 1, int(y)), min(side - 1, int(x))
        own[row, column] = 1.0
        counted[own > 0.3] = True
        mine = (own > 0.3) & (own >= near)
        targets = np.stack(
            [
                x - columns,
                y - rows,
                np.full_like(rows, np.log(w * STRIDE / USUAL)),
                np.full_like(rows, np.log(h * STRIDE / USUAL)),
                np.full_like(rows, 1 / w),
                np.full_like(rows, 1 / h),
                np.ones_like(rows),
                np.ones_like(rows),
            ]
        )
        boxes[:, mine] = targets[:, mine]
        near[mine] = own[mine]
        heat = np.maximum(heat, own)
    unknown = cv2.resize(piece.unknown.astype(np.uint8), (side, side), interpolation=cv2.INTER_AREA) > 0
    return heat, boxes, near, counted, unknown & (heat < 0.3)


def focal(logit: Tensor, truth: Tensor, counted: Tensor) -> Tensor:
    """The penalty-reduced focal loss of CornerNet (Law and Deng 2018), over the number of faces."""
    likely, positive = logit.sigmoid(), truth == 1
    hits = F.logsigmoid(logit) * (1 - likely) ** 2
    others = F.logsigmoid(-logit) * likely**2 * (1 - truth) ** 4
    loss = torch.where(positive, hits, others) * counted
    return -loss.sum() / positive.sum().clamp_min(1)
