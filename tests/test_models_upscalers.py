"""Upscalers of others: recognised, tiled by their own rules, and nothing in their files is ever run."""

from __future__ import annotations

import importlib.util
import pickle
import zipfile
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.torch
import torch
import torch.nn.functional as F
from hub_server import COMMIT, serving
from huggingface_hub import constants
from spandrel.architectures.Compact import Compact
from spandrel.architectures.DnCNN import DnCNN
from spandrel.architectures.ESRGAN import ESRGAN
from spandrel.architectures.SPAN import SPAN
from torch import Tensor, nn

from mangapaint.engine.runner import Engine
from mangapaint.errors import UsageError, WeightsError
from mangapaint.models import catalog, upscalers
from mangapaint.paint.enlarge import Enlarger
from mangapaint.settings import EngineSettings, UpscaleSettings


def compact(scale: int = 2, channels: int = 3) -> Compact:
    """Adds what its convolutions say to the picture with its pixels repeated."""
    torch.manual_seed(1)
    net = Compact(num_in_ch=channels, num_out_ch=channels, num_feat=8, num_conv=2, upscale=scale)
    net.eval()
    return net


def esrgan() -> ESRGAN:
    torch.manual_seed(2)
    net = ESRGAN(in_nc=3, out_nc=3, num_filters=8, num_blocks=1, scale=4)
    net.eval()
    return net


def span() -> SPAN:
    torch.manual_seed(3)
    net = SPAN(num_in_ch=3, num_out_ch=3, feature_channels=8, upscale=2)
    net.eval()
    return net


def written(path: Path, held: Any) -> str:
    if path.suffix == ".safetensors":
        safetensors.torch.save_file({key: value.contiguous() for key, value in held.items()}, path)
    else:
        torch.save(held, path)
    return str(path)


def enlarger(ref: str, scale: int, tile: int | None = None) -> Enlarger:
    engine = Engine(EngineSettings(device="cpu", precision="fp32", tile=tile))
    return Enlarger(engine, UpscaleSettings(scale, ref, native="off"), offline=True)  # type: ignore[arg-type]


def picture(height: int = 150, width: int = 170) -> np.ndarray[Any, np.dtype[np.uint8]]:
    torch.manual_seed(4)
    smooth = F.interpolate(torch.rand(1, 3, 9, 9), size=(height, width), mode="bicubic").clamp(0, 1)
    return np.ascontiguousarray((smooth[0].permute(1, 2, 0) * 255).to(torch.uint8).numpy())


@pytest.mark.parametrize(
    ("make", "arch", "scale"), [(compact, "RealESRGAN Compact", 2), (esrgan, "ESRGAN", 4), (span, "SPAN", 2)]
)
@pytest.mark.parametrize(
    ("name", "wrapped"), [("net.pth", "params_ema"), ("net.ckpt", "state_dict"), ("net.safetensors", "")]
)
def test_three_architectures_run_from_every_kind_of_file(
    tmp_path: Path, make: Callable[[], nn.Module], arch: str, scale: int, name: str, wrapped: str
) -> None:
    net = make()
    held: Any = {wrapped: net.state_dict()} if wrapped else net.state_dict()
    ref = written(tmp_path / name, held)
    with torch.inference_mode():
        page = torch.from_numpy(picture(40, 52)).permute(2, 0, 1)[None].float() / 255
        expected = net(page).clamp(0, 1)
        found = upscalers.load(ref, scale, offline=True)
        torch.testing.assert_close(found(page, scale), expected, rtol=0, atol=1e-5)
    assert (found.spec.config["architecture"], found.scales, found.channels) == (arch, (scale,), 3)
    assert not found.whole
    assert len(found.spec.sha256) == 64


@pytest.mark.parametrize("make", [compact, span])
def test_tiles_of_a_community_model_leave_no_seams(tmp_path: Path, make: Callable[[], nn.Module]) -> None:
    ref = written(tmp_path / "net.pth", make().state_dict())
    page = picture()
    whole, tiled = (enlarger(ref, 2, tile).colour(page).astype(int) for tile in (512, 64))
    assert whole.shape == (300, 340, 3)
    assert np.abs(whole - tiled).max() <= 1


def test_the_chroma_of_the_page_survives_a_net_that_shifts_it(tmp_path: Path) -> None:
    net = compact()
    nn.init.zeros_(net.body[-1].weight)
    with torch.no_grad():
        net.body[-1].bias[:] = torch.tensor([0.2, 0.0, -0.2]).repeat_interleave(4)  # far too red
    ref = written(tmp_path / "red.pth", net.state_dict())
    page = picture() // 2 + 64
    large = enlarger(ref, 2).colour(page).astype(float)
    reduced = large.reshape(150, 2, 170, 2, 3).mean((1, 3))
    weights = np.array([0.299, 0.587, 0.114])

    def chroma(x: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        return np.asarray(x - (x @ weights)[..., None])

    assert np.abs(chroma(reduced) - chroma(page.astype(float))).max() < 3


def test_gray_pages_go_through_rgb_nets_and_come_out_gray(tmp_path: Path) -> None:
    ref = written(tmp_path / "net.pth", compact().state_dict())
    gray = torch.from_numpy(picture()[..., 0].copy())[None, None]
    found = enlarger(ref, 2)
    large = found.gray(gray)
    in_rgb = found.colour(np.repeat(gray[0, 0].numpy()[..., None], 3, 2))
    assert (in_rgb == large[0, 0].numpy()[..., None]).all()
    assert (large.shape, large.dtype) == ((1, 1, 300, 340), torch.uint8)
    repeated = F.interpolate(gray.float(), scale_factor=2)
    assert (large.float() - repeated).abs().mean() < 60


def test_luminance_nets_of_others_leave_colours_alone(tmp_path: Path) -> None:
    ref = written(tmp_path / "gray.pth", compact(channels=1).state_dict())
    assert enlarger(ref, 2).upscaler.channels == 1
    large = enlarger(ref, 2).colour(np.full((48, 48, 3), (200, 40, 90), np.uint8)).astype(int)
    assert (np.ptp(large - large.mean(2, keepdims=True).round().astype(int), axis=(0, 1)) <= 2).all()


class Runs:
    """A pickle that makes a file when it is read."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.marker,)


def packed(path: Path) -> str:
    """A torch archive whose entries are deflated."""
    plain = BytesIO()
    torch.save({"x": torch.zeros(1 << 16)}, plain)
    with zipfile.ZipFile(plain) as source, zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as target:
        for entry in source.infolist():
            target.writestr(entry.filename, source.read(entry))
    return str(path)


def test_code_in_a_pickle_is_not_run(tmp_path: Path) -> None:
    marker = tmp_path / "was-run"
    for name, data in (("plain.pth", pickle.dumps(Runs(marker))), ("torch.pth", None)):
        path = tmp_path / name
        path.write_bytes(data) if data is not None else torch.save({"params": Runs(marker)}, path)
        with pytest.raises(WeightsError, match=r"does not hold tensors alone.*nothing in it was run"):
            upscalers.load(str(path), 2, offline=True)
    assert not marker.exists()


@pytest.mark.parametrize(
    ("held", "message"),
    [
        ({"a.weight": torch.zeros(3, 3)}, "fills no net that spandrel knows"),
        ({"epoch": 3}, "holds no tensors"),
        ({"x": torch.zeros(1).expand(1 << 20)}, "more weights than it has bytes"),
        (compact().state_dict() | {"body.0.weight": torch.full((8, 3, 3, 3), torch.nan)}, "not finite"),
        (compact().state_dict() | {"body.0.bias": torch.zeros(9)}, "does not fill its net"),
    ],
    ids=["foreign", "empty", "apparent", "nan", "misshapen"],
)
def test_files_that_are_no_model_are_refused_in_one_line(tmp_path: Path, held: Any, message: str) -> None:
    with pytest.raises(WeightsError, match=message) as caught:
        upscalers.load(written(tmp_path / "net.pth", held), 2, offline=True)
    assert "\n" not in str(caught.value)


def test_files_that_unfold_or_are_noise_are_refused(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="packed"):
        upscalers.load(packed(tmp_path / "bomb.pth"), 2, offline=True)
    (tmp_path / "noise.pth").write_bytes(b"PK\x03\x04 and then nothing of it")
    with pytest.raises(WeightsError, match="damaged archive"):
        upscalers.load(str(tmp_path / "noise.pth"), 2, offline=True)


def test_nets_that_do_not_enlarge_and_other_scales_are_refused(tmp_path: Path) -> None:
    net = DnCNN(in_nc=1, out_nc=1, nc=8, nb=8, act_mode="R")
    with pytest.raises(UsageError, match="DnCNN net that restores without enlarging"):
        upscalers.load(written(tmp_path / "clean.pth", net.state_dict()), 2, offline=True)
    ref = written(tmp_path / "net.pth", compact(4).state_dict())
    with pytest.raises(UsageError, match=r"net enlarges 4x, not 2x \(pass --upscale 4x\)"):
        upscalers.load(ref, 2, offline=True)


def test_without_the_extra_its_name_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ref = written(tmp_path / "net.pth", compact().state_dict())
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *rest: None if name == "spandrel" else find(name, *rest)
    )
    with pytest.raises(UsageError, match=r"pip install 'mangapaint\[spandrel\]'"):
        upscalers.load(ref, 2, offline=True)


def test_our_tiers_have_short_names() -> None:
    assert upscalers.resolve("fast", offline=True) == upscalers.resolve("upscaler", offline=True)
    assert catalog.info("fast").spec.name == "upscaler"
    with pytest.raises(UsageError, match="no model is called 'best'"):
        upscalers.resolve("best", offline=True)


def test_a_model_of_the_hub_is_fetched_with_its_licence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = BytesIO()
    torch.save(compact().state_dict(), data)
    with serving() as hub:
        hub.card = {"license": "cc-by-nc-4.0"}
        hub.put("2x.pth", data.getvalue())
        monkeypatch.setattr(constants, "ENDPOINT", hub.url)
        template = hub.url + "/{repo_id}/resolve/{revision}/{filename}"
        monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
        monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
        monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
        lines: list[str] = []
        found = upscalers.load("hf:someone/painter:2x.pth", 2, tell=lines.append)
        assert (found.spec.licence, found.spec.revision) == ("cc-by-nc-4.0", COMMIT)
        assert "licence of someone/painter, as the Hub says: cc-by-nc-4.0" in lines
        hub.requests.clear()
        pinned = f"hf:someone/painter@{COMMIT}:2x.pth"
        assert isinstance(upscalers.load(pinned, 2)(torch.rand(1, 3, 8, 8), 2), Tensor)
        assert catalog.pull(pinned).name == "2x.pth"
        assert hub.requests == []
