"""Faces before white, and many colourings of each: what `dcgan` and `wgan-gp` are trained on.

Few portraits of a corpus stand before white. `whitened` finds the background of those that stand before one plain
colour and makes it white; what it is not certain of it refuses. `Dyed` then gives one and the same L* other hair,
clothes, eyes and skin, so that noise has something to say.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from mangapaint.models.lab import lab_to_rgb, rgb_to_lab
from mangapaint.models.labpaint import lightness
from train.corpus import WHITE_BACKGROUND, Corpus, Picture, resized
from train.loop import Batch
from train.prepare.screening import white_border
from train.prepare.triplets import middle
from train.synth.manga import blur, drawn, luminance, scanned

KEPT = 112
"""Side of the faces in memory, px."""

LOOKED = 112
"""Side at which backgrounds are looked for, px."""
ALIKE = 9.0
"""Distance in OpenCV's 8-bit Lab up to which a place has the colour of the background."""
BORDER = 0.35
"""Least share of the upper border and the upper two thirds of both sides that the background covers."""
LEAST, MOST = 0.05, 0.65
"""Of a picture that may be background."""
NEAR_WHITE, DARK = 238, 105
"""L* x 2.55 from which on a background is as good as white, half of `BORDER` is enough and one corner; and under which
it is left alone, because a dark rim would stay around the hair."""
FACE = (0.56, 0.5, 0.36, 0.28)
"""Ellipse that a face covers in the sets of faces: centre y, x and radii y, x as shares of the side."""

Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class FaceOptions:
    """Which faces, and in which colours. The published setting: "white", and 0 for all shares but `closest` 1."""

    sides: tuple[int, ...] = (64, 96)
    """Side of the pictures in equal parts of the schedule, px; multiples of 32 from 64 on."""
    background: Literal["white", "plain", "any"] = "plain"
    """"white": faces that stand before white; "plain": those as well whose plain background can be made white."""
    others: float = 0.3
    """Share of pictures drawn from all faces as they are, so that backgrounds at use are no surprise."""
    closest: float = 0.75
    """Smallest share of a face's side that is shown."""
    ink: float = 0.25
    """Share drawn in ink instead of gray, so that manga gets colours too."""
    turned: float = 0.8
    """Share of faces whose hair, and what else is no skin, get other hues: one L* then has many colourings."""
    tinted: float = 0.5
    """Of these: gray and black hair gets a tint too."""
    skin: float = 1.0
    """How far skin tones vary: 1 is chroma x 0.75-1.35 and 8 degrees of hue."""


def background(picture: Picture) -> Mask | None:
    """Where the plain background of a portrait is, at LOOKED x LOOKED; None where there is no certainty.

    It is what hangs together with the border in the border's most common colour. It must be light, hold the upper
    corners, enough of the border and of the picture, and stay clear of the ellipse where the face is: hair of one
    colour that touches the border reaches into it.
    """
    small = cv2.GaussianBlur(resized(picture, LOOKED, LOOKED), (3, 3), 0)
    lab = cv2.cvtColor(small, cv2.COLOR_RGB2LAB).astype(np.float32)
    down = 2 * LOOKED // 3
    edge = np.zeros((LOOKED, LOOKED), np.bool_)
    edge[:2], edge[:down, :2], edge[:down, -2:] = True, True, True
    colours = lab[edge]
    bins = (colours // 12).astype(np.int64) @ np.array([1024, 32, 1])
    values, counts = np.unique(bins, return_counts=True)
    centre = np.median(colours[bins == values[counts.argmax()]], 0)
    near = np.linalg.norm(lab - centre, axis=2) < ALIKE
    _, labels = cv2.connectedComponents(near.astype(np.uint8), connectivity=4)
    kept = np.unique(labels[edge & near])
    found = np.isin(labels, kept[kept != 0])
    y, x, tall, wide = FACE
    rows, columns = (np.mgrid[:LOOKED, :LOOKED] + 0.5) / LOOKED
    face = ((rows - y) / tall) ** 2 + ((columns - x) / wide) ** 2 < 1
    corners = (found[:4, :4].all(), found[:4, -4:].all())
    white = centre[0] > NEAR_WHITE
    certain = (
        centre[0] > DARK
        and (any(corners) if white else all(corners))
        and found[edge].mean() >= (BORDER / 2 if white else BORDER)
        and LEAST <= found.mean() <= MOST
        and found[face].mean() < 0.01
    )
    return found if certain else None


def whitened(picture: Picture) -> Picture | None:
    """The picture with its plain background made white, in its own size; None where `background` is not certain."""
    found = background(picture)
    if found is None:
        return None
    height, width = picture.shape[:2]
    share = cv2.resize(found.astype(np.float32), (width, height), interpolation=cv2.INTER_LINEAR)[..., None]
    return np.asarray((picture * (1 - share) + 255 * share).round(), np.uint8)


def dyed(lab: Tensor, dye: FaceOptions, rng: np.random.Generator) -> Tensor:
    """Other colours for the same L*: one hue for hair and one for the rest, turned; skin stays skin.

    Skin is what has about the colour of the cheeks, and what is warm where the mouth is; hair what has about the
    colour found above the face. Faces without cheeks in a skin colour keep their hues.

    Args:
        lab: (N, 3, h, w) CIE Lab of faces that fill the picture as those of `FACE` do.
        dye: how far; at turned 0 and skin 0 all stays as it is.
        rng: decides everything.

    Returns:
        (N, 2, h, w) a*, b*, inside sRGB.
    """
    count, _, height, width = lab.shape
    light, ab = lab[:, :1], lab[:, 1:]
    chroma = ab.norm(dim=1, keepdim=True)
    hue = torch.atan2(ab[:, 1:], ab[:, :1])
    warm = (hue > math.radians(10)) & (hue < math.radians(100)) & (chroma > 4) & (chroma < 48) & (light > 45)
    warm |= (light > 80) & (chroma < 13)  # pale, or pink in warm light

    def box(top: float, bottom: float, left: float, right: float) -> tuple[slice, slice, slice]:
        rows, columns = (
            slice(round(top * height), round(bottom * height)),
            slice(round(left * width), round(right * width)),
        )
        return slice(None), rows, columns

    cheeks = (slice(None), *box(0.56, 0.74, 0.34, 0.66))
    known = warm[cheeks].flatten(1).float().mean(1) > 0.35
    tone = middle_of(lab[cheeks], warm[cheeks])
    apart = (ab - tone[:, 1:]).norm(dim=1, keepdim=True) / 8
    darker = (tone[:, :1] - light - 10).clamp_min(0) / 18
    skin = torch.exp(-0.5 * (apart**2 + darker**2) ** 2)
    rows = (torch.arange(height) + 0.5).view(-1, 1) / height
    columns = (torch.arange(width) + 0.5).view(1, -1) / width
    mouth = torch.exp(-((((rows - 0.74) / 0.1) ** 2 + ((columns - 0.5) / 0.16) ** 2) ** 2))
    skin = torch.maximum(skin, mouth * ((hue > math.radians(-30)) & (hue < math.radians(80))))
    crown = (slice(None), *box(0.08, 0.32, 0.25, 0.75))
    coloured = (light[crown] < 94) & (skin[crown] < 0.5)
    locks = middle_of(lab[crown], coloured)
    hair = torch.exp(-0.5 * ((ab - locks[:, 1:]).norm(dim=1, keepdim=True) / 14) ** 2) * (1 - skin)

    def each(values: NDArray[np.float64]) -> Tensor:
        return torch.from_numpy(values.astype(np.float32)).view(count, 1, 1, 1)

    full = math.pi * (rng.random(count) < dye.turned) * known.numpy()
    angles = each(rng.uniform(-1, 1, count) * full), each(rng.uniform(-1, 1, count) * full)
    gain = each(np.where(full > 0, rng.uniform(0.8, 1.4, count), 1.0))
    depth = each(rng.uniform(8, 30, count) * (full > 0) * (rng.random(count) < dye.tinted))
    direction = each(rng.uniform(-math.pi, math.pi, count))
    strength = depth * (1 - locks[:, 1:].norm(dim=1, keepdim=True) / 16).clamp_min(0)
    strength = strength * ((light - 12) / 20).clamp(0, 1) * ((92 - light) / 25).clamp(0, 1) * hair
    tint = torch.cat([strength * direction.cos(), strength * direction.sin()], 1)
    cloth = rotated(ab, angles[1])
    free = torch.lerp(cloth, rotated(ab, angles[0]) * gain + tint, hair)
    vary = each(1 + dye.skin * rng.uniform(-0.25, 0.35, count))
    flesh = rotated(ab, each(dye.skin * rng.uniform(-0.14, 0.14, count))) * vary
    mixed = torch.lerp(free, flesh, skin)
    return rgb_to_lab(lab_to_rgb(torch.cat([light, mixed], 1)))[:, 1:]


def in_ink(picture: Tensor, rng: np.random.Generator) -> Tensor:
    """(N, 3, H, W) sRGB -> (N, 1, H, W) in 0..1: lines, and solid black where it is dark in some.

    Drawn at one and a half times the size and reduced, as the thin lines of a scan are.
    """
    y = F.interpolate(luminance(picture), scale_factor=1.5, mode="bilinear", align_corners=False)
    ink = drawn(y, rng)
    black = blur(y, 1.5) < torch.from_numpy(rng.uniform(-0.2, 0.3, (len(y), 1, 1, 1)).astype(np.float32))
    page = scanned(ink.masked_fill(black, 0.0), rng)
    return F.interpolate(page, picture.shape[-2:], mode="area")


def middle_of(lab: Tensor, mask: Tensor) -> Tensor:
    """(N, C, 1, 1) median of each channel where the (N, 1, h, w) mask is true; 0 where it nowhere is."""
    flat = lab.masked_fill(~mask, math.nan).flatten(2)
    return flat.nanmedian(2).values.nan_to_num(0.0)[..., None, None]


def rotated(ab: Tensor, angle: Tensor) -> Tensor:
    """(N, 2, h, w) turned by (N, 1, 1, 1) radians."""
    a, b = ab[:, :1], ab[:, 1:]
    return torch.cat([a * angle.cos() - b * angle.sin(), a * angle.sin() + b * angle.cos()], 1)


class WhiteFaces:
    """Batches of faces before white; the pictures are looked through once, when first asked for.

    Args:
        corpus: folder of a prepared corpus.
        sets: sampling weights of its sets; a picture should be one face.
        options: see FaceOptions.
    """

    def __init__(self, corpus: Path, sets: Mapping[str, float], options: FaceOptions) -> None:
        self.corpus = Corpus(corpus, dict(sets))
        self.options = options
        self.lock = threading.Lock()

    @cached_property
    def faces(self) -> list[Picture]:
        """The faces before white, KEPT px; all of them where `background` is "any".

        Raises:
            ValueError: there is none.
        """
        chosen = self.options.background
        found = []
        for index, item in enumerate(self.corpus.items if chosen != "any" else []):
            picture = self.corpus.picture(index)
            if chosen == "plain":
                white = whitened(picture)
            else:
                white = picture if item.white_background or white_border(picture) >= WHITE_BACKGROUND else None
            if white is not None:
                found.append(resized(white, KEPT, KEPT))
        if not found and chosen != "any":
            raise ValueError(
                f"[options]: no picture of {', '.join(sorted({i.set for i in self.corpus.items}))} has a background "
                f"that is {chosen}; set options.background = 'any'"
            )
        return found

    def picture(self, side: int, rng: np.random.Generator) -> Picture:
        """(side, side, 3): one face, moved and enlarged a little, mirrored half the time."""
        with self.lock:
            faces = self.faces
        if not faces or rng.random() < self.options.others:
            face = resized(middle(self.corpus.draw(rng)[1]), KEPT, KEPT)
        else:
            face = faces[int(rng.integers(0, len(faces)))]
        size = round(KEPT * rng.uniform(self.options.closest, 1.0))
        y, x = rng.integers(0, KEPT - size + 1, 2).tolist()
        crop = resized(face[y : y + size, x : x + size], side, side)
        return crop[:, ::-1] if rng.random() < 0.5 else crop

    def pictures(self, rng: np.random.Generator, size: int, side: int) -> Tensor:
        """(N, 3, side, side) sRGB in 0..1, in their own colours."""
        pixels = np.stack([self.picture(side, rng) for _ in range(size)])
        return torch.from_numpy(pixels).permute(0, 3, 1, 2).float() / 255

    @torch.no_grad()
    def batch(self, rng: np.random.Generator, size: int, side: int) -> Batch:
        """Page "light" (N, 1, side, side) L* in 0..100, and "ab" (N, 2, side / 2, side / 2) / 110 of one colouring."""
        picture = self.pictures(rng, size, side)
        light = lightness(luminance(picture))
        inked = round(size * self.options.ink + rng.uniform(-0.5, 0.5))
        if inked > 0:
            light[:inked] = lightness(in_ink(picture[:inked], rng))
        ab = dyed(F.avg_pool2d(rgb_to_lab(picture), 2), self.options, rng)
        order = torch.from_numpy(rng.permutation(size))
        return {"light": light[order], "ab": ab[order] / 110}
