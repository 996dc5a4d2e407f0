"""What `mangapaint models list|info|pull|verify` say. No torch."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from mangapaint.errors import WeightsError
from mangapaint.models import hub, store, upscalers, weightfile
from mangapaint.models.registry import REGISTRY, known
from mangapaint.models.spec import ModelSpec

Place = Literal["shipped", "cached", "on the Hub", "missing"]
_log = logging.getLogger("mangapaint.models")


@dataclass(frozen=True, slots=True)
class Row:
    """One registered model and where its weights lie on this machine; `path` is None where they do not."""

    spec: ModelSpec
    place: Place
    path: Path | None


@dataclass(frozen=True, slots=True)
class Check:
    """Whether the weights of a model are here and unaltered; `detail` says what was found."""

    name: str
    ok: bool
    detail: str


def listing() -> list[Row]:
    """All registered models, by name; opens no socket."""
    return [_row(REGISTRY[name]) for name in sorted(REGISTRY)]


def info(ref: str, *, offline: bool = False, tell: hub.Tell = _log.info) -> Row:
    """One model: a registered name, or any reference, which is fetched to be described; sha256 and size are measured.

    Raises:
        UsageError: no such name.
        WeightsError: the reference is not to be had.
    """
    ref = upscalers.TIERS.get(ref, ref)
    if ref in REGISTRY:
        return _row(REGISTRY[ref])
    path, spec = upscalers.resolve(ref, offline=offline, tell=tell)
    measured = replace(spec, sha256=weightfile.sha256_of(path), size=path.stat().st_size)
    return Row(measured, "cached" if spec.repo_id else "shipped", path)


def pull(ref: str, *, offline: bool = False, tell: hub.Tell = _log.info) -> Path:
    """Fetch the weights of a reference where they are not here yet, and check them; where they lie.

    Raises:
        UsageError: no such name.
        WeightsError: not to be had, or altered and not to be had again.
    """
    path, spec = upscalers.resolve(ref, offline=offline, tell=tell)
    for again in (True, False):
        found = weightfile.sha256_of(path)
        if not spec.sha256 or found == spec.sha256:
            break
        error = weightfile.WrongSum(path, spec.sha256, found)
        if not again:
            raise error
        path = store.replaced(path, spec, error, offline=offline, tell=tell)
    if path.suffix == weightfile.SUFFIX:
        weightfile.header(path)
    return path


def verify(name: str = "all") -> list[Check]:
    """Compare the weights on this machine with the registry; changes nothing and opens no socket.

    Raises:
        UsageError: no such name.
    """
    return [_check(_row(spec)) for spec in (REGISTRY.values() if name == "all" else [known(name)])]


def _row(spec: ModelSpec) -> Row:
    if path := store.shipped(spec):
        return Row(spec, "shipped", path)
    if spec.repo_id is None:
        return Row(spec, "missing", None)
    try:
        place = hub.HubFile(spec.repo_id, spec.revision, spec.filename)
        return Row(spec, "cached", hub.fetch(place, offline=True, tell=_log.info)[0])
    except WeightsError:
        return Row(spec, "on the Hub", None)


def _check(row: Row) -> Check:
    name = row.spec.name
    if row.path is None:
        return Check(name, False, f"not here: {row.place}")
    if not row.spec.sha256:
        return Check(name, False, f"{row.path}: no sha256 is registered")
    found = weightfile.sha256_of(row.path)
    if found != row.spec.sha256:
        return Check(name, False, weightfile.WrongSum(row.path, row.spec.sha256, found).message)
    return Check(name, True, f"{row.path}, {row.path.stat().st_size} bytes")
