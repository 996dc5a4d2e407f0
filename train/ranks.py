"""Several processes that train one model, as `torchrun` starts them: each has its own batches, gradients are averaged.

Averaging is done by hand after `backward`, because a task has several nets whose losses run through one another, which
wrappers of one module at a time (DistributedDataParallel) do not allow without care.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar, cast

import torch
import torch.distributed as dist
from torch import Tensor, nn

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Ranks:
    """Which of how many processes this is; one alone talks to nobody."""

    rank: int = 0
    count: int = 1

    @property
    def writes(self) -> bool:
        """Only one process writes files and prints."""
        return self.rank == 0

    def highest(self, values: Tensor) -> Tensor:
        """Element-wise maximum over the processes; in place."""
        if self.count > 1:
            dist.all_reduce(values, dist.ReduceOp.MAX)
        return values

    def alike(self, net: nn.Module) -> None:
        """Give all processes the parameters and buffers of the first."""
        if self.count > 1:
            for tensor in net.state_dict().values():
                dist.broadcast(tensor, 0)

    def first_then_all(self, read: Callable[[], T]) -> T:
        """What `read` returns, called by the first process and, when it is done, by the others."""
        value = read() if self.writes else None
        if self.count > 1:
            dist.barrier()
        return cast(T, value if self.writes else read())

    @torch.no_grad()
    def average(self, net: nn.Module) -> None:
        """Mean of the gradients over the processes, in one message for each dtype.

        All processes must have gradients for the same parameters.
        """
        if self.count == 1:
            return
        by_kind: dict[torch.dtype, list[Tensor]] = {}
        for parameter in net.parameters():
            if parameter.grad is not None:
                by_kind.setdefault(parameter.grad.dtype, []).append(parameter.grad)
        for gradients in by_kind.values():
            joined = torch.cat([gradient.flatten() for gradient in gradients])
            dist.all_reduce(joined)
            start = 0
            for gradient in gradients:
                gradient.copy_(joined[start : start + gradient.numel()].view(gradient.shape) / self.count)
                start += gradient.numel()


@contextmanager
def joined(device: str) -> Iterator[tuple[Ranks, torch.device]]:
    """The place of this process among those that torchrun started, and its device; alone without torchrun.

    Args:
        device: auto, cpu or cuda; processes with cuda take one GPU each.

    Raises:
        ValueError: cuda is wanted and there is none, or fewer GPUs than processes.
    """
    kind = ("cuda" if torch.cuda.is_available() else "cpu") if device == "auto" else device
    try:
        name = torch.device(kind).type
    except RuntimeError as error:
        raise ValueError(f"--device is auto, cpu or cuda, not '{device}'") from error
    count, local = int(os.environ.get("WORLD_SIZE", "1")), int(os.environ.get("LOCAL_RANK", "0"))
    if name == "cuda" and torch.cuda.device_count() <= local:
        raise ValueError(f"process {local + 1} of this machine has no GPU; there are {torch.cuda.device_count()}")
    if count == 1:
        yield Ranks(), torch.device(kind)
        return
    if name == "cuda":
        torch.cuda.set_device(local)
    dist.init_process_group("nccl" if name == "cuda" else "gloo")
    try:
        yield Ranks(dist.get_rank(), count), torch.device(name, local) if name == "cuda" else torch.device(name)
    finally:
        dist.destroy_process_group()
