"""One JSON line per page and one per chapter, for scripts."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import IO, TYPE_CHECKING

from mangapaint.errors import OutputError

if TYPE_CHECKING:
    from mangapaint.pipeline.contracts import ChapterResult, PageResult


def page_line(result: PageResult, *, planned: bool = False) -> str:
    """The line of a page, ASCII only and without a line end.

    Args:
        result: what became of the page.
        planned: nothing was done, `action` says what would be.
    """
    said = {
        "chapter": str(result.chapter),
        "page": result.page + 1,
        "name": result.name,
        "verdict": result.verdict,
        "colourfulness": round(result.value, 3),
        "action": result.action,
        "width": result.width,
        "height": result.height,
        "seconds": round(result.seconds, 3),
        "encode_seconds": round(result.encoding, 6),
        "device": result.device,
        "model": result.model,
        "error": result.error or None,
    }
    return json.dumps(said | {"planned": True} if planned else said)


def chapter_line(result: ChapterResult, *, planned: bool = False) -> str:
    """The line of a chapter, after those of its pages; it has `state` where they have `page`."""
    said = {
        "chapter": str(result.source),
        "state": result.state,
        "target": None if result.target is None else str(result.target),
        "counts": {action.value: number for action, number in result.counts.items() if number},
        "failed": [index + 1 for index in result.failed],
        "seconds": round(result.seconds, 3),
        "consistency": None if result.consistency is None else asdict(result.consistency),
        "note": result.note or None,
        "error": None if result.error is None else str(result.error),
    }
    return json.dumps(said | {"planned": True} if planned else said)


class Lines:
    """Writes lines to a stream, each at once; goes silent when the reader has gone away.

    Whoever pipes into `head` has seen enough, but the chapters are still wanted.
    """

    def __init__(self, stream: IO[str] | None) -> None:
        self._stream = stream

    def write(self, line: str) -> None:
        """Write a line.

        Raises:
            OutputError: the disk behind the stream is full.
        """
        if self._stream is None:
            return
        try:
            self._stream.write(line + "\n")
            self._stream.flush()
        except BrokenPipeError:
            self._stream = None
        except OSError as error:
            self._stream = None
            raise OutputError(f"cannot write to standard output: {error.strerror}") from error
