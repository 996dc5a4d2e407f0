"""The only door between bytes and arrays: one decoder, one encoder per format.

Files lie in ways that Image.open() does not show: sideways with an EXIF tag, in another colour space, in 16 bits, with
hidden colour under transparency, cut off. Here all become upright 8-bit sRGB on white, or a PageError.
"""

from __future__ import annotations

import struct
import threading
import warnings
import zlib
from dataclasses import dataclass
from io import BytesIO
from typing import Any, Literal

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFile, ImageOps

from mangapaint.errors import OutOfMemoryError, PageError
from mangapaint.page import Bytes2D, PageImage
from mangapaint.profiles import to_srgb
from mangapaint.settings import Limits

EncodedFormat = Literal["png", "jpeg", "webp", "avif"]

_FORMAT_OF_SUFFIX = {
    ".jpg": "jpeg",
    ".jpeg": "jpeg",
    ".png": "png",
    ".webp": "webp",
    ".gif": "gif",
    ".tif": "tiff",
    ".tiff": "tiff",
    ".bmp": "bmp",
    ".avif": "avif",
}
SUFFIXES: frozenset[str] = frozenset(_FORMAT_OF_SUFFIX)
"""Suffixes of files taken for pictures, in lower case."""

_PILLOW_FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "TIFF", "BMP", "AVIF")
_SUFFIX_OF_FORMAT = {"jpeg": ".jpg", "tiff": ".tif"}
_LONGEST_SIDE = {"webp": 16_383, "jpeg": 65_500, "avif": 65_500, "png": 1_000_000}
_OPAQUE = 255

# Processor seconds / MB of 54 MP, a coloured page at x4: png level 2 with all filters tried 2.44 / 44.1, level 3 3.25 /
# 42.4, Pillow at level 1 2.53 / 45.2; runs after the row above 1.27 / 44.4, and smaller than level 2 on gray pages.
# JPEG 4:4:4 .24 / 9.6 (cv2 the same). WebP method 4 3.74 / 4.5, method 2 1.81 / 4.6. AVIF speed 8 13.9 / 5.7, 10 3.8 /
# 7.2. Encoders run beside the nets, a page a thread (pipeline.finish).
_PNG = [
    cv2.IMWRITE_PNG_COMPRESSION,
    1,
    cv2.IMWRITE_PNG_STRATEGY,
    cv2.IMWRITE_PNG_STRATEGY_RLE,
    cv2.IMWRITE_PNG_FILTER,
    cv2.IMWRITE_PNG_FILTER_UP,
]
_WEBP_METHOD = 2
_AVIF_SPEED, _AVIF_FASTEST, _AVIF_LARGE = 8, 10, 16_000_000  # the faster one above so many pixels

# Pillow's own ceiling only warns up to twice its value; _open() checks the header against Limits instead.
Image.MAX_IMAGE_PIXELS = None

# It warns of broken metadata, which says nothing about the pixels; what matters goes into PageImage.notes.
warnings.filterwarnings("ignore", category=UserWarning, module=r"PIL\.")

# Pillow knows tolerance only as a process-wide switch, so a decoder that wants it works alone.
_tolerance = threading.Lock()


@dataclass(frozen=True, slots=True)
class Header:
    """What a picture's header says: format in lower case, size in px as stored (before EXIF rotation)."""

    format: str
    width: int
    height: int


def inspect(data: bytes, limits: Limits) -> Header:
    """Read a picture's header, without decoding pixels.

    Raises:
        PageError: no picture in an allowed format, or larger than `limits`.
    """
    with _open(data, limits) as image:
        return _header(image)


def decode(data: bytes, limits: Limits, *, tolerate_truncated: bool = False) -> PageImage:
    """Decode a picture file into upright 8-bit sRGB.

    Args:
        data: a whole file in one of the formats of SUFFIXES; of several frames the first is taken.
        limits: refused above these, before pixels are decoded.
        tolerate_truncated: take a file that ends early, with a note; what is missing is grey or black.

    Raises:
        PageError: not a picture, damaged, cut off, or over the limits.
        OutOfMemoryError: the picture is within the limits but not within memory.
    """
    if not tolerate_truncated:
        return _decode(data, limits)
    with _tolerance:
        try:
            return _decode(data, limits)
        except PageError:
            ImageFile.LOAD_TRUNCATED_IMAGES = True
            try:
                return _decode(data, limits, notes=["the file is damaged or ends early"])
            finally:
                ImageFile.LOAD_TRUNCATED_IMAGES = False


def encode(
    pixels: NDArray[np.uint8],
    *,
    format: EncodedFormat,
    quality: int = 90,
    alpha: Bytes2D | None = None,
    dpi: tuple[float, float] | None = None,
) -> bytes:
    """Encode an upright sRGB picture; the same input gives the same bytes.

    Args:
        pixels: (H, W, 3) or (H, W) uint8 sRGB.
        format: png (lossless), jpeg (4:4:4), webp or avif; see fitting_format() for what holds which size.
        quality: 1-100, for all but png.
        alpha: (H, W) uint8, written where the format can hold it (not jpeg).
        dpi: horizontal, vertical; written to png and jpeg.

    Raises:
        PageError: the picture is larger than the format can hold.
        ValueError: the arrays do not have these shapes.
    """
    if pixels.dtype != np.uint8 or pixels.ndim not in (2, 3) or pixels.shape[2:] not in ((), (3,)) or not pixels.size:
        raise ValueError(f"cannot encode {pixels.dtype} of shape {pixels.shape}")
    if alpha is not None and alpha.shape != pixels.shape[:2]:
        raise ValueError(f"alpha {alpha.shape} does not fit pixels {pixels.shape}")
    height, width = pixels.shape[:2]
    if fitting_format(format, width, height)[0] != format:
        raise PageError(f"{width}x{height} px is larger than {format} can hold", remedy="use --format png")
    if format == "png":
        return _encode_png(pixels, alpha, dpi)
    if alpha is not None and format != "jpeg":
        pixels = np.dstack([_three_channels(pixels), alpha])
    options: dict[str, Any] = {"quality": quality}
    if format == "jpeg":
        options |= {"subsampling": "4:4:4"} | ({"dpi": (round(dpi[0]), round(dpi[1]))} if dpi else {})
    elif format == "avif":
        options |= {"subsampling": "4:4:4", "speed": _AVIF_SPEED if width * height <= _AVIF_LARGE else _AVIF_FASTEST}
    elif format == "webp":
        options |= {"method": _WEBP_METHOD}
    out = BytesIO()
    try:
        Image.fromarray(pixels).save(out, format.upper(), **options)
    except (OSError, ValueError) as error:
        raise PageError(f"cannot encode {width}x{height} px as {format}: {error}", remedy="use --format png") from error
    return out.getvalue()


def fitting_format(format: EncodedFormat, width: int, height: int) -> tuple[EncodedFormat, str | None]:
    """The format itself, or png and a note when a picture of that size does not fit into it."""
    longest = _LONGEST_SIDE[format]
    if max(width, height) <= longest:
        return format, None
    return "png", f"{width}x{height} px is more than the {longest} px of {format}: png is written instead"


def suffix_of(format: str) -> str:
    """The usual suffix of a format's files: jpeg -> .jpg."""
    return _SUFFIX_OF_FORMAT.get(format, f".{format}")


def format_of(suffix: str) -> str | None:
    """The format that a suffix (".JPG") stands for, or None."""
    return _FORMAT_OF_SUFFIX.get(suffix.lower())


def _open(data: bytes, limits: Limits) -> Image.Image:
    try:
        image = Image.open(BytesIO(data), formats=_PILLOW_FORMATS)
    except Exception as error:  # a third party's parser on hostile bytes: any failure means "not a readable picture"
        raise PageError("not a readable picture" if data else "the file is empty") from error
    width, height = image.size
    if max(width, height) > limits.side:
        raise PageError(
            f"{width}x{height} px is over the limit of {limits.side} px a side", remedy="raise --limit-side"
        )
    if width * height > limits.page_megapixels * 1e6:
        raise PageError(
            f"{width}x{height} px is over the limit of {limits.page_megapixels:g} MP",
            remedy="raise --limit-megapixels",
        )
    return image


def _header(image: Image.Image) -> Header:
    # A JPEG with a second picture inside (3-D cameras, phones) calls itself MPO.
    return Header({"MPO": "jpeg"}.get(image.format or "", (image.format or "").lower()), *image.size)


def _decode(data: bytes, limits: Limits, notes: list[str] | None = None) -> PageImage:
    notes = [] if notes is None else notes
    try:
        with _open(data, limits) as image:
            header = _header(image)
            frames = int(getattr(image, "n_frames", 1))
            if frames > 1:
                notes.append(f"first of {frames} frames taken")
            image.load()
            dpi = _dpi(image)
            upright = _upright(image, notes)
            if upright.size != image.size and dpi is not None:
                dpi = dpi[1], dpi[0]
            pixels, alpha = _to_arrays(upright, notes)
    except PageError:
        raise
    except MemoryError as error:
        raise OutOfMemoryError("a page does not fit into memory") from error
    except Exception as error:  # as in _open(): whatever a decoder trips over, the page is damaged
        raise PageError(f"damaged picture: {error}") from error
    return PageImage(pixels, alpha, dpi, header.format, tuple(notes))


def _upright(image: Image.Image, notes: list[str]) -> Image.Image:
    try:
        return ImageOps.exif_transpose(image)
    except Exception:  # broken EXIF says nothing about the pixels, which are already decoded
        notes.append("broken EXIF data ignored")
        return image


def _to_arrays(image: Image.Image, notes: list[str]) -> tuple[NDArray[np.uint8], Bytes2D | None]:
    """(H, W, 3) sRGB on white, and (H, W) alpha where something is transparent."""
    alpha: Bytes2D | None = None
    profile = image.info.get("icc_profile")
    image = _eight_bits(image, notes)
    if "transparency" in image.info or image.mode in {"RGBA", "LA", "PA", "La", "RGBa"}:
        image = image.convert("LA" if image.mode in {"L", "LA", "1"} else "RGBA")
        alpha = np.asarray(image.getchannel("A"))
        alpha = None if (alpha == _OPAQUE).all() else alpha
        image = image.convert("L" if image.mode == "LA" else "RGB")
    elif image.mode == "1":
        image = image.convert("L")
    elif image.mode not in {"L", "CMYK", "LAB"}:
        image = image.convert("RGB")
    image = to_srgb(image, profile, notes)
    pixels = _three_channels(np.asarray(image, np.uint8))
    if alpha is not None:
        pixels = on_white(pixels, alpha)
    return np.ascontiguousarray(pixels), alpha


def on_white(pixels: NDArray[np.uint8], alpha: Bytes2D) -> NDArray[np.uint8]:
    """Compose (H, W, 3) uint8 over white by (H, W) uint8 alpha."""
    weight = alpha[..., None].astype(np.uint16)
    mixed = pixels * weight + _OPAQUE * (_OPAQUE - weight)
    return ((mixed + _OPAQUE // 2) // _OPAQUE).astype(np.uint8)


def _three_channels(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return pixels if pixels.ndim == 3 else np.asarray(cv2.cvtColor(pixels, cv2.COLOR_GRAY2RGB), np.uint8)


def _eight_bits(image: Image.Image, notes: list[str]) -> Image.Image:
    """Deep pictures scaled to 8 bits: Pillow's convert() would clip everything above 255 to white."""
    if image.mode not in {"I", "F"} and not image.mode.startswith("I;"):
        return image
    values = np.asarray(image)
    if image.mode == "F":
        values = np.nan_to_num(values, nan=0.0, posinf=0.0, neginf=0.0)
        top = 1.0 if values.max(initial=0) <= 1 else max(255.0, float(values.max()))
        scaled = np.clip(values * (255 / top), 0, 255)
    else:
        values = np.clip(values, 0, None)
        scaled = values >> (8 if values.max(initial=0) <= 0xFFFF else 24 if values.max() > 0xFFFFFF else 16)
    notes.append(f"{'float' if image.mode == 'F' else 'deep'} picture scaled to 8 bits")
    return Image.fromarray(scaled.astype(np.uint8))


def _dpi(image: Image.Image) -> tuple[float, float] | None:
    try:
        x, y = (float(value) for value in image.info["dpi"])
    except (KeyError, TypeError, ValueError, ZeroDivisionError):
        return None
    return (x, y) if 1 < x < 1e5 and 1 < y < 1e5 else None


def _encode_png(pixels: NDArray[np.uint8], alpha: Bytes2D | None, dpi: tuple[float, float] | None) -> bytes:
    if alpha is not None:
        pixels = np.dstack([_three_channels(pixels)[..., ::-1], alpha])
    elif pixels.ndim == 3:
        pixels = np.asarray(cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR), np.uint8)
    done, out = cv2.imencode(".png", pixels, _PNG)
    if not done:
        raise PageError("cannot encode the page as png")
    data = out.tobytes()
    if dpi is None:
        return data
    per_metre = struct.pack(">IIB", *(round(value / 0.0254) for value in dpi), 1)
    chunk = struct.pack(">I", len(per_metre)) + b"pHYs" + per_metre + struct.pack(">I", zlib.crc32(b"pHYs" + per_metre))
    after_header = 8 + 25  # signature, then the IHDR chunk
    return data[:after_header] + chunk + data[after_header:]
