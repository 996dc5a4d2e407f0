"""Muon: momentum whose matrices are made orthogonal, for hidden layers; AdamW for the rest (Jordan et al. 2024).

Small nets in few steps gain most: see the table of upscaler's card.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor, nn


class Muon(torch.optim.Optimizer):
    """One group of hidden matrices under Muon, one of everything else under AdamW.

    A convolution's weight (out, in, h, w) counts as a matrix (out, in * h * w). Steps are as large as AdamW's (root
    mean square .2 times the rate, Liu et al. 2025), so that one rate serves both groups.

    Args:
        net: whose parameters move; hidden are weights of two and more axes with at least `smallest` rows and columns.
        rate: learning rate of both groups.
        betas: AdamW's; the first is no momentum of Muon's.
        weight_decay: decoupled, of both.
        momentum: of Muon, with Nesterov's look ahead.
        smallest: side of a matrix below which AdamW takes it.
    """

    def __init__(
        self,
        net: nn.Module,
        rate: float,
        betas: tuple[float, float] = (0.9, 0.99),
        weight_decay: float = 0.0,
        momentum: float = 0.95,
        smallest: int = 32,
    ) -> None:
        parameters = list(net.parameters())
        hidden = [p for p in parameters if p.ndim > 1 and min(p.shape[0], p[0].numel()) >= smallest and p.shape[1] > 4]
        taken = {id(p) for p in hidden}
        rest = [p for p in parameters if id(p) not in taken]
        groups = [{"params": group} for group in (hidden, rest)]
        super().__init__(
            groups, {"lr": rate, "betas": betas, "weight_decay": weight_decay, "momentum": momentum, "eps": 1e-8}
        )

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]
        """Move every parameter that has a gradient."""
        del closure
        hidden, rest = self.param_groups
        self._orthogonal(hidden)
        self._adam(rest)

    def _orthogonal(self, group: dict[str, Any]) -> None:
        alike: dict[torch.Size, list[Tensor]] = defaultdict(list)
        for p in moving(group):
            alike[p.shape].append(p)
        for same in alike.values():
            updates = []
            for p in same:
                state = self.state[p]
                if not state:
                    state["momentum"] = torch.zeros_like(p)
                kept = state["momentum"].lerp_(p.grad, 1 - group["momentum"])
                updates.append(torch.lerp(p.grad, kept, group["momentum"]).flatten(1))  # type: ignore[arg-type]
            made = orthogonal(torch.stack(updates))
            size = 0.2 * max(made.shape[1:]) ** 0.5
            for p, update in zip(same, made, strict=True):
                p.mul_(1 - group["lr"] * group["weight_decay"])
                p.add_(update.view(p.shape), alpha=-group["lr"] * size)

    def _adam(self, group: dict[str, Any]) -> None:
        first, second = group["betas"]
        for p in moving(group):
            state = self.state[p]
            if not state:
                state |= {"step": 0, "mean": torch.zeros_like(p), "square": torch.zeros_like(p)}
            state["step"] += 1
            gradient: Tensor = p.grad
            state["mean"].lerp_(gradient, 1 - first)
            state["square"].mul_(second).addcmul_(gradient, gradient, value=1 - second)
            root = (state["square"] / (1 - second ** state["step"])).sqrt_().add_(group["eps"])
            p.mul_(1 - group["lr"] * group["weight_decay"])
            p.addcdiv_(state["mean"], root, value=-group["lr"] / (1 - first ** state["step"]))


def moving(group: dict[str, Any]) -> Iterable[Any]:
    """The parameters that have a gradient."""
    return [p for p in group["params"] if p.grad is not None]


def orthogonal(matrices: Tensor) -> Tensor:
    """(N, rows, columns) -> the same with all singular values near 1: five Newton-Schulz steps of Jordan's quintic.

    In bf16, which is twice as fast or more and near enough, as Jordan has it.
    """
    tall = matrices.shape[1] > matrices.shape[2]
    x = matrices.mT if tall else matrices
    x = (x / (x.norm(dim=(1, 2), keepdim=True) + 1e-7)).bfloat16()
    for _ in range(5):
        square = x @ x.mT
        x = 3.4445 * x + (-4.775 * square + 2.0315 * square @ square) @ x
    made: Tensor = x.mT if tall else x
    return made.to(matrices.dtype)
