"""The pix2pix generator and its PatchGAN."""

from __future__ import annotations

import math

import pytest
import torch

from mangapaint.models.unet import UNet
from train.adversary import PatchGAN, fool_loss, judge_loss


def test_the_papers_unet_has_54_million_parameters() -> None:
    assert sum(p.numel() for p in UNet(3, 3).parameters()) == pytest.approx(54.4e6, rel=0.01)


def test_256_px_come_down_to_one_place_and_back() -> None:
    net = UNet(1, 3, base=4, cap=2).eval()
    x = torch.rand(1, 1, 256, 512)
    deepest = x
    for encoder in net.down:
        deepest = encoder(deepest)
    assert deepest.shape == (1, 8, 1, 2)
    assert net(x).shape == (1, 3, 256, 512)


def test_a_batch_of_one_can_be_trained() -> None:
    net = UNet(1, 3, base=4, cap=2).train()
    assert torch.isfinite(net(torch.rand(1, 1, 256, 256))).all()


def test_dropout_is_noise_while_training_only() -> None:
    torch.manual_seed(0)
    net = UNet(1, 3, base=4, cap=4)
    x = torch.rand(1, 1, 256, 256)
    assert sum(isinstance(layer, torch.nn.Dropout) for layer in net.modules()) == 3
    net.train()
    assert not torch.equal(net(x), net(x))
    net.eval()
    assert torch.equal(net(x), net(x))


def test_all_that_is_kept_of_the_net_is_floating_point() -> None:
    assert all(value.is_floating_point() for value in UNet(1, 3, base=4).state_dict().values())


def test_a_state_without_versions_loads() -> None:
    net = UNet(1, 3, base=4)
    net.load_state_dict(dict(net.state_dict()))
    assert all(key.rpartition(".")[2] != "num_batches_tracked" for key in net.state_dict())


def test_an_unknown_norm_is_refused() -> None:
    with pytest.raises(ValueError, match="norm"):
        UNet(1, 3, norm="layer")
    with pytest.raises(ValueError, match="norm"):
        PatchGAN(3, norm="layer")


@pytest.mark.parametrize("norm", ["batch", "spectral", "none"])
def test_each_logit_sees_70_by_70_px(norm: str) -> None:
    torch.manual_seed(0)
    judge = PatchGAN(1, width=4, norm=norm).eval()
    x = torch.rand(1, 1, 256, 256, requires_grad=True)
    logits = judge(x)
    logits[0, 0, 15, 15].backward()
    assert x.grad is not None
    rows, columns = x.grad[0, 0].nonzero().T
    assert logits.shape == (1, 1, 30, 30)
    assert int(rows.max() - rows.min()) + 1 == 70
    assert int(columns.max() - columns.min()) + 1 == 70


def test_losses_of_an_undecided_judge_are_those_of_a_coin() -> None:
    none = torch.zeros(2, 1, 3, 3)
    assert float(judge_loss(none, none)) == pytest.approx(math.log(2))
    assert float(fool_loss(none)) == pytest.approx(math.log(2))
    assert float(judge_loss(none, none, "hinge")) == pytest.approx(1)


@pytest.mark.parametrize("kind", ["vanilla", "hinge"])
def test_the_judge_wins_where_the_generator_loses(kind: str) -> None:
    sure = torch.full((1, 1, 2, 2), 3.0)
    assert judge_loss(sure, -sure, kind) < 0.1 < judge_loss(-sure, sure, kind)  # type: ignore[arg-type]
    assert fool_loss(sure, kind) < fool_loss(-sure, kind)  # type: ignore[arg-type]
