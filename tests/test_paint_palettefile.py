"""palette.toml: written for people, read back with their changes, wrong lines named."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from factories import cbz, chapter, page
from small_nets import paint, settings_of

from mangapaint import pixels
from mangapaint.archives import open_reader
from mangapaint.errors import UsageError
from mangapaint.models.lab import lab_to_rgb, rgb_to_lab
from mangapaint.paint.palette import CELLS, palette_of
from mangapaint.paint.palettefile import Colour, PaletteFile, main_colours, name_of, read, rgb_of, write
from mangapaint.paint.sightings import Sightings
from mangapaint.pipeline.loading import ColorizerLoader
from mangapaint.settings import Limits, Settings

SKIN, HAIR, SKY = "#e8b898", "#703020", "#70b0f0"


def seen(number: int, *colours: tuple[str, float]) -> Sightings:
    lab = rgb_to_lab(torch.tensor([rgb_of(text) for text, _ in colours]).T[None, :, :, None])[0, :, :, 0].T.numpy()
    noise = np.random.default_rng(number).normal(0, 1, lab.shape)
    share = np.array([share for _, share in colours], np.float32)
    empty = np.zeros((len(share), 2), np.float32)
    return Sightings(number, share, (lab + noise).astype(np.float32), empty, empty)


def lab_of(text: str) -> torch.Tensor:
    return rgb_to_lab(torch.tensor(rgb_of(text)).view(1, 3, 1, 1))


def test_main_colours_are_found_with_their_shares_whatever_the_order_of_pages() -> None:
    pages = [seen(number, (SKIN, 0.5), (HAIR, 0.2), (SKY, 0.1)) for number in range(4)]
    pages.append(seen(4, (SKIN, 0.5)))
    found = main_colours(pages)
    assert [round(colour.share, 2) for colour in found] == [0.68, 0.22, 0.11]
    assert [colour.pages for colour in found] == [5, 4, 4]
    for colour, expected in zip(found, (SKIN, HAIR, SKY), strict=True):
        assert float((lab_of(colour.hex) - lab_of(expected)).norm()) < 3
    assert main_colours(pages[::-1]) == found
    assert main_colours([]) == ()


def test_a_written_file_reads_back_the_same(tmp_path: Path) -> None:
    cells = palette_of(torch.rand(1, 3, 32, 32, generator=torch.Generator().manual_seed(0)))
    colours = (Colour(SKIN, SKIN, 0.5), Colour("#00ff00", HAIR, 0.25))
    write(tmp_path / "p.toml", PaletteFile(colours, cells), chapter="Days\n1")
    found = read(tmp_path / "p.toml")
    assert found.colours == colours
    assert found.cells is not None
    assert (found.palette - cells).abs().max() < 0.002
    text = (tmp_path / "p.toml").read_text()
    assert 'name = "light orange"' in text
    assert "Days\\n1" in text


def test_an_unedited_file_changes_nothing_and_an_edited_colour_only_its_own_places() -> None:
    colours = tuple(Colour(text, text, 0.3) for text in (SKIN, HAIR, SKY))
    assert PaletteFile(colours).edits() is None
    green = "#30a040"
    edits = PaletteFile((replace(colours[0], hex=green), *colours[1:])).edits()
    assert edits is not None
    picture = torch.cat([lab_of(SKIN), lab_of(HAIR), lab_of(SKY), lab_of("#00ff00")], 3)
    after = lab_to_rgb(edits.applied(picture))
    expected = torch.tensor([rgb_of(text) for text in (green, HAIR, SKY, "#00ff00")]).T[None, :, None]
    assert (after - expected).abs().max() < 0.02


def test_a_file_of_hexes_alone_is_a_palette(tmp_path: Path) -> None:
    (tmp_path / "p.toml").write_text(
        '[[colour]]\nhex = "#ff0000"\nshare = 0.75\n[[colour]]\nhex = "#0000FF"\nshare = 0.25\n'
    )
    found = read(tmp_path / "p.toml")
    weight = (found.palette / 4).square()[0]
    assert weight[5 * 36] == pytest.approx(0.75)
    assert weight[5] == pytest.approx(0.25)
    assert found.edits() is None


def test_an_added_colour_joins_the_cells() -> None:
    cells = palette_of(torch.zeros(1, 3, 8, 8) + torch.tensor([1.0, 0, 0]).view(1, 3, 1, 1))
    found = PaletteFile((Colour("#0000ff", None, 0.25), Colour("#ff0000", "#ff0000", 1.0)), cells)
    assert (found.palette / 4).square()[0, 5] == pytest.approx(0.2)
    assert found.palette.shape == (1, CELLS)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('[[colour]]\nhex = "#ff0000"\n\n[[colour]]\nhex = "red"\n', "line 4: hex takes a colour"),
        ('[[colour]]\nhex = "#ff0000"\nwas = 3\n', "line 1: was takes"),
        ('[[colour]]\nhex = "#ff0000"\nshare = 3\n', "line 1: share takes"),
        ('[[colour]]\nhexe = "#ff0000"\n', "line 1: nothing is called 'hexe'"),
        ('[[colour]]\nwas = "#ff0000"\n', "line 1: hex takes"),
        ('[[colour]]\nhex = "#ff0000\n', "line 2"),
        ("", "no [[colour]]".replace("[", r"\[").replace("]", r"\]")),
        ('[[colour]]\nhex = "#ff0000"\n[net]\ncells = [[216, 1]]\n', "cells"),
        ('[[colour]]\nhex = "#ff0000"\n[net]\ncells = 3\n', "cells"),
    ],
)
def test_a_wrong_line_is_named(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "p.toml").write_text(text)
    with pytest.raises(UsageError, match=said):
        read(tmp_path / "p.toml")


def test_absent_and_strange_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be read"):
        read(tmp_path / "absent.toml")
    with pytest.raises(UsageError, match=r"is no \.toml file"):
        read(tmp_path / "p.json")


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("#e8b898", "light orange"),
        ("#703020", "dark brown"),
        ("#70b0f0", "light blue"),
        ("#808080", "gray"),
        ("#fafafa", "white"),
        ("#205020", "dark green"),
        ("#f0a0b0", "light pink"),
    ],
)
def test_colours_have_everyday_names(text: str, name: str) -> None:
    assert name_of(text) == name


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return settings_of(tmp_path)


def painted(path: Path, settings: Settings) -> np.ndarray:
    with open_reader(path, settings.input) as reader:
        return pixels.decode(reader.read(0), Limits()).pixels.astype(int)


def test_a_chapter_is_painted_the_same_by_its_own_palette_and_differently_by_an_edited_one(
    tmp_path: Path, settings: Settings
) -> None:
    assert settings.paint is not None
    source, file = chapter(tmp_path / "a.cbz", 2), tmp_path / "p.toml"
    paint(source, replace(settings, run=replace(settings.run, save_palette=file)))
    out = tmp_path / "out" / "a.cbz"
    first = painted(out, settings)
    found = read(file)
    out.unlink()
    by_file = replace(settings, paint=replace(settings.paint, palette=file))
    _, loader, _ = paint(source, by_file)
    assert np.abs(painted(out, settings) - first).max() <= 2
    out.unlink()
    green = tuple(replace(colour, hex="#00c000") for colour in found.colours)
    write(file, PaletteFile(green, found.cells), chapter="a")
    assert ColorizerLoader(by_file, print).identity != loader.identity
    paint(source, by_file)
    after = painted(out, settings)
    coloured = np.ptp(after, 2) > 60
    assert coloured.any()
    assert (after[coloured].argmax(1) == 1).all()


def test_changes_are_carried_into_the_next_file(tmp_path: Path, settings: Settings) -> None:
    assert settings.paint is not None
    file, following = tmp_path / "p.toml", tmp_path / "q.toml"
    write(file, PaletteFile((Colour("#00c000", "#a04040", 0.5),)), chapter="a")
    run = replace(settings.run, save_palette=following)
    paint(
        cbz(tmp_path / "b.cbz", {"1.png": page()}),
        replace(settings, run=run, paint=replace(settings.paint, palette=file)),
    )
    assert replace(read(following).colours[0], share=0.5) == Colour("#00c000", "#a04040", 0.5)


def test_what_cannot_be_meant_is_refused_before_anything_is_done(tmp_path: Path, settings: Settings) -> None:
    assert settings.paint is not None
    source = chapter(tmp_path / "a" / "1.cbz", 1).parent
    chapter(source / "2.cbz", 1)
    for change, said in (
        ({"run": replace(settings.run, save_palette=tmp_path / "p.toml")}, "2 were found"),
        ({"run": replace(settings.run, save_palette=tmp_path / "p.txt")}, r"writes .*\.toml"),
        ({"paint": replace(settings.paint, palette=tmp_path / "p.toml", references=(tmp_path,))}, "--reference"),
    ):
        with pytest.raises(UsageError, match=said):
            paint(source, replace(settings, **change))  # type: ignore[arg-type]
    assert not (tmp_path / "out").exists()


def test_a_chapter_that_is_done_already_says_that_no_palette_was_written(tmp_path: Path, settings: Settings) -> None:
    source = chapter(tmp_path / "a.cbz", 1)
    paint(source, settings)
    _, _, notes = paint(source, replace(settings, run=replace(settings.run, save_palette=tmp_path / "p.toml")))
    assert any("p.toml was not written" in message for message in notes.messages)
