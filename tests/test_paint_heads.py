"""--split faces: heads are painted again by themselves and cut out by `split`."""

from __future__ import annotations

import json
import shutil
from dataclasses import asdict, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
import torch
from factories import cbz, encoded, page
from numpy.typing import NDArray
from small_nets import PAINTER, paint, settings_of, weights

from mangapaint.cli.screen import Screen
from mangapaint.cli.split import _split_chapter
from mangapaint.engine.runner import Engine
from mangapaint.errors import ExitCode, UsageError, WeightsError
from mangapaint.layout.faces import head_of
from mangapaint.models import registry, store
from mangapaint.models.faces_net import FacesConfig
from mangapaint.models.painter_net import PainterNet
from mangapaint.models.spec import ModelSpec
from mangapaint.page import Action, Face, PageImage, Region
from mangapaint.paint.brush import Brush, faded
from mangapaint.paint.drawing import drawing_of
from mangapaint.paint.faces import FaceFinder
from mangapaint.settings import EngineSettings, PaintSettings, Settings

FACES = FacesConfig((8, 8, 8, 8), (1, 1, 1, 1))
DETECTOR = ModelSpec("faces", "detect", "faces", "f.safetensors", asdict(FACES), multiple_of=32)


class Told:
    """A finder that is told what it finds."""

    def __init__(self, *regions: Region) -> None:
        self.regions = regions

    def find(self, gray: NDArray[np.uint8]) -> list[Face]:
        return [Face(region, 0.9) for region in self.regions]


def brush(*faces: Region) -> Brush:
    torch.manual_seed(0)
    net = PainterNet(PAINTER)
    engine = Engine(EngineSettings(device="cpu", precision="fp32"))
    made = Brush(engine, engine.prepare(net), PaintSettings(split="faces"), cast(FaceFinder, Told(*faces)))
    made.palette = torch.rand(1, 216)
    return made


def drawn() -> PageImage:
    rng = np.random.default_rng(0)
    gray = rng.integers(0, 256, (240, 176), np.uint8)
    return PageImage(np.repeat(gray[..., None], 3, 2))


def test_a_head_is_painted_again_and_fades_into_its_page() -> None:
    face = Region(60, 80, 40, 40)
    drawing = drawing_of(drawn(), "ink")
    [plain] = brush().layers([drawing], [None])
    [layer] = brush(face).layers([drawing], [None])
    head = head_of(face, 176, 240)
    outside = torch.ones(240, 176, dtype=torch.bool)
    outside[head.slices] = False
    change = (layer - plain)[0, :5].abs().amax(0)
    assert change[outside].max() == 0
    assert change[face.slices].mean() > 1e-4
    edge = torch.cat([change[head.y, head.x : head.right], change[head.y : head.bottom, head.x]])
    assert edge.mean() < 0.2 * change[face.slices].mean()


def test_a_tiny_head_is_left_to_the_page() -> None:
    drawing = drawing_of(drawn(), "ink")
    [plain] = brush().layers([drawing], [None])
    [layer] = brush(Region(60, 80, 8, 8)).layers([drawing], [None])
    assert torch.equal(layer, plain)


def test_the_fade_is_whole_in_the_middle_and_nothing_at_the_sides() -> None:
    mask = faded((40, 60))[0, 0]
    assert mask[20, 30] == 1
    assert max(mask[0].max(), mask[-1].max(), mask[:, 0].max(), mask[:, -1].max()) < 0.1


@pytest.fixture
def detector(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModelSpec:
    """A registered detector of random numbers, which finds nothing."""
    weights(tmp_path, DETECTOR)
    shutil.copy(store.shipped_folder() / registry.REGISTRY[registry.PAPER].filename, tmp_path)
    monkeypatch.setattr(store, "shipped_folder", lambda: tmp_path)
    monkeypatch.setitem(registry.REGISTRY, "faces", DETECTOR)
    return DETECTOR


def test_a_chapter_is_painted_head_by_head(tmp_path: Path, detector: ModelSpec) -> None:
    settings = settings_of(tmp_path)
    assert settings.paint is not None
    by_heads = replace(settings, paint=replace(settings.paint, split="faces"))
    source = cbz(tmp_path / "a.cbz", {"1.png": page(), "2.png": page(seed=1)})
    result, with_detector, _ = paint(source, by_heads)
    assert result.counts[Action.PAINTED] == 2
    alone = replace(settings, paint=replace(settings.paint, memory=False), run=replace(settings.run, overwrite=True))
    _, without, _ = paint(source, alone)
    assert with_detector.identity != without.identity


def test_a_detector_that_is_not_there_is_named(tmp_path: Path, detector: ModelSpec) -> None:
    (tmp_path / detector.filename).unlink()
    with pytest.raises(WeightsError, match="faces"):
        FaceFinder.load(Engine(EngineSettings(device="cpu")))


def test_a_model_that_colours_finds_no_faces(tmp_path: Path) -> None:
    settings = settings_of(tmp_path)
    assert settings.paint is not None
    with pytest.raises(UsageError, match="detect"):
        FaceFinder.load(Engine(EngineSettings(device="cpu")), model=settings.paint.model)


def test_split_writes_heads_and_their_faces_in_reading_order(tmp_path: Path) -> None:
    from mangapaint.archives import discover

    source = cbz(tmp_path / "a.cbz", {"1.png": encoded(np.full((300, 200), 255, np.uint8))})
    settings = Settings()
    [found] = discover([source], settings.input)
    finder: Any = Told(Region(20, 100, 40, 40), Region(130, 100, 40, 40))
    screen: Any = SimpleNamespace(say=lambda text: None, warn=lambda text: None)
    assert _split_chapter(found, tmp_path / "out", finder, settings, cast(Screen, screen)) == ExitCode.DONE
    [only] = json.loads((tmp_path / "out" / "faces.json").read_text())["pages"]
    assert [face["x"] for face in only["faces"]] == [130, 20], "manga is read from right to left"
    first = only["faces"][0]
    assert first["crop"] == {"x": 100, "y": 70, "width": 100, "height": 100}
    assert {"file", "score", "panel", "width", "height", "y"} < set(first)
    assert [(tmp_path / "out" / face["file"]).is_file() for face in only["faces"]] == [True, True]
