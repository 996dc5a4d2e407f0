"""What was painted where: one row for each region of the pages of a chapter, small enough to keep them all."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

Floats = NDArray[np.float32]

LARGEST = 48
"""Regions kept of a page: 200 pages then take a few megabytes."""
SMALLEST = 60
"""Places of the half grid (of 1152 px: about 600 on the long side) under which a region is left out."""
PATCH = 8
"""Side of the gray patch by which regions are told apart where the net has no descriptors."""
WHITE = 0.5
"""Share of paper above which a region was not painted."""


@dataclass(frozen=True, slots=True)
class Sightings:
    """Painted regions of one page.

    Attributes:
        page: 0-based number.
        share: (R,) float32 of the page's area.
        lab: (R, 3) float32, mean CIE Lab of the colour that was laid under the drawing.
        tone: (R, 2) float32 mean and deviation of the page's gray in the region, 0..1.
        look: (R, D) float32 unit vectors: the net's descriptors, or gray patches of what is around the region.
        described: whether they are descriptors.
    """

    page: int
    share: Floats
    lab: Floats
    tone: Floats
    look: Floats
    described: bool = True


def sightings_of(
    number: int, gray: Tensor, labels: Tensor, lab: Tensor, paper: Tensor, descriptors: Tensor | None
) -> Sightings:
    """Measure the regions of a page, or of a window of a strip.

    Args:
        number: of the page, 0-based.
        gray: (h, w) in 0..1, any size; like the following without padding.
        labels: (h', w') int64 regions.
        lab: (3, h', w') CIE Lab of the colour laid under the drawing.
        paper: (h', w') share of paper in 0..1.
        descriptors: (D, h'', w''), of the net, or None.
    """
    rows, columns = labels.shape
    flat = labels.flatten()
    small = F.interpolate(gray[None, None].float(), (rows, columns), mode="bilinear", antialias=True)[0, 0]
    values = torch.stack([*lab.float(), small, small.square(), paper.float(), torch.ones_like(small)]).flatten(1)
    total = values.new_zeros(int(flat.max()) + 1, len(values)).index_add_(0, flat, values.T)
    area = total[:, -1]
    mean = total / area.clamp_min(1)[:, None]
    kept = torch.nonzero((area >= SMALLEST) & (mean[:, 5] < WHITE)).flatten()
    kept = kept[area[kept].argsort(descending=True, stable=True)][:LARGEST]
    looks = patches(small, labels, kept) if descriptors is None else pooled(descriptors, labels, kept)
    deviation = (mean[:, 4] - mean[:, 3].square()).clamp_min(0).sqrt()
    tone = torch.stack([mean[:, 3], deviation], 1)
    found = [area[kept] / (rows * columns), mean[kept, :3], tone[kept]]
    share, colour, gray_level = (np.asarray(each.cpu().numpy(), np.float32) for each in found)
    return Sightings(number, share, colour, gray_level, looks, descriptors is not None)


def pooled(descriptors: Tensor, labels: Tensor, kept: Tensor) -> Floats:
    """(R, D): mean descriptor of each kept region, of unit length."""
    size = descriptors.shape[1:]
    coarse = F.interpolate(labels[None, None].float(), size, mode="nearest-exact")[0, 0].long().flatten()
    total = descriptors.new_zeros(int(labels.max()) + 1, len(descriptors)).float()
    total.index_add_(0, coarse, descriptors.flatten(1).T.float())
    return np.asarray(F.normalize(total[kept], dim=1).cpu().numpy(), np.float32)


def patches(gray: Tensor, labels: Tensor, kept: Tensor) -> Floats:
    """(R, PATCH**2): the page around each kept region, levelled and of unit length."""
    page, places = gray.cpu().numpy(), labels.cpu().numpy()
    result = np.zeros((len(kept), PATCH**2), np.float32)
    for row, label in enumerate(kept.tolist()):
        inside = (places == label).astype(np.uint8)
        x, y, width, height = cv2.boundingRect(inside)
        side = max(width, height) * 5 // 4 + 2
        left, top = max(0, x + width // 2 - side // 2), max(0, y + height // 2 - side // 2)
        crop = page[top : top + side, left : left + side]
        patch = cv2.resize(crop, (PATCH, PATCH), interpolation=cv2.INTER_AREA).ravel()
        patch -= patch.mean()
        result[row] = patch / max(1e-3, float(np.linalg.norm(patch)))
    return result
