"""Many colourings of one picture: how they are made, chosen, written down and made again."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from factories import cbz, encoded, page, page_pixels
from small_nets import PAINTER_SPEC, UPSCALER_SPEC, paint, weights
from test_cli_commands import Run, run

from mangapaint import pixels
from mangapaint.errors import PageError, UsageError
from mangapaint.models.abgan_net import AbGanConfig
from mangapaint.models.portrait_encoder import PortraitEncoderConfig
from mangapaint.models.portrait_net import PortraitConfig
from mangapaint.models.spec import ModelSpec
from mangapaint.page import Face, PageImage, Region
from mangapaint.paint import faces
from mangapaint.paint.mode import mode_of
from mangapaint.paint.variantfile import Variant, cells_of, followed, read
from mangapaint.settings import EngineSettings, Limits, PaintSettings, RunSettings, Settings
from mangapaint.variants.choosing import doubts, far_apart, skin
from mangapaint.variants.closeups import close_ups_of, square_around
from mangapaint.variants.schemes import scheme_of
from mangapaint.variants.seeds import candidates
from mangapaint.variants.sheet import contact_sheet, thumbnail
from mangapaint.variants.subjects import subjects_of

__all__ = ["run"]

ABGAN = AbGanConfig((8, 8, 8, 8, 8), latent=4, style=8)
ABGAN_SPEC = ModelSpec("noisy", "colorize", "abgan", "n.safetensors", asdict(ABGAN), multiple_of=32)
FACES = PortraitConfig(latent=16, mapping=2, widths=(8, 8, 8))
"""16 px."""


def find_one(gray: np.ndarray) -> Sequence[Face]:
    """A face in the middle, a sixth as high as the picture."""
    height, width = gray.shape
    side = height // 6
    return [Face(Region(width // 2 - side // 2, height // 2 - side // 2, side, side), 0.9)]


def find_none(gray: np.ndarray) -> Sequence[Face]:
    return []


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return weights(tmp_path, PAINTER_SPEC)


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    path = tmp_path / "face.png"
    path.write_bytes(page(width=96, height=120))
    return path


@pytest.fixture(autouse=True)
def without_detector(monkeypatch: pytest.MonkeyPatch) -> None:
    class Finder:
        find = staticmethod(find_none)
        sha256 = ""

    monkeypatch.setattr(faces.FaceFinder, "load", lambda *arguments, **options: Finder)


def common(model: Path) -> list[str]:
    return ["--model", str(model), "--device", "cpu", "--precision", "fp32", "--offline"]


def shapes(folder: Path) -> dict[str, tuple[int, ...]]:
    found = {path.name: pixels.decode(path.read_bytes(), Limits()).pixels for path in folder.glob("*.png")}
    return {name: picture.shape for name, picture in found.items()}


def test_variants_are_named_by_number_and_seed_and_listed(run: Run, model: Path, picture: Path, tmp_path: Path) -> None:
    assert run("variants", picture, "-n", "4", "-o", "out", *common(model)) == 0
    said = json.loads((tmp_path / "out" / "variants.json").read_text())
    names = [f"variant-{each['number']:02d}-{each['seed']}.png" for each in said["variants"]]
    assert [each["file"] for each in said["variants"]] == names
    assert shapes(tmp_path / "out") == dict.fromkeys(names, (120, 96, 3))
    assert said["source"] == "face.png"
    assert len({(tmp_path / "out" / name).read_bytes() for name in names}) == 4
    assert run.out == "out/variants.json\n"
    sheet = pixels.decode((tmp_path / "out" / "sheet" / "contact-sheet.png").read_bytes(), Limits())
    assert min(sheet.width, sheet.height) > 256


def test_a_seed_gives_the_same_bytes_alone_and_among_others(
    run: Run, model: Path, picture: Path, tmp_path: Path
) -> None:
    assert run("variants", picture, "-n", "5", "--seed", "3", "-o", "many", *common(model)) == 0
    for file in sorted((tmp_path / "many").glob("*.png"))[:2]:
        seed = file.stem.split("-")[2]
        assert run("variants", picture, "-n", "1", "--seed", seed, "-o", f"one{seed}", *common(model)) == 0
        assert (tmp_path / f"one{seed}" / f"variant-01-{seed}.png").read_bytes() == file.read_bytes()


def test_a_chapter_is_coloured_as_a_variant_was(run: Run, model: Path, picture: Path, tmp_path: Path) -> None:
    assert run("variants", picture, "-n", "3", "-o", "out", *common(model)) == 0
    variants = tmp_path / "out" / "variants.json"
    wished = PaintSettings(model=str(model), variant=f"{variants}#2")
    engine = EngineSettings(device="cpu", precision="fp32", offline=True)
    result, loader, _ = paint(picture, Settings(paint=wished, engine=engine, run=RunSettings(output=tmp_path / "c")))
    assert result.target is not None
    after = pixels.decode(result.target.read_bytes(), Limits()).pixels
    second = next((tmp_path / "out").glob("variant-02-*.png"))
    assert (after == pixels.decode(second.read_bytes(), Limits()).pixels).all()
    before = loader.identity
    variants.write_text(variants.read_text().replace("face.png", "other.png"))
    assert type(loader)(loader._settings, print).identity != before, "another file is other work"


def test_nets_that_take_noise_make_variants_of_it(run: Run, picture: Path, tmp_path: Path) -> None:
    noisy = weights(tmp_path, ABGAN_SPEC)
    assert run("variants", picture, "-n", "3", "-o", "out", "--mode", "gray", *common(noisy)) == 0
    said = json.loads((tmp_path / "out" / "variants.json").read_text())
    assert [each["latent"] for each in said["variants"]] == [4, 4, 4]
    assert "palette" not in said["variants"][0]
    assert len({file.read_bytes() for file in (tmp_path / "out").glob("*.png")}) == 3
    again = followed(Settings(paint=PaintSettings(variant=f"{tmp_path / 'out' / 'variants.json'}#1"))).paint
    assert again is not None
    assert again.model == str(noisy)


def test_faces_of_a_page_get_folders_of_their_own(
    run: Run, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    finder = type("F", (), {"find": find_one, "sha256": ""})
    monkeypatch.setattr(faces.FaceFinder, "load", lambda *arguments, **options: finder)
    (tmp_path / "page.png").write_bytes(page())
    assert run("variants", "page.png", "-n", "2", "--faces", "all", "-o", "out", *common(model)) == 0
    said = json.loads((tmp_path / "out" / "face-01" / "variants.json").read_text())
    x, y, width, height = said["region"]
    assert set(shapes(tmp_path / "out" / "face-01").values()) == {(height, width, 3)}
    assert 0 <= x < 120 < x + width <= 240
    assert run("variants", "page.png", "-n", "2", "--faces", "largest", "-o", "one", *common(model)) == 0
    assert (tmp_path / "one" / "variants.json").exists()


def test_a_drawing_without_a_face_is_said_to_have_none(run: Run, model: Path, picture: Path, tmp_path: Path) -> None:
    assert run("variants", picture, "-n", "2", "--faces", "largest", "-o", "out", *common(model)) == 3
    assert "no face was found" in run.err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("count", ["0", "-1", "1000", "many"])
def test_an_impossible_number_is_refused(run: Run, picture: Path, count: str) -> None:
    assert run("variants", picture, f"--count={count}") == 2
    assert "1 to 256" in run.err


@pytest.mark.parametrize("options", [["--faces", "some"], ["--page", "0"], ["--page", "a"], ["--edit", "hair=blue"]])
def test_wrong_words_are_refused(run: Run, picture: Path, model: Path, options: list[str]) -> None:
    assert run("variants", picture, "-n", "2", *options, *common(model)) == 2
    assert not list(picture.parent.glob("*-variants"))


def test_unreadable_pictures_fail_and_the_others_are_made(run: Run, model: Path, picture: Path, tmp_path: Path) -> None:
    (tmp_path / "bad.png").write_bytes(b"no picture")
    (tmp_path / "blank.png").write_bytes(encoded(np.full((80, 60, 3), 250, np.uint8)))
    assert run("variants", "bad.png", "-n", "2", *common(model)) == 3
    assert run("variants", "bad.png", "blank.png", "face.png", "-n", "2", "-o", "out", *common(model)) == 1
    assert "nothing is drawn" in run.err
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["face"]


def test_variants_that_stand_there_stay_unless_overwritten(
    run: Run, model: Path, picture: Path, tmp_path: Path
) -> None:
    assert run("variants", picture, "-n", "2", *common(model)) == 0
    out = tmp_path / "face-variants"
    (out / "mine.txt").write_text("kept")
    before = {path.name: path.stat().st_mtime_ns for path in out.iterdir()}
    assert run("variants", picture, "-n", "3", "--seed", "9", *common(model)) == 4
    assert {path.name: path.stat().st_mtime_ns for path in out.iterdir()} == before
    assert run("variants", picture, "-n", "3", "--seed", "9", "--overwrite", *common(model)) == 0
    listed = {each["file"] for each in json.loads((out / "variants.json").read_text())["variants"]}
    assert {path.name for path in out.glob("*.png")} == listed
    assert (out / "mine.txt").read_text() == "kept"


def test_pages_of_a_chapter_are_picked(run: Run, model: Path, tmp_path: Path) -> None:
    cbz(tmp_path / "ch.cbz", {f"{n}.png": page(width=64, height=80, seed=n) for n in range(3)})
    assert run("variants", "ch.cbz", "-n", "1", "--page", "2-3", *common(model)) == 0
    assert sorted(path.name for path in (tmp_path / "ch-variants").iterdir()) == ["0002", "0003"]
    assert run("variants", "ch.cbz", "-n", "1", "--page", "1", "-o", "one", *common(model)) == 0
    assert json.loads((tmp_path / "one" / "variants.json").read_text())["page"] == 1
    assert run("variants", "ch.cbz", "-n", "1", "--page", "9", "-o", "none", *common(model)) == 3


@pytest.mark.parametrize("size", [(16, 16), (8, 90), (40, 330)])
def test_tiny_and_long_pictures_get_variants_of_their_size(
    run: Run, model: Path, tmp_path: Path, size: tuple[int, int]
) -> None:
    drawn = cv2.resize(page_pixels(), size, interpolation=cv2.INTER_AREA)
    (tmp_path / "t.png").write_bytes(encoded(drawn))
    assert run("variants", "t.png", "-n", "2", "-o", "out", *common(model)) == 0
    assert set(shapes(tmp_path / "out").values()) == {(size[1], size[0], 3)}


def test_enlarged_variants_are_as_large_as_asked_for(run: Run, model: Path, picture: Path, tmp_path: Path) -> None:
    enlarging = ["--upscale", "4x", "--upscaler", str(weights(tmp_path, UPSCALER_SPEC))]
    assert run("variants", picture, "-n", "1", "-o", "out", *enlarging, *common(model)) == 0
    assert list(shapes(tmp_path / "out").values()) == [(480, 384, 3)]


@pytest.fixture
def generator(tmp_path: Path) -> Path:
    """A generator of 16 px faces and its encoder, of random weights."""
    encoder = PortraitEncoderConfig(width=2, pyramid=4, layers=FACES.layers, latent=FACES.latent, side=FACES.side)
    for name, arch, config in (("face", "portrait", FACES), ("face-encoder", "portrait-encoder", encoder)):
        spec = ModelSpec(name, "portrait", arch, f"{name}.safetensors", asdict(config))
        weights(tmp_path, spec)
    return tmp_path / "face.safetensors"


def test_portraits_are_drawn_anew_at_the_generators_size(
    run: Run, picture: Path, generator: Path, tmp_path: Path
) -> None:
    words = ["--seed", "4", *common(generator)]
    assert run("variants", picture, "-n", "3", "-o", "out", *words) == 0
    said = json.loads((tmp_path / "out" / "variants.json").read_text())
    assert said["region"] == [0, 12, 96, 96]
    assert said["variants"][0]["seed"] == 4
    assert said["variants"][0]["low"] == 16
    assert set(shapes(tmp_path / "out").values()) == {(16, 16, 3)}
    enlarging = ["--upscale", "4x", "--upscaler", str(weights(tmp_path, UPSCALER_SPEC))]
    assert run("variants", picture, "-n", "1", "-o", "large", *enlarging, *words) == 0
    assert list(shapes(tmp_path / "large").values()) == [(64, 64, 3)]
    with pytest.raises(UsageError, match="holds no colours"):
        followed(Settings(paint=PaintSettings(variant=f"{tmp_path / 'out' / 'variants.json'}#1")))


def test_a_large_drawing_without_a_face_gets_no_portrait(run: Run, generator: Path, tmp_path: Path) -> None:
    (tmp_path / "page.png").write_bytes(page())
    assert run("variants", "page.png", "-n", "2", "-o", "out", *common(generator)) == 3
    assert "no face was found" in run.err
    encoder = generator.with_name("face-encoder.safetensors")
    assert run("variants", "page.png", "-n", "2", "-o", "out", *common(encoder)) == 5
    assert "no generator" in run.err


def test_a_portrait_shows_the_face_in_the_middle_of_a_square() -> None:
    image = PageImage(np.ascontiguousarray(page_pixels()))
    [close_up] = close_ups_of(image, "none", find_one, "auto")
    box = find_one(image.pixels[..., 0])[0].region
    region = close_up.region
    assert region is not None
    assert region == square_around(box)
    assert region.width == region.height == round(1.5 * box.width)
    assert abs(region.x + region.width / 2 - box.x - box.width / 2) <= 1
    assert box.y - region.y > region.bottom - box.bottom
    assert np.array_equal(close_up.image.pixels, image.pixels[region.slices])


def test_a_face_at_the_edge_keeps_its_place_in_the_square() -> None:
    image = PageImage(np.ascontiguousarray(page_pixels(width=200, height=200)))

    def find_corner(gray: np.ndarray) -> Sequence[Face]:
        side = round(0.2 * len(gray))
        return [Face(Region(0, 0, side, side), 0.9)]

    [close_up] = close_ups_of(image, "all", find_corner, "auto")
    assert close_up.image.pixels.shape == (60, 60, 3)
    assert close_up.region == Region(0, 0, 50, 44)
    assert np.array_equal(close_up.image.pixels[16:, 10:], image.pixels[:44, :50])
    assert np.array_equal(close_up.image.pixels[:16, 10:], np.repeat(image.pixels[:1, :50], 16, 0))


@pytest.mark.parametrize(
    ("text", "complaint"),
    [("[]", "does not describe"), ("{", "no JSON"), ('{"model": "m", "variants": []}', "no variant 1")],
)
def test_files_that_are_none_of_variants_are_refused(tmp_path: Path, text: str, complaint: str) -> None:
    (tmp_path / "v.json").write_text(text)
    with pytest.raises(UsageError, match=complaint):
        read(f"{tmp_path / 'v.json'}#1")
    with pytest.raises(UsageError, match="cannot be read"):
        read(f"{tmp_path / 'absent.json'}#1")


def test_a_variant_does_not_go_with_another_palette_or_net(tmp_path: Path) -> None:
    (tmp_path / "v.json").write_text('{"model": "m", "variants": [{"number": 1, "seed": 2, "palette": [[3, 1.5]]}]}')
    wished = PaintSettings(variant=f"{tmp_path / 'v.json'}#1")
    with pytest.raises(UsageError, match="--palette"):
        followed(Settings(paint=replace(wished, palette=tmp_path / "p.toml")))
    with pytest.raises(UsageError, match="--model"):
        followed(Settings(paint=replace(wished, model="zhang")))
    after = followed(Settings(paint=wished)).paint
    assert after is not None
    assert after.model == "m"


def test_a_palette_survives_being_written_down() -> None:
    bank = torch.nn.functional.normalize(torch.rand(3, 216)) * 4
    palette = scheme_of(5).palette(bank, "gray", face=False)
    variant = Variant("m", 5, cells_of(palette))
    assert Variant("m", 5, cells_of(variant.palette)).cells == variant.cells
    assert torch.allclose(variant.palette, palette, atol=5e-3)
    assert torch.allclose(variant.palette.norm(), torch.tensor(4.0))


def test_seeds_are_distinct_and_begin_with_the_one_asked_for() -> None:
    found = candidates(7, 300)
    assert found[0] == 7
    assert len(set(found)) == 300
    assert candidates(7, 20) == found[:20]
    assert not set(candidates(8, 20)) & set(found[:20])


def test_schemes_have_skin_and_differ() -> None:
    bank = torch.rand(2, 216)
    palettes = torch.cat([scheme_of(seed).palette(bank, "ink", face=True) for seed in range(30)])
    index = torch.arange(216)
    colours = torch.stack([index // 36, index // 6 % 6, index % 6], 1)
    skinlike = (colours[:, 0] >= 4) & (colours[:, 1] >= 3) & (colours[:, 0] > colours[:, 2])
    assert (palettes[:, skinlike].square().sum(1) / 16 > 0.15).all()
    assert torch.cdist(palettes, palettes).fill_diagonal_(9).min() > 0.5


def test_a_face_without_skin_is_doubted_most() -> None:
    peach = torch.tensor([14.0, 18.0])
    hair = torch.tensor([[40.0, -30.0], [-30.0, 20.0], [5.0, -45.0], [-20.0, -20.0], [30.0, 30.0]])
    colours = torch.stack([torch.stack([peach, each, each]) for each in hair])
    colours[1, 0] = torch.tensor([-20.0, -30.0])
    assert float(skin(peach)) > 0.9
    assert int(doubts(colours, torch.tensor([0.4, 0.3, 0.3])).argmax()) == 1


def test_hair_of_two_colours_is_doubted_most() -> None:
    hair = torch.tensor([[40.0, -30.0], [-30.0, 20.0], [5.0, -45.0], [-20.0, -20.0], [30.0, 30.0]])
    colours = torch.stack([torch.stack([torch.tensor([14.0, 18.0]), each, each]) for each in hair])
    colours[2, 2] = torch.tensor([-35.0, 30.0])
    assert int(doubts(colours, torch.tensor([0.4, 0.3, 0.3])).argmax()) == 2


def test_what_is_chosen_is_far_apart() -> None:
    colours = torch.zeros(8, 1, 2)
    colours[:, 0, 0] = torch.tensor([0.0, 1.0, 2.0, 20.0, 21.0, 40.0, 41.0, 42.0]) - 60
    chosen = far_apart(colours, torch.ones(1), 3)
    assert len({round(float(colours[index, 0, 0] + 60) / 20) for index in chosen}) == 3
    assert sorted(far_apart(colours, torch.ones(1), 8)) == list(range(8))


def test_of_a_portrait_the_border_is_no_gutter() -> None:
    image = PageImage(np.ascontiguousarray(page_pixels(width=200, height=200)))
    assert mode_of(image.pixels[..., 0]) == "ink"

    def find_large(gray: np.ndarray) -> Sequence[Face]:
        side = gray.shape[0] // 2
        return [Face(Region(10, 10, side, side), 0.9)]

    [as_page] = subjects_of(image, "none", find_one, "auto")
    [as_face] = subjects_of(image, "none", find_large, "auto")
    assert not as_page.face
    assert as_page.drawing.paper[0].all()
    assert as_face.face
    assert not as_face.drawing.paper[0].any()


def test_pictures_too_small_to_colour_are_refused() -> None:
    with pytest.raises(PageError, match="too small"):
        subjects_of(PageImage(page_pixels()[:7]), "none", find_none, "auto")


def test_a_contact_sheet_holds_every_picture() -> None:
    small = [thumbnail(np.full((300, 200, 3), 8 * number, np.uint8)) for number in range(7)]
    assert small[0].shape == (256, 171, 3)
    sheet = contact_sheet(small, [str(number) for number in range(7)])
    for number in range(7):
        assert (sheet == 8 * number).all(2).sum() >= 200 * 171
