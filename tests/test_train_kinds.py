"""The painter's reading of which kind of art a page is of, learnt on made pictures."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from PIL import Image

from mangapaint.models.painter_net import PainterConfig, PainterNet
from train import corpus, kinds


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A corpus of two sets: a few large discs, and many thin lines."""
    folder = tmp_path_factory.mktemp("pictures")
    rng = np.random.default_rng(0)
    for name in ("discs", "lines"):
        (folder / name).mkdir()
        for number in range(6):
            picture = np.full((300, 300, 3), rng.integers(150, 255, 3), np.uint8)
            for _ in range(8 if name == "discs" else 120):
                first, second = rng.integers(0, 300, 2).tolist(), rng.integers(0, 300, 2).tolist()
                if name == "discs":
                    cv2.circle(picture, first, int(rng.integers(30, 60)), rng.integers(0, 255, 3).tolist(), -1)
                else:
                    cv2.line(picture, first, second, rng.integers(0, 90, 3).tolist(), 2)
            Image.fromarray(picture).save(folder / name / f"{number}.png")
    target = tmp_path_factory.mktemp("corpus")
    corpus.prepare([folder / "discs", folder / "lines"], target)
    return target


def test_a_net_learns_which_kind_pictures_are_of(made: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kinds, "WINDOWS", 8)
    torch.manual_seed(0)
    config = PainterConfig((8, 8, 8, 8), (1, 1, 1, 1), embedding=16, heads=2, bank=1, descriptor=8, kinds=2)
    net = PainterNet(config).eval()
    kinds.learn(net, made, {"discs": ["discs"], "lines": ["lines"]}, 0)
    found, labels = kinds.examples(net, made, [["discs"], ["lines"]], np.random.default_rng(1))
    logits = found @ net.kind_weight + net.kind_bias
    assert set(labels.tolist()) == {0, 1}
    assert (logits.argmax(1) == labels).float().mean() > 0.8
