"""Upscalers by what a user calls them: a tier of ours, a registered name, or anybody's file."""

from __future__ import annotations

import importlib.util
import logging
import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, cast

from mangapaint.errors import UsageError, WeightsError, printable
from mangapaint.models import hub, store, weightfile
from mangapaint.models.registry import REGISTRY, known
from mangapaint.models.spec import METADATA_KEY, ModelSpec

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

    from mangapaint.models.upscaler_net import UpscalerNet

TIERS = {"fast": "upscaler", "quality": "upscaler-quality"}
"""What --upscaler calls our nets -> their names in the registry."""
CLEAN = {"quality": "upscaler-clean"}
"""Tiers that have a second net, for pages without a trace of compression or noise -> its name in the registry."""
FOREIGN = "spandrel"
"""Arch of a spec whose net spandrel recognises."""
_fetched: dict[str, tuple[Path, ModelSpec]] = {}
"""By Hub reference: what one run hashes and then loads is one commit, though its branch may move meanwhile."""
_log = logging.getLogger("mangapaint.models")


@dataclass(frozen=True, slots=True)
class Upscaler:
    """A net that enlarges, with what tiling must know of it.

    Attributes:
        net: `net(x, scale)`, (N, C, H, W) float32 in 0..1 -> (N, C, H * scale, W * scale) float32.
        spec: with sha256 and size filled in.
        scales: that it has, rising.
        channels: C: 1, luminance; or 3, RGB.
        multiple_of: tiles begin at multiples of it, px.
        overlap: px on each side that a result depends on.
        whole: whether pages should not be cut where memory allows that.
        dtypes: floating types that its weights may be brought to; None: any.
    """

    net: nn.Module
    spec: ModelSpec
    scales: tuple[int, ...]
    channels: int = 1
    multiple_of: int = 1
    overlap: int = 0
    whole: bool = False
    dtypes: frozenset[torch.dtype] | None = None

    def __call__(self, x: Tensor, scale: int) -> Tensor:
        return cast("Callable[[Tensor, int], Tensor]", self.net)(x, scale)


def nets_of(ref: str) -> tuple[str, ...]:
    """The references of all nets that one stands for: of a tier with two, the one for clean pages last."""
    return (ref, CLEAN[ref]) if ref in CLEAN else (ref,)


def resolve(ref: str, *, offline: bool = False, tell: hub.Tell = _log.info) -> tuple[Path, ModelSpec]:
    """As `store.resolve`, for upscalers: tiers have names, and files of others are taken too.

    The licence of a file that is fetched is told, where the Hub says one.

    Raises:
        UsageError: no model has that name and no file that path.
        WeightsError: not to be had.
    """
    ref = TIERS.get(ref, ref)
    if ref in REGISTRY:
        return store.resolve(ref, offline=offline, tell=tell)
    if ref.startswith("hf:"):
        wanted = hub.parse(ref, pickles=True)
        new = not hub.is_cached(wanted)
        path, exact = hub.fetch(wanted, offline=offline, tell=tell)
        licence = hub.licence(exact, offline=offline) if new else ""
        if licence:
            tell(f"licence of {exact.repo_id}, as the Hub says: {printable(licence)}")
        spec = _spec(path, str(exact))
        found = replace(spec, repo_id=exact.repo_id, revision=exact.revision, sha256=store.sum_in_cache(path))
        _fetched[ref] = path, replace(found, licence=spec.licence or licence)
        return _fetched[ref]
    path = Path(ref).expanduser()
    if not path.suffix and os.sep not in ref:
        known(ref)
    if path.suffix.lower() not in weightfile.RESTRICTED:
        weightfile.refuse_pickle(path.name)
    if not path.is_file():
        raise WeightsError(f"there is no file {printable(ref)}", remedy="check the path")
    return path, _spec(path, path.stem)


def load(ref: str, scale: int, *, offline: bool = False, tell: hub.Tell = _log.info) -> Upscaler:
    """The upscaler with its weights, in eval mode on the CPU in fp32.

    Args:
        ref: `fast`, `quality`, a registered name, `hf:owner/repo[@rev][:file]`, or a path.
        scale: that it must have.
        offline: never open a socket.
        tell: gets one line for each thing that the user should know.

    Raises:
        UsageError: no such name, another task, another scale, or the extra that it needs is not installed.
        WeightsError: not to be had, altered, or it does not fit its net.
    """
    ref = TIERS.get(ref, ref)
    known_here = ref in _fetched and _fetched[ref][0].is_file()
    path, spec = _fetched[ref] if known_here else resolve(ref, offline=offline, tell=tell)
    if spec.arch == FOREIGN:
        found = _foreign(path, spec)
    else:
        loaded, spec = store.load(ref, task="upscale", offline=offline, tell=tell)
        net = cast("UpscalerNet", loaded)
        found = Upscaler(
            net, spec, tuple(sorted(net.config.scales)), multiple_of=net.multiple_of, overlap=spec.receptive_field or 0
        )
    if scale not in found.scales:
        has = " or ".join(f"{each}x" for each in found.scales)
        raise UsageError(
            f"{printable(spec.name)} enlarges {has}, not {scale}x", remedy=f"pass --upscale {found.scales[-1]}x"
        )
    return found


def demand_extra() -> None:
    """Raise UsageError where spandrel is not installed."""
    if importlib.util.find_spec("spandrel") is None:
        raise UsageError(
            "upscalers of others need the extra 'spandrel'",
            remedy="pip install 'mangapaint[spandrel]', or --upscaler fast",
        )


def _foreign(path: Path, spec: ModelSpec) -> Upscaler:
    demand_extra()
    from mangapaint.models import community

    net, rules, found = community.load(path, sha256=spec.sha256)
    spec = replace(
        spec,
        config={"architecture": rules.arch, "channels": rules.channels},
        scale=rules.scale,
        multiple_of=rules.multiple_of,
        receptive_field=rules.overlap,
        sha256=found,
        size=path.stat().st_size,
    )
    return Upscaler(
        net,
        spec,
        (rules.scale,),
        channels=rules.channels,
        multiple_of=rules.multiple_of,
        overlap=rules.overlap,
        whole=rules.whole,
        dtypes=rules.dtypes,
    )


def _spec(path: Path, name: str) -> ModelSpec:
    """What a file says of itself; of one that says nothing: that it may be an upscaler of somebody else."""
    if path.suffix.lower() == weightfile.SUFFIX and METADATA_KEY in weightfile.header(path):
        return store.described(path, name)
    return ModelSpec(name=name, task="upscale", arch=FOREIGN, filename=path.name)
