"""Score what is taken for paper on drawn pages whose colours are known.

    python benchmarks/paper.py DRAWN TRUTH [--weights FILE]

DRAWN: black-and-white pages. TRUTH: the same pages in colour, of the same names. Of what measuring takes for margins
and gutters it prints how much is coloured in truth (L* < 97 or C* > 4): by measuring alone all of it stays white. With
the paper net: how much of that is found, and how much of the true paper is lost for it.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.pages import read_gray
from mangapaint import pixels
from mangapaint.engine.runner import Engine
from mangapaint.layout.paper import parts
from mangapaint.paint.drawing import levelled
from mangapaint.paint.paperfinder import PaperFinder
from mangapaint.settings import EngineSettings, Limits

LIGHTEST, FAINTEST = 97.0, 4.0
"""L* and C* of paper."""


def is_white(colour: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """(H, W) of (H, W, 3) uint8 sRGB."""
    lab = cv2.cvtColor(colour.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
    return np.asarray((lab[..., 0] > LIGHTEST) & (np.hypot(lab[..., 1], lab[..., 2]) < FAINTEST), bool)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("drawn", type=Path)
    parser.add_argument("truth", type=Path)
    parser.add_argument("--weights", default="paper", help="name of a model, or a file made by train export")
    args = parser.parse_args()
    finder = PaperFinder.load(Engine(EngineSettings()), model=args.weights)
    truths = {path.stem: path for path in sorted(args.truth.iterdir())}
    rows = []
    for path in sorted(args.drawn.iterdir()):
        if path.stem not in truths:
            continue
        gray = read_gray(path.parent, path.name)
        colour = pixels.decode(truths[path.stem].read_bytes(), Limits()).pixels
        if colour.shape[:2] != gray.shape:
            colour = np.asarray(cv2.resize(colour, gray.shape[::-1], interpolation=cv2.INTER_AREA), np.uint8)
        margins, _ = parts(gray)
        leaks, white = finder.leaks(levelled(gray), margins) > 0.5, is_white(colour)
        coloured, paper = margins & ~white, margins & white
        found = float(leaks[coloured].mean()) if coloured.any() else 1.0
        lost = float(leaks[paper].mean()) if paper.any() else 0.0
        rows.append((float(margins.mean()), float(coloured.mean()), found, lost))
        print(f"{path.stem}: margins {rows[-1][0]:.3f} of the page, coloured in truth {rows[-1][1]:.3f}", end="; ")
        print(f"found {found:.3f}, paper lost {lost:.4f}")
    margins_share, coloured_share, found, lost = np.mean(rows, 0)
    print(f"{len(rows)} pages: margins {margins_share:.3f}, coloured in truth {coloured_share:.3f}", end="; ")
    print(f"with the net {found:.3f} of that found, {lost:.4f} of the paper lost")


if __name__ == "__main__":
    main()
