"""`mangapaint models`: which weights there are, where they lie, whether they are sound."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated

import typer

from mangapaint.cli import flags
from mangapaint.cli.screen import Screen
from mangapaint.errors import ExitCode, printable

if TYPE_CHECKING:
    from mangapaint.models.catalog import Row

app = typer.Typer(no_args_is_help=True, rich_markup_mode="rich", help="List, describe, fetch and check weights.")

Ref = Annotated[str, typer.Argument(metavar="NAME|hf:...|PATH", show_default=False)]
Refs = Annotated[list[str], typer.Argument(metavar="NAME|hf:...", show_default=False)]
Names = Annotated[list[str] | None, typer.Argument(metavar="NAME", help="Default: all.", show_default=False)]


@app.command("list")
def list_() -> None:
    """All models known by name, one a line: name, task, size, place, licence, what it was trained on."""
    from mangapaint.models import catalog

    for row in catalog.listing():
        spec = row.spec
        licence, data = spec.licence or "licence unknown", spec.data or "data unknown"
        fields = (spec.name, spec.task, _size(spec.size), row.place, licence, data)
        typer.echo("\t".join(printable(field) for field in fields))


@app.command()
def info(context: typer.Context, ref: Ref, offline: flags.Offline = None) -> None:
    """All that is known of one model."""
    from mangapaint.models import catalog, upscalers

    settings = flags.settings_from(context)
    for number, net in enumerate(upscalers.nets_of(ref)):
        row = catalog.info(net, offline=settings.engine.offline, tell=_tell(context))
        if number:
            typer.echo()
        for name, value in _described(row).items():
            typer.echo(f"{name + ':':17}{printable(str(value))}")


@app.command()
def pull(context: typer.Context, refs: Refs, offline: flags.Offline = None) -> None:
    """Fetch weights that are not here yet, and check them."""
    from mangapaint.models import catalog, upscalers

    settings = flags.settings_from(context)
    for net in (net for ref in refs for net in upscalers.nets_of(ref)):
        path = catalog.pull(net, offline=settings.engine.offline, tell=_tell(context))
        typer.echo(printable(str(path)))


@app.command()
def verify(names: Names = None) -> None:
    """Compare the weights on this machine with their registered sha256; exit 5 when one does not fit."""
    from mangapaint.models import catalog

    checks = [check for name in names or ["all"] for check in catalog.verify(name)]
    for check in checks:
        typer.echo(f"{'ok' if check.ok else 'BAD':4}{check.name}: {printable(check.detail)}")
    raise typer.Exit(ExitCode.DONE if all(check.ok for check in checks) else ExitCode.WEIGHTS)


def _tell(context: typer.Context) -> Callable[[str], None]:
    screen: Screen = context.obj.screen
    return lambda text: screen.say(printable(text))


def _size(size: int) -> str:
    return f"{size / 1e6:.1f} MB" if size else "size unknown"


def _described(row: Row) -> dict[str, object]:
    spec = row.spec
    said = {
        "name": spec.name,
        "task": spec.task,
        "net": spec.arch,
        "hyper-parameters": ", ".join(f"{key}={value}" for key, value in sorted(spec.config.items())),
        "scale": f"{spec.scale}x",
        "size": _size(spec.size),
        "sha256": spec.sha256,
        "place": row.place,
        "path": row.path or "",
        "hub": f"{spec.repo_id}@{spec.revision or 'main'}" if spec.repo_id else "",
        "licence": spec.licence,
        "data": spec.data,
    }
    return {name: value for name, value in said.items() if value != ""}
