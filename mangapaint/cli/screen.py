"""What goes to the terminal: words and progress on stderr, results on stdout."""

from __future__ import annotations

import os
import sys
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from mangapaint.errors import MangapaintError, printable
from mangapaint.report.jsonl import Lines, chapter_line, page_line

if TYPE_CHECKING:
    from rich.progress import Task
    from rich.text import Text

    from mangapaint.pipeline.contracts import ChapterResult, PageResult

QUIET, NORMAL, VERBOSE = 0, 1, 2


class Screen:
    """One per process; commands say through it how loud it is.

    Attributes:
        level: QUIET (errors only), NORMAL, VERBOSE (each page, and tracebacks).
    """

    def __init__(self) -> None:
        self.level = NORMAL
        # Presence alone counts (no-color.org), where rich wants a value.
        self.console = Console(stderr=True, highlight=False, no_color=True if "NO_COLOR" in os.environ else None)
        self.results = Lines(sys.stdout)

    def say(self, text: str, *, level: int = NORMAL, style: str = "") -> None:
        """Lines on stderr, not interpreted and never wrapped; what could steer a terminal is escaped."""
        if self.level >= level:
            text = "\n".join(printable(line) for line in text.split("\n"))
            self.console.print(text, markup=False, style=style or None, soft_wrap=True)

    def warn(self, text: str) -> None:
        self.say(f"warning: {text}", style="yellow")

    def error(self, error: BaseException) -> None:
        """The error in one line; its traceback when verbose."""
        if self.level >= VERBOSE:
            self.say("".join(traceback.format_exception(error)).rstrip())
        shown = error if isinstance(error, MangapaintError) else MangapaintError(f"{type(error).__name__}: {error}")
        self.say(printable(f"error: {shown}"), level=QUIET, style="red")

    def result(self, line: str) -> None:
        """A line on stdout."""
        self.results.write(line)


class _Rate(TextColumn):
    def __init__(self) -> None:
        super().__init__("")

    def render(self, task: Task) -> Text:
        from rich.text import Text

        return Text(f"{task.speed:.2f} pages/s" if task.speed else "", style="dim")


class Watch:
    """Follows a run: a progress bar on a terminal, a line per chapter, JSON lines when asked for.

    Args:
        screen: where it shows.
        json_lines: write a line per page and one per chapter to stdout.
        planned: a dry run: the pages are its result and go to stdout.

    Attributes:
        pages: all that was told of pages so far, for a report.
    """

    def __init__(self, screen: Screen, *, json_lines: bool = False, planned: bool = False) -> None:
        self.screen = screen
        self.json_lines = json_lines
        self.planned = planned
        self._bar = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            MofNCompleteColumn(),
            _Rate(),
            TimeRemainingColumn(),
            console=screen.console,
            transient=True,
            disable=screen.level < NORMAL or not screen.console.is_terminal,
        )
        self._task: Any = None
        self.pages: list[PageResult] = []

    def __enter__(self) -> Watch:
        self._bar.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._bar.stop()

    def chapter_opened(self, source: Path, target: Path, pages: int, number: int, total: int) -> None:
        of = f"{number}/{total} " if total > 1 else ""
        if self._task is not None:
            self._bar.remove_task(self._task)
        self._task = self._bar.add_task(f"{of}{printable(source.name)}", total=pages)
        self.screen.say(f"{of}{_shown(source)}: {_count(pages)} -> {_shown(target)}", level=VERBOSE)

    def page_done(self, result: PageResult) -> None:
        self.pages.append(result)
        if self._task is not None:
            self._bar.advance(self._task)
        if self.json_lines:
            self.screen.result(page_line(result, planned=self.planned))
        elif self.planned:
            size = f"{result.width}x{result.height}" if result.width else "unreadable"
            verdict = f"{result.verdict} {result.value:.2f}" if result.verdict else printable(result.error)
            self.screen.result(
                f"{_shown(result.chapter)}\t{result.page + 1}\t{size}\t{verdict}\t{_PLANS[result.action.value]}"
            )
        if result.error and not self.planned:
            self.screen.warn(
                f"{_shown(result.chapter)}, page {result.page + 1}: {printable(result.error)}; the original is kept"
            )
        elif not self.planned:
            verdict = f"{result.verdict}, colourfulness {result.value:.2f}"
            self.screen.say(f"page {result.page + 1}: {result.action} ({verdict})", level=VERBOSE)

    def chapter_done(self, result: ChapterResult) -> None:
        if self.json_lines:
            self.screen.result(chapter_line(result, planned=self.planned))
        if result.error is not None:
            self.screen.error(result.error)
            return
        counts = ", ".join(f"{number} {action.value}" for action, number in result.counts.items() if number)
        line = f"{_shown(result.source)}: {result.state}"
        line += f" ({result.note})" if result.note else ""
        line += f": {counts}" if counts and result.state != "already done" else ""
        if result.seconds:
            line += f" in {_duration(result.seconds)}"
        if result.target is not None and result.state in {"done", "already done"}:
            line += f" -> {_shown(result.target)}"
        self.screen.say(line)
        if result.consistency is not None:
            found = result.consistency
            self.screen.say(
                f"colours of {found.groups} things seen on several pages differ by {found.spread:.1f} (ab)",
                level=VERBOSE,
            )
        if result.failed:
            pages = ", ".join(str(index + 1) for index in result.failed)
            self.screen.warn(f"{_shown(result.source)}: the original is kept of pages {pages}")

    def message(self, text: str) -> None:
        self.screen.say(printable(text))


_PLANS = {"painted": "paint", "upscaled": "upscale", "kept": "keep", "failed": "keep, flagged", "resumed": "keep"}


def _shown(path: Path) -> str:
    return printable(str(path))


def _count(pages: int) -> str:
    return f"{pages} page" if pages == 1 else f"{pages} pages"


def _duration(seconds: float) -> str:
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02d} min" if hours else f"{minutes} min {rest:02d} s"
