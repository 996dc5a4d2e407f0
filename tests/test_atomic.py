import errno
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from mangapaint import atomic
from mangapaint.errors import ExitCode, OutputError


def parts(folder):
    return sorted(path.name for path in folder.iterdir() if path.name.endswith(".part"))


def test_written_file_is_whole_and_nothing_else_is_left(tmp_path):
    target = tmp_path / "deep" / "page.png"
    atomic.write(target, b"first")
    atomic.write(target, b"second")
    assert target.read_bytes() == b"second"
    assert [path.name for path in target.parent.iterdir()] == ["page.png"]


def test_file_gets_the_usual_permissions(tmp_path):
    atomic.write(tmp_path / "a", b"x")
    (tmp_path / "b").write_bytes(b"x")
    assert (tmp_path / "a").stat().st_mode == (tmp_path / "b").stat().st_mode


def test_error_in_the_body_keeps_the_old_file(tmp_path):
    target = tmp_path / "a"
    target.write_bytes(b"old")
    with pytest.raises(RuntimeError, match="mine"), atomic.writing(target) as part:
        part.write_bytes(b"half")
        raise RuntimeError("mine")
    assert target.read_bytes() == b"old" and parts(tmp_path) == []


def test_full_disk_is_an_output_error_with_the_free_bytes(tmp_path):
    target = tmp_path / "a"
    with pytest.raises(OutputError, match="bytes free") as caught, atomic.writing(target):
        Path("/dev/full").write_bytes(b"x")
    assert caught.value.exit_code == ExitCode.OUTPUT
    assert not target.exists() and parts(tmp_path) == []


def test_file_too_large_for_the_system_keeps_the_old_one(tmp_path):
    code = f"""
import resource, signal
from pathlib import Path
from mangapaint import atomic
from mangapaint.errors import OutputError
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (5000, 5000))
try:
    atomic.write(Path({str(tmp_path / "a")!r}), b"x" * 9000)
except OutputError as error:
    raise SystemExit(int(error.exit_code))
"""
    (tmp_path / "a").write_bytes(b"old")
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 4
    assert (tmp_path / "a").read_bytes() == b"old" and parts(tmp_path) == []


def test_target_that_is_a_folder_is_an_output_error(tmp_path):
    (tmp_path / "a" / "b").mkdir(parents=True)
    with pytest.raises(OutputError):
        atomic.write(tmp_path / "a", b"x")
    assert (tmp_path / "a" / "b").is_dir() and parts(tmp_path) == []


def test_parent_that_is_a_file_is_an_output_error(tmp_path):
    (tmp_path / "a").write_bytes(b"x")
    with pytest.raises(OutputError):
        atomic.write(tmp_path / "a" / "b", b"x")


def test_longest_names_are_written(tmp_path):
    target = tmp_path / ("ページ" * 28 + ".x")  # 254 bytes
    atomic.write(target, b"x")
    assert target.read_bytes() == b"x"


def test_other_errors_in_the_body_pass_as_they_are(tmp_path):
    with pytest.raises(FileNotFoundError), atomic.writing(tmp_path / "a"):
        (tmp_path / "missing").read_bytes()
    assert parts(tmp_path) == []


def test_sweep_removes_leftovers_of_the_dead_only(tmp_path):
    (tmp_path / ".a.cbz.0123.part").write_bytes(b"x")
    (tmp_path / ".b.1234.part").mkdir()
    (tmp_path / ".b.1234.part" / "x").write_bytes(b"x")
    (tmp_path / "mine.part").write_bytes(b"x")
    (tmp_path / ".link.part").symlink_to(tmp_path / "mine.part")
    with atomic.writing(tmp_path / "c") as living:
        assert atomic.sweep(tmp_path, "a.cbz") == [tmp_path / ".a.cbz.0123.part"]
        assert atomic.sweep(tmp_path) == [tmp_path / ".b.1234.part"]
        assert living.exists()
    assert sorted(path.name for path in tmp_path.iterdir()) == [".link.part", "c", "mine.part"]
    assert atomic.sweep(tmp_path / "absent") == []


def test_killed_writer_never_tears_the_file(tmp_path):
    target = tmp_path / "a"
    old, new = b"o" * 200_000, b"n" * 200_000
    target.write_bytes(old)
    code = f"""
from pathlib import Path
from mangapaint import atomic
print("go", flush=True)
while True:
    atomic.write(Path({str(target)!r}), {new[:1]!r} * {len(new)})
    atomic.write(Path({str(target)!r}), {old[:1]!r} * {len(old)})
"""
    for number in range(6):
        with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as writer:
            assert writer.stdout and writer.stdout.readline() == b"go\n"
            time.sleep(0.02 + 0.013 * number)
            os.kill(writer.pid, signal.SIGKILL)
        assert target.read_bytes() in (old, new)
    atomic.sweep(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_folder_that_cannot_be_synced_is_no_error_but_a_broken_disk_is(tmp_path, monkeypatch):
    def failing(code):
        def fsync(_):
            raise OSError(code, os.strerror(code))

        return fsync

    monkeypatch.setattr(os, "fsync", failing(errno.EINVAL))
    atomic.write(tmp_path / "a", b"x")
    monkeypatch.setattr(os, "fsync", failing(errno.EIO))
    with pytest.raises(OutputError, match="Input/output"):
        atomic.write(tmp_path / "a", b"y")
    assert (tmp_path / "a").read_bytes() == b"x" and parts(tmp_path) == []


def test_systems_without_locks_are_served(tmp_path, monkeypatch):
    monkeypatch.setattr(atomic, "fcntl", None)
    (tmp_path / ".a.0.part").write_bytes(b"x")
    atomic.write(tmp_path / "a", b"x")
    assert atomic.sweep(tmp_path) == [tmp_path / ".a.0.part"]


def test_file_systems_without_locks_are_served(tmp_path, monkeypatch):
    def refused(*_):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(atomic.fcntl, "flock", refused)
    (tmp_path / ".a.0.part").write_bytes(b"x")
    atomic.write(tmp_path / "a", b"x")
    assert atomic.sweep(tmp_path) == [tmp_path / ".a.0.part"]


def test_folders_that_cannot_be_opened_are_not_synced(tmp_path, monkeypatch):
    def refused(*_):
        raise PermissionError(errno.EACCES, "Permission denied")

    (tmp_path / "a").write_bytes(b"x")
    monkeypatch.setattr(os, "open", refused)
    atomic.sync(tmp_path)
    with pytest.raises(PermissionError):
        atomic.sync(tmp_path / "a")
