"""All chapters of one command, one after another; one that fails never stops the others."""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from mangapaint import archives
from mangapaint.archives import Found
from mangapaint.errors import (
    ExitCode,
    InputError,
    InterruptedBySignal,
    LockedError,
    MangapaintError,
    OutOfMemoryError,
    OutputError,
    UsageError,
    printable,
)
from mangapaint.pipeline.chapter import Job, run_chapter
from mangapaint.pipeline.contracts import ChapterResult, ChapterState, Observer, Painter, PainterLoader
from mangapaint.pipeline.preview import preview_chapter
from mangapaint.settings import Settings
from mangapaint.signals import Stop

PALETTE_SUFFIXES = (".toml", ".safetensors")
"""Of what --save-palette can write."""
_DISK_ERRORS = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS}


@dataclass(slots=True)
class _Loading:
    """Remembers that the painter could not be made: no chapter can be painted then."""

    loader: PainterLoader
    failure: MangapaintError | None = None

    @property
    def identity(self) -> str:
        return self.loader.identity

    @property
    def name(self) -> str:
        return self.loader.name

    def check(self) -> None:
        """Raise at once what every chapter would raise: weights or files that are not there."""
        _ = self.identity

    def load(self) -> Painter:
        try:
            return self.loader.load()
        except MangapaintError as error:
            self.failure = error
            raise


def run(
    sources: Sequence[Path], settings: Settings, loader: PainterLoader, observer: Observer, stop: Stop
) -> list[ChapterResult]:
    """Paint (or with `dry_run` only look at) every chapter that the sources hold.

    Raises:
        UsageError: the outputs would collide with each other or with the sources; nothing was done.
        WeightsError: nothing can be painted at all.
        InterruptedBySignal: a signal came; finished pages are kept.
    """
    results: list[ChapterResult] = []

    def note(result: ChapterResult) -> None:
        results.append(result)
        observer.chapter_done(result)

    present = [source for source in sources if source.exists()]
    for source in sources:
        if source not in present:
            error = InputError("does not exist", remedy="check the path", chapter=source)
            note(ChapterResult(source, None, ChapterState.FAILED, error=error))
    found = archives.discover(present, settings.input)
    for source in present:
        # Sources that are too young are left out without a word here.
        if settings.input.min_age == 0 and not any(each.root == source for each in found):
            note(ChapterResult(source, None, ChapterState.FAILED, error=InputError("no pages", chapter=source)))
    targets = [archives.output_path(each, settings.run.output, settings.output) for each in found]
    refuse_collisions(found, targets)
    check_palette(settings, len(found))
    loading = _Loading(loader)
    if found and not settings.run.dry_run:
        loading.check()
    step = preview_chapter if settings.run.dry_run else run_chapter
    for number, (each, target) in enumerate(zip(found, targets, strict=True), 1):
        job = Job(each.path, target, settings, loading, observer, stop, number, len(found))
        note(_guarded(step, job))
        if loading.failure is not None:
            raise loading.failure
    return results


def check_palette(settings: Settings, chapters: int) -> None:
    """Raise UsageError where the palette files cannot be meant so."""
    paint, path = settings.paint, settings.run.save_palette
    if path is not None and paint is not None:
        if path.suffix.lower() not in PALETTE_SUFFIXES:
            raise UsageError(
                f"--save-palette writes {' or '.join(PALETTE_SUFFIXES)}, not '{printable(path.name)}'",
                remedy="name a file with that ending",
            )
        if chapters > 1:
            raise UsageError(
                f"--save-palette writes the colours of one chapter, {chapters} were found",
                remedy="colour the first chapter alone, then the others with --palette",
            )
    if paint is not None and paint.palette is not None and paint.references:
        raise UsageError("--palette and --reference both say which colours to use", remedy="give one of them")


def exit_code(results: Sequence[ChapterResult]) -> ExitCode:
    """0 when all is done, an error's own code when everything failed by it, else 1 when anything failed."""
    codes = {result.error.exit_code for result in results if result.error is not None}
    if len(codes) == 1 and all(result.error is not None for result in results):
        return codes.pop()
    return ExitCode.PARTIAL if codes or any(result.failed for result in results) else ExitCode.DONE


def refuse_collisions(found: Sequence[Found], targets: Sequence[Path]) -> None:
    """Raise UsageError where an output would meet another output, or lie in a source, or swallow one."""
    taken: dict[Path, Path] = {}
    for each, target in zip(found, targets, strict=True):
        where, source = _real(target), _real(each.path)
        if where in taken:
            raise UsageError(
                f"{taken[where]} and {each.path} would both be written to {target}",
                remedy="give them one after another, with different -o",
            )
        taken[where] = each.path
        inputs = {source, _real(each.root)} if each.root.is_dir() else {source}
        if any(where == folder or where.is_relative_to(folder) for folder in inputs) or source.is_relative_to(where):
            raise UsageError(
                f"the output {target} lies within the source", remedy="choose a place outside of it with -o"
            )


def _real(path: Path) -> Path:
    return Path(os.path.realpath(path))


def _guarded(step: Callable[[Job], ChapterResult], job: Job) -> ChapterResult:
    """The step's result; errors become a failed chapter, signals go through."""
    started = time.monotonic()
    error: MangapaintError
    try:
        return step(job)
    except InterruptedBySignal:
        raise
    except LockedError as locked:
        if job.settings.run.lock == "skip":
            return ChapterResult(job.source, job.target, ChapterState.SKIPPED, note="another run works on it")
        error = locked
    except MangapaintError as failed:
        error = failed
    except MemoryError as failed:
        error = _caused(OutOfMemoryError("the memory of this machine does not suffice"), failed)
    except OSError as failed:
        kind = OutputError if failed.errno in _DISK_ERRORS else InputError
        error = _caused(kind(failed.strerror or str(failed)), failed)
    except Exception as failed:
        error = _caused(MangapaintError(f"{type(failed).__name__}: {failed}"), failed)
    seconds = time.monotonic() - started
    return ChapterResult(
        job.source, job.target, ChapterState.FAILED, error=error.at(chapter=job.source), seconds=seconds
    )


def _caused(error: MangapaintError, cause: BaseException) -> MangapaintError:
    error.__cause__ = cause
    return error
