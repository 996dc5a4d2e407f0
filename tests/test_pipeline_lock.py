"""One run per output, free at once after a kill; signals ask first and end second."""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from mangapaint.errors import ExitCode, InterruptedBySignal, LockedError, OutputError
from mangapaint.lock import locked
from mangapaint.signals import Stop

HOLDER = """
import sys, time
from pathlib import Path
from mangapaint.lock import locked
with locked(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""


def start_holder(target: Path) -> subprocess.Popen[str]:
    process = subprocess.Popen([sys.executable, "-c", HOLDER, str(target)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


def end(process: subprocess.Popen[str]) -> None:
    process.kill()
    process.communicate()


def test_a_second_run_is_refused_at_once(tmp_path: Path) -> None:
    target = tmp_path / "a.cbz"
    process = start_holder(target)
    try:
        started = time.monotonic()
        with pytest.raises(LockedError) as caught, locked(target):
            pass
        assert time.monotonic() - started < 1
        assert caught.value.exit_code is ExitCode.LOCKED
        with locked(tmp_path / "b.cbz"):
            pass
    finally:
        end(process)


def test_a_killed_run_leaves_no_lock(tmp_path: Path) -> None:
    target = tmp_path / "a.cbz"
    end(start_holder(target))
    with locked(target):
        assert (tmp_path / ".mangapaint" / "a.cbz.lock").exists()
    assert list(tmp_path.iterdir()) == []


def test_waiting_ends_when_the_other_run_does(tmp_path: Path) -> None:
    target = tmp_path / "a.cbz"
    process = start_holder(target)
    told: list[str] = []
    threading.Timer(0.3, process.kill).start()
    with locked(target, wait=True, on_wait=lambda: told.append("waiting")):
        assert told == ["waiting"]
    process.communicate()


def test_waiting_can_be_given_up(tmp_path: Path) -> None:
    stop = Stop()
    stop.signal_number = signal.SIGTERM
    process = start_holder(tmp_path / "a.cbz")
    try:
        with pytest.raises(InterruptedBySignal), locked(tmp_path / "a.cbz", wait=True, check=stop.check):
            pass
    finally:
        end(process)


def test_many_threads_take_turns_though_the_file_comes_and_goes(tmp_path: Path) -> None:
    inside = 0
    most = 0
    turns = 0

    def work() -> None:
        nonlocal inside, most, turns
        for _ in range(3):
            with locked(tmp_path / "a.cbz", wait=True):
                inside += 1
                most = max(most, inside)
                time.sleep(0.01)
                inside -= 1
                turns += 1

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (most, turns) == (1, 9)
    assert list(tmp_path.iterdir()) == []


def test_folders_made_for_a_lock_go_again(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError), locked(tmp_path / "new" / "deep" / "a.cbz"):
        assert (tmp_path / "new" / "deep").is_dir()
        raise RuntimeError
    assert list(tmp_path.iterdir()) == []


def test_an_unwritable_place_is_an_output_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(OutputError), locked(tmp_path / "file" / "a.cbz"):
        pass


SLEEPER = """
import sys, time
from mangapaint.signals import Stop
stop = Stop()
stop.install()
try:
    if sys.argv[1] == "graceful":
        with stop.gracefully():
            print("ready", flush=True)
            for _ in range(600):
                time.sleep(0.1)
                if stop.requested and sys.argv[2] == "obeys":
                    break
        stop.check()
    else:
        print("ready", flush=True)
        time.sleep(60)
finally:
    print("unwound", flush=True)
"""


def start_sleeper(*arguments: str) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", SLEEPER, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_the_first_signal_asks_and_everything_unwinds(number: signal.Signals) -> None:
    process = start_sleeper("graceful", "obeys")
    process.send_signal(number)
    out, err = process.communicate(timeout=10)
    assert out == "unwound\n"
    assert f"InterruptedBySignal: stopped by signal {number:d}" in err
    assert InterruptedBySignal(number).exit_code == 128 + number


def test_the_second_signal_ends_at_once() -> None:
    process = start_sleeper("graceful", "stubborn")
    process.send_signal(signal.SIGINT)
    time.sleep(0.3)
    assert process.poll() is None
    started = time.monotonic()
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=5) == -signal.SIGINT
    assert time.monotonic() - started < 2
    process.communicate()


def test_outside_a_graceful_block_sigterm_unwinds() -> None:
    process = start_sleeper("plain")
    os.kill(process.pid, signal.SIGTERM)
    out, err = process.communicate(timeout=10)
    assert out == "unwound\n"
    assert "KeyboardInterrupt" in err
