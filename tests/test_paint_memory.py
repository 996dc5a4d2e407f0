from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save_file

from mangapaint.errors import UsageError
from mangapaint.models.election import entropy, settled
from mangapaint.models.painter_net import DOUBT, PainterConfig, PainterNet
from mangapaint.models.painting import Guide, Kin, Memory
from mangapaint.models.regional import keys_of, mean_by
from mangapaint.page import Face, Region
from mangapaint.paint.firstlook import skin_of
from mangapaint.paint.memory import ALL_REGIONS, ChapterMemory, empty, load, places_of
from mangapaint.paint.palette import CELLS

CONFIG = PainterConfig((8, 12, 16, 16), (1, 1, 1, 1), 16, 2, 6, 8, 2, descriptor=8)


def remembered(places: int = 5, regions: int = 4) -> ChapterMemory:
    torch.manual_seed(0)
    memory = empty(torch.rand(1, CELLS), 8).with_places(F.normalize(torch.randn(places, 8)), torch.rand(places, 3))
    skin = torch.arange(regions) % 2 == 0
    return memory.with_regions(Kin(F.normalize(torch.randn(regions, 8)), torch.randn(regions, CELLS), skin))


def net() -> PainterNet:
    torch.manual_seed(1)
    return PainterNet(CONFIG).eval()


def palette_with(*cells: int) -> torch.Tensor:
    palette = torch.zeros(1, CELLS)
    palette[0, list(cells)] = 2.0
    return palette


def test_a_saved_memory_comes_back(tmp_path: Path) -> None:
    memory = replace(remembered(), balance=0.5)
    memory.save(tmp_path / "one.safetensors")
    again = load(tmp_path / "one.safetensors", 8)
    for name in ("palette", "keys", "colours", "kin_keys", "ballots"):
        torch.testing.assert_close(getattr(again, name), getattr(memory, name), atol=2e-3, rtol=2e-3)
    assert again.skin.tolist() == [True, False, True, False]
    assert again.balance == 0.5


def test_a_memory_from_before_faces_were_looked_for_and_pages_balanced_still_loads(tmp_path: Path) -> None:
    path = tmp_path / "old.safetensors"
    replace(remembered(), balance=0.5).save(path)
    save_file({name: tensor for name, tensor in load_file(path).items() if name not in {"skin", "balance"}}, path)
    assert load(path, 8).skin.tolist() == [False] * 4
    assert load(path, 8).balance == 0


def test_a_memory_of_another_net_is_refused(tmp_path: Path) -> None:
    remembered().save(tmp_path / "one.safetensors")
    with pytest.raises(UsageError, match="another model"):
        load(tmp_path / "one.safetensors", 12)


@pytest.mark.parametrize("content", [b"", b"nonsense", b"\x08\x00\x00\x00\x00\x00\x00\x00{}      "])
def test_a_damaged_memory_is_an_error_that_names_the_file(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "bad.safetensors").write_bytes(content)
    with pytest.raises(UsageError, match="bad.safetensors"):
        load(tmp_path / "bad.safetensors", 8)


def test_a_missing_memory_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no palette"):
        load(tmp_path / "none.safetensors", 8)


def test_an_empty_memory_asks_nothing_of_the_net() -> None:
    memory = empty(palette_with(1), 8)
    assert memory.memory(torch.device("cpu")) is None and memory.kin(torch.device("cpu")) is None


def test_the_latest_regions_stay_when_there_are_too_many() -> None:
    memory = remembered(regions=ALL_REGIONS)
    latest = Kin(torch.ones(3, 8), torch.full((3, CELLS), 7.0))
    grown = memory.with_regions(latest)
    assert len(grown.kin_keys) == ALL_REGIONS
    assert (grown.ballots[-3:] == 7).all()


def test_values_of_a_memory_are_shares() -> None:
    memory = remembered().memory(torch.device("cpu"))
    assert memory is not None
    torch.testing.assert_close(memory.values.sum(2), torch.ones(1, 5))


def test_places_keep_the_colour_that_lies_there() -> None:
    paint = torch.zeros(3, 32, 32)
    paint[0, :, 16:] = 1
    keys, colours = places_of(F.normalize(torch.randn(8, 4, 4), dim=0), paint)
    assert len(keys) == 16
    assert (colours.view(4, 4, 3)[:, 2:, 0] == 1).all() and (colours.view(4, 4, 3)[:, :2] == 0).all()


def test_a_place_like_a_token_is_told_its_colour() -> None:
    painter = net()
    red, blue = 5 * 36, 5
    key = F.normalize(torch.randn(8), dim=0)
    keys = torch.stack([key, -key])[None]
    values = torch.zeros(1, 2, CELLS)
    values[0, 0, red], values[0, 1, blue] = 1, 1
    cells, given = torch.tensor([[red, blue]]), torch.ones(1, 2, dtype=torch.bool)
    said = painter.recalled(key.view(1, 8, 1, 1), Memory(keys, values), cells, given)[0, :, 0, 0]
    other = painter.recalled(-key.view(1, 8, 1, 1), Memory(keys, values), cells, given)[0, :, 0, 0]
    assert said[0] > said[1] and other[1] > other[0]


def test_without_a_memory_every_colour_is_recalled_alike() -> None:
    painter = net()
    memory = Memory(F.normalize(torch.randn(1, 9, 8), dim=2), torch.rand(1, 9, CELLS), torch.zeros(1, dtype=torch.bool))
    cells, given = torch.tensor([[3, 9, 50, 90]]), torch.ones(1, 4, dtype=torch.bool)
    said = painter.recalled(F.normalize(torch.randn(1, 8, 2, 2), dim=1), memory, cells, given)
    torch.testing.assert_close(said, torch.full_like(said, float(torch.tensor(0.25 + DOUBT).log())))


def test_kin_pull_a_region_to_their_vote() -> None:
    painter = net()
    page, hints = torch.rand(1, 1, 64, 64), torch.zeros(1, 4, 64, 64)
    regions = torch.zeros(1, 32, 32, dtype=torch.int64)
    regions[:, :, 16:] = 1
    palette = palette_with(5 * 36, 5)
    guide = Guide(palette, regions)
    blank = torch.zeros(32, 32, dtype=torch.bool)
    with torch.inference_mode():
        own = painter.kin_of(page, hints, guide, blank, 10)
        blue = torch.full_like(own.ballots, -7.0)
        blue[:, 5] = 0.0
        alone = painter.paints(page, hints, guide)
        led = painter.paints(page, hints, Guide(palette, regions, kin=Kin(own.keys, blue)))
    assert len(own.keys) == 2
    assert led[:, 2].mean() > alone[:, 2].mean() and led[:, 0].mean() < alone[:, 0].mean()


def test_paper_has_no_kin() -> None:
    painter = net()
    regions = torch.zeros(1, 32, 32, dtype=torch.int64)
    with torch.inference_mode():
        found = painter.kin_of(
            torch.rand(1, 1, 64, 64),
            torch.zeros(1, 4, 64, 64),
            Guide(palette_with(5, 9), regions),
            torch.ones(32, 32, dtype=torch.bool),
            10,
        )
    assert len(found.keys) == 0


def test_means_are_taken_by_label() -> None:
    rows = torch.tensor([[1.0], [3.0], [10.0]])
    assert mean_by(rows, torch.tensor([0, 0, 2]), 3).flatten().tolist() == [2.0, 0.0, 10.0]


def test_regions_too_small_for_a_descriptor_are_left_out() -> None:
    regions = torch.zeros(16, 16, dtype=torch.int64)
    regions[0, 0] = 1
    regions[8:] = 2
    known, keys = keys_of(torch.randn(8, 4, 4), regions)
    assert known.tolist() == [0, 2]
    torch.testing.assert_close(keys.norm(dim=1), torch.ones(2))


def things(per_thing: int, *votes: int) -> Kin:
    """Regions of as many things as there are votes, each a little different; the first of each votes for 7."""
    torch.manual_seed(2)
    middle = torch.eye(16)[: len(votes)].repeat_interleave(per_thing, 0)
    middle[:, 15] = 1.5  # things of one drawing have something in common
    ballots = torch.full((len(middle), CELLS), -6.0)
    ballots[torch.arange(len(middle)), torch.tensor(votes).repeat_interleave(per_thing)] = 0
    ballots[::per_thing] = -6.0
    ballots[::per_thing, 7] = 0
    return Kin(F.normalize(middle + 0.05 * torch.randn(len(middle), 16), dim=1), F.log_softmax(ballots, 1))


def test_what_is_alike_settles_on_one_vote_and_what_is_not_keeps_its_own() -> None:
    kin = things(5, 100, 200)
    assert kin.ballots.argmax(1).tolist() == [7, *[100] * 4, 7, *[200] * 4]
    after = settled(kin)
    assert after.ballots.argmax(1).tolist() == [100] * 5 + [200] * 5
    assert torch.equal(after.keys, kin.keys)


def test_votes_are_as_decided_after_settling_as_before() -> None:
    kin = things(2, 100, 200, 30)  # one against one: the mean of the two is torn
    torn = torch.stack([kin.ballots[0:2].mean(0), kin.ballots[2:4].mean(0)])
    after = entropy(settled(kin).ballots)
    assert after < 0.9 * entropy(torn)
    assert after >= 0.9 * entropy(kin.ballots)


def test_the_order_of_regions_does_not_change_what_they_settle_on() -> None:
    kin = things(5, 100, 200)
    turned = settled(Kin(kin.keys.flip(0), kin.ballots.flip(0)))
    torch.testing.assert_close(turned.ballots.flip(0), settled(kin).ballots, atol=1e-3, rtol=1e-3)


def test_the_skins_of_faces_agree_however_they_look() -> None:
    kin = things(4, 100, 100, 200)
    faces = torch.tensor([1, 2, 3, 5, 6, 7, 9])  # the last was given to 200
    skin = torch.zeros(12, dtype=torch.bool).index_fill_(0, faces, True)
    assert settled(kin).ballots[9].argmax() == 200
    assert settled(kin._replace(skin=skin)).ballots[faces].argmax(1).tolist() == [100] * 7


def test_the_skin_of_a_face_is_the_region_in_its_middle() -> None:
    labels = np.zeros((60, 60), np.int64)
    labels[10:50, 10:50] = 1  # the head: hair
    labels[24:46, 18:42] = 2  # the face
    labels[30:33, 22:28] = 3  # an eye
    found = skin_of(labels, [Face(Region(36, 44, 48, 48), 0.9)], 0.5, 0.5)
    assert np.array_equal(found, labels == 2)
    assert not skin_of(labels, [], 0.5, 0.5).any()


def test_a_face_that_lines_cut_to_pieces_has_no_skin() -> None:
    labels = np.arange(400).reshape(20, 20).repeat(3, 0).repeat(3, 1)
    assert not skin_of(labels, [Face(Region(10, 10, 40, 40), 0.9)], 1.0, 1.0).any()


def test_a_region_is_remembered_as_skin_where_it_was_told_so() -> None:
    regions = torch.zeros(1, 32, 32, dtype=torch.int64)
    regions[:, :, 16:] = 1
    blank = torch.zeros(32, 32, dtype=torch.bool)
    with torch.inference_mode():
        page = torch.rand(1, 1, 64, 64), torch.zeros(1, 4, 64, 64), Guide(palette_with(5, 9), regions)
        found = net().kin_of(*page, blank, 10, regions[0] == 1)
        nobody = net().kin_of(*page, blank, 10)
    assert found.skin is not None and nobody.skin is not None
    assert found.skin.sum() == 1 and not nobody.skin.any()
