"""Score the face detector on pages with known boxes.

    python benchmarks/faces.py BOXES.json [--root DIR] [--weights FILE] [--iou 0.5] [--sheets DIR]

BOXES.json: {"pages": {"folder/archive.cbz:entry" or "folder/page.jpg": {"faces": [[x, y, w, h], ...],
"uncertain_faces": [[x, y, w, h], ...]}}}; paths relative to --root, by default the folder two above the file.
Uncertain faces count neither as hit nor as false alarm. Prints recall and precision of one-to-one matches for each
threshold, and for each source at the threshold that the program uses. --sheets writes the pages with their boxes:
green found, red missed, blue false alarms.
"""

from __future__ import annotations

import argparse
import json
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.pages import read_gray
from mangapaint.engine.runner import Engine
from mangapaint.layout.measure import Gray
from mangapaint.page import Face, Region
from mangapaint.paint import faces
from mangapaint.paint.faces import FaceFinder
from mangapaint.settings import EngineSettings

THRESHOLDS = (0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5, 0.6, 0.7)


def judged(found: list[Face], page: dict[str, Any], least: float) -> tuple[list[int], list[bool | None]]:
    """For each true face the number of the found one or -1; for each found one hit, false alarm or neither (None)."""
    truth = [Region(*box) for box in page["faces"]]
    unsure = [Region(*box) for box in page.get("uncertain_faces", [])]
    matched, verdict = [-1] * len(truth), list[bool | None]([False] * len(found))
    for number in sorted(range(len(found)), key=lambda i: -found[i].score):
        region = found[number].region
        free = [(region.iou(truth[i]), i) for i in range(len(truth)) if matched[i] < 0]
        overlap, best = max(free, default=(0.0, -1))
        if overlap >= least:
            matched[best], verdict[number] = number, True
        elif any(region.iou(other) >= least or 2 * region.intersection(other).area > region.area for other in unsure):
            verdict[number] = None
    return matched, verdict


def figures(pages: list[tuple[list[Face], dict[str, Any]]], threshold: float, least: float) -> tuple[float, float, int]:
    """Recall, precision and the number of true faces."""
    hits = wrong = truth = 0
    for found, page in pages:
        _, verdict = judged([face for face in found if face.score >= threshold], page, least)
        hits, wrong, truth = hits + verdict.count(True), wrong + verdict.count(False), truth + len(page["faces"])
    return hits / max(1, truth), hits / max(1, hits + wrong), truth


def sheet(gray: Gray, found: list[Face], page: dict[str, Any], least: float) -> NDArray[np.uint8]:
    picture = cv2.cvtColor(gray, cv2.COLOR_GRAY2BGR)
    matched, verdict = judged(found, page, least)
    for box, number in zip(page["faces"], matched, strict=True):
        region = Region(*box)
        colour = (0, 0, 255) if number < 0 else (160, 220, 160)
        cv2.rectangle(picture, (region.x, region.y), (region.right, region.bottom), colour, 3)
    for face, hit in zip(found, verdict, strict=True):
        colour = (0, 160, 0) if hit else (255, 0, 0) if hit is False else (160, 160, 160)
        region = face.region
        cv2.rectangle(picture, (region.x, region.y), (region.right, region.bottom), colour, 3)
        cv2.putText(picture, f"{face.score:.2f}", (region.x + 4, region.bottom - 6), 0, 0.7, colour, 2)
    return np.asarray(picture, np.uint8)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("boxes", type=Path)
    parser.add_argument("--root", type=Path)
    parser.add_argument("--weights", default=faces.MODEL, help="name of a model, or a file made by train export")
    parser.add_argument("--iou", type=float, default=0.5)
    parser.add_argument("--sheets", type=Path)
    options = parser.parse_args()
    root = options.root or options.boxes.resolve().parents[2]
    finder = FaceFinder.load(Engine(EngineSettings()), model=options.weights, least=min(THRESHOLDS))
    groups: dict[str, list[tuple[list[Face], dict[str, Any]]]] = defaultdict(list)
    seconds = 0.0
    for number, (name, page) in enumerate(json.loads(options.boxes.read_text())["pages"].items()):
        gray = read_gray(root, name)
        started = time.perf_counter()
        found = finder.find(gray)
        seconds += time.perf_counter() - started
        groups["all"].append((found, page))
        groups[name.partition(":")[0] if ":" in name else str(Path(name).parent)].append((found, page))
        if options.sheets:
            options.sheets.mkdir(parents=True, exist_ok=True)
            sure = [face for face in found if face.score >= faces.LEAST]
            data = cv2.imencode(".png", sheet(gray, sure, page, options.iou))[1]
            (options.sheets / f"{number:03d}.png").write_bytes(data.tobytes())
    for threshold in THRESHOLDS:
        recall, precision, truth = figures(groups["all"], threshold, options.iou)
        print(f"score >= {threshold:.2f}: recall {recall:.3f}, precision {precision:.3f} ({truth} faces)")
    for group, pages in groups.items():
        recall, precision, truth = figures(pages, faces.LEAST, options.iou)
        print(f"{group}: {len(pages)} pages, {truth} faces, recall {recall:.3f}, precision {precision:.3f}")
    print(f"{1000 * seconds / len(groups['all']):.0f} ms a page")


if __name__ == "__main__":
    main()
