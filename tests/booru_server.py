"""A small booru with Danbooru's posts API on 127.0.0.1, with faults on demand."""

from __future__ import annotations

import hashlib
import json
import threading
import urllib.parse
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

LIST, FILE, COUNT = "list", "file", "count"


@dataclass
class FakeBooru:
    """Posts and files; `faults` are answered, one for each request of that kind or path, before the truth.

    A fault is (kind or path, what): a status code, (status, headers), "cut" (half the body, then the connection ends),
    "half" (the same, with a call of `on_half` before the end), "lie" (other bytes of the same length), "html" (a page
    with status 200), "words" (text that is no JSON), "object" (JSON of another form), "loop" (a redirect to itself),
    "file" (a redirect to a file address).
    """

    posts: list[dict[str, Any]] = field(default_factory=list)
    files: dict[str, bytes] = field(default_factory=dict)
    faults: list[tuple[str, Any]] = field(default_factory=list)
    forever: list[tuple[str, Any]] = field(default_factory=list)
    requests: list[tuple[str, str]] = field(default_factory=list)
    stamps: list[float] = field(default_factory=list)
    agents: set[str] = field(default_factory=set)
    logins: list[tuple[str, str | None]] = field(default_factory=list)
    now: Callable[[], float] = lambda: 0.0
    on_request: Callable[[str, str], None] = lambda kind, path: None
    on_half: Callable[[str], None] = lambda path: None
    largest_page: int = 200
    stubborn: bool = False
    """Give the newest posts whatever page is asked for."""
    junk: list[Any] = field(default_factory=list)
    """Rows before the posts of each page."""
    counts: bool = True
    url: str = ""

    def add(self, number: int, tags: str, data: bytes | None = None, extension: str = "png", **fields: Any) -> str:
        """A post with its file, found by each of the tags; the path of the file."""
        data = f"picture {number}".encode() * 50 if data is None else data
        md5 = hashlib.md5(data).hexdigest()
        path = f"/original/{md5[:2]}/{md5}.{extension}"
        self.files[path] = data
        post = {
            "id": number,
            "md5": md5,
            "file_url": path,
            "file_ext": extension,
            "file_size": len(data),
            "rating": "g",
            "source": f"https://example.org/{number}",
            "tag_string_general": tags,
            "tag_string_artist": f"artist_{number % 3}",
            "tag_string_copyright": "original",
            "tag_string_character": "",
        }
        self.posts.append(post | fields)
        return path

    def count(self, kind: str) -> int:
        return sum(seen == kind for seen, _ in self.requests)

    def fetched(self) -> list[str]:
        """Paths of the files that were asked for, in order."""
        return [path for kind, path in self.requests if kind == FILE]

    def fault(self, *names: str) -> Any:
        for entry in self.faults:
            if entry[0] in names:
                self.faults.remove(entry)
                return entry[1]
        return next((what for wanted, what in self.forever if wanted in names), None)

    def found(self, query: dict[str, str]) -> list[dict[str, Any]]:
        """Posts with all the tags, newest first."""
        words = query.get("tags", "").split()
        tags = [word for word in words if ":" not in word]
        found = [post for post in self.posts if set(tags) <= set(post["tag_string_general"].split())]
        return sorted(found, key=lambda post: -post["id"])


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    booru: FakeBooru

    def log_message(self, format: str, *args: Any) -> None:
        pass

    def do_GET(self) -> None:
        path, _, text = self.path.partition("?")
        query = dict(urllib.parse.parse_qsl(text))
        kind = {"/posts.json": LIST, "/counts/posts.json": COUNT}.get(path, FILE)
        booru = self.booru
        booru.requests.append((kind, self.path if kind == LIST else path))
        booru.stamps.append(booru.now())
        booru.agents.add(self.headers.get("User-Agent", ""))
        booru.logins.append((kind, self.headers.get("Authorization")))
        booru.on_request(kind, path)
        what = booru.fault(kind, path)
        if isinstance(what, int):
            self._send(what, b"no")
        elif isinstance(what, tuple):
            self._send(what[0], b"no", what[1])
        elif what == "html":
            self._send(200, b"<html><body>Please log in</body></html>", {"Content-Type": "text/html; charset=utf-8"})
        elif what == "words":
            self._send(200, b"try again", {"Content-Type": "text/plain"})
        elif what == "object":
            self._send(200, b'{"success": false, "message": "too many tags"}', {"Content-Type": "application/json"})
        elif what == "loop":
            self._send(302, b"", {"Location": self.path})
        elif what == "file":
            self._send(302, b"", {"Location": "file:///etc/hostname"})
        elif kind == LIST:
            self._list(query)
        elif kind == COUNT and booru.counts:
            self._json({"counts": {"posts": len(booru.found(query))}})
        elif path in booru.files:
            data = booru.files[path]
            sent = len(data) // 2 if what in {"cut", "half"} else None
            self._send(200, data[::-1] if what == "lie" else data, {"Content-Type": "image/png"}, sent)
            if what == "half":
                booru.on_half(path)
        else:
            self._send(404, b"no")

    def _list(self, query: dict[str, str]) -> None:
        found = self.booru.found(query)
        page = query.get("page", "")
        if page.startswith("b") and not self.booru.stubborn:
            found = [post for post in found if post["id"] < int(page[1:])]
        found = found[: min(int(query.get("limit", "20")), self.booru.largest_page)]
        self._json([*self.booru.junk, *found] if found else [])

    def _json(self, value: Any) -> None:
        self._send(200, json.dumps(value).encode(), {"Content-Type": "application/json"})

    def _send(self, status: int, data: bytes, headers: dict[str, str] | None = None, sent: int | None = None) -> None:
        try:
            self.send_response(status)
            for key, value in (headers or {}).items():
                self.send_header(key, value)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data[:sent])
            self.wfile.flush()
        except ConnectionError:  # the client was killed
            self.close_connection = True
        if sent is not None:
            self.close_connection = True


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients are killed here on purpose."""


@contextmanager
def serving() -> Iterator[FakeBooru]:
    """A booru that listens until the block ends."""
    booru = FakeBooru()
    server = _Server(("127.0.0.1", 0), type("Handler", (_Handler,), {"booru": booru}))
    booru.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield booru
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
