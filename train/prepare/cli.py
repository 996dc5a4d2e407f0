"""The command `prepare`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

GRAY_SETS = ["manga_bw", "line_drawings_bw"]


def prepare(
    sources: Annotated[
        list[Path], typer.Argument(help="Scraped folders, folders, zips, CBZ, PDF: pictures.", exists=True)
    ],
    corpus: Annotated[Path, typer.Option("--corpus", help="Folder to write.")] = Path("runs/corpus"),
    keep_gray: Annotated[
        list[str] | None, typer.Option(help="Sets whose gray pictures are wanted; manga_bw, line_drawings_bw.")
    ] = None,
    min_side: Annotated[int, typer.Option(min=16, help="Pictures with a shorter side are left out, px.")] = 64,
    max_side: Annotated[int, typer.Option(min=0, help="Larger pictures are reduced to this side, px; 0 none.")] = 0,
    square: Annotated[bool, typer.Option("--square", help="Keep the square in the middle of each picture.")] = False,
    near: Annotated[
        int, typer.Option(min=-1, max=15, help="Bits of 64 within which hashes are of one picture; -1 off.")
    ] = 6,
    holdout: Annotated[
        float, typer.Option(min=0, max=0.9, help="Share of the titles (stories, artists) kept for validation.")
    ] = 0.05,
    triplets: Annotated[
        Path | None, typer.Option(help="New folder for colour, gray, sketch and cue as PNG files of 256 px.")
    ] = None,
    limit_megapixels: Annotated[float, typer.Option(min=1, help="Larger pictures are left out unread.")] = 100.0,
    workers: Annotated[int, typer.Option(min=0, help="Threads; 0 takes one for each core.")] = 0,
) -> None:
    """Decode pictures into one flat file with a manifest, without duplicates, split by title."""
    from dataclasses import replace

    from train.prepare import build
    from train.prepare.screening import REASONS, Screen
    from train.prepare.sources import LIMITS

    screen = Screen(
        min_side=min_side,
        max_side=max_side,
        square=square,
        keep_gray=tuple(GRAY_SETS if keep_gray is None else keep_gray),
        limits=replace(LIMITS, page_megapixels=limit_megapixels),
    )
    options = build.Options(screen, None if near < 0 else near, holdout, triplets, workers)
    report = build.build(sources, corpus, options)
    columns = ("train", "val", "white", "crowded", *REASONS)
    table = build.counts(report)
    table["all"] = sum(table.values(), start=type(next(iter(table.values())))())
    wide = max(len(name) for name in table)
    print(f"{'set':{wide}}  " + " ".join(f"{column:>10}" for column in columns))
    for name, row in table.items():
        print(f"{name:{wide}}  " + " ".join(f"{row[column]:>10}" for column in columns))
    if triplets:
        print(f"{triplets}: {report.triplets} triplets")
    print(f"{corpus}: {len(report.items)} pictures; look at {corpus / build.SHEET}")
