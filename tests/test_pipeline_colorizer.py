"""The pipeline with the real painter and small nets of random weights: the seam between them holds."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from factories import cbz, chapter, page
from small_nets import PAINTER_SPEC, paint, settings_of, weights

from mangapaint import pixels
from mangapaint.archives import open_reader
from mangapaint.errors import UsageError
from mangapaint.page import Action
from mangapaint.pipeline.contracts import ChapterState
from mangapaint.pipeline.loading import ColorizerLoader
from mangapaint.settings import Limits, Settings


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return settings_of(tmp_path, scale=2)


def test_a_chapter_is_painted_and_enlarged_by_nets(tmp_path: Path, settings: Settings) -> None:
    source = cbz(
        tmp_path / "a.cbz", {"1.png": page(), "2.png": page(colour=True), "3.png": page(width=201, height=333)}
    )
    result, _, notes = paint(source, settings)
    assert result.counts == {Action.PAINTED: 2, Action.UPSCALED: 1, Action.FAILED: 0}
    assert any("cpu" in message for message in notes.messages)
    assert all(each.seconds > 0 for each in notes.pages)
    with open_reader(tmp_path / "out" / "a.cbz", settings.input) as reader:
        after = [pixels.decode(reader.read(index), Limits()) for index in range(3)]
    assert [(image.width, image.height) for image in after] == [(480, 680), (480, 680), (402, 666)]
    assert np.ptp(after[0].pixels.astype(int), axis=2).max() > 8, "colour came in"
    again, loader, _ = paint(source, settings)
    assert again.state is ChapterState.ALREADY
    assert loader._painter is None, "nothing was loaded"


def test_two_runs_give_the_same_bytes(tmp_path: Path, settings: Settings) -> None:
    source = chapter(tmp_path / "a.cbz", 2)
    paint(source, settings)
    first = (tmp_path / "out" / "a.cbz").read_bytes()
    (tmp_path / "out" / "a.cbz").unlink()
    paint(source, settings)
    assert (tmp_path / "out" / "a.cbz").read_bytes() == first


def test_other_weights_and_other_references_are_other_work(tmp_path: Path, settings: Settings) -> None:
    assert settings.paint is not None
    reference = tmp_path / "reference.png"
    reference.write_bytes(page(colour=True))
    plain = ColorizerLoader(settings, print).identity
    followed = replace(settings, paint=replace(settings.paint, references=(reference,)))
    with_reference = ColorizerLoader(followed, print).identity
    reference.write_bytes(page(colour=True, seed=4))
    with_another = ColorizerLoader(followed, print).identity
    weights(tmp_path, PAINTER_SPEC, seed=1)
    retrained = ColorizerLoader(settings, print).identity
    assert len({plain, with_reference, with_another, retrained}) == 4
    assert ColorizerLoader(settings, print).identity == retrained


def test_a_missing_reference_is_found_before_anything_is_loaded(tmp_path: Path, settings: Settings) -> None:
    assert settings.paint is not None
    settings = replace(settings, paint=replace(settings.paint, references=(tmp_path / "absent.png",)))
    with pytest.raises(UsageError, match="absent.png"):
        paint(chapter(tmp_path / "a.cbz", 1), settings)
    assert not (tmp_path / "out").exists()


def test_upscale_first_shows_the_enlarged_page_to_the_net(tmp_path: Path, settings: Settings) -> None:
    source = cbz(tmp_path / "a.cbz", {"1.png": page(), "2.png": page(colour=True)})
    after, digests = [], set()
    for order in ("color-first", "upscale-first"):
        ordered = replace(settings, upscale=replace(settings.upscale, order=order))  # type: ignore[arg-type]
        digests.add(ordered.digest())
        ordered = replace(ordered, run=replace(settings.run, output=tmp_path / order))
        _, loader, _ = paint(source, ordered)
        assert loader._painter is not None
        with open_reader(tmp_path / order / "a.cbz", settings.input) as reader:
            after.append([pixels.decode(reader.read(index), Limits()).pixels for index in range(2)])
    assert len(digests) == 2
    (one, kept_one), (other, kept_other) = after
    assert one.shape == other.shape == (680, 480, 3)
    assert (one != other).any(), "the net saw another size"
    assert np.abs(one.astype(int).min(2) - other.astype(int).min(2)).mean() < 64
    assert (kept_one == kept_other).all(), "coloured pages are only enlarged"
