"""Fits the table of `mangapaint.layout.evidence`: made pages, and comic pages with known boxes in black and white.

The likelihood is that of the right cut (or of none, where there is none) among all cuts of a region, regions being
those that right cuts lead to.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from mangapaint.layout.evidence import EVIDENCE
from mangapaint.layout.lines import Floats
from mangapaint.layout.panels import WORKING_UNIT, Cut, clipped, content, cuts, divides, prepared, trimmed
from train.corpus import Corpus, Picture
from train.recipe import RECIPES
from train.synth.manga import MangaOptions, manga_like
from train.synth.panels import Gray, page

SETS = {
    "peppercarrot_pages": 8.0,
    "peppercarrot_covers": 4.0,
    "asp_ccby_colour": 0.2,
    "bookdash": 0.5,
    "faces256": 0.5,
    "illustrations": 2.0,
    "line_drawings_bw": 2.0,
}
BOXES = RECIPES / "comic_panels.json"
"""Panels of comic pages, [x, y, width, height] by set and name of the corpus."""
DRAWING = 512
"""Longest side of a drawing on made pages, px."""
POOL = 60
"""Drawings for all made pages together."""
COMIC_WEIGHT = 0.5
"""Of a region of a comic page, whose gutters are all regular, against one of a made page."""
RIDGES = (3e-4, 1e-3, 3e-3, 1e-2)
"""Weights of the squares of the standardised weights; the best on every fourth page held back is taken."""
TORN = 0.03
"""Share of a panel that a right cut may leave on the wrong side, besides what its slant takes."""


@dataclass(frozen=True)
class Choice:
    """One region: (N, 15) evidence of its cuts, (N,) which of them are right, and its weight."""

    evidence: Floats
    right: NDArray[np.bool_]
    weight: float


@dataclass(frozen=True)
class Table:
    """Weights of the evidence and of its square, bias, and the mean log likelihood on pages held back."""

    weights: Floats
    bias: float
    likelihood: float

    def text(self) -> str:
        """The lines of `evidence.py`."""
        first, second = np.split(self.weights, 2)
        rows = [f'"{name}": ({a:.2f}, {b:.2f}),' for name, a, b in zip(EVIDENCE, first, second, strict=True)]
        return "\n".join([*rows, f"BIAS = {self.bias:.2f}"])


def fitted(corpus: Path, made: int, seed: int) -> Table:
    """The table from `made` pages and a third as many comic pages."""
    pages = [list(choices(gray, boxes, weight)) for gray, boxes, weight in training_pages(corpus, made, seed)]
    kept = [each for index, rows in enumerate(pages) if index % 4 for each in rows]
    held = [each for index, rows in enumerate(pages) if not index % 4 for each in rows]
    scores = {ridge: likelihood(held, *maximised(kept, ridge)) for ridge in RIDGES}
    best = max(scores, key=lambda ridge: scores[ridge])
    print({ridge: round(score, 4) for ridge, score in scores.items()})
    return Table(*maximised(kept + held, best), scores[best])


def training_pages(corpus: Path, made: int, seed: int) -> Iterator[tuple[Gray, list[Floats], float]]:
    """Gray page, outlines of its panels (N, 2) and weight."""
    rng = np.random.default_rng(seed)
    source = Corpus(corpus, SETS)
    known: dict[str, dict[str, list[list[int]]]] = json.loads(BOXES.read_text())
    comics = [i for i, item in enumerate(source.items) if item.name in known.get(item.set, {})]
    pool = [drawing(source, known, rng) for _ in range(POOL)]
    width = round(WORKING_UNIT)
    for index in range(made):
        height = round(width * rng.uniform(1.3, 1.5))
        gray, outlines = page(width, height, lambda r: pool[int(r.integers(len(pool)))], rng)
        yield gray, outlines, 1.0
        if index % 3 == 0 and comics:
            number = comics[int(rng.integers(len(comics)))]
            item, picture = source.items[number], source.picture(number)
            boxes = [
                np.array([[x, y], [x + w, y], [x + w, y + h], [x, y + h]], np.float64)
                for x, y, w, h in known[item.set][item.name]
            ]
            yield black_and_white(picture, rng), boxes, COMIC_WEIGHT


def drawing(source: Corpus, known: dict[str, dict[str, list[list[int]]]], rng: np.random.Generator) -> Gray:
    """A picture, or one panel of a comic page, in black and white."""
    while True:
        item, picture = source.draw(rng)
        if item.set in known:
            if item.name not in known[item.set]:  # a page whose own frames nobody marked
                continue
            boxes = known[item.set][item.name]
            x, y, w, h = boxes[int(rng.integers(len(boxes)))]
            picture = picture[y + 8 : y + h - 8, x + 8 : x + w - 8]
        if min(picture.shape[:2]) >= 64:
            break
    scale = DRAWING / max(picture.shape[:2])
    size = (max(32, round(picture.shape[1] * scale)), max(32, round(picture.shape[0] * scale)))
    return black_and_white(np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), np.uint8), rng)


def black_and_white(picture: Picture, rng: np.random.Generator) -> Gray:
    """(H, W, 3) colour -> (H, W) drawing."""
    batch = torch.from_numpy(picture.copy()).permute(2, 0, 1)[None].float() / 255
    with torch.no_grad():
        drawn, _ = manga_like(batch, MangaOptions(gray=0.25), rng)
    return np.asarray((drawn[0, 0] * 255).round().byte().numpy(), np.uint8)


def choices(gray: Gray, outlines: list[Floats], weight: float) -> Iterator[Choice]:
    """The regions of a page that right cuts lead to, each with its cuts."""
    sheet = prepared(gray)
    panels = [outline * sheet.scale for outline in outlines]
    waiting = [(sheet.outline, panels)]
    while waiting:
        polygon, inside = waiting.pop()
        box = content(sheet.gray, polygon)
        if box is None or not inside:
            continue
        polygon = trimmed(polygon, box)
        rows: list[tuple[Cut, NDArray[np.bool_] | None]] = []
        for edges, lines in sheet.edges:
            for cut in cuts(sheet, polygon, edges, lines):
                if not divides(sheet, polygon, cut):
                    continue
                shares = np.array([share(panel, cut) for panel in inside])
                torn = np.minimum(shares, 1 - shares)
                parts = shares > 0.5
                if (torn < TORN).all() and parts.any() and not parts.all():
                    rows.append((cut, parts))
                elif torn.max() >= 0.2:  # what shaves a margin off is neither right nor wrong
                    rows.append((cut, None))
        if not rows:
            continue
        right = [(cut, parts) for cut, parts in rows if parts is not None]
        best = max(right, key=lambda row: merit(row[0]), default=None)
        mask = np.array([parts is not None and merit(cut) >= merit_of(right, parts) - 0.4 for cut, parts in rows])
        good = mask | np.array([parts is None for _, parts in rows])  # the worse of right cuts count neither way
        yield Choice(np.stack([cut.evidence for cut, _ in rows])[good], mask[good], weight)
        if best is not None:
            cut, parts = best
            for side, chosen in ((cut.normal, parts), (-cut.normal, ~parts)):
                members = [panel for panel, within in zip(inside, chosen, strict=True) if within]
                waiting.append((clipped(polygon, cut.point, side), members))


def share(panel: Floats, cut: Cut) -> float:
    """Part of a panel's area on the side of the cut that its normal points to."""
    part = clipped(panel, cut.point, cut.normal)
    whole = cv2.contourArea(panel.astype(np.float32))
    return float(cv2.contourArea(part.astype(np.float32))) / max(1.0, whole) if len(part) > 2 else 0.0


def merit(cut: Cut) -> float:
    """How plainly a cut follows edges and paper; decides between cuts that part the same panels."""
    said: dict[str, float] = dict(zip(EVIDENCE, cut.evidence.tolist(), strict=True))
    return said["own"] + said["other"] + said["line"] + said["channel"] + said["framed"] - said["open"]


def merit_of(right: list[tuple[Cut, NDArray[np.bool_]]], parts: NDArray[np.bool_]) -> float:
    """The best merit among the cuts that part the panels in the same way."""
    return max(merit(cut) for cut, other in right if (other == parts).all() or (other == ~parts).all())


def scores_of(rows: list[Choice], weights: torch.Tensor, bias: torch.Tensor) -> torch.Tensor:
    """Weighted mean log likelihood."""
    x = torch.from_numpy(np.concatenate([row.evidence for row in rows]))
    right = torch.from_numpy(np.concatenate([row.right for row in rows])).double()
    region = torch.from_numpy(np.repeat(np.arange(len(rows)), [len(row.right) for row in rows]))
    share = torch.tensor([row.weight for row in rows], dtype=torch.double)
    odds = torch.exp((torch.cat([x, x * x], 1) @ weights + bias).clamp(max=30))
    empty = torch.zeros(len(rows), dtype=torch.double)
    every, good = empty.index_add(0, region, odds), empty.index_add(0, region, odds * right)
    some = empty.index_add(0, region, right) > 0
    found = torch.where(some, torch.log(good + 1e-12), empty) - torch.log1p(every)
    return (found * share).sum() / share.sum()


def likelihood(rows: list[Choice], weights: Floats, bias: float) -> float:
    return float(scores_of(rows, torch.from_numpy(weights), torch.tensor(bias, dtype=torch.double)))


def maximised(rows: list[Choice], ridge: float) -> tuple[Floats, float]:
    """Weights (30,) and bias of the highest likelihood less `ridge` times the squares of the standardised weights."""
    x = np.concatenate([row.evidence for row in rows])
    x = np.concatenate([x, x * x], 1)
    mean, spread = torch.from_numpy(x.mean(0)), torch.from_numpy(x.std(0) + 1e-6)
    variables = torch.zeros(x.shape[1] + 1, dtype=torch.double, requires_grad=True)
    optimizer = torch.optim.LBFGS([variables], max_iter=300, line_search_fn="strong_wolfe")

    def unfolded() -> tuple[torch.Tensor, torch.Tensor]:
        weights = variables[:-1] / spread
        return weights, variables[-1] - (weights * mean).sum()

    def closure() -> float:
        optimizer.zero_grad()
        loss = ridge * (variables[:-1] ** 2).sum() - scores_of(rows, *unfolded())
        loss.backward()  # type: ignore[no-untyped-call]
        return float(loss.detach())

    optimizer.step(closure)  # type: ignore[no-untyped-call]
    weights, bias = unfolded()
    if not math.isfinite(float(bias.detach())):
        raise FloatingPointError("the fit has run away")
    return weights.detach().numpy(), float(bias.detach())
