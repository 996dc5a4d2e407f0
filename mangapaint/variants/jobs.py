"""Which pages of which sources get variants, and where those go."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from mangapaint import archives
from mangapaint.archives import Found
from mangapaint.errors import InputError, MangapaintError, UsageError
from mangapaint.settings import InputSettings


@dataclass(frozen=True, slots=True)
class Job:
    """One page: of a chapter (or a single picture), by 0-based number, and the folder for its variants."""

    source: Path
    page: int
    target: Path
    alone: bool
    """Whether the source is this one picture."""


def jobs_of(
    found: Sequence[Found], pages: Sequence[int] | None, output: Path | None, settings: InputSettings
) -> Iterator[Job | MangapaintError]:
    """The pages to work on; an error in place of a source that cannot be opened.

    Args:
        found: sources.
        pages: 0-based numbers to take of each; None takes all.
        output: folder for all; None puts "NAME-variants" beside each named source.
        settings: for opening the sources.

    Raises:
        UsageError: results would lie inside a source.
    """
    taken: set[Path] = set()
    for chapter in found:
        try:
            with archives.open_reader(chapter.path, settings) as reader:
                count, single = len(reader), reader.kind == "image"
            numbers = list(range(count)) if pages is None or single else [page for page in pages if page < count]
            if not numbers:
                raise InputError(f"there is no such page, the last is {count}", remedy="choose another --page")
        except MangapaintError as error:
            yield error.at(chapter=chapter.path)
            continue
        base = _base(chapter, output, alone=len(found) == 1)
        if base in taken:  # a.png beside a.jpg
            base = base.with_name(chapter.path.name)
        taken.add(base)
        for page in numbers:
            target = base if len(numbers) == 1 else base / f"{page + 1:04d}"
            yield Job(chapter.path, page, target, single)


def _base(chapter: Found, output: Path | None, *, alone: bool) -> Path:
    relative = chapter.relative if chapter.path.is_dir() else chapter.relative.with_suffix("")
    if output is not None:
        base = output if alone else output / relative
    else:
        root = chapter.root.resolve()
        name = root.name if root.is_dir() else root.stem
        below = relative.parts[1:] if root.is_dir() else ()
        base = root.with_name(f"{name}-variants").joinpath(*below)
    if chapter.root.is_dir() and base.resolve().is_relative_to(chapter.root.resolve()):
        raise UsageError(f"{base} would lie inside the source", remedy="choose another place with -o")
    return base
