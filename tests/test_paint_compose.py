"""Composition: ink from the scan, paper white, luminance kept, seams nowhere."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mangapaint.models import bilateral
from mangapaint.models.lab import lab_to_rgb, rgb_to_lab
from mangapaint.paint import compose
from mangapaint.paint.mode import mode_of
from mangapaint.paint.palette import CELLS, palette_of


def test_lab_agrees_with_opencv_and_comes_back() -> None:
    rgb = torch.rand(1, 3, 16, 16, generator=torch.Generator().manual_seed(1))
    expected = cv2.cvtColor(rgb[0].permute(1, 2, 0).numpy(), cv2.COLOR_RGB2Lab)
    lab = rgb_to_lab(rgb)
    assert np.abs(lab[0].permute(1, 2, 0).numpy() - expected).max() < 0.3
    assert (lab_to_rgb(lab) - rgb).abs().max() < 2e-3


def test_paper_stays_white_and_ink_stays_black_under_any_paint() -> None:
    page = torch.full((1, 1, 64, 64), 255, dtype=torch.uint8)
    page[:, :, 20:24] = 0
    paper = torch.zeros(1, 1, 32, 32)
    paper[:, :, :6] = 1
    result = compose.under_ink(torch.tensor([0.9, 0.2, 0.1]).view(1, 3, 1, 1).expand(1, 3, 32, 32), page, paper)
    assert (result[:, :, :8] == 255).all()
    assert (result[:, :, 20:24] == 0).all()
    assert result[0, :, 50, 50].tolist() == [230, 51, 26]


def test_gray_mode_keeps_the_luminance_of_the_page() -> None:
    page = torch.arange(40, 200, dtype=torch.uint8).repeat(8, 1)[None, None]
    ab = torch.tensor([12.0, -9.0]).view(1, 2, 1, 1).expand(1, 2, 4, 80)
    result = compose.under_luminance(ab, page, torch.zeros(1, 1, 4, 80)).float() / 255
    before = rgb_to_lab(page.float().expand(-1, 3, -1, -1) / 255)[:, 0]
    lab = rgb_to_lab(result)
    assert (lab[:, 0] - before).abs().max() < 0.6
    assert (lab[:, 1] - 12).abs().max() < 1.5


@settings(max_examples=30, deadline=None)
@given(height=st.integers(9, 90), rows=st.integers(2, 40), strip=st.integers(1, 3000))
def test_strips_do_not_show(height: int, rows: int, strip: int) -> None:
    rng = torch.Generator().manual_seed(height * 100 + rows)
    layer, page = torch.rand(1, 3, rows, 7, generator=rng), torch.randint(0, 256, (1, 1, height, 33), generator=rng)
    page = page.to(torch.uint8)
    whole = compose.in_strips(layer, page, lambda colour, ink: colour * ink)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(compose, "STRIP_ON_CPU", strip)
        cut = compose.in_strips(layer, page, lambda colour, ink: colour * ink)
    assert (whole.int() - cut.int()).abs().max() <= 1


def test_joint_upsampling_follows_the_edge_of_the_guide() -> None:
    guide = torch.zeros(1, 1, 32, 32)
    guide[:, :, :, 17:] = 1  # inside a cell of the low resolution
    low = torch.zeros(1, 1, 16, 16)
    low[..., 8:] = 1
    low[..., 8] = 0.5
    sharp = compose.joint_upsample(low, guide)
    assert sharp[0, 0, 16, 14] < 0.1
    assert sharp[0, 0, 16, 19] > 0.9
    flat = torch.full((1, 2, 8, 8), 0.3)
    assert torch.allclose(compose.joint_upsample(flat, torch.rand(1, 1, 16, 16)), torch.full((1, 2, 16, 16), 0.3))


def test_vividness_one_changes_nothing_and_zero_is_gray() -> None:
    paint = torch.rand(1, 3, 4, 4)
    assert torch.allclose(compose.vivid(paint, 1.0), paint)
    gray = compose.vivid(paint, 0.0)
    assert torch.allclose(gray[:, 0], gray[:, 2], atol=1e-6)


def test_palette_is_a_normed_histogram_of_the_right_cells() -> None:
    red = torch.zeros(1, 3, 8, 8)
    red[:, 0] = 1
    palette = palette_of(red)
    assert palette.shape == (1, CELLS)
    assert palette.argmax() == 5 * 36
    assert torch.isclose((palette / 4).square().sum(), torch.tensor(1.0))


def test_palette_hardly_sees_how_much_paper_a_page_has() -> None:
    picture = torch.zeros(1, 3, 16, 16)
    picture[:, 0], picture[:, 2] = 0.8, 0.4
    half_paper = picture.clone()
    half_paper[..., 8:] = 1
    cosine = torch.cosine_similarity(palette_of(picture), palette_of(half_paper))
    assert cosine > 0.9


def test_mode_tells_line_art_from_true_luminance() -> None:
    rng = np.random.default_rng(0)
    drawing = np.full((400, 300), 255, np.uint8)
    for _ in range(40):
        start, end = rng.integers(0, 300, 2), rng.integers(0, 300, 2)
        cv2.line(drawing, start.tolist(), end.tolist(), 0, 3)
    painted = cv2.GaussianBlur(rng.integers(0, 255, (400, 300), np.uint8), (0, 0), 9)
    assert mode_of(drawing) == "ink"
    assert mode_of(np.asarray(painted, np.uint8)) == "gray"


def test_bright_evenly_shaded_art_is_true_luminance_and_flat_gray_fills_are_not() -> None:
    rng = np.random.default_rng(0)
    bright, filled = np.full((400, 300), 255, np.uint8), np.full((400, 300), 255, np.uint8)
    for _ in range(60):
        centre, radius = rng.integers(0, 300, 2).tolist(), int(rng.integers(10, 30))
        cv2.circle(bright, centre, radius, int(rng.integers(120, 247)), -1)
        cv2.circle(filled, centre, radius // 2, 160, -1)
    assert mode_of(bright) == "gray"
    assert mode_of(filled) == "ink"


def test_strips_of_the_upsampling_do_not_show() -> None:
    low, guide = torch.rand(1, 2, 11, 6), torch.rand(1, 1, 22, 12)
    whole = bilateral.joint_upsample(low, guide)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bilateral, "STRIP", 4)
        cut = bilateral.joint_upsample(low, guide)
    torch.testing.assert_close(whole, cut)
