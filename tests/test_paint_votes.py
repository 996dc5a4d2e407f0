"""Votes, regions and palettes: what decides the colour of a place."""

from __future__ import annotations

import cv2
import numpy as np
import torch

from mangapaint.models.election import balanced
from mangapaint.models.painter_net import ABSENT, TEMPERATURE, PainterConfig, PainterNet
from mangapaint.models.painting import Guide
from mangapaint.models.regional import voted_together
from mangapaint.page import Region
from mangapaint.paint.compose import lifted
from mangapaint.paint.drawing import labelled, stitched, whole_regions
from mangapaint.paint.palette import CELLS, enriched, hue_count, mixed, palette_of

CONFIG = PainterConfig(channels=(8, 12, 16, 16), blocks=(1, 1, 1, 1), embedding=16, heads=2, bank=2)


def painted(net: PainterNet, page: torch.Tensor, palette: torch.Tensor, **more: torch.Tensor) -> torch.Tensor:
    hints = torch.zeros(len(page), 4, *page.shape[-2:])
    with torch.inference_mode():
        paint: torch.Tensor = net(page, hints, palette, TEMPERATURE, **more)[0]
    return paint


def palette_mean(palette: torch.Tensor) -> torch.Tensor:
    """(3,) mean of the colours of (1, 216) that places vote for, which a vote without opinion comes to."""
    cells = palette[0].topk(CONFIG.colours).indices
    return torch.stack([cells // 36, cells // 6 % 6, cells % 6], 1).float().mean(0) / 5


def flat(*colour: float) -> torch.Tensor:
    return torch.tensor(colour).view(1, 3, 1, 1).expand(1, 3, 16, 16)


def test_paint_stays_near_the_palette_that_was_given() -> None:
    torch.manual_seed(0)
    net, page = PainterNet(CONFIG).eval(), torch.rand(1, 1, 64, 96)
    for colour in ((0.8, 0.2, 0.2), (0.2, 0.4, 0.8)):
        paint = painted(net, page, palette_of(flat(*colour)))
        assert paint.shape == (1, 5, 32, 48)
        mean = paint[0, :3].mean((1, 2))
        assert mean.argmax() == int(np.argmax(colour))


def test_a_page_is_painted_the_same_alone_and_in_a_batch() -> None:
    torch.manual_seed(0)
    net, pages = PainterNet(CONFIG).eval(), torch.rand(3, 1, 64, 64)
    palette = palette_of(torch.rand(1, 3, 32, 32)).expand(3, -1)
    together = painted(net, pages, palette)
    alone = torch.cat([painted(net, pages[i : i + 1], palette[:1]) for i in range(3)])
    assert (together - alone).abs().max() < 2 / 255


def test_pages_that_keep_their_shades_are_voted_on_more_softly_whoever_is_beside_them() -> None:
    torch.manual_seed(0)
    net, page = PainterNet(CONFIG).eval(), torch.rand(1, 1, 64, 64)
    palette, regions = palette_of(torch.rand(1, 3, 32, 32)), torch.zeros(1, 32, 32, dtype=torch.int64)
    hints = torch.zeros(1, 4, 64, 64)
    with torch.no_grad():
        net.query[-1].weight.mul_(40)  # a net of random weights has no opinion

    def shown(*shaded: bool) -> torch.Tensor:
        n = len(shaded)
        told = Guide(palette.expand(n, -1), regions.expand(n, -1, -1), shaded=torch.tensor(shaded))
        with torch.inference_mode():
            return net.paints(page.expand(n, -1, -1, -1), hints.expand(n, -1, -1, -1), told)

    both = shown(False, True)
    assert (both[:1, :3] - shown(False)[:, :3]).abs().max() < 1e-4
    assert not shown(False)[:, 3:].any()
    assert (both[1:] - shown(True)).abs().max() < 1e-4
    assert (both[0] - both[1]).abs().max() > 0.01
    middle = palette_mean(palette)
    far = [(each[:3].mean((1, 2)) - middle).norm() for each in both]
    assert far[1] < far[0]


def test_balanced_votes_come_nearer_to_the_shares_of_the_palette() -> None:
    torch.manual_seed(0)
    votes = torch.randn(2, 3, 64, 64) + torch.tensor([2.0, 0.0, 0.0]).view(1, 3, 1, 1)
    shares = torch.tensor([[1.0, 2.0, 1.0], [6.0, 1.0, 1.0]])

    def distance(weight: float) -> torch.Tensor:
        found = torch.softmax(balanced(votes, shares, weight), 1).mean((2, 3))
        return (found - shares / shares.sum(1, keepdim=True)).abs().sum(1)

    assert (distance(0.5) < 0.8 * distance(0)).all()
    assert (distance(1) < 0.15).all()
    assert torch.equal(balanced(votes, shares, 0.0), votes)


def test_a_favourite_colour_takes_less_of_a_balanced_page() -> None:
    torch.manual_seed(0)
    net, page = PainterNet(CONFIG).eval(), torch.rand(1, 1, 64, 64)
    with torch.no_grad():
        net.query[-1].weight.mul_(40)
    palette = palette_of(torch.rand(1, 3, 32, 32))
    hints, shares = torch.zeros(1, 4, 64, 64), palette.topk(CONFIG.colours).values.square()

    def distance(balance: float) -> float:
        with torch.inference_mode():
            seen = net.look(page, hints, palette)
            cells, _, votes = net.remembered(seen, palette, None, balance)
        wanted = palette.gather(1, cells).square() / shares.sum()
        return float((torch.softmax(votes, 1).mean((2, 3)) - wanted).abs().sum())

    assert distance(0.4) < 0.9 * distance(0)


def test_places_of_a_region_vote_together() -> None:
    ballots = torch.tensor([[[[1.0, 3.0, 10.0, 10.0]]]])
    regions = torch.tensor([[[0, 0, 1, 1]]])
    assert voted_together(ballots, regions).flatten().tolist() == [2.0, 2.0, 10.0, 10.0]


def test_two_closed_shapes_are_two_regions_of_one_colour_each() -> None:
    page = np.full((256, 256), 255, np.uint8)
    cv2.circle(page, (70, 128), 45, 0, 3)
    cv2.rectangle(page, (140, 80), (220, 180), 0, 3)
    labels = labelled(page, (256, 256), 32)
    assert labels.shape == (128, 128)
    circle, box, outside = labels[64, 35], labels[64, 90], labels[5, 5]
    assert len({int(circle), int(box), int(outside)}) == 3
    torch.manual_seed(1)
    net = PainterNet(CONFIG).eval()
    paint = painted(
        net,
        torch.from_numpy(page)[None, None].float() / 255,
        palette_of(torch.rand(1, 3, 32, 32)),
        regions=torch.from_numpy(labels)[None],
    )
    inside = paint[0, :3][:, torch.from_numpy(labels == circle)]
    assert inside.std(1).max() < 0.05


def test_paper_that_fills_a_region_takes_it_whole() -> None:
    labels = torch.zeros(1, 16, 16, dtype=torch.int64)
    labels[:, :, 8:] = 1
    share = torch.zeros(1, 1, 32, 32)
    share[..., 2:16] = 1  # most of the left region
    share[:, :, :4, 16:] = 1  # a corner of the right one
    whole = whole_regions(share, labels)
    assert whole[..., :14].min() > 0.99
    assert whole[:, :, 20:, 20:].max() == 0
    assert whole[:, :, :2, 20:].min() > 0.9


def test_lifting_keeps_hue_and_order() -> None:
    dark = torch.tensor([0.4, 0.2, 0.1]).view(1, 3, 1, 1)
    light = lifted(dark, 0.6)
    assert torch.allclose(light / light.amax(1, keepdim=True), dark / 0.4)
    assert light.amax() > 0.55
    assert torch.allclose(lifted(dark, 0.0), dark)


def test_a_one_tint_cover_is_enriched_and_a_rich_one_is_not() -> None:
    tint = palette_of(flat(1.0, 0.8, 0.7))
    generator = torch.Generator().manual_seed(3)
    rich = palette_of(torch.rand(1, 3, 64, 64, generator=generator))
    bank = torch.cat([palette_of(flat(0.2, 0.3, 0.9)), rich])
    assert hue_count(tint)[0] < 3
    assert hue_count(rich)[0] > 6
    better = enriched(tint, bank, 0)
    assert hue_count(better)[0] > hue_count(tint)[0] + 0.5
    assert better[0, tint.argmax()] > 0
    assert torch.equal(enriched(rich, bank, 0), rich)
    assert not torch.equal(enriched(tint, bank, 0), enriched(tint, bank, 1))


def test_a_mixture_of_equal_palettes_is_that_palette() -> None:
    palette = palette_of(torch.rand(1, 3, 32, 32))
    assert palette.shape == (1, CELLS)
    assert torch.allclose(mixed(palette.repeat(3, 1), torch.ones(3)), palette, atol=1e-6)


def test_windows_of_a_strip_join_without_a_seam() -> None:
    windows = [Region(0, 0, 100, 300), Region(0, 200, 100, 300)]
    column = torch.linspace(0, 1, 500).view(1, 1, -1, 1).expand(1, 1, 500, 50)
    halves = [column[:, :, w.y : w.bottom] for w in windows]
    small = [torch.nn.functional.avg_pool2d(half, (2, 1)) for half in halves]
    joined = stitched(small, windows)
    assert joined.shape == (1, 1, 250, 50)
    assert (joined[0, 0, :, 0] - torch.linspace(0, 1, 250)).abs().max() < 0.01


def test_a_page_without_hints_is_seen_like_one_whose_hints_are_zeros() -> None:
    torch.manual_seed(0)
    net, page, hints = PainterNet(CONFIG).eval(), torch.rand(2, 1, 32, 32), torch.zeros(2, 4, 32, 32)
    hints[1, :, 8:16, 8:16] = 1
    with torch.inference_mode():
        alone, beside = net.entered(page[:1], hints[:1]), net.entered(page, hints)
    torch.testing.assert_close(alone, beside[:1])
    assert (beside[1] - net.entered(page, hints * 0)[1]).abs().max() > 0.01


def test_a_colour_that_is_not_in_the_palette_gets_no_votes() -> None:
    torch.manual_seed(0)
    net, palette = PainterNet(CONFIG).eval(), torch.zeros(1, CELLS)
    palette[0, [5, 77, 180]] = 0.5
    with torch.inference_mode():
        cells, _, given, logits = net.votes(torch.randn(1, 8, 4, 4), palette)
    assert sorted(cells[given].tolist()) == [5, 77, 180]
    assert (logits.transpose(0, 1)[~given[0]] == ABSENT).all()
    assert (logits.transpose(0, 1)[given[0]] > ABSENT / 2).all()
