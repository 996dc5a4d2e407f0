"""Weights files: which are accepted, what their header says, and their sha256. No torch until tensors are read."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

from mangapaint.errors import WeightsError, printable

if TYPE_CHECKING:
    from torch import Tensor

SUFFIX = ".safetensors"
PICKLES = {".pth", ".pt", ".ckpt", ".bin", ".pkl", ".pickle", ".t7", ".npy"}
RESTRICTED = {".pth", ".pt", ".ckpt"}
"""Pickles that are read as tensors alone, where a user names them as an upscaler (models.community)."""
_LONGEST_HEADER = 100_000_000
"""As in the safetensors format itself."""
_CHUNK = 1 << 20


def refuse_pickle(name: str, first_bytes: bytes = b"") -> None:
    """Raise when the name or the first bytes are those of a pickle or a torch archive.

    Raises:
        WeightsError: unpickling runs code of the file's author, so such a file is never opened.
    """
    suffix = Path(name).suffix.lower()
    pickled = first_bytes[:2] in {b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05"} or first_bytes[:2] == b"PK"
    if suffix in PICKLES or pickled:
        raise WeightsError(
            f"{printable(name)} is a pickle, which can run code when it is read; only {SUFFIX} is accepted",
            remedy="ask its author for a safetensors file, or convert it on a machine that may be lost",
        )
    if suffix != SUFFIX:
        raise WeightsError(f"{printable(name)} is no {SUFFIX} file", remedy=f"give a {SUFFIX} file")


def sha256_of(path: Path) -> str:
    """Hex digest of the whole file, about 1.9 GB/s."""
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while block := stream.read(_CHUNK):
            digest.update(block)
    return digest.hexdigest()


def header(path: Path) -> dict[str, str]:
    """The metadata of a safetensors file, read without touching a tensor.

    Raises:
        WeightsError: the file is absent, no safetensors, or its header is broken.
    """
    try:
        with path.open("rb") as stream:
            total = os.fstat(stream.fileno()).st_size
            start = stream.read(8)
            refuse_pickle(path.name, start)
            length = int.from_bytes(start, "little")
            if len(start) < 8 or not 2 <= length <= min(_LONGEST_HEADER, total - 8):
                raise _broken(path, "its header does not fit the file")
            text = stream.read(length)
    except OSError as error:
        raise WeightsError(f"{printable(str(path))} cannot be read: {error.strerror}") from error
    return _metadata(path, text)


def checked(path: Path, sha256: str) -> tuple[bytes, str]:
    """The bytes of a file and their sha256.

    Raises:
        WrongSum: it is another than `sha256`, where that is not empty.
        WeightsError: the file cannot be read.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise WeightsError(f"{printable(str(path))} cannot be read: {error.strerror}") from error
    found = hashlib.sha256(data).hexdigest()
    if sha256 and found != sha256:
        raise WrongSum(path, sha256, found)
    return data, found


def read(path: Path, *, sha256: str = "") -> tuple[dict[str, Tensor], dict[str, str], str]:
    """Tensors, metadata and sha256 of a file; the bytes that are hashed are the bytes that are parsed.

    Args:
        path: the file.
        sha256: hex digest that it must have; empty takes any.

    Raises:
        WrongSum: the digest differs (nothing was parsed).
        WeightsError: the file is absent or no valid safetensors.
    """
    import safetensors.torch
    from safetensors import SafetensorError

    data, found = checked(path, sha256)
    refuse_pickle(path.name, data[:8])
    try:
        tensors = safetensors.torch.load(data)
    except (SafetensorError, KeyError, ValueError) as error:  # KeyError: a dtype that this torch does not know
        raise _broken(path, str(error)) from error
    return tensors, _metadata(path, data[8 : 8 + int.from_bytes(data[:8], "little")]), found


class WrongSum(WeightsError):  # noqa: N818
    """The sha256 is not the registered one: altered, damaged, or of another version."""

    def __init__(self, path: Path, expected: str, found: str) -> None:
        super().__init__(f"{printable(str(path))} has sha256 {found[:12]}..., not {expected[:12]}...")
        self.path = path


def _broken(path: Path, why: str) -> WeightsError:
    return WeightsError(
        f"{printable(path.name)} is no valid safetensors file: {printable(why)}", remedy="fetch it again"
    )


def _metadata(path: Path, text: bytes) -> dict[str, str]:
    try:
        entries = json.loads(text)
        metadata = entries.get("__metadata__", {})
        return {str(key): str(value) for key, value in metadata.items()}
    except (ValueError, AttributeError, RecursionError) as error:
        raise _broken(path, str(error)) from error
