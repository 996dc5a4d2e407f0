"""The README stays true: its commands run, its tables agree with the program."""

from __future__ import annotations

import re
import shlex
import tomllib
from pathlib import Path

import pytest
from typer.main import get_command

from mangapaint.cli.app import app
from mangapaint.errors import ExitCode
from train.__main__ import app as train_app

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
COMMANDS = get_command(app).commands  # type: ignore[attr-defined]
TRAIN_COMMANDS = get_command(train_app).commands  # type: ignore[attr-defined]
SHELL = [line for block in re.findall(r"```sh\n(.*?)```", README, re.S) for line in block.splitlines() if line]


def options(command: object) -> set[str]:
    return {name for parameter in command.params for name in (*parameter.opts, *parameter.secondary_opts)}  # type: ignore[attr-defined]


def test_every_command_is_documented_and_every_documented_command_exists() -> None:
    named = set(re.findall(r"`mangapaint ([a-z]+)", README))
    assert named == set(COMMANDS)


def test_documented_options_exist() -> None:
    table = README.split("Common options of `color`")[1].split("### Exit codes")[0]
    known = options(COMMANDS["color"])
    named = re.findall(r"(?<![\w-])(--?[a-z][a-z0-9-]*)", re.sub(r"`mangapaint [^`]*`", "", table))
    assert named
    assert set(named) - {"-color"} <= known


def test_exit_codes_are_those_of_the_program() -> None:
    table = README.split("### Exit codes")[1].split("Messages and progress")[0]
    numbers = [int(n) for row in re.findall(r"^\| ([\d, ]+) \|", table, re.M) for n in row.split(",")]
    assert numbers == sorted(int(code) for code in ExitCode)


@pytest.mark.parametrize("line", SHELL)
def test_shell_lines_name_real_commands_and_options(line: str) -> None:
    for part in line.split("&&"):
        words = shlex.split(part)
        if words[0].endswith("/mangapaint"):
            command = COMMANDS[words[1]]
        elif words[1:3] == ["-m", "train"]:
            command = TRAIN_COMMANDS[words[3]]
            words = words[3:]
        else:
            assert words[0].endswith(("python3", "pip", "python"))
            continue
        assert {word for word in words if re.match(r"--?[a-z]", word)} <= options(command)


def test_extras_and_files_that_the_readme_names_exist() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    for extra in re.findall(r"'\.\[(\w+)\]'", README):
        assert extra in project["optional-dependencies"]
    for target in re.findall(r"\]\(([^)#:]+)\)", README):
        assert (ROOT / target).exists(), target


def test_ci_runs_the_test_command_of_the_readme() -> None:
    script = (ROOT / ".ci" / "run").read_text()
    pattern = re.search(r"s/\^\\\((.*?)\\\)\$/", script)
    assert pattern
    assert re.search("^" + pattern[1] + "$", README, re.M)


def test_cron_line_uses_real_options() -> None:
    line = next(line for line in README.splitlines() if "* * *" in line)
    words = line.split("mangapaint color")[1].split()
    assert {word for word in words if word.startswith("-")} <= options(COMMANDS["color"])
