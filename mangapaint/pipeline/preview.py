"""A dry run: looks at every page, computes and writes nothing."""

from __future__ import annotations

from collections import Counter

from mangapaint import archives
from mangapaint.page import Action, Verdict
from mangapaint.pipeline import guard, provenance, space
from mangapaint.pipeline.chapter import Job
from mangapaint.pipeline.contracts import ChapterResult, ChapterState, PageResult
from mangapaint.pipeline.feed import Budget, Feed, Source, Unreadable
from mangapaint.pipeline.provenance import Claim, source_digest
from mangapaint.settings import MIB


def preview_chapter(job: Job) -> ChapterResult:
    """Say of each page what would be done with it.

    Raises:
        MangapaintError: the source cannot be opened.
    """
    settings = job.settings
    with archives.open_reader(job.source, settings.input) as reader:
        job.observer.chapter_opened(job.source, job.target, len(reader), job.number, job.total)
        counts: Counter[Action] = Counter()
        hashes: dict[int, str] = {}
        total = 0
        budget = Budget()
        feed = Feed(Source(reader, settings.input), range(len(reader)), budget)
        try:
            for page in feed:
                job.stop.check()
                hashes[page.index] = page.sha
                name = reader.names[page.index]
                if isinstance(page, Unreadable):
                    result = PageResult(
                        job.source, page.index, name, None, 0.0, Action.FAILED, error=page.error.message
                    )
                else:
                    budget.park(page.cost)
                    budget.leave(page.cost)
                    size = page.image.width, page.image.height
                    action = _action(job, page.verdict)
                    if action is not Action.KEPT:
                        total += space.page_bytes(*size, page.image.format, settings)
                        if note := guard.plan(*size, page.image.format, settings).note:
                            job.observer.message(f"{job.source}, page {page.index + 1}: {note}")
                    result = PageResult(
                        job.source, page.index, name, page.verdict, page.value, action, width=size[0], height=size[1]
                    )
                counts[result.action] += 1
                job.observer.page_done(result)
        finally:
            feed.close()
        note = f"about {-(-total // MIB)} MiB of new pages"
        if provenance.is_in_the_way(job.target, job.source):
            claim = Claim(settings.digest(), job.loader.identity, source_digest(reader.names, hashes))
            objection, _ = provenance.judge(job.target, lambda: claim)
            note = f"{job.target} {objection}" if objection else "done already, nothing would be computed"
    return ChapterResult(job.source, job.target, ChapterState.PLANNED, dict(counts), note=note)


def _action(job: Job, verdict: Verdict) -> Action:
    if space.is_kept(verdict, job.settings):
        return Action.KEPT
    return Action.PAINTED if job.settings.paint is not None and verdict is Verdict.GRAY else Action.UPSCALED
