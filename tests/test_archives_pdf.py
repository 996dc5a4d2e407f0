import json
import time

import cv2
import numpy as np
import pymupdf
import pytest
from factories import chapter, encoded, page, page_pixels, pdf, saved
from PIL import Image

from mangapaint import pixels
from mangapaint.archives import PROVENANCE, open_reader, open_writer, provenance
from mangapaint.errors import EncryptedError, ExitCode, InputError, OutputError, PageError
from mangapaint.settings import InputSettings, Limits, OutputSettings

INPUT, OUTPUT = InputSettings(), OutputSettings()
NOTE = json.dumps({"version": "1"}).encode()
SIZE = {"width": 240, "height": 340}


def reddened(data):
    """The page twice as large, its white turned red."""
    picture = pixels.decode(data, Limits()).pixels
    large = cv2.resize(picture, None, fx=2, fy=2, interpolation=cv2.INTER_NEAREST)
    return (large * np.array([1, 0.4, 0.4])).astype(np.uint8)


def painted(source, target, keep=(), format="png"):
    with open_reader(source, INPUT) as reader, open_writer(reader, target, OUTPUT) as writer:
        for index in reversed(range(len(reader))):
            if index in keep:
                writer.keep(index)
            else:
                data = pixels.encode(reddened(reader.read(index)), format=format)
                writer.add(index, data, pixels.suffix_of(format))
        writer.note(PROVENANCE, NOTE)
        return writer.commit()


def shown(path, index, *, zoom=1.0):
    """The page as a viewer shows it, (H, W, 3) uint8."""
    with pymupdf.open(path) as document:
        pixmap = document[index].get_pixmap(matrix=pymupdf.Matrix(zoom, zoom))
        return np.frombuffer(pixmap.samples, np.uint8).reshape(pixmap.h, pixmap.w, 3).astype(int)


def texts(path):
    with pymupdf.open(path) as document:
        return [one.get_text() for one in document]


def drawn(tmp_path, draw):
    """A PDF of one page that `draw(document, page)` fills."""
    with pymupdf.open() as document:
        draw(document, document.new_page(**SIZE))
        document.save(tmp_path / "a.pdf")
    return tmp_path / "a.pdf"


def is_reddened(path, source, index=0):
    """The output shows what the source shows, with red for white; black text may stay black."""
    # Blurred, because a viewer shrinks the larger picture in its own way.
    before, after = (cv2.GaussianBlur(shown(one, index).astype(np.float32), (0, 0), 3) for one in (source, path))
    assert before.shape == after.shape
    assert abs(after[..., 0] - before[..., 0]).mean() < 4
    assert abs(after[..., 1] - before[..., 1] * 0.4).mean() < 4
    return True


@pytest.mark.parametrize("format", ["PNG", "JPEG"])
def test_covering_picture_is_read_without_the_text_over_it(tmp_path, format):
    source = pdf(tmp_path / "a.pdf", [page(format), page(format, seed=1)], text="Hello")
    with open_reader(source, INPUT) as reader:
        assert (reader.kind, len(reader), list(reader.names)) == ("pdf", 2, ["0001", "0002"])
        picture = pixels.decode(reader.read(1), Limits())
    assert picture.format == format.lower()
    wanted = pixels.decode(page(format, seed=1), Limits()).pixels
    assert abs(picture.pixels.astype(int) - wanted).max() <= 2


@pytest.mark.parametrize("format", ["png", "jpeg", "webp", "avif"])
def test_picture_is_exchanged_under_the_lettering(tmp_path, format):
    source = pdf(tmp_path / "a.pdf", [page(), page(seed=1)], text="Hello")
    out = painted(source, tmp_path / "o.pdf", format=format)
    assert texts(out) == texts(source) == ["Hello 1\n", "Hello 2\n"]
    with pymupdf.open(out) as document, pymupdf.open(source) as before:
        assert [one.rect for one in document] == [one.rect for one in before]
        assert document.get_toc() == before.get_toc() and document.metadata == before.metadata
        assert [info["width"] for info in document[1].get_image_info()] == [480]
    assert is_reddened(out, source)
    assert (shown(out, 0, zoom=3)[120:180, 120:240].sum(2) < 60).any()  # the letters, in black
    assert provenance(out) == {"version": "1"}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.pdf", "o.pdf"]


def test_png_pixels_are_stored_without_loss(tmp_path):
    source = pdf(tmp_path / "a.pdf", [page()])
    with open_reader(source, INPUT) as reader:
        wanted = reddened(reader.read(0))
    with open_reader(painted(source, tmp_path / "o.pdf"), INPUT) as reader:
        assert np.array_equal(pixels.decode(reader.read(0), Limits()).pixels, wanted)


def test_same_input_gives_the_same_bytes(tmp_path):
    source = pdf(tmp_path / "a.pdf", [page(), page(seed=1)], text="Hello")
    first = painted(source, tmp_path / "1.pdf", keep={0}).read_bytes()
    time.sleep(1.1)  # dates in a PDF have seconds
    assert painted(source, tmp_path / "2.pdf", keep={0}).read_bytes() == first


def test_working_copy_saved_in_between_gives_the_same_bytes(tmp_path, monkeypatch):
    def draw(document, one):
        strips(document, one)
        for number in range(3):
            other = document.new_page(**SIZE)
            other.insert_image(other.rect, stream=page(seed=number % 2))

    source = drawn(tmp_path, draw)
    whole = painted(source, tmp_path / "1.pdf", keep={2}).read_bytes()
    monkeypatch.setattr("mangapaint.archives.pdfwriter._IN_MEMORY", 1)
    assert painted(source, tmp_path / "2.pdf", keep={2}).read_bytes() == whole
    assert sorted(path.name for path in tmp_path.iterdir()) == ["1.pdf", "2.pdf", "a.pdf"]


def test_second_run_over_a_result_replaces_its_provenance(tmp_path):
    first = painted(pdf(tmp_path / "a.pdf", [page()]), tmp_path / "1.pdf")
    with open_reader(first, INPUT) as reader, open_writer(reader, tmp_path / "2.pdf", OUTPUT) as writer:
        writer.keep(0)
        writer.note(PROVENANCE, b'{"version": "2"}')
        assert provenance(writer.commit()) == {"version": "2"}


def test_kept_pages_keep_their_streams(tmp_path):
    source = pdf(tmp_path / "a.pdf", [page("JPEG"), page()], text="Hello")
    out = painted(source, tmp_path / "o.pdf", keep={0, 1})
    with pymupdf.open(source) as before, pymupdf.open(out) as after:
        for index in range(2):
            xrefs = [document[index].get_images()[0][0] for document in (before, after)]
            assert before.xref_stream_raw(xrefs[0]) == after.xref_stream_raw(xrefs[1])
        assert before[0].read_contents() == after[0].read_contents()


def test_picture_shared_by_pages_is_stored_once_and_spares_kept_pages(tmp_path):
    with pymupdf.open() as document:
        xref = 0
        for _ in range(4):
            one = document.new_page(**SIZE)
            xref = one.insert_image(one.rect, stream=page() if not xref else None, xref=xref)
        document.save(tmp_path / "a.pdf")
    out = painted(tmp_path / "a.pdf", tmp_path / "o.pdf", keep={2})
    with pymupdf.open(out) as document:
        used = [one.get_images()[0][0] for one in document]
    assert used[0] == used[1] == used[3] != used[2]
    assert is_reddened(out, tmp_path / "a.pdf", 3)
    assert np.array_equal(shown(out, 2), shown(tmp_path / "a.pdf", 2))


@pytest.mark.parametrize("degrees", [90, 180, 270])
def test_rotated_page_is_read_and_written_as_it_is_shown(tmp_path, degrees):
    def draw(_, one):
        one.insert_image(one.rect, stream=page(colour=True))
        one.insert_text((40, 60), "Hello")
        one.set_rotation(degrees)

    source = drawn(tmp_path, draw)
    with open_reader(source, INPUT) as reader:
        picture = pixels.decode(reader.read(0), Limits())
    assert np.array_equal(picture.pixels, np.rot90(page_pixels(colour=True), -degrees // 90))
    out = painted(source, tmp_path / "o.pdf")
    assert is_reddened(out, source) and texts(out) == ["Hello\n"]


def strips(document, one):
    one.insert_image((0, 0, 240, 170), stream=encoded(page_pixels(480, 340)))
    one.insert_image((0, 170, 240, 340), stream=encoded(page_pixels(480, 340, seed=1)))
    one.draw_rect((20, 40, 140, 80), fill=(1, 1, 1))
    one.insert_text((30, 60), "Hello")
    one.insert_link({"kind": pymupdf.LINK_URI, "uri": "http://example.org/", "from": pymupdf.Rect(9, 9, 50, 50)})


def shaded(document, one):
    one.draw_line((0, 0), (240, 0), color=(1, 1, 1))
    one.insert_text((30, 60), "Hello")
    shade = document.get_new_xref()
    ends = "/C0[0.9 0.9 0.9]/C1[0.5 0.5 0.5]"
    document.update_object(
        shade,
        "<</ShadingType 2/ColorSpace/DeviceRGB/Coords[0 0 240 340]"
        f"/Extend[true true]/Function<</FunctionType 2/Domain[0 1]{ends}/N 1>>>>",
    )
    kind, value = document.xref_get_key(one.xref, "Resources")
    owner = (int(value.split()[0]), "Shading") if kind == "xref" else (one.xref, "Resources/Shading")
    document.xref_set_key(*owner, f"<</S0 {shade} 0 R>>")
    content = one.get_contents()[0]
    document.update_stream(content, b"q /S0 sh Q\n" + document.xref_stream(content))


def in_form(document, one):
    with pymupdf.open() as inner:
        strips(inner, inner.new_page(**SIZE))
        one.show_pdf_page(one.rect, inner, 0)


def upside_down(document, one):
    one.insert_image(one.rect, stream=page(width=480, height=680), rotate=180)
    one.insert_text((40, 60), "Hello")


def transparent(document, one):
    shades = page_pixels(480, 680)
    one.insert_image(one.rect, stream=encoded(np.dstack([shades, 255 - shades[..., 0]])))
    one.insert_text((40, 60), "Hello")


def cropped(document, one):
    strips(document, one)
    one.set_cropbox(pymupdf.Rect(15, 20, 220, 300))


def turned_strips(document, one):
    strips(document, one)
    one.set_rotation(90)


LAYOUTS = [strips, shaded, in_form, upside_down, transparent, cropped, turned_strips]


@pytest.mark.parametrize("draw", LAYOUTS)
def test_rendered_page_holds_no_text(tmp_path, monkeypatch, draw):
    with open_reader(drawn(tmp_path, draw), INPUT) as reader:
        found = pixels.decode(reader.read(0), Limits()).pixels
    monkeypatch.setattr(pymupdf.Page, "insert_text", lambda *_, **__: None)
    with open_reader(drawn(tmp_path, draw), INPUT) as reader:
        assert np.array_equal(pixels.decode(reader.read(0), Limits()).pixels, found)


@pytest.mark.parametrize("draw", LAYOUTS)
def test_page_that_no_single_picture_covers_is_rendered_and_keeps_its_text_once(tmp_path, draw):
    source = drawn(tmp_path, draw)
    with open_reader(source, INPUT) as reader:
        picture = pixels.decode(reader.read(0), Limits())
        again = pixels.decode(reader.read(0), Limits())
    assert np.array_equal(picture.pixels, again.pixels)
    with pymupdf.open(source) as document:
        dpi = picture.width / document[0].rect.width * 72
        links = document[0].get_links()
    assert dpi == pytest.approx(300 if draw is shaded else 144, rel=0.02)
    out = painted(source, tmp_path / "o.pdf")
    assert texts(out) == texts(source) == ["Hello\n"]
    assert is_reddened(out, source)
    with pymupdf.open(out) as document:
        assert [link["uri"] for link in document[0].get_links()] == [link["uri"] for link in links]
        assert len(document[0].get_images()) == 1


def test_text_is_not_in_a_rendered_page(tmp_path):
    source = drawn(tmp_path, lambda _, one: one.insert_text((40, 60), "Hello", fontsize=40))
    with open_reader(source, INPUT) as reader:
        assert (pixels.decode(reader.read(0), Limits()).pixels == 255).all()


def test_picture_in_print_colours_is_converted(tmp_path):
    cmyk = Image.fromarray(page_pixels(colour=True)).convert("CMYK")
    source = pdf(tmp_path / "a.pdf", [saved(cmyk, "JPEG", quality=95)])
    with open_reader(source, INPUT) as reader:
        picture = pixels.decode(reader.read(0), Limits())
    assert picture.pixels.shape == (340, 240, 3)
    assert abs(picture.pixels.astype(int) - shown(source, 0)).mean() < 8


def test_document_opened_with_an_owner_password_only_is_painted(tmp_path):
    with pymupdf.open(chapter(tmp_path / "b.pdf", 1)) as document:
        document.save(tmp_path / "a.pdf", encryption=pymupdf.PDF_ENCRYPT_AES_256, owner_pw="x", user_pw="")
    assert is_reddened(painted(tmp_path / "a.pdf", tmp_path / "o.pdf"), tmp_path / "b.pdf")


def test_user_password_is_an_encrypted_error(tmp_path):
    with pymupdf.open(chapter(tmp_path / "b.pdf", 1)) as document:
        document.save(tmp_path / "a.pdf", encryption=pymupdf.PDF_ENCRYPT_AES_256, owner_pw="x", user_pw="y")
    with pytest.raises(EncryptedError) as caught:
        open_reader(tmp_path / "a.pdf", INPUT)
    assert caught.value.exit_code == ExitCode.ENCRYPTED and provenance(tmp_path / "a.pdf") is None


@pytest.mark.parametrize("share", [0, 0.01, 0.1, 0.5, 0.6, 0.9, 0.99])
def test_truncated_pdf_is_an_input_error(tmp_path, share):
    source = pdf(tmp_path / "a.pdf", [page(), page(seed=1), page(seed=2)])
    source.write_bytes(source.read_bytes()[: int(source.stat().st_size * share)])
    with pytest.raises(InputError):
        open_reader(source, INPUT)


def test_html_named_pdf_is_an_input_error(tmp_path):
    (tmp_path / "a.pdf").write_bytes(b"<html><body>moved</body></html>")
    with pytest.raises(InputError):
        open_reader(tmp_path / "a.pdf", INPUT)


def test_too_many_pages_are_refused(tmp_path):
    with pymupdf.open() as document:
        for _ in range(20):
            document.new_page(**SIZE)
        document.save(tmp_path / "a.pdf")
    with pytest.raises(InputError, match="20 pages"):
        open_reader(tmp_path / "a.pdf", InputSettings(limits=Limits(pdf_pages=19)))


def test_huge_page_is_rendered_within_the_limit(tmp_path):
    with pymupdf.open() as document:
        one = document.new_page(width=14_400, height=14_400)
        one.draw_line((0, 0), (14_400, 14_400), width=50)
        document.save(tmp_path / "a.pdf")
    with open_reader(tmp_path / "a.pdf", InputSettings(limits=Limits(pdf_page_megapixels=4))) as reader:
        header = pixels.inspect(reader.read(0), Limits())
    assert 3.9e6 < header.width * header.height < 4.01e6


def test_embedded_picture_over_the_limit_is_refused_before_it_is_decoded(tmp_path):
    source = pdf(tmp_path / "a.pdf", [encoded(page_pixels()[..., 0])])
    with pymupdf.open(source) as document:
        document.xref_set_key(document[0].get_images()[0][0], "Width", "90000")
        document.xref_set_key(document[0].get_images()[0][0], "Height", "90000")
        document.save(tmp_path / "b.pdf")
    started = time.monotonic()
    with open_reader(tmp_path / "b.pdf", INPUT) as reader, pytest.raises(PageError, match="limit"):
        reader.read(0)
    assert time.monotonic() - started < 2


def test_damaged_page_is_a_page_error_or_a_picture(tmp_path):
    source = pdf(tmp_path / "a.pdf", [page("JPEG"), page("JPEG", seed=1)])
    good = source.read_bytes()
    start = good.index(b"\xff\xd8\xff")
    source.write_bytes(good[: start + 2] + b"\0" * 500 + good[start + 502 :])
    with open_reader(source, INPUT) as reader:
        with pytest.raises(PageError):
            pixels.decode(reader.read(0), Limits())
        assert pixels.decode(reader.read(1), Limits()).width == 240


def test_scripts_are_carried_along_and_never_run(tmp_path):
    with pymupdf.open(chapter(tmp_path / "b.pdf", 1)) as document:
        script = document.get_new_xref()
        document.update_object(script, "<</S/JavaScript/JS(app.alert\\(1\\))>>")
        document.xref_set_key(document.pdf_catalog(), "OpenAction", f"{script} 0 R")
        document.save(tmp_path / "a.pdf")
    assert is_reddened(painted(tmp_path / "a.pdf", tmp_path / "o.pdf"), tmp_path / "a.pdf")


def test_reading_direction_is_taken_from_the_viewer_preferences(tmp_path):
    with pymupdf.open(chapter(tmp_path / "b.pdf", 1)) as document:
        document.xref_set_key(document.pdf_catalog(), "ViewerPreferences", "<</Direction/R2L>>")
        document.save(tmp_path / "a.pdf")
    with open_reader(tmp_path / "a.pdf", INPUT) as reader:
        assert reader.direction == "rtl"
    with open_reader(tmp_path / "b.pdf", INPUT) as reader:
        assert reader.direction is None


def test_uncommitted_pdf_leaves_nothing(tmp_path):
    source = chapter(tmp_path / "a.pdf", 2)
    with open_reader(source, INPUT) as reader, open_writer(reader, tmp_path / "o.pdf", OUTPUT) as writer:
        writer.keep(0)
        with pytest.raises(ValueError, match="1 of 2"):
            writer.commit()
    assert [path.name for path in tmp_path.iterdir()] == ["a.pdf"]


def test_links_listed_in_an_object_of_their_own_stay_on_rendered_pages(tmp_path):
    with pymupdf.open(drawn(tmp_path, strips)) as document:
        xref = document.get_new_xref()
        document.update_object(xref, document.xref_get_key(document[0].xref, "Annots")[1])
        document.xref_set_key(document[0].xref, "Annots", f"{xref} 0 R")
        document.save(tmp_path / "b.pdf")
    with pymupdf.open(painted(tmp_path / "b.pdf", tmp_path / "o.pdf")) as document:
        assert [link["uri"] for link in document[0].get_links()] == ["http://example.org/"]


def test_shared_picture_inside_a_form_is_exchanged(tmp_path):
    with pymupdf.open() as inner, pymupdf.open() as document:
        one = inner.new_page(**SIZE)
        one.insert_image(one.rect, stream=page())
        for _ in range(2):
            other = document.new_page(**SIZE)
            other.show_pdf_page(other.rect, inner, 0)
        document.save(tmp_path / "a.pdf")
    out = painted(tmp_path / "a.pdf", tmp_path / "o.pdf")
    assert is_reddened(out, tmp_path / "a.pdf", 0) and is_reddened(out, tmp_path / "a.pdf", 1)


def test_resources_inherited_from_the_tree_are_exchanged_for_one_page_alone(tmp_path):
    with pymupdf.open() as document:
        xref = 0
        for _ in range(2):
            one = document.new_page(**SIZE)
            xref = one.insert_image(one.rect, stream=page() if not xref else None, xref=xref)
        resources = document.xref_get_key(document[0].xref, "Resources")[1]
        parent = int(document.xref_get_key(document[0].xref, "Parent")[1].split()[0])
        document.xref_set_key(parent, "Resources", resources)
        for one in document:
            document.xref_set_key(one.xref, "Resources", "null")
        document.save(tmp_path / "a.pdf", garbage=1)
    out = painted(tmp_path / "a.pdf", tmp_path / "o.pdf", keep={1})
    assert is_reddened(out, tmp_path / "a.pdf", 0)
    assert np.array_equal(shown(out, 1), shown(tmp_path / "a.pdf", 1))


@pytest.mark.parametrize("kind", ["alpha", "palette", "grey", "grey jpeg", "cmyk jpeg"])
def test_any_picture_file_can_be_put_in(tmp_path, kind):
    picture = Image.fromarray(page_pixels(seed=5))
    data = {
        "alpha": saved(picture.convert("RGBA")),
        "palette": saved(picture.convert("P")),
        "grey": saved(picture.convert("L")),
        "grey jpeg": saved(picture.convert("L"), "JPEG", quality=95),
        "cmyk jpeg": saved(picture.convert("CMYK"), "JPEG", quality=95),
    }[kind]
    source = pdf(tmp_path / "a.pdf", [page()])
    with open_reader(source, INPUT) as reader, open_writer(reader, tmp_path / "o.pdf", OUTPUT) as writer:
        writer.add(0, data, ".x")
        out = writer.commit()
    assert abs(shown(out, 0) - page_pixels(seed=5)).mean() < 8


def test_pdf_that_does_not_read_back_is_no_result(tmp_path):
    source = pdf(tmp_path / "a.pdf", [page()])
    for name in ("_sizes", "_count"):
        with open_reader(source, INPUT) as reader, open_writer(reader, tmp_path / "o.pdf", OUTPUT) as writer:
            writer.keep(0)
            if name == "_sizes":
                writer._sizes[0] = (7, 7)
            else:
                writer._count = 2
                writer._done.add(1)
            with pytest.raises(OutputError, match="read back"):
                writer.commit()
    assert [path.name for path in tmp_path.iterdir()] == ["a.pdf"]


@pytest.mark.parametrize("decode", ["null", "[1 0 1 0 1 0]"])
def test_jpeg_is_read_as_it_is_unless_the_pdf_inverts_it(tmp_path, decode):
    jpeg = encoded(page_pixels(), "JPEG", quality=95)
    with pymupdf.open(pdf(tmp_path / "b.pdf", [jpeg])) as document:
        xref = document[0].get_images()[0][0]
        document.xref_set_key(xref, "ColorSpace", "/DeviceRGB")
        document.xref_set_key(xref, "Decode", decode)
        document.save(tmp_path / "a.pdf")
    with open_reader(tmp_path / "a.pdf", INPUT) as reader:
        data = reader.read(0)
    assert (data == jpeg) == (decode == "null")
    assert abs(pixels.decode(data, Limits()).pixels - shown(tmp_path / "a.pdf", 0)).mean() < 4
    assert is_reddened(painted(tmp_path / "a.pdf", tmp_path / "o.pdf"), tmp_path / "a.pdf")


def test_pictures_of_the_same_size_are_told_apart(tmp_path):
    def draw(_, one):
        one.insert_image((10, 10, 34, 44), stream=page(seed=1))
        one.insert_image(one.rect, stream=page(), overlay=False)

    source = drawn(tmp_path, draw)
    with open_reader(source, INPUT) as reader:
        assert np.array_equal(pixels.decode(reader.read(0), Limits()).pixels, page_pixels())
    out = shown(painted(source, tmp_path / "o.pdf"), 0)
    assert abs(out[15:40, 12:32] - shown(source, 0)[15:40, 12:32]).mean() < 6  # the small one lies over it as it was
    assert (out[0, 0] == [255, 102, 102]).all()
