"""pix2pix at use: sketches, cues, and paint for whole pages."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import torch
from torch import Tensor

from mangapaint.models.painting import Guide
from mangapaint.models.pix2pix_net import Pix2PixConfig, Pix2PixNet, cue_of, sketch_of, without_lines

GUIDE = Guide(torch.zeros(1, 0))


def net_of(cue: bool) -> Pix2PixNet:
    """An untrained net whose deep levels are heard."""
    torch.manual_seed(0)
    net = Pix2PixNet(Pix2PixConfig(cue=cue, base=4, cap=2)).eval()
    for layer in net.modules():
        if isinstance(layer, torch.nn.Conv2d | torch.nn.ConvTranspose2d):
            torch.nn.init.normal_(layer.weight, 0, 0.1)
    return net


def page_of() -> Tensor:
    """(1, 1, 256, 512) white page with a few lines."""
    page = np.full((256, 512), 255, np.uint8)
    cv2.circle(page, (128, 128), 60, 20, 2)
    cv2.rectangle(page, (280, 40), (480, 220), 0, 3)
    return torch.from_numpy(page)[None, None].float() / 255


def hints_of(colour: tuple[float, float, float]) -> Tensor:
    """(1, 4, 256, 512) with one patch of a colour."""
    hints = torch.zeros(1, 4, 256, 512)
    hints[0, :3, 100:140, 100:140] = torch.tensor(colour).view(3, 1, 1)
    hints[0, 3, 100:140, 100:140] = 1
    return hints


@pytest.mark.parametrize("cue", [False, True])
def test_paint_has_half_the_size_and_stays_in_range(cue: bool) -> None:
    net = net_of(cue)
    with torch.inference_mode():
        paint = net.paints(page_of(), torch.zeros(1, 4, 256, 512), GUIDE)
        again = net.paints(page_of(), torch.zeros(1, 4, 256, 512), GUIDE)
    assert paint.shape == (1, 5, 128, 256)
    assert paint.dtype == torch.float32
    assert 0 <= paint[:, :3].min() <= paint[:, :3].max() <= 1
    assert paint[:, 3:].abs().max() <= 1.05
    assert torch.equal(paint, again)


def test_hints_change_what_the_net_with_a_cue_paints_and_nothing_else() -> None:
    none = torch.zeros(1, 4, 256, 512)
    for cue in (True, False):
        net = net_of(cue)
        with torch.inference_mode():
            plain, red = (net.paints(page_of(), hints, GUIDE) for hints in (none, hints_of((1, 0, 0))))
        assert torch.equal(plain, red) is not cue


def test_a_net_in_bf16_paints_nearly_the_same() -> None:
    net = net_of(True)
    with torch.inference_mode():
        exact = net.paints(page_of(), hints_of((0, 0, 1)), GUIDE)
        rough = net.to(torch.bfloat16).paints(page_of(), hints_of((0, 0, 1)), GUIDE)
    assert rough.dtype == torch.float32
    assert (exact - rough).abs().mean() < 0.02


def test_the_sketch_is_the_adaptive_threshold_of_opencv() -> None:
    rng = np.random.default_rng(0)
    gray = cv2.GaussianBlur(rng.integers(0, 256, (200, 160)).astype(np.uint8), (0, 0), 1.2)
    theirs = cv2.adaptiveThreshold(gray, 1, cv2.ADAPTIVE_THRESH_GAUSSIAN_C, cv2.THRESH_BINARY, 7, 4)
    ours = sketch_of(torch.from_numpy(gray)[None, None].float() / 255)[0, 0].numpy()
    assert 0.1 < 1 - theirs.mean() < 0.5
    assert (ours != theirs).mean() < 0.03  # OpenCV rounds the mean


def test_strokes_stay_as_they_are_and_the_rest_is_white() -> None:
    cue = cue_of(hints_of((0.25, 0.5, 0.75)))
    assert cue[0, :, 120, 120].tolist() == pytest.approx([0.25, 0.5, 0.75])
    assert float(cue[0, :, 200, 400].min()) == 1
    assert float(cue[0, :, 99, 120].min()) == 1


def test_a_whole_reference_is_blurred_without_taking_colour_from_what_is_blank() -> None:
    hints = torch.zeros(1, 4, 256, 512)
    hints[:, 0, :, :200], hints[:, 2, :, 200:400], hints[:, 3, :, :400] = 1, 1, 1
    cue = cue_of(hints)
    assert 0.3 < float(cue[0, 0, 128, 199]) < 0.7
    assert cue[0, :, 128, 399].tolist() == pytest.approx([0, 0, 1], abs=0.01)
    assert cue[0, :, 128, 400].tolist() == [1, 1, 1]


def test_screentone_is_not_taken_for_lines() -> None:
    net, seen = net_of(False), []
    net.unet.register_forward_pre_hook(lambda _, given: seen.append(given[0]))
    page = page_of()
    page[:, :, 60:200:2, 300:460:2] = 0.3
    with torch.inference_mode():
        net.paints(page, torch.zeros(1, 4, 256, 512), GUIDE)
    dotted, circle = seen[0][0, 0, 70:190, 310:450], seen[0][0, 0, 60:200, 60:200]
    assert float((dotted < 0).float().mean()) == 0
    assert 0.02 < float((circle < 0).float().mean()) < 0.3


def test_lines_vanish_from_the_paint_and_areas_stay() -> None:
    rgb = torch.full((1, 3, 64, 64), 0.75)
    rgb[:, :, :, 20:23] = 0.1
    rgb[:, :, 40:60, 40:60] = 0.25
    clean = without_lines(rgb)
    assert float(clean[0, 0, 10, 21]) == pytest.approx(0.75)
    assert float(clean[0, 0, 50, 50]) == pytest.approx(0.25)
