"""Principal directions of W, what they do to a face, and the way to a wanted change along them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor

from mangapaint.models.portrait_net import COMPONENTS, PortraitNet
from mangapaint.portrait.edits import COLOURED, COLOURS, Edit
from mangapaint.portrait.measures import NAMES, measured

SAMPLES, PROBES = 4096, 48
"""Of w for the principal directions, and of faces on which each is tried."""
REACH = 4.0
"""Longest way of an edit, in standard deviations of W together."""
OTHERS = 0.15
"""Weight of measures that an edit does not name, which should stay."""
CLOSE = 8.0
"""Weight of the measures that it names."""
ROUNDS, RATE = 24, 0.2
"""Of the descent: its steps, and its rate at the start in standard deviations."""
FIRST_LAYER = {"mouth": 0}
"""First layer of W+ that an edit moves; colours leave the coarse ones, which are pose and shape, alone."""
FIRST_COLOUR_LAYER = 3


@torch.no_grad()
def find(net: PortraitNet, seed: int = 0) -> None:
    """Fill the buffers of a trained generator that edits need; half a minute on a core.

    The directions are those of a principal component analysis of w (Haerkoenen et al. 2020), which knows no names;
    each is tried on faces, one standard deviation either way, and what that does to each measure is kept.
    """
    chance = torch.Generator().manual_seed(seed)
    net.eval()
    place = net.start.device
    w = net.mapped(torch.randn(SAMPLES, net.config.latent, generator=chance).to(place))
    net.get_buffer("mean").copy_(w.mean(0))
    _, sizes, directions = torch.linalg.svd(w - w.mean(0), full_matrices=False)
    kept = min(COMPONENTS, net.config.latent)
    components, spreads = net.get_buffer("components"), net.get_buffer("spreads")
    components[:kept], spreads[:kept] = directions[:kept], sizes[:kept] / SAMPLES**0.5
    usual = torch.cat([measured(net.drawn(net.broadcast(part))) for part in torch.split(w[:512], 64)])
    net.get_buffer("usual").copy_(torch.stack([usual.mean(0), usual.std(0)]))
    probes = net.truncated(w[:PROBES], 0.8)
    for index in range(kept):
        step = components[index] * spreads[index]
        more, less = (measured(net.drawn(net.broadcast(probes + way * step))) for way in (1, -1))
        net.get_buffer("effects")[index] = (more - less).mean(0) / 2


def named(net: PortraitNet) -> list[tuple[str, float]]:
    """For each principal direction the measure that it moves most, and by how many of that measure's deviations."""
    share = net.get_buffer("effects") / net.get_buffer("usual")[1].clamp_min(1e-3)
    most = share.abs().argmax(1)
    return [(NAMES[int(i)], float(row[i])) for i, row in zip(most, share, strict=True)]


def wanted(net: PortraitNet, faces: Tensor, edits: Sequence[Edit]) -> tuple[Tensor, Tensor]:
    """Measures (N, MEASURES) that edits of faces aim at, and (MEASURES,) which of them are named."""
    target, names = measured(faces), torch.zeros(len(NAMES), dtype=torch.bool, device=faces.device)
    spread = net.get_buffer("usual")[1]
    for edit in edits:
        if edit.name in COLOURED:
            place = NAMES.index(f"{edit.name} a")
            target[:, place : place + 2] = target.new_tensor(COLOURS[cast(str, edit.value)])
            names[place : place + 2] = True
        else:
            place = NAMES.index(edit.name)
            target[:, place] += spread[place] * cast(float, edit.value)
            names[place] = True
    return target, names


def way(net: PortraitNet, change: Tensor, names: Tensor) -> Tensor:
    """The shortest way to a change of the named measures that leaves the others, by least squares.

    Args:
        net: with directions.
        change: (N, MEASURES) in CIE Lab.
        names: (MEASURES,) bool.

    Returns:
        (N, COMPONENTS) steps in standard deviations.
    """
    spread = net.get_buffer("usual")[1].clamp_min(1e-3)
    effects = net.get_buffer("effects") / spread
    weight = torch.where(names, CLOSE, OTHERS).to(effects.dtype)
    goal = torch.where(names, change / spread, torch.zeros_like(change))
    left = (effects * weight) @ effects.t() + 0.05 * torch.eye(len(effects), device=effects.device)
    steps: Tensor = torch.linalg.solve(left, effects @ (goal * weight).t())
    return steps.t()


def edited(
    net: PortraitNet, styles: Tensor, noises: Sequence[Tensor], edits: Sequence[Edit], keep_light: bool = False
) -> Tensor:
    """W+ moved along the principal directions until the edits are seen, as far as REACH allows.

    The way by least squares is only right for small steps, so it is the start of a descent over the same directions.

    Args:
        net: with directions.
        styles: (N, layers, latent).
        noises: of the faces.
        edits: none leaves all as it is.
        keep_light: measures of light that are not named should stay, so that the luminance stays near.

    Returns:
        (N, layers, latent).
    """
    if not edits:
        return styles
    with torch.inference_mode(False), torch.no_grad():
        styles = styles.clone()
        before = net.drawn(styles, noises)
        target, names = wanted(net, before, edits)
        spread = net.get_buffer("usual")[1].clamp_min(1e-3)
        weight = torch.where(names, CLOSE, OTHERS)
        if keep_light:
            light = [name.endswith(" L") or name == "brightness" for name in NAMES]
            weight = torch.where(torch.tensor(light, device=names.device) & ~names, 4 * OTHERS, weight)
        first = min(FIRST_LAYER.get(edit.name, FIRST_COLOUR_LAYER) for edit in edits)
        basis = net.get_buffer("components") * net.get_buffer("spreads")[:, None]
        start = within(way(net, target - measured(before), names) / 2)
    with torch.inference_mode(False), torch.enable_grad():
        steps = start.clone().requires_grad_()
        optimizer = torch.optim.Adam([steps], RATE, (0.8, 0.99))
        best = torch.full((len(styles),), torch.inf, device=styles.device)
        moved = styles
        for index in range(ROUNDS):
            optimizer.param_groups[0]["lr"] = RATE * (1 - index / ROUNDS)
            now = moved_by(styles, within(steps) @ basis, first)
            wrong = ((measured(net.drawn(now, noises)) - target) / spread).square()
            error = (wrong * weight).sum(1)
            better = error.detach() < best
            moved = torch.where(better[:, None, None], now.detach(), moved)
            best = torch.minimum(best, error.detach())
            optimizer.zero_grad(set_to_none=True)
            error.sum().backward()  # type: ignore[no-untyped-call]
            optimizer.step()
    return moved


def within(steps: Tensor) -> Tensor:
    """Steps (N, COMPONENTS) no longer than REACH."""
    length: Tensor = torch.linalg.vector_norm(steps, dim=1, keepdim=True)
    return steps * (REACH / length.clamp_min(1e-6)).clamp_max(1)


def moved_by(styles: Tensor, step: Tensor, first: int) -> Tensor:
    """(N, layers, latent) with (N, latent) added from layer `first` on."""
    layers = torch.arange(styles.shape[1], device=styles.device).view(1, -1, 1) >= first
    return styles + step[:, None] * layers
