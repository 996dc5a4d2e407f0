"""Pages as the files of known boxes name them."""

from __future__ import annotations

import zipfile
from pathlib import Path

import cv2
import numpy as np

from mangapaint.layout.measure import Gray


def read_gray(root: Path, name: str) -> Gray:
    """(H, W) uint8 of "folder/page.jpg" or "folder/archive.cbz:entry" below `root`."""
    path, _, entry = name.partition(":")
    if entry:
        with zipfile.ZipFile(root / path) as archive:
            data = archive.read(entry)
    else:
        data = (root / path).read_bytes()
    return np.asarray(cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_GRAYSCALE), np.uint8)
