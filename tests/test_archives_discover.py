import logging
import os
import time
from pathlib import Path

import pytest
from factories import cbz, chapter, folder, page

from mangapaint.archives import PROVENANCE, Found, discover, output_path
from mangapaint.errors import InputError, UsageError
from mangapaint.settings import InputSettings, OutputSettings

INPUT, OUTPUT = InputSettings(), OutputSettings()


def found(*paths, settings=INPUT):
    return [str(one.relative) for one in discover(list(paths), settings)]


def outputs(paths, output=None, settings=OUTPUT):
    return [output_path(one, output, settings) for one in discover(paths, INPUT)]


@pytest.fixture
def library(tmp_path):
    root = tmp_path / "lib"
    chapter(root / "Series" / "ch10.cbz", 1)
    chapter(root / "Series" / "ch2.cbz", 1)
    chapter(root / "Series" / "ch3", 1)
    folder(root, {"readme.txt": b"x", "__MACOSX/x.png": b"x", ".hidden/1.png": page(), "Series/._ch2.cbz": b"x"})
    return root


def test_folders_are_searched_in_natural_order(library):
    assert found(library) == ["lib/Series/ch2.cbz", "lib/Series/ch10.cbz", "lib/Series/ch3"]


def test_folder_with_pictures_and_folders_is_a_chapter_besides_what_it_holds(tmp_path):
    folder(tmp_path / "a", {"1.png": page(), "b/1.png": page(), "c/d/2.png": page()})
    assert found(tmp_path / "a") == ["a", "a/b", "a/c/d"]


def test_named_files_are_taken_as_they_are_and_once(library):
    one = library / "Series" / "ch2.cbz"
    assert found(one, one, library / "Series") == ["ch2.cbz", "Series/ch10.cbz", "Series/ch3"]


def test_links_and_loops_are_not_followed(library):
    (library / "loop").symlink_to(library)
    (library / "also.cbz").symlink_to(library / "Series" / "ch2.cbz")
    os.mkfifo(library / "pipe.cbz")
    started = time.monotonic()
    assert len(found(library)) == 3
    assert time.monotonic() - started < 2


def test_named_link_is_followed(library, tmp_path):
    (tmp_path / "link").symlink_to(library)
    assert len(found(tmp_path / "link")) == 3


def test_earlier_results_are_left_out(library):
    cbz(library / "Series" / "ch1-color" / "ch1.cbz", {"1.png": page(), PROVENANCE: b"{}"})
    folder(library / "Series" / "ch0-color", {"1.png": page(), PROVENANCE: b"{}"})
    assert len(found(library)) == 3
    assert found(library / "Series" / "ch0-color") == ["ch0-color"]  # unless named


def test_missing_path_is_an_input_error(tmp_path):
    with pytest.raises(InputError, match="does not exist"):
        discover([tmp_path / "missing"], INPUT)


def test_young_files_are_left_for_the_next_run(library, caplog):
    for path in library.rglob("*"):
        os.utime(path, (1, 1))
    os.utime(library / "Series" / "ch3" / "001.png")
    with caplog.at_level(logging.INFO):
        assert found(library, settings=InputSettings(min_age=60)) == ["lib/Series/ch2.cbz", "lib/Series/ch10.cbz"]
    assert "left for the next run" in caplog.text


def test_chapters_whose_results_would_collide_get_one_each(tmp_path):
    for place in ("x/lib", "y/lib"):
        chapter(tmp_path / place / "ch1.cbz", 1)
    (tmp_path / "x" / "lib" / "ch1.cbr").write_bytes(b"Rar!\x1a\x07\0")
    results = outputs([tmp_path / "x" / "lib", tmp_path / "y" / "lib"], tmp_path / "out")
    assert len({str(result).casefold() for result in results}) == 3
    assert all(result.suffix == ".cbz" for result in results)


def test_default_output_mirrors_the_tree_beside_the_source(library, tmp_path):
    beside = tmp_path / "lib-color" / "Series"
    assert outputs([library]) == [beside / "ch2.cbz", beside / "ch10.cbz", beside / "ch3"]
    assert outputs([library / "Series" / "ch3"]) == [library / "Series" / "ch3-color"]
    assert outputs([library / "Series" / "ch2.cbz"]) == [library / "Series" / "ch2-color" / "ch2.cbz"]


def test_named_output_takes_the_tree_or_is_the_file(library, tmp_path):
    out = tmp_path / "out"
    assert outputs([library], out)[0] == out / "lib" / "Series" / "ch2.cbz"
    one = library / "Series" / "ch2.cbz"
    assert outputs([one], out) == [out / "ch2.cbz"]
    assert outputs([one], tmp_path / "named.cbz") == [tmp_path / "named.cbz"]
    assert outputs([one], tmp_path / "v1.5") == [tmp_path / "v1.5" / "ch2.cbz"]


@pytest.mark.parametrize(
    ("name", "format", "wanted"),
    [
        ("a.cbr", "keep", "a.cbz"),
        ("a.epub", "keep", "a.cbz"),
        ("a.b.cb7", "keep", "a.b.cbz"),
        ("a.zip", "png", "a.zip"),
        ("a.pdf", "png", "a.pdf"),
        ("a.JPEG", "keep", "a.JPEG"),
        ("a.gif", "keep", "a.png"),
        ("a.jpg", "webp", "a.webp"),
        ("a.jpeg", "jpeg", "a.jpeg"),
    ],
)
def test_output_name(tmp_path, name, format, wanted):
    (tmp_path / name).write_bytes(b"")
    one = Found(tmp_path / name, Path(name), tmp_path / name)
    assert output_path(one, tmp_path / "o", OutputSettings(format=format)) == tmp_path / "o" / wanted


def test_output_inside_or_over_the_source_is_refused(library, tmp_path):
    one = library / "Series" / "ch2.cbz"
    for paths, output in (
        ([library], library / "out"),
        ([library], tmp_path),
        ([one], one.parent),
        ([one], one),
        ([library / "Series" / "ch3"], library / "Series"),
    ):
        with pytest.raises(UsageError):
            outputs(paths, output)


def test_current_folder_has_a_name(library, monkeypatch, tmp_path):
    monkeypatch.chdir(library)
    assert outputs([Path()])[0] == tmp_path / "lib-color" / "Series" / "ch2.cbz"
