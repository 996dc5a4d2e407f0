import random
import time
import zlib
from io import BytesIO

import numpy as np
import pytest
from factories import encoded, giant_png, icc, page_pixels, saved
from PIL import Image, ImageCms, PngImagePlugin

from mangapaint import pixels
from mangapaint.errors import MangapaintError, OutOfMemoryError, PageError
from mangapaint.settings import Limits

LIMITS = Limits()


def decode(data: bytes, **options: bool) -> pixels.PageImage:
    return pixels.decode(data, LIMITS, **options)


@pytest.mark.parametrize("format", ["PNG", "JPEG", "WEBP", "GIF", "TIFF", "BMP", "AVIF"])
def test_every_format_decodes_to_its_pixels(format):
    source = page_pixels(colour=True)
    options = {"quality": 95} if format in {"JPEG", "AVIF"} else {"lossless": True} if format == "WEBP" else {}
    image = decode(encoded(source, format, **options))
    assert image.pixels.shape == source.shape and image.pixels.dtype == np.uint8
    assert image.format == format.lower() and image.alpha is None
    assert abs(image.pixels.astype(int) - source).mean() < 4
    assert pixels.inspect(encoded(source, format), LIMITS) == pixels.Header(format.lower(), 240, 340)


@pytest.mark.parametrize("data", [b"", b"x", b"just text\n" * 99, b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n"])
def test_what_is_no_picture_is_a_page_error(data):
    with pytest.raises(PageError):
        decode(data)
    with pytest.raises(PageError):
        pixels.inspect(data, LIMITS)


@pytest.mark.parametrize("share", [0.3, 0.7, 0.95])
@pytest.mark.parametrize(
    ("format", "options"),
    [("PNG", {}), ("JPEG", {}), ("JPEG", {"progressive": True}), ("WEBP", {}), ("AVIF", {}), ("TIFF", {}), ("BMP", {})],
)
def test_truncated_picture_is_a_page_error(format, options, share):
    data = encoded(page_pixels(), format, **options)
    with pytest.raises(PageError):
        decode(data[: int(len(data) * share)])


def test_truncated_picture_is_taken_with_a_note_when_tolerated():
    source = page_pixels()
    data = encoded(source, "JPEG", quality=95)
    image = pixels.decode(data[: len(data) // 2], LIMITS, tolerate_truncated=True)
    assert image.pixels.shape == source.shape
    assert abs(image.pixels[:100].astype(int) - source[:100]).mean() < 6
    assert any("ends early" in note for note in image.notes)
    with pytest.raises(PageError):  # the tolerance ends with the call
        decode(data[: len(data) // 2])


def test_bit_flips_end_in_a_picture_or_a_page_error():
    rng, source = random.Random(7), page_pixels(120, 170)
    started = time.monotonic()
    files = [
        encoded(source, f, **o) for f, o in (("JPEG", {}), ("JPEG", {"progressive": True}), ("PNG", {}), ("WEBP", {}))
    ]
    for number in range(240):
        data = bytearray(files[number % 4])
        data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
        try:
            assert decode(bytes(data)).pixels.ndim == 3
        except MangapaintError as error:
            assert error.message
    assert time.monotonic() - started < 20


def test_giant_picture_is_refused_from_its_header():
    data = giant_png(30_000)
    assert len(data) < 300_000
    started = time.monotonic()
    with pytest.raises(PageError, match="250 MP"):
        decode(data)
    with pytest.raises(PageError, match="px a side"):
        pixels.inspect(giant_png(2_000), Limits(side=1_999))
    assert time.monotonic() - started < 2


def test_large_but_allowed_picture_decodes_without_a_bomb_warning():
    assert decode(giant_png(9_500)).pixels.shape == (9_500, 9_500, 3)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_applied(orientation):
    upright = page_pixels(60, 80, colour=True)
    undo = {1: 1, 2: 2, 3: 3, 4: 4, 5: 5, 6: 8, 7: 7, 8: 6}[orientation]
    transposed = Image.fromarray(upright)
    methods = {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_270,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_90,
    }
    if undo != 1:
        transposed = transposed.transpose(methods[undo])
    exif = Image.Exif()
    exif[0x0112] = orientation
    image = decode(saved(transposed, "PNG", exif=exif, dpi=(100, 200)))
    assert np.array_equal(image.pixels, upright)
    assert [round(value) for value in image.dpi] == ([100, 200] if orientation < 5 else [200, 100])


@pytest.mark.filterwarnings("ignore::UserWarning:PIL")
def test_broken_exif_is_ignored():
    data = encoded(page_pixels(60, 80), "JPEG", exif=b"Exif\0\0II*\0\xff\xff\xff\xff nonsense")
    assert decode(data).pixels.shape == (80, 60, 3)


def test_sixteen_bit_grey_is_scaled_not_clipped():
    ramp = np.linspace(0, 65535, 256 * 8).astype(np.uint16).reshape(8, 256)
    image = decode(encoded(ramp, "PNG"))
    assert abs(image.pixels[..., 0].astype(int) - (ramp >> 8)).max() <= 1
    assert any("8 bits" in note for note in image.notes)
    assert abs(decode(encoded(ramp, "TIFF")).pixels[..., 1].astype(int) - (ramp >> 8)).max() <= 1


def test_float_tiff_is_scaled():
    ramp = np.linspace(0, 1, 256, dtype=np.float32).reshape(1, 256)
    assert abs(decode(encoded(ramp, "TIFF")).pixels[0, :, 0].astype(int) - np.arange(256)).max() <= 1


def test_one_bit_fax_tiff_equals_its_png():
    fax = Image.fromarray(page_pixels()).convert("1")
    png = decode(saved(fax, "PNG")).pixels
    assert np.array_equal(decode(saved(fax, "TIFF", compression="group4")).pixels, png)
    assert set(np.unique(png)) == {0, 255}


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P", "L"])
def test_transparency_is_composed_on_white(mode):
    alpha = np.zeros((40, 30), np.uint8)
    alpha[:20] = 255
    black = Image.fromarray(np.zeros((40, 30, 3), np.uint8))
    if mode in {"RGBA", "LA"}:
        image = black.convert(mode)
        image.putalpha(Image.fromarray(alpha))
        data = saved(image, "PNG")
    else:
        shades = Image.fromarray(np.where(alpha == 255, 0, 7).astype(np.uint8), "L" if mode == "L" else None)
        if mode == "P":
            shades = shades.convert("P")
        data = saved(shades, "PNG", transparency=7)
    page = decode(data)
    assert (page.pixels[:20] == 0).all() and (page.pixels[20:] == 255).all()
    assert np.array_equal(page.alpha, alpha)


def test_opaque_alpha_is_dropped():
    assert decode(saved(Image.fromarray(page_pixels()).convert("RGBA"))).alpha is None


@pytest.mark.parametrize("format", ["GIF", "WEBP", "PNG", "TIFF"])
def test_first_frame_of_an_animation_is_taken_with_a_note(format):
    frames = [Image.fromarray(page_pixels(60, 80, seed=seed)) for seed in range(3)]
    image = decode(saved(frames[0], format, save_all=True, append_images=frames[1:]))
    assert abs(image.pixels.astype(int) - np.asarray(frames[0])).mean() < 8
    assert any("first of 3 frames" in note for note in image.notes)


def test_cmyk_without_profile_converts():
    source = Image.fromarray(page_pixels(60, 80, colour=True))
    image = decode(saved(source.convert("CMYK"), "JPEG", quality=98))
    assert abs(image.pixels.astype(int) - np.asarray(source)).mean() < 6


ADOBE_RGB = ((0.6097, 0.3111, 0.0195), (0.2053, 0.6257, 0.0609), (0.1492, 0.0632, 0.7446))


def test_wide_gamut_profile_is_converted_as_lcms_does():
    source = page_pixels(60, 80, colour=True)
    profile = icc("RGB ", 2.2, ADOBE_RGB)
    image = decode(encoded(source, "PNG", icc_profile=profile))
    reference = ImageCms.profileToProfile(
        Image.fromarray(source), BytesIO(profile), ImageCms.createProfile("sRGB"), ImageCms.Intent.RELATIVE_COLORIMETRIC
    )
    assert abs(image.pixels.astype(int) - np.asarray(reference)).max() <= 3
    assert not np.array_equal(image.pixels, source)
    assert image.notes == ("converted from by code to sRGB",)


def test_grey_picture_with_a_colour_profile_stays_grey():
    ramp = np.tile(np.arange(256, dtype=np.uint8), (4, 1))
    pixels_ = decode(encoded(ramp, "PNG", icc_profile=icc("RGB ", 1.0, ADOBE_RGB))).pixels
    assert (pixels_ == pixels_[..., :1]).all() and pixels_[0, 128, 0] > 180


def test_grey_profile_is_converted_and_stays_grey():
    ramp = np.tile(np.arange(256, dtype=np.uint8), (4, 1))
    image = decode(encoded(ramp, "PNG", icc_profile=icc("GRAY", 1.0)))
    wanted = [255 * (12.92 * v if v <= 0.0031308 else 1.055 * v ** (1 / 2.4) - 0.055) for v in np.arange(256) / 255]
    assert abs(image.pixels[0, :, 0] - np.array(wanted)).max() <= 3
    assert (image.pixels == image.pixels[..., :1]).all()
    assert any("to sRGB" in note for note in image.notes)


def test_srgb_profile_changes_nothing():
    source = page_pixels(colour=True)
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    assert np.array_equal(decode(encoded(source, "PNG", icc_profile=profile)).pixels, source)
    grey = source[..., 0]
    assert np.array_equal(decode(encoded(grey, "PNG", icc_profile=profile)).pixels[..., 1], grey)


def test_corrupt_profile_is_ignored_with_a_note():
    source = page_pixels()
    for profile in (b"garbage" * 40, icc("GRAY", 2.2)):  # broken; of another colour space
        image = decode(encoded(source, "PNG", icc_profile=profile))
        assert np.array_equal(image.pixels, source)
        assert any("profile ignored" in note for note in image.notes)


def test_lab_tiff_decodes():
    lab = Image.merge("LAB", [Image.new("L", (30, 40), value) for value in (128, 128, 128)])
    shade = decode(saved(lab, "TIFF")).pixels
    assert np.ptp(shade, axis=2).max() <= 3 and 100 < shade.mean() < 140


def test_png_with_a_text_bomb_is_a_page_error():
    info = PngImagePlugin.PngInfo()
    info.add_text("a", "x" * 80_000_000, zip=True)
    with pytest.raises(PageError):
        decode(saved(Image.new("L", (9, 9)), "PNG", pnginfo=info))


@pytest.mark.parametrize("shape", [(1, 1), (1, 300), (5000, 3), (3000, 40)])
@pytest.mark.parametrize("format", ["png", "jpeg", "webp", "avif"])
def test_odd_sizes_survive_encoding(shape, format):
    source = np.random.default_rng(1).integers(0, 256, (*shape, 3), np.uint8)
    image = decode(pixels.encode(source, format=format))
    assert image.pixels.shape == source.shape
    assert format != "png" or np.array_equal(image.pixels, source)


@pytest.mark.parametrize("format", ["png", "jpeg", "webp", "avif"])
def test_encoding_is_deterministic_and_keeps_colour(format):
    source = np.full((64, 64, 3), (240, 40, 30), np.uint8)
    source[:, ::2] = (20, 30, 220)
    data = pixels.encode(source, format=format, quality=95)
    assert data == pixels.encode(source, format=format, quality=95)
    mean = decode(data).pixels.reshape(-1, 2, 3).mean(0)
    if format == "webp":  # halves the colour's resolution, the others must not
        assert abs(mean.mean(0) - [130, 35, 125]).max() < 60
    else:
        assert abs(mean - [[20, 30, 220], [240, 40, 30]]).max() < 12


@pytest.mark.parametrize("format", ["png", "webp", "avif"])
def test_alpha_and_dpi_are_written(format):
    source, alpha = page_pixels(60, 80), np.zeros((80, 60), np.uint8)
    alpha[10:] = 255
    image = decode(pixels.encode(source, format=format, alpha=alpha, dpi=(300, 300)))
    assert np.array_equal(image.alpha, alpha)
    assert (image.pixels[:10] == 255).all()


@pytest.mark.parametrize("format", ["png", "jpeg"])
def test_dpi_is_written(format):
    image = decode(pixels.encode(page_pixels(60, 80), format=format, dpi=(300, 150)))
    assert image.dpi == pytest.approx((300, 150), abs=0.1)


def test_grey_is_encoded_as_grey():
    grey = page_pixels(60, 80)[..., 0]
    for format in ("png", "jpeg"):
        with Image.open(BytesIO(pixels.encode(grey, format=format))) as image:
            assert image.mode == "L"


def test_sizes_beyond_a_format_fall_back_to_png():
    assert pixels.fitting_format("webp", 800, 16_383) == ("webp", None)
    assert pixels.fitting_format("webp", 800, 20_000)[0] == "png"
    assert pixels.fitting_format("jpeg", 70_000, 9)[0] == "png"
    assert "jpeg" in (pixels.fitting_format("jpeg", 70_000, 9)[1] or "")
    tall = np.zeros((20_000, 2, 3), np.uint8)
    with pytest.raises(PageError, match="webp"):
        pixels.encode(tall, format="webp")
    assert decode(pixels.encode(tall, format="png")).height == 20_000


def test_wrong_arrays_are_refused():
    for wrong in (np.zeros((4, 4, 4), np.uint8), np.zeros((4, 4), np.float32), np.zeros((0, 4, 3), np.uint8)):
        with pytest.raises(ValueError):
            pixels.encode(wrong, format="png")
    with pytest.raises(ValueError):
        pixels.encode(np.zeros((4, 4, 3), np.uint8), format="png", alpha=np.zeros((4, 5), np.uint8))


def test_suffixes_name_formats():
    assert pixels.suffix_of("jpeg") == ".jpg" and pixels.suffix_of("webp") == ".webp"
    assert pixels.format_of(".JPEG") == "jpeg" and pixels.format_of(".txt") is None


def test_png_chunks_stay_valid_with_dpi():
    data = pixels.encode(page_pixels(60, 80), format="png", dpi=(300, 300))
    at = 8
    while at < len(data):
        length = int.from_bytes(data[at : at + 4], "big")
        body = data[at + 4 : at + 8 + length]
        assert zlib.crc32(body) == int.from_bytes(data[at + 8 + length : at + 12 + length], "big")
        at += 12 + length


def test_picture_beyond_memory_is_an_out_of_memory_error(monkeypatch):
    def exhausted(*_, **__):
        raise MemoryError

    data = encoded(page_pixels(60, 80), "GIF")
    monkeypatch.setattr(Image.Image, "convert", exhausted)
    with pytest.raises(OutOfMemoryError) as caught:
        decode(data)
    assert caught.value.exit_code == 8


def test_resolution_that_makes_no_sense_is_dropped():
    for dpi in ((0, 0), (1e9, 300)):
        assert decode(encoded(page_pixels(60, 80), "TIFF", dpi=dpi)).dpi is None


def test_thirty_two_bit_grey_is_scaled():
    deep = np.linspace(0, 2**31 - 1, 64).astype(np.int32).reshape(1, 64)
    assert decode(encoded(deep, "TIFF")).pixels[0, :, 0].tolist() == (deep[0] >> 24).tolist()
