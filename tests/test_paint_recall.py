"""What is decided before a chapter is painted, with real nets of random weights."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
import torch.nn.functional as F
from factories import cbz, encoded, page
from numpy.typing import NDArray
from small_nets import PAINTER, paint, settings_of

from mangapaint import pixels
from mangapaint.archives import open_reader
from mangapaint.engine.runner import Engine
from mangapaint.errors import UsageError
from mangapaint.models.painter_net import PainterNet
from mangapaint.page import PageImage
from mangapaint.paint import memory
from mangapaint.paint.brush import Brush
from mangapaint.paint.colorizer import Colorizer
from mangapaint.paint.faces import FaceFinder
from mangapaint.paint.palette import livened
from mangapaint.paint.recall import is_true_gray, recall
from mangapaint.settings import EngineSettings, Limits, Settings
from train.single import Single


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return settings_of(tmp_path)


def coloured(folder: Path, name: str, settings: Settings) -> dict[str, NDArray[np.uint8]]:
    """Pages of an output by name."""
    with open_reader(folder / "out" / name, settings.input) as reader:
        return {reader.names[i]: pixels.decode(reader.read(i), Limits()).pixels for i in range(len(reader))}


def with_paint(settings: Settings, **paint: object) -> Settings:
    assert settings.paint is not None
    return replace(settings, paint=replace(settings.paint, **paint))  # type: ignore[arg-type]


def test_the_order_of_the_pages_does_not_matter(tmp_path: Path, settings: Settings) -> None:
    pages = [page(seed=seed) for seed in range(3)]
    paint(cbz(tmp_path / "a.cbz", {f"{i}.png": data for i, data in enumerate(pages)}), settings)
    paint(cbz(tmp_path / "b.cbz", {f"{2 - i}.png": data for i, data in enumerate(pages)}), settings)
    one, other = coloured(tmp_path, "a.cbz", settings), coloured(tmp_path, "b.cbz", settings)
    for i in range(3):
        difference = np.abs(one[f"{i}.png"].astype(int) - other[f"{2 - i}.png"])
        assert difference.max() <= 1


def test_pages_are_painted_otherwise_beside_others_and_alike_without_memory(tmp_path: Path, settings: Settings) -> None:
    first, others = page(seed=0), [page(seed=seed) for seed in range(1, 4)]
    for name, chapter in (("one.cbz", [first]), ("all.cbz", [first, *others])):
        source = cbz(tmp_path / name, {f"{i}.png": data for i, data in enumerate(chapter)})
        paint(source, settings)
        alone = replace(settings, run=replace(settings.run, output=tmp_path / "alone" / "out"))
        paint(source, with_paint(alone, memory=False))
    together = [coloured(tmp_path, name, settings)["0.png"] for name in ("one.cbz", "all.cbz")]
    apart = [coloured(tmp_path / "alone", name, settings)["0.png"] for name in ("one.cbz", "all.cbz")]
    assert (together[0] != together[1]).any()
    assert (apart[0] == apart[1]).all()


def test_faces_are_looked_for_where_a_chapter_is_remembered_alone(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def finder(engine: Engine, **options: object) -> FaceFinder:
        loaded.append(engine)
        return FaceFinder(engine, torch.nn.Identity())

    loaded: list[Engine] = []
    monkeypatch.setattr(FaceFinder, "load", finder)
    Colorizer(Engine(settings.engine), with_paint(settings, memory=False))
    assert not loaded
    Colorizer(Engine(settings.engine), settings)
    assert len(loaded) == 1


def test_a_saved_memory_is_gone_on_from(tmp_path: Path, settings: Settings) -> None:
    kept = tmp_path / "one.safetensors"
    saving = replace(settings, run=replace(settings.run, save_palette=kept))
    paint(cbz(tmp_path / "a.cbz", {"1.png": page(seed=0)}), saving)
    before = memory.load(kept, 8)
    again = tmp_path / "two.safetensors"
    following = with_paint(replace(settings, run=replace(settings.run, save_palette=again)), palette=kept, seed=2)
    paint(cbz(tmp_path / "b.cbz", {"1.png": page(seed=1)}), following)
    after = memory.load(again, 8)
    assert len(before.kin_keys) > 0
    assert len(after.kin_keys) > len(before.kin_keys)
    assert (after.palette == before.palette).all(), "the seed does not choose where a palette is given"


def test_a_memory_that_is_none_is_named(tmp_path: Path, settings: Settings) -> None:
    (tmp_path / "bad.safetensors").write_bytes(b"no")
    with pytest.raises(UsageError, match="bad.safetensors"):
        paint(cbz(tmp_path / "a.cbz", {"1.png": page()}), with_paint(settings, palette=tmp_path / "bad.safetensors"))
    assert not (tmp_path / "out" / "a.cbz").exists()


def test_a_reference_is_remembered_place_by_place(tmp_path: Path, settings: Settings) -> None:
    reference, kept = tmp_path / "r.png", tmp_path / "one.safetensors"
    reference.write_bytes(page(colour=True))
    saving = with_paint(replace(settings, run=replace(settings.run, save_palette=kept)), references=(reference,))
    paint(cbz(tmp_path / "a.cbz", {"1.png": page(seed=0)}), saving)
    found = memory.load(kept, 8)
    assert len(found.keys) > 100
    red = (found.colours[:, 0] - found.colours[:, 2] > 0.5).float().mean()
    assert 0.01 < red < 0.2, "the red disc of the reference, and not all of it"


def test_gray_art_gets_no_palette_and_colour_all_the_same(tmp_path: Path, settings: Settings) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (20, 15), np.uint8)
    art = cv2.resize(noise, (240, 320), interpolation=cv2.INTER_CUBIC)
    art = np.clip(art * 0.6 + 60, 45, 210).astype(np.uint8)
    assert is_true_gray(PageImage(np.repeat(art[..., None], 3, 2)))
    _, loader, _ = paint(cbz(tmp_path / "a.cbz", {"1.png": encoded(art)}), settings)
    assert loader._painter is not None
    assert loader._painter._colorizer.palette.shape == (1, 0)  # type: ignore[attr-defined]
    after = coloured(tmp_path, "a.cbz", settings)["1.png"].astype(int)
    assert np.ptp(after, axis=2).mean() > 1
    assert np.abs(cv2.cvtColor(after.astype(np.uint8), cv2.COLOR_RGB2GRAY).astype(int) - art).mean() < 5


def test_panels_are_painted_by_themselves_and_bubbles_stay_white(tmp_path: Path, settings: Settings) -> None:
    source = cbz(tmp_path / "a.cbz", {"1.png": page(width=600, height=850)})
    paint(source, settings)
    whole = coloured(tmp_path, "a.cbz", settings)["1.png"]
    (tmp_path / "out" / "a.cbz").unlink()
    paint(source, with_paint(settings, split="panels"))
    panels = coloured(tmp_path, "a.cbz", settings)["1.png"]
    assert (whole != panels).any()
    assert (panels[:15] == 255).all() and (panels[:, :15] == 255).all(), "the margin"


def test_pages_like_a_kind_of_coloured_art_get_its_palette_and_manga_one_of_the_bank(settings: Settings) -> None:
    engine = Engine(EngineSettings(device="cpu", precision="fp32"))
    net = PainterNet(replace(PAINTER, kinds=2)).eval()
    net.bank.uniform_()
    net.typical.copy_(torch.eye(2, 216) * 4)
    assert settings.paint is not None
    brush = Brush(engine, net, replace(settings.paint, memory=False))
    pages = [Single(pixels.decode(page(seed=seed), Limits()).pixels, seed) for seed in range(2)]
    chosen, balanced = [], []
    for kind in range(3):
        net.kind_bias.copy_(F.one_hot(torch.tensor(kind), 3) * 9.0)
        recall(engine, brush, pages, Limits())
        assert brush.memory is not None
        chosen.append(brush.palette)
        balanced.append(brush.memory.balance > 0)
    assert torch.equal(chosen[0], livened(net.typical[:1]))
    assert torch.equal(chosen[1], livened(net.typical[1:]))
    assert torch.equal(chosen[2], net.bank[:1])
    assert balanced == [True, True, False], "the bank says which colours there are, not how much of each"
    brush.settings = replace(brush.settings, mode="gray")
    net.kind_bias.copy_(F.one_hot(torch.tensor(0), 3) * 9.0)
    recall(engine, brush, pages, Limits())
    assert brush.memory is not None
    assert brush.memory.balance == 0
    brush.settings = replace(brush.settings, mode="auto")
    brush.settings = replace(brush.settings, seed=1)
    net.kind_bias.copy_(F.one_hot(torch.tensor(0), 3) * 9.0)
    recall(engine, brush, pages, Limits())
    assert torch.equal(brush.palette, net.bank[1:2])


def test_lively_palettes_are_further_from_gray_and_keep_their_grays() -> None:
    palette = torch.zeros(1, 216)
    palette[0, [0, 86, 122]] = 2.3  # black, mid gray, dull red
    lively = livened(palette)
    red, green = torch.arange(216) // 36, torch.arange(216) // 6 % 6
    share, before = lively.square() / 16, palette.square() / palette.square().sum()
    assert lively[0, [0, 86]].tolist() == pytest.approx([4 / 3**0.5] * 2)
    assert (share * (red - green)).sum() > (before * (red - green)).sum() + 0.05
    assert lively.square().sum() == pytest.approx(16)
