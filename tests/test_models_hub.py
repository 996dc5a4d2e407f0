"""Weights from a Hub: pinned, cached, tried again, and never half or of the wrong kind."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import toy_net
from hub_server import COMMIT, LATER, FakeHub, serving
from huggingface_hub import constants

from mangapaint.errors import ExitCode, WeightsError
from mangapaint.models import catalog, hub, store
from mangapaint.models.spec import ModelSpec

DATA = toy_net.weights()


@pytest.fixture(scope="module")
def server() -> Iterator[FakeHub]:
    with serving() as fake:
        yield fake


@pytest.fixture
def remote(server: FakeHub, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> FakeHub:
    server.files.clear()
    server.faults.clear()
    server.forever.clear()
    server.requests.clear()
    server.main = COMMIT
    monkeypatch.setattr(constants, "ENDPOINT", server.url)
    monkeypatch.setattr(
        constants, "HUGGINGFACE_CO_URL_TEMPLATE", server.url + "/{repo_id}/resolve/{revision}/{filename}"
    )
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    monkeypatch.setattr(hub, "BACKOFF", (0.0, 0.0, 0.0, 0.0))
    server.put("toy.safetensors", DATA)
    return server


@pytest.fixture
def toy(remote: FakeHub, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> ModelSpec:
    """A registered model that did not come along, but lies on the Hub."""
    return toy_net.register(monkeypatch, tmp_path / "none", None, repo_id=remote.repo, revision=COMMIT)


@pytest.fixture
def no_socket(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a socket was opened")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)


def blobs() -> list[Path]:
    return sorted(Path(constants.HF_HUB_CACHE).glob("*/blobs/*"))


def test_registered_model_is_downloaded_once_and_then_taken_from_the_cache(toy: ModelSpec, remote: FakeHub) -> None:
    lines: list[str] = []
    _, spec = store.load("toy", tell=lines.append)
    assert spec == toy
    assert remote.count("GET") == 1
    assert lines == [f"downloading hf:someone/painter@{COMMIT}:toy.safetensors"]
    remote.requests.clear()
    store.load("toy")
    assert remote.requests == []


def test_cached_model_needs_no_socket(toy: ModelSpec, request: pytest.FixtureRequest) -> None:
    catalog.pull("toy")
    request.getfixturevalue("no_socket")
    store.load("toy", offline=True)
    store.load("toy")
    assert {row.spec.name: row.place for row in catalog.listing()}["toy"] == "cached"


@pytest.mark.parametrize("ref", ["toy", "hf:someone/painter", f"hf:someone/painter@{COMMIT}:toy.safetensors"])
def test_offline_never_opens_a_socket_and_names_the_remedy(toy: ModelSpec, no_socket: None, ref: str) -> None:
    with pytest.raises(WeightsError, match=r"no network may be used.*models pull"):
        store.load(ref, offline=True)


def test_environment_makes_it_offline_too(toy: ModelSpec, no_socket: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(WeightsError, match="no network may be used"):
        store.load("toy")


@pytest.mark.parametrize("fault", [500, 502, 503, 504, 408, 429])
@pytest.mark.parametrize("method", ["HEAD", "API"])
def test_passing_errors_are_survived(toy: ModelSpec, remote: FakeHub, fault: int, method: str) -> None:
    remote.faults += [(method, fault)] * 3
    store.load("hf:someone/painter")
    assert len(blobs()) == 1
    assert remote.faults == []


@pytest.mark.parametrize("fault", [500, 503, 429])
def test_hub_that_stays_down_is_asked_five_times(toy: ModelSpec, remote: FakeHub, fault: int) -> None:
    remote.forever.append(("HEAD", fault))
    with pytest.raises(WeightsError, match=rf"in 5 tries \(HTTP {fault}\)") as caught:
        store.load("toy")
    assert caught.value.exit_code == ExitCode.WEIGHTS
    assert remote.count("HEAD") == 5
    assert blobs() == []


def test_busy_hub_is_waited_for_a_while(toy: ModelSpec, remote: FakeHub, monkeypatch: pytest.MonkeyPatch) -> None:
    pauses: list[float] = []
    monkeypatch.setattr("time.sleep", pauses.append)
    remote.forever.append(("GET", 429))
    with pytest.raises(WeightsError, match="again and again"):
        store.load("toy")
    assert remote.count("GET") == 6
    assert 5 <= sum(pauses) < 60
    assert blobs() == []


def test_download_that_stays_broken_is_tried_five_times(toy: ModelSpec, remote: FakeHub) -> None:
    remote.forever.append(("GET", 500))
    with pytest.raises(WeightsError, match="in 5 tries"):
        store.load("toy")
    assert remote.count("GET") == 5
    assert blobs() == []


def test_nobody_listening_ends_in_a_weights_error(toy: ModelSpec, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{closed.getsockname()[1]}"
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", url + "/{repo_id}/resolve/{revision}/{filename}")
    with pytest.raises(WeightsError, match="in 5 tries"):
        store.load("toy")


def test_names_that_do_not_resolve_end_in_a_weights_error(toy: ModelSpec, monkeypatch: pytest.MonkeyPatch) -> None:
    def unresolved(*_: object, **__: object) -> None:
        raise socket.gaierror(-3, "Temporary failure in name resolution")

    url = "http://hub.invalid/{repo_id}/resolve/{revision}/{filename}"
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", url)
    monkeypatch.setattr(socket, "getaddrinfo", unresolved)
    with pytest.raises(WeightsError, match=r"in 5 tries.*name resolution"):
        store.load("toy")


def test_body_cut_once_is_completed(toy: ModelSpec, remote: FakeHub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.sleep", lambda _: None)
    remote.faults.append(("GET", "cut"))
    store.load("toy")
    assert len(blobs()) == 1


@pytest.mark.parametrize("chunk", [64, 10_000_000])
def test_body_cut_for_ever_ends(toy: ModelSpec, remote: FakeHub, monkeypatch: pytest.MonkeyPatch, chunk: int) -> None:
    monkeypatch.setattr("time.sleep", lambda _: None)
    monkeypatch.setattr(constants, "DOWNLOAD_CHUNK_SIZE", chunk)  # only whole chunks count as progress
    remote.forever.append(("GET", "cut"))
    with pytest.raises(WeightsError, match="broke again and again"):
        store.load("toy")
    assert remote.count("GET") <= 12
    assert blobs() == []


@pytest.mark.parametrize(
    ("method", "what"), [("HEAD", "html"), ("HEAD", "redirect"), ("GET", "html"), ("GET", "page"), ("API", "html")]
)
def test_page_of_html_never_becomes_a_blob(toy: ModelSpec, remote: FakeHub, method: str, what: str) -> None:
    remote.forever.append((method, what))
    with pytest.raises(WeightsError):
        store.load("hf:someone/painter")
    assert blobs() == []


def test_other_size_than_registered_is_not_even_downloaded(toy: ModelSpec, remote: FakeHub) -> None:
    remote.put("toy.safetensors", DATA + b"more")
    with pytest.raises(WeightsError, match=rf"offers {len(DATA) + 4} bytes .* not {len(DATA)}"):
        store.load("toy")
    assert remote.count("GET") == 0
    assert blobs() == []


def altered(data: bytes) -> bytes:
    return data[:-1] + bytes([data[-1] ^ 1])


def test_altered_cache_is_moved_aside_and_fetched_once_more(toy: ModelSpec, remote: FakeHub) -> None:
    path = catalog.pull("toy")
    path.resolve().write_bytes(altered(DATA))
    lines: list[str] = []
    store.load("toy", tell=lines.append)
    assert remote.count("GET") == 2
    assert [blob.suffix for blob in blobs()] == ["", ".bad"]
    assert blobs()[0].read_bytes() == DATA
    assert ".bad" in lines[0]
    assert catalog.verify("toy")[0].ok


def test_altered_on_the_hub_itself_is_refused_after_one_more_fetch(
    toy: ModelSpec, remote: FakeHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    remote.put("toy.safetensors", altered(DATA))
    monkeypatch.setattr("safetensors.torch.load", lambda _: pytest.fail("altered weights were parsed"))
    with pytest.raises(WeightsError, match="has sha256"):
        store.load("toy")
    assert remote.count("GET") == 2


def test_altered_cache_is_found_offline_and_kept_as_bad(toy: ModelSpec, no_socket: None) -> None:
    folder = Path(constants.HF_HUB_CACHE) / "models--someone--painter"
    blob = folder / "blobs" / "0"
    blob.parent.mkdir(parents=True)
    blob.write_bytes(altered(DATA))
    link = folder / "snapshots" / COMMIT / "toy.safetensors"
    link.parent.mkdir(parents=True)
    link.symlink_to(blob)
    with pytest.raises(WeightsError, match="no network may be used"):
        store.load("toy", offline=True)
    assert [path.name for path in blobs()] == ["0.bad"]


def test_damaged_shipped_copy_is_replaced_from_the_hub(
    remote: FakeHub, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    spec = toy_net.register(monkeypatch, tmp_path / "weights", DATA, repo_id=remote.repo, revision=COMMIT)
    (store.shipped_folder() / spec.filename).write_bytes(altered(DATA))
    store.load("toy")
    assert remote.count("GET") == 1
    assert (store.shipped_folder() / spec.filename).read_bytes() == altered(DATA)


def test_branch_is_resolved_to_a_commit_that_is_told(toy: ModelSpec, remote: FakeHub) -> None:
    lines: list[str] = []
    _, spec = store.load("hf:someone/painter", tell=lines.append)
    assert (spec.repo_id, spec.revision) == (remote.repo, COMMIT)
    assert any(f"hf:someone/painter@{COMMIT}:toy.safetensors" in line for line in lines)
    assert remote.count("API") == 1


def test_branch_that_moved_gives_the_new_weights(toy: ModelSpec, remote: FakeHub) -> None:
    _, first = store.load("hf:someone/painter")
    remote.put("toy.safetensors", toy_net.weights(seed=9), LATER)
    remote.main = LATER
    _, second = store.load("hf:someone/painter")
    assert (first.revision, second.revision) == (COMMIT, LATER)
    assert first.sha256 != second.sha256
    with pytest.raises(WeightsError, match="may be any of"):
        store.load("hf:someone/painter", offline=True)
    _, third = store.load(f"hf:someone/painter@{COMMIT}", offline=True)
    assert third.sha256 == first.sha256


def test_branch_falls_back_to_the_cache_when_the_hub_is_down(toy: ModelSpec, remote: FakeHub) -> None:
    store.load("hf:someone/painter")
    remote.forever.append(("API", 503))
    lines: list[str] = []
    _, spec = store.load("hf:someone/painter", tell=lines.append)
    assert spec.revision == COMMIT
    assert "from the cache" in lines[-1]
    _, spec = store.load("hf:someone/painter", offline=True)
    assert spec.revision == COMMIT


def test_altered_user_file_in_the_cache_is_noticed_by_its_name(toy: ModelSpec, remote: FakeHub) -> None:
    ref = f"hf:someone/painter@{COMMIT}:toy.safetensors"
    store.load(ref)
    blobs()[0].write_bytes(altered(DATA))
    store.load(ref)
    assert remote.count("GET") == 2
    assert [blob.suffix for blob in blobs()] == ["", ".bad"]


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["a.safetensors", "b.safetensors"], "holds 2 weights: a.safetensors, b.safetensors"),
        (["pytorch_model.bin"], "pickle"),
        (["README.md"], "holds no .safetensors"),
    ],
)
def test_repository_without_one_weights_file_says_what_it_holds(
    toy: ModelSpec, remote: FakeHub, names: list[str], message: str
) -> None:
    remote.files.clear()
    for name in names:
        remote.put(name, DATA)
    with pytest.raises(WeightsError, match=message):
        store.load("hf:someone/painter")
    assert remote.count("GET") == 0


def test_file_named_model_is_the_default(toy: ModelSpec, remote: FakeHub) -> None:
    remote.put("model.safetensors", toy_net.weights(seed=3))
    path, _ = store.resolve("hf:someone/painter")
    assert path.name == "model.safetensors"


@pytest.mark.parametrize(
    ("ref", "message"),
    [
        ("hf:painter", "names no Hub file"),
        ("hf:a/b/c", "names no Hub file"),
        ("hf:someone/painter@", "names no Hub file"),
        ("hf:someone/painter:../../etc/x.safetensors", "names no Hub file"),
        ("hf:someone/painter:model.pth", "pickle"),
        ("hf:someone/absent", "has no hf:someone/absent for you"),
        (f"hf:someone/painter@{LATER}", "for you"),
        (f"hf:someone/painter@{COMMIT}:absent.safetensors", "for you"),
        ("hf:some one/pain ter", "for you"),
    ],
)
def test_references_that_lead_nowhere_are_not_tried_again(
    toy: ModelSpec, remote: FakeHub, ref: str, message: str
) -> None:
    with pytest.raises(WeightsError, match=message):
        store.load(ref)
    assert len(remote.requests) <= 1
    assert blobs() == []


def test_full_disk_is_said_and_not_tried_again(
    toy: ModelSpec, remote: FakeHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any, **__: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("huggingface_hub.hf_hub_download", full)
    with pytest.raises(WeightsError, match=r"the disk is full.*HF_HOME"):
        store.load("toy")
    assert remote.count("HEAD") == 1
