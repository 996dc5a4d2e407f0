"""Runs nets: batches that shrink when memory is short, exact tiles, and a check of every result."""

from __future__ import annotations

import functools
import gc
import threading
import time
from collections.abc import Callable, Collection, Hashable, Sequence
from typing import Any, TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mangapaint.engine import memory
from mangapaint.engine.device import Device, choose
from mangapaint.engine.tiles import SMALLEST, tiles
from mangapaint.errors import OutOfMemoryError, WeightsError
from mangapaint.settings import EngineSettings

Output = Tensor | tuple[Tensor, ...]
Net = Callable[..., Output]
AnyModule = TypeVar("AnyModule", bound=nn.Module)
Made = TypeVar("Made")

_TILE_ON_CPU = 512
"""Once freed blocks are kept (memory.keep_freed_blocks) the side matters by its overlap alone. Upscaler, x2, bf16:
s of one core per MP 2.50 at 128, 2.03 at 256, 1.91 at 384, 1.85 at 512; per pixel seen 1.7 to 1.8 at all."""
_TILE_ON_GPU = 1024
_MOST_PAGES = 32
_SHARE = 0.8
"""Part of the free memory that a batch may be planned for."""


class Engine:
    """The only door to the device. Calls from several threads run one after the other.

    Settings are never changed: what a shortage of memory taught is kept in `ceilings`, until `forget`.

    Attributes:
        device: where nets run, and their precision.
        seconds: time spent in nets so far, waiting for the device included.
        calls: how often a net was called.
    """

    def __init__(self, settings: EngineSettings, device: Device | None = None) -> None:
        self.settings = settings
        self.device = device or choose(settings)
        self.seconds = 0.0
        self.calls = 0
        self._lock = threading.RLock()
        self._ceilings: dict[Hashable, int] = {}
        self._bytes_per_pixel: dict[Hashable, float] = {}
        self._allocated_before = 0

    def prepare(self, net: AnyModule, *, dtypes: Collection[torch.dtype] | None = None) -> AnyModule:
        """The same net on the device: in its precision, channels last, for inference only.

        Args:
            net: changed in place; modules that have a method `fold` are told to make their weights ready for use.
            dtypes: that the net can run in; where the device's is not among them it is left in float32.

        Raises:
            OutOfMemoryError: the weights alone do not fit.
        """
        for part in net.modules():
            if callable(fold := getattr(part, "fold", None)):
                fold()
        try:
            # One after the other: the overload that takes all three confuses both reader and type checker.
            dtype = self.device.dtype if dtypes is None or self.device.dtype in dtypes else torch.float32
            net = net.to(self.device.torch_device).to(dtype)
            return net.to(memory_format=torch.channels_last).eval().requires_grad_(False)
        except (RuntimeError, MemoryError) as error:
            if not memory.ran_out(error):
                raise
            raise OutOfMemoryError("the weights do not fit into memory") from error

    def run(self, key: Hashable, net: Net, *inputs: Tensor, cast: bool = True) -> Output:
        """Call a net on a batch, in parts where the whole does not fit.

        Args:
            key: names the net in messages and in what is remembered of it.
            net: takes as many tensors as `inputs`; returns one or a tuple, each with the same batch dimension.
            inputs: (N, ...) tensors on any device, N alike; parts are moved to the device once, 4-D ones channels last.
            cast: bring floating inputs to the precision of the net (of the device, where the net is no module).

        Returns:
            What the net returns for the whole batch, on the device, in the dtype that the net gave.

        Raises:
            OutOfMemoryError: not even one item fits.
            WeightsError: a result holds NaN or infinity.
        """
        total = int(inputs[0].shape[0])
        if any(x.shape[0] != total for x in inputs):
            raise ValueError(f"batch sizes differ: {[tuple(x.shape) for x in inputs]}")
        with self._lock, torch.inference_mode():
            if total == 0:
                return self._call(key, net, inputs, cast)
            parts: list[Output] = []
            done = 0
            while done < total:
                size = min(total - done, self.ceiling(key, inputs[0]) or total)
                part = self._attempt(key, net, [x[done : done + size] for x in inputs], cast)
                if part is not None:
                    parts.append(part)
                    done += size
                elif size > 1:
                    self._ceilings[key, *_shape(inputs[0])] = size // 2
                else:
                    raise OutOfMemoryError(f"{key}: one picture of {_size(inputs[0])} does not fit into memory")
            whole = self._or_none(lambda: _joined(parts))
            if whole is None:
                raise OutOfMemoryError(f"{key}: {total} results do not fit into memory together")
            return whole

    def tiled(
        self,
        key: Hashable,
        net: Net,
        x: Tensor,
        *,
        scale: int,
        overlap: int,
        tile: int | None = None,
        multiple_of: int = 1,
        finish: Callable[[Tensor], Tensor] | None = None,
        cast: bool = True,
    ) -> Tensor:
        """Call a convolutional net on pictures of any size, in tiles whose seams cannot be seen.

        Args:
            key: as for `run`.
            net: (N, C, h, w) -> (N, C', h * scale, w * scale), no result depending on more than `overlap` px around.
            x: (N, C, H, W), any device.
            scale: output px per input px.
            overlap: receptive field of the net on each side, input px.
            tile: longest side of the part that a tile contributes, input px; None: settings, else by the device.
            multiple_of: what the net needs height and width to be a multiple of; the picture is continued to the
                right and below by its last column and row, and the result is cropped.
            finish: pointwise function on each tile's result, such as rounding to uint8: the whole is kept in what it
                returns.
            cast: as for `run`.

        Returns:
            (N, C', H * scale, W * scale) on the device, or on the CPU where the device cannot hold the whole.

        Raises:
            OutOfMemoryError: not even one picture in tiles of 64 px fits.
            WeightsError: a result holds NaN or infinity.
        """
        height, width = int(x.shape[-2]), int(x.shape[-1])
        wanted = tile or self.settings.tile or (_TILE_ON_CPU if self.device.kind == "cpu" else _TILE_ON_GPU)
        place = (key, "tile", height, width)
        with self._lock, torch.inference_mode():
            x = self._moved(x, multiple_of)
            side = max(SMALLEST, min(wanted, self._ceilings.get(place, wanted)))
            side = min(side, max(SMALLEST, *x.shape[-2:]))
            while True:
                shortage = None
                try:
                    whole = self._assembled(key, net, x, side, scale, overlap, multiple_of, finish, cast)
                except OutOfMemoryError as error:
                    shortage = error.with_traceback(None)
                if shortage is None:
                    return whole[..., : height * scale, : width * scale]
                if side == SMALLEST:
                    raise OutOfMemoryError(f"{key}: not even a tile of {SMALLEST} px fits into memory") from shortage
                side = max(SMALLEST, side // 2)
                self._ceilings[place] = side

    def fitting_batch(self, key: Hashable, height: int, width: int) -> int:
        """How many pictures of that size to gather for one call of `run`.

        The setting, where there is one; else 1 on a CPU, which gains nothing from more; else as many as the free
        memory holds, judged by the last call of that key.
        """
        known = self._ceilings.get((key, height, width), _MOST_PAGES)
        if self.settings.batch is not None:
            return max(1, min(self.settings.batch, known))
        if self.device.kind == "cpu":
            return 1
        cost = self._bytes_per_pixel.get(key)
        wish = 4 if cost is None else int(_SHARE * self.device.free_bytes() / max(1.0, cost * height * width))
        return max(1, min(wish, known))

    def ceiling(self, key: Hashable, x: Tensor) -> int | None:
        """The largest batch of tensors shaped like `x` that is still worth trying; None: not known yet."""
        return self._ceilings.get((key, *_shape(x)))

    def forget(self) -> None:
        """Try large batches and tiles again: memory may be free by now. Meant for the start of a chapter."""
        with self._lock:
            self._ceilings.clear()

    def _assembled(
        self,
        key: Hashable,
        net: Net,
        x: Tensor,
        side: int,
        scale: int,
        overlap: int,
        multiple_of: int,
        finish: Callable[[Tensor], Tensor] | None,
        cast: bool,
    ) -> Tensor:
        height, width = x.shape[-2:]
        whole: Tensor | None = None
        for part in tiles(height, width, side=side, overlap=overlap, multiple_of=multiple_of):
            piece = self.run(key, net, x[..., *part.window.slices], cast=cast)
            if not isinstance(piece, Tensor):
                raise TypeError("only nets with one result can be tiled")
            expected = (part.window.height * scale, part.window.width * scale)
            if tuple(piece.shape[-2:]) != expected:
                raise WeightsError(f"{key} returned {_size(piece)} where its scale of {scale} makes {expected}")
            piece = piece[..., *part.inside(scale)]
            piece = piece if finish is None else finish(piece)
            if whole is None:
                whole = self._space((*piece.shape[:-2], height * scale, width * scale), piece.dtype)
            whole[..., *part.target(scale)] = piece
        if whole is None:
            raise ValueError("a picture without pixels")
        return whole

    def _attempt(self, key: Hashable, net: Net, inputs: Sequence[Tensor], cast: bool) -> Output | None:
        """One call; None where memory ran out. Retries must start outside the except block: it keeps tensors alive."""
        try:
            return self._call(key, net, inputs, cast)
        except (RuntimeError, MemoryError) as error:
            if not memory.ran_out(error):
                raise
        gc.collect()
        self.device.release_cache()
        return None

    def _call(self, key: Hashable, net: Net, inputs: Sequence[Tensor], cast: bool) -> Output:
        start = time.perf_counter()
        self.calls += 1
        try:
            self._watch_peak()
            moved = [self._to_device(x, net if cast else None) for x in inputs]
            result = net(*moved)
            outputs = result if isinstance(result, tuple) else (result,)
            finite = all(_is_finite(output) for output in outputs)
            self.device.synchronize()
            self._note_peak(key, inputs[0])
        finally:
            self.seconds += time.perf_counter() - start
        if not finite:
            raise WeightsError(
                f"{key} produced values that are not finite",
                remedy="try --precision fp32, then 'mangapaint models verify'",
            )
        return result

    def _to_device(self, x: Tensor, net: Net | None) -> Tensor:
        dtype = x.dtype
        if net is not None and x.is_floating_point():
            dtype = _dtype_of(net) or self.device.dtype
        if x.dim() == 4 and all(not step or n == 1 for step, n in zip(x.stride(), x.shape, strict=True)):
            # One number everywhere, as of hints that nobody gave.
            return x[:1, :1, :1, :1].to(self.device.torch_device, dtype).expand(x.shape)
        layout = torch.channels_last if x.dim() == 4 else torch.preserve_format
        return x.to(self.device.torch_device, dtype, memory_format=layout)

    def _moved(self, x: Tensor, multiple_of: int) -> Tensor:
        """All of the input on the device where it fits, so that tiles need no transfer of their own."""
        return self._held(lambda place: _continued(x.to(place), multiple_of), _size(x))

    def _space(self, shape: tuple[int, ...], dtype: torch.dtype) -> Tensor:
        return self._held(lambda place: torch.empty(shape, dtype=dtype, device=place), f"{shape[-1]}x{shape[-2]} px")

    def _held(self, make: Callable[[torch.device], Tensor], size: str) -> Tensor:
        """A whole picture on the device, or on the CPU where the device has no room for it."""
        for place in (self.device.torch_device, torch.device("cpu")):
            held = self._or_none(functools.partial(make, place))
            if held is not None:
                return held
        raise OutOfMemoryError(f"a picture of {size} does not fit into memory")

    def _or_none(self, make: Callable[[], Made]) -> Made | None:
        try:
            return make()
        except (RuntimeError, MemoryError) as error:
            if not memory.ran_out(error):
                raise
        return None

    def _watch_peak(self) -> None:
        if self.device.kind == "cuda":
            torch.cuda.reset_peak_memory_stats(self.device.torch_device)
            self._allocated_before = torch.cuda.memory_allocated(self.device.torch_device)

    def _note_peak(self, key: Hashable, x: Tensor) -> None:
        if self.device.kind == "cuda" and x.dim() == 4 and x.numel():
            used = torch.cuda.max_memory_allocated(self.device.torch_device) - self._allocated_before
            self._bytes_per_pixel[key] = used / (x.shape[0] * x.shape[-2] * x.shape[-1])


def _is_finite(x: Any) -> bool:
    """Whether a tensor is free of NaN and infinity, without a second tensor of its size."""
    if not isinstance(x, Tensor) or not x.is_floating_point() or x.numel() == 0:
        return True
    low, high = torch.aminmax(x)
    return bool(torch.isfinite(low) & torch.isfinite(high))


def _dtype_of(net: Net) -> torch.dtype | None:
    parameters = net.parameters() if isinstance(net, nn.Module) else iter(())
    return next((p.dtype for p in parameters if p.is_floating_point()), None)


def _shape(x: Tensor) -> tuple[int, ...]:
    return tuple(x.shape[-2:]) if x.dim() >= 3 else tuple(x.shape[1:])


def _size(x: Tensor) -> str:
    return "x".join(str(n) for n in reversed(_shape(x))) + " px"


def _continued(x: Tensor, multiple_of: int) -> Tensor:
    right, below = -x.shape[-1] % multiple_of, -x.shape[-2] % multiple_of
    return F.pad(x, (0, right, 0, below), mode="replicate") if right or below else x


def _joined(parts: list[Output]) -> Output:
    if len(parts) == 1:
        return parts[0]
    rows = [part if isinstance(part, tuple) else (part,) for part in parts]
    whole = tuple(torch.cat(column) for column in zip(*rows, strict=True))
    return whole if isinstance(parts[0], tuple) else whole[0]
