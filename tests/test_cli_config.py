"""Flags weigh more than the environment, that more than the file, that more than the defaults."""

import dataclasses
from pathlib import Path
from typing import Any

import pytest

from mangapaint import config
from mangapaint.errors import UsageError
from mangapaint.options import OPTIONS
from mangapaint.settings import Limits, Settings


@pytest.fixture(autouse=True)
def empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    return tmp_path


def test_nothing_said_gives_the_defaults() -> None:
    assert config.load({}, environ={}) == Settings()


def test_flags_environment_file_and_defaults_weigh_in_this_order(tmp_path: Path) -> None:
    (tmp_path / "mangapaint.toml").write_text("max-side = 1000\nquality = 50\nseed = 3\nupscale = '3x'\n")
    environ = {"MANGAPAINT_MAX_SIDE": "2000", "MANGAPAINT_QUALITY": "60", "PATH": "/bin"}
    settings = config.load({"max-side": "3000", "seed": None}, environ=environ, defaults={"upscale": 2, "tile": 512})
    assert settings.output.max_side == 3000
    assert settings.output.quality == 60
    assert settings.paint is not None
    assert settings.paint.seed == 3
    assert settings.upscale.scale == 3
    assert settings.engine.tile == 512


def test_the_users_file_counts_when_there_is_none_here(tmp_path: Path) -> None:
    folder = tmp_path / "config" / "mangapaint"
    folder.mkdir(parents=True)
    (folder / "mangapaint.toml").write_text("quality = 70")
    assert config.load({}, environ={}).output.quality == 70


def test_a_named_file_must_exist(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be read"):
        config.load({}, environ={"MANGAPAINT_CONFIG": str(tmp_path / "absent.toml")})


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("colour = 1", "nothing is called 'colour'"),
        ("quality = 'high'", "quality takes a whole number from 1 to 100, not 'high'"),
        ("quality = true", "not 'True'"),
        ("quality =", "no TOML"),
        ("reference = 3", "a list of paths"),
    ],
)
def test_a_wrong_file_is_refused_with_its_place(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "mangapaint.toml").write_text(text)
    with pytest.raises(UsageError, match="mangapaint.toml") as caught:
        config.load({}, environ={})
    assert said in str(caught.value)


def test_an_unknown_variable_is_refused() -> None:
    with pytest.raises(UsageError, match="MANGAPAINT_COLOUR"):
        config.load({}, environ={"MANGAPAINT_COLOUR": "1"})


@pytest.mark.parametrize(
    ("name", "value", "wanted"),
    [
        ("upscale", "5x", "1x, 2x, 3x or 4x"),
        ("mode", "grey", "one of auto, ink, gray"),
        ("vividness", "nan", "a number from 0 to 4"),
        ("batch", "0", "auto or a whole number of 1 or more"),
        ("min-age", "soon", "a time in seconds"),
        ("overwrite", "maybe", "true or false"),
        ("name-encoding", "klingon", "an encoding"),
        ("output", "", "a path"),
    ],
)
def test_an_impossible_value_is_refused_in_the_flags_spelling(name: str, value: Any, wanted: str) -> None:
    with pytest.raises(UsageError) as caught:
        config.load({name: value}, environ={})
    assert caught.value.message.startswith(f"--{name} takes {wanted}")


def test_words_are_understood() -> None:
    flags = {"upscale": "2x", "batch": "auto", "min-age": "60s", "limit-entry": "2", "name-encoding": "SJIS"}
    settings = config.load(flags, environ={"MANGAPAINT_REFERENCE": "a.png:b.png", "MANGAPAINT_OVERWRITE": "yes"})
    assert settings.upscale.scale == 2
    assert settings.engine.batch is None
    assert settings.input.min_age == 60
    assert settings.input.limits.entry_bytes == 2 * 2**20
    assert settings.input.name_encoding == "shift_jis"
    assert settings.paint is not None
    assert settings.paint.references == (Path("a.png").absolute(), Path("b.png").absolute())
    assert settings.run.overwrite


def test_upscaling_alone_has_no_paint() -> None:
    assert config.load({}, environ={"MANGAPAINT_VIVIDNESS": "2"}, paint=False).paint is None


def test_every_option_has_a_field_and_every_field_an_option() -> None:
    whole = Settings()
    sections: dict[str, Any] = {name: getattr(whole, name) for name in ("input", "paint", "upscale", "output", "run")}
    sections |= {"engine": whole.engine, "limits": Limits()}
    fields = {
        (name, field.name)
        for name, section in sections.items()
        for field in dataclasses.fields(section)
        if (name, field.name) != ("input", "limits")
    }
    assert {(option.section, option.field) for option in OPTIONS.values()} == fields
