"""The models that this version knows by name."""

from __future__ import annotations

from dataclasses import replace

from mangapaint.errors import UsageError, printable
from mangapaint.models.pins import PINS
from mangapaint.models.spec import ModelSpec

FACES, PAPER = "faces", "paper"
"""Names of the nets that look at pages for the others."""

_TABLE = (
    ModelSpec(name="painter", task="colorize", arch="painter", filename="painter.safetensors"),
    ModelSpec(name="pix2pix", task="colorize", arch="pix2pix", filename="pix2pix.safetensors"),
    ModelSpec(name="pix2pix-cue", task="colorize", arch="pix2pix", filename="pix2pix-cue.safetensors"),
    ModelSpec(name="labgan", task="colorize", arch="labgan", filename="labgan.safetensors"),
    ModelSpec(name="zhang", task="colorize", arch="zhang", filename="zhang.safetensors"),
    ModelSpec(name="dcgan", task="colorize", arch="abgan", filename="dcgan.safetensors"),
    ModelSpec(name="wgan-gp", task="colorize", arch="abgan", filename="wgan-gp.safetensors"),
    ModelSpec(name="portrait", task="portrait", arch="portrait", filename="portrait.safetensors"),
    ModelSpec(
        name="portrait-encoder", task="portrait", arch="portrait-encoder", filename="portrait-encoder.safetensors"
    ),
    ModelSpec(name=FACES, task="detect", arch="faces", filename="faces.safetensors"),
    ModelSpec(name=PAPER, task="segment", arch="paper", filename="paper.safetensors"),
    ModelSpec(name="upscaler", task="upscale", arch="upscaler", filename="upscaler.safetensors"),
    ModelSpec(name="upscaler-quality", task="upscale", arch="upscaler", filename="upscaler-quality.safetensors"),
    ModelSpec(name="upscaler-clean", task="upscale", arch="upscaler", filename="upscaler-clean.safetensors"),
)

REGISTRY: dict[str, ModelSpec] = {spec.name: replace(spec, **PINS.get(spec.filename, {})) for spec in _TABLE}
"""Name -> spec, with sha256, size and hyper-parameters of the shipped file from `pins`."""


def known(name: str) -> ModelSpec:
    """The spec of a registered name.

    Raises:
        UsageError: no model has that name; the message lists those that are known.
    """
    if name not in REGISTRY:
        names = ", ".join(sorted(REGISTRY))
        raise UsageError(
            f"no model is called '{printable(name)}'",
            remedy=f"choose one of {names}, hf:owner/repo[@rev][:file], or a path to a .safetensors file",
        )
    return REGISTRY[name]
