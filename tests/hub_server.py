"""A small Hugging Face Hub on 127.0.0.1, with faults on demand."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

COMMIT = "0123456789abcdef0123456789abcdef01234567"
LATER = "89abcdef0123456789abcdef0123456789abcdef"


@dataclass
class FakeHub:
    """Files by (commit, name); `faults` are answered, one for each request that they match, before the truth.

    A fault is (method, what): a status code, "cut" (half the body, then the connection ends), "html" (an error page
    with status 200), or "redirect" (to a login page on another host).
    """

    files: dict[tuple[str, str], bytes] = field(default_factory=dict)
    main: str = COMMIT
    repo: str = "someone/painter"
    faults: list[tuple[str, Any]] = field(default_factory=list)
    forever: list[tuple[str, Any]] = field(default_factory=list)
    requests: list[tuple[str, str]] = field(default_factory=list)
    card: dict[str, Any] = field(default_factory=dict)
    url: str = ""

    def put(self, name: str, data: bytes, commit: str = COMMIT) -> None:
        self.files[commit, name] = data

    def count(self, method: str) -> int:
        return sum(seen == method for seen, _ in self.requests)

    def fault(self, method: str) -> Any:
        for entry in self.faults:
            if entry[0] == method:
                self.faults.remove(entry)
                return entry[1]
        return next((what for wanted, what in self.forever if wanted == method), None)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    hub: FakeHub

    def log_message(self, format: str, *args: Any) -> None:
        pass

    def do_HEAD(self) -> None:
        self._answer("HEAD")

    def do_GET(self) -> None:
        self._answer("API" if self.path.startswith("/api/") else "GET")

    def _answer(self, method: str) -> None:
        path = self.path.partition("?")[0]
        self.hub.requests.append((method, path))
        what = self.hub.fault(method)
        if isinstance(what, int):
            self._send(what, b"no", {"Retry-After": "0"} if what == 429 else {})
        elif what == "html":
            self._send(200, b"<html><body>Please log in</body></html>", {"Content-Type": "text/html"})
        elif what == "redirect":
            self._send(302, b"", {"Location": "https://login.invalid/portal"})
        elif method == "API":
            self._api(path)
        else:
            self._file(path, cut=what == "cut", html=what == "page")

    def _api(self, path: str) -> None:
        prefix = f"/api/models/{self.hub.repo}/revision/"
        revision = path.removeprefix(prefix)
        commit = self.hub.main if revision in {"main", self.hub.main} else revision
        names = [name for known, name in self.hub.files if known == commit]
        if not path.startswith(prefix):
            self._send(404, b"{}", {"X-Error-Code": "RepoNotFound"})
        elif not names:
            self._send(404, b"{}", {"X-Error-Code": "RevisionNotFound"})
        else:
            said = {"id": self.hub.repo, "sha": commit, "siblings": [{"rfilename": name} for name in names]}
            said |= {"cardData": self.hub.card} if self.hub.card else {}
            self._send(200, json.dumps(said).encode(), {"Content-Type": "application/json"})

    def _file(self, path: str, *, cut: bool, html: bool) -> None:
        repo, _, rest = path.removeprefix("/").partition("/resolve/")
        revision, _, name = rest.partition("/")
        commit = self.hub.main if revision == "main" else revision
        if repo != self.hub.repo:
            self._send(404, b"", {"X-Error-Code": "RepoNotFound"})
            return
        data = self.hub.files.get((commit, name))
        if data is None:
            self._send(404, b"", {"X-Error-Code": "EntryNotFound", "X-Repo-Commit": commit})
            return
        headers = {"ETag": f'"{hashlib.sha256(data).hexdigest()}"', "X-Repo-Commit": commit}
        if html:
            data = b"<html>Please log in</html>".ljust(len(data))
        self._send(200, data, headers, sent=len(data) // 2 if cut else None)

    def _send(self, status: int, data: bytes, headers: dict[str, str], sent: int | None = None) -> None:
        self.send_response(status)
        for key, value in headers.items():
            self.send_header(key, value)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data[:sent])
        if sent is not None:
            self.close_connection = True


@contextmanager
def serving() -> Iterator[FakeHub]:
    """A hub that listens until the block ends."""
    hub = FakeHub()
    handler = type("Handler", (_Handler,), {"hub": hub})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    hub.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
