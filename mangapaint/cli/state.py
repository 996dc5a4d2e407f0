"""What every command gets: the screen, the signals, and where painters come from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mangapaint.cli.screen import NORMAL, QUIET, VERBOSE, Screen
from mangapaint.settings import Settings
from mangapaint.signals import Stop

if TYPE_CHECKING:
    from mangapaint.pipeline.contracts import PainterLoader


def _colorizer_loader(settings: Settings, tell: Callable[[str], None]) -> PainterLoader:
    from mangapaint.pipeline.loading import ColorizerLoader

    return ColorizerLoader(settings, tell)


@dataclass(slots=True)
class State:
    """One per process.

    Attributes:
        make_loader: settings and a function for lines to the user -> where the painter comes from.
    """

    screen: Screen = field(default_factory=Screen)
    stop: Stop = field(default_factory=Stop)
    make_loader: Callable[[Settings, Callable[[str], None]], PainterLoader] = _colorizer_loader

    def set_level(self, *, quiet: bool | None = False, verbose: bool | None = False) -> None:
        """How loud the screen is; -v wins, as whoever asks for a traceback wants it."""
        self.screen.level = VERBOSE if verbose else QUIET if quiet else NORMAL
