import json
import time
import zipfile

import pytest
from factories import COMICINFO, RawEntry, cbz, chapter, page, pages, raw_zip

from mangapaint.archives import PROVENANCE, open_reader, open_writer, provenance
from mangapaint.errors import EncryptedError, ExitCode, InputError, OutputError, PageError
from mangapaint.settings import MIB, InputSettings, Limits, OutputSettings

INPUT, OUTPUT = InputSettings(), OutputSettings()
NOTE = json.dumps({"version": "1"}).encode()


def entries(path):
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
        return {info.filename: archive.read(info) for info in archive.infolist()}


def rewritten(path, target, *, settings=OUTPUT, suffix=".png", add=(), order=None, **options):
    """Every page kept, those in `add` replaced by the page that follows them."""
    with open_reader(path, INPUT) as reader, open_writer(reader, target, settings, **options) as writer:
        for index in order or range(len(reader)):
            if index in add:
                writer.add(index, page(seed=index + 50), suffix)
            else:
                writer.keep(index)
        writer.note(PROVENANCE, NOTE)
        return writer.commit()


def test_pages_come_in_natural_order_and_round_trip(tmp_path):
    files = dict(zip(["ch/10.png", "ch/2.png", "ch/1.PNG"], pages(3), strict=True))
    with open_reader(cbz(tmp_path / "a.cbz", files), INPUT) as reader:
        assert list(reader.names) == ["ch/1.PNG", "ch/2.png", "ch/10.png"]
        assert reader.kind == "cbz" and reader.title == "a" and reader.direction is None
        assert [reader.read(i) for i in range(3)] == [files[name] for name in reader.names]


def test_kept_archive_is_the_same_but_for_its_provenance(tmp_path):
    files = {"ch/1.png": page(), "ch/2.png": page(seed=1), "series.json": b"{}", "ComicInfo.xml": COMICINFO}
    out = rewritten(
        cbz(tmp_path / "a.cbz", files), tmp_path / "out" / "a.cbz", settings=OutputSettings(comicinfo=False)
    )
    assert entries(out) == files | {PROVENANCE: NOTE}
    assert provenance(out) == {"version": "1"}


def test_same_input_gives_the_same_bytes_in_any_order_of_pages(tmp_path):
    source = chapter(tmp_path / "a.cbz", 4)
    first = rewritten(source, tmp_path / "1.cbz", add={1, 2})
    second = rewritten(source, tmp_path / "2.cbz", add={1, 2}, order=[3, 1, 0, 2])
    assert first.read_bytes() == second.read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["1.cbz", "2.cbz", "a.cbz"]


def test_pages_are_stored_under_their_names_with_the_new_suffix(tmp_path):
    source = cbz(tmp_path / "a.cbz", {"Ch 1/b.jpg": page("JPEG"), "Ch 1/a.JPG": page("JPEG", seed=1)})
    out = rewritten(source, tmp_path / "o.cbz", add={1})
    assert list(entries(out)) == ["Ch 1/a.JPG", "Ch 1/b.png", PROVENANCE]
    with zipfile.ZipFile(out) as archive:
        assert {info.compress_type for info in archive.infolist()} == {zipfile.ZIP_STORED}


def test_comicinfo_is_amended(tmp_path):
    source = cbz(tmp_path / "a.cbz", {"1.png": page(), "2.png": page(seed=1), "ComicInfo.xml": COMICINFO})
    with open_reader(source, INPUT) as reader:
        assert reader.direction == "rtl" and reader.comicinfo == "ComicInfo.xml"
    text = entries(rewritten(source, tmp_path / "o.cbz", add={0}))["ComicInfo.xml"].decode()
    assert "<BlackAndWhite>No</BlackAndWhite>" in text and 'ImageWidth="240"' in text
    for options in ({"add": ()}, {"add": {0}, "painted": False}):  # nothing painted: it stays black and white
        text = entries(rewritten(source, tmp_path / "o.cbz", **options))["ComicInfo.xml"].decode()
        assert "BlackAndWhite" not in text


def test_no_comicinfo_is_invented(tmp_path):
    assert "ComicInfo.xml" not in entries(rewritten(chapter(tmp_path / "a.cbz"), tmp_path / "o.cbz", add={0}))


def test_bad_crc_spoils_one_page_only_and_its_bytes_are_kept(tmp_path):
    files = pages(10)
    listed = [RawEntry(b"%02d.png" % n, data, crc=7 if n == 4 else None) for n, data in enumerate(files)]
    source = raw_zip(tmp_path / "a.cbz", listed)
    with open_reader(source, INPUT) as reader:
        with pytest.raises(PageError) as caught:
            reader.read(4)
        assert caught.value.exit_code == ExitCode.PARTIAL
        assert [reader.read(i) for i in range(10) if i != 4] == files[:4] + files[5:]
        assert reader.original(4) == files[4]
    assert list(entries(rewritten(source, tmp_path / "o.cbz")).values())[:10] == files


def test_flipped_bit_in_a_page_is_always_noticed(tmp_path):
    source = chapter(tmp_path / "a.cbz", 1)
    good, data = source.read_bytes(), page()
    start = good.index(data)
    for at in range(start, start + len(data), max(1, len(data) // 60)):
        source.write_bytes(good[:at] + bytes([good[at] ^ 4]) + good[at + 1 :])
        with open_reader(source, INPUT) as reader, pytest.raises(PageError):
            reader.read(0)


@pytest.mark.parametrize("share", [0.01, 0.1, 0.5, 0.9, 0.999])
def test_truncated_zip_is_an_input_error(tmp_path, share):
    source = chapter(tmp_path / "a.cbz")
    source.write_bytes(source.read_bytes()[: int(source.stat().st_size * share)])
    with pytest.raises(InputError) as caught:
        open_reader(source, INPUT)
    assert caught.value.exit_code == ExitCode.INPUT and caught.value.chapter == source


@pytest.mark.parametrize("data", [b"", b"P", b"PK\3\4 and nothing", b"no archive at all" * 99])
def test_what_is_no_zip_is_an_input_error(tmp_path, data):
    (tmp_path / "a.cbz").write_bytes(data)
    with pytest.raises(InputError):
        open_reader(tmp_path / "a.cbz", INPUT)


def test_deflated_bomb_is_refused_by_its_directory(tmp_path):
    source = raw_zip(tmp_path / "a.cbz", [RawEntry(b"1.png", bytes(40 * MIB), method=8)])
    started = time.monotonic()
    with pytest.raises(InputError, match="over the limit"):
        open_reader(source, InputSettings(limits=Limits(entry_bytes=32 * MIB)))
    with pytest.raises(InputError, match="unpacked"):
        open_reader(source, InputSettings(limits=Limits(archive_bytes=32 * MIB)))
    assert time.monotonic() - started < 2


def test_understated_size_is_a_page_error_without_unpacking_all(tmp_path):
    source = raw_zip(tmp_path / "a.cbz", [RawEntry(b"1.png", bytes(40 * MIB), method=8, size=100)])
    with open_reader(source, InputSettings(limits=Limits(entry_bytes=MIB))) as reader:
        with pytest.raises(PageError):
            reader.read(0)
        assert len(reader.original(0)) <= 2 * MIB


def test_overstated_size_is_a_page_error(tmp_path):
    source = raw_zip(tmp_path / "a.cbz", [RawEntry(b"1.png", b"abc", method=8, size=400 * MIB)])
    with open_reader(source, INPUT) as reader, pytest.raises(PageError):
        reader.read(0)


def test_overlapping_and_aliased_entries_are_refused(tmp_path):
    data = page()
    aliased = [RawEntry(b"0.png", data)] + [RawEntry(b"%d.png" % n, data, alias=0) for n in range(1, 2000)]
    for listed in (aliased, [RawEntry(b"0.png", data, packed_size=len(data) + 200), RawEntry(b"1.png", data)]):
        started = time.monotonic()
        with pytest.raises(InputError, match="overlap"):
            open_reader(raw_zip(tmp_path / "a.cbz", listed), INPUT)
        assert time.monotonic() - started < 2


def test_too_many_entries_are_refused(tmp_path):
    source = raw_zip(tmp_path / "a.cbz", [RawEntry(b"%d.png" % n, b"") for n in range(65_000)])
    started = time.monotonic()
    with pytest.raises(InputError, match="65000 entries"):
        open_reader(source, INPUT)
    assert time.monotonic() - started < 2


HOSTILE = [b"../../etc/x.png", b"/abs.png", b"C:\\w\\y.png", b"ok/\0evil.png", b"n" * 300 + b".png", b"CON.png"]
HOSTILE += [b"dot..png", b"new\nline.png", b"\x1b[31m.png", "\u202egnp.png".encode(), b"a/../b.png", b" .png"]


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names_become_numbers_and_nothing_is_extracted(tmp_path, name):
    files = pages(2)
    (tmp_path / "in").mkdir()
    source = raw_zip(tmp_path / "in" / "a.cbz", [RawEntry(name, files[0]), RawEntry(b"zz.png", files[1])])
    out = rewritten(source, tmp_path / "out" / "a.cbz")
    assert list(entries(out)) == ["0001.png", "0002.png", PROVENANCE]
    assert sorted(entries(out).values()) == sorted([*files, NOTE])
    assert sorted(str(p.relative_to(tmp_path)) for p in tmp_path.rglob("*")) == ["in", "in/a.cbz", "out", "out/a.cbz"]


def test_duplicate_names_keep_both_pages(tmp_path):
    files = pages(3)
    source = raw_zip(
        tmp_path / "a.cbz",
        [RawEntry(name, data) for name, data in zip((b"1.png", b"1.png", b"1.PNG"), files, strict=True)],
    )
    with open_reader(source, INPUT) as reader:
        assert sorted(reader.read(i) for i in range(3)) == sorted(files)
    assert len(entries(rewritten(source, tmp_path / "o.cbz"))) == 4


@pytest.mark.parametrize("encoding", ["cp932", "euc_jp", "utf-8"])
def test_names_without_the_utf8_flag_keep_order_and_count(tmp_path, encoding):
    found = [f"表紙/第{n}話.png" for n in (10, 2, 1)]
    source = raw_zip(
        tmp_path / "a.cbz", [RawEntry(name.encode(encoding), page(seed=n)) for n, name in enumerate(found)]
    )
    with open_reader(source, INPUT) as reader:
        assert [reader.read(i) for i in range(3)] == [page(seed=2), page(seed=1), page(seed=0)]
        assert encoding == "euc_jp" or list(reader.names) == found[::-1]
    with open_reader(source, InputSettings(name_encoding=encoding)) as reader:
        assert list(reader.names) == found[::-1]


def test_junk_is_skipped_and_nested_archives_are_named(tmp_path):
    files = {"__MACOSX/._1.png": b"x", "1.png": page(), "Thumbs.db": b"x", "bonus.cbz": b"PK"}
    with open_reader(cbz(tmp_path / "a.cbz", files), INPUT) as reader:
        assert list(reader.names) == ["1.png"]
        assert sorted(reader.skipped) == ["Thumbs.db", "__MACOSX/._1.png", "bonus.cbz"]
        assert list(reader.extras()) == []


@pytest.mark.parametrize(
    "files", [{}, {"Thumbs.db": b"x", "__MACOSX/._1.png": b"x"}, {"inner.cbz": b"PK", "a.txt": b""}]
)
def test_archive_without_pages_is_an_input_error(tmp_path, files):
    with pytest.raises(InputError, match="no pages") as caught:
        open_reader(cbz(tmp_path / "a.cbz", files), INPUT)
    assert ("inner.cbz" in str(caught.value)) == ("inner.cbz" in files)


@pytest.mark.parametrize("entry", [RawEntry(b"1.png", b"x" * 20, flags=1), RawEntry(b"1.png", b"x" * 20, method=99)])
def test_encrypted_zip_asks_to_remove_the_password(tmp_path, entry):
    with pytest.raises(EncryptedError) as caught:
        open_reader(raw_zip(tmp_path / "a.cbz", [entry]), INPUT)
    assert caught.value.exit_code == ExitCode.ENCRYPTED and "password" in str(caught.value)


@pytest.mark.parametrize("method", [98, 9, 97])
def test_unknown_compression_asks_to_repack(tmp_path, method):
    with pytest.raises(InputError, match="repack"):
        open_reader(raw_zip(tmp_path / "a.cbz", [RawEntry(b"1.png", b"x" * 20, method=method)]), INPUT)


def test_link_entry_is_data(tmp_path):
    source = raw_zip(tmp_path / "a.cbz", [RawEntry(b"1.png", b"/etc/passwd", attributes=0o120777 << 16)])
    with open_reader(source, INPUT) as reader:
        assert reader.read(0) == b"/etc/passwd"


def test_damaged_local_header_is_a_page_error(tmp_path):
    source = chapter(tmp_path / "a.cbz", 2)
    source.write_bytes(b"PK\3\4" + b"\xff" * 26 + source.read_bytes()[30:])
    with open_reader(source, INPUT) as reader:
        with pytest.raises(PageError):
            reader.read(0)
        assert reader.read(1) == page(seed=1)


def test_self_extractor_in_front_is_read(tmp_path):
    source = chapter(tmp_path / "a.cbz", 2)
    source.write_bytes(b"MZ stub" * 300 + source.read_bytes())
    with open_reader(source, INPUT) as reader:
        assert reader.read(1) == page(seed=1)


def test_discarded_writer_leaves_the_old_file_and_nothing_else(tmp_path):
    target = tmp_path / "o" / "a.cbz"
    target.parent.mkdir()
    target.write_bytes(b"old")
    with open_reader(chapter(tmp_path / "a.cbz", 3), INPUT) as reader:
        with open_writer(reader, target, OUTPUT) as writer:
            writer.keep(2)
            writer.keep(0)
        with open_writer(reader, target, OUTPUT) as writer, pytest.raises(ValueError, match="2 of 3 pages are missing"):
            writer.keep(1)
            writer.commit()
        with open_writer(reader, target, OUTPUT) as writer:
            writer.keep(1)
            for wrong in (1, 3, -1):
                with pytest.raises(ValueError):
                    writer.keep(wrong)
    assert target.read_bytes() == b"old" and [p.name for p in target.parent.iterdir()] == ["a.cbz"]


def test_full_disk_is_an_output_error_and_leaves_nothing(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    source, target = chapter(tmp_path / "a.cbz", 2), tmp_path / "o" / "a.cbz"
    with open_reader(source, INPUT) as reader, open_writer(reader, target, OUTPUT) as writer:
        monkeypatch.setattr(writer._zip, "writestr", full)
        with pytest.raises(OutputError, match="No space left"):
            writer.keep(0)
    assert list((tmp_path / "o").iterdir()) == []


def test_fingerprint_changes_with_the_source(tmp_path):
    source = chapter(tmp_path / "a.cbz")
    with open_reader(source, INPUT) as reader:
        before = reader.fingerprint()
        assert reader.fingerprint() == before
        source.write_bytes(source.read_bytes() + b"x")
        assert reader.fingerprint() != before


def test_provenance_is_none_for_all_else(tmp_path):
    broken = cbz(tmp_path / "b.cbz", {PROVENANCE: b"{half"})
    for path in (
        tmp_path / "absent.cbz",
        chapter(tmp_path / "a.cbz"),
        broken,
        cbz(tmp_path / "c.cbz", {PROVENANCE: b"[]"}),
    ):
        assert provenance(path) is None


def test_damaged_deflated_page_is_kept_as_far_as_it_unpacks(tmp_path):
    data = bytes(range(256)) * 400
    source = raw_zip(tmp_path / "a.cbz", [RawEntry(b"1.png", data, method=8), RawEntry(b"2.png", page())])
    whole = source.read_bytes()
    source.write_bytes(whole[:400] + b"\xff" * 100 + whole[500:])
    with open_reader(source, INPUT) as reader:
        with pytest.raises(PageError):
            reader.read(0)
        kept = reader.original(0)
        assert data.startswith(kept[:256]) and len(kept) < len(data)


def test_damaged_page_of_which_nothing_is_left_is_kept_empty(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.cbz", "w", zipfile.ZIP_BZIP2) as archive:
        archive.writestr("1.png", page())
        archive.writestr("2.png", page(), zipfile.ZIP_STORED)
    whole = (tmp_path / "a.cbz").read_bytes()
    with open_reader(tmp_path / "a.cbz", INPUT) as reader:
        assert reader.read(0) == page()
    (tmp_path / "a.cbz").write_bytes(whole[:60] + b"\xff" * 100 + whole[160:])
    with open_reader(tmp_path / "a.cbz", INPUT) as reader:
        with pytest.raises(PageError):
            reader.read(0)
        assert reader.original(0) == b""
    (tmp_path / "a.cbz").write_bytes(b"PK\3\4" + b"\0" * 26 + whole[30:])
    with zipfile.ZipFile(tmp_path / "b.cbz", "w") as archive:
        archive.writestr("1.png", page())
    with open_reader(tmp_path / "b.cbz", INPUT) as reader:
        (tmp_path / "b.cbz").write_bytes(b"shorter")
        assert reader.original(0) == b""
        (tmp_path / "b.cbz").unlink()
        assert reader.original(0) == b""


def test_extras_that_are_damaged_or_encrypted_do_not_stop_the_pages(tmp_path):
    listed = [RawEntry(b"1.png", page()), RawEntry(b"a.txt", b"bad crc", crc=1), RawEntry(b"b.txt", b"x", flags=1)]
    out = rewritten(raw_zip(tmp_path / "a.cbz", listed), tmp_path / "o.cbz")
    assert entries(out) == {"1.png": page(), "a.txt": b"bad crc", PROVENANCE: NOTE}


@pytest.mark.parametrize("spoil", ["crc", "names", "directory"])
def test_archive_that_does_not_read_back_is_no_result(tmp_path, monkeypatch, spoil):
    if spoil == "crc":
        monkeypatch.setattr(zipfile.ZipFile, "testzip", lambda _: "1.png")
    elif spoil == "names":
        monkeypatch.setattr(zipfile.ZipFile, "namelist", lambda _: [])
    source = chapter(tmp_path / "a.cbz", 1)
    with open_reader(source, INPUT) as reader, open_writer(reader, tmp_path / "o.cbz", OUTPUT) as writer:
        writer.keep(0)
        if spoil == "directory":
            close = writer._zip.close
            monkeypatch.setattr(writer._zip, "close", lambda: (close(), writer._part.path.write_bytes(b"PK")))
        with pytest.raises(OutputError, match="read back"):
            writer.commit()
    assert [path.name for path in tmp_path.iterdir()] == ["a.cbz"]


def test_broken_utf8_flagged_name_is_an_input_error(tmp_path):
    with pytest.raises(InputError):
        open_reader(raw_zip(tmp_path / "a.cbz", [RawEntry(b"\xff\xfe.png", page(), flags=0x800)]), INPUT)


def test_kept_page_that_is_no_picture_is_listed_without_a_size(tmp_path):
    source = cbz(tmp_path / "a.cbz", {"1.png": b"no picture", "2.png": page(), "ComicInfo.xml": COMICINFO})
    text = entries(rewritten(source, tmp_path / "o.cbz", add={1}))["ComicInfo.xml"].decode()
    assert 'ImageSize="10"' in text and text.count("ImageWidth") == 1


def test_disk_that_is_full_up_to_the_end_hides_no_other_error(tmp_path, monkeypatch):
    def full():
        raise OSError(28, "No space left on device")

    source = chapter(tmp_path / "a.cbz", 1)
    with (
        open_reader(source, INPUT) as reader,
        pytest.raises(KeyError, match="mine"),
        open_writer(reader, tmp_path / "o.cbz", OUTPUT) as writer,
    ):
        monkeypatch.setattr(writer._zip, "close", full)
        raise KeyError("mine")
    assert [path.name for path in tmp_path.iterdir()] == ["a.cbz"]
