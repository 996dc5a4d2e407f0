"""Our own feature net and the kernel distance on it: how far made pictures are from true ones, as sets.

The net is small and learns from our corpus alone (recipe `features`): whether colours are a picture's own, whether they
lie where they belong, which set it is from. Distances on it compare systems of this project with one another; they are
no FID or KID of the literature, which are on Inception features.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from mangapaint.models import spec, weightfile
from train.recipe import typed

SHIPPED = Path(__file__).with_name("features.safetensors")
SIDE = 64
"""Of the squares that the net sees, px."""
SQUARES = 12
"""Cut from one picture."""
DRAWS = 1000
"""Of the bootstrap."""

Picture = NDArray[np.uint8]
Matrix = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class FeatureConfig:
    """Widths at strides 2, 4, 8, 16 and the length of a feature."""

    widths: tuple[int, ...] = (24, 44, 76, 108)
    features: int = 112


class FeatureNet(nn.Module):
    """(N, 3, 64, 64) sRGB in 0..1 -> (N, features), each with mean 0 and variance 1 over the corpus.

    Args:
        config: None is the default.
        answers: length of what `answers` makes of the features while training; weights files leave it out.
    """

    def __init__(self, config: FeatureConfig | None = None, answers: int = 0) -> None:
        super().__init__()
        self.config = config or FeatureConfig()
        layers: list[nn.Module] = []
        before = 3
        for level, width in enumerate(self.config.widths):
            layers += [nn.Conv2d(before, width, 3, 2, 1, bias=False), nn.BatchNorm2d(width), nn.ReLU()]
            if level:
                layers += [nn.Conv2d(width, width, 3, 1, 1, bias=False), nn.BatchNorm2d(width), nn.ReLU()]
            before = width
        self.layers = nn.Sequential(*layers)
        self.last = nn.Linear(before, self.config.features)
        self.even = nn.BatchNorm1d(self.config.features, affine=False)
        self.answers = nn.Linear(self.config.features, answers) if answers else None

    def forward(self, picture: Tensor) -> Tensor:
        """See the class."""
        x = self.layers((2 * picture - 1).contiguous(memory_format=torch.channels_last))
        even: Tensor = self.even(self.last(F.relu(x).mean((2, 3))).float())
        return even


def loaded(path: Path = SHIPPED) -> FeatureNet:
    """The net with its weights, in eval mode.

    Raises:
        WeightsError: the file is absent or broken.
        ValueError: it is of another net.
    """
    tensors, metadata, _ = weightfile.read(path)
    said = json.loads(metadata.get(spec.METADATA_KEY, "{}"))
    if said.get("arch") != "features":
        raise ValueError(f"{path} holds no feature net")
    net = FeatureNet(typed(FeatureConfig, said["config"], path.name))
    net.load_state_dict({key: value.float() for key, value in tensors.items()}, strict=False)
    return net.eval().requires_grad_(False)


def squares(picture: Picture, rng: np.random.Generator, count: int = SQUARES) -> Picture:
    """(count, 64, 64, 3) squares of 15-60 % of the short side (at least 64 px where there are as many), reduced."""
    short = min(picture.shape[:2])
    cut = []
    for _ in range(count):
        side = max(min(SIDE, short), round(short * rng.uniform(0.15, 0.6)))
        y, x = (int(rng.integers(0, size - side + 1)) for size in picture.shape[:2])
        cut.append(cv2.resize(picture[y : y + side, x : x + side], (SIDE, SIDE), interpolation=cv2.INTER_AREA))
    return np.stack(cut).astype(np.uint8)


@torch.inference_mode()
def features_of(net: FeatureNet, picture: Picture, seed: int) -> NDArray[np.float32]:
    """(SQUARES, features) of a picture; equal seeds cut equal places of pictures of equal size."""
    cut = torch.from_numpy(squares(picture, np.random.default_rng(seed))).permute(0, 3, 1, 2).float() / 255
    return np.asarray(net(cut).numpy(), np.float32)


def kernel(a: Matrix, b: Matrix) -> Matrix:
    """(x . y / d + 1)^3 of all rows of `a` with all rows of `b` (Binkowski et al. 2018, section 4)."""
    return np.asarray((a @ b.T / a.shape[1] + 1) ** 3)


@dataclass(frozen=True, slots=True)
class Distance:
    """Squared maximum mean discrepancy, and its values in the draws of a bootstrap over pictures.

    A draw that is one picture several times is nan.
    """

    value: float
    draws: tuple[float, ...]

    @property
    def low(self) -> float:
        """Lower end of the 95 % interval."""
        return float(np.nanquantile(self.draws, 0.025))

    @property
    def high(self) -> float:
        """Upper end of the 95 % interval."""
        return float(np.nanquantile(self.draws, 0.975))


def joined(distances: Sequence[Distance]) -> Distance:
    """The mean of distances on several sets of pictures, whose draws are independent."""
    draws = np.mean([one.draws for one in distances], 0)
    return Distance(float(np.mean([one.value for one in distances])), tuple(float(one) for one in draws))


def distance(ours: Sequence[NDArray[np.float32]], true: Sequence[NDArray[np.float32]], seed: int = 0) -> Distance:
    """Kernel distance of two sets of pictures whose i-th are versions of the same drawing.

    MMD^2 = mean k(x, x') + mean k(y, y') - 2 mean k(x, y), unbiased: every mean is over squares of *different*
    pictures, because squares of one picture, or of a picture and its own truth, are not independent draws.

    Args:
        ours: features (squares, d) of each made picture.
        true: of each true one, in the same order.
        seed: of the bootstrap.

    Raises:
        ValueError: fewer than two pictures.
    """
    count = len(ours)
    if count < 2 or len(true) != count:
        raise ValueError("a kernel distance needs two pictures and the truth of each")
    terms = np.zeros((count, count))
    x, y = (np.concatenate([np.asarray(part, np.float64) for part in side]) for side in (ours, true))
    each = len(x) // count
    for a, b, sign in ((x, x, 1), (y, y, 1), (x, y, -1), (y, x, -1)):
        blocks = kernel(a, b).reshape(count, each, count, each).mean((1, 3))
        terms += sign * blocks
    np.fill_diagonal(terms, 0)

    def mean(weight: Matrix) -> float:
        pairs = weight.sum() ** 2 - (weight**2).sum()
        return float(weight @ terms @ weight / pairs) if pairs else float("nan")

    rng = np.random.default_rng(seed)
    draws = rng.multinomial(count, np.full(count, 1 / count), DRAWS).astype(np.float64)
    return Distance(mean(np.ones(count)), tuple(mean(weight) for weight in draws))


def versions(picture: Picture) -> Iterator[tuple[str, Picture]]:
    """A picture spoiled in ways that a distance must notice, by name."""
    gray = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)[..., None].astype(np.float32)
    yield "half the chroma", np.asarray((gray + picture) / 2, np.uint8)
    yield "gray", np.repeat(gray, 3, 2).astype(np.uint8)
    yield "sepia", np.clip(gray * np.array([1.07, 0.98, 0.83], np.float32), 0, 255).astype(np.uint8)
    yield "red and blue exchanged", np.ascontiguousarray(picture[..., ::-1])
    yield "blurred by 4 px", np.asarray(cv2.GaussianBlur(picture, (0, 0), 4), np.uint8)
