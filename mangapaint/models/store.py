"""Finds weights by name, path or Hub reference, checks them, and fills a net with them.

Nothing is parsed before its sha256 was compared, where one is known: for registered models it stands in the registry,
for large files of the Hub its cache names the file by it.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from mangapaint.errors import UsageError, WeightsError, printable
from mangapaint.models import hub, weightfile
from mangapaint.models.archs import build
from mangapaint.models.registry import REGISTRY, known
from mangapaint.models.spec import ModelSpec, Task, from_metadata

if TYPE_CHECKING:
    from torch import Tensor, nn

_log = logging.getLogger("mangapaint.models")
_SHA256_DIGITS = 64


def shipped_folder() -> Path:
    """Where weights come with the program: inside the installed package, or beside it in a checkout."""
    package = Path(__file__).resolve().parents[1]
    inside = package / "weights"
    return inside if inside.is_dir() else package.parent / "weights"


def shipped(spec: ModelSpec) -> Path | None:
    """The copy of the weights that came with the program; None where it did not."""
    path = shipped_folder() / spec.filename
    return path if path.is_file() else None


def resolve(ref: str, *, offline: bool = False, tell: hub.Tell = _log.info) -> tuple[Path, ModelSpec]:
    """Where the weights lie, and what is known of them; they are fetched where they must be, but not parsed.

    Args:
        ref: name of a registered model, `hf:owner/repo[@rev][:file]`, or path to a .safetensors file.
        offline: never open a socket; HF_HUB_OFFLINE does the same.
        tell: gets one line for each thing that the user should know, such as the commit that a branch is at.

    Raises:
        UsageError: no model has that name and no file that path.
        WeightsError: not to be had, a pickle, or it does not describe itself.
    """
    if ref in REGISTRY:
        spec = REGISTRY[ref]
        return shipped(spec) or _from_hub(spec, offline, tell), spec
    if ref.startswith("hf:"):
        path, exact = hub.fetch(hub.parse(ref), offline=offline, tell=tell)
        spec = described(path, str(exact))
        return path, replace(spec, repo_id=exact.repo_id, revision=exact.revision, sha256=sum_in_cache(path))
    path = Path(ref).expanduser()
    if not path.suffix and os.sep not in ref:
        known(ref)
    weightfile.refuse_pickle(path.name)
    if not path.is_file():
        raise WeightsError(f"there is no file {printable(ref)}", remedy="check the path")
    return path, described(path, path.stem)


def load(
    ref: str, *, task: Task | None = None, offline: bool = False, tell: hub.Tell = _log.info
) -> tuple[nn.Module, ModelSpec]:
    """The net with its weights, in eval mode on the CPU in fp32, and its spec with sha256 and size filled in.

    Args:
        ref: as for `resolve`.
        task: what the model must be for; None takes any.
        offline: as for `resolve`.
        tell: as for `resolve`.

    Raises:
        UsageError: no such name, or a model for another task.
        WeightsError: not to be had, altered, a pickle, or it does not fit its net.
    """
    path, spec = resolve(ref, offline=offline, tell=tell)
    if task is not None and spec.task != task:
        raise UsageError(f"{printable(ref)} is a model to {spec.task}, not to {task}", remedy="choose another model")
    try:
        tensors, _, found = weightfile.read(path, sha256=spec.sha256)
    except weightfile.WrongSum as error:
        path = replaced(path, spec, error, offline=offline, tell=tell)
        tensors, _, found = weightfile.read(path, sha256=spec.sha256)
    net = _filled(spec, tensors, trusted=ref in REGISTRY)
    return net, replace(spec, sha256=found, size=path.stat().st_size)


def replaced(
    path: Path, spec: ModelSpec, error: WeightsError, *, offline: bool = False, tell: hub.Tell = _log.info
) -> Path:
    """Another copy of damaged weights, fetched once; the damaged file of a cache is kept beside it as `.bad`.

    Raises:
        WeightsError: the weights are not on the Hub, or cannot be fetched now.
    """
    came_along = path == shipped(spec)
    if spec.repo_id is None:
        remedy = "install mangapaint again" if came_along else "fetch the file again"
        raise WeightsError(error.message, remedy=remedy) from error
    if not came_along:
        bad = hub.discard(path)
        tell(f"{error.message}; kept as {bad}")
    return _from_hub(spec, offline, tell)


def _from_hub(spec: ModelSpec, offline: bool, tell: hub.Tell) -> Path:
    if spec.repo_id is None:
        raise WeightsError(
            f"the weights of '{spec.name}' are not in {shipped_folder()}", remedy="install mangapaint again"
        )
    place = hub.HubFile(spec.repo_id, spec.revision, spec.filename)
    return hub.fetch(place, offline=offline, size=spec.size, tell=tell)[0]


def described(path: Path, name: str) -> ModelSpec:
    """The spec in a file's own header.

    Raises:
        WeightsError: there is none, or the file is no safetensors.
    """
    return from_metadata(weightfile.header(path), filename=path.name, default_name=name)


def sum_in_cache(path: Path) -> str:
    """The sha256 by which the Hub's cache names a large file, read off its link; empty where there is none."""
    if not path.is_symlink():
        return ""
    name = path.readlink().name
    return name if len(name) == _SHA256_DIGITS and set(name) <= set("0123456789abcdef") else ""


def _filled(spec: ModelSpec, tensors: Mapping[str, Tensor], *, trusted: bool) -> nn.Module:
    import torch

    if not trusted:
        # A hostile header may ask for any size: measured without memory before the net is made.
        with torch.device("meta"):
            _compare(spec, build(spec.arch, spec.config), tensors)
    net = build(spec.arch, spec.config)
    _compare(spec, net, tensors)
    for key, tensor in tensors.items():
        if tensor.is_floating_point() and not torch.isfinite(tensor).all():
            raise WeightsError(f"{printable(spec.name)}: weights in {printable(key)} are not finite")
    net.load_state_dict(dict(tensors), strict=True)
    return net.float().eval().requires_grad_(False)


def _compare(spec: ModelSpec, net: nn.Module, tensors: Mapping[str, Tensor]) -> None:
    expected = {key: tuple(tensor.shape) for key, tensor in net.state_dict().items()}
    wrong = [f"{key} is missing" for key in expected.keys() - tensors.keys()]
    wrong += [f"{key} is not part of it" for key in tensors.keys() - expected.keys()]
    wrong += [
        f"{key} is {tuple(tensors[key].shape)}, not {expected[key]}"
        for key in expected.keys() & tensors.keys()
        if tuple(tensors[key].shape) != expected[key]
    ]
    if wrong:
        shown = "; ".join(printable(line) for line in sorted(wrong)[:3])
        more = f"; and {len(wrong) - 3} more" if len(wrong) > 3 else ""
        raise WeightsError(f"{printable(spec.name)} does not fit the {spec.arch} net: {shown}{more}")
