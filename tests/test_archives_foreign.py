import builtins
import contextlib
import io
import tarfile

import libarchive
import pytest
from factories import COMICINFO, cbz, page, pages

from mangapaint.archives import open_reader, open_writer
from mangapaint.errors import EncryptedError, ExitCode, InputError, MissingExtraError, PageError
from mangapaint.settings import InputSettings, Limits, OutputSettings

INPUT, OUTPUT = InputSettings(), OutputSettings()
CONTAINER = b"""<container xmlns="urn:oasis:names:tc:opendocument:xmlns:container"><rootfiles>
<rootfile full-path="OPS/book.opf" media-type="application/oebps-package+xml"/></rootfiles></container>"""


def tar(path, files, mode="w"):
    with tarfile.open(path, mode) as archive:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return path


def seven(path, files):
    with libarchive.file_writer(str(path), "7zip") as archive:
        for name, data in files.items():
            archive.add_file_from_memory(name, len(data), data)
    return path


def epub(path, spine, files, direction="rtl", container=CONTAINER, **more):
    """`spine`: document name -> markup of its body; pictures in the manifest by their own names."""
    documents = {
        name: f'<html xmlns="http://www.w3.org/1999/xhtml"><body>{body}</body></html>'.encode()
        for name, body in spine.items()
        if body is not None
    }
    items = "".join(f'<item id="i{n}" href="{name}"/>' for n, name in enumerate(spine))
    references = "".join(f'<itemref idref="i{n}"/>' for n in range(len(spine)))
    package = (
        f'<package xmlns="http://www.idpf.org/2007/opf"><manifest>{items}</manifest>'
        f'<spine page-progression-direction="{direction}">{references}</spine></package>'
    ).encode()
    inside = {f"OPS/{name}": data for name, data in (documents | files).items()}
    head = {"mimetype": b"application/epub+zip", "META-INF/container.xml": container, "OPS/book.opf": package}
    return cbz(path, head | inside | more)


FILES = {"a/2.png": page(seed=2), "a/10.png": page(seed=10), "a/1.png": page(seed=1)}


@pytest.mark.parametrize(("make", "name"), [(tar, "a.cbt"), (seven, "a.cb7"), (seven, "wrong.cbz"), (tar, "a.tar")])
def test_foreign_archive_is_read_in_order_and_comes_out_as_cbz(tmp_path, make, name):
    source = make(tmp_path / name, FILES | {"ComicInfo.xml": COMICINFO, "__MACOSX/._1.png": b"x", "b.zip": b"PK"})
    with open_reader(source, INPUT) as reader:
        assert reader.kind == "foreign" and list(reader.names) == ["a/1.png", "a/2.png", "a/10.png"]
        assert reader.direction == "rtl"
        assert [reader.read(i) for i in (2, 0, 1)] == [page(seed=10), page(seed=1), page(seed=2)]
        assert [extra.name for extra in reader.extras()] == ["ComicInfo.xml"]
        with open_writer(reader, tmp_path / "out.cbz", OUTPUT) as writer:
            for index in range(3):
                writer.keep(index)
            out = writer.commit()
    with open_reader(out, INPUT) as reader:
        assert reader.kind == "cbz" and [reader.read(i) for i in range(3)] == [page(seed=n) for n in (1, 2, 10)]
        assert [extra.name for extra in reader.extras()] == ["ComicInfo.xml"]


@pytest.mark.parametrize(("make", "name"), [(tar, "a.cbt"), (seven, "a.cb7")])
def test_cut_off_archive_is_an_input_error(tmp_path, make, name):
    source = make(tmp_path / name, FILES)
    source.write_bytes(source.read_bytes()[: source.stat().st_size // 3])
    with pytest.raises(InputError):
        open_reader(source, INPUT)


@pytest.mark.parametrize(("make", "name"), [(tar, "a.cbt"), (seven, "a.cb7")])
def test_foreign_archives_obey_the_limits(tmp_path, make, name):
    for limits in (Limits(entries=2), Limits(archive_bytes=1000)):
        with pytest.raises(InputError, match="limit"):
            open_reader(make(tmp_path / name, FILES), InputSettings(limits=limits))
    with pytest.raises(InputError, match="no pages"):
        open_reader(make(tmp_path / name, {"a.txt": b"x"}), INPUT)


def test_missing_library_names_the_extra(tmp_path, monkeypatch):
    real = builtins.__import__

    def without(name, *args, **kwargs):
        if name == "libarchive":
            raise ImportError(name)
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without)
    (tmp_path / "a.cbr").write_bytes(b"Rar!\x1a\x07\0" + bytes(50))
    with pytest.raises(MissingExtraError, match=r"mangapaint\[archives\]") as caught:
        open_reader(tmp_path / "a.cbr", INPUT)
    assert caught.value.exit_code == ExitCode.INPUT


def test_broken_rar_is_an_input_error(tmp_path):
    (tmp_path / "a.cbr").write_bytes(b"Rar!\x1a\x07\0" + bytes(50))
    with pytest.raises(InputError):
        open_reader(tmp_path / "a.cbr", INPUT)


def test_damaged_entry_spoils_one_page_only(tmp_path):
    source = seven(tmp_path / "a.cb7", {"1.png": page(), "2.png": b""})
    with open_reader(source, INPUT) as reader:
        assert reader.read(0) == page()
        with pytest.raises(PageError):
            reader.read(1)
        assert reader.original(1) == b""


def test_links_in_a_tar_are_not_followed(tmp_path):
    with tarfile.open(tmp_path / "a.cbt", "w") as archive:
        link = tarfile.TarInfo("1.png")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(link)
        info = tarfile.TarInfo("2.png")
        info.size = len(page())
        archive.addfile(info, io.BytesIO(page()))
    with open_reader(tmp_path / "a.cbt", INPUT) as reader:
        assert list(reader.names) == ["2.png"]


def test_epub_pages_follow_the_spine(tmp_path):
    files = dict(zip(["z.png", "a b.png", "c.png", "logo.png"], pages(4), strict=True))
    spine = {
        "cover.xhtml": '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink">'
        '<image xlink:href="z.png"/></svg>',
        "one.xhtml": '<p><img src="z.png"/><img src="../OPS/a%20b.png"/></p>',
        "two.xhtml": '<p>unclosed<img src="c.png"/>',
        "missing.xhtml": None,
    }
    source = epub(tmp_path / "a.epub", spine, files)
    with open_reader(source, INPUT) as reader:
        assert reader.kind == "foreign" and reader.direction == "rtl" and list(reader.extras()) == []
        assert list(reader.names) == ["OPS/z.png", "OPS/a b.png", "OPS/c.png"]
        assert reader.read(1) == files["a b.png"]


def test_epub_with_pictures_in_the_spine_itself(tmp_path):
    files = dict(zip(["2.png", "1.png"], pages(2), strict=True))
    with open_reader(
        epub(tmp_path / "a.epub", {"2.png": None, "1.png": None}, files, direction="ltr"), INPUT
    ) as reader:
        assert list(reader.names) == ["OPS/2.png", "OPS/1.png"] and reader.direction == "ltr"


def test_epub_without_a_usable_spine_takes_all_pictures(tmp_path):
    for more in ({"container": b"<container/>"}, {"spine": {"text.xhtml": "<p>words</p>"}}):
        options = {"spine": {}} | more
        with open_reader(
            epub(tmp_path / "a.epub", files={"2.png": page(), "1.png": page()}, **options), INPUT
        ) as reader:
            assert list(reader.names) == ["OPS/1.png", "OPS/2.png"]


def test_protected_epub_is_an_encrypted_error_but_scrambled_fonts_are_not(tmp_path):
    def protected(name):
        return {
            "META-INF/encryption.xml": '<encryption xmlns:e="http://www.w3.org/2001/04/xmlenc#"><e:EncryptedData>'
            f'<e:CipherData><e:CipherReference URI="{name}"/></e:CipherData></e:EncryptedData></encryption>'.encode()
        }

    with pytest.raises(EncryptedError):
        open_reader(epub(tmp_path / "a.epub", {"1.png": None}, {"1.png": page()}, **protected("OPS/1.png")), INPUT)
    open_reader(epub(tmp_path / "b.epub", {"1.png": None}, {"1.png": page()}, **protected("OPS/f.otf")), INPUT).close()


def test_damaged_epub_is_an_input_error(tmp_path):
    with pytest.raises(InputError, match="damaged EPUB"):
        open_reader(epub(tmp_path / "a.epub", {}, {"1.png": page()}, container=b"<cont"), INPUT)


class FakeArchive:
    """Stands for libarchive with an archive that fails at a certain point."""

    class ArchiveError(Exception):
        pass

    def __init__(self, blocks):
        self.blocks, self.isreg, self.pathname = blocks, True, "1.png"

    def file_reader(self, _):
        return contextlib.nullcontext([self])

    def get_blocks(self, _):
        for block in self.blocks:
            if isinstance(block, str):
                raise self.ArchiveError(block)
            yield block


@pytest.mark.parametrize("where", ["opening", "reading"])
def test_rar_with_a_password_is_an_encrypted_error(tmp_path, monkeypatch, where):
    fake = FakeArchive(["Passphrase required for this entry"])
    if where == "opening":
        monkeypatch.setattr(fake, "file_reader", lambda _: next(fake.get_blocks(0)))
    monkeypatch.setattr("mangapaint.archives.foreign._libarchive", lambda _: fake)
    (tmp_path / "a.cbr").write_bytes(b"Rar!\x1a\x07\0")
    with pytest.raises(EncryptedError):
        open_reader(tmp_path / "a.cbr", INPUT)


def test_rar_entry_with_a_bad_checksum_or_beyond_the_limit_is_a_page_error(tmp_path, monkeypatch):
    (tmp_path / "a.cbr").write_bytes(b"Rar!\x1a\x07\0")
    for blocks in ([b"half", "File CRC error"], [bytes(900), bytes(900)]):
        monkeypatch.setattr("mangapaint.archives.foreign._libarchive", lambda _, blocks=blocks: FakeArchive(blocks))
        small = InputSettings(limits=Limits(entry_bytes=1000))
        with open_reader(tmp_path / "a.cbr", small) as reader, pytest.raises(PageError):
            reader.read(0)


def test_tar_cut_off_during_the_run_is_a_page_error(tmp_path):
    source = tar(tmp_path / "a.cbt", FILES)
    with open_reader(source, INPUT) as reader:
        source.write_bytes(source.read_bytes()[:600])
        with pytest.raises(PageError):
            reader.read(0)


def test_damaged_extra_is_left_out(tmp_path):
    source = seven(tmp_path / "a.cb7", {"1.png": page(), "a.txt": b"", "b.txt": b"x"})
    with open_reader(source, INPUT) as reader:
        assert [extra.name for extra in reader.extras()] == ["b.txt"]
