import json
import os
import threading

import pytest
from factories import COMICINFO, folder, page, pages

from mangapaint.archives import PROVENANCE, open_reader, open_writer, provenance
from mangapaint.errors import InputError, OutputError, PageError
from mangapaint.settings import InputSettings, Limits, OutputSettings

INPUT, OUTPUT = InputSettings(), OutputSettings()
NOTE = json.dumps({"version": "1"}).encode()


def painted(source, target, add=(), suffix=".png", note=True):
    with open_reader(source, INPUT) as reader, open_writer(reader, target, OUTPUT) as writer:
        for index in reversed(range(len(reader))):
            if index in add:
                writer.add(index, page(seed=index + 50), suffix)
            else:
                writer.keep(index)
        if note:
            writer.note(PROVENANCE, NOTE)
        return writer.commit()


def listing(path):
    return {str(file.relative_to(path)): file.read_bytes() for file in sorted(path.rglob("*")) if file.is_file()}


def test_folder_round_trips_with_its_side_files(tmp_path):
    files = {"2.png": page(), "10.PNG": page(seed=1), "series.json": b"{}", "ComicInfo.xml": COMICINFO}
    source = folder(tmp_path / "ch1", files | {"Thumbs.db": b"junk"})
    with open_reader(source, INPUT) as reader:
        assert list(reader.names) == ["2.png", "10.PNG"] and reader.kind == "folder" and reader.title == "ch1"
        assert reader.direction == "rtl" and list(reader.skipped) == ["Thumbs.db"]
        assert reader.read(1) == files["10.PNG"]
    out = listing(painted(source, tmp_path / "out" / "ch1"))
    assert {name: out[name] for name in ("2.png", "10.PNG", "series.json", PROVENANCE)} == {
        "2.png": files["2.png"],
        "10.PNG": files["10.PNG"],
        "series.json": b"{}",
        PROVENANCE: NOTE,
    }
    assert b"<PageCount>2</PageCount>" in out["ComicInfo.xml"]
    assert listing(source) == files | {"Thumbs.db": b"junk"}
    assert provenance(tmp_path / "out" / "ch1") == {"version": "1"}


def test_subfolders_links_and_pipes_are_not_pages(tmp_path):
    source = folder(tmp_path / "ch1", {"1.png": page(), "more/2.png": page()})
    (source / "loop").symlink_to(source)
    (source / "3.png").symlink_to(source / "1.png")
    (source / "4.png").symlink_to(tmp_path / "missing")
    os.mkfifo(source / "5.png")
    with open_reader(source, INPUT) as reader:
        assert list(reader.names) == ["1.png"]
        assert set(reader.skipped) == {"loop", "3.png", "4.png", "5.png"}


def test_folder_without_pictures_is_an_input_error(tmp_path):
    with pytest.raises(InputError, match="no pages"):
        open_reader(folder(tmp_path / "a", {"a.txt": b"", "b.cbz": b"PK"}), INPUT)


def test_vanished_or_oversized_page_is_a_page_error(tmp_path):
    source = folder(tmp_path / "a", {"1.png": page(), "2.png": page()})
    with open_reader(source, InputSettings(limits=Limits(entry_bytes=100))) as reader:
        with pytest.raises(PageError, match="limit"):
            reader.read(0)
        (source / "2.png").unlink()
        with pytest.raises(PageError, match="cannot be read"):
            reader.read(1)


def test_names_that_collide_after_the_change_of_format_become_numbers(tmp_path):
    source = folder(tmp_path / "a", {"1.png": page(), "1.jpg": page("JPEG"), "2.png": page()})
    assert sorted(listing(painted(source, tmp_path / "o"))) == ["0001.jpg", "0002.png", "0003.png", PROVENANCE]


def test_second_result_replaces_the_first_and_spares_what_is_not_ours(tmp_path):
    source = folder(tmp_path / "a", dict(zip(["1.png", "2.png", "3.png"], pages(3), strict=True)))
    target = painted(source, tmp_path / "o", add={0, 1})
    folder(target, {"mine.txt": b"x", "sub/1.png": b"other chapter", ".mangapaint/lock": b""})
    (source / "3.png").unlink()
    painted(source, target, add={0}, suffix=".webp")
    assert sorted(listing(target)) == [
        ".mangapaint/lock",
        "1.webp",
        "2.png",
        PROVENANCE,
        "mine.txt",
        "sub/1.png",
    ]
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_folder_of_others_loses_no_picture_but_those_replaced(tmp_path):
    source = folder(tmp_path / "a", {"1.png": page()})
    target = folder(tmp_path / "o", {"1.jpg": b"an older page", "holiday.jpg": b"x"})
    painted(source, target)
    assert sorted(listing(target)) == ["1.png", "holiday.jpg", PROVENANCE]


def test_result_in_the_making_is_not_finished(tmp_path, monkeypatch):
    source = folder(tmp_path / "a", {"1.png": page(), "2.png": page()})
    target = painted(source, tmp_path / "o")
    replace = type(target).replace
    moved = []

    def failing(self, other):
        moved.append(other.name)
        if other.name == "2.png":
            raise OSError(5, "Input/output error")
        return replace(self, other)

    monkeypatch.setattr(type(target), "replace", failing)
    with pytest.raises(OutputError):
        painted(source, target, add={0, 1})
    monkeypatch.undo()
    assert provenance(target) is None
    assert (target / "1.png").read_bytes() == page(seed=50) and (target / "2.png").read_bytes() == page()
    painted(source, target, add={0, 1})
    assert provenance(target) == {"version": "1"}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "o"]


def test_discarded_writer_leaves_nothing(tmp_path):
    source = folder(tmp_path / "a", {"1.png": page(), "2.png": page()})
    with open_reader(source, INPUT) as reader, open_writer(reader, tmp_path / "o", OUTPUT) as writer:
        writer.keep(0)
        with pytest.raises(ValueError, match="1 of 2 pages are missing"):
            writer.commit()
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_target_below_a_file_is_an_output_error(tmp_path):
    source = folder(tmp_path / "a", {"1.png": page()})
    (tmp_path / "f").write_bytes(b"")
    with open_reader(source, INPUT) as reader, pytest.raises(OutputError):
        open_writer(reader, tmp_path / "f" / "o", OUTPUT)


def test_fingerprint_notices_a_rewritten_page(tmp_path):
    source = folder(tmp_path / "a", {"1.png": page(), "2.png": page()})
    with open_reader(source, INPUT) as reader:
        before = reader.fingerprint()
        (source / "2.png").write_bytes(page(seed=9))
        assert reader.fingerprint() != before


def test_names_in_another_encoding_are_readable(tmp_path):
    source = tmp_path / "a"
    source.mkdir()
    with open(os.fsencode(source) + b"/" + "表紙1.png".encode("cp932"), "wb") as file:  # noqa: PTH123 raw bytes
        file.write(page())
    with open_reader(source, INPUT) as reader:
        assert list(reader.names) == ["表紙1.png"] and reader.read(0) == page()
    assert list(listing(painted(source, tmp_path / "o"))) == [PROVENANCE, "表紙1.png"]


def test_reading_from_many_threads(tmp_path):
    files = pages(4)
    source = folder(tmp_path / "a", {f"{n}.png": data for n, data in enumerate(files)})
    found = [b""] * 4
    with open_reader(source, INPUT) as reader:
        threads = [threading.Thread(target=lambda n=n: found.__setitem__(n, reader.read(n))) for n in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert found == files


def test_too_many_files_are_refused(tmp_path):
    source = folder(tmp_path / "a", {f"{n}.png": b"" for n in range(5)})
    with pytest.raises(InputError, match="5 files"):
        open_reader(source, InputSettings(limits=Limits(entries=4)))


def test_vanished_side_file_fails_the_chapter(tmp_path):
    source = folder(tmp_path / "a", {"1.png": page(), "a.txt": b"x"})
    with open_reader(source, INPUT) as reader, open_writer(reader, tmp_path / "o", OUTPUT) as writer:
        (source / "a.txt").unlink()
        writer.keep(0)
        with pytest.raises(InputError, match=r"a\.txt"):
            writer.commit()
    assert not (tmp_path / "o").exists()


def test_file_that_does_not_read_back_is_no_result(tmp_path):
    source = folder(tmp_path / "a", {"1.png": page()})
    with open_reader(source, INPUT) as reader, open_writer(reader, tmp_path / "o", OUTPUT) as writer:
        writer.keep(0)
        (writer._stage / "1.png").write_bytes(b"")
        with pytest.raises(OutputError, match="read back"):
            writer.commit()
    assert not (tmp_path / "o").exists()


def test_replacing_without_provenance_leaves_no_unfinished_marker(tmp_path):
    source = folder(tmp_path / "a", {"1.png": page()})
    painted(source, tmp_path / "o")
    painted(source, tmp_path / "o", add={0}, note=False)
    assert listing(tmp_path / "o") == {"1.png": page(seed=50)}
