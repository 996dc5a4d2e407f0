"""SIGINT, SIGTERM and SIGHUP during a training: the first asks the loop to save and leave, a later one ends at once.

What comes within two seconds of the first counts as the same: Ctrl-C reaches the processes of torchrun from the
terminal, and again from torchrun.
"""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType

SAME = 2.0
"""Seconds."""
NUMBERS = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]


@dataclass
class Asked:
    """Which signal came; 0 none."""

    number: int = 0
    since: float = 0.0
    """time.monotonic() of it."""


@contextmanager
def asked() -> Iterator[Asked]:
    """Within the block signals only set a number; outside the main thread, where Python takes none, nothing does."""
    state = Asked()
    if threading.current_thread() is not threading.main_thread():
        yield state
        return
    # nohup and `&` in scripts start programs with signals ignored: that stays so.
    before = {number: signal.getsignal(number) for number in NUMBERS if signal.getsignal(number) is not signal.SIG_IGN}

    def handle(number: int, frame: FrameType | None) -> None:
        if not state.number:
            state.number, state.since = number, time.monotonic()
        elif time.monotonic() - state.since > SAME:
            signal.signal(number, signal.SIG_DFL)
            signal.raise_signal(number)

    for number in before:
        signal.signal(number, handle)
    try:
        yield state
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
