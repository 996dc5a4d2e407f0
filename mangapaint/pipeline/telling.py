"""Tells the observer of a chapter what became of its pages."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from mangapaint.errors import MangapaintError
from mangapaint.journal import Entry
from mangapaint.page import Action, PageImage, Verdict
from mangapaint.pipeline.contracts import Observer, PageResult
from mangapaint.pipeline.feed import Decoded
from mangapaint.pipeline.finish import Finished

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Teller:
    """One chapter's voice.

    Attributes:
        chapter: the source.
        names: of its pages.
        model: name of the model, for the pages that went through it.
        observer: listens.
    """

    chapter: Path
    names: Sequence[str]
    model: str
    observer: Observer

    def left_out(self, skipped: Sequence[str]) -> None:
        """What the reader does not count as pages."""
        if skipped:
            _log.debug("%s: left out: %s", self.chapter, ", ".join(skipped))

    def decoded(self, index: int, image: PageImage) -> None:
        """What decoding had to do to the page."""
        for note in image.notes:
            _log.debug("%s, page %d: %s", self.chapter, index + 1, note)

    def resumed(self, entry: Entry) -> None:
        """A page that an earlier run has finished."""
        self.observer.page_done(replace(self._result(entry), action=Action.RESUMED, seconds=0.0))

    def kept(self, entry: Entry, image: PageImage) -> None:
        """A page that keeps its original bytes, as there is nothing to do."""
        self.observer.page_done(replace(self._result(entry), width=image.width, height=image.height))

    def finished(self, done: Finished, device: str) -> None:
        """A page that went through the nets and is safe on disk."""
        result = replace(self._result(done.entry), width=done.width, height=done.height, encoding=done.encoding)
        self.observer.page_done(replace(result, device=device, model=self.model))

    def planned(self, index: int, note: str) -> None:
        """What will be done in another way than asked for."""
        self.observer.message(f"{self.chapter}, page {index + 1}: {note}")

    def failed(self, index: int, error: MangapaintError, page: Decoded | None) -> None:
        """A page that keeps its original bytes because of the error; `page` is None when it could not be read."""
        result = PageResult(self.chapter, index, self.names[index], None, 0.0, Action.FAILED, error=error.message)
        if page is not None:
            result = replace(result, verdict=page.verdict, value=page.value)
            result = replace(result, width=page.image.width, height=page.image.height)
        self.observer.page_done(result)

    def _result(self, entry: Entry) -> PageResult:
        return PageResult(
            chapter=self.chapter,
            page=entry.page,
            name=self.names[entry.page],
            verdict=Verdict(entry.verdict),
            value=entry.value,
            action=Action(entry.action),
            seconds=entry.seconds,
        )
