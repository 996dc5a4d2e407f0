"""Danbooru's posts API, as far as a scrape needs it; many other servers speak it too.

    GET /posts.json?tags=TAGS&limit=N&page=bID   posts with ids below ID, newest first
    GET /counts/posts.json?tags=TAGS             {"counts": {"posts": N}}

Whatever the server says is checked before it is believed: a post can neither name a path nor another scheme.
"""

from __future__ import annotations

import re
import urllib.parse
from collections.abc import Callable, Mapping
from pathlib import PurePosixPath
from typing import Any

from mangapaint.errors import InputError, UsageError, printable
from train.scrape import ledger
from train.scrape.http import Http, PassingError, RefusedError, checked
from train.scrape.ledger import Post

DANBOORU = "https://danbooru.donmai.us"
FANTASY = ("holding_staff", "magic", "magic_circle", "holding_sword", "armor", "elf", "witch", "dragon", "castle")
"""Tags that are asked for by default."""
RATINGS = ("general", "sensitive", "questionable", "explicit", "any")
PICTURES = ("jpg", "jpeg", "png", "webp")
LIST_TRIES = 8
_MD5 = re.compile(r"[0-9a-f]{32}")
_WORK_TAGS_OF_NO_TITLE = {"original"}
_LARGEST_INT = 2**63 - 1


def base_url(server: str) -> str:
    """The server's address without a slash at its end.

    Raises:
        UsageError: not an http(s) address, or one with a password, query or fragment in it.
    """
    try:
        parts = urllib.parse.urlsplit(checked(server))
    except RefusedError as error:
        raise UsageError(f"--server: {error}") from error
    if "@" in parts.netloc or parts.query or parts.fragment:
        raise UsageError("--server takes a plain address; a login goes into the environment")
    return parts._replace(netloc=parts.netloc.lower()).geturl().rstrip("/")


def search(tag: str, rating: str) -> str:
    """What the server is asked for one tag."""
    return tag if rating == "any" else f"{tag} rating:{rating}"


class Danbooru:
    """A client of one server.

    Args:
        server: base URL, as `base_url` returns it.
        http: the transport.
        tell: gets a line for each answer that was not as it should be.
    """

    def __init__(self, server: str, http: Http, tell: Callable[[str], None]) -> None:
        self.server = server
        self.http = http
        self._tell = tell

    def listed(self, tags: str, limit: int, before: int | None) -> list[Mapping[str, Any]]:
        """At most `limit` posts with ids below `before` as the server describes them, newest first; [] at the end.

        Raises:
            InputError: the server refuses, stays silent, or does not page by id.
        """
        query = {"tags": tags, "limit": str(limit)} | ({"page": f"b{before}"} if before is not None else {})
        said = self._asked("posts.json", query, list)
        posts = [entry for entry in said if isinstance(entry, dict) and _number(entry.get("id"))]
        below = [entry for entry in posts if before is None or entry["id"] < before]
        if said and not below:
            what = f"asked for posts before {before}, it sent others" if posts else "it sent no ids"
            raise InputError(f"{self.server} does not page by id: {what}", remedy="take a server with Danbooru's API")
        return sorted(below, key=lambda entry: -int(entry["id"]))

    def count(self, tags: str) -> int | None:
        """How many posts there are; None where the server does not count."""
        try:
            said = self._asked("counts/posts.json", {"tags": tags}, dict)
        except InputError:
            return None
        counts = said.get("counts")
        posts = counts.get("posts") if isinstance(counts, dict) else None
        return posts if isinstance(posts, int) else None

    def _asked(self, path: str, query: Mapping[str, str], kind: type) -> Any:
        url = f"{self.server}/{path}?{urllib.parse.urlencode(query)}"

        def once() -> Any:
            said = self.http.json(url)
            if not isinstance(said, kind):
                word = printable(str(said.get("message", ""))[:200]) if isinstance(said, dict) else ""
                raise PassingError(word or "an answer of another form")
            return said

        try:
            return self.http.patiently(
                once, LIST_TRIES, lambda error: self._tell(f"{self.server}/{path}: {printable(str(error))}")
            )
        except PassingError as error:
            raise InputError(
                f"{self.server} did not answer in {LIST_TRIES} tries: {printable(str(error))}",
                remedy="give the same command again later; it goes on from here",
            ) from error
        except RefusedError as error:
            key = error.status in {401, 403}
            raise InputError(
                f"{self.server} refuses {query['tags']!r}: {printable(str(error))}",
                remedy="check BOORU_LOGIN and BOORU_API_KEY" if key else "check --server and --tags",
            ) from error


def post_of(said: Mapping[str, Any], server: str, tag: str, rating: str, most: int) -> Post:
    """A post for the ledger from what the server says of it, in the state that it starts in.

    Args:
        said: with a valid id.
        server: base URL, for relative addresses.
        tag: that found it.
        rating: one of RATINGS that was asked for.
        most: bytes of a file at most.
    """
    address, md5 = _text(said.get("file_url")), _text(said.get("md5")).lower()
    state, error, url = ledger.LISTED, "", ""
    suffix = PurePosixPath(urllib.parse.urlsplit(address).path).suffix if "[" not in address else ""
    extension = (_text(said.get("file_ext")) or suffix).lower().lstrip(".")
    size, seen = _number(said.get("file_size")), _text(said.get("rating")).lower()
    if not address or not _MD5.fullmatch(md5):
        state, error, md5 = ledger.GONE, "the server hides the file", ""
    elif extension not in PICTURES:
        state, error, extension = ledger.SKIPPED, f"{extension or 'unknown'} is no still picture", ""
    elif rating != "any" and seen[:1] != rating[0]:
        state, error = ledger.SKIPPED, f"rated {seen or 'not at all'}, not {rating}"
    elif size > most:
        state, error = ledger.SKIPPED, f"{size} bytes"
    if address:
        try:
            url = checked(urllib.parse.urljoin(server + "/", address))
        except (RefusedError, ValueError):
            state, error = ledger.SKIPPED, "its address is no http address"
    works = _text(said.get("tag_string_copyright")).split()
    return Post(
        id=int(said["id"]),
        md5=md5,
        url=url,
        extension=extension,
        size=size,
        width=_number(said.get("image_width")),
        height=_number(said.get("image_height")),
        query=tag,
        artist=_text(said.get("tag_string_artist")),
        title=next((work for work in works if work not in _WORK_TAGS_OF_NO_TITLE), ""),
        copyright=" ".join(works),
        character=_text(said.get("tag_string_character")),
        tags=_text(said.get("tag_string_general")),
        rating=seen,
        source=_text(said.get("source")),
        licence=_text(said.get("license")) or _text(said.get("licence")) or "unknown",
        state=state,
        error=printable(error),
    )


def _text(value: object) -> str:
    """One line of well-formed text; "" for anything else."""
    return " ".join(value.encode("utf-8", "replace").decode().split()) if isinstance(value, str) else ""


def _number(value: object) -> int:
    """A positive whole number that SQLite can hold; 0 for anything else."""
    return value if type(value) is int and 0 < value <= _LARGEST_INT else 0
