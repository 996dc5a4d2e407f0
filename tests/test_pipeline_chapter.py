"""One chapter through the pipeline: every page comes out, and nothing is computed twice."""

from __future__ import annotations

import hashlib
import json
import os
import zipfile
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from factories import cbz, chapter, encoded, folder, page, page_pixels
from standin import Loader, Notes, TintPainter, tinted

from mangapaint import pixels
from mangapaint.archives import provenance
from mangapaint.errors import (
    ExitCode,
    InterruptedBySignal,
    OutOfMemoryError,
    OutputError,
    PageError,
    UsageError,
    WeightsError,
)
from mangapaint.page import Action, PageImage
from mangapaint.pipeline.contracts import ChapterResult, ChapterState
from mangapaint.pipeline.run import exit_code, run
from mangapaint.settings import (
    EngineSettings,
    InputSettings,
    Limits,
    OutputSettings,
    PaintSettings,
    RunSettings,
    Settings,
    UpscaleSettings,
)
from mangapaint.signals import Stop


class Bench:
    """A folder with a source and an output, and a painter that counts."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.output = root / "out"
        self.loader = Loader()
        self.notes = Notes()
        self.settings = Settings(run=RunSettings(output=self.output))

    @property
    def painter(self) -> TintPainter:
        return self.loader.painter

    def set(self, **sections: Any) -> None:
        """Change fields: run=dict(overwrite=True)."""
        changed = {
            name: fields if not isinstance(fields, dict) else replace(getattr(self.settings, name), **fields)
            for name, fields in sections.items()
        }
        self.settings = replace(self.settings, **changed)

    def run(self, *sources: Path, fresh: bool = True, stop: Stop | None = None) -> list[ChapterResult]:
        if fresh:
            self.notes = Notes()
            self.loader.painter = replace(self.loader.painter, batches=[], prepared=[], enlarged=0)
            self.loader.loads = 0
        return run(sources, self.settings, self.loader, self.notes, stop or Stop())

    def leftovers(self) -> list[str]:
        return [
            path.name for path in self.root.rglob("*") if path.suffix in {".part", ".lock"} or "mangap" in path.name
        ]


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def entries(path: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
        return {name: archive.read(name) for name in archive.namelist()}


def decoded(data: bytes) -> np.ndarray[Any, Any]:
    return pixels.decode(data, Limits()).pixels


def dies_at(number: int) -> Any:
    """A painter's `before` that fails with something unforeseen on that page (1-based)."""

    def before(pages: list[PageImage], done: int) -> None:
        if done == number - 1:
            raise RuntimeError("CUDA error: an illegal memory access was encountered")

    return before


def test_every_page_comes_out_painted_in_order(bench: Bench) -> None:
    source = chapter(bench.root / "a.cbz", 4)
    [result] = bench.run(source)
    assert result.state is ChapterState.DONE
    assert result.counts[Action.PAINTED] == 4
    before, after = entries(source), entries(bench.output / "a.cbz")
    assert [name for name in after if name.endswith(".png")] == sorted(before)
    for name, data in before.items():
        np.testing.assert_array_equal(decoded(after[name]), tinted(decoded(data)))
    assert bench.leftovers() == []
    assert exit_code([result]) is ExitCode.DONE


@pytest.mark.parametrize("name", ["a", "a.pdf", "a.cbz"])
def test_each_container_comes_back_as_itself(bench: Bench, name: str) -> None:
    [result] = bench.run(chapter(bench.root / name, 2))
    target = bench.output / name
    assert result.target == target
    assert target.is_dir() == (name == "a")
    note = provenance(target)
    assert note is not None
    assert (note["pages"], note["kept"], note["failed"]) == (2, [], [])
    assert bench.run(bench.root / name)[0].state is ChapterState.ALREADY


def test_the_same_work_gives_the_same_bytes(bench: Bench) -> None:
    source = chapter(bench.root / "a.cbz", 3)
    bench.run(source)
    first = (bench.output / "a.cbz").read_bytes()
    (bench.output / "a.cbz").unlink()
    bench.run(source)
    assert (bench.output / "a.cbz").read_bytes() == first


def test_a_second_run_computes_and_loads_nothing(bench: Bench) -> None:
    source = chapter(bench.root / "a.cbz", 3)
    bench.run(source)
    before = (bench.output / "a.cbz").stat()
    [result] = bench.run(source)
    assert result.state is ChapterState.ALREADY
    assert bench.loader.loads == 0
    after = (bench.output / "a.cbz").stat()
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    assert exit_code([result]) is ExitCode.DONE


@pytest.mark.parametrize("change", ["settings", "weights", "pages", "foreign"])
def test_an_output_that_is_not_this_one_is_refused_and_replaced_only_when_told(bench: Bench, change: str) -> None:
    source = chapter(bench.root / "a.cbz", 3)
    target = bench.output / "a.cbz"
    bench.run(source)
    match change:
        case "settings":
            bench.set(output={"quality": 50})
        case "weights":
            bench.loader.identity = "better weights"
        case "pages":
            chapter(source, 4)
        case "foreign":
            chapter(target, 1)
    old = target.read_bytes()
    [refused] = bench.run(source)
    assert isinstance(refused.error, OutputError)
    assert "--overwrite" in str(refused.error)
    assert target.read_bytes() == old
    assert bench.loader.loads == 0
    bench.set(run={"overwrite": True})
    [result] = bench.run(source)
    assert result.state is ChapterState.DONE
    assert sum(bench.painter.batches) == (4 if change == "pages" else 3)
    assert bench.run(source)[0].state is ChapterState.ALREADY


def test_coloured_and_blank_pages_keep_their_bytes(bench: Bench) -> None:
    blank = encoded(np.full((340, 240, 3), 250, np.uint8))
    files = {"1.jpg": page("JPEG", colour=True), "2.png": page(), "3.png": blank, "4.webp": page("WEBP")}
    source = cbz(bench.root / "a.cbz", files)
    bench.run(source)
    after = entries(bench.output / "a.cbz")
    assert bench.notes.actions() == {1: "kept", 2: "painted", 3: "kept", 4: "painted"}
    assert after["1.jpg"] == files["1.jpg"]
    assert after["3.png"] == blank
    assert after["4.webp"][8:12] == b"WEBP"
    assert bench.painter.prepared == [["colour", "gray"]]
    assert json.loads(after["mangapaint.json"])["kept"] == [1, 3]


def test_coloured_pages_are_enlarged_but_not_painted(bench: Bench) -> None:
    files = {"1.png": page(colour=True), "2.png": page()}
    bench.set(upscale=UpscaleSettings(scale=2))
    bench.painter.scale = 2
    bench.run(cbz(bench.root / "a.cbz", files))
    after = entries(bench.output / "a.cbz")
    assert bench.notes.actions() == {1: "upscaled", 2: "painted"}
    np.testing.assert_array_equal(decoded(after["1.png"])[::2, ::2], decoded(files["1.png"]))
    assert decoded(after["2.png"]).shape == (680, 480, 3)


def test_upscaling_alone_paints_nothing(bench: Bench) -> None:
    bench.settings = replace(bench.settings, paint=None, upscale=UpscaleSettings(scale=2))
    bench.painter.scale = 2
    bench.run(chapter(bench.root / "a.cbz", 2))
    assert (bench.painter.batches, bench.painter.enlarged) == ([], 2)


def test_format_quality_longest_side_alpha_and_resolution_are_obeyed(bench: Bench) -> None:
    alpha = np.dstack([page_pixels(), np.tile(np.arange(240, dtype=np.uint8), (340, 1))])
    files = {"1.jpg": page("JPEG"), "2.png": encoded(alpha, dpi=(300, 300))}
    bench.set(output=OutputSettings(format="webp", max_side=170), upscale=UpscaleSettings(scale=2))
    bench.painter.scale = 2
    bench.run(cbz(bench.root / "a.cbz", files))
    after = entries(bench.output / "a.cbz")
    assert {name for name in after if name != "mangapaint.json"} == {"1.webp", "2.webp"}
    one = pixels.decode(after["2.webp"], Limits())
    assert (one.width, one.height) == (120, 170)
    assert one.alpha is not None
    assert abs(float(one.alpha[80, 100]) - 200) < 8


def test_a_bad_page_is_kept_and_flagged(bench: Bench) -> None:
    files = {f"{number}.png": data for number, data in enumerate([page(), b"no picture", page(seed=2)], 1)}
    [result] = bench.run(cbz(bench.root / "a.cbz", files))
    after = entries(bench.output / "a.cbz")
    assert after["2.png"] == b"no picture"
    assert len([name for name in after if name.endswith(".png")]) == 3
    assert result.failed == (1,)
    assert json.loads(after["mangapaint.json"])["failed"] == [2]
    assert bench.notes.actions() == {1: "painted", 2: "failed", 3: "painted"}
    assert exit_code([result]) is ExitCode.PARTIAL
    [again] = bench.run(bench.root / "a.cbz")
    assert again.state is ChapterState.ALREADY
    assert again.failed == (1,)
    assert exit_code([again]) is ExitCode.PARTIAL


def test_a_bad_crc_keeps_the_page_and_flags_it(bench: Bench) -> None:
    source = chapter(bench.root / "a.cbz", 10)
    raw = bytearray(source.read_bytes())
    with zipfile.ZipFile(source) as archive:
        raw[archive.infolist()[6].header_offset + 300] ^= 1
    source.write_bytes(raw)
    [result] = bench.run(source)
    assert result.failed == (6,)
    assert result.counts[Action.PAINTED] == 9
    with zipfile.ZipFile(bench.output / "a.cbz") as archive:
        assert len([name for name in archive.namelist() if name.endswith(".png")]) == 10
    assert exit_code([result]) is ExitCode.PARTIAL


def test_on_error_fail_fails_the_chapter_and_writes_nothing(bench: Bench) -> None:
    source = cbz(bench.root / "a.cbz", {"1.png": page(), "2.png": b"no picture"})
    bench.set(run={"on_error": "fail"})
    [result] = bench.run(source)
    assert isinstance(result.error, PageError)
    assert f"{source}, page 2: " in str(result.error)
    assert not (bench.output / "a.cbz").exists()
    assert exit_code([result]) is ExitCode.PARTIAL


def test_an_interrupted_chapter_goes_on_where_it_stopped(bench: Bench) -> None:
    source = chapter(bench.root / "a.cbz", 5)
    whole = Bench(bench.root / "whole")
    whole.run(source)
    stop = Stop()

    def before(pages: list[PageImage], done: int) -> None:
        if done == 2:
            stop.signal_number = 15

    bench.painter.before = before
    with pytest.raises(InterruptedBySignal):
        bench.run(source, stop=stop)
    assert sum(bench.painter.batches) == 3, "the page in flight is finished"
    assert not (bench.output / "a.cbz").exists()
    bench.painter.before = lambda pages, done: None
    bench.run(source)
    assert bench.painter.batches == [1, 1]
    assert list(bench.notes.actions().values()).count("resumed") == 3
    assert (bench.output / "a.cbz").read_bytes() == (whole.output / "a.cbz").read_bytes()
    assert bench.leftovers() == []


@pytest.mark.parametrize("change", ["settings", "weights", "palette", "page", "result"])
def test_finished_pages_are_trusted_only_if_all_hashes_match(bench: Bench, change: str) -> None:
    source = chapter(bench.root / "a.cbz", 4)
    bench.painter.before = dies_at(4)
    bench.run(source)
    bench.painter.before = lambda pages, done: None
    match change:
        case "settings":
            bench.set(paint=PaintSettings(vividness=2))
        case "weights":
            bench.loader.identity = "better weights"
        case "palette":
            bench.painter.palette = "another"
        case "page":
            files = entries(source)
            cbz(source, {**files, "002.png": page(seed=50)})
        case "result":
            file = bench.output / ".mangapaint" / "a.cbz" / "0002.png"
            file.write_bytes(file.read_bytes()[:-1] + b"x")
    bench.run(source)
    assert sum(bench.painter.batches) == {"page": 2, "result": 2}.get(change, 4)


def test_an_unforeseen_error_is_internal_and_keeps_the_journal(bench: Bench) -> None:
    bench.painter.before = dies_at(3)
    [result] = bench.run(chapter(bench.root / "a.cbz", 4))
    assert exit_code([result]) is ExitCode.INTERNAL
    assert "illegal memory access" in str(result.error)
    assert len(bench.painter.batches) == 2, "a broken device is not tried again"
    assert (bench.output / ".mangapaint" / "a.cbz" / "0002.png").exists()


def test_pages_that_fail_together_are_tried_alone(bench: Bench) -> None:
    def before(pages: list[PageImage], done: int) -> None:
        if len(pages) > 1 or pages[0].pixels[0, 0, 0] == 254:
            raise OutOfMemoryError("too much")

    large = page_pixels(seed=9)
    large[0, 0] = 254
    source = cbz(bench.root / "a.cbz", {"1.png": page(), "2.png": encoded(large), "3.png": page(seed=2)})
    bench.loader.painter = TintPainter(batch=3, before=before)
    [result] = bench.run(source)
    assert bench.painter.batches == [1, 1]
    assert result.failed == (1,)
    assert exit_code([result]) is ExitCode.PARTIAL


def test_no_memory_for_any_page_is_no_result(bench: Bench) -> None:
    def before(pages: list[PageImage], done: int) -> None:
        raise OutOfMemoryError("too much")

    bench.painter.before = before
    [result] = bench.run(chapter(bench.root / "a.cbz", 3))
    assert exit_code([result]) is ExitCode.MEMORY
    assert not (bench.output / "a.cbz").exists()


def test_like_sized_pages_are_batched_whatever_lies_between(bench: Bench) -> None:
    sizes = [(240, 340), (480, 340), (240, 340), (240, 340), (480, 340)]
    files = {f"{at}.png": page(width=width, height=height, seed=at) for at, (width, height) in enumerate(sizes)}
    bench.loader.painter = TintPainter(batch=2)
    bench.run(cbz(bench.root / "a.cbz", files))
    assert sorted(bench.painter.batches) == [1, 2, 2]
    after = entries(bench.output / "a.cbz")
    for name, data in files.items():
        np.testing.assert_array_equal(decoded(after[name]), tinted(decoded(data)))


def test_a_source_that_changes_meanwhile_fails_and_leaves_no_output(bench: Bench) -> None:
    source = chapter(bench.root / "a", 3)

    def before(pages: list[PageImage], done: int) -> None:
        (source / "001.png").write_bytes(page(seed=77))

    bench.painter.before = before
    [result] = bench.run(source)
    assert exit_code([result]) is ExitCode.INPUT
    assert "changed" in str(result.error)
    assert not (bench.output / "a").exists()
    bench.painter.before = lambda pages, done: None
    bench.run(source)
    assert bench.painter.batches == [1]


def test_one_failing_chapter_never_stops_the_others(bench: Bench) -> None:
    good, bad = chapter(bench.root / "in" / "b.cbz", 1), bench.root / "in" / "a.cbz"
    bad.write_bytes(good.read_bytes()[:100])
    results = bench.run(bad, bench.root / "absent", good)
    assert [result.state for result in sorted(results, key=lambda each: each.source.name)] == [
        ChapterState.FAILED,
        ChapterState.FAILED,
        ChapterState.DONE,
    ]
    assert exit_code(results) is ExitCode.PARTIAL
    assert exit_code(bench.run(bad)) is ExitCode.INPUT


def test_weights_that_cannot_be_loaded_stop_everything_at_once(bench: Bench) -> None:
    bench.loader.error = WeightsError("gone")
    sources = [chapter(bench.root / "in" / f"{name}.cbz", 1) for name in "ab"]
    with pytest.raises(WeightsError):
        bench.run(*sources)
    assert bench.loader.loads == 1
    assert not bench.output.exists()


def test_an_unwritable_output_is_found_before_anything_is_loaded(bench: Bench) -> None:
    bench.output.write_bytes(b"a file where the folder should be")
    bench.set(run={"output": bench.output / "deeper"})
    [result] = bench.run(chapter(bench.root / "a.cbz", 1))
    assert exit_code([result]) is ExitCode.OUTPUT
    assert bench.loader.loads == 0


def test_a_full_disk_is_found_before_anything_is_loaded(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.disk_usage", lambda path: SimpleNamespace(free=1000))
    [result] = bench.run(chapter(bench.root / "a.cbz", 3))
    assert exit_code([result]) is ExitCode.OUTPUT
    assert "are needed" in str(result.error)
    assert bench.loader.loads == 0
    assert not bench.output.exists()


@pytest.mark.parametrize("inside", ["in", "in/out", "in/a.cbz"])
def test_an_output_within_the_source_is_refused(bench: Bench, inside: str) -> None:
    chapter(bench.root / "in" / "a.cbz", 1)
    bench.set(run={"output": bench.root / inside})
    with pytest.raises(UsageError):
        bench.run(bench.root / "in")
    assert [path.name for path in (bench.root / "in").iterdir()] == ["a.cbz"]


def test_two_sources_for_one_output_are_refused(bench: Bench) -> None:
    first, second = (chapter(bench.root / name / "a.cbz", 1) for name in "xy")
    bench.set(run={"output": bench.root / "one.cbz"})
    with pytest.raises(UsageError, match="both"):
        bench.run(first, second)
    assert not (bench.root / "one.cbz").exists()


def test_a_dry_run_looks_and_writes_nothing(bench: Bench) -> None:
    blank = encoded(np.full((340, 240, 3), 250, np.uint8))
    files = {"1.png": page(colour=True), "2.png": page(), "3.png": blank, "4.png": b"no picture"}
    bench.set(run={"dry_run": True})
    [result] = bench.run(cbz(bench.root / "a.cbz", files))
    assert result.state is ChapterState.PLANNED
    assert bench.notes.actions() == {1: "kept", 2: "painted", 3: "kept", 4: "failed"}
    assert bench.loader.loads == 0
    assert [path.name for path in bench.root.iterdir()] == ["a.cbz"]


def test_single_pictures_are_chapters_of_one_page(bench: Bench) -> None:
    gray, colour = bench.root / "gray.png", bench.root / "colour.png"
    gray.write_bytes(page())
    colour.write_bytes(page(colour=True))
    results = bench.run(gray, colour)
    assert exit_code(results) is ExitCode.DONE
    np.testing.assert_array_equal(decoded((bench.output / "gray.png").read_bytes()), tinted(decoded(page())))
    assert (bench.output / "colour.png").read_bytes() == colour.read_bytes()
    assert exit_code(bench.run(gray, colour)) is ExitCode.DONE
    assert bench.painter.batches == []


def test_limits_flag_pages_that_are_too_large(bench: Bench) -> None:
    source = cbz(bench.root / "a.cbz", {"1.png": page(), "2.png": page(width=400, height=400)})
    bench.set(input=InputSettings(limits=Limits(page_megapixels=0.1)))
    [result] = bench.run(source)
    assert result.failed == (1,)


def test_memory_stays_bounded_over_a_long_chapter(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    from mangapaint.pipeline import feed

    one = page_pixels().shape[0] * page_pixels().shape[1] * feed.BYTES_PER_PIXEL
    most = 0
    real = feed.Budget.enter

    def enter(self: feed.Budget, ticket: int, cost: int) -> bool:
        nonlocal most
        inside = real(self, ticket, cost)
        most = max(most, self.used)
        return inside

    monkeypatch.setattr(feed.Budget, "enter", enter)
    monkeypatch.setattr(feed.Budget.__init__, "__defaults__", (3 * one,))
    bench.loader.painter = TintPainter(batch=100)
    [result] = bench.run(chapter(bench.root / "a.cbz", 12))
    assert result.counts[Action.PAINTED] == 12
    assert most <= 3 * one
    assert max(bench.painter.batches) <= 2, "half of the budget is what may wait"


def test_extras_come_along(bench: Bench) -> None:
    source = folder(bench.root / "a", {"1.png": page(), "notes.txt": b"words"})
    bench.run(source)
    assert (bench.output / "a" / "notes.txt").read_bytes() == b"words"


def test_the_engine_settings_do_not_make_another_result(bench: Bench) -> None:
    source = chapter(bench.root / "a.cbz", 1)
    bench.run(source)
    bench.set(engine=EngineSettings(device="cpu", batch=4))
    assert bench.run(source)[0].state is ChapterState.ALREADY


def test_inputs_are_never_changed(bench: Bench) -> None:
    source = chapter(bench.root / "a", 2)
    state = {path: (path.stat().st_mtime_ns, hashlib.sha256(path.read_bytes()).digest()) for path in source.iterdir()}
    bench.run(source)
    assert state == {
        path: (path.stat().st_mtime_ns, hashlib.sha256(path.read_bytes()).digest()) for path in source.iterdir()
    }


def test_a_folder_is_not_in_the_way_of_the_chapter_above_it(bench: Bench) -> None:
    bench.set(run={"output": None})
    chapter(bench.root / "in" / "deep", 1)
    bench.run(bench.root / "in")
    chapter(bench.root / "in", 1)
    results = bench.run(bench.root / "in")
    assert [result.state for result in results] == [ChapterState.DONE, ChapterState.ALREADY]
    assert (bench.root / "in-color" / "deep" / "mangapaint.json").exists()
    assert (bench.root / "in-color" / "mangapaint.json").exists()


def test_sources_that_are_too_young_are_left_for_the_next_run(bench: Bench) -> None:
    source = chapter(bench.root / "a.cbz", 1)
    bench.set(input={"min_age": 60.0})
    assert bench.run(source) == []
    assert exit_code([]) is ExitCode.DONE
    os.utime(source, (1, 1))
    assert bench.run(source)[0].state is ChapterState.DONE
