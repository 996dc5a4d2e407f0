"""The painter's losses of votes: twins agree, noise differs, the better of two learns."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from mangapaint.paint.palette import CELLS
from train.tasks.painterlosses import FAR, better, disagreement, sameness, vote_loss

COLOURS = 5


def votes_for(choice: int, count: int = 1, side: int = 8) -> Tensor:
    """(count, COLOURS, side, side) logits that want one colour everywhere."""
    votes = torch.zeros(count, COLOURS, side, side)
    votes[:, choice] = 12.0
    return votes


def cells(*first: int) -> Tensor:
    return torch.tensor([[start + 40 * i for i in range(COLOURS)] for start in first])


def truth_of(cell: int, side: int = 8) -> Tensor:
    truth = torch.zeros(1, CELLS, side, side)
    truth[:, cell] = 1.0
    return truth


def test_twins_that_vote_alike_do_not_disagree() -> None:
    votes = votes_for(2, 2)
    assert float(disagreement(votes, cells(0, 0), torch.tensor([0]))) == pytest.approx(0, abs=1e-4)


def test_twins_that_vote_for_other_colours_disagree_by_the_log_of_two() -> None:
    votes = torch.cat([votes_for(1), votes_for(3)])
    assert float(disagreement(votes, cells(0, 0), torch.tensor([0]))) == pytest.approx(0.693, abs=0.01)


def test_twins_are_compared_by_colour_and_not_by_place_in_their_palettes() -> None:
    votes = torch.cat([votes_for(1), votes_for(0)])
    same_cell = torch.stack([cells(0)[0], cells(0)[0].roll(-1)])
    assert float(disagreement(votes, same_cell, torch.tensor([0]))) == pytest.approx(0, abs=1e-4)


def test_agreement_is_learnt_downhill() -> None:
    votes = torch.cat([votes_for(1), votes_for(3)]).div(8).detach().requires_grad_()
    before = disagreement(votes, cells(0, 0), torch.tensor([0]))
    before.backward()  # type: ignore[no-untyped-call]
    assert votes.grad is not None
    after = disagreement((votes - 50 * votes.grad).detach(), cells(0, 0), torch.tensor([0]))
    assert float(after) < before.item()


def test_colourings_that_are_far_apart_cost_nothing_and_equal_ones_cost_all() -> None:
    assert float(sameness(votes_for(0), votes_for(4), cells(0))) == 0
    assert float(sameness(votes_for(0), votes_for(0), cells(0))) == pytest.approx(1)
    assert 0 < FAR < 1


def test_the_colouring_nearer_to_the_truth_wins() -> None:
    right, wrong, paper = votes_for(1), votes_for(3), torch.zeros(1, 1, 32, 32)
    assert better(right, wrong, cells(0), truth_of(40), paper).tolist() == [True]
    assert better(wrong, right, cells(0), truth_of(40), paper).tolist() == [False]


def test_a_distrusted_sample_hardly_counts() -> None:
    votes, paper = torch.cat([votes_for(1), votes_for(3)]), torch.zeros(2, 1, 32, 32)
    truth = truth_of(40).expand(2, -1, -1, -1)
    fair = vote_loss(votes, cells(0, 0), truth, paper)
    trusting = vote_loss(votes, cells(0, 0), truth, paper, torch.tensor([1.0, 0.01]))
    assert float(trusting) < 0.05 * float(fair)
