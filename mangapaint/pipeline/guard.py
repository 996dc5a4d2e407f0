"""Looks at what a page would become before any work goes into it: a format that holds it, memory that holds it."""

from __future__ import annotations

from dataclasses import dataclass

from mangapaint import pixels
from mangapaint.engine import memory
from mangapaint.errors import OutOfMemoryError
from mangapaint.pipeline.finish import result_format, result_size
from mangapaint.settings import MIB, Settings

COPIES = 2.5
"""Of an enlarged page (3 bytes a pixel) that exist at a time: the luminance or planes, the page, what is encoded."""


@dataclass(frozen=True, slots=True)
class Plan:
    """The file that a page becomes; `note` says why its format is not the one asked for, else it is empty."""

    format: pixels.EncodedFormat
    width: int
    height: int
    note: str = ""


def plan(width: int, height: int, source_format: str, settings: Settings) -> Plan:
    """What a page of that size (px) and format becomes."""
    width, height = result_size(width, height, settings.upscale.scale, settings.output)
    chosen, note = pixels.fitting_format(result_format(source_format, settings.output), width, height)
    return Plan(chosen, width, height, note or "")


def demand_memory(width: int, height: int, settings: Settings) -> None:
    """Refuse a page whose result cannot be held, which the system would answer by ending the process.

    Raises:
        OutOfMemoryError: the enlarged page is larger than the free memory.
    """
    scale = settings.upscale.scale
    needed = int(COPIES * 3 * width * height * scale**2)
    free = memory.available_bytes()
    if needed > free:
        raise OutOfMemoryError(
            f"{width * scale}x{height * scale} px take {needed // MIB} MiB, {free // MIB} MiB are free",
            remedy="pass a smaller --upscale",
        )
