"""Measures weights/*.safetensors and writes pins.py and SHA256SUMS; run after an export, as `python -m`."""

from __future__ import annotations

import pprint
import sys
from pathlib import Path
from typing import Any

from mangapaint.models import store, weightfile
from mangapaint.models.spec import from_metadata

SUMS = "SHA256SUMS"
_PINNED = ("config", "scale", "multiple_of", "receptive_field", "licence", "data")
_HEAD = '''"""What was measured of the shipped weights; written by `python -m mangapaint.models.pin`, not by hand."""

from __future__ import annotations

from typing import Any

PINS: dict[str, dict[str, Any]] = '''


def measured(folder: Path) -> dict[str, dict[str, Any]]:
    """File name -> the fields of its spec that only the file can tell.

    Raises:
        WeightsError: a file is broken or does not describe itself.
    """
    pins = {}
    for path in sorted(folder.glob(f"*{weightfile.SUFFIX}")):
        described = from_metadata(weightfile.header(path), filename=path.name).described()
        pin = {"sha256": weightfile.sha256_of(path), "size": path.stat().st_size}
        pins[path.name] = pin | {key: described[key] for key in _PINNED}
    return pins


def sums(pins: dict[str, dict[str, Any]]) -> str:
    """The text of SHA256SUMS, as `sha256sum -c` reads it."""
    return "".join(f"{pin['sha256']}  {name}\n" for name, pin in sorted(pins.items()))


def source(pins: dict[str, dict[str, Any]]) -> str:
    """The text of pins.py."""
    return _HEAD + pprint.pformat(pins, width=110, sort_dicts=False) + "\n"


def main() -> None:
    """Write both files of the checkout."""
    folder = store.shipped_folder()
    pins = measured(folder)
    (folder / SUMS).write_text(sums(pins))
    Path(__file__).with_name("pins.py").write_text(source(pins))
    sys.stdout.write(sums(pins))


if __name__ == "__main__":
    main()
