"""Nets by name: each arch is a params dataclass and an nn.Module built from it, imported when first asked for."""

from __future__ import annotations

import dataclasses
import importlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, cast

from mangapaint.errors import WeightsError, printable

if TYPE_CHECKING:
    from torch import nn

ARCHS: dict[str, tuple[str, str, str]] = {
    "painter": ("mangapaint.models.painter_net", "PainterConfig", "PainterNet"),
    "pix2pix": ("mangapaint.models.pix2pix_net", "Pix2PixConfig", "Pix2PixNet"),
    "labgan": ("mangapaint.models.labgan_net", "LabGanConfig", "LabGanNet"),
    "zhang": ("mangapaint.models.zhang_net", "ZhangConfig", "ZhangNet"),
    "abgan": ("mangapaint.models.abgan_net", "AbGanConfig", "AbGanNet"),
    "portrait": ("mangapaint.models.portrait_net", "PortraitConfig", "PortraitNet"),
    "faces": ("mangapaint.models.faces_net", "FacesConfig", "FacesNet"),
    "paper": ("mangapaint.models.paper_net", "PaperConfig", "PaperNet"),
    "portrait-encoder": ("mangapaint.models.portrait_encoder", "PortraitEncoderConfig", "PortraitEncoder"),
    "upscaler": ("mangapaint.models.upscaler_net", "UpscalerConfig", "UpscalerNet"),
}
"""Arch -> module, params dataclass, net."""

_LARGEST = 65_536
"""No width, depth or factor of a net comes near this; a header that says more would only eat memory."""


def build(arch: str, config: Mapping[str, Any]) -> nn.Module:
    """A net with fresh weights on the torch default device; lists in `config` stand for tuples.

    Raises:
        WeightsError: the arch is unknown, or the config does not fit it.
    """
    if arch not in ARCHS:
        raise WeightsError(
            f"no net is called '{printable(arch)}'; this version has {', '.join(sorted(ARCHS))}",
            remedy="update mangapaint, or choose another model",
        )
    module_name, config_name, net_name = ARCHS[arch]
    module = importlib.import_module(module_name)
    config_class: Any = getattr(module, config_name)
    known = {field.name for field in dataclasses.fields(config_class)}
    if strangers := sorted(map(str, set(config) - known)):
        raise WeightsError(
            f"the {arch} net has no parameter {', '.join(map(printable, strangers))}", remedy="update mangapaint"
        )
    try:
        params = config_class(**{key: _tuples(value) for key, value in config.items()})
        return cast("nn.Module", getattr(module, net_name)(params))
    except (TypeError, ValueError, ArithmeticError, LookupError, RuntimeError) as error:
        raise WeightsError(f"the {arch} net cannot be built from its parameters: {error}") from error


def _tuples(value: Any) -> Any:
    if isinstance(value, int | float) and abs(value) > _LARGEST:
        raise ValueError(f"{value} is out of all proportion")
    if isinstance(value, list | tuple):
        return tuple(_tuples(item) for item in value)
    return value
