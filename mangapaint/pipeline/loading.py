"""The painter of the command line: found and named early, loaded when the first page needs it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mangapaint.errors import UsageError, printable
from mangapaint.models.registry import FACES, PAPER
from mangapaint.options import place_of
from mangapaint.page import PageImage
from mangapaint.pipeline.contracts import PageSource, PaintedPage, Painter
from mangapaint.settings import PaintSettings, Settings

if TYPE_CHECKING:
    from mangapaint.engine.runner import Engine
    from mangapaint.paint.colorizer import Colorizer
    from mangapaint.paint.consistency import Consistency


class ColorizerLoader:
    """Makes the painter that the settings describe, once.

    Args:
        settings: of the run.
        tell: gets lines for the user: what is fetched, which device is used.
    """

    def __init__(self, settings: Settings, tell: Callable[[str], None]) -> None:
        self._settings = settings
        self._tell = tell
        self._identity = ""
        self._painter: Painter | None = None

    @property
    def name(self) -> str:
        return self._settings.paint.model if self._settings.paint else self._settings.upscale.model

    @property
    def identity(self) -> str:
        """Hex digest of the weights and of every file that the settings name; fetches weights that are not here.

        Raises:
            UsageError: a model or a file that the settings name is not there.
            WeightsError: weights cannot be had.
        """
        if not self._identity:
            settings = self._settings
            parts = [_weights_sum(ref, settings.engine.offline, self._tell) for ref in _models(settings)]
            if settings.upscale.scale > 1:
                parts.append(_upscaler_sum(settings.upscale.model, settings.engine.offline, self._tell))
            if settings.paint is not None:
                named = [("the reference", path) for path in settings.paint.references]
                named += [("the palette", settings.paint.palette)] if settings.paint.palette else []
                named += [("the variants", place_of(settings.paint.variant)[0])] if settings.paint.variant else []
                parts += [f"{what}: {_file_sum(what, path)}" for what, path in named]
                for path in _hints(settings.paint):  # its name says where it goes
                    parts.append(f"hints {path.parent.name}/{path.name}: {_file_sum('the hints', path)}")
            self._identity = hashlib.sha256("\n".join(parts).encode()).hexdigest()
        return self._identity

    def load(self) -> Painter:
        """The painter; takes seconds the first time."""
        if self._painter is None:
            from mangapaint.engine.runner import Engine
            from mangapaint.paint.colorizer import Colorizer

            engine = Engine(self._settings.engine)
            self._tell(f"using {engine.device.name} ({engine.device.kind}, {engine.device.precision})")
            self._painter = _ColorizerAsPainter(engine, Colorizer(engine, self._settings, self._tell))
        return self._painter


class _ColorizerAsPainter:
    """A Colorizer, with the batch size that its engine finds fitting."""

    def __init__(self, engine: Engine, colorizer: Colorizer) -> None:
        self._engine = engine
        self._colorizer = colorizer

    @property
    def digest(self) -> str:
        return self._colorizer.digest

    @property
    def device(self) -> str:
        return self._colorizer.device

    def fitting_batch(self, height: int, width: int) -> int:
        return self._colorizer.fitting_batch(height, width)

    def prepare(self, pages: Sequence[PageSource]) -> None:
        self._engine.forget()  # another chapter, another try: memory may be free by now
        self._colorizer.prepare(pages)

    def paint(self, pages: list[PageImage], numbers: Sequence[int]) -> Sequence[PaintedPage]:
        return self._colorizer.paint(pages, numbers)

    def consistency(self) -> Consistency | None:
        return self._colorizer.consistency()

    def save_palette(self, path: Path, chapter: str) -> None:
        self._colorizer.save_palette(path, chapter)

    def upscale(self, pages: list[PageImage]) -> Sequence[PaintedPage]:
        return self._colorizer.upscale(pages)


def _hints(paint: PaintSettings) -> list[Path]:
    from mangapaint.paint.hintfiles import files_of

    return files_of(paint.hints) if paint.hints is not None else []


def _models(settings: Settings) -> list[str]:
    refs = [settings.paint.model] if settings.paint else []
    if settings.paint and settings.paint.paper == "auto" and settings.paint.mode != "gray":
        refs.append(PAPER)
    if settings.paint and (settings.paint.split == "faces" or settings.paint.memory):
        refs.append(FACES)
    return refs


def _weights_sum(ref: str, offline: bool, tell: Callable[[str], None]) -> str:
    from mangapaint.models import store, weightfile

    path, spec = store.resolve(ref, offline=offline, tell=tell)
    # A registered model is what the registry says: its file is compared with that when it is loaded.
    return spec.sha256 or weightfile.sha256_of(path)


def _upscaler_sum(ref: str, offline: bool, tell: Callable[[str], None]) -> str:
    from mangapaint.models import upscalers, weightfile

    sums = ""
    for net in upscalers.nets_of(ref):
        path, spec = upscalers.resolve(net, offline=offline, tell=tell)
        if spec.arch == upscalers.FOREIGN:
            upscalers.demand_extra()
        sums += spec.sha256 or weightfile.sha256_of(path)
    return sums


def _file_sum(what: str, path: Path) -> str:
    try:
        with path.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        raise UsageError(
            f"{what} {printable(str(path))} cannot be read: {error.strerror}", remedy="check the path"
        ) from error
