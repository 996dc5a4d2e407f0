"""The one training loop: resume, EMA, bf16, several optimizers and processes, curves, sample sheets."""

from __future__ import annotations

import contextlib
import copy
import math
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
from mangapaint.errors import InterruptedBySignal
from mangapaint.models import weightfile
from train import checkpoint, stopping
from train.curves import Curves
from train.feed import Feed
from train.muon import Muon
from train.ranks import Ranks
from train.recipe import Recipe, Schedule

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
        """CPU tensors of one batch; `done` is the share of the schedule, 0..1. Runs in threads beside the training."""
        ...

    def phases(self, nets: Mapping[str, nn.Module], batch: Batch, done: float) -> Iterator[Phase]:
        """The losses of one batch, in order; each is stepped before the next is computed.

        With several processes all must yield the same nets in the same order, and fill the same gradients.
        """
        ...

    def samples(self, net: nn.Module, device: torch.device) -> NDArray[np.uint8]:
        """(H, W, 3) uint8 sheet for a person to look at, always of the same pictures."""
        ...


class Training:
    """Nets, their optimizers and the moving average of one recipe.

    Args:
        recipe: schedule and name.
        task: nets and losses.
        device: where the nets are.
        ranks: the processes that train together.

    Raises:
        ValueError: the schedule names a net that the task does not have.
    """

    def __init__(self, recipe: Recipe, task: Task, device: torch.device, ranks: Ranks) -> None:
        self.recipe, self.task, self.ranks = recipe, task, ranks
        self.schedule = schedule = recipe.schedule
        torch.manual_seed(schedule.seed)
        self.nets = {name: net.to(device).to(memory_format=torch.channels_last) for name, net in task.nets().items()}
        if strangers := set(schedule.rates) - set(self.nets):
            raise ValueError(
                f"{recipe.name}: schedule.rates names {sorted(strangers)}; the nets are {sorted(self.nets)}; "
                "--set schedule.rates={} takes all rates out"
            )
        self.ema = copy.deepcopy(self.nets[task.main]).eval().requires_grad_(False)
        self.optimizers = {name: optimizer_of(net, schedule) for name, net in self.nets.items()}
        self.steps, self.seconds = 0, 0.0
        name = torch.cuda.get_device_name(device) if device.type == "cuda" else f"{torch.get_num_threads()} CPU threads"
        self.device_name = f"{ranks.count} x {name}" if ranks.count > 1 else name

    def begin(self, state: dict[str, Any] | None, start_from: Path | None) -> None:
        """Go on from a checkpoint, else from exported weights, else from nothing; then all processes are alike.

        Raises:
            ValueError: the checkpoint is of other nets.
            WeightsError: `start_from` is no weights file.
        """
        if state is not None:
            self.restore(state)
        elif start_from is not None:
            line = initialised(self.nets[self.task.main], start_from)
            self.ema.load_state_dict(self.nets[self.task.main].state_dict())
            if self.ranks.writes:
                print(line)
        for net in (*self.nets.values(), self.ema):
            self.ranks.alike(net)
        torch.manual_seed(self.schedule.seed + self.steps + 1_000_003 * self.ranks.rank)

    def restore(self, state: dict[str, Any]) -> None:
        try:
            for name, net in self.nets.items():
                net.load_state_dict(state["nets"][name])
                self.optimizers[name].load_state_dict(state["optimizers"][name])
                for group in self.optimizers[name].param_groups:  # the recipe may have changed since
                    group["betas"], group["weight_decay"] = self.schedule.betas, self.schedule.weight_decay
            self.ema.load_state_dict(state["ema"])
        except (RuntimeError, KeyError, ValueError) as error:
            what = " ".join(str(error).split())[:200]
            raise ValueError(
                f"{self.recipe.name}: the checkpoint is of other nets than the recipe ({what}); "
                "undo the change, move the checkpoint away or give another --folder"
            ) from error
        self.steps, self.seconds = int(state["step"]), float(state["seconds"])

    def state(self, seconds: float) -> dict[str, Any]:
        """What a checkpoint holds."""
        return {
            "nets": {name: net.state_dict() for name, net in self.nets.items()},
            "optimizers": {name: optimizer.state_dict() for name, optimizer in self.optimizers.items()},
            "ema": self.ema.state_dict(),
            "step": self.steps,
            "seconds": seconds,
            "recipe": self.recipe.name,
            "device": self.device_name,
        }

    def step(self, batch: Batch, done: float) -> tuple[float, list[tuple[str, float]]]:
        """Step every phase of one batch; the learning rate, and the scalars of the phases.

        Raises:
            FloatingPointError: a gradient is not finite; the nets are as before that phase.
        """
        schedule = self.schedule
        rate = schedule.learning_rate * rate_at(done, self.steps, schedule.warmup, schedule.final_rate)
        scalars: list[tuple[str, float]] = []
        for phase in self.task.phases(self.nets, batch, done):
            net, optimizer = self.nets[phase.net], self.optimizers[phase.net]
            for group in optimizer.param_groups:
                group["lr"] = rate * schedule.rates.get(phase.net, 1.0)
            optimizer.zero_grad(set_to_none=True)
            phase.loss.backward()  # type: ignore[no-untyped-call]
            self.ranks.average(net)
            norm = nn.utils.clip_grad_norm_(net.parameters(), schedule.clip)
            if not torch.isfinite(norm):
                raise FloatingPointError(
                    f"{self.recipe.name}: the gradient of {phase.net} is not finite at step {self.steps}"
                )
            optimizer.step()
            scalars += phase.scalars.items()
        update_ema(self.ema, self.nets[self.task.main], min(schedule.ema, (1 + self.steps) / (10 + self.steps)))
        self.steps += 1
        return rate, scalars


def run(
    recipe: Recipe,
    task: Task,
    folder: Path,
    device: torch.device,
    *,
    start_from: Path | None = None,
    ranks: Ranks | None = None,
) -> Path:
    """Train until the recipe's minutes or steps are spent, from the last checkpoint in `folder` if there is one.

    Args:
        recipe: schedule and name.
        task: nets, batches and losses.
        folder: of the run; made where absent. All processes must see it.
        device: where the nets are.
        start_from: exported weights; without a checkpoint the main net takes the tensors that fit by name and shape.
        ranks: the processes that train together; None is one alone. The first writes.

    Returns:
        The checkpoint: {"ema", "nets", "optimizers", "step", "seconds", "recipe", "device"}.

    Raises:
        ValueError: the checkpoint is damaged or of other nets, or the schedule does not fit the task.
        OutputError: the disk is full; the last checkpoint is whole.
        InterruptedBySignal: a signal came; everything was saved before.
        FloatingPointError: a gradient is not finite; the last checkpoint is whole.
    """
    ranks, schedule, path = ranks or Ranks(), recipe.schedule, folder / "checkpoint.pt"
    folder.mkdir(parents=True, exist_ok=True)
    if device.type == "cpu":
        memory.keep_freed_blocks()
    elif device.type == "cuda":
        torch.backends.cudnn.benchmark = True
        torch.set_float32_matmul_precision("high")
    training = Training(recipe, task, device, ranks)
    state = ranks.first_then_all(lambda: checkpoint.load(path))
    training.begin(state, start_from)
    clock = Clock(training, ranks, device)
    if state is not None and ranks.writes:
        print(f"{recipe.name}: goes on at step {training.steps}, {clock.seconds / 60:.1f} minutes spent")
    saved, seen = clock.seconds, defaultdict[str, list[float]](list)
    with contextlib.ExitStack() as stack:
        signals = stack.enter_context(stopping.asked())
        curves = stack.enter_context(Curves(folder, training.steps, clock.seconds / 60)) if ranks.writes else None
        seed = schedule.seed + training.steps + 1_000_003 * ranks.rank
        feed = stack.enter_context(Feed(task, schedule.batch, seed, clock.share, schedule.workers))
        while (done := clock.agreed(signals.number)) < 1:
            batch = {key: value.to(device, non_blocking=True) for key, value in feed.next().items()}
            rate, scalars = training.step(batch, done)
            for key, value in scalars:
                seen[key].append(value)
            step = training.steps
            if curves and step % schedule.log_every == 0:
                curves.add(step, {k: float(np.mean(v)) for k, v in seen.items()} | {"rate": rate, "done": done})
                seen.clear()
            if curves and step % schedule.sample_every == 0:
                curves.sheet(step, task.samples(training.ema, device))
            if curves and clock.seconds - saved > schedule.checkpoint_seconds:
                checkpoint.save(path, training.state(clock.seconds))
                saved = clock.seconds
        if curves:
            checkpoint.save(path, training.state(clock.seconds))
            if not clock.signal:
                curves.sheet(training.steps, task.samples(training.ema, device))
    if clock.signal:
        raise InterruptedBySignal(clock.signal)
    return path


class Clock:
    """How much of the schedule is done; what the first process says counts for all.

    Args:
        training: whose schedule and steps count; its seconds were spent before.
        ranks: the processes that train together.
        device: where messages between them are.
    """

    def __init__(self, training: Training, ranks: Ranks, device: torch.device) -> None:
        self.training, self.ranks, self.device = training, ranks, device
        self.start = time.monotonic() - training.seconds
        self.signal = 0

    @property
    def seconds(self) -> float:
        """Spent in all sessions of the run."""
        return time.monotonic() - self.start

    def share(self) -> float:
        """0..1 by this process's own steps or time."""
        schedule = self.training.schedule
        if schedule.steps:
            return min(1.0, self.training.steps / schedule.steps)
        return min(1.0, self.seconds / 60 / schedule.minutes)

    def agreed(self, signal: int) -> float:
        """`share` of the first process; 1 once any process was asked to stop, see `signal` then."""
        if self.ranks.count == 1:
            self.signal, done = signal, self.share()
        else:
            mine = torch.tensor([self.share() if self.ranks.writes else 0.0, signal], device=self.device)
            done, number = self.ranks.highest(mine).tolist()
            self.signal = int(number)
        return 1.0 if self.signal else done


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


def optimizer_of(net: nn.Module, schedule: Schedule) -> torch.optim.Optimizer:
    """What the schedule asks for, over all parameters of a net."""
    if schedule.optimizer == "muon":
        return Muon(net, schedule.learning_rate, schedule.betas, schedule.weight_decay)
    return torch.optim.AdamW(
        net.parameters(), schedule.learning_rate, schedule.betas, weight_decay=schedule.weight_decay
    )


def rate_at(done: float, step: int, warmup: int, final: float) -> float:
    """Linear warm-up times a cosine from 1 to `final`."""
    return min(1.0, (step + 1) / max(1, warmup)) * (final + (1 - final) * 0.5 * (1 + math.cos(math.pi * done)))


@torch.no_grad()
def update_ema(ema: nn.Module, net: nn.Module, decay: float) -> None:
    for slow, fast in zip(ema.parameters(), net.parameters(), strict=True):
        slow.lerp_(fast.detach(), 1 - decay)
    for kept, value in zip(ema.buffers(), net.buffers(), strict=True):
        kept.copy_(value)
