import json

import numpy as np
import pytest
from factories import encoded, page, page_pixels

from mangapaint import pixels
from mangapaint.archives import PROVENANCE, open_reader, open_writer, picturenote, provenance
from mangapaint.errors import InputError, PageError
from mangapaint.settings import InputSettings, Limits, OutputSettings

INPUT, OUTPUT = InputSettings(), OutputSettings()
NOTE = json.dumps({"version": "1", "pages": ["ページ"]}).encode()


@pytest.mark.parametrize("format", ["png", "jpeg", "webp", "avif"])
@pytest.mark.parametrize("length", [1, 2, 150_001])
def test_note_in_a_picture_reads_back_and_leaves_the_pixels(format, length):
    data = pixels.encode(page_pixels(), format=format, dpi=(300, 300))
    note = b"x" * length
    marked = picturenote.embed(data, note)
    assert picturenote.extract(marked) == note and picturenote.extract(data) is None
    before, after = (pixels.decode(one, Limits()) for one in (data, marked))
    assert np.array_equal(before.pixels, after.pixels) and before.dpi == after.dpi


def test_other_formats_are_left_as_they_are():
    for format in ("GIF", "TIFF", "BMP"):
        data = page(format)
        assert picturenote.embed(data, b"x") == data and picturenote.extract(data) is None


@pytest.mark.parametrize("cut", [0, 9, 40, 60])
def test_broken_pictures_have_no_note(cut):
    for format in ("png", "jpeg", "webp", "avif"):
        data = picturenote.embed(pixels.encode(page_pixels(), format=format), b"x" * 99)[:cut]
        assert picturenote.extract(data) in (None, b"x" * (cut - 36), b"x" * len(picturenote.extract(data) or b""))


@pytest.mark.parametrize(("name", "suffix", "final"), [("a.JPEG", ".jpg", "a.JPEG"), ("a.jpg", ".png", "a.png")])
def test_picture_comes_out_as_a_picture(tmp_path, name, suffix, final):
    source = tmp_path / name
    source.write_bytes(page("JPEG"))
    with open_reader(source, INPUT) as reader, open_writer(reader, tmp_path / "o" / name, OUTPUT) as writer:
        assert (reader.kind, len(reader), list(reader.names)) == ("image", 1, [name])
        assert list(reader.extras()) == [] and reader.read(0) == page("JPEG")
        writer.add(0, encoded(page_pixels(seed=1), "PNG" if suffix == ".png" else "JPEG"), suffix)
        writer.note(PROVENANCE, NOTE)
        out = writer.commit()
    assert out == tmp_path / "o" / final and provenance(out) == json.loads(NOTE)
    assert [path.name for path in out.parent.iterdir()] == [final]


def test_kept_picture_stays_the_same_to_the_byte(tmp_path):
    (tmp_path / "a.png").write_bytes(page())
    with open_reader(tmp_path / "a.png", INPUT) as reader, open_writer(reader, tmp_path / "o.png", OUTPUT) as writer:
        writer.keep(0)
        writer.note(PROVENANCE, NOTE)
        assert writer.commit().read_bytes() == page()


def test_uncommitted_picture_leaves_nothing(tmp_path):
    (tmp_path / "a.png").write_bytes(page())
    with open_reader(tmp_path / "a.png", INPUT) as reader, open_writer(reader, tmp_path / "o.png", OUTPUT) as writer:
        with pytest.raises(ValueError, match="missing"):
            writer.commit()
        writer.keep(0)
        with pytest.raises(ValueError, match="already"):
            writer.keep(0)
    assert [path.name for path in tmp_path.iterdir()] == ["a.png"]


def test_oversized_or_vanished_picture_is_a_page_error(tmp_path):
    (tmp_path / "a.png").write_bytes(page())
    with open_reader(tmp_path / "a.png", InputSettings(limits=Limits(entry_bytes=99))) as reader:
        with pytest.raises(PageError, match="limit"):
            reader.read(0)
        (tmp_path / "a.png").unlink()
        with pytest.raises(PageError):
            reader.original(0)


def test_unknown_file_is_an_input_error(tmp_path):
    (tmp_path / "a.txt").write_bytes(b"text")
    for path in (tmp_path / "a.txt", tmp_path / "missing", "/dev/null"):
        with pytest.raises(InputError):
            open_reader(tmp_path / path, INPUT)
