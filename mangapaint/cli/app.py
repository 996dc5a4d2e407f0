"""The console entry: commands, and the one place where errors become exit codes."""

from __future__ import annotations

import logging
import os
import sys
from contextlib import suppress
from typing import Annotated

import typer

from mangapaint import __version__
from mangapaint.cli import color, demo, doctor, models, split, variants
from mangapaint.cli.screen import NORMAL, VERBOSE, Screen
from mangapaint.cli.state import State
from mangapaint.errors import ExitCode, MangapaintError, OutOfMemoryError, printable

app = typer.Typer(
    no_args_is_help=True,
    add_completion=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
    help="Colour and upscale black-and-white manga in bulk: folders, CBZ and PDF in, the same out.",
    epilog="Every option can also stand in mangapaint.toml (max-side = 2400) or in the environment "
    "(MANGAPAINT_MAX_SIDE=2400). Exit codes: 0 done, 1 some pages or chapters failed, 2 usage, 3 input, 4 output, "
    "5 weights, 6 encrypted, 7 locked, 8 memory, 70 internal, 129/130/143 by signal.",
)
app.command("color")(color.color)
app.command("upscale")(color.upscale)
app.command("split")(split.split)
app.command("variants")(variants.variants)
app.command("demo")(demo.demo)
app.add_typer(models.app, name="models")
app.command("doctor")(doctor.doctor)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"mangapaint {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None: ...


def main(state: State | None = None) -> None:
    """Run the command line; never returns.

    Args:
        state: what commands get; None for the real thing.
    """
    state = state or State()
    state.stop.install()
    logging.getLogger("mangapaint").handlers = [_Handler(state.screen)]
    logging.getLogger("mangapaint").setLevel(logging.DEBUG)  # the screen decides
    code: int | str | None
    try:
        app(obj=state, prog_name="mangapaint")
        code = ExitCode.DONE
    except SystemExit as leaving:
        code = leaving.code
    except MangapaintError as error:
        state.screen.error(error)
        code = error.exit_code
    except MemoryError as error:
        state.screen.error(OutOfMemoryError(f"the memory of this machine does not suffice: {error}"))
        code = ExitCode.MEMORY
    except Exception as error:
        state.screen.error(error)
        code = ExitCode.INTERNAL
    if state.stop.signal_number is not None:
        code = 128 + state.stop.signal_number
    sys.exit(_flushed(code))


def _flushed(code: int | str | None) -> int | str | None:
    """The code, once stdout is empty: Python would complain about a reader that has gone away."""
    if sys.stdout is None:
        return code
    try:
        sys.stdout.flush()
    except (OSError, ValueError) as error:
        with suppress(OSError, ValueError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if not isinstance(error, BrokenPipeError) and not code:
            return int(ExitCode.OUTPUT)
    return code


class _Handler(logging.Handler):
    """Log records of the package as lines on the screen."""

    def __init__(self, screen: Screen) -> None:
        super().__init__()
        self._screen = screen

    def emit(self, record: logging.LogRecord) -> None:
        text = printable(record.getMessage())
        if record.levelno >= logging.WARNING:
            self._screen.warn(text)
        else:
            self._screen.say(text, level=VERBOSE if record.levelno < logging.INFO else NORMAL)
