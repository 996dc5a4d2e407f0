"""Every option that has a place in the settings: its name, where its value goes, and how the value is read."""

from __future__ import annotations

import codecs
import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mangapaint.settings import MIB

Parse = Callable[[Any], Any]
"""Takes what a flag, variable or TOML file holds; raises ValueError with what is wanted instead."""


def _choice(*words: str) -> Parse:
    def parse(value: Any) -> str:
        if value not in words:
            raise ValueError(f"one of {', '.join(words)}")
        return str(value)

    return parse


def _scale(value: Any) -> int:
    digits = str(value).lower().removesuffix("x")
    if isinstance(value, bool) or digits not in {"1", "2", "3", "4"}:
        raise ValueError("1x, 2x, 3x or 4x")
    return int(digits)


def _whole(low: int, high: int | None = None, *, times: int = 1) -> Parse:
    wanted = f"a whole number of {low} or more" if high is None else f"a whole number from {low} to {high}"

    def parse(value: Any) -> int:
        try:
            number = int(value) if isinstance(value, str) else value
        except ValueError:
            number = None
        if not isinstance(number, int) or isinstance(number, bool) or number < low or (high and number > high):
            raise ValueError(wanted)
        return number * times

    return parse


def _auto_or(parse: Parse) -> Parse:
    def parse_or_auto(value: Any) -> Any:
        if value == "auto":
            return None
        try:
            return parse(value)
        except ValueError as error:
            raise ValueError(f"auto or {error}") from error

    return parse_or_auto


def _number(low: float, high: float) -> Parse:
    def parse(value: Any) -> float:
        try:
            number = float(value) if isinstance(value, str | int | float) and not isinstance(value, bool) else low - 1
        except ValueError:
            number = low - 1
        if not low <= number <= high:
            raise ValueError(f"a number from {low:g} to {high:g}")
        return number

    return parse


def _seconds(value: Any) -> float:
    try:
        return float(_number(0, 1e9)(value.removesuffix("s") if isinstance(value, str) else value))
    except ValueError as error:
        raise ValueError("a time in seconds, such as 60s") from error


def _switch(value: Any) -> bool:
    words = {"1": True, "true": True, "yes": True, "on": True, "0": False, "false": False, "no": False, "off": False}
    if isinstance(value, bool):
        return value
    if not isinstance(value, str) or value.lower() not in words:
        raise ValueError("true or false")
    return words[value.lower()]


def _text(value: Any) -> str:
    if not isinstance(value, str) or not value:
        raise ValueError("a text")
    return value


def _path(value: Any) -> Path:
    if not isinstance(value, str | Path) or not str(value):
        raise ValueError("a path")
    return Path(value).expanduser()


def _file(value: Any) -> Path:
    """Absolute, so that it is the same setting wherever the program is started from."""
    return _path(value).absolute()


def _files(value: Any) -> tuple[Path, ...]:
    parts = value.split(os.pathsep) if isinstance(value, str) else value
    if not isinstance(parts, list | tuple):
        raise ValueError("a list of paths")
    return tuple(_file(part) for part in parts)


def place_of(text: str) -> tuple[Path, int]:
    """File and number of "FILE.json#7".

    Raises:
        ValueError: it has not that form.
    """
    found = re.fullmatch(r"(.+)#(\d{1,6})", text, re.DOTALL)
    if found is None or int(found[2]) < 1:
        raise ValueError("a file and the number of a picture, such as variants.json#7")
    return Path(found[1]), int(found[2])


def _place(value: Any) -> str:
    path, number = place_of(_text(value))
    return f"{_file(path)}#{number}"


def _encoding(value: Any) -> str:
    try:
        return codecs.lookup(_text(value)).name
    except (LookupError, ValueError) as error:
        raise ValueError("an encoding such as cp932, euc_jp or utf-8") from error


@dataclass(frozen=True, slots=True)
class Option:
    """Where an option's value goes (section and field of Settings) and how it is read."""

    section: str
    field: str
    parse: Parse


OPTIONS: dict[str, Option] = {
    "output": Option("run", "output", _path),
    "overwrite": Option("run", "overwrite", _switch),
    "on-error": Option("run", "on_error", _choice("keep", "fail")),
    "lock": Option("run", "lock", _choice("fail", "wait", "skip")),
    "dry-run": Option("run", "dry_run", _switch),
    "save-palette": Option("run", "save_palette", _file),
    "upscale": Option("upscale", "scale", _scale),
    "order": Option("upscale", "order", _choice("color-first", "upscale-first")),
    "upscaler": Option("upscale", "model", _text),
    "int8": Option("upscale", "int8", _switch),
    "native": Option("upscale", "native", _choice("auto", "off")),
    "model": Option("paint", "model", _text),
    "mode": Option("paint", "mode", _choice("auto", "ink", "gray")),
    "reference": Option("paint", "references", _files),
    "palette": Option("paint", "palette", _file),
    "variant": Option("paint", "variant", _place),
    "split": Option("paint", "split", _choice("page", "panels", "faces")),
    "paper": Option("paint", "paper", _choice("auto", "all")),
    "memory": Option("paint", "memory", _switch),
    "hints": Option("paint", "hints", _file),
    "vividness": Option("paint", "vividness", _number(0, 4)),
    "seed": Option("paint", "seed", _whole(0)),
    "format": Option("output", "format", _choice("keep", "png", "jpeg", "webp", "avif")),
    "quality": Option("output", "quality", _whole(1, 100)),
    "max-side": Option("output", "max_side", _whole(16)),
    "comicinfo": Option("output", "comicinfo", _switch),
    "device": Option("engine", "device", _text),
    "precision": Option("engine", "precision", _choice("auto", "fp32", "bf16", "fp16")),
    "batch": Option("engine", "batch", _auto_or(_whole(1))),
    "tile": Option("engine", "tile", _auto_or(_whole(64))),
    "offline": Option("engine", "offline", _switch),
    "min-age": Option("input", "min_age", _seconds),
    "name-encoding": Option("input", "name_encoding", _encoding),
    "color-threshold": Option("input", "color_threshold", _number(0, 255)),
    "direction": Option("input", "direction", _choice("auto", "rtl", "ltr")),
    "tolerate-truncated": Option("input", "tolerate_truncated", _switch),
    "limit-megapixels": Option("limits", "page_megapixels", _number(0.001, 1e6)),
    "limit-side": Option("limits", "side", _whole(1)),
    "limit-entry": Option("limits", "entry_bytes", _whole(1, times=MIB)),
    "limit-archive": Option("limits", "archive_bytes", _whole(1, times=MIB)),
    "limit-entries": Option("limits", "entries", _whole(1)),
    "limit-pdf-pages": Option("limits", "pdf_pages", _whole(1)),
    "pdf-megapixels": Option("limits", "pdf_page_megapixels", _number(0.1, 250)),
}
"""By name, in the spelling of the flag; the command line, the environment and the file all use it."""
