"""Weights from the installation and from paths: what is taken, what is refused, and why."""

from __future__ import annotations

import json
import pickle
import struct
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch
import toy_net

from mangapaint.errors import ExitCode, UsageError, WeightsError
from mangapaint.models import archs, catalog, pin, registry, store, weightfile
from mangapaint.models.pins import PINS
from mangapaint.models.spec import ModelSpec, from_metadata


@pytest.fixture
def toy(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> ModelSpec:
    return toy_net.register(monkeypatch, tmp_path / "weights", toy_net.weights())


def written(path: Path, data: bytes) -> str:
    path.write_bytes(data)
    return str(path)


def test_shipped_weights_fill_the_net_exactly(toy: ModelSpec) -> None:
    net, spec = store.load("toy", task="colorize", offline=True)
    expected = safetensors.torch.load(toy_net.weights())
    assert spec == toy
    assert not net.training
    for name, tensor in net.state_dict().items():
        assert tensor.dtype is torch.float32
        assert torch.equal(tensor, expected[name].float())
    assert not any(p.requires_grad for p in net.parameters())


def test_file_by_path_describes_itself(toy: ModelSpec, tmp_path: Path) -> None:
    ref = written(tmp_path / "mine.safetensors", toy_net.weights(seed=5))
    net, spec = store.load(ref)
    assert (spec.name, spec.arch, spec.scale, spec.receptive_field) == ("toy", "toy", 2, 1)
    assert spec.sha256 == weightfile.sha256_of(Path(ref))
    assert spec.size == Path(ref).stat().st_size
    assert isinstance(net, toy_net.ToyNet)


def test_one_flipped_bit_in_shipped_weights_is_refused_before_parsing(
    toy: ModelSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = store.shipped_folder() / toy.filename
    data = bytearray(path.read_bytes())
    data[-3] ^= 1
    path.write_bytes(data)
    monkeypatch.setattr(safetensors.torch, "load", lambda _: pytest.fail("altered weights were parsed"))
    with pytest.raises(WeightsError, match="sha256.*install mangapaint again") as caught:
        store.load("toy", offline=True)
    assert caught.value.exit_code == ExitCode.WEIGHTS
    assert path.is_file()  # an installation is not ours to alter


@pytest.mark.parametrize("name", ["model.pth", "model.pt", "model.ckpt", "model.bin", "model.PKL"])
def test_pickles_are_refused_by_name_and_never_run(tmp_path: Path, name: str) -> None:
    marker = tmp_path / "ran"

    class Payload:
        def __reduce__(self) -> Any:
            return Path.touch, (marker,)

    with pytest.raises(WeightsError, match=r"pickle.*convert"):
        store.load(written(tmp_path / name, pickle.dumps(Payload())))
    assert not marker.exists()


def test_pickle_and_torch_archive_named_safetensors_are_refused(tmp_path: Path) -> None:
    marker = tmp_path / "ran"

    class Payload:
        def __reduce__(self) -> Any:
            return Path.touch, (marker,)

    torch.save({"weight": torch.zeros(1)}, tmp_path / "archive.safetensors")
    written(tmp_path / "plain.safetensors", pickle.dumps(Payload()))
    for name in ("archive", "plain"):
        with pytest.raises(WeightsError, match="pickle"):
            store.load(str(tmp_path / f"{name}.safetensors"))
    assert not marker.exists()


def framed(head: bytes, body: bytes = b"", length: int | None = None) -> bytes:
    return struct.pack("<Q", len(head) if length is None else length) + head + body


def entry(shape: list[int], offsets: list[int], dtype: str = "F32") -> dict[str, Any]:
    return {"dtype": dtype, "shape": shape, "data_offsets": offsets}


def hostile() -> dict[str, bytes]:
    said = {"__metadata__": toy_net.SPEC.metadata()}

    def head(**tensors: Any) -> bytes:
        return json.dumps(said | tensors).encode()

    return {
        "empty": b"",
        "length 2^63": framed(b"{}", length=2**63),
        "header over 100 MB": framed(b"{}", length=100_000_001),
        "header longer than file": framed(b"{}", length=500),
        "no json": framed(b"not json"),
        "no utf-8": framed(b"\xff\xfe{}"),
        "a list": framed(b"[]"),
        "deep": framed(b"[" * 100_000),
        "overlap": framed(head(a=entry([2], [0, 8]), b=entry([2], [4, 12])), bytes(12)),
        "hole": framed(head(a=entry([1], [0, 4]), b=entry([1], [8, 12])), bytes(12)),
        "trailing bytes": framed(head(a=entry([1], [0, 4])), bytes(9)),
        "lying shape": framed(head(a=entry([1000], [0, 4])), bytes(4)),
        "truncated": toy_net.weights()[:-20],
        "unknown dtype": framed(head(a=entry([1], [0, 4], "Q99")), bytes(4)),
    }


@pytest.mark.parametrize("kind", sorted(hostile()))
def test_hostile_safetensors_are_weights_errors(toy: ModelSpec, tmp_path: Path, kind: str) -> None:
    with pytest.raises(WeightsError, match=r"no valid safetensors|does not fit|pickle|describe|net it fills"):
        store.load(written(tmp_path / "bad.safetensors", hostile()[kind]))


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"conv.bias": None}, r"conv\.bias is missing"),
        ({"extra": torch.zeros(1)}, "extra is not part of it"),
        ({"conv.bias": torch.zeros(7)}, r"conv\.bias is \(7,\), not \(6,\)"),
        ({"conv.bias": torch.full((6,), float("nan"))}, r"conv\.bias are not finite"),
    ],
)
def test_weights_that_do_not_fit_say_where(
    toy: ModelSpec, tmp_path: Path, changed: dict[str, Any], message: str
) -> None:
    with pytest.raises(WeightsError, match=message):
        store.load(written(tmp_path / "odd.safetensors", toy_net.weights(**changed)))


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"channels": 10**12}, "out of all proportion"),
        ({"colour": 3}, "no parameter colour"),
        ({"channels": "many"}, "cannot be built"),
        ({"channels": -4}, "cannot be built"),
        ({"kernels": []}, "cannot be built"),
        ({"channels": 60_000, "kernels": [60_000]}, "does not fit"),
    ],
)
def test_config_that_does_not_fit_costs_no_memory(
    toy: ModelSpec, tmp_path: Path, config: dict[str, Any], message: str
) -> None:
    spec = replace(toy_net.SPEC, config=config)
    with pytest.raises(WeightsError, match=message):
        store.load(written(tmp_path / "odd.safetensors", toy_net.weights(spec)))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"task": "translate"}, "its task is 'translate'"),
        ({"task": 3}, "'task' is no text"),
        ({"arch": ""}, "names no arch"),
        ({"arch": "unknown"}, "no net is called 'unknown'"),
        ({"config": []}, "'config' is no object"),
        ({"scale": 0}, "'scale' is no whole number"),
        ({"scale": True}, "'scale' is no whole number"),
        ({"receptive_field": -1}, "'receptive_field' is no whole number"),
    ],
)
def test_broken_description_is_named(toy: ModelSpec, tmp_path: Path, change: dict[str, Any], message: str) -> None:
    metadata = {"mangapaint": json.dumps(toy_net.SPEC.described() | change)}
    data = safetensors.torch.save({"a": torch.zeros(1)}, metadata=metadata)
    with pytest.raises(WeightsError, match=message):
        store.load(written(tmp_path / "odd.safetensors", data))


def test_foreign_safetensors_are_refused_with_a_remedy(tmp_path: Path) -> None:
    data = safetensors.torch.save({"a": torch.zeros(1)})
    with pytest.raises(WeightsError, match=r"does not say which net.*train export"):
        store.load(written(tmp_path / "foreign.safetensors", data))


def test_description_survives_a_round_trip() -> None:
    spec = from_metadata(toy_net.SPEC.metadata(), filename="toy.safetensors")
    assert spec == replace(toy_net.SPEC, config={"channels": 6, "kernels": [3]})


def test_unknown_name_lists_the_known_ones() -> None:
    with pytest.raises(UsageError, match=r"no model is called 'paynter'.*painter.*upscaler"):
        store.load("paynter")


def test_absent_path_is_a_weights_error(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="there is no file"):
        store.load(str(tmp_path / "absent.safetensors"))


def test_model_for_another_task_is_refused(toy: ModelSpec) -> None:
    with pytest.raises(UsageError, match="a model to colorize, not to upscale"):
        store.load("toy", task="upscale")


def test_weights_that_did_not_come_along_say_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    toy_net.register(monkeypatch, tmp_path / "none", None)
    with pytest.raises(WeightsError, match=r"weights of 'toy' are not in .*install"):
        store.load("toy")


def test_catalog_lists_describes_and_verifies(toy: ModelSpec, tmp_path: Path) -> None:
    rows = {row.spec.name: row for row in catalog.listing()}
    assert rows["toy"].place == "shipped"
    assert {"painter", "upscaler"} <= set(rows)
    assert catalog.info("toy").spec.licence == "CC0"
    assert catalog.verify("toy") == [catalog.Check("toy", True, catalog.verify("toy")[0].detail)]
    assert catalog.pull("toy", offline=True) == store.shipped_folder() / toy.filename
    ref = written(tmp_path / "mine.safetensors", toy_net.weights(seed=5))
    assert catalog.info(ref).spec.sha256 == weightfile.sha256_of(Path(ref))


def test_verify_finds_altered_and_absent_weights(toy: ModelSpec) -> None:
    path = store.shipped_folder() / toy.filename
    path.write_bytes(path.read_bytes()[:-1] + b"\x01")
    altered = catalog.verify("toy")[0]
    assert not altered.ok
    assert "sha256" in altered.detail
    path.unlink()
    assert catalog.verify("toy")[0].detail == "not here: missing"
    with pytest.raises(UsageError, match="no model is called"):
        catalog.verify("nobody")


def test_pins_of_a_folder_become_sums_and_source(toy: ModelSpec) -> None:
    pins = pin.measured(store.shipped_folder())
    assert pins["toy.safetensors"]["sha256"] == toy.sha256
    assert pin.sums(pins) == f"{toy.sha256}  toy.safetensors\n"
    namespace: dict[str, Any] = {}
    exec(compile(pin.source(pins), "pins.py", "exec"), namespace)
    assert namespace["PINS"] == pins


def test_shipped_weights_pins_and_sums_agree() -> None:
    folder = store.shipped_folder()
    if not any(folder.glob("*.safetensors")):
        pytest.skip("this checkout holds no weights")
    assert pin.measured(folder) == PINS
    assert (folder / pin.SUMS).read_text() == pin.sums(PINS)
    assert {spec.filename for spec in registry.REGISTRY.values()} <= set(PINS)


@pytest.mark.parametrize("name", ["painter", "upscaler"])
def test_shipped_model_loads(name: str) -> None:
    if store.shipped(registry.REGISTRY[name]) is None:
        pytest.skip("this checkout holds no weights of it")
    _, spec = store.load(name, task=registry.REGISTRY[name].task, offline=True)
    assert spec.sha256 == registry.REGISTRY[name].sha256


@pytest.mark.parametrize("name", ["painter", "upscaler"])
def test_registered_arch_builds_with_its_defaults(name: str) -> None:
    with torch.device("meta"):
        net = archs.build(registry.REGISTRY[name].arch, {})
    assert sum(p.numel() for p in net.parameters()) > 10_000
