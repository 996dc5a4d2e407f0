"""A study: every combination runs under a name of its own and all stand in one table."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from train import corpus, evaluate, study

RECIPE = """
task = "pix2pix"
sets = { made = 1.0 }
net = { base = 4, cap = 1 }
options = { judge_width = 4 }
schedule = { steps = 2, batch = 2, log_every = 1, sample_every = 100 }
"""


def pictures(folder: Path, seeds: range) -> Path:
    folder.mkdir()
    for seed in seeds:
        rng = np.random.default_rng(seed)
        picture = np.full((96, 96, 3), rng.integers(120, 255, 3), np.uint8)
        cv2.circle(picture, (48, 48), 30, rng.integers(40, 255, 3).tolist(), -1)
        cv2.circle(picture, (48, 48), 30, (10, 10, 10), 2)
        Image.fromarray(picture).save(folder / f"{seed}.png")
    return folder


def test_cases_are_all_combinations_under_names_of_their_own() -> None:
    found = study.cases(["pix2pix", "zhang"], ["options.l1=10|100", "schedule.seed=0|1"])
    assert len(found) == 8
    assert found[0] == study.Case("pix2pix", ("options.l1=10", "schedule.seed=0"))
    assert len({case.name for case in found}) == 8
    assert found[0].name == "pix2pix-l1-10-seed-0"
    with pytest.raises(ValueError, match="key.path=value"):
        study.cases(["pix2pix"], ["options.l1"])


def test_a_study_is_one_table_and_goes_on_where_it_was(tmp_path: Path) -> None:
    corpus.prepare([pictures(tmp_path / "made", range(4))], tmp_path / "corpus")
    source = pictures(tmp_path / "val", range(10, 12))
    (tmp_path / "tiny.toml").write_text(RECIPE)
    found = study.cases([str(tmp_path / "tiny.toml")], ["options.l1=1|100"])
    plan = evaluate.Plan((), ("sketch",))
    said: list[str] = []
    for _ in range(2):
        text = study.study(
            found, (), None, tmp_path / "corpus", source, plan, tmp_path / "study", device="cpu", tell=said.append
        )
    rows = [line for line in text.splitlines() if line.startswith("| sketch | ")]
    told_nothing = [row.split(" | ")[1] for row in rows if ", cue" not in row]
    assert told_nothing == ["identity", "tiny-l1-1", "tiny-l1-100"]
    assert (tmp_path / "study" / "study.md").read_text() == text + "\n"
    lines = (tmp_path / "study" / "tiny-l1-1" / "curve.jsonl").read_text().splitlines()
    assert [json.loads(line)["step"] for line in lines] == [1, 2]
