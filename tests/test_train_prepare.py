"""Preparing a corpus from made pictures: what is left out and why, how titles split, that files are whole or absent."""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import cv2
import factories
import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from typer.testing import CliRunner

from mangapaint.errors import InputError, OutputError
from mangapaint.models import pix2pix_net
from train.__main__ import app
from train.corpus import Corpus, manifest, pictures
from train.prepare import build, hashing, screening, titles, triplets
from train.prepare.build import Options, Report
from train.prepare.screening import Screen
from train.scrape import ledger

Picture = NDArray[np.uint8]
QUIET: list[str] = []


def drawing(seed: int, height: int = 160, width: int = 200) -> Picture:
    """A coloured picture with outlines."""
    rng = np.random.default_rng(seed)
    picture = np.full((height, width, 3), rng.integers(120, 255, 3), np.uint8)
    for _ in range(12):
        centre, radius = (int(rng.integers(0, width)), int(rng.integers(0, height))), int(rng.integers(8, 40))
        cv2.circle(picture, centre, radius, rng.integers(0, 255, 3).tolist(), -1)
        cv2.circle(picture, centre, radius, (20, 10, 10), 2)
    return picture


def figure(background: int, eyes: int, side: int = 192) -> Picture:
    """A face on a plain background: the same composition every time, another expression with other `eyes`."""
    picture = np.full((side, side, 3), background, np.uint8)
    middle = side // 2
    cv2.circle(picture, (middle, middle), side // 3, (240, 200, 170), -1)
    cv2.circle(picture, (middle, middle), side // 3, (20, 10, 10), 3)
    for x in (-1, 1):
        cv2.ellipse(picture, (middle + x * 28, middle - 8), (16, eyes), 0, 0, 360, (40, 40, 160), -1)
    cv2.ellipse(picture, (middle, middle + 30), (30 if eyes > 8 else 8, 9), 0, 0, 360, (120, 20, 20), -1)
    return picture


def png(picture: Picture) -> bytes:
    return factories.encoded(picture)


def built(source: Path, target: Path, **options: object) -> Report:
    QUIET.clear()
    return build.build([source], target, Options(**options), QUIET.append)  # type: ignore[arg-type]


def names(report: Report) -> list[str]:
    return [item.name for item in report.items]


def reasons(report: Report) -> dict[str, str]:
    return {one.name: one.reason for one in report.left_out}


def test_the_same_drawing_smaller_or_as_a_poor_jpeg_is_found_and_the_largest_stays(tmp_path: Path) -> None:
    small = np.asarray(cv2.resize(drawing(1), (120, 96), interpolation=cv2.INTER_AREA), np.uint8)
    files = {"a/small.png": png(small), "a/whole.png": png(drawing(1)), "b/copy.png": png(drawing(1))}
    files["b/poor.jpg"] = factories.encoded(drawing(1), "JPEG", quality=35)
    report = built(factories.folder(tmp_path / "set", files), tmp_path / "corpus")
    assert names(report) == ["a/whole.png"]
    assert reasons(report) == {"b/copy.png": "same", "a/small.png": "alike", "b/poor.jpg": "alike"}
    assert {one.detail for one in report.left_out} == {"set/a/whole.png"}
    assert (Corpus(tmp_path / "corpus", {"set": 1.0}).picture(0) == drawing(1)).all()
    assert (tmp_path / "corpus" / build.ALIKE_SHEET).is_file()


def test_other_drawings_of_the_same_composition_stay(tmp_path: Path) -> None:
    files = {f"{eyes}.png": png(figure(200, eyes)) for eyes in (3, 20)}
    files["recoloured.png"] = png(figure(200, 20)[..., ::-1].copy())
    files |= {f"other{seed}.png": png(drawing(seed)) for seed in range(20)}
    report = built(factories.folder(tmp_path / "set", files), tmp_path / "corpus")
    assert sorted(names(report)) == sorted(files)
    assert not (tmp_path / "corpus" / build.ALIKE_SHEET).exists()


def test_bands_find_what_comparing_all_pairs_finds() -> None:
    rng = np.random.default_rng(4)
    hashes = [int(value) for value in rng.integers(0, 2**63, 300)]
    for base in range(60):
        flips = rng.choice(64, int(rng.integers(0, 10)), replace=False)
        hashes.append(hashes[base] ^ sum(1 << int(bit) for bit in flips))
    twins = [np.zeros((16, 16, 3), np.uint8)] * len(hashes)
    found = hashing.alike(hashes, twins, [1] * len(hashes))
    near = {b: a for b in range(300, 360) for a in range(300) if (hashes[a] ^ hashes[b]).bit_count() <= hashing.NEAR}
    assert dict(found) == near
    assert len(near) > 20


def test_near_off_drops_only_what_is_the_same_in_every_pixel(tmp_path: Path) -> None:
    files = {"a.png": png(drawing(1)), "b.png": png(drawing(1)), "c.jpg": factories.encoded(drawing(1), "JPEG")}
    report = built(factories.folder(tmp_path / "set", files), tmp_path / "corpus", near=None)
    assert names(report) == ["a.png", "c.jpg"]


def test_truncated_and_hostile_pictures_are_named_and_the_run_goes_on(tmp_path: Path) -> None:
    files = {
        "a.png": png(drawing(1))[:-2000],
        "b.png": factories.giant_png(20_000),
        "c.png": b"",
        "d.png": b"no picture",
    }
    files |= {"e.png": png(drawing(2)), "broken.cbz": b"PK\3\4 no zip", "notes.txt": b"not a picture"}
    report = built(factories.folder(tmp_path / "set", files), tmp_path / "corpus")
    assert names(report) == ["e.png"]
    assert reasons(report) == dict.fromkeys(["a.png", "b.png", "broken.cbz", "c.png", "d.png"], "unreadable")
    assert all(any(name in line for line in QUIET) for name in reasons(report))
    left_out = json.loads((tmp_path / "corpus" / build.REPORT).read_text())
    assert {row["name"] for row in left_out} == set(reasons(report))


def test_gray_small_and_narrow_pictures_are_left_out_but_wanted_gray_stays(tmp_path: Path) -> None:
    gray = np.repeat(cv2.cvtColor(drawing(1), cv2.COLOR_RGB2GRAY)[..., None], 3, 2)
    files = {"gray.png": png(gray), "small.png": png(drawing(2, 40, 90)), "fine.png": png(drawing(3))}
    source = factories.folder(tmp_path / "set", files)
    assert reasons(built(source, tmp_path / "a")) == {"gray.png": "gray", "small.png": "small"}
    assert names(built(source, tmp_path / "b", screen=Screen(keep_gray=("set",)))) == ["fine.png", "gray.png"]


def test_pictures_are_cropped_and_reduced_and_may_then_be_too_small(tmp_path: Path) -> None:
    files = {"wide.png": png(drawing(1, 200, 400)), "strip.png": png(drawing(2, 100, 800))}
    source = factories.folder(tmp_path / "set", files)
    report = built(source, tmp_path / "a", screen=Screen(max_side=200))
    assert [(item.name, item.height, item.width) for item in report.items] == [("wide.png", 100, 200)]
    assert reasons(report) == {"strip.png": "small"}
    squares = built(source, tmp_path / "b", screen=Screen(max_side=120, square=True))
    assert [(item.height, item.width) for item in squares.items] == [(100, 100), (120, 120)]


def test_zip_chapters_and_folders_come_with_sets_names_and_titles(tmp_path: Path) -> None:
    pages = {f"{number}.png": png(drawing(number)) for number in range(2)}
    open_ = tmp_path / "open"
    factories.cbz(open_ / "loose.zip", {"0012__01.png": png(drawing(10)), "0012__02.png": png(drawing(11))})
    factories.cbz(open_ / "Haruko v01 ch02.cbz", pages)
    factories.cbz(open_ / "shelf" / "Kasa" / "c1.cbz", {"p.png": png(drawing(20))})
    factories.pdf(open_ / "shelf" / "Tale 3.pdf", [png(drawing(21, 340, 240))])
    factories.folder(open_ / "shelf" / "Sora", {"1.png": png(drawing(22))})
    sources = [open_ / "loose.zip", open_ / "Haruko v01 ch02.cbz", open_ / "shelf"]
    report = build.build(sources, tmp_path / "corpus", Options(), QUIET.append)
    assert [(item.set, item.name, item.title) for item in report.items] == [
        ("loose", "0012__01.png", "asp/0012"),
        ("loose", "0012__02.png", "asp/0012"),
        ("Haruko v01 ch02", "0.png", "Haruko"),
        ("Haruko v01 ch02", "1.png", "Haruko"),
        ("shelf", "Tale 3.pdf/0001", "Tale"),
        ("shelf", "Kasa/c1.cbz/p.png", "shelf/Kasa"),
        ("shelf", "Sora/1.png", "shelf/Sora"),
    ]
    assert [item.licence for item in report.items] == ["open"] * 7
    corpus = Corpus(tmp_path / "corpus", {"loose": 1.0, "shelf": 1.0})
    assert [(corpus.picture(i) == drawing(seed)).all() for i, seed in ((0, 10), (1, 11), (3, 20), (4, 22))] == [
        True
    ] * 4


def test_a_source_that_cannot_be_read_at_all_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "bad.zip").write_bytes(b"PK\3\4 cut off")
    with pytest.raises(InputError, match="bad.zip"):
        built(tmp_path / "bad.zip", tmp_path / "corpus")
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="no picture is left"):
        built(tmp_path / "empty", tmp_path / "corpus")
    assert not list((tmp_path / "corpus").glob("*"))


def test_a_scrape_brings_artist_licence_and_source_and_names_missing_files(tmp_path: Path) -> None:
    folder = tmp_path / "scrape"
    rows = [
        ("1" * 32, "ann", "", b""),
        ("2" * 32, "ann bob", "", b""),
        ("3" * 32, "", "tale", b""),
        ("4" * 32, "", "", b""),
    ]
    with ledger.Ledger(folder, "http://localhost") as book:
        posts = [
            ledger.Post(
                number, md5, extension="png", artist=artist, title=title, source="http://example.org", licence="cc0"
            )
            for number, (md5, artist, title, _) in enumerate(rows, 1)
        ]
        book.add([*posts, ledger.Post(9, "9" * 32, extension="png")], ledger.Query("tag"))
        for post in posts:
            book.set(post, ledger.FETCHED)
    for post in posts[:3]:
        factories.folder(folder, {post.path.as_posix(): png(drawing(post.id))})
    report = built(folder, tmp_path / "corpus")
    assert [(item.set, item.title) for item in report.items] == [
        ("scrape", "artist/ann"),
        ("scrape", "artist/ann"),
        ("scrape", "tale"),
    ]
    assert {(item.artist, item.licence, item.source) for item in report.items} == {
        ("ann", "cc0", "http://example.org"),
        ("ann bob", "cc0", "http://example.org"),
        ("", "cc0", "http://example.org"),
    }
    assert reasons(report) == {posts[3].path.name: "unreadable"}


def test_whole_titles_are_held_out_and_the_same_ones_every_time(tmp_path: Path) -> None:
    files = {
        f"{story:04}__{page:02}.png": png(drawing(100 * story + page, 64, 64)) for story in range(30) for page in (1, 2)
    }
    first = built(factories.folder(tmp_path / "set", files), tmp_path / "a", holdout=0.3)
    sides = Counter((item.title, item.split) for item in first.items)
    assert len(sides) == 30
    held = {title for title, split in sides if split == "val"}
    assert 3 <= len(held) <= 15
    fewer = {name: data for name, data in files.items() if name > "0010"}
    second = built(factories.folder(tmp_path / "fewer" / "set", fewer), tmp_path / "b", holdout=0.3)
    assert {item.title for item in second.items if item.split == "val"} == held & {item.title for item in second.items}
    train, val = Corpus(tmp_path / "a", {"set": 1.0}), Corpus(tmp_path / "a", {"set": 1.0}, split="val")
    assert {item.title for item in val.items} == held
    assert not held & {item.title for item in train.items}
    assert len(Corpus(tmp_path / "a", {"set": 1.0}, split=None)) == len(train) + len(val)


def test_a_set_of_one_title_is_not_held_out_wholly(tmp_path: Path) -> None:
    files = {f"chapter/{number}.png": png(drawing(number)) for number in range(3)}
    report = built(factories.folder(tmp_path / "set", files), tmp_path / "corpus", holdout=1.0)
    assert {item.split for item in report.items} == {"train"}
    assert any("held out" in line for line in QUIET)


@pytest.mark.parametrize(
    ("set_name", "name", "title"),
    [
        ("asp_ccby_colour", "0263__07.webp", "asp/0263"),
        ("line_drawings_bw", "asp_ccby_bw_0263__01.webp", "asp/0263"),
        ("bookdash", "_site__sleepy-mr-sloth__en__images__01.webp", "bookdash/sleepy-mr-sloth"),
        ("line_drawings_bw", "bookdash_bw_whose-button__en__images__09.webp", "bookdash/whose-button"),
        ("peppercarrot_pages", "gfx_Pepper-and-Carrot_by-David-Revoy_E17P07.webp", "peppercarrot/E17"),
        ("peppercarrot_covers", "gfx_Pepper-and-Carrot_by-David-Revoy_E17.webp", "peppercarrot/E17"),
        ("manga_bw", "ch11_files_jpg_page0002.webp", "manga_bw/ch11_files_jpg"),
        ("mine", "page 12.png", "mine"),
        ("mine", "Sora/ch 1/12.png", "mine/Sora/ch 1"),
        ("faces96", "faces_10000.webp", "faces96/faces_10000"),
        ("naev_vn", "00.webp", "naev_vn/00"),
    ],
)
def test_titles_of_loose_pictures(set_name: str, name: str, title: str) -> None:
    assert titles.title_of(set_name, name) == title


@pytest.mark.parametrize(
    ("stem", "series"),
    [
        ("Haruko v01", "Haruko"),
        ("Haruko_v01c002", "Haruko"),
        ("Haruko - chapter 12.5", "Haruko"),
        ("Haruko #3", "Haruko"),
        ("Akira2", "Akira2"),
        ("1984", "1984"),
        ("Magic", "Magic"),
    ],
)
def test_series_of_chapters(stem: str, series: str) -> None:
    assert titles.series_of(stem) == series


def test_white_backgrounds_are_flagged_whatever_stands_at_the_bottom(tmp_path: Path) -> None:
    standing = figure(255, 12)
    standing[150:, 30:160] = (60, 60, 160)
    files = {"white.png": png(standing), "coloured.png": png(figure(180, 4))}
    built(factories.folder(tmp_path / "faces", files), tmp_path / "corpus")
    corpus = Corpus(tmp_path / "corpus", {"faces": 1.0}, white_background=True)
    assert [item.name for item in corpus.items] == ["white.png"]


def test_crowded_sketches_are_measured_and_can_be_kept_out(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (256, 256, 3), np.uint8)
    noise[..., 0] = 255
    files = {"noise.png": png(noise), "plain.png": png(drawing(1))}
    report = built(factories.folder(tmp_path / "set", files), tmp_path / "corpus", triplets=tmp_path / "triplets")
    shares = {item.name: item.black for item in report.items}
    assert shares["noise.png"] > 0.4 > 0.2 > shares["plain.png"] > 0
    assert [item.name for item in Corpus(tmp_path / "corpus", {"set": 1.0}, most_black=0.4).items] == ["plain.png"]
    assert report.triplets == 1
    shapes = {
        path.parent.name: cv2.imread(str(path), cv2.IMREAD_UNCHANGED).shape for path in tmp_path.rglob("set-*.png")
    }
    assert shapes == {"colour": (256, 256, 3), "gray": (256, 256), "sketch": (256, 256), "cue": (256, 256, 3)}
    with pytest.raises(OutputError, match="not empty"):
        triplets.write(tmp_path / "triplets", [])


def test_the_sketch_is_that_of_the_net_and_the_cue_keeps_only_colour() -> None:
    square = triplets.square_of(drawing(5, 300, 400))
    gray = np.asarray(cv2.cvtColor(square, cv2.COLOR_RGB2GRAY), np.uint8)
    ours = triplets.sketch_of(gray)
    nets = pix2pix_net.sketch_of(torch.from_numpy(gray)[None, None].float() / 255)[0, 0].numpy() * 255
    assert (ours == nets).mean() > 0.97
    cue = triplets.cue_of(square)
    assert np.abs(cue.mean((0, 1)) - square.mean((0, 1))).max() < 8
    assert np.abs(np.diff(cue.astype(int), axis=1)).max() < 8


def test_a_manifest_of_an_older_version_loads_and_gets_titles(tmp_path: Path) -> None:
    built(factories.folder(tmp_path / "asp", {"0012__01.png": png(drawing(1))}), tmp_path / "corpus")
    path = tmp_path / "corpus" / "manifest.json"
    old = ("set", "name", "height", "width", "offset", "licence")
    path.write_text(json.dumps([{key: row[key] for key in old} for row in json.loads(path.read_text())]))
    corpus = Corpus(tmp_path / "corpus", {"asp": 1.0})
    item, picture = corpus.draw(np.random.default_rng(0))
    assert (item.title, item.split) == ("asp/0012", "train")
    assert (picture == drawing(1)).all()
    with pytest.raises(ValueError, match="was not measured"):
        Corpus(tmp_path / "corpus", {"asp": 1.0}, most_black=0.4)


def test_a_corpus_that_is_missing_damaged_or_cut_off_says_so(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="holds no corpus"):
        manifest(tmp_path / "nothing")
    folder = tmp_path / "corpus"
    built(factories.folder(tmp_path / "set", {"a.png": png(drawing(1))}), folder)
    with pytest.raises(ValueError, match=r"lacks the sets \['other'\]"):
        Corpus(folder, {"set": 1.0, "other": 1.0})
    with pytest.raises(ValueError, match="nothing to draw"):
        Corpus(folder, {"set": 1.0}, split="val")
    os.truncate(folder / "pixels.bin", 1000)
    with pytest.raises(ValueError, match="cut off"):
        manifest(folder)
    (folder / "manifest.json").write_text('[{"set": "s"')
    with pytest.raises(ValueError, match="damaged"):
        manifest(folder)


def test_a_killed_run_leaves_the_older_corpus_and_the_next_sweeps_up(tmp_path: Path) -> None:
    target = tmp_path / "corpus"
    built(factories.folder(tmp_path / "first", {"a.png": png(drawing(1))}), target)
    files = {f"{number:03}.png": png(drawing(number, 400, 400)) for number in range(60)}
    second = factories.folder(tmp_path / "second", files)
    code = "import sys; from pathlib import Path; from train.prepare import build, screening\n"
    code += "import time; slow = screening.screened\n"
    code += "def screened(*a):\n    time.sleep(0.1)\n    return slow(*a)\nbuild.screened = screened\n"
    code += "build.build([Path(sys.argv[1])], Path(sys.argv[2]), build.Options(workers=1))"
    run = subprocess.Popen([sys.executable, "-c", code, second, target], cwd=Path(__file__).parents[1])
    until = time.monotonic() + 60
    while not any(path.stat().st_size > 1 << 20 for path in target.glob(".*.part")):
        assert run.poll() is None
        assert time.monotonic() < until
        time.sleep(0.02)
    run.send_signal(signal.SIGKILL)
    assert run.wait(10) == -signal.SIGKILL
    assert [item.name for item in Corpus(target, {"first": 1.0}).items] == ["a.png"]
    assert list(target.glob(".*.part"))
    assert len(built(second, target).items) == 60
    assert not list(target.glob(".*.part"))
    assert len(Corpus(target, {"second": 1.0})) == 60


def test_a_full_disk_is_a_clear_error_and_leaves_the_older_corpus(tmp_path: Path) -> None:
    target = tmp_path / "corpus"
    built(factories.folder(tmp_path / "first", {"a.png": png(drawing(1))}), target)
    second = factories.folder(tmp_path / "second", {f"{n}.png": png(drawing(n, 400, 400)) for n in range(8)})
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, hard))
        with pytest.raises(OutputError, match=r"cannot write pixels\.bin: File too large"):
            built(second, target)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert sorted(path.name for path in target.iterdir()) == sorted(
        [build.SHEET, build.REPORT, "manifest.json", "pixels.bin"]
    )
    assert len(Corpus(target, {"first": 1.0})) == 1


def test_the_command_prints_a_table_and_writes_a_sheet(tmp_path: Path) -> None:
    files = {f"{number}.png": png(drawing(number)) for number in range(4)} | {"same.png": png(drawing(2))}
    factories.cbz(tmp_path / "mine.zip", files)
    target = tmp_path / "corpus"
    done = CliRunner().invoke(app, ["prepare", str(tmp_path / "mine.zip"), "--corpus", str(target), "--holdout", "0"])
    assert done.exit_code == 0, done.output
    rows = {line.split()[0]: line.split()[1:] for line in done.output.splitlines() if line.strip()}
    picked = dict(zip(rows["set"], rows["all"], strict=True))
    assert (picked["train"], picked["val"], picked["same"], picked["alike"]) == ("4", "0", "1", "0")
    sheet = cv2.imread(str(target / build.SHEET))
    assert sheet.shape[1] > 4 * 144
    assert np.abs(sheet.astype(int) - 250).mean() > 10


def test_the_pictures_of_a_zip_are_read_for_evaluation_without_the_broken(tmp_path: Path) -> None:
    clear = np.dstack([drawing(1), np.full((160, 200), 0, np.uint8)])
    path = factories.cbz(tmp_path / "val.zip", {"a.png": factories.encoded(clear), "b.png": b"nothing"})
    ((name, picture),) = pictures(path)
    assert name == "a.png"
    assert (picture == 255).all()


def test_titles_hold_out_about_their_share() -> None:
    many = [f"title {number}" for number in range(4000)]
    assert 150 < len(titles.held_out(many, 0.05)) < 250
    assert titles.held_out(many, 0.05) < titles.held_out(many, 0.1)
    assert not titles.held_out(many, 0)


def test_the_border_share_is_that_of_the_upper_border_and_sides() -> None:
    picture = np.full((96, 96, 3), 255, np.uint8)
    assert screening.white_border(picture) == 1
    picture[70:] = 0
    assert screening.white_border(picture) == 1
    picture[:, :20] = 0
    assert 0.55 < screening.white_border(picture) < 0.65
