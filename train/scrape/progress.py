"""How a scrape shows itself on stderr: a bar on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import time
from collections.abc import Callable

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn

from mangapaint.errors import printable

EVERY = 15.0
"""Seconds between two lines where there is no terminal."""


class Meter:
    """Rate and time left of a scrape; implements fetch.Watch.

    Args:
        console: where it shows; stderr by default.
        now: seconds that only rise.
    """

    def __init__(self, console: Console | None = None, now: Callable[[], float] = time.monotonic) -> None:
        self.console = console or Console(stderr=True, highlight=False)
        self._now = now
        self._started = now()
        self._told = self._started
        self._first: int | None = None
        self._size = 0
        self._bar = Progress(
            TextColumn("scrape"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[pace]}"),
            console=self.console,
            transient=True,
            disable=not self.console.is_terminal,
        )
        self._task: TaskID = self._bar.add_task("", total=None, pace="")

    def __enter__(self) -> Meter:
        self._bar.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._bar.stop()

    def going(self, fetched: int, total: int, size: int) -> None:
        self._size += size
        if self._first is None:
            self._first = fetched
        pace = self._pace(fetched - self._first, total - fetched)
        self._bar.update(self._task, completed=fetched, total=total, pace=pace)
        now = self._now()
        if not self.console.is_terminal and (now - self._told >= EVERY or fetched in {self._first + 1, total}):
            self._told = now
            self.say(f"{fetched} of {total} pictures" + (f", {pace}" if pace else ""))

    def say(self, text: str) -> None:
        self.console.print(printable(text), markup=False, soft_wrap=True)

    def _pace(self, done: int, left: int) -> str:
        """Rate of this run, time left at that rate, and what came so far; "" before the first picture."""
        seconds = self._now() - self._started
        if done < 1 or seconds <= 0:
            return ""
        rate = done / seconds
        return f"{rate:.2f}/s, {self._size / 2**20:.1f} MiB, {duration(left / rate)} left"


def duration(seconds: float) -> str:
    """In words, to two units: 45 s, 3 min 20 s, 2 h 05 min."""
    whole = round(seconds)
    minutes, hours = whole // 60, whole // 3600
    if hours:
        return f"{hours} h {minutes % 60:02} min"
    return f"{minutes} min {whole % 60:02} s" if minutes else f"{whole} s"
