"""`mangapaint doctor`: what this machine and installation have."""

from __future__ import annotations

import typer

from mangapaint.cli import flags
from mangapaint.errors import ExitCode, printable


def doctor(context: typer.Context, device: flags.Device = None, precision: flags.Precision = None) -> None:
    """Say what works here: versions, devices, memory, weights, extras. Exit 1 when something will not."""
    from mangapaint.engine.doctor import examine

    findings = examine(flags.settings_from(context).engine)
    width = max(len(finding.item) for finding in findings)
    for finding in findings:
        mark = "" if finding.ok else "  <- look here"
        typer.echo(f"{finding.item:{width}}  {printable(finding.value)}{mark}")
    raise typer.Exit(ExitCode.DONE if all(finding.ok for finding in findings) else ExitCode.PARTIAL)
