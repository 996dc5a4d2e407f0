"""Colour as classes, and the nets that turn a page's lightness into a*, b*: quantisation, shapes, what they paint."""

from __future__ import annotations

from typing import cast

import pytest
import torch
from torch import Tensor

from mangapaint.models import abgrid, archs
from mangapaint.models.lab import rgb_to_lab
from mangapaint.models.labgan_net import LabGanConfig, LabGanNet
from mangapaint.models.labpaint import layer, lightness
from mangapaint.models.painting import Guide
from mangapaint.models.zhang_net import ZhangConfig, ZhangNet

COLOURS = torch.rand(2, 3, 32, 32, generator=torch.Generator().manual_seed(3))


def zhang() -> ZhangNet:
    torch.manual_seed(1)
    net = ZhangNet(ZhangConfig(width=4, bins=len(abgrid.bins()))).eval()
    cast(Tensor, net.centres).copy_(abgrid.bins())
    torch.nn.init.normal_(cast(Tensor, net.head[-1].weight), 0, 0.5)
    return net


def painted(net: ZhangNet | LabGanNet, page: Tensor, vividness: float = 1.0, regions: Tensor | None = None) -> Tensor:
    hints = torch.zeros(len(page), 4, *page.shape[-2:])
    with torch.inference_mode():
        return net.paints(page, hints, Guide(torch.zeros(len(page), 0), regions, vividness))


def test_bins_lie_on_the_grid_and_every_colour_of_srgb_is_near_one() -> None:
    centres = abgrid.bins()
    assert 250 <= len(centres) <= 320
    assert torch.equal(centres, torch.round(centres / 10) * 10)
    ab = rgb_to_lab(COLOURS)[:, 1:].permute(0, 2, 3, 1).reshape(-1, 2)
    assert torch.cdist(ab, centres).amin(1).max() < 7.5  # half a diagonal of the grid, and its rim
    distance = (ab - centres[abgrid.nearest(ab)]).norm(dim=1)
    assert torch.allclose(distance, torch.cdist(ab, centres).amin(1), atol=0.05)


def test_soft_encoding_sums_to_one_and_decodes_to_the_colour() -> None:
    centres = abgrid.bins()
    ab = rgb_to_lab(COLOURS)[:, 1:].permute(0, 2, 3, 1)
    index, share = abgrid.encoded(ab, centres)
    assert index.shape == share.shape == (2, 32, 32, 5)
    assert torch.allclose(share.sum(3), torch.ones(2, 32, 32), atol=1e-5)
    assert (share[..., 0] >= share[..., 4]).all()
    error = ((centres[index] * share[..., None]).sum(3) - ab).norm(dim=3)
    assert error.mean() < 2
    assert error.max() < 8  # at the rim of the gamut all neighbours lie on one side


def test_annealed_mean_goes_from_the_mean_to_the_mode() -> None:
    centres = torch.tensor([[0.0, 0.0], [40.0, 0.0], [0.0, 40.0]])
    logits = torch.tensor([0.5, 0.3, 0.2]).log().view(1, 3, 1, 1)
    mean = abgrid.annealed_mean(logits, centres, 1.0).flatten()
    mode = abgrid.annealed_mean(logits, centres, 0.01).flatten()
    assert torch.allclose(mean, torch.tensor([12.0, 8.0]), atol=1e-4)
    assert torch.allclose(mode, torch.zeros(2), atol=1e-4)


def test_rare_colours_weigh_more_and_the_weights_average_one() -> None:
    centres = abgrid.bins()
    counts = torch.zeros(len(centres))
    gray = int(abgrid.nearest(torch.zeros(1, 2)))
    counts[gray] = 1000
    counts[0] = 10
    prior = abgrid.smoothed(counts, centres)
    weight = abgrid.rebalanced(prior, 0.5)
    assert prior.sum() == pytest.approx(1)
    assert (prior * weight).sum() == pytest.approx(1)
    assert prior[gray] > prior[0] > prior[-1] >= 0
    assert weight[gray] < weight[0] < weight[-1]
    assert torch.allclose(abgrid.rebalanced(prior, 1.0), torch.ones(len(centres)))


@pytest.mark.parametrize("net", [zhang(), LabGanNet(LabGanConfig(base=4, cap=4)).eval()], ids=["zhang", "labgan"])
def test_nets_paint_at_half_size_within_srgb(net: ZhangNet | LabGanNet) -> None:
    side = net.multiple_of * (8 if isinstance(net, ZhangNet) else 1)
    output = painted(net, torch.rand(2, 1, side, 2 * side, generator=torch.Generator().manual_seed(0)))
    assert output.shape == (2, 5, side // 2, side)
    assert output.dtype is torch.float32
    assert output[:, :3].min() >= 0
    assert output[:, :3].max() <= 1
    assert output[:, 3:].abs().max() <= 1.05


def test_vividness_is_the_temperature_of_zhang() -> None:
    net, page = zhang(), torch.rand(1, 1, 64, 64, generator=torch.Generator().manual_seed(0))
    chroma = [painted(net, page, v)[:, 3:].norm(dim=1).mean() for v in (0.0, 0.2, 0.38, 1.0, 3.0)]
    assert chroma[0] == 0
    assert all(low < high for low, high in zip(chroma, chroma[1:], strict=False))


def test_widths_and_layers_are_those_of_the_papers() -> None:
    paper, unet = archs.build("zhang", {"width": 64, "bins": 313}), archs.build("labgan", {"base": 4})
    assert sum(p.numel() for p in paper.parameters()) == pytest.approx(32e6, rel=0.02)
    convolutions = [m for m in unet.modules() if isinstance(m, torch.nn.Conv2d | torch.nn.ConvTranspose2d)]
    assert len(convolutions) == 20


def test_lightness_agrees_with_lab() -> None:
    gray = torch.linspace(0, 1, 64).view(1, 1, 8, 8)
    assert torch.allclose(lightness(gray), rgb_to_lab(gray.expand(-1, 3, -1, -1))[:, :1], atol=0.01)


def test_paint_without_colour_is_paper_and_regions_share_theirs() -> None:
    ab = torch.zeros(1, 2, 4, 4)
    assert layer(ab)[:, :3].min() > 0.95
    ab[0, 0, :, 2:] = torch.tensor([10.0, 50.0])
    regions = torch.tensor([0, 0, 1, 1]).expand(1, 4, 4)
    alone, together = layer(ab), layer(ab, regions)
    assert torch.equal(alone[:, 3:], together[:, 3:])
    apart = (alone[0, :3, 0, 2] - alone[0, :3, 0, 3]).abs().max()
    assert 0 < (together[0, :3, 0, 2] - together[0, :3, 0, 3]).abs().max() < 0.5 * apart
    assert torch.allclose(together[0, :3, 0, 0], alone[0, :3, 0, 0], atol=1e-5)
