"""Upscalers that others trained: read as tensors alone, recognised and built by spandrel (the extra of that name).

No byte of such a file reaches spandrel's own readers: safetensors are parsed as everywhere else, and a .pth through
torch's weights-only unpickler, which builds tensors and plain containers and calls nothing that the file names.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from mangapaint.errors import UsageError, WeightsError, printable
from mangapaint.models import weightfile

SUFFIXES = frozenset({weightfile.SUFFIX, *weightfile.RESTRICTED})
_REACH = 32
"""Context of a tile where the architecture takes tiles, px: what upscaling programs give these nets; their own reach
is longer, but weighs nothing that far out."""
_FAR_REACH = 64
"""Likewise where it would rather see the whole page, and memory does not allow that."""
_NO_MODEL = "choose a file that chaiNNer or other programs built on spandrel can open"


@dataclass(frozen=True, slots=True)
class Rules:
    """What an architecture says of the pictures that it takes.

    Attributes:
        arch: its name, as spandrel has it.
        scale: output px per input px.
        channels: 1 (luminance) or 3 (RGB), in and out.
        multiple_of: tiles begin at multiples of it, px.
        overlap: context of a tile, px on each side.
        whole: whether the page should be seen as a whole where memory allows it.
        dtypes: floating types that it runs in.
    """

    arch: str
    scale: int
    channels: int
    multiple_of: int
    overlap: int
    whole: bool
    dtypes: frozenset[torch.dtype]


class CommunityNet(nn.Module):
    """(N, C, H, W) in 0..1 -> (N, C, H * scale, W * scale) float32 in 0..1; sizes it cannot take are continued."""

    def __init__(self, descriptor: Any) -> None:
        super().__init__()
        self.model = descriptor.model
        self._descriptor = descriptor

    def forward(self, x: Tensor, scale: int) -> Tensor:
        if scale != self._descriptor.scale:
            raise ValueError(f"a net of scale {self._descriptor.scale} was asked for {scale}")
        dtype = next(self.model.parameters()).dtype
        return torch.cat([self._descriptor(page[None].to(dtype)).float() for page in x])


def load(path: Path, *, sha256: str = "") -> tuple[CommunityNet, Rules, str]:
    """The net in a file, in eval mode on the CPU in fp32; what it takes; the file's sha256.

    Args:
        path: .safetensors, .pth, .pt or .ckpt.
        sha256: hex digest that it must have; empty takes any.

    Raises:
        UsageError: the net does not enlarge.
        WeightsError: the file is absent, damaged, runs code, or is of no architecture that is known.
    """
    import spandrel

    tensors, found = _tensors(path, sha256)
    where = printable(path.name)
    try:
        descriptor = spandrel.ModelLoader().load_from_state_dict(spandrel.canonicalize_state_dict(tensors))
    except spandrel.UnsupportedModelError as error:
        raise WeightsError(f"{where} fills no net that spandrel knows", remedy=_NO_MODEL) from error
    except Exception as error:  # hyper-parameters are guessed from foreign tensors: anything may go wrong there
        raise WeightsError(f"{where} does not fill its net: {_brief(error)}", remedy=_NO_MODEL) from error
    rules = _rules(descriptor, where)
    net = CommunityNet(descriptor)
    return net.float().eval().requires_grad_(False), rules, found


def _rules(descriptor: Any, where: str) -> Rules:
    import spandrel

    name = str(descriptor.architecture.name)
    if not isinstance(descriptor, spandrel.ImageModelDescriptor) or descriptor.purpose != "SR" or descriptor.scale < 2:
        purpose = {"Restoration": "restores without enlarging", "Inpainting": "fills holes", "FaceSR": "is for faces"}
        does = purpose.get(descriptor.purpose, f"has scale {descriptor.scale}")
        raise UsageError(f"{where} is a {name} net that {does}", remedy="choose a super-resolution model")
    channels = descriptor.input_channels
    if channels not in {1, 3} or descriptor.output_channels != channels:
        raise UsageError(
            f"{where} takes {channels} channels and gives {descriptor.output_channels}", remedy="choose an RGB model"
        )
    dtypes = {torch.float32}
    dtypes |= {torch.bfloat16} if descriptor.supports_bfloat16 else set()
    dtypes |= {torch.float16} if descriptor.supports_half else set()
    whole = descriptor.tiling is not spandrel.ModelTiling.SUPPORTED
    return Rules(
        arch=name,
        scale=descriptor.scale,
        channels=channels,
        multiple_of=descriptor.size_requirements.multiple_of,
        overlap=_FAR_REACH if whole else _REACH,
        whole=whole,
        dtypes=frozenset(dtypes),
    )


def _tensors(path: Path, sha256: str) -> tuple[dict[str, Tensor], str]:
    """Tensors by name and the sha256 of a file; the bytes that are hashed are the bytes that are parsed."""
    if path.suffix.lower() == weightfile.SUFFIX:
        tensors, _, found = weightfile.read(path, sha256=sha256)
    else:
        data, found = weightfile.checked(path, sha256)
        tensors = _unpickled(path, data)
    for key, tensor in tensors.items():
        if tensor.is_floating_point() and not torch.isfinite(tensor).all():
            raise WeightsError(f"{printable(path.name)}: weights in {printable(key)} are not finite")
    return tensors, found


def _unpickled(path: Path, data: bytes) -> dict[str, Tensor]:
    where = printable(path.name)
    _refuse_bomb(where, data)
    try:
        held = torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
    except Exception as error:  # torch tells forbidden globals, TorchScript and noise apart only by their text
        raise WeightsError(
            f"{where} does not hold tensors alone: {_brief(error)}",
            remedy="ask its author for a safetensors file; nothing in it was run",
        ) from error
    tensors = dict(_states(held))
    if not tensors:
        raise WeightsError(f"{where} holds no tensors", remedy=_NO_MODEL)
    if sum(tensor.numel() * tensor.element_size() for tensor in tensors.values()) > 2 * len(data) + 4096:
        raise WeightsError(f"{where} claims more weights than it has bytes", remedy=_NO_MODEL)
    return tensors


def _states(held: Any) -> Mapping[str, Tensor]:
    """The tensors of a checkpoint: itself, or of the place where trainers keep them."""
    for key in ("params_ema", "params", "state_dict", "model_state_dict", "model", "net"):
        if isinstance(held, dict) and isinstance(held.get(key), dict):
            return _states(held[key])
    pairs = held.items() if isinstance(held, dict) else ()
    return {str(key): value for key, value in pairs if isinstance(value, Tensor)}


def _refuse_bomb(where: str, data: bytes) -> None:
    """Torch writes its archives stored; a packed one may unfold to any size."""
    if not data.startswith(b"PK"):
        return
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            entries = archive.infolist()
    except (zipfile.BadZipFile, ValueError, NotImplementedError) as error:
        raise WeightsError(f"{where} is a damaged archive", remedy="fetch it again") from error
    if any(entry.compress_type != zipfile.ZIP_STORED for entry in entries):
        raise WeightsError(f"{where} is packed, as torch packs nothing", remedy="ask its author for a safetensors file")
    if sum(entry.file_size for entry in entries) > len(data):
        raise WeightsError(f"{where} claims more than it holds", remedy="fetch it again")


def _brief(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return printable((lines[0] if lines else type(error).__name__)[:200])
