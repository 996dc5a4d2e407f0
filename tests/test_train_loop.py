"""The loop when things go wrong, and with company: signals, full disks, damaged checkpoints, several processes."""

from __future__ import annotations

import errno
import json
import os
import resource
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from toy_task import ToyTask, recipe

from mangapaint.errors import ExitCode, InputError, InterruptedBySignal, OutputError
from train import __main__ as command
from train import checkpoint, curves, loop, ranks
from train.recipe import load

CPU = torch.device("cpu")


@contextmanager
def files_up_to(size: int) -> Iterator[None]:
    """No file may grow beyond `size` bytes, as on a disk that is full."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def step_of(folder: Path) -> int:
    state = checkpoint.load(folder / "checkpoint.pt")
    assert state is not None
    return int(state["step"])


def test_a_run_leaves_numbers_a_drawn_curve_and_a_sheet(tmp_path: Path) -> None:
    loop.run(recipe(20), ToyTask(), tmp_path, CPU)
    rows = curves.rows(tmp_path)
    assert [row["step"] for row in rows] == list(range(2, 21, 2))
    assert curves.losses(rows) == ["copy", "other"]
    assert rows[-1]["copy"] < rows[0]["copy"]
    assert rows[-1]["minutes"] > 0
    assert (tmp_path / "curve.png").read_bytes()[:4] == b"\x89PNG"
    assert (tmp_path / "samples-0000020.png").is_file()


def test_rows_of_steps_that_were_lost_are_cut_off_when_a_run_goes_on(tmp_path: Path) -> None:
    loop.run(recipe(10), ToyTask(), tmp_path, CPU)
    with (tmp_path / "curve.jsonl").open("a") as lines:
        lines.write('{"step": 12, "copy": 9.0}\n{"step": 14, "co')
    loop.run(recipe(16), ToyTask(), tmp_path, CPU)
    rows = [json.loads(line) for line in (tmp_path / "curve.jsonl").read_text().splitlines()]
    assert [row["step"] for row in rows] == list(range(2, 17, 2))
    assert all(row["copy"] < 9 for row in rows)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_saves_and_the_next_run_goes_on(number: signal.Signals, tmp_path: Path) -> None:
    before = signal.getsignal(number)
    timer = threading.Timer(0.5, os.kill, (os.getpid(), number))
    timer.start()
    with pytest.raises(InterruptedBySignal) as caught:
        loop.run(recipe(100_000), ToyTask(pause=0.01), tmp_path, CPU)
    assert caught.value.exit_code == 128 + number
    assert signal.getsignal(number) is before
    stopped = step_of(tmp_path)
    assert 0 < stopped < 100_000
    loop.run(recipe(stopped + 3), ToyTask(), tmp_path, CPU)
    assert step_of(tmp_path) == stopped + 3


def test_a_full_disk_is_an_output_error_and_leaves_the_last_checkpoint_whole(tmp_path: Path) -> None:
    loop.run(recipe(4), ToyTask(width=400), tmp_path, CPU)
    with files_up_to(30_000), pytest.raises(OutputError, match=r"checkpoint\.pt"):
        loop.run(recipe(8), ToyTask(width=400), tmp_path, CPU)
    assert step_of(tmp_path) == 4
    assert not list(tmp_path.glob(".*.part"))
    loop.run(recipe(8), ToyTask(width=400), tmp_path, CPU)
    assert step_of(tmp_path) == 8


@pytest.mark.parametrize("damage", [lambda data: data[: len(data) // 2], lambda data: b"", lambda data: data[::-1]])
def test_a_damaged_checkpoint_gives_way_to_the_one_before(damage, tmp_path: Path, capsys) -> None:  # type: ignore[no-untyped-def]
    loop.run(recipe(4), ToyTask(), tmp_path, CPU)
    loop.run(recipe(6), ToyTask(), tmp_path, CPU)
    file = tmp_path / "checkpoint.pt"
    damaged = damage(file.read_bytes())
    file.write_bytes(damaged)
    loop.run(recipe(9), ToyTask(), tmp_path, CPU)
    told = capsys.readouterr().out
    assert "checkpoint.prev.pt is taken instead" in told
    assert "goes on at step 4" in told
    assert (tmp_path / "checkpoint.damaged.pt").read_bytes() == damaged
    assert step_of(tmp_path) == 9


def test_a_kill_between_two_renames_leaves_the_checkpoint_before(tmp_path: Path) -> None:
    loop.run(recipe(4), ToyTask(), tmp_path, CPU)
    (tmp_path / "checkpoint.pt").rename(tmp_path / "checkpoint.prev.pt")
    assert step_of(tmp_path) == 4


def test_a_checkpoint_of_other_nets_is_an_error_that_says_what_to_do(tmp_path: Path) -> None:
    loop.run(recipe(2), ToyTask(), tmp_path, CPU)
    with pytest.raises(ValueError, match=r"size mismatch.*move the checkpoint away"):
        loop.run(recipe(4), ToyTask(width=7), tmp_path, CPU)
    assert step_of(tmp_path) == 2


def test_a_new_run_starts_with_the_tensors_of_exported_weights_that_fit(tmp_path: Path, capsys) -> None:  # type: ignore[no-untyped-def]
    bias = torch.tensor([1.0, 2.0, 3.0])
    save_file({"1.bias": bias, "0.weight": torch.zeros(9, 9), "gone": bias.clone()}, tmp_path / "w.safetensors")
    task = ToyTask()
    loop.run(recipe(1, learning_rate=0.0), task, tmp_path / "run", CPU, start_from=tmp_path / "w.safetensors")
    assert torch.equal(task.made["copy"][1].bias.detach(), bias)  # type: ignore[index, union-attr]
    told = capsys.readouterr().out
    assert "1 of 4 tensors taken; 3 start fresh (0.bias, 0.weight, 1.weight)" in told
    assert "2 of the file left out (0.weight, gone)" in told


def test_rates_and_betas_of_the_schedule_reach_the_optimizers() -> None:
    training = loop.Training(recipe(10, rates={"other": 0.5}, betas=(0.5, 0.999)), ToyTask(), CPU, ranks.Ranks())
    training.step({"x": torch.rand(2, 3, 8, 8)}, 0.0)
    groups = {name: optimizer.param_groups[0] for name, optimizer in training.optimizers.items()}
    assert groups["other"]["lr"] == pytest.approx(groups["copy"]["lr"] / 2)
    assert groups["copy"]["betas"] == (0.5, 0.999)
    with pytest.raises(ValueError, match="judge"):
        loop.Training(recipe(10, rates={"judge": 0.5}), ToyTask(), CPU, ranks.Ranks())


def test_a_gradient_that_is_not_finite_stops_before_the_step(tmp_path: Path) -> None:
    training = loop.Training(recipe(10), ToyTask(), CPU, ranks.Ranks())
    before = training.nets["copy"].state_dict()["0.weight"].clone()
    with pytest.raises(FloatingPointError, match="copy is not finite at step 0"):
        training.step({"x": torch.full((2, 3, 8, 8), torch.nan)}, 0.0)
    assert torch.equal(training.nets["copy"].state_dict()["0.weight"], before)


def test_settings_on_the_command_line_are_typed_and_win_over_the_profile() -> None:
    said = ["schedule.batch=3", "schedule.betas=[0, 0.9]", "options.patch=20", "sets.made=1"]
    changed = load("upscaler", "gpu", said)
    assert (changed.schedule.batch, changed.schedule.betas) == (3, (0.0, 0.9))
    assert changed.schedule.minutes == load("upscaler", "gpu").schedule.minutes
    assert changed.options["patch"] == 20
    assert changed.sets["made"] == 1.0
    assert "manga_bw" not in load("upscaler", None, ["sets.manga_bw=0"]).sets


def test_an_empty_table_empties_that_of_the_recipe() -> None:
    assert load("painter").schedule.rates
    without = load("painter", None, ["schedule.rates={}", "schedule.batch=3"]).schedule
    assert (without.rates, without.batch) == ({}, 3)


@pytest.mark.parametrize(
    ("said", "match"),
    [
        ("schedule.batch=many", "batch must be int, not 'many'"),
        ("schedule.betas=[0.9]", "betas must have 2 values"),
        ("schedule.batch", "key.path=value"),
        ("nets.x=1", "unknown keys"),
        ("schedule.rates=1", "rates must be"),
    ],
)
def test_a_wrong_setting_is_an_error_that_names_it(said: str, match: str) -> None:
    with pytest.raises(ValueError, match=match):
        load("upscaler", None, [said])


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (ValueError("wrong"), ExitCode.USAGE),
        (InputError("gone"), ExitCode.INPUT),
        (FileNotFoundError(errno.ENOENT, "gone"), ExitCode.INPUT),
        (OSError(errno.ENOSPC, "full"), ExitCode.OUTPUT),
        (torch.OutOfMemoryError("large"), ExitCode.MEMORY),
        (InterruptedBySignal(15), ExitCode.TERMINATED),
        (RuntimeError("odd"), ExitCode.INTERNAL),
    ],
)
def test_errors_are_one_line_and_an_exit_code(error: Exception, code: ExitCode, monkeypatch, capsys) -> None:  # type: ignore[no-untyped-def]
    def broken(**_: object) -> None:
        raise error

    monkeypatch.setattr(command, "app", broken)
    with pytest.raises(SystemExit) as caught:
        command.main()
    assert caught.value.code == code
    said = capsys.readouterr().err
    assert said.startswith("train: ")
    assert said.count("\n") == 1


def test_a_wrong_recipe_exits_2_with_one_line(monkeypatch, capsys) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.setattr("sys.argv", ["train", "run", "no-such"])
    with pytest.raises(SystemExit) as caught:
        command.main()
    assert caught.value.code == ExitCode.USAGE
    assert capsys.readouterr().err.startswith("train: no recipe no-such; there are ")


def together(rank: int, folder: Path) -> None:
    """One of two processes: two runs, the second going on from the first; what it holds then is written down."""
    os.environ |= {"RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1"}
    torch.set_num_threads(1)
    task = ToyTask()
    with ranks.joined("cpu") as (place, device):
        for steps in (4, 7):
            loop.run(recipe(steps), task, folder, device, ranks=place)
    state = {f"{name}.{k}": v.detach() for name, net in task.made.items() for k, v in net.named_parameters()}
    torch.save(state, folder / f"rank{rank}.pt")


@pytest.mark.slow
def test_two_processes_keep_their_nets_equal_and_one_writes(tmp_path: Path, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    import socket

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        monkeypatch.setenv("MASTER_PORT", str(free.getsockname()[1]))
    torch.multiprocessing.spawn(together, (tmp_path,), nprocs=2)  # type: ignore[no-untyped-call]
    first, second = (torch.load(tmp_path / f"rank{rank}.pt", weights_only=True) for rank in (0, 1))
    assert all(torch.equal(value, second[key]) for key, value in first.items())
    alone = ToyTask()
    loop.run(recipe(7), alone, tmp_path / "alone", CPU)
    assert not torch.equal(first["copy.0.weight"], alone.made["copy"].state_dict()["0.weight"])
    assert [row["step"] for row in curves.rows(tmp_path)] == [2, 4, 6]
    assert step_of(tmp_path) == 7
