"""What the painter computes in another way at use than in training comes to the same."""

from __future__ import annotations

import torch
import torch.nn.functional as F

from mangapaint.engine.runner import Engine
from mangapaint.models.election import STRIP, Common, by_region, elected, shares_of
from mangapaint.models.painter_blocks import Residual, SelfAttention, four_at_once, unit
from mangapaint.models.painter_net import PainterConfig, PainterNet
from mangapaint.settings import EngineSettings

CONFIG = PainterConfig(channels=(8, 12, 16, 16), blocks=(1, 1, 1, 1), embedding=16, heads=2, bank=2)


def ready(net: Residual | PainterNet) -> None:
    Engine(EngineSettings(device="cpu", precision="fp32")).prepare(net)


def test_a_gain_that_went_into_the_weights_counts_once() -> None:
    torch.manual_seed(0)
    block, x = Residual(8), torch.randn(2, 8, 5, 7)
    torch.nn.init.uniform_(block.gain, 0.1, 2.0)
    before = block(x)
    ready(block)
    ready(block)
    assert (block(x) - before).abs().max() < 1e-5
    assert (before - x).abs().max() > 0.1


def test_norms_and_attention_are_the_same_with_and_without_gradients() -> None:
    torch.manual_seed(0)
    x, attention = torch.randn(2, 8, 6, 5), SelfAttention(8, 2)
    for part in (unit, attention):
        learning = part(x)
        with torch.no_grad():
            assert (part(x) - learning).abs().max() < 1e-5


def test_four_places_at_once_are_convolved_as_each_by_itself() -> None:
    torch.manual_seed(0)
    x, weight, bias = torch.randn(2, 6, 8, 10), torch.randn(3, 6, 3, 3), torch.randn(3)
    assert (four_at_once(x, weight, bias) - F.conv2d(x, weight, bias, padding=1)).abs().max() < 1e-5


def test_pages_voted_on_in_strips_are_voted_on_as_a_whole() -> None:
    torch.manual_seed(0)
    height, width, count = 2 * STRIP + 3, 5, 4
    votes, colours = 6 * torch.randn(1, 7, height, width), torch.rand(7, 3)
    regions = torch.randint(0, count, (2 * height, 2 * width))
    shares = F.log_softmax(votes, 1)
    ballots = F.interpolate(shares, scale_factor=2, mode="bilinear")[0].flatten(1).T
    mean = torch.stack([ballots[regions.flatten() == label].mean(0) for label in range(count)])
    found = by_region(shares_of(votes)[0], regions)
    assert (found - mean).abs().max() < 1e-4
    alone = torch.softmax(ballots / 0.4, 1) @ colours
    assert (elected(shares_of(votes)[0], colours, 0.4) - alone).abs().max() < 1e-4
    together = torch.softmax(torch.lerp(ballots, mean[regions.flatten()], 0.85) / 0.4, 1) @ colours
    assert (elected(shares_of(votes)[0], colours, 0.4, Common(mean, regions, 0.85)) - together).abs().max() < 1e-4


def test_votes_that_no_colour_wins_are_finite() -> None:
    torch.manual_seed(0)
    votes = 400 * torch.randn(1, 7, 6, 6)
    paint = elected(shares_of(votes)[0], torch.rand(7, 3), 0.1)
    assert torch.isfinite(paint).all()
    assert paint.min() >= 0
    assert paint.max() <= 1


def test_a_page_is_painted_the_same_with_and_without_gradients() -> None:
    torch.manual_seed(0)
    net, page, hints = PainterNet(CONFIG), torch.rand(1, 1, 64, 96), torch.zeros(1, 4, 64, 96)
    palette = torch.rand(1, 216)
    torch.nn.init.normal_(net.head[-1].weight, 0, 0.1)  # type: ignore[arg-type]
    for layer in net.film:
        torch.nn.init.normal_(layer.weight, 0, 0.1)  # type: ignore[arg-type]
    seen = net.look(page, hints, palette)
    learning = net.choose(seen, palette, shaded=torch.tensor([True]))[0]
    in_pairs = net.look(page.expand(2, -1, -1, -1), hints.expand(2, -1, -1, -1), palette.expand(2, -1)).features[:1]
    ready(net)
    assert (in_pairs - seen.features).abs().max() < 1e-4
    with torch.inference_mode():
        again = net.look(page, hints, palette)
        assert (net.choose(again, palette, shaded=torch.tensor([True]))[0] - learning).abs().max() < 1e-4
        inked = net.choose(again, palette, 1.0, shaded=torch.tensor([False]))[0]
    plain = net.choose(seen, palette, 1.0)[0]
    assert (inked[:, :3] - plain[:, :3]).abs().max() < 1e-3
    assert not inked[:, 3:].any()
