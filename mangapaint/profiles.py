"""Colour profiles: a decoded picture in any colour space becomes sRGB."""

from __future__ import annotations

from functools import cache
from io import BytesIO

import numpy as np
from PIL import Image, ImageCms

_INTENT = ImageCms.Intent.RELATIVE_COLORIMETRIC
_FLAGS = ImageCms.Flags.BLACKPOINTCOMPENSATION
_EXACT = _FLAGS | ImageCms.Flags.NOOPTIMIZE  # the short cuts of lcms are 10 levels off in the shadows
_SPACE_OF_MODE = {"L": "GRAY", "RGB": "RGB", "CMYK": "CMYK", "LAB": "Lab"}


def to_srgb(image: Image.Image, profile: bytes | None, notes: list[str]) -> Image.Image:
    """The picture in sRGB.

    Args:
        image: mode L, RGB, CMYK or LAB.
        profile: the ICC profile embedded in its file, if any; one that does not fit or is broken is ignored.
        notes: gets a line when a profile was used or ignored.

    Returns:
        Mode L (only from L) or RGB.
    """
    if profile:
        try:
            return _convert(image, profile, notes)
        except (ImageCms.PyCMSError, OSError, ValueError, TypeError) as error:
            notes.append(f"broken colour profile ignored ({error})")
    if image.mode == "LAB":
        return ImageCms.applyTransform(image, _lab_transform()) or image
    return image if image.mode == "L" else image.convert("RGB")


def _convert(image: Image.Image, data: bytes, notes: list[str]) -> Image.Image:
    profile = ImageCms.ImageCmsProfile(BytesIO(data))
    space = profile.profile.xcolor_space.strip()
    name = _description(profile) or f"a {space} profile"
    if image.mode == "L" and space in {"GRAY", "RGB"}:
        # 256 shades have 256 answers; the green one is taken because a neutral input has a neutral result.
        ramp = Image.fromarray(np.arange(256, dtype=np.uint8)[None])
        ramp = ramp if space == "GRAY" else ramp.convert("RGB")
        table = np.asarray(_apply(ramp, profile, _EXACT).getchannel("G"))[0]
        if abs(table.astype(int) - np.arange(256)).max() <= 1:
            return image
        notes.append(f"converted from {name} to sRGB")
        return image.point(table.tolist())
    if _SPACE_OF_MODE.get(image.mode) != space:
        raise ValueError(f"a {space} profile on a {image.mode} picture")
    if image.mode == "RGB" and "srgb" in name.lower():
        return image
    notes.append(f"converted from {name} to sRGB")
    return _apply(image, profile)


def _description(profile: ImageCms.ImageCmsProfile) -> str:
    try:
        text = profile.profile.profile_description or ""
    except ValueError:  # not in ASCII, as some scanners write it: Pillow cannot read it, but the profile is good
        return ""
    return "".join(c for c in text if c.isprintable()).strip()


def _apply(image: Image.Image, profile: ImageCms.ImageCmsProfile, flags: ImageCms.Flags = _FLAGS) -> Image.Image:
    transform = ImageCms.buildTransform(profile, _srgb(), image.mode, "RGB", _INTENT, flags)
    result = ImageCms.applyTransform(image, transform)
    if result is None:
        raise ValueError("no result")
    return result


def _srgb() -> ImageCms.ImageCmsProfile:
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))


@cache
def _lab_transform() -> ImageCms.ImageCmsTransform:
    return ImageCms.buildTransform(ImageCms.createProfile("LAB"), _srgb(), "LAB", "RGB", _INTENT, _FLAGS)
