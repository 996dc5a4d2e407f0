"""SIGINT, SIGTERM and SIGHUP: the first asks, the second ends the process at once.

Python runs no `finally` for SIGTERM and SIGHUP by itself, so all three are taken over. Outside a graceful block the
first signal raises KeyboardInterrupt, which unwinds; inside, it only sets a flag that the pipeline looks at between
batches, so that the page in flight is finished and journalled.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType

from mangapaint.errors import InterruptedBySignal

NAMES = ("SIGINT", "SIGTERM", "SIGHUP")  # Windows has no SIGHUP


class Stop:
    """What signals have asked for; one per process, or a fresh one that nothing ever sets."""

    def __init__(self) -> None:
        self.signal_number: int | None = None
        self._graceful = False

    @property
    def requested(self) -> bool:
        return self.signal_number is not None

    def check(self) -> None:
        """Raise InterruptedBySignal when a signal has come."""
        if self.signal_number is not None:
            raise InterruptedBySignal(self.signal_number)

    def install(self) -> None:
        """Take over the signals; main thread only."""
        for number in _numbers():
            # nohup and `&` in scripts start programs with signals ignored: that stays so.
            if signal.getsignal(number) is not signal.SIG_IGN:
                signal.signal(number, self._handle)

    @contextmanager
    def gracefully(self) -> Iterator[None]:
        """Within the block the first signal only sets the flag."""
        self._graceful = True
        try:
            yield
        finally:
            self._graceful = False

    def _handle(self, number: int, frame: FrameType | None) -> None:
        self.signal_number = number
        for each in _numbers():
            signal.signal(each, signal.SIG_DFL)
        if not self._graceful:
            raise KeyboardInterrupt
        # Straight to the descriptor: the stream may be in the middle of a write of its own.
        with suppress(OSError):
            os.write(2, b"\nfinishing the page in flight; once more to stop at once\n")


def _numbers() -> list[signal.Signals]:
    return [getattr(signal, name) for name in NAMES if hasattr(signal, name)]
