"""Hints: a stroke colours its region and nothing beyond the lines; files find their pages."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from factories import cbz, encoded, folder
from numpy.typing import NDArray
from small_nets import paint, settings_of

from mangapaint import pixels
from mangapaint.archives import open_reader
from mangapaint.cli.app import main
from mangapaint.cli.state import State
from mangapaint.errors import PageError, UsageError
from mangapaint.page import PageImage
from mangapaint.paint.hintfiles import matched
from mangapaint.paint.hints import fill_of, palettes, read_cue
from mangapaint.paint.palette import palette_of
from mangapaint.pipeline.loading import ColorizerLoader
from mangapaint.settings import Limits, Settings

RED, BLUE, GREEN = (220, 40, 50), (40, 60, 220), (60, 200, 90)
LEFT, RIGHT, OUTSIDE = (100, 80), (100, 220), (20, 20)


def drawing(hatched: bool = False) -> NDArray[np.uint8]:
    """(200, 300, 3): two boxes side by side, their common line 3 px wide at column 150."""
    page = np.full((200, 300, 3), 255, np.uint8)
    if hatched:
        page[30:170, 30:150][np.indices((140, 120)).sum(0) % 3 == 0] = 0
    cv2.rectangle(page, (30, 30), (150, 170), (0, 0, 0), 3)
    cv2.rectangle(page, (150, 30), (270, 170), (0, 0, 0), 3)
    return page


def strokes(*drawn: tuple[tuple[int, int, int], tuple[int, int], tuple[int, int]], scale: int = 1) -> bytes:
    """Strokes (colour, from (y, x), to) on transparent."""
    picture = np.zeros((200 * scale, 300 * scale, 4), np.uint8)
    for colour, start, end in drawn:
        ends = [(x * scale, y * scale) for y, x in (start, end)]
        cv2.line(picture, *ends, (*colour, 255), 6 * scale)
    return encoded(picture)


def filled(path: Path, page: NDArray[np.uint8] | None = None) -> NDArray[np.float32]:
    page = drawing() if page is None else page
    cue = read_cue(path, PageImage(page), Limits())
    fill: NDArray[np.float32] = fill_of(cue, np.ascontiguousarray(page[..., 0]), (200, 300))[0].numpy()
    return fill


def colour_at(fill: NDArray[np.float32], place: tuple[int, int]) -> tuple[int, ...]:
    assert fill[(3, *place)] > 0.99
    return tuple(round(float(value) * 255) for value in fill[(slice(3), *place)])


def test_a_stroke_fills_its_region_and_stops_at_the_ink(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(strokes((RED, (60, 60), (80, 90))))
    fill = filled(tmp_path / "a.png")
    assert colour_at(fill, LEFT) == colour_at(fill, (165, 35)) == colour_at(fill, (35, 145)) == RED
    assert fill[3, :, 153:].max() < 0.02, "nothing right of the line"
    assert fill[3, :, :28].max() < 0.02


def test_a_stroke_that_slips_over_a_line_does_not_count_there(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(strokes((RED, (100, 60), (100, 154))))
    assert filled(tmp_path / "a.png")[(3, *RIGHT)] == 0


def test_two_colours_in_a_region_share_it_by_nearness(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(strokes((RED, (50, 50), (50, 130)), (BLUE, (150, 50), (150, 130))))
    fill = filled(tmp_path / "a.png")
    assert colour_at(fill, (80, 90)) == RED
    assert colour_at(fill, (120, 90)) == BLUE
    assert fill[(3, *RIGHT)] == 0


def test_a_toned_area_is_coloured_apart_from_the_white_around_it(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(strokes((GREEN, (100, 60), (100, 120))))
    page = drawing(hatched=True)
    page[60:140, 60:120] = 90
    fill = filled(tmp_path / "a.png", page)
    assert colour_at(fill, (70, 90)) == GREEN
    assert fill[(3, *OUTSIDE)] == 0


def test_a_stroke_over_coarse_dots_fills_the_whole_tone(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(strokes((GREEN, (50, 50), (90, 120))))
    page = drawing()
    page[32:169, 32:149] = 140
    for y in range(36, 168, 14):
        for x in range(36 + y % 4, 148, 14):
            cv2.circle(page, (x, y), 3, (0, 0, 0), -1)
    fill = filled(tmp_path / "a.png", page)
    assert (fill[3, 40:160, 40:140] > 0.9).mean() > 0.95
    assert fill[3, 40:160, 155:].max() < 0.05


def test_soft_strokes_keep_their_colour_to_the_rim(tmp_path: Path) -> None:
    colour = np.zeros((200, 300, 4), np.uint8)
    cv2.line(colour, (60, 60), (90, 80), (*RED, 255), 8)
    alpha = cv2.GaussianBlur(colour[..., 3], (0, 0), 2)
    picture = np.dstack([np.full((200, 300, 3), RED, np.uint8), alpha])
    (tmp_path / "a.png").write_bytes(encoded(picture))
    found = colour_at(filled(tmp_path / "a.png"), LEFT)
    assert max(abs(one - other) for one, other in zip(found, RED, strict=True)) <= 3


def test_blobs_over_the_page_itself_are_cues_and_its_tinted_paper_is_not(tmp_path: Path) -> None:
    paper = (drawing() * np.array([1.0, 0.95, 0.8])).astype(np.uint8)
    over = paper.copy()
    cv2.circle(over, (80, 100), 12, RED, -1)
    (tmp_path / "a.png").write_bytes(encoded(over))
    cue = read_cue(tmp_path / "a.png", PageImage(paper), Limits())
    assert 300 < (cue.rgba[..., 3] > 0).sum() < 500
    assert not cue.dense
    (tmp_path / "b.jpg").write_bytes(encoded(over, "JPEG", quality=80))
    found = colour_at(filled(tmp_path / "b.jpg", paper), LEFT)
    assert max(abs(one - other) for one, other in zip(found, RED, strict=True)) <= 12


def test_a_coloured_reference_is_dense(tmp_path: Path) -> None:
    blurred = cv2.GaussianBlur(np.random.default_rng(0).integers(0, 256, (200, 300, 3), np.uint8), (0, 0), 5)
    (tmp_path / "a.png").write_bytes(encoded((blurred * np.array([1.0, 0.4, 0.2])).astype(np.uint8)))
    assert read_cue(tmp_path / "a.png", PageImage(drawing()), Limits()).dense


def test_a_dense_cue_washes_over_small_regions_and_keeps_its_course_in_large_ones(tmp_path: Path) -> None:
    course = np.linspace(0, 1, 300)[None, :, None] * np.array(BLUE) + np.linspace(1, 0, 300)[None, :, None] * np.array(
        RED
    )
    (tmp_path / "a.png").write_bytes(encoded(np.repeat(course, 200, 0).astype(np.uint8)))
    page = drawing()
    cv2.circle(page, (210, 100), 14, (0, 0, 0), 3)
    fill = filled(tmp_path / "a.png", page)
    assert np.ptp(fill[0, 100, 204:217]) < 0.01, "one colour within the small circle"
    assert fill[0, 100, 40] > fill[0, 100, 140] + 0.1
    assert 0.6 < fill[3].min() <= fill[3].max() < 0.8, "the net has its say"


def test_the_palette_of_a_page_follows_its_dense_cue_only(tmp_path: Path) -> None:
    (tmp_path / "dense.png").write_bytes(encoded(np.full((200, 300, 3), RED, np.uint8)))
    (tmp_path / "sparse.png").write_bytes(strokes((RED, (60, 60), (80, 90))))
    dense, sparse = (read_cue(tmp_path / name, PageImage(drawing()), Limits()) for name in ("dense.png", "sparse.png"))
    chapter = palette_of(torch.zeros(1, 3, 8, 8) + 0.5)
    followed, kept, without = palettes(chapter, [dense, sparse, None])
    assert torch.equal(kept, chapter[0])
    assert torch.equal(without, chapter[0])
    assert torch.cosine_similarity(followed, chapter[0], 0) < 0.7
    assert palettes(torch.zeros(1, 0), [dense]).shape == (1, 0)


def test_hints_of_another_size_are_scaled_and_of_another_shape_refused(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(strokes((RED, (60, 60), (80, 90)), scale=3))
    fill = filled(tmp_path / "a.png")
    assert colour_at(fill, LEFT) == RED
    assert fill[(3, *RIGHT)] == 0
    (tmp_path / "b.png").write_bytes(encoded(np.zeros((200, 260, 4), np.uint8)))
    with pytest.raises(PageError, match=r"b\.png are 260x200 px, the page has 300x200"):
        read_cue(tmp_path / "b.png", PageImage(drawing()), Limits())


@dataclass(frozen=True)
class Named:
    index: int
    name: str
    chapter: str = "Days 1"


PAGES = [Named(0, "x/cover.png"), Named(1, "x/page_02.png"), Named(2, "x/page_03.png")]


def test_files_find_their_pages_by_name_then_by_number(tmp_path: Path) -> None:
    names = ("Cover.webp", "page_03.png", "2.png", "9.png", "notes.txt", "hints 2.png")
    match = matched(folder(tmp_path, dict.fromkeys(names, b"")), PAGES)
    assert {index: path.name for index, path in match.files.items()} == {
        0: "Cover.webp",
        1: "2.png",
        2: "page_03.png",
    }
    assert {path.name for path in match.unmatched} == {"9.png", "hints 2.png"}


def test_a_folder_called_like_the_chapter_comes_first(tmp_path: Path) -> None:
    folder(tmp_path, {"1.png": b"", "Days 1/2.png": b"", "Days 2/3.png": b""})
    assert matched(tmp_path, PAGES).files == {1: tmp_path / "Days 1" / "2.png"}
    other = [replace(page, chapter="Nights") for page in PAGES]
    assert matched(tmp_path, other).files == {0: tmp_path / "1.png"}


def test_a_single_picture_is_for_a_single_page(tmp_path: Path) -> None:
    hint = folder(tmp_path, {"any.png": b""}) / "any.png"
    assert matched(hint, PAGES[:1]).files == {0: hint}
    with pytest.raises(UsageError, match="has 3 pages"):
        matched(hint, PAGES)


def test_a_folder_without_any_page_of_the_chapter_is_a_mistake(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="called like a page of Days 1"):
        matched(folder(tmp_path, {"77.png": b""}), PAGES)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return settings_of(tmp_path)


def test_hints_colour_the_pages_of_a_chapter_even_on_paper_and_change_its_identity(
    tmp_path: Path, settings: Settings
) -> None:
    assert settings.paint is not None
    source = cbz(tmp_path / "a.cbz", {"1.png": encoded(drawing()), "2.png": encoded(drawing())})
    hints = folder(tmp_path / "hints", {"1.png": strokes((RED, (60, 60), (80, 90))), "8.png": strokes()})
    hinted = replace(settings, paint=replace(settings.paint, hints=hints))
    result, loader, notes = paint(source, hinted)
    assert not result.failed
    assert "warning: the hints 8.png belong to no page of a" in notes.messages
    with open_reader(tmp_path / "out" / "a.cbz", settings.input) as reader:
        first, second = (pixels.decode(reader.read(index), Limits()).pixels for index in range(2))
    assert np.abs(first[LEFT].astype(int) - RED).max() <= 2
    assert np.abs(second[LEFT].astype(int) - RED).max() > 60
    (hints / "1.png").write_bytes(strokes((BLUE, (60, 60), (80, 90))))
    assert ColorizerLoader(hinted, print).identity != loader.identity
    assert hinted.digest() != settings.digest()


def test_hints_of_the_wrong_shape_fail_their_page_alone(tmp_path: Path, settings: Settings) -> None:
    assert settings.paint is not None
    source = cbz(tmp_path / "a.cbz", {"1.png": encoded(drawing()), "2.png": encoded(drawing())})
    hints = folder(tmp_path / "hints", {"2.png": encoded(np.zeros((50, 300, 4), np.uint8))})
    result, _, notes = paint(source, replace(settings, paint=replace(settings.paint, hints=hints)))
    assert result.failed == (1,)
    assert any("another shape" in page.error for page in notes.pages)


def test_a_wrong_folder_of_hints_exits_2_and_writes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], settings: Settings
) -> None:
    assert settings.paint is not None
    source = cbz(tmp_path / "a.cbz", {"1.png": encoded(drawing())})
    (tmp_path / "empty").mkdir()
    for place, said in (("absent", "do not exist"), ("empty", "holds no pictures")):
        arguments = ["mangapaint", "color", str(source), "--hints", str(tmp_path / place)]
        monkeypatch.setattr("sys.argv", [*arguments, "--model", settings.paint.model, "-o", str(tmp_path / "out")])
        with pytest.raises(SystemExit) as leaving:
            main(State())
        assert leaving.value.code == 2
        assert said in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
