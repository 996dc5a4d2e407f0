"""From a page to folders of variants: pictures, contact sheet, record."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from mangapaint import __version__, archives, pixels
from mangapaint.journal import sha256
from mangapaint.page import PageImage
from mangapaint.pipeline import finish
from mangapaint.settings import OutputSettings, PaintSettings, Settings
from mangapaint.signals import Stop
from mangapaint.variants.folder import SHEET, VariantFolder, refuse_existing
from mangapaint.variants.jobs import Job
from mangapaint.variants.making import Made, Studio
from mangapaint.variants.sheet import Picture, contact_sheet, thumbnail
from mangapaint.variants.subjects import Faces, Find, Subject

AHEAD = 2
"""Pictures that are encoded beside the next ones being made."""


@dataclass(frozen=True, slots=True)
class Wish:
    """How many variants, of which faces, made again by which further words of the command line."""

    count: int
    faces: Faces
    words: str = ""


class Watcher(Protocol):
    """Follows the work."""

    def started(self, what: str) -> None: ...

    def step(self, done: int, total: int) -> None: ...

    def finished(self, record: Path, count: int, notes: Sequence[str]) -> None: ...


def run_job(job: Job, wish: Wish, settings: Settings, studio: Studio, find: Find, watcher: Watcher, stop: Stop) -> int:
    """Make the variants of one page; how many folders were written.

    Raises:
        PageError: the page cannot be read, or has nothing to colour.
        OutputError: variants stand there already, or the place cannot be written.
        InterruptedBySignal: a signal came; the folder in work is as it was.
    """
    with archives.open_reader(job.source, settings.input) as reader:
        data, name = reader.read(job.page), reader.names[job.page]
    image = pixels.decode(data, settings.input.limits, tolerate_truncated=settings.input.tolerate_truncated)
    several = wish.faces not in {"none", "largest", 1}
    if not several:
        refuse_existing(job.target, overwrite=settings.run.overwrite)
    paint = settings.paint or PaintSettings()
    subjects = studio.subjects(image, wish.faces, find, paint.mode)
    for number, subject in enumerate(subjects, 1):
        target = job.target / f"face-{number:02d}" if several else job.target
        refuse_existing(target, overwrite=settings.run.overwrite)
        watcher.started(f"{name} {number}/{len(subjects)}" if several else name)
        facts: dict[str, Any] = {"mangapaint": __version__, "source": job.source.name}
        facts |= {} if job.alone else {"page": job.page + 1}
        facts |= {"sha256": sha256(data)}
        if subject.region is not None:
            box = subject.region
            facts |= {"face": number, "region": [box.x, box.y, box.width, box.height]}
        facts |= {"mode": subject.drawing.mode, "seed": paint.seed, "vividness": paint.vividness}
        facts |= {"upscale": settings.upscale.scale, "again": _again(job, wish), **studio.facts}
        with VariantFolder(target) as folder:
            writer = _Writer(folder, subject.image, settings.output)

            def step(done: int, total: int) -> None:
                stop.check()
                watcher.step(done, total)

            for made in studio.variants(subject, wish.count, paint.seed, step):
                writer.take(made)
            listed = writer.finish(subject)
            watcher.finished(folder.commit(facts | {"variants": listed}), len(listed), writer.notes)
    return len(subjects)


class _Writer:
    """Encodes pictures beside the next one being made, and keeps their thumbnails."""

    def __init__(self, folder: VariantFolder, image: PageImage, settings: OutputSettings) -> None:
        self.folder, self.image, self.settings = folder, image, settings
        self.notes: tuple[str, ...] = ()
        self._made: list[tuple[int, dict[str, Any]]] = []
        self._small: list[Picture] = []
        self._files: list[Future[tuple[str, str | None]]] = []
        self._pool = ThreadPoolExecutor(AHEAD, thread_name_prefix="encode")

    def take(self, made: Made) -> None:
        self._made.append((made.seed, made.facts))
        self._small.append(thumbnail(made.pixels))
        if len(self._files) >= AHEAD:
            self._files[-AHEAD].result()
        self._files.append(self._pool.submit(self._write, len(self._made), made))

    def finish(self, subject: Subject) -> list[dict[str, Any]]:
        """Wait for all files and add the contact sheet; what the record says of the variants."""
        files = [file.result() for file in self._files]
        self._pool.shutdown()
        self.notes = tuple(dict.fromkeys(note for _, note in files if note))
        gray = thumbnail(np.repeat(subject.drawing.gray[..., None], 3, 2))
        labels = [f"{number:02d}  seed {seed}" for number, (seed, _) in enumerate(self._made, 1)]
        sheet = contact_sheet([gray, *self._small], ["source", *labels])
        self.folder.add(SHEET, pixels.encode(sheet, format="png"))
        return [
            {"number": number, "file": file, "seed": seed, **facts}
            for number, ((file, _), (seed, facts)) in enumerate(zip(files, self._made, strict=True), 1)
        ]

    def _write(self, number: int, made: Made) -> tuple[str, str | None]:
        data, suffix, note = finish.encode(made.pixels, self.image, self.settings)
        name = f"variant-{number:02d}-{made.seed}{suffix}"
        self.folder.add(name, data)
        return name, note


def _again(job: Job, wish: Wish) -> str:
    page = "" if job.alone else f" --page {job.page + 1}"
    return f"mangapaint variants {job.source.name}{page}{wish.words} -n 1 --seed SEED"
