"""The generator of dcgan and wgan-gp: noise decides the colours, and the page alone where they end."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from mangapaint.errors import WeightsError
from mangapaint.models import archs
from mangapaint.models.abgan_net import AbGanConfig, AbGanNet
from mangapaint.models.bilateral import joint_upsample
from mangapaint.models.painting import Guide

SMALL = AbGanConfig(widths=(8, 8, 12, 12, 12), latent=4, style=8)


@pytest.fixture
def net() -> AbGanNet:
    torch.manual_seed(0)
    made = AbGanNet(SMALL)
    with torch.no_grad():  # as after training: a fresh net's colours are all but gray
        made.last.weight.mul_(40)
    return made.eval()


def painted(net: AbGanNet, page: Tensor, guide: Guide) -> Tensor:
    with torch.inference_mode():
        return net.paints(page, torch.zeros(len(page), 4, *page.shape[-2:]), guide)


def guide(latent: Tensor | None = None, seed: int = 0) -> Guide:
    return Guide(torch.zeros(1, 0), latent=latent, seed=seed)


@pytest.mark.parametrize("size", [(32, 32), (96, 64), (256, 256), (32, 256)])
def test_the_layer_is_half_as_large_as_the_page(net: AbGanNet, size: tuple[int, int]) -> None:
    output = painted(net, torch.rand(2, 1, *size), guide())
    assert output.shape == (2, 5, size[0] // 2, size[1] // 2)
    assert output.dtype == torch.float32
    assert output[:, :3].min() >= 0
    assert output[:, :3].max() <= 1


def test_other_noise_is_other_colours_and_equal_noise_equal_ones(net: AbGanNet) -> None:
    page, noise = torch.rand(1, 1, 64, 64), torch.randn(2, 1, 4)
    first, second, again = (painted(net, page, guide(latent)) for latent in (noise[0], noise[1], noise[0]))
    assert torch.equal(first, again)
    assert (first - second).abs()[:, 3:].mean() > 1e-3


def test_without_noise_the_seed_decides_for_all_pages_alike(net: AbGanNet) -> None:
    page = torch.rand(1, 1, 64, 64)
    one, other, again = (painted(net, page, guide(seed=seed)) for seed in (1, 2, 1))
    assert torch.equal(one, again)
    assert not torch.equal(one, other)
    both = painted(net, torch.cat([page, page]), guide(seed=1))
    assert torch.allclose(both[1], one[0], atol=1e-5)


def test_noise_reaches_every_level_of_the_decoder(net: AbGanNet) -> None:
    noise = torch.randn(1, 4, requires_grad=True)
    for level in (net.bottom, *net.decoder):
        seen: list[Tensor] = []
        handle = level.register_forward_hook(lambda _module, _given, made: seen.append(made))  # noqa: B023
        net(torch.rand(1, 1, 64, 64) * 100, noise)
        handle.remove()
        with torch.no_grad():
            net(torch.rand(1, 1, 64, 64) * 100, noise)
        (slope,) = torch.autograd.grad(level.film(net.mapping(noise)).sum(), noise)
        assert slope.abs().sum() > 0
        assert len(seen) == 1


def test_large_pages_are_coloured_small_along_their_edges(net: AbGanNet) -> None:
    page = torch.zeros(1, 1, 256, 256)
    page[..., 100:] = 1.0  # no edge of the small page: 100 is no multiple of 8
    output = painted(net, page, guide())[0, 3:]
    flat = (output - output.mean((1, 2), keepdim=True)).abs().mean()
    step = (output[:, :, 50] - output[:, :, 49]).abs().mean()
    elsewhere = (output[:, :, 41:47] - output[:, :, 40:46]).abs().mean()
    assert flat > 0
    assert step > elsewhere


def test_joint_upsampling_follows_the_guide_where_it_has_an_edge() -> None:
    guide_ = torch.zeros(1, 1, 16, 16)
    guide_[..., 8:] = 1
    low = torch.zeros(1, 1, 8, 8)
    low[..., 4:] = 1
    assert torch.allclose(joint_upsample(low, guide_), guide_, atol=0.02)


def test_widths_of_another_count_are_an_error() -> None:
    with pytest.raises(WeightsError, match="five"):
        archs.build("abgan", {"widths": [8, 8]})
