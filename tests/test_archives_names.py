import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mangapaint.archives import names
from mangapaint.errors import UsageError

TEXT = st.text(max_size=40) | st.sampled_from(
    ["../../etc/x.png", "/abs.png", "C:/w/y.png", "a/../b.png", "ok/\0evil.png", "CON.png", "x.png.", "a\n.png"]
    + ["\x1b[31m.png", "\u202egnp.png", "x" * 304 + ".png", "", "/", "..", ".hidden.png", "a/b/c.PNG", "lpt1", "é.png"]
)


@settings(max_examples=400)
@given(st.lists(TEXT, max_size=8))
def test_page_stems_are_safe_and_unique_on_any_file_system(found):
    stems = names.page_stems(found)
    assert len(stems) == len(found)
    assert len({unicodedata.normalize("NFC", stem).casefold() for stem in stems}) == len(stems)
    for stem in stems:
        assert names.is_safe(stem)
        assert not stem.startswith("/") and ".." not in stem.split("/") and stem.isprintable()


@settings(max_examples=400)
@given(st.lists(TEXT, max_size=8), st.lists(TEXT, max_size=3))
def test_names_given_to_extras_are_safe_and_free(wanted, taken):
    free = names.FreeNames(taken)
    given_names = [free.give(name) for name in wanted]
    folded = [names.folded(name) for name in [*given_names, *dict.fromkeys(map(names.folded, taken))]]
    assert len(set(folded)) == len(folded)
    assert all(names.is_safe(name) for name in given_names)


@settings(max_examples=400)
@given(st.text(max_size=60) | st.binary(max_size=60))
def test_every_name_has_a_sort_key(name):
    assert names.sort_key(name) == names.sort_key(name)
    assert sorted([name, name], key=names.sort_key) == [name, name]


def test_order_is_natural_and_ignores_case():
    wanted = ["1.png", "2.PNG", "10.png", "a/1.png", "a/2.png", "A/10.png", "B1/1.png", "b10/1.png"]
    assert sorted(reversed(wanted), key=names.sort_key) == wanted


def test_good_names_stay_as_they_are():
    found = ["Ch 1/001.jpg", "Ch 1/002.PNG", "Ch 1/第3頁.webp"]
    assert names.page_stems(found) == ["Ch 1/001", "Ch 1/002", "Ch 1/第3頁"]


@pytest.mark.parametrize("twins", [("a.png", "a.jpg"), ("a.png", "A.png"), ("é.png", "e\u0301.png"), ("a", "a")])
def test_names_that_collide_become_numbers(twins):
    assert names.page_stems(["x.png", *twins]) == ["0001", "0002", "0003"]


def test_suffix_changes_only_with_the_format():
    assert names.with_suffix("a", "a.JPEG", ".jpg") == "a.JPEG"
    assert names.with_suffix("a", "a.JPEG", ".png") == "a.png"
    assert names.with_suffix("a", "a", ".png") == "a.png"


@pytest.mark.parametrize("encoding", ["utf-8", "cp932"])
def test_japanese_names_decode(encoding):
    found = ["表紙.png", "第01話/ソ能.png", "第02話/十.png"]  # 表, ソ and 十 hold the byte of a backslash in cp932
    decoded, doubtful = names.decode([name.encode(encoding) for name in found])
    assert decoded == found
    assert doubtful == (encoding != "utf-8")


def test_named_encoding_wins_and_is_checked():
    raw = ["第一章.png".encode("euc_jp")]
    assert names.decode(raw, "euc_jp") == (["第一章.png"], False)
    with pytest.raises(UsageError):
        names.decode(["ü".encode("latin-1")], "utf-8")
    with pytest.raises(UsageError):
        names.decode(raw, "klingon")


@settings(max_examples=200)
@given(st.lists(st.binary(max_size=30), max_size=5))
def test_any_bytes_decode(raw):
    decoded, _ = names.decode(raw)
    assert len(decoded) == len(raw) and not any("\\" in name for name in decoded)


def test_backslashes_of_other_systems_separate_folders():
    assert names.decode([b"ch1\\001.png"])[0] == ["ch1/001.png"]


@pytest.mark.parametrize(
    "name", ["__MACOSX/._1.png", "a/._1.png", "Thumbs.db", "a/.DS_Store", "desktop.ini", "@eaDir/1.png", ".x.png"]
)
def test_junk_is_junk(name):
    assert names.is_junk(name)


def test_entries_are_sorted_out():
    found = ["10.png", "ComicInfo.xml", "2.png", "old.cbz", "Thumbs.db", "mangapaint.json", "a/notes.txt"]
    pages, extras, skipped = names.classify(found, found)
    assert [found[i] for i in pages] == ["2.png", "10.png"]
    assert [found[i] for i in extras] == ["ComicInfo.xml", "a/notes.txt"]
    assert skipped == ["old.cbz", "Thumbs.db"]
