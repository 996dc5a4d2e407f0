"""Model cards: what the program knows is written, what people wrote is kept, unlicensed data is named."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import nn

from mangapaint.models import archs
from train import cards, checkpoint, export
from train.recipe import Recipe, load


def made(tmp_path: Path, **changes: object) -> cards.Made:
    """An upscaler of 500 steps with a curve, a corpus of two sets and a weights file."""
    recipe = replace(load("upscaler"), name="sharp", sets={"peppercarrot_pages": 2.0, "found": 1.0}, **changes)  # type: ignore[arg-type]
    net = archs.build("upscaler", {"channels": 8, "pairs": 1})
    run, corpus = tmp_path / "run", tmp_path / "corpus"
    run.mkdir()
    corpus.mkdir()
    state = {"nets": {}, "optimizers": {}, "ema": {}, "step": 500, "seconds": 600.0, "device": "2 CPU threads"}
    checkpoint.save(run / "checkpoint.pt", state)
    rows = [{"step": 10 * i, "charbonnier": 1 / i, "rate": 1e-3, "done": i / 50} for i in range(1, 51)]
    (run / "curve.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    items = [{"set": "peppercarrot_pages"}] * 3 + [{"set": "found"}] * 2
    (corpus / "manifest.json").write_text(json.dumps(items))
    path = tmp_path / "sharp.safetensors"
    path.write_bytes(bytes(2**20))
    return cards.Made(recipe, "upscaler --set net.pairs=1", run, corpus, net, path)


def test_a_card_tells_command_data_curve_and_size(tmp_path: Path) -> None:
    text = cards.write(made(tmp_path)).read_text()
    assert text.startswith("# sharp\n")
    assert "`python -m train run upscaler --set net.pairs=1`" in text
    assert "500 steps of 12 in 10 minutes on 2 CPU threads" in text
    assert "1.0 MiB in bf16" in text
    assert (
        "| peppercarrot_pages | text-free pages of the comic Pepper&Carrot, episodes 1-17 | 3 | 75 % | CC BY 4.0"
        in text
    )
    assert "**Without a stated licence: found.**" in text
    assert "| 10 | 1.00 |" in text
    assert "| 500 | " in text
    assert text.count("\n| ") < 20


def test_notes_of_people_are_kept_when_a_card_is_renewed(tmp_path: Path) -> None:
    about = made(tmp_path)
    path = cards.write(about)
    text = path.read_text().replace("Not written yet.", "It sharpens.", 1)
    path.write_text(text)
    assert cards.write(about).read_text() == text


def test_a_card_written_by_hand_loses_nothing(tmp_path: Path) -> None:
    about = made(tmp_path)
    about.path.with_suffix(".md").write_text(
        "# sharp\n\n**What it does.** Sharpens\npages.\n\n**Rounds.**\n1. One.\n\n**Figures.** Good:\n\n| a | b |\n"
    )
    text = cards.write(about).read_text()
    for kept in ("Sharpens\npages.", "1. One.", "Good:\n\n| a | b |"):
        assert text.count(kept) == 1
    assert cards.write(about).read_text() == text


def test_figures_are_those_of_the_model_and_of_the_page_itself(tmp_path: Path) -> None:
    file = tmp_path / "evaluation.json"
    means = {
        f"gray | {name}": {"n": 2.0, "psnr": 20.0 + i}
        for i, name in enumerate(["identity", "sharp", "sharp, cue", "b"])
    }
    file.write_text(json.dumps({"means": means, "how": "Data: val.", "formulas": {"psnr": "dB"}}))
    text = cards.write(replace(made(tmp_path), figures=file)).read_text()
    assert "Data: val." in text
    assert "| gray | identity | 2 | 20.0 |" in text
    assert "| gray | sharp, cue | 2 | 22.0 |" in text
    assert "| gray | b |" not in text
    assert "- psnr: dB" in text


def test_figures_of_another_model_are_an_error(tmp_path: Path) -> None:
    file = tmp_path / "evaluation.json"
    file.write_text(json.dumps({"means": {"gray | other": {}}, "how": "", "formulas": {}}))
    about = replace(made(tmp_path), figures=file)
    with pytest.raises(ValueError, match="no figures of sharp"):
        cards.write(about)
    file.write_text("{}")
    with pytest.raises(ValueError, match="is no evaluation"):
        cards.write(about)


def test_open_data_alone_is_said_so(tmp_path: Path) -> None:
    recipe = replace(load("upscaler"), sets={"bookdash": 1.0})
    assert "All sets are openly licensed." in cards.data_text(recipe, tmp_path)


def test_every_shipped_card_has_every_part() -> None:
    weights = Path(__file__).parents[1] / "weights"
    for file in weights.glob("*.safetensors"):
        text = file.with_suffix(".md").read_text()
        for title in ("What it does", "Net", "Recipe", "Data", "Curve", "Figures", "Limits"):
            if not (file.stem == "upscaler" and title == "Curve"):
                assert f"**{title}" in text, f"{file.stem}: {title}"
        assert "Not written yet." not in text, file.stem


class Odd(nn.Module):
    config = None


def test_a_net_without_an_arch_is_not_exported() -> None:
    with pytest.raises(ValueError, match="Odd"):
        export.spec_of(Odd(), Recipe("odd", "odd", {}))


def test_whole_numbers_of_batch_norm_stay_whole_and_fractions_become_bf16() -> None:
    tensors = export.tensors_of(nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2)))
    assert tensors["1.num_batches_tracked"].dtype == torch.int64
    assert tensors["1.running_var"].dtype == tensors["0.weight"].dtype == torch.bfloat16
    assert list(tensors) == sorted(tensors)
