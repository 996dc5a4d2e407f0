"""The journal trusts a finished page only when every hash vouches for it."""

import json
from pathlib import Path

import pytest

from mangapaint.errors import OutputError
from mangapaint.journal import FILE, Entry, Journal, sha256, short_name, work_folder


def entry(page: int, data: bytes = b"picture", **changes: object) -> Entry:
    whole = {
        "page": page,
        "input": f"input{page}",
        "settings": "s",
        "weights": "w",
        "palette": "p",
        "suffix": ".png",
        "output": sha256(data),
        "action": "painted",
        "verdict": "gray",
        "value": 0.5,
        "seconds": 1.25,
    }
    return Entry(**{**whole, **changes})


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / ".mangapaint" / "chapter.cbz"


@pytest.fixture
def two_pages(folder: Path) -> Path:
    journal = Journal(folder)
    journal.add(entry(0), b"picture")
    journal.add(entry(1), b"picture")
    return folder


def trusted(folder: Path, page: int = 0, **changes: str) -> Entry | None:
    asked = {"input_sha": f"input{page}", "settings": "s", "weights": "w", **changes}
    return Journal(folder).trusted(page, **asked)


def test_a_finished_page_is_trusted_by_the_next_run(two_pages: Path) -> None:
    journal = Journal(two_pages)
    found = journal.trusted(1, "input1", "s", "w")
    assert found == entry(1)
    assert journal.read(entry(1)) == b"picture"
    assert journal.warning == ""


@pytest.mark.parametrize("changed", ["input_sha", "settings", "weights"])
def test_any_other_hash_is_not_trusted(two_pages: Path, changed: str) -> None:
    assert trusted(two_pages) is not None
    assert trusted(two_pages, **{changed: "other"}) is None


def test_altered_bytes_are_not_trusted(two_pages: Path) -> None:
    (two_pages / "0001.png").write_bytes(b"picturf")
    assert trusted(two_pages, 0) is None
    assert trusted(two_pages, 1) is not None
    with pytest.raises(OutputError, match="altered"):
        Journal(two_pages).read(entry(0))


def test_a_lost_page_file_is_not_trusted(two_pages: Path) -> None:
    (two_pages / "0001.png").unlink()
    assert trusted(two_pages, 0) is None
    with pytest.raises(OutputError, match="read back"):
        Journal(two_pages).read(entry(0))


def test_a_kept_page_needs_no_file(folder: Path) -> None:
    Journal(folder).add(entry(0, suffix="", action="kept"), None)
    assert trusted(folder) is not None
    assert [path.name for path in folder.iterdir()] == [FILE]


@pytest.mark.parametrize("cut", [1, 5, 60])
def test_a_torn_last_line_is_dropped_and_the_rest_holds(two_pages: Path, cut: int) -> None:
    file = two_pages / FILE
    file.write_bytes(file.read_bytes()[:-cut])
    journal = Journal(two_pages)
    assert journal.trusted(0, "input0", "s", "w") is not None
    assert journal.trusted(1, "input1", "s", "w") is None
    journal.add(entry(1), b"picture")
    assert trusted(two_pages, 0) and trusted(two_pages, 1)


@pytest.mark.parametrize(
    "garbage",
    [
        b"\xff\x00nonsense\n",
        b"[]\n",
        b'{"page": 0}\n',
        json.dumps({**{name: "x" for name in Entry.__slots__}, "page": 0, "value": 0, "seconds": 0}).encode() + b"\n",
    ],
)
def test_garbage_starts_anew_with_a_warning(two_pages: Path, garbage: bytes) -> None:
    file = two_pages / FILE
    file.write_bytes(file.read_bytes() + garbage)
    journal = Journal(two_pages)
    assert "starting anew" in journal.warning
    assert len(journal) == 0
    assert not two_pages.exists()
    journal.add(entry(0), b"picture")
    assert trusted(two_pages) is not None


def test_a_suffix_that_leads_elsewhere_is_garbage(two_pages: Path) -> None:
    file = two_pages / FILE
    file.write_bytes(file.read_bytes().replace(b'".png"', b'"/../../x"'))
    assert "cannot be read" in Journal(two_pages).warning


def test_another_versions_journal_is_not_trusted(two_pages: Path) -> None:
    file = two_pages / FILE
    header, _, rest = file.read_bytes().partition(b"\n")
    file.write_bytes(json.dumps({**json.loads(header), "mangapaint": "0.0.0"}).encode() + b"\n" + rest)
    journal = Journal(two_pages)
    assert "another version" in journal.warning
    assert len(journal) == 0


def test_pages_without_a_journal_are_cleared_away(folder: Path) -> None:
    folder.mkdir(parents=True)
    (folder / "0001.png").write_bytes(b"stray")
    journal = Journal(folder)
    assert len(journal) == 0
    assert not folder.exists()


def test_the_last_line_of_a_page_wins(two_pages: Path) -> None:
    Journal(two_pages).add(entry(0, b"better"), b"better")
    found = trusted(two_pages)
    assert found is not None
    assert found.output == sha256(b"better")


def test_removing_leaves_nothing_but_other_chapters(two_pages: Path) -> None:
    other = two_pages.parent / "other.cbz"
    other.mkdir()
    Journal(two_pages).remove()
    assert list(two_pages.parent.iterdir()) == [other]
    Journal(other).remove()
    assert not two_pages.parent.exists()


def test_a_file_in_the_way_of_the_folder_is_an_output_error(tmp_path: Path) -> None:
    (tmp_path / ".mangapaint").write_bytes(b"")
    with pytest.raises(OutputError):
        Journal(work_folder(tmp_path / "a.cbz")).add(entry(0), b"picture")


@pytest.mark.parametrize("name", ["a" * 255, "あ" * 85, "短い.cbz"])
def test_names_leave_room_for_suffixes(name: str) -> None:
    short = short_name(name)
    assert len(short.encode()) <= 200
    assert (short == name) == (len(name.encode()) <= 200)
    assert short != short_name(name[:-1] + "b")
