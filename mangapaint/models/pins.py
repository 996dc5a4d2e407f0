"""What was measured of the shipped weights; written by `python -m mangapaint.models.pin`, not by hand."""

from __future__ import annotations

from typing import Any

PINS: dict[str, dict[str, Any]] = {}
