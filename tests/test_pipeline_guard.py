"""Results that a format or the memory cannot hold are seen before any work is done on them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from factories import cbz, page
from standin import Loader, Notes

from mangapaint.engine import memory
from mangapaint.errors import ExitCode, OutOfMemoryError
from mangapaint.page import Action
from mangapaint.pipeline import guard
from mangapaint.pipeline.run import exit_code, run
from mangapaint.settings import OutputSettings, RunSettings, Settings, UpscaleSettings
from mangapaint.signals import Stop


def settings_of(tmp_path: Path, scale: int, **output: object) -> Settings:
    return Settings(
        upscale=UpscaleSettings(scale),  # type: ignore[arg-type]
        output=OutputSettings(**output),  # type: ignore[arg-type]
        run=RunSettings(output=tmp_path / "out"),
    )


@pytest.mark.parametrize(
    ("source", "side", "scale", "chosen"),
    [
        ("webp", 4095, 4, "webp"),
        ("webp", 4096, 4, "png"),
        ("jpeg", 16_375, 4, "jpeg"),
        ("jpeg", 16_376, 4, "png"),
        ("png", 20_000, 4, "png"),
        ("gif", 20_000, 4, "png"),
    ],
)
def test_the_format_is_chosen_by_the_size_of_the_result(
    tmp_path: Path, source: str, side: int, scale: int, chosen: str
) -> None:
    found = guard.plan(800, side, source, settings_of(tmp_path, scale))
    assert (found.format, found.width, found.height) == (chosen, 800 * scale, side * scale)
    assert bool(found.note) == (chosen == "png" and source not in {"png", "gif"})


def test_a_reduced_result_keeps_its_format(tmp_path: Path) -> None:
    assert guard.plan(800, 8000, "webp", settings_of(tmp_path, 4, max_side=16_000)).format == "webp"


def test_another_format_is_announced_before_the_page_is_painted(tmp_path: Path) -> None:
    source = cbz(tmp_path / "a.cbz", {"1.webp": page("WEBP", width=40, height=8200)})
    settings, notes, loader = settings_of(tmp_path, 2), Notes(), Loader()
    loader.painter.scale = 2
    told: list[int] = []
    loader.painter.before = lambda pages, done: told.append(
        sum("png is written instead" in line for line in notes.messages)
    )
    [result] = run([source], settings, loader, notes, Stop())
    assert result.counts[Action.PAINTED] == 1
    assert told == [1]
    dry, notes = replace(settings, run=replace(settings.run, dry_run=True, output=tmp_path / "dry")), Notes()
    run([source], dry, loader, notes, Stop())
    assert any("page 1: 80x16400 px is more than the 16383 px of webp" in line for line in notes.messages)


def test_a_result_larger_than_memory_is_refused_before_the_painter_sees_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(OutOfMemoryError, match=r"160000x160000 px take .* MiB are free \(pass a smaller"):
        guard.demand_memory(40_000, 40_000, settings_of(tmp_path, 4))
    source = cbz(tmp_path / "a.cbz", {"1.png": page(), "2.png": page(width=400, height=500)})
    monkeypatch.setattr(memory, "available_bytes", lambda: 4 << 20)
    loader = Loader()
    loader.painter.scale = 2
    [result] = run([source], settings_of(tmp_path, 2), loader, Notes(), Stop())
    assert (result.failed, exit_code([result])) == ((1,), ExitCode.PARTIAL)
    assert loader.painter.batches == [1]
