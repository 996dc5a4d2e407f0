"""Builds a corpus: screens pictures in parallel, drops duplicates, splits by title, writes whole files or none.

Pixels go to a part file beside their place. The manifest is written last: a folder without one holds no corpus, so a
run that was killed, or that filled the disk, leaves the older corpus or none, never half of one.
"""

from __future__ import annotations

import json
import os
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import IO

import numpy as np
from numpy.typing import NDArray

from mangapaint import atomic
from mangapaint.errors import InputError, printable
from train.corpus import BLACKEST, MANIFEST, PIXELS, Item, Picture, view
from train.prepare import hashing, sheet, triplets
from train.prepare.screening import ALIKE, SAME, UNREADABLE, Screen, Screened, screened
from train.prepare.sources import Found, found
from train.prepare.titles import TRAIN, VAL, held_out

REPORT, SHEET, ALIKE_SHEET = "left-out.json", "contact-sheet.png", "alike-sheet.png"
AHEAD = 3
"""Pictures in work for each thread: bounds the memory."""
SAY_EVERY = 5.0
"""Seconds between lines of progress."""


@dataclass(frozen=True, slots=True)
class Options:
    """How a corpus is built."""

    screen: Screen = field(default_factory=Screen)
    near: int | None = hashing.NEAR
    """Bits within which two hashes are of one picture; None drops pictures only that are the same in every pixel."""
    holdout: float = 0.0
    """Share of the titles that goes to validation."""
    triplets: Path | None = None
    """Folder for gray, sketch and cue as PNG files."""
    workers: int = 0
    """Threads; 0 takes one for each core that this process may use."""


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A picture that did not enter the corpus; `detail` says what is wrong with it, or which one stays in its place."""

    set: str
    name: str
    reason: str
    detail: str = ""


@dataclass(slots=True)
class Report:
    """What became of every picture."""

    items: list[Item] = field(default_factory=list)
    left_out: list[LeftOut] = field(default_factory=list)
    triplets: int = 0


@dataclass(slots=True)
class _Rows:
    """The pictures in the part file so far and their features."""

    items: list[Item] = field(default_factory=list)
    hashes: list[int] = field(default_factory=list)
    twins: list[Picture] = field(default_factory=list)
    size: int = 0


def build(sources: Sequence[Path], target: Path, options: Options, say: Callable[[str], None] = print) -> Report:
    """Build a corpus in `target`; an older one is replaced when the new one is whole.

    Args:
        sources: see train.prepare.sources.
        target: also takes REPORT (what was left out, and why), SHEET and ALIKE_SHEET to look at.
        options: see there.
        say: takes lines of progress and names of unreadable pictures.

    Raises:
        InputError: a source cannot be read, or no picture is left.
        OutputError: the folder cannot be written, or the disk is full.
    """
    atomic.sweep(target)
    report = Report()
    part = atomic.Part(target / PIXELS)
    try:
        with atomic.output_errors(target / PIXELS):
            with part.path.open("r+b", buffering=1 << 20) as sink:
                rows = _filled(sources, sink, options, report, say)
            if not rows.items:
                raise InputError("no picture is left to train on", remedy="see the reasons above")
            flat = np.memmap(part.path, np.uint8, "r+")
            kept, pairs = _without_alike(rows, options.near, report)
            alike_sheet = sheet.pairs([(_named(flat, a), _named(flat, b)) for a, b in pairs])
            report.items = _split(_moved_together(flat, kept), options.holdout, say)
            flat.flush()
            size = sum(_bytes(item) for item in report.items)
            contact_sheet = sheet.contact((item, view(flat, item)) for item in sheet.chosen(report.items))
            if options.triplets:
                every = ((item, view(flat, item)) for item in report.items)
                report.triplets = triplets.write(options.triplets, every)
            del flat
            os.truncate(part.path, size)
        (target / MANIFEST).unlink(missing_ok=True)
        part.commit()
    finally:
        part.discard()
    left_out = [asdict(one) for one in report.left_out]
    atomic.write(target / REPORT, json.dumps(left_out, indent=0).encode())
    atomic.write(target / SHEET, contact_sheet)
    if alike_sheet:
        atomic.write(target / ALIKE_SHEET, alike_sheet)
    else:
        (target / ALIKE_SHEET).unlink(missing_ok=True)
    atomic.write(target / MANIFEST, json.dumps([asdict(item) for item in report.items], indent=0).encode())
    return report


def _filled(
    sources: Sequence[Path], sink: IO[bytes], options: Options, report: Report, say: Callable[[str], None]
) -> _Rows:
    """Write every picture that passes the screen, but no two that are the same in every pixel."""
    rows, first, said, count = _Rows(), dict[bytes, str](), time.monotonic(), 0
    for file, result in _ordered(sources, options):
        count += 1
        reason, detail = result.reason, result.detail
        if result.picture is not None and result.digest in first:
            reason, detail = SAME, first[result.digest]
        if reason == UNREADABLE:
            say(f"{file.set}: {printable(file.name)}: left out, {detail}")
        if reason or result.picture is None or result.twin is None:
            report.left_out.append(LeftOut(file.set, file.name, reason, detail))
            continue
        first[result.digest] = f"{file.set}/{file.name}"
        height, width = result.picture.shape[:2]
        item = Item(
            file.set, file.name, height, width, rows.size, file.licence, file.title, TRAIN, file.artist, file.source,
            result.white_border, result.black,
        )  # fmt: skip
        sink.write(result.picture.data)
        rows.size += result.picture.size
        rows.items.append(item)
        rows.hashes.append(result.hash)
        rows.twins.append(result.twin)
        if time.monotonic() - said > SAY_EVERY:
            said = time.monotonic()
            say(f"{count} pictures read, {len(rows.items)} kept, {rows.size / 2**20:.0f} MiB; at {file.set}")
    return rows


def _ordered(sources: Iterable[Path], options: Options) -> Iterator[tuple[Found, Screened]]:
    """All pictures of all sources with their screening, in order; decoded by threads, read by this one."""
    workers = options.workers or _cores()
    waiting: deque[tuple[Found, Future[Screened]]] = deque()
    pool = ThreadPoolExecutor(workers)
    try:
        for source in sources:
            for file in found(source, options.screen.limits):
                waiting.append((replace(file, data=b""), pool.submit(_screened, file, options.screen)))
                if len(waiting) > AHEAD * workers:
                    first, result = waiting.popleft()
                    yield first, result.result()
        for first, result in waiting:
            yield first, result.result()
    finally:
        pool.shutdown(cancel_futures=True)


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _screened(file: Found, screen: Screen) -> Screened:
    return Screened(UNREADABLE, file.error) if file.error else screened(file.data, file.set, screen)


def _without_alike(rows: _Rows, near: int | None, report: Report) -> tuple[list[Item], list[tuple[Item, Item]]]:
    """The items that stay, and the pairs (left out, what stays in its place)."""
    if near is None:
        return rows.items, []
    areas = [item.height * item.width for item in rows.items]
    stays = hashing.alike(rows.hashes, rows.twins, areas, near)
    pairs = [(rows.items[index], rows.items[other]) for index, other in sorted(stays.items())]
    report.left_out += [LeftOut(one.set, one.name, ALIKE, f"{other.set}/{other.name}") for one, other in pairs]
    return [item for index, item in enumerate(rows.items) if index not in stays], pairs


def _moved_together(flat: NDArray[np.uint8], items: Iterable[Item]) -> list[Item]:
    """Close the gaps that left-out pictures left in the rows, in place."""
    moved, end = [], 0
    for item in items:
        size = _bytes(item)
        if item.offset != end:
            flat[end : end + size] = flat[item.offset : item.offset + size].copy()
        moved.append(replace(item, offset=end))
        end += size
    return moved


def _split(items: list[Item], holdout: float, say: Callable[[str], None]) -> list[Item]:
    """Mark the validation side; a set of which nothing would be left to train on keeps its titles."""
    titles = held_out((item.title for item in items), holdout)
    for name in dict.fromkeys(item.set for item in items):
        of_set = {item.title for item in items if item.set == name}
        if of_set <= titles:
            say(f"{name}: all its titles would be held out; they stay in training")
            titles -= of_set
    return [replace(item, split=VAL if item.title in titles else TRAIN) for item in items]


def _named(flat: NDArray[np.uint8], item: Item) -> tuple[str, Picture]:
    return f"{item.set}\n{item.name}", view(flat, item)


def _bytes(item: Item) -> int:
    return item.height * item.width * 3


def counts(report: Report) -> dict[str, Counter[str]]:
    """By set: train, val, white (backgrounds), crowded (sketches), and every reason of leaving out."""
    table: dict[str, Counter[str]] = {}
    for item in report.items:
        row = table.setdefault(item.set, Counter())
        row[item.split] += 1
        row["white"] += item.white_background
        row["crowded"] += item.black > BLACKEST
    for one in report.left_out:
        table.setdefault(one.set, Counter())[one.reason] += 1
    return table
