"""The one training loop: resume, EMA, bf16, several optimizers, curves, sample sheets."""

from __future__ import annotations

import contextlib
import copy
import json
import math
import queue
import threading
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from mangapaint.engine import memory
from mangapaint.models import weightfile
from train import checkpoint
from train.recipe import Recipe

Batch = dict[str, Tensor]


@dataclass(frozen=True)
class Phase:
    """One optimizer step: the net that moves, the loss it goes down, numbers for the curve."""

    net: str
    loss: Tensor
    scalars: Mapping[str, float]


class Task(Protocol):
    """What a recipe trains. The loop owns optimizers, EMA and time; the task owns data, losses and pictures."""

    main: str
    """The net that is exported; it gets the EMA."""

    def nets(self) -> dict[str, nn.Module]:
        """All trained nets by name, freshly initialised."""
        ...

    def batch(self, rng: np.random.Generator, size: int, done: float) -> Batch:
        """CPU tensors of one batch; `done` is the share of the schedule, 0..1. Runs in a thread of its own."""
        ...

    def phases(self, nets: Mapping[str, nn.Module], batch: Batch, done: float) -> Iterator[Phase]:
        """The losses of one batch, in order; each is stepped before the next is computed."""
        ...

    def samples(self, net: nn.Module, device: torch.device) -> NDArray[np.uint8]:
        """(H, W, 3) uint8 sheet for a person to look at, always of the same pictures."""
        ...


def run(recipe: Recipe, task: Task, folder: Path, device: torch.device, *, start_from: Path | None = None) -> Path:
    """Train until the recipe's minutes or steps are spent, from the last checkpoint in `folder` if there is one.

    Args:
        recipe: schedule and name.
        task: nets, batches and losses.
        folder: of the run; made where absent.
        device: where the nets are.
        start_from: exported weights; without a checkpoint, the main net starts with the tensors that fit by name and shape.

    Returns:
        The checkpoint: {"ema", "nets", "optimizers", "step", "seconds", "recipe"}.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if device.type == "cpu":
        memory.keep_freed_blocks()
    schedule = recipe.schedule
    path = folder / "checkpoint.pt"
    torch.manual_seed(schedule.seed)
    nets = {name: net.to(device).to(memory_format=torch.channels_last) for name, net in task.nets().items()}
    if strangers := set(schedule.rates) - set(nets):
        raise ValueError(f"{recipe.name}: schedule.rates names {sorted(strangers)}; the nets are {sorted(nets)}")
    state = checkpoint.load(path)
    if state is None and start_from is not None:
        print(initialised(nets[task.main], start_from))
    ema = copy.deepcopy(nets[task.main]).eval().requires_grad_(False)
    optimizers = {
        name: torch.optim.AdamW(
            net.parameters(), schedule.learning_rate, schedule.betas, weight_decay=schedule.weight_decay
        )
        for name, net in nets.items()
    }
    step, spent = 0, 0.0
    if state is not None:
        for name, net in nets.items():
            net.load_state_dict(state["nets"][name])
            optimizers[name].load_state_dict(state["optimizers"][name])
            for group in optimizers[name].param_groups:  # the recipe may have changed since
                group["betas"], group["weight_decay"] = schedule.betas, schedule.weight_decay
        ema.load_state_dict(state["ema"])
        step, spent = int(state["step"]), float(state["seconds"])
        print(f"{recipe.name}: goes on at step {step}, {spent / 60:.1f} of {schedule.minutes:g} minutes spent")

    def keep() -> None:
        state: dict[str, Any] = {
            "nets": {name: net.state_dict() for name, net in nets.items()},
            "optimizers": {name: optimizer.state_dict() for name, optimizer in optimizers.items()},
            "ema": ema.state_dict(),
            "step": step,
            "seconds": spent + clock(),
            "recipe": recipe.name,
        }
        checkpoint.save(path, state)

    start = time.monotonic()

    def clock() -> float:
        return time.monotonic() - start

    def progress() -> float:
        if schedule.steps:
            return min(1.0, step / schedule.steps)
        return min(1.0, (spent + clock()) / 60 / schedule.minutes)

    saved, seen = clock(), defaultdict[str, list[float]](list)
    with contextlib.ExitStack() as stack:
        curves = stack.enter_context(Curves(folder))
        feed = stack.enter_context(Feed(task, schedule.batch, schedule.seed + step, progress))
        while (done := progress()) < 1:
            rate = schedule.learning_rate * rate_at(done, step, schedule.warmup, schedule.final_rate)
            batch = {key: value.to(device, non_blocking=True) for key, value in feed.next().items()}
            for phase in task.phases(nets, batch, done):
                optimizer = optimizers[phase.net]
                for group in optimizer.param_groups:
                    group["lr"] = rate * schedule.rates.get(phase.net, 1.0)
                optimizer.zero_grad(set_to_none=True)
                phase.loss.backward()  # type: ignore[no-untyped-call]
                norm = nn.utils.clip_grad_norm_(nets[phase.net].parameters(), schedule.clip)
                if not torch.isfinite(norm):
                    raise FloatingPointError(f"{recipe.name}: the gradient of {phase.net} is not finite at step {step}")
                optimizer.step()
                for key, value in phase.scalars.items():
                    seen[key].append(value)
            update_ema(ema, nets[task.main], min(schedule.ema, (1 + step) / (10 + step)))
            step += 1
            if step % schedule.log_every == 0:
                means = {key: float(np.mean(values)) for key, values in seen.items()}
                curves.add(step, means | {"rate": rate, "done": done})
                seen.clear()
            if step % schedule.sample_every == 0:
                curves.sheet(step, task.samples(ema, device))
            if clock() - saved > schedule.checkpoint_seconds:
                keep()
                saved = clock()
        keep()
        curves.sheet(step, task.samples(ema, device))
    return path


def initialised(net: nn.Module, weights: Path) -> str:
    """Fill a net with the tensors of a weights file that fit by name and shape.

    Returns:
        One line that says what was taken and lists what was not.

    Raises:
        WeightsError: the file is absent or no valid safetensors.
        ValueError: not one tensor fits.
    """
    tensors, _, _ = weightfile.read(weights)
    own = net.state_dict()
    fitting = {key: value for key, value in tensors.items() if key in own and own[key].shape == value.shape}
    if not fitting:
        raise ValueError(f"not one tensor of {weights} fits {type(net).__name__}")
    net.load_state_dict(fitting, strict=False)
    line = f"{weights.name}: {len(fitting)} of {len(own)} tensors taken"
    missed = [
        f"{len(left)} {why} ({', '.join(left[:8])}{', ...' if len(left) > 8 else ''})"
        for why, left in (
            ("start fresh", sorted(set(own) - set(fitting))),
            ("of the file left out", sorted(set(tensors) - set(fitting))),
        )
        if left
    ]
    return "; ".join([line, *missed])


def rate_at(done: float, step: int, warmup: int, final: float) -> float:
    """Linear warm-up times a cosine from 1 to `final`."""
    return min(1.0, (step + 1) / max(1, warmup)) * (final + (1 - final) * 0.5 * (1 + math.cos(math.pi * done)))


@torch.no_grad()
def update_ema(ema: nn.Module, net: nn.Module, decay: float) -> None:
    for slow, fast in zip(ema.parameters(), net.parameters(), strict=True):
        slow.lerp_(fast.detach(), 1 - decay)
    for kept, value in zip(ema.buffers(), net.buffers(), strict=True):
        kept.copy_(value)


class Feed:
    """Makes batches in a thread beside the training step; an error in there surfaces in `next`."""

    def __init__(self, task: Task, size: int, seed: int, progress: Any) -> None:
        self.queue: queue.Queue[Batch | BaseException] = queue.Queue(4)
        self.stop = threading.Event()
        self.thread = threading.Thread(target=self.work, args=(task, size, seed, progress), daemon=True)

    def work(self, task: Task, size: int, seed: int, progress: Any) -> None:
        rng = np.random.default_rng(seed)
        while not self.stop.is_set():
            try:
                item: Batch | BaseException = task.batch(rng, size, progress())
            except BaseException as error:  # noqa: BLE001  handed to the training thread, which raises it
                item = error
            while not self.stop.is_set():
                with contextlib.suppress(queue.Full):
                    self.queue.put(item, timeout=0.5)
                    break

    def next(self) -> Batch:
        item = self.queue.get()
        if isinstance(item, BaseException):
            raise item
        return item

    def __enter__(self) -> Feed:
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop.set()
        self.thread.join(10)


class Curves:
    """Numbers to curve.jsonl and TensorBoard, sheets to PNG files."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.start = time.monotonic()

    def __enter__(self) -> Curves:
        from torch.utils.tensorboard import SummaryWriter

        self.board = SummaryWriter(str(self.folder / "tensorboard"))
        self.lines = (self.folder / "curve.jsonl").open("a", buffering=1)
        return self

    def __exit__(self, *_: object) -> None:
        self.board.close()
        self.lines.close()

    def add(self, step: int, values: Mapping[str, float]) -> None:
        row = {"step": step} | {key: round(value, 6) for key, value in values.items()}
        self.lines.write(json.dumps(row) + "\n")
        for key, value in values.items():
            self.board.add_scalar(key, value, step)
        words = " ".join(f"{key} {value:.4f}" for key, value in values.items())
        print(f"step {step} {words} ({time.monotonic() - self.start:.0f} s)", flush=True)

    def sheet(self, step: int, picture: NDArray[np.uint8]) -> None:
        from PIL import Image

        Image.fromarray(picture).save(self.folder / f"samples-{step:07d}.png")
