"""The command `scrape`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

LOGIN, KEY = "BOORU_LOGIN", "BOORU_API_KEY"
"""Environment variables of an account; both or none."""


def scrape(
    folder: Annotated[Path, typer.Option("-o", "--output", help="Where ledger and pictures go.")] = Path("runs/scrape"),
    server: Annotated[
        str, typer.Option(help="Base URL of a server with Danbooru's API; Danbooru itself when left out.")
    ] = "",
    tags: Annotated[
        list[str] | None,
        typer.Option(help="Each is a search of its own; separate by spaces or repeat. Fantasy tags when left out."),
    ] = None,
    rating: Annotated[str, typer.Option(help="general, sensitive, questionable, explicit or any.")] = "general",
    limit: Annotated[int, typer.Option(help="Pictures in the folder, those of earlier runs among them.")] = 10_000,
    pace: Annotated[float, typer.Option(help="Seconds from one request to the next.")] = 1.0,
    max_mb: Annotated[int, typer.Option(help="MiB of one file at most.")] = 64,
    retry_failed: Annotated[bool, typer.Option("--retry-failed", help="Take up what was given up before.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only count; nothing is written.")] = False,
) -> None:
    """Fetch pictures by tag from a booru; stopped at any moment, the same command goes on."""
    import os
    import signal

    from mangapaint.errors import InputError, InterruptedBySignal, UsageError
    from train.scrape import danbooru, fetch, ledger
    from train.scrape.http import Http
    from train.scrape.progress import Meter

    settings = fetch.Settings(
        folder=folder,
        server=server or danbooru.DANBOORU,
        tags=tuple(dict.fromkeys(word for text in tags or danbooru.FANTASY for word in text.split())),
        rating=rating,
        limit=limit,
        pace=pace,
        most_bytes=max_mb << 20,
        retry_failed=retry_failed,
    )
    login, key = os.environ.get(LOGIN, ""), os.environ.get(KEY, "")
    if bool(login) != bool(key):
        raise UsageError(f"{LOGIN} and {KEY} belong together", remedy="set both or none")
    http = Http(pace, login=(login, key) if login else None)
    try:
        with Meter() as meter:
            if dry_run:
                for tag, posts in fetch.planned(settings, meter.say, http=http).items():
                    print(f"{tag}\t{'not counted by the server' if posts is None else posts}")
                counts = fetch.known(settings)
            else:
                counts = fetch.scrape(settings, meter, http=http)
    except KeyboardInterrupt:
        raise InterruptedBySignal(signal.SIGINT) from None
    others = ", ".join(f"{number} {state}" for state, number in counts.items() if number and state != ledger.FETCHED)
    print(f"{folder}: {counts[ledger.FETCHED]} pictures" + (f"; {others}" if others else ""))
    if not dry_run and not counts[ledger.FETCHED]:
        raise InputError("not one picture could be fetched", chapter=folder, remedy="check --server and --tags")
