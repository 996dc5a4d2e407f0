"""One JSON line per page, for scripts."""

from __future__ import annotations

import json
from typing import IO, TYPE_CHECKING

from mangapaint.errors import OutputError

if TYPE_CHECKING:
    from mangapaint.pipeline.contracts import PageResult


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
        "device": result.device,
        "model": result.model,
        "error": result.error or None,
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
