"""The command line as a public interface: exit codes, stdout, stderr, flags."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from factories import cbz, chapter, encoded, page, pdf
from standin import Loader, TintPainter

from mangapaint import __version__
from mangapaint.cli.app import main
from mangapaint.cli.state import State
from mangapaint.errors import ExitCode, InterruptedBySignal, OutOfMemoryError, WeightsError
from mangapaint.lock import locked
from mangapaint.page import PageImage
from mangapaint.settings import Settings, UpscaleSettings

ROOT = Path(__file__).resolve().parents[1]


class Run:
    """Runs the command line in this process with a stand-in painter."""

    def __init__(self, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
        self.capsys, self.monkeypatch = capsys, monkeypatch
        self.loader = Loader()
        self.settings: Settings | None = None
        self.out = self.err = ""

    def __call__(self, *arguments: str | Path) -> int:
        def make_loader(settings: Settings, tell: Callable[[str], None]) -> Loader:
            self.settings = settings
            self.loader.painter.scale = settings.upscale.scale
            return self.loader

        self.monkeypatch.setattr(sys, "argv", ["mangapaint", *map(str, arguments)])
        with pytest.raises(SystemExit) as leaving:
            main(State(make_loader=make_loader))
        self.out, self.err = self.capsys.readouterr()
        code = leaving.value.code
        assert code is None or isinstance(code, int)
        return int(code or 0)


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Run]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    yield Run(capsys, monkeypatch)
    for number, handler in handlers.items():
        signal.signal(number, handler)


def fails_with(error: Exception) -> Callable[[list[PageImage], int], None]:
    def before(pages: list[PageImage], done: int) -> None:
        raise error

    return before


def test_version(run: Run) -> None:
    assert run("--version") == 0
    assert run.out == f"mangapaint {__version__}\n"


@pytest.mark.parametrize("command", ["color", "upscale", "split", "demo", "doctor", "models"])
def test_each_command_explains_itself(run: Run, command: str) -> None:
    assert run(command, "--help") == 0
    assert "Usage:" in run.out


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys\nfrom mangapaint.cli.app import main\nsys.argv = ['mangapaint', 'color', '--help']\n"
        "try:\n    main()\nfinally:\n    print({'torch', 'cv2', 'PIL', 'pymupdf'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True)
    assert done.stdout.endswith("set()\n")


def test_a_chapter_is_coloured_and_stdout_stays_empty(run: Run, tmp_path: Path) -> None:
    source = chapter(tmp_path / "a.cbz", 2)
    assert run("color", source) == 0
    assert run.out == ""
    assert "2 painted" in run.err
    assert "\x1b" not in run.err, "no colours and no progress where there is no terminal"
    with zipfile.ZipFile(tmp_path / "a-color" / "a.cbz") as archive:
        assert len(archive.namelist()) == 3
    assert run("color", source) == 0
    assert "already done" in run.err


def test_quiet_says_nothing_but_errors(run: Run, tmp_path: Path) -> None:
    assert run("color", "-q", chapter(tmp_path / "a.cbz", 1)) == 0
    assert (run.out, run.err) == ("", "")
    assert run("color", "-q", tmp_path / "absent") == ExitCode.INPUT
    assert "does not exist" in run.err


def test_json_lines_say_all_about_each_page(run: Run, tmp_path: Path) -> None:
    source = cbz(tmp_path / "a.cbz", {"1.png": page(), "2.png": page(colour=True), "3.png": b"nothing"})
    assert run("color", "--json", source) == ExitCode.PARTIAL
    *pages, whole = map(json.loads, run.out.splitlines())
    lines = {line["page"]: line for line in pages}
    assert lines[1].pop("colourfulness") < 1
    assert 0 < lines[1].pop("encode_seconds") < 5
    assert lines[1] == {
        "chapter": str(source),
        "page": 1,
        "name": "1.png",
        "verdict": "gray",
        "action": "painted",
        "width": 240,
        "height": 340,
        "seconds": 0.25,
        "device": "stand-in",
        "model": "tint",
        "error": None,
    }
    assert (lines[2]["verdict"], lines[2]["action"], lines[2]["device"]) == ("colour", "kept", "")
    assert (lines[3]["verdict"], lines[3]["action"]) == (None, "failed")
    assert lines[3]["error"]
    assert whole.pop("seconds") > 0
    assert Path(whole.pop("target")).is_file()
    assert whole == {
        "chapter": str(source),
        "state": "done",
        "counts": {"painted": 1, "kept": 1, "failed": 1},
        "failed": [3],
        "consistency": None,
        "note": None,
        "error": None,
    }


def test_a_dry_run_is_a_result_and_goes_to_stdout(run: Run, tmp_path: Path) -> None:
    source = cbz(tmp_path / "a.cbz", {"1.png": page(), "2.png": page(colour=True)})
    assert run("color", "--dry-run", source) == 0
    rows = [line.split("\t") for line in run.out.splitlines()]
    assert [row[1:3] + row[4:] for row in rows] == [["1", "240x340", "paint"], ["2", "240x340", "keep"]]
    assert [path.name for path in tmp_path.iterdir()] == ["a.cbz"]
    assert run("color", "--dry-run", "--json", source) == 0
    assert all(json.loads(line)["planned"] for line in run.out.splitlines())


def test_flags_reach_the_settings(run: Run, tmp_path: Path) -> None:
    source = chapter(tmp_path / "a.cbz", 1)
    (tmp_path / "ref.png").write_bytes(page(colour=True))
    words = """
        --upscale 2x --upscaler quality --native off --int8
        --vividness 1.5 --mode gray --format webp --quality 70 --max-side 500 --batch 3
        --device cpu --precision fp32 --tile 256 --on-error fail --lock wait --offline --min-age 0s --seed 7
        --name-encoding cp932 --color-threshold 3 --tolerate-truncated --limit-entry 10
    """
    assert run("color", *words.split(), "--reference", tmp_path / "ref.png", "--no-comicinfo", source) == 0
    settings = run.settings
    assert settings is not None
    assert settings.paint is not None
    assert (settings.paint.vividness, settings.paint.mode) == (1.5, "gray")
    assert settings.paint.references == (tmp_path / "ref.png",)
    assert settings.paint.seed == 7
    assert (settings.output.format, settings.output.quality, settings.output.max_side) == ("webp", 70, 500)
    assert not settings.output.comicinfo
    assert (settings.engine.batch, settings.engine.tile, settings.engine.offline) == (3, 256, True)
    assert (settings.run.on_error, settings.run.lock) == ("fail", "wait")
    assert settings.input.limits.entry_bytes == 10 * 2**20
    assert settings.input.tolerate_truncated
    assert settings.upscale == UpscaleSettings(2, "quality", "color-first", "off", True)


def test_the_file_and_the_environment_reach_the_settings(run: Run, tmp_path: Path) -> None:
    (tmp_path / "mangapaint.toml").write_text("quality = 40\nupscale = '3x'\n")
    run.monkeypatch.setenv("MANGAPAINT_QUALITY", "60")
    assert run("color", "--dry-run", chapter(tmp_path / "a.cbz", 1)) == 0
    assert run.settings is not None
    assert (run.settings.output.quality, run.settings.upscale.scale) == (60, 3)


def test_upscale_enlarges_twice_by_default(run: Run, tmp_path: Path) -> None:
    assert run("upscale", chapter(tmp_path / "a.cbz", 1)) == 0
    assert run.loader.painter.enlarged == 1
    assert run.settings is not None
    assert (run.settings.paint, run.settings.upscale.scale) == (None, 2)


def test_many_chapters_are_summed_up(run: Run, tmp_path: Path) -> None:
    for name in "ab":
        chapter(tmp_path / "in" / f"{name}.cbz", 1)
    (tmp_path / "in" / "c.cbz").write_bytes(b"PK\3\4 nothing")
    assert run("color", tmp_path / "in", "-o", tmp_path / "out") == ExitCode.PARTIAL
    assert "3 chapters: 1 failed" in run.err
    assert sorted(path.name for path in (tmp_path / "out" / "in").iterdir()) == ["a.cbz", "b.cbz"]


def test_a_report_is_written_where_asked(run: Run, tmp_path: Path) -> None:
    source = chapter(tmp_path / "a.cbz", 1)
    assert run("color", "--report", tmp_path / "report.txt", source) == ExitCode.USAGE
    assert run("color", "--report", tmp_path / "report.html", source) == 0
    assert run.out == ""
    assert "page 1 after" in (tmp_path / "report.html").read_text()


# Each exit code


def test_exit_2_for_usage(run: Run, tmp_path: Path) -> None:
    source = chapter(tmp_path / "a.cbz", 1)
    assert run("color") == ExitCode.USAGE
    assert run("color", "--no-such-flag", source) == ExitCode.USAGE
    assert run("color", "--upscale", "5x", source) == ExitCode.USAGE
    assert "--upscale takes 1x, 2x, 3x or 4x, not '5x'" in run.err
    assert run("upscale", "--upscale", "1x", source) == ExitCode.USAGE
    assert run("color", tmp_path, "-o", tmp_path / "within") == ExitCode.USAGE


def test_exit_3_for_a_source_without_pages(run: Run, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    assert run("color", tmp_path / "empty") == ExitCode.INPUT
    assert run("color", cbz(tmp_path / "a.cbz", {"readme.txt": b""})) == ExitCode.INPUT


def test_exit_4_for_an_output_in_the_way(run: Run, tmp_path: Path) -> None:
    chapter(tmp_path / "out" / "a.cbz", 1)
    assert run("color", chapter(tmp_path / "a.cbz", 2), "-o", tmp_path / "out") == ExitCode.OUTPUT
    assert "--overwrite" in run.err


def test_exit_5_for_weights(run: Run, tmp_path: Path) -> None:
    run.loader.error = WeightsError("the weights are gone")
    assert run("color", chapter(tmp_path / "a.cbz", 1)) == ExitCode.WEIGHTS
    assert "models pull" in run.err


def test_exit_6_for_a_password(run: Run, tmp_path: Path) -> None:
    import pymupdf

    plain = pdf(tmp_path / "plain.pdf", [page()])
    with pymupdf.open(plain) as document:
        document.save(tmp_path / "a.pdf", encryption=pymupdf.PDF_ENCRYPT_AES_256, user_pw="secret", owner_pw="owner")
    assert run("color", tmp_path / "a.pdf") == ExitCode.ENCRYPTED


def test_exit_7_for_a_lock_and_0_when_it_is_to_be_skipped(run: Run, tmp_path: Path) -> None:
    source = chapter(tmp_path / "a.cbz", 1)
    with locked(tmp_path / "a-color" / "a.cbz"):
        assert run("color", source) == ExitCode.LOCKED
        assert run("color", "--lock", "skip", source) == 0
        assert "skipped (another run works on it)" in run.err
    assert run("color", source) == 0


def test_exit_8_for_memory(run: Run, tmp_path: Path) -> None:
    run.loader.painter = TintPainter(before=fails_with(OutOfMemoryError("no room")))
    assert run("color", chapter(tmp_path / "a.cbz", 1)) == ExitCode.MEMORY
    run.loader.painter = TintPainter(before=fails_with(MemoryError()))
    assert run("color", chapter(tmp_path / "b.cbz", 1)) == ExitCode.MEMORY


def test_exit_70_shows_a_traceback_only_when_verbose(run: Run, tmp_path: Path) -> None:
    run.loader.painter = TintPainter(before=fails_with(RuntimeError("sticky\x1b[31m")))
    source = chapter(tmp_path / "a.cbz", 1)
    assert run("color", source) == ExitCode.INTERNAL
    assert "Traceback" not in run.err
    assert "RuntimeError: sticky\\x1b[31m" in run.err
    assert run("color", "-v", source) == ExitCode.INTERNAL
    assert "Traceback" in run.err


def test_errors_name_chapter_page_and_remedy(run: Run, tmp_path: Path) -> None:
    source = cbz(tmp_path / "a\nb.cbz", {"1.png": page(), "2.png": b"nothing"})
    assert run("color", "--on-error", "fail", source) == ExitCode.PARTIAL
    [line] = [line for line in run.err.splitlines() if line.startswith("error: ")]
    assert "a\\nb.cbz, page 2: " in line
    assert line.endswith("(replace the page in the source and run again)")


def test_exit_130_when_interrupted_while_working(run: Run, tmp_path: Path) -> None:
    def before(pages: list[PageImage], done: int) -> None:
        os.kill(os.getpid(), signal.SIGINT)

    run.loader.painter = TintPainter(before=before)
    assert run("color", chapter(tmp_path / "a.cbz", 3)) == ExitCode.INTERRUPT
    assert run.loader.painter.batches == [1]
    assert "go on" in run.err
    assert InterruptedBySignal(signal.SIGINT).exit_code == ExitCode.INTERRUPT


# The other commands


def test_split_writes_crops_and_boxes_in_reading_order(run: Run, tmp_path: Path) -> None:
    import cv2

    drawing = np.full((1000, 700), 255, np.uint8)
    for left in (40, 370):
        cv2.rectangle(drawing, (left, 60), (left + 290, 940), 0, 4)
        for row in range(160, 900, 140):
            cv2.circle(drawing, (left + 145, row), 50, 0, 3)
    source = cbz(tmp_path / "a.cbz", {"1.png": encoded(drawing)})
    assert run("split", source, "-o", tmp_path / "out") == 0
    folder = tmp_path / "out" / "a.cbz"
    said: dict[str, Any] = json.loads((folder / "panels.json").read_text())
    [only] = said["pages"]
    assert [panel["file"] for panel in only["panels"]] == ["0001-01.png", "0001-02.png"]
    assert only["panels"][0]["x"] > only["panels"][1]["x"], "manga is read from right to left"
    assert run("split", source, "-o", tmp_path / "out") == ExitCode.OUTPUT
    assert run("split", "--overwrite", "--direction", "ltr", source, "-o", tmp_path / "out") == 0
    [only] = json.loads((folder / "panels.json").read_text())["pages"]
    assert only["panels"][0]["x"] < only["panels"][1]["x"]
    first = only["panels"][0]
    with (folder / first["file"]).open("rb") as stream:
        crop = cv2.imdecode(np.frombuffer(stream.read(), np.uint8), cv2.IMREAD_GRAYSCALE)
    assert crop is not None
    assert crop.shape == (first["height"], first["width"])


def test_split_knows_panels_and_faces_only(run: Run, tmp_path: Path) -> None:
    assert run("split", cbz(tmp_path / "a.cbz", {"1.png": page()}), "-o", tmp_path, "--split", "eyes") == ExitCode.USAGE
    assert "panels, faces" in run.err


def test_split_goes_on_after_a_bad_page(run: Run, tmp_path: Path) -> None:
    source = cbz(tmp_path / "a.cbz", {"1.png": b"nothing", "2.png": page()})
    assert run("split", source, "-o", tmp_path / "out") == ExitCode.PARTIAL
    assert "page 1" in run.err
    assert [each["page"] for each in json.loads((tmp_path / "out/a.cbz/panels.json").read_text())["pages"]] == [2]


def test_the_demo_says_where_to_look(run: Run, tmp_path: Path) -> None:
    run.monkeypatch.setattr("mangapaint.demo.draw_pages", lambda: [np.zeros((40, 30), np.uint8) for _ in range(2)])
    assert run("demo") == 0
    before, after = (Path(line.split(":", 1)[1].strip()) for line in run.out.splitlines())
    assert before.is_file()
    assert after.is_file()
    assert run.settings is not None
    assert run.settings.upscale.scale == 2


def test_models_are_listed_and_described(run: Run) -> None:
    assert run("models", "list") == 0
    data = {line.split("\t")[0]: line.split("\t")[5] for line in run.out.splitlines()}
    assert {"painter", "pix2pix", "pix2pix-cue", "labgan", "zhang", "dcgan", "faces", "upscaler"} <= set(data)
    assert all("Pepper&Carrot" in said or "without a stated licence" in said for said in data.values())
    assert run("models", "info", "painter") == 0
    assert "colorize" in run.out
    assert run("models", "info", "no-such-model") == ExitCode.USAGE
    assert run("models", "verify", "no-such-model") == ExitCode.USAGE


def test_a_tier_of_two_nets_is_described_and_fetched_whole(run: Run) -> None:
    assert run("models", "info", "quality") == 0
    names = [line.split()[1] for line in run.out.splitlines() if line.startswith("name:")]
    assert names == ["upscaler-quality", "upscaler-clean"]
    assert run("models", "pull", "quality", "--offline") == 0
    assert [line.rsplit("/", 1)[1] for line in run.out.splitlines()] == [f"{name}.safetensors" for name in names]
