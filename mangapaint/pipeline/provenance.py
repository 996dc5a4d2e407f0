"""What an output says of itself, and whether it is what this run would make."""

from __future__ import annotations

import filecmp
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from mangapaint import __version__, archives
from mangapaint.journal import sha256


@dataclass(frozen=True, slots=True)
class Claim:
    """What a result depends on, as hex digests."""

    settings: str
    weights: str
    source: str


def source_digest(names: Sequence[str], hashes: Mapping[int, str]) -> str:
    """Digest of all pages in their order: names, and hashes by 0-based number."""
    return sha256(json.dumps([[name, hashes[index]] for index, name in enumerate(names)]).encode())


def encode(claim: Claim, pages: int, kept: Sequence[int], failed: Sequence[int]) -> bytes:
    """The provenance file: no dates, so that the same work gives the same bytes.

    Args:
        claim: what the output was made from.
        pages: number of pages.
        kept: 0-based numbers of pages that keep their original bytes because there was nothing to do.
        failed: 0-based numbers of pages that keep them because they could not be painted.
    """
    said = {
        "mangapaint": __version__,
        "settings": claim.settings,
        "weights": claim.weights,
        "source": claim.source,
        "pages": pages,
        "kept": sorted(index + 1 for index in kept),
        "failed": sorted(index + 1 for index in failed),
    }
    return (json.dumps(said, indent=1) + "\n").encode()


def is_in_the_way(target: Path, source: Path) -> bool:
    """Whether something stands where the output would go that may be worth keeping.

    A folder without files of its own is not: it may be there for chapters further down. Nor is a copy of the source:
    a single picture that was kept carries no provenance.
    """
    if target.is_dir() and not target.is_symlink():
        return not all(each.is_dir() and not each.is_symlink() for each in target.iterdir())
    if target.is_file() and source.is_file():
        return not filecmp.cmp(source, target, shallow=False)
    return target.exists() or target.is_symlink()


def judge(target: Path, claim: Callable[[], Claim]) -> tuple[str, tuple[int, ...]]:
    """Compare an existing output with what this run would make.

    Args:
        target: what stands there.
        claim: asked only when the output speaks of itself at all, as the answer reads the whole source.

    Returns:
        Why it is not the wanted result (empty when it is), and the 0-based numbers of its failed pages.
    """
    said = archives.provenance(target)
    if said is None:
        return "exists already and does not say that this program made it", ()
    wanted = claim()
    if (said.get("settings"), said.get("weights")) != (wanted.settings, wanted.weights):
        return "exists already, made with other settings or other weights", ()
    if said.get("source") != wanted.source:
        return "exists already, made from other pages than the source has now", ()
    failed = said.get("failed")
    if not isinstance(failed, list) or not all(isinstance(number, int) for number in failed):
        return "exists already with a damaged description of itself", ()
    return "", tuple(number - 1 for number in failed)
