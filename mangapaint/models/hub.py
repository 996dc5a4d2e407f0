"""Weights from the Hugging Face Hub: pinned to a commit, in the cache of its own tools, asked with patience."""

from __future__ import annotations

import errno
import importlib
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from mangapaint.errors import WeightsError, printable
from mangapaint.models import weightfile

BACKOFF = (1.0, 2.0, 4.0, 8.0)
"""Seconds between the tries; one more try than pauses."""
_TIMEOUT = 10.0
"""Seconds without an answer."""
_DEFAULT_FILE = "model.safetensors"
_BUSY = frozenset({408, 429})
_BROKE = "the connection to the Hub broke again and again"
_LATER = "try again later, or give a path to the file"
_HEX = frozenset("0123456789abcdef")
_LOCAL = {errno.ENOSPC: "the disk is full", errno.EROFS: "it is read-only", errno.EACCES: "it is not writable"}

Tell = Callable[[str], None]
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class HubFile:
    """A file in a Hub repository; `revision` None means its main branch, `filename` None its only weights."""

    repo_id: str
    revision: str | None = None
    filename: str | None = None

    def __str__(self) -> str:
        revision = f"@{self.revision}" if self.revision else ""
        return f"hf:{self.repo_id}{revision}" + (f":{self.filename}" if self.filename else "")

    @property
    def pinned(self) -> bool:
        """Whether the revision is a full commit, so that the file can never change."""
        return self.revision is not None and len(self.revision) == 40 and _HEX.issuperset(self.revision)


def is_offline(offline: bool) -> bool:
    """Whether no socket may be opened: by setting, or by HF_HUB_OFFLINE (read anew at each call)."""
    word = os.environ.get("HF_HUB_OFFLINE") or os.environ.get("TRANSFORMERS_OFFLINE") or ""
    return offline or word.upper() in {"1", "ON", "YES", "TRUE"}


def parse(reference: str, *, pickles: bool = False) -> HubFile:
    """`hf:owner/repo[@rev][:file]` taken apart.

    Args:
        reference: the text.
        pickles: whether the file may be one; whoever wants it reads it under restrictions.

    Raises:
        WeightsError: it is not of that form, or names a pickle.
    """
    place, _, filename = reference.removeprefix("hf:").partition(":")
    repo_id, at, revision = place.partition("@")
    parts = repo_id.split("/")
    if len(parts) != 2 or not all(parts) or (at and not revision) or ".." in filename.split("/"):
        raise WeightsError(f"{printable(reference)} names no Hub file", remedy="write hf:owner/repo[@rev][:file]")
    if filename and not (pickles and Path(filename).suffix.lower() in weightfile.RESTRICTED):
        weightfile.refuse_pickle(filename)
    return HubFile(repo_id, revision or None, filename or None)


def fetch(wanted: HubFile, *, offline: bool, size: int = 0, tell: Tell) -> tuple[Path, HubFile]:
    """The file in the local cache, downloaded when it is not there yet, and where exactly it came from.

    Args:
        wanted: which file. A pinned file that is cached needs no network.
        offline: never open a socket.
        size: bytes that it must have; 0 takes any.
        tell: gets one line for each thing that the user should know.

    Raises:
        WeightsError: not cached and offline, not on the Hub, or the Hub did not answer in five tries.
    """
    if wanted.pinned and wanted.filename and (path := _cached(wanted)):
        return path, wanted
    if is_offline(offline):
        found = _any_cached(wanted)
        if found is None:
            raise WeightsError(
                f"{printable(str(wanted))} is not in the cache, and no network may be used",
                remedy=f"run 'mangapaint models pull {printable(str(wanted))}' while online",
            )
        return found
    try:
        exact = _resolved(wanted, tell)
    except HubDown as error:
        found = _any_cached(wanted)
        if found is None:
            raise
        tell(f"{error.message}; taking {found[1]} from the cache")
        return found
    return _cached(exact) or _download(exact, size, tell), exact


def is_cached(wanted: HubFile) -> bool:
    """Whether `fetch` would open no socket, as that very file is here already."""
    return wanted.pinned and wanted.filename is not None and _cached(wanted) is not None


def licence(exact: HubFile, *, offline: bool) -> str:
    """What the Hub says of a repository's licence, asked once; empty where it says nothing, or nobody answers."""
    if is_offline(offline):
        return ""
    from huggingface_hub import HfApi

    try:
        info = HfApi().model_info(exact.repo_id, revision=exact.revision, timeout=_TIMEOUT)
    except (_http_error(), OSError, ValueError):
        return ""
    said = getattr(info.card_data, "license", None)
    return said if isinstance(said, str) else ""


def discard(path: Path) -> Path:
    """Move a damaged file of the cache aside as `.bad`, so that the next fetch downloads it anew; its new place."""
    blob = path.resolve()
    bad = blob.with_name(blob.name + ".bad")
    blob.replace(bad)
    if path.is_symlink():
        path.unlink()
    return bad


class HubDown(WeightsError):  # noqa: N818
    """The Hub did not answer, or only with errors that pass."""


def _resolved(wanted: HubFile, tell: Tell) -> HubFile:
    """The same file with its commit and its name filled in."""
    if wanted.pinned and wanted.filename:
        return wanted
    from huggingface_hub import HfApi

    revision = wanted.revision or "main"
    info = _patiently(wanted, lambda: HfApi().model_info(wanted.repo_id, revision=revision, timeout=_TIMEOUT))
    commit = str(info.sha)
    names = [sibling.rfilename for sibling in info.siblings or ()]
    exact = HubFile(wanted.repo_id, commit, wanted.filename or _only_weights(wanted, names))
    if not exact.pinned:
        raise WeightsError(f"the Hub gave no commit for {printable(str(wanted))}", remedy="check HF_ENDPOINT")
    if not wanted.pinned:
        tell(f"{wanted} is {exact}; name that commit to get the same weights for ever")
    return exact


def _only_weights(wanted: HubFile, names: list[str]) -> str:
    weights = sorted(name for name in names if name.endswith(weightfile.SUFFIX))
    if _DEFAULT_FILE in weights:
        return _DEFAULT_FILE
    if len(weights) == 1:
        return weights[0]
    if weights:
        listed = ", ".join(printable(name) for name in weights[:8])
        raise WeightsError(f"{wanted.repo_id} holds {len(weights)} weights: {listed}", remedy=f"add :FILE to {wanted}")
    for name in names:
        if Path(name).suffix.lower() in weightfile.PICKLES:
            weightfile.refuse_pickle(name)
    raise WeightsError(f"{wanted.repo_id} holds no {weightfile.SUFFIX} file", remedy="choose another repository")


def _download(exact: HubFile, size: int, tell: Tell) -> Path:
    from huggingface_hub import get_hf_file_metadata, hf_hub_download, hf_hub_url

    name = exact.filename or _DEFAULT_FILE

    def once() -> Path:
        # The library would try its own HEAD request for 23 s; asked first, a silent Hub costs one request a try.
        remote = get_hf_file_metadata(hf_hub_url(exact.repo_id, name, revision=exact.revision), timeout=_TIMEOUT)
        if not remote.size or (size and remote.size != size):
            raise WeightsError(
                f"the Hub offers {remote.size} bytes for {exact}, not {size or 'a known number'}",
                remedy="check HF_ENDPOINT and proxies, or update mangapaint",
            )
        most = (len(BACKOFF) + 1) * remote.size
        try:
            path = hf_hub_download(exact.repo_id, name, revision=exact.revision, tqdm_class=_progress(most))
        except _tried_by_library() as error:
            if _status(error) in {None, *_BUSY}:
                raise HubDown(_BROKE, remedy=_LATER) from error
            raise
        return Path(path)

    tell(f"downloading {exact}")
    path = _patiently(exact, once)
    try:
        if path.suffix == weightfile.SUFFIX:
            weightfile.header(path)
    except WeightsError:
        path.resolve().unlink()
        path.unlink(missing_ok=True)
        raise
    return path


def _patiently(wanted: HubFile, ask: Callable[[], T]) -> T:
    """What `ask` returns, after at most five tries."""
    from huggingface_hub import errors

    http_error = _http_error()
    for pause in (*BACKOFF, None):
        try:
            return ask()
        except (ValueError, TypeError, errors.RepositoryNotFoundError, errors.RevisionNotFoundError) as error:
            raise _refused(wanted, error) from error
        except (errors.EntryNotFoundError, errors.FileMetadataError) as error:
            if not isinstance(error.__cause__, http_error) or _is_final(error.__cause__):
                raise _refused(wanted, error) from error
            last: Exception = error
        except (http_error, OSError) as error:
            if _is_final(error):
                raise _refused(wanted, error) from error
            last = error
        if pause is not None:
            time.sleep(pause)
    raise HubDown(
        f"the Hub did not deliver {printable(str(wanted))} in {len(BACKOFF) + 1} tries ({_brief(last)})",
        remedy=_LATER,
    ) from last


def _is_final(error: BaseException) -> bool:
    """Whether trying again cannot help: the request itself was refused, or the local disk."""
    status = _status(error)
    if status is not None:
        return not (status >= 500 or status in _BUSY)
    return isinstance(error, OSError) and error.errno in _LOCAL


def _status(error: BaseException) -> int | None:
    status = getattr(getattr(error, "response", None), "status_code", None)
    return status if isinstance(status, int) else None


def _http_error() -> type[Exception]:
    """Root of all errors of the library's transport, which is httpx or httpx2, by its version."""
    from huggingface_hub import errors

    return errors.HfHubHTTPError.__bases__[0]


def _tried_by_library() -> tuple[type[Exception], ...]:
    """Errors of a download that the library itself resumes five times, so that more tries would multiply."""
    from huggingface_hub import errors

    transport = importlib.import_module(_http_error().__module__.partition(".")[0])
    return transport.ConnectError, transport.TimeoutException, transport.RemoteProtocolError, errors.HfHubHTTPError


def _refused(wanted: HubFile, error: Exception) -> WeightsError:
    if isinstance(error, OSError) and error.errno in _LOCAL:
        return WeightsError(f"the cache of the Hub: {_LOCAL[error.errno]}", remedy="free space, or set HF_HOME")
    return WeightsError(
        f"the Hub has no {printable(str(wanted))} for you ({_brief(error)})",
        remedy="check the name; for a private repository log in with 'hf auth login'",
    )


def _brief(error: Exception) -> str:
    cause = error.__cause__ if isinstance(error.__cause__, Exception) else error
    status = _status(cause)
    lines = str(cause).strip().splitlines()
    return f"HTTP {status}" if status is not None else printable(lines[0] if lines else type(cause).__name__)


def _cached(exact: HubFile) -> Path | None:
    from huggingface_hub import try_to_load_from_cache

    found = try_to_load_from_cache(exact.repo_id, exact.filename or _DEFAULT_FILE, revision=exact.revision)
    return Path(found) if isinstance(found, str) else None


def _any_cached(wanted: HubFile) -> tuple[Path, HubFile] | None:
    """The one cached file that the reference can mean, without asking the Hub what its branches point at."""
    from huggingface_hub import constants

    folder = Path(constants.HF_HUB_CACHE) / f"models--{wanted.repo_id.replace('/', '--')}" / "snapshots"
    branch = folder.parent / "refs" / (wanted.revision or "main")
    commit = wanted.revision if wanted.pinned else branch.read_text().strip() if branch.is_file() else None
    if commit is None and wanted.revision is not None:
        return None
    places = [folder / commit] if commit else sorted(folder.glob("*"))
    found = [(place.name, path) for place in places for path in _weights_in(place, wanted.filename)]
    default = [entry for entry in found if entry[1].name == _DEFAULT_FILE]
    found = default if len(default) == 1 else found
    if len(found) > 1:
        listed = ", ".join(str(HubFile(wanted.repo_id, rev, path.name)) for rev, path in found[:4])
        raise WeightsError(f"{printable(str(wanted))} may be any of {printable(listed)}", remedy="name one of them")
    if not found:
        return None
    rev, path = found[0]
    return path, HubFile(wanted.repo_id, rev, path.relative_to(folder / rev).as_posix())


def _weights_in(place: Path, filename: str | None) -> list[Path]:
    paths = [place / filename] if filename else sorted(place.rglob(f"*{weightfile.SUFFIX}"))
    return [path for path in paths if path.is_file()]


def _progress(most: int) -> type[Any]:
    """A progress bar that ends a download of more than `most` bytes: the library itself resumes without end."""
    from huggingface_hub.utils.tqdm import tqdm

    class Bounded(tqdm):
        received = 0

        def update(self, n: float | None = 1) -> bool | None:
            self.received += max(0, int(n or 0))
            if self.received > most:
                raise HubDown(_BROKE, remedy=_LATER)
            return super().update(n)  # type: ignore[no-any-return]

    return Bounded
