"""Made pages for the face detector: boxes lie where faces are, hidden faces do not count, targets can be read back."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch

from mangapaint.layout.faces import decoded
from mangapaint.models.faces_net import STRIDE
from train.synth.facepages import Maker, Marked, PageOptions, from_json
from train.synth.facesheet import Piece, Sheet, transformed
from train.synth.facestamps import Stamp, cartoon_stamp, crop_stamp, face_box, figure_stamp
from train.tasks.faces import BOXES, focal, told

NONE = np.zeros((0, 4))


def stamp(side: int = 40) -> Stamp:
    """Black, its face being all of it."""
    return Stamp(np.zeros((side, side), np.uint8), np.full((side, side), 255, np.uint8), (0, 0, side, side))


def moved(x: float, y: float, scale: float = 1.0) -> np.ndarray:
    return np.array([[scale, 0, x], [0, scale, y]])


def test_a_pasted_face_lies_where_it_was_pasted() -> None:
    sheet = Sheet(200)
    sheet.paste(stamp(), moved(50, 70, 2.0), 2.0)
    piece = sheet.piece()
    assert piece.faces == pytest.approx(np.array([[50, 70, 130, 150]]), abs=2)
    assert piece.gray[110, 90] == 0
    assert piece.gray[20, 20] == 255
    sheet.mirror()
    assert sheet.piece().faces == pytest.approx(np.array([[70, 70, 150, 150]]), abs=2)


def test_what_covers_a_face_takes_its_place() -> None:
    sheet = Sheet(200)
    sheet.paste(stamp(), moved(50, 50), 1.0)
    sheet.paste(stamp(), moved(70, 50), 1.0)
    first, second = sheet.piece().faces
    assert first == pytest.approx([50, 50, 72, 90], abs=5), "only the left half is seen"
    assert second == pytest.approx([70, 50, 110, 90], abs=2)
    sheet.paste(stamp(), moved(52, 50), 1.0)
    piece = sheet.piece()
    assert len(piece.faces) == 2
    assert len(piece.ignore) <= 1, "what is hidden is no face; a sliver counts neither way"


def test_a_turned_face_is_boxed_by_its_ellipse() -> None:
    quarter = np.array([[0, -1, 100], [1, 0, 0]], np.float64)
    assert transformed((0, 0, 20, 40), quarter) == pytest.approx((60, 0, 100, 20))
    c = float(np.sqrt(0.5))
    eighth = np.array([[c, -c, 0], [c, c, 0]])
    left, _, right, _ = transformed((-10, -10, 10, 10), eighth)
    assert right - left == pytest.approx(20), "a circle stays as wide as it was"


def test_pieces_of_pages_have_faces_inside_them() -> None:
    rng = np.random.default_rng(0)
    gray = rng.integers(0, 256, (400, 300), np.uint8)
    page = Marked(gray, np.array([[100.0, 100, 160, 170]]), NONE)
    options = PageOptions(marked=0.4, figures=0.0, smallest=12)
    maker = Maker(
        lambda size, own: cartoon_stamp(int(2 * size), own),
        lambda own: own.integers(0, 256, (64, 64), np.uint8),
        [page],
        options,
    )
    pieces = [maker.piece(96, rng) for _ in range(24)]
    assert sum(len(piece.faces) for piece in pieces) > 15
    assert any(piece.unknown.any() for piece in pieces)
    for piece in pieces:
        assert piece.gray.shape == (96, 96)
        assert (piece.faces >= 0).all()
        assert (piece.faces <= 97).all()
        assert (piece.faces[:, 2:] > piece.faces[:, :2]).all()


def test_targets_read_back_are_the_faces() -> None:
    faces = np.array([[30.0, 40, 70, 88], [100, 20, 124, 50], [60, 100, 150, 156]])
    heat, boxes, near, counted, unknown = told(
        Piece(np.zeros((160, 160), np.uint8), faces, NONE, np.zeros((160, 160), bool))
    )
    assert (heat == 1).sum() == 3
    assert counted.all()
    assert not unknown.any()
    assert near.max() == 1
    maps = np.concatenate([np.where(heat[None] == 1, 5.0, -5.0), boxes[:4]]).astype(np.float32)
    found = sorted((f.region.x, f.region.y, f.region.right, f.region.bottom) for f in decoded(maps, 0.5))
    assert np.array(found) == pytest.approx(np.array(sorted(map(tuple, faces))), abs=1)


def test_ignored_places_are_not_counted_but_a_face_within_them_is() -> None:
    ignore = np.array([[0.0, 0, 80, 80]])
    piece = Piece(np.zeros((160, 160), np.uint8), np.array([[20.0, 20, 60, 60]]), ignore, np.zeros((160, 160), bool))
    _, _, _, counted, _ = told(piece)
    assert not counted[0, 0]
    assert counted[40 // STRIDE, 40 // STRIDE]
    assert counted[15, 15]


def test_the_focal_loss_falls_as_the_heat_comes_right() -> None:
    truth = torch.zeros(1, 8, 8)
    truth[0, 3, 3] = 1
    everywhere = torch.ones(1, 8, 8, dtype=torch.bool)
    losses = [focal(scale * (2 * truth - 1), truth, everywhere).item() for scale in (-2.0, 0.0, 2.0, 6.0)]
    assert losses == sorted(losses, reverse=True)
    wrong = torch.full((1, 8, 8), -6.0)
    wrong[0, 6, 6] = 6
    assert focal(wrong, truth, everywhere) > focal(wrong, truth, everywhere & (wrong < 0))


def test_stamps_have_their_face_on_them() -> None:
    rng = np.random.default_rng(1)
    colour = np.full((96, 96, 3), (70, 60, 150), np.uint8)
    colour[28:80, 24:74] = (250, 220, 200)
    made = [cartoon_stamp(80, rng) for _ in range(12)] + [figure_stamp(16, rng) for _ in range(2)]
    made += [crop_stamp(colour, (0.2, 0.3, 0.8, 0.85), 96, rng) for _ in range(6)]
    for each in made:
        assert each.gray.shape == each.mask.shape
        assert each.gray.dtype == np.uint8
        if each.face is not None:
            x, y, right, bottom = each.face
            assert 0 <= x < right <= each.gray.shape[1] + 1
            assert 0 <= y < bottom <= each.gray.shape[0] + 1
            assert each.mask[int((y + bottom) / 2), int((x + right) / 2)] == 255


def test_the_box_of_a_face_follows_its_skin() -> None:
    colour = np.full((96, 96, 3), (60, 40, 140), np.uint8)
    colour[28:80, 33:70] = (250, 220, 200)
    left, _, right, _ = face_box(colour, (0.28, 0.3, 0.8, 0.85))
    assert left == pytest.approx(0.4 * 33 / 96 + 0.6 * 0.28, abs=0.03)
    assert right == pytest.approx(0.4 * 70 / 96 + 0.6 * 0.8, abs=0.03)


def test_the_boxes_of_real_pages_can_be_read() -> None:
    said = json.loads(BOXES.read_text(encoding="utf-8"))
    pages = [from_json(rows, np.zeros((1635, 1246), np.uint8)) for rows in said["manga_bw"].values()]
    assert sum(len(page.faces) for page in pages) > 80
    for page in pages:
        assert (page.faces[:, 2:] > page.faces[:, :2]).all()
        assert (page.faces <= (1246, 1635, 1246, 1635)).all()
