"""Edits of a portrait, as the command line says them: `hair=blue`, `brightness=1.5`. No torch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mangapaint.errors import UsageError, printable

COLOURS = {
    "red": (55.0, 35.0),
    "orange": (34.0, 48.0),
    "blond": (5.0, 36.0),
    "brown": (13.0, 19.0),
    "green": (-30.0, 24.0),
    "teal": (-26.0, -8.0),
    "blue": (6.0, -38.0),
    "purple": (28.0, -32.0),
    "pink": (36.0, -2.0),
    "gray": (0.0, 0.0),
}
"""Name -> CIE a*, b* that an edit aims at; L* stays the face's own."""
COLOURED = ("hair", "eyes", "background")
"""Parts whose colour can be set."""
AMOUNTS = ("brightness", "contrast", "vividness", "warmth", "mouth")
"""What can be made more or less, in standard deviations among faces; mouth: how open it is."""
NAMES = (*COLOURED, *AMOUNTS)
MOST = 4.0


@dataclass(frozen=True, slots=True)
class Edit:
    """One change: `value` is a colour of COLOURS for a part, else a number in standard deviations."""

    name: str
    value: str | float

    @property
    def moves_light(self) -> bool:
        """Whether the luminance must change for it; colours of parts keep that of the face exactly."""
        return self.name in ("brightness", "contrast", "mouth")


def parsed(words: Sequence[str]) -> tuple[Edit, ...]:
    """`["hair=blue", "mouth=1"]` -> edits; the last of one name counts.

    Raises:
        UsageError: no such name, colour or number.
    """
    found: dict[str, Edit] = {}
    for word in words:
        name, equals, text = (part.strip().lower() for part in word.partition("="))
        if not equals or name not in NAMES:
            raise UsageError(
                f"no edit is called '{printable(word)}'", remedy=f"write NAME=VALUE with one of {', '.join(NAMES)}"
            )
        found[name] = Edit(name, _colour(name, text) if name in COLOURED else _amount(name, text))
    return tuple(found.values())


def _colour(name: str, text: str) -> str:
    if text not in COLOURS:
        raise UsageError(f"'{printable(text)}' is no colour of {name}", remedy=f"choose one of {', '.join(COLOURS)}")
    return text


def _amount(name: str, text: str) -> float:
    try:
        amount = float(text)
    except ValueError:
        amount = float("nan")
    if not -MOST <= amount <= MOST:
        raise UsageError(f"{name} takes a number of {-MOST:g}..{MOST:g}, not '{printable(text)}'")
    return amount
