"""Kills, signals, full disks, rival runs and hostile terminals: the whole program in a process of its own."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from factories import chapter

from mangapaint.errors import ExitCode

TESTS = Path(__file__).parent
PAGES = 5
pytestmark = pytest.mark.timeout(120)


class Program:
    """Starts the command line with a stand-in painter; counts the pages that it paints."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.log = root / "painted.log"
        self.output = root / "out"
        self.running: list[subprocess.Popen[str]] = []

    def environment(self, **faults: object) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("STANDIN", "MANGAPAINT"))}
        paths = os.pathsep.join([str(TESTS.parent), str(TESTS)])
        said = {f"STANDIN_{name.upper()}": str(value) for name, value in faults.items()}
        threads = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
        return {**kept, **threads, "PYTHONPATH": paths, "STANDIN_LOG": str(self.log), **said}

    def start(self, *arguments: str | Path, out: bool = True, **faults: object) -> subprocess.Popen[str]:
        extra = ["-o", str(self.output)] if out else []
        process = subprocess.Popen(
            [sys.executable, str(TESTS / "standin.py"), "color", *map(str, arguments), *extra],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=self.environment(**faults),
            cwd=self.root,
        )
        self.running.append(process)
        return process

    def run(self, *arguments: str | Path, out: bool = True, **faults: object) -> tuple[int, str, str]:
        process = self.start(*arguments, out=out, **faults)
        stdout, stderr = process.communicate(timeout=60)
        return process.returncode, stdout, stderr

    def painted(self) -> int:
        """Pages given to the painter since the last call."""
        count = len(self.log.read_text().splitlines()) if self.log.exists() else 0
        self.log.unlink(missing_ok=True)
        return count

    def wait_for_pages(self, number: int) -> None:
        deadline = time.monotonic() + 30
        while not (self.log.exists() and len(self.log.read_text().splitlines()) >= number):
            assert time.monotonic() < deadline, "the program paints nothing"
            time.sleep(0.02)

    def leftovers(self) -> list[Path]:
        return [path for path in self.output.rglob("*") if path.name.startswith(".")]


@pytest.fixture
def program(tmp_path: Path) -> Iterator[Program]:
    program = Program(tmp_path)
    yield program
    for process in program.running:
        if process.poll() is None:
            process.kill()
        process.communicate()


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return chapter(tmp_path / "a.cbz", PAGES)


def page_count(path: Path) -> int:
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
        return sum(name.endswith(".png") for name in archive.namelist())


def test_after_a_kill_only_unfinished_pages_are_computed(program: Program, source: Path, at: int = 3) -> None:
    code, _, _ = program.run(source, kill_at=at)
    assert code == -signal.SIGKILL
    assert not (program.output / "a.cbz").exists()
    assert program.painted() == at + 1
    code, _, err = program.run(source)
    assert code == 0, err
    # The page in flight, and one that may still have been on its way to the disk.
    assert PAGES - at <= program.painted() <= PAGES - at + 1
    assert page_count(program.output / "a.cbz") == PAGES
    assert program.leftovers() == []


@pytest.mark.slow
def test_kills_at_any_time_never_leave_half_an_output(program: Program, source: Path) -> None:
    rng = random.Random(1)
    target = program.output / "a.cbz"
    for _ in range(12):
        process = program.start(source, seconds=0.05)
        time.sleep(rng.uniform(0.3, 2.0))
        process.kill()
        process.communicate()
        assert not target.exists() or page_count(target) == PAGES
    code, _, err = program.run(source)
    assert code == 0, err
    assert page_count(target) == PAGES
    assert program.leftovers() == []


def test_a_kill_in_the_last_write_keeps_the_old_output_and_the_work(program: Program, source: Path) -> None:
    old = chapter(program.output / "a.cbz", 1).read_bytes()
    code, _, _ = program.run(source, "--overwrite", kill_before_move_to=".cbz")
    assert code == -signal.SIGKILL
    assert (program.output / "a.cbz").read_bytes() == old
    assert program.painted() == PAGES
    code, _, err = program.run(source, "--overwrite")
    assert code == 0, err
    assert program.painted() == 0
    assert page_count(program.output / "a.cbz") == PAGES
    assert program.leftovers() == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_finishes_the_page_in_flight(program: Program, source: Path, number: signal.Signals) -> None:
    process = program.start(source, seconds=0.4)
    program.wait_for_pages(2)
    started = time.monotonic()
    process.send_signal(number)
    _, err = process.communicate(timeout=10)
    assert process.returncode == 128 + number
    assert time.monotonic() - started < 10
    assert "run the same command again to go on" in err
    assert "Traceback" not in err
    finished = program.painted()
    assert finished < PAGES
    code, _, _ = program.run(source)
    assert code == 0
    assert program.painted() == PAGES - finished, "nothing that was painted is lost"
    assert program.leftovers() == []


def test_a_second_signal_ends_at_once(program: Program, source: Path) -> None:
    process = program.start(source, seconds=20)
    program.wait_for_pages(1)
    process.send_signal(signal.SIGINT)
    time.sleep(0.3)
    assert process.poll() is None
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=2) == -signal.SIGINT
    code, _, _ = program.run(source)
    assert code == 0


@pytest.mark.parametrize("limit", [600, 12000])
def test_a_full_disk_exits_4_and_a_rerun_completes(program: Program, source: Path, limit: int) -> None:
    old = chapter(program.output / "a.cbz", 1).read_bytes()
    code, _, err = program.run(source, "--overwrite", file_limit=limit)
    assert code == ExitCode.OUTPUT, err
    assert "File too large" in err
    assert "bytes free" in err
    assert "Traceback" not in err
    assert (program.output / "a.cbz").read_bytes() == old
    assert not list(program.output.rglob("*.part"))
    done = program.painted()
    code, _, err = program.run(source, "--overwrite")
    assert code == 0, err
    assert program.painted() + done <= 2 * PAGES
    assert page_count(program.output / "a.cbz") == PAGES
    assert program.leftovers() == []


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full")
def test_results_onto_a_full_device_exit_4(program: Program, source: Path) -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, str(TESTS / "standin.py"), "color", "--json", str(source), "-o", str(program.output)],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            env=program.environment(),
            check=False,
        )
    assert done.returncode == ExitCode.OUTPUT
    assert "No space left on device" in done.stderr


def test_a_reader_that_goes_away_does_not_stop_the_work(program: Program, source: Path) -> None:
    process = program.start(source, "--json", seconds=0.1)
    assert process.stdout is not None
    process.stdout.readline()
    process.stdout.close()
    assert process.stderr is not None
    err = process.stderr.read()
    assert process.wait(timeout=30) == 0, err
    assert "Broken pipe" not in err
    assert page_count(program.output / "a.cbz") == PAGES


def test_rival_runs_on_one_chapter_and_on_different_ones(program: Program, source: Path) -> None:
    other = chapter(program.root / "b.cbz", 1)
    first = program.start(source, seconds=60)
    program.wait_for_pages(1)
    code, _, err = program.run(source)
    assert code == ExitCode.LOCKED
    assert "--lock wait" in err
    assert program.run(other)[0] == 0
    assert program.run(source, "--lock", "skip")[0] == 0
    waiting = program.start(source, "--lock", "wait")
    assert waiting.stderr is not None
    assert "using a stand-in" in waiting.stderr.readline()
    assert "waiting for another run" in waiting.stderr.readline()
    first.kill()  # what it held must not outlive it
    _, err = waiting.communicate(timeout=30)
    assert waiting.returncode == 0, err
    assert page_count(program.output / "a.cbz") == PAGES
    assert program.leftovers() == []


@pytest.mark.parametrize(
    ("name", "environment"),
    [
        ("with space.cbz", {"LANG": "C", "LC_ALL": "C"}),
        ("new\nline \x1b[31m.cbz", {"TERM": "dumb"}),
        ("猫😀.cbz", {"LANG": "C", "PYTHONIOENCODING": "ascii"}),
        ("あ" * 83 + "b.cbz", {"NO_COLOR": "1"}),
    ],
)
def test_hostile_names_and_surroundings(program: Program, name: str, environment: dict[str, str]) -> None:
    source = chapter(program.root / name, 1)
    surroundings = {k: v for k, v in program.environment().items() if k not in {"HOME", "LANG", "LC_ALL"}}
    done = subprocess.run(
        [sys.executable, str(TESTS / "standin.py"), "color", str(source), "-o", str(program.output)],
        capture_output=True,
        env={**surroundings, **environment},
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == b""
    assert b"\x1b" not in done.stderr
    assert len(done.stderr.splitlines()) == 2, "the device and the chapter, a line each"
    assert page_count(program.output / name) == 1


@pytest.mark.parametrize("closed", ["stdout", "stderr"])
def test_closed_streams_do_not_matter(program: Program, source: Path, closed: str) -> None:
    redirect = ">&-" if closed == "stdout" else "2>&-"
    command = f'"$0" "$1" color --json "$2" -o "$3" {redirect}'
    done = subprocess.run(
        ["sh", "-c", command, sys.executable, str(TESTS / "standin.py"), str(source), str(program.output)],
        capture_output=True,
        env=program.environment(),
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert page_count(program.output / "a.cbz") == PAGES


def _can_mount() -> bool:
    if shutil.which("unshare") is None:
        return False
    return subprocess.run(["unshare", "-rm", "true"], capture_output=True, check=False).returncode == 0


@pytest.mark.skipif(not _can_mount(), reason="needs unshare with mounts")
@pytest.mark.parametrize("size", [None, 20])
def test_a_read_only_or_tiny_disk_exits_4_before_anything_is_painted(
    program: Program, source: Path, size: int | None
) -> None:
    program.output.mkdir()
    mount = f"mount -t tmpfs -o {'ro' if size is None else f'size={size}k'} none"
    command = f'{mount} "$3" && "$0" "$1" color "$2" -o "$3"'
    done = subprocess.run(
        ["unshare", "-rm", "sh", "-c"]
        + [command, sys.executable, str(TESTS / "standin.py"), str(source), str(program.output)],
        capture_output=True,
        text=True,
        env=program.environment(),
        check=False,
    )
    if "mount" in done.stderr:
        pytest.skip(done.stderr)
    assert done.returncode == ExitCode.OUTPUT, done.stderr
    assert program.painted() == 0
