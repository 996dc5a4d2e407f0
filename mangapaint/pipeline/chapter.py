"""One chapter, from the lock to the finished output."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path

from mangapaint import archives, atomic
from mangapaint.archives.base import PROVENANCE, ChapterReader
from mangapaint.errors import InputError, MangapaintError, OutOfMemoryError, OutputError, PageError
from mangapaint.journal import Entry, Journal, work_folder
from mangapaint.lock import locked
from mangapaint.page import Action
from mangapaint.pipeline import guard, provenance, space
from mangapaint.pipeline.batches import Batches
from mangapaint.pipeline.contracts import ChapterResult, ChapterState, Observer, Painter, PainterLoader
from mangapaint.pipeline.feed import Budget, Decoded, Feed, Glance, Source, Unreadable
from mangapaint.pipeline.finish import Finisher
from mangapaint.pipeline.provenance import Claim, source_digest
from mangapaint.pipeline.telling import Teller
from mangapaint.settings import Settings
from mangapaint.signals import Stop


@dataclass(frozen=True, slots=True)
class Job:
    """A chapter to do and all that is needed for it; `number` of `total` is its place in the run, 1-based."""

    source: Path
    target: Path
    settings: Settings
    loader: PainterLoader
    observer: Observer
    stop: Stop
    number: int = 1
    total: int = 1


def run_chapter(job: Job) -> ChapterResult:
    """Paint one chapter, or find that it is done already.

    Raises:
        MangapaintError: it failed as a whole; the output is as it was before.
    """
    started = time.monotonic()
    job.stop.check()
    with locked(
        job.target,
        wait=job.settings.run.lock == "wait",
        check=job.stop.check,
        on_wait=lambda: job.observer.message(f"waiting for another run that works on {job.target}"),
    ):
        atomic.sweep(job.target.parent, job.target.name)
        with archives.open_reader(job.source, job.settings.input) as reader:
            job.observer.chapter_opened(job.source, job.target, len(reader), job.number, job.total)
            result = _Chapter(job, reader).run()
    return replace(result, seconds=time.monotonic() - started)


class _Chapter:
    """The state of one chapter's run: which pages are finished and how."""

    def __init__(self, job: Job, reader: ChapterReader) -> None:
        self.job = job
        self.settings = job.settings
        self.reader = reader
        self.fingerprint = reader.fingerprint()
        self.source = Source(reader, job.settings.input)
        self.digest = job.settings.digest()
        self.weights = job.loader.identity
        self.tell = Teller(job.source, reader.names, job.loader.name, job.observer)
        self.tell.left_out(reader.skipped)
        self.hashes: dict[int, str] = {}
        self.finished: dict[int, Entry] = {}
        self.failures: dict[int, MangapaintError] = {}

    def run(self) -> ChapterResult:
        if (already := self._already()) is not None:
            return already
        folder = work_folder(self.job.target)
        self.journal = Journal(folder)
        if self.journal.warning:
            self.job.observer.message(f"{self.job.source}: {self.journal.warning}")
        atomic.sweep(folder)
        earlier = self._finished_earlier()
        painter, consistency = None, None
        if len(earlier) < len(self.source) or len({entry.palette for entry in earlier.values()}) > 1:
            self._demand_space(folder)
            painter = self.job.loader.load()
            painter.prepare([Glance(self.source, index) for index in range(len(self.source))])
            earlier = {page: entry for page, entry in earlier.items() if entry.palette == painter.digest}
            self._take(earlier)
            self._paint([index for index in range(len(self.source)) if index not in earlier], painter)
            consistency = painter.consistency()
        else:
            self._take(earlier)
        self._assemble()
        self._save_palette(painter)
        self.journal.remove()
        return replace(self._result(ChapterState.DONE), consistency=consistency)

    # -- what earlier runs left

    def _already(self) -> ChapterResult | None:
        """The result, when the output was made from these very pages with these settings and weights."""
        target = self.job.target
        if not provenance.is_in_the_way(target, self.job.source):
            return None
        objection, failed = provenance.judge(target, self._claim)
        if not objection:
            self._save_palette(None)
            counts = {Action.RESUMED: len(self.source) - len(failed), Action.FAILED: len(failed)}
            return ChapterResult(self.job.source, target, ChapterState.ALREADY, counts, failed)
        if self.settings.run.overwrite:
            return None
        remedy = "pass --overwrite to replace it, or choose another place with -o"
        raise OutputError(f"{target} {objection}", remedy=remedy)

    def _claim(self) -> Claim:
        """What is said of the output; reads the pages that were not read yet, as all of them count."""
        for index in range(len(self.source)):
            if index not in self.hashes:
                self.job.stop.check()
                self.hashes[index] = self.source.sha(index)
        return Claim(self.digest, self.weights, source_digest(self.reader.names, self.hashes))

    def _finished_earlier(self) -> dict[int, Entry]:
        """The pages that an interrupted run has finished, as far as every hash vouches for them."""
        if not len(self.journal):
            return {}
        self._claim()
        found = {
            index: self.journal.trusted(index, sha, self.digest, self.weights) for index, sha in self.hashes.items()
        }
        return {index: entry for index, entry in found.items() if entry is not None}

    def _take(self, earlier: dict[int, Entry]) -> None:
        for index, entry in sorted(earlier.items()):
            self.finished[index] = entry
            self.tell.resumed(entry)

    # -- painting

    def _demand_space(self, folder: Path) -> None:
        have = sum(path.stat().st_size for path in folder.iterdir()) if folder.is_dir() else 0
        # Finished pages wait in the work folder while the output is put together beside it: twice the room.
        needed = 2 * space.chapter_bytes(self.source, self.settings) - have
        space.demand(self.job.target.parent, needed)

    def _paint(self, todo: list[int], painter: Painter) -> None:
        budget = Budget()
        paints = self.settings.paint is not None
        batches = Batches(painter.fitting_batch, self.settings.upscale.scale, paints, budget)
        feed = Feed(self.source, todo, budget)
        try:
            with Finisher(self.journal, self.settings.output) as finisher:
                for page in feed:
                    self.job.stop.check()
                    self.hashes[page.index] = page.sha
                    if isinstance(page, Unreadable):
                        self._fail(page.index, page.error)
                        continue
                    self.tell.decoded(page.index, page.image)
                    if space.is_kept(page.verdict, self.settings):
                        budget.park(page.cost)
                        budget.leave(page.cost)
                        self._keep(page, painter)
                    elif self._may_start(page, budget):
                        for gray, batch in batches.add(page):
                            self._batch(batch, painter, finisher, paints=gray)
                for gray, batch in batches.rest():
                    self._batch(batch, painter, finisher, paints=gray)
                self._collect(finisher, painter, all_of_them=True)
        finally:
            feed.close()
        self._refuse_if_nothing_fits()

    def _may_start(self, page: Decoded, budget: Budget) -> bool:
        """Whether the result of a page can be held; says where its format will not be the one asked for."""
        image = page.image
        try:
            guard.demand_memory(image.width, image.height, self.settings)
        except OutOfMemoryError as error:
            budget.park(page.cost)
            budget.leave(page.cost)
            self._fail(page.index, error, page)
            return False
        if note := guard.plan(image.width, image.height, image.format, self.settings).note:
            self.tell.planned(page.index, note)
        return True

    def _batch(self, batch: list[Decoded], painter: Painter, finisher: Finisher, *, paints: bool) -> None:
        """Paint or enlarge like-sized pages; those that fail together are tried alone."""
        self.job.stop.check()
        images = [page.image for page in batch]
        error: MangapaintError | None = None
        try:
            numbers = [page.index for page in batch]
            results = painter.paint(images, numbers) if paints else painter.upscale(images)
        except (PageError, OutOfMemoryError) as failed:
            error = failed.with_traceback(None)
            error.__cause__ = error.__context__ = None
        # Retried outside the except block and without traceback: frames keep the failed batch's tensors alive.
        if error is not None:
            if len(batch) == 1:
                self._fail(batch[0].index, error, batch[0])
            else:
                for page in batch:
                    self._batch([page], painter, finisher, paints=paints)
            return
        for page, result in zip(batch, results, strict=True):
            action = Action.PAINTED if paints else Action.UPSCALED
            entry = self._entry(page, painter, action, result.seconds)
            finisher.submit(entry, result.pixels, page.image)
        self._collect(finisher, painter)

    def _entry(self, page: Decoded, painter: Painter, action: Action, seconds: float) -> Entry:
        return Entry(
            page=page.index,
            input=page.sha,
            settings=self.digest,
            weights=self.weights,
            palette=painter.digest,
            suffix="",
            output=page.sha,
            action=action,
            verdict=page.verdict,
            value=page.value,
            seconds=seconds,
        )

    def _keep(self, page: Decoded, painter: Painter) -> None:
        entry = self._entry(page, painter, Action.KEPT, 0.0)
        self.journal.add(entry, None)
        self.finished[page.index] = entry
        self.tell.kept(entry, page.image)

    def _fail(self, index: int, error: MangapaintError, page: Decoded | None = None) -> None:
        error.at(chapter=self.job.source, page=index)
        if self.settings.run.on_error == "fail":
            raise error
        self.failures[index] = error
        self.tell.failed(index, error, page)

    def _collect(self, finisher: Finisher, painter: Painter, *, all_of_them: bool = False) -> None:
        for done in finisher.collect(all_of_them=all_of_them):
            self.finished[done.entry.page] = done.entry
            self.tell.finished(done, painter.device)

    def _refuse_if_nothing_fits(self) -> None:
        """A copy of the source with every page flagged is no result when the cause is this machine."""
        short = [error for error in self.failures.values() if isinstance(error, OutOfMemoryError)]
        done = [entry for entry in self.finished.values() if entry.action in {Action.PAINTED, Action.UPSCALED}]
        if short and not done:
            raise short[0]

    # -- the output

    def _save_palette(self, painter: Painter | None) -> None:
        path = self.settings.run.save_palette
        if path is None or self.settings.paint is None:
            return
        if painter is None:
            self.job.observer.message(f"warning: {path} was not written, as no page was painted in this run")
        else:
            painter.save_palette(path, self.reader.title)

    def _assemble(self) -> None:
        """Put the finished pages together; nothing is computed."""
        painted = self.settings.paint is not None
        with archives.open_writer(self.reader, self.job.target, self.settings.output, painted=painted) as writer:
            for index in range(len(self.source)):
                self.job.stop.check()
                entry = self.finished.get(index)
                if entry is None or not entry.suffix:
                    writer.keep(index)
                else:
                    writer.add(index, self.journal.read(entry), entry.suffix)
            writer.note(PROVENANCE, self._provenance())
            if self.reader.fingerprint() != self.fingerprint:
                raise InputError("the source changed while it was read", remedy="run again once it is complete")
            writer.commit()

    def _provenance(self) -> bytes:
        kept = [entry.page for entry in self.finished.values() if entry.action == Action.KEPT]
        return provenance.encode(self._claim(), len(self.source), kept, list(self.failures))

    def _result(self, state: ChapterState) -> ChapterResult:
        counts = Counter(Action(entry.action) for entry in self.finished.values())
        counts[Action.FAILED] = len(self.failures)
        return ChapterResult(self.job.source, self.job.target, state, dict(counts), tuple(sorted(self.failures)))
