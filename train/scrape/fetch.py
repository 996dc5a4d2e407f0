"""The scrape itself: list a page of each tag, fetch what it names, note each step in the ledger, go on.

A run may end at any moment. What is on the disk and in the ledger is then whole, and the next run with the same folder
goes on: a file that arrived before its row was written is found by its md5 and not asked for again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from mangapaint import atomic
from mangapaint.errors import InputError, UsageError, printable
from mangapaint.lock import locked
from train.scrape import danbooru, ledger
from train.scrape.danbooru import Danbooru
from train.scrape.http import Clock, Http, PassingError, RefusedError
from train.scrape.ledger import Ledger, Post, Query

TRIES = 5
"""Requests for one file before it counts as failed."""
GIVE_UP = 3 * TRIES
"""Requests for one file, over all runs, after which even a silent server does not excuse it."""
IN_A_ROW = 5
"""Files that fail one after the other before the run ends: then it is the server or the line, not the files."""
_GONE = {404, 410, 451}


@dataclass(frozen=True, slots=True)
class Settings:
    """What is scraped where."""

    folder: Path
    server: str = danbooru.DANBOORU
    tags: tuple[str, ...] = danbooru.FANTASY
    """Each is a search of its own."""
    rating: str = "general"
    """One of danbooru.RATINGS."""
    limit: int = 10_000
    """Pictures in the folder, those of earlier runs among them, after which the scrape is done."""
    pace: float = 1.0
    """Seconds from one request to the next."""
    most_bytes: int = 64 << 20
    """Of one file."""
    page: int = 100
    """Posts in one answer."""
    retry_failed: bool = False
    """Take up what earlier runs gave up."""

    def __post_init__(self) -> None:
        if self.rating not in danbooru.RATINGS:
            raise UsageError(f"--rating {printable(self.rating)}: choose one of {', '.join(danbooru.RATINGS)}")
        if not self.tags:
            raise UsageError("--tags names no tag")
        for name, value, least in (("limit", self.limit, 1), ("max-mb", self.most_bytes, 1), ("pace", self.pace, 0)):
            if value < least:
                raise UsageError(f"--{name} must be at least {least}")
        object.__setattr__(self, "server", danbooru.base_url(self.server))


class Watch(Protocol):
    """Is told how the scrape goes."""

    def going(self, fetched: int, total: int, size: int) -> None:
        """`fetched` of `total` pictures are here; `size` bytes came since the last call."""

    def say(self, text: str) -> None:
        """A line that the user should see."""


def scrape(settings: Settings, watch: Watch, *, http: Http | None = None, clock: Clock | None = None) -> dict[str, int]:
    """Fetch until the folder holds `limit` pictures or the tags have no more; posts by state.

    Raises:
        UsageError: the folder belongs to another server.
        InputError: the server refuses, stays silent, or five files in a row could not be fetched; nothing is lost.
        OutputError: the folder cannot be written, or the disk is full; nothing is lost.
        LockedError: another scrape works on the folder.
    """
    http = http or Http(settings.pace, clock=clock)
    with (
        locked(settings.folder / ledger.FILENAME),
        Ledger(settings.folder, settings.server, clock=http.clock.date) as book,
    ):
        for shard in sorted((settings.folder / ledger.PICTURES).glob("??")):
            atomic.sweep(shard)
        if settings.retry_failed:
            book.retry_failed()
        return _Scrape(settings, watch, http, book).run()


class _Scrape:
    """One run over an open ledger."""

    def __init__(self, settings: Settings, watch: Watch, http: Http, book: Ledger) -> None:
        self.settings = settings
        self.watch = watch
        self.http = http
        self.book = book
        self.server = Danbooru(settings.server, http, watch.say)
        self.have = book.counts()[ledger.FETCHED]
        self.row: list[tuple[Post, bool]] = []  # posts that failed since the last success; whether for alien reasons
        self.open = dict.fromkeys(settings.tags)  # tags that the server may have more of

    def run(self) -> dict[str, int]:
        self.watch.going(self.have, self._total(), 0)
        while self.have < self.settings.limit:
            post = self.book.next_listed(self.settings.tags, self.settings.rating)
            if post is not None:
                self._fetch(post)
            elif self.open:
                for tag in list(self.open):
                    self._list(tag)
            else:
                break
        return self.book.counts()

    def _total(self) -> int:
        """Pictures that there will be, as far as that is known: the limit, until the tags are listed to their end."""
        if self.open:
            return self.settings.limit
        return min(self.settings.limit, self.have + self.book.counts()[ledger.LISTED])

    def _list(self, tag: str) -> None:
        """Note one more page of a tag; at its end, or where an earlier run has been, the tag is closed."""
        query = self.book.query(danbooru.search(tag, self.settings.rating))
        page = self.server.listed(query.text, self.settings.page, query.before)
        new = [entry for entry in page if entry["id"] > query.newest]
        posts = [
            danbooru.post_of(entry, self.settings.server, tag, self.settings.rating, self.settings.most_bytes)
            for entry in new
        ]
        top = max([query.top, *(post.id for post in posts)])
        if len(new) == len(page) and page:
            self.book.add(posts, replace(query, before=posts[-1].id, top=top))
            return
        self.book.add(posts, Query(query.text, None, 0, max(top, query.newest)))
        del self.open[tag]
        if not max(top, query.newest):
            self.watch.say(f"warning: {self.settings.server} has no posts for {query.text}")

    def _fetch(self, post: Post) -> None:
        """Fetch the file of one post, unless it is here, and note what became of it."""
        target = self.settings.folder / post.path
        if target.is_file() and _md5(target) == post.md5:
            self._done(post, target.stat().st_size, 0)
            return
        tries = 0
        alien = False

        def failed(error: PassingError) -> None:
            nonlocal tries, alien
            tries += 1
            alien = error.alien
            self.watch.say(f"post {post.id}, try {tries}: {printable(str(error))}")

        try:
            size = self.http.patiently(lambda: self._download(post, target), TRIES, failed)
        except PassingError as error:
            self._failed(post, str(error), tries, alien)
        except RefusedError as error:
            if error.status in _GONE:
                self.book.set(post, ledger.GONE, error=printable(str(error)), tries=tries + 1)
            else:
                self._failed(post, str(error), tries + 1, error.status in {401, 403})
        else:
            self._done(post, size, tries, came=size)

    def _download(self, post: Post, target: Path) -> int:
        """Bytes of the file, which is at `target` afterwards and has the md5 that was promised."""
        digest = hashlib.md5(usedforsecurity=False)
        size = 0
        with self.http.get(post.url) as answer:
            if answer.kind.startswith("text/") or answer.kind in {"application/json", "application/xhtml+xml"}:
                raise PassingError(f"{answer.kind} instead of a picture")
            with atomic.writing(target) as part, part.open("wb") as sink:
                for data in answer.chunks(self.settings.most_bytes):
                    digest.update(data)
                    sink.write(data)
                    size += len(data)
                if digest.hexdigest() != post.md5:
                    raise PassingError(f"wrong md5 ({size} bytes)", alien=False)
        return size

    def _done(self, post: Post, size: int, tries: int, came: int = 0) -> None:
        self.book.set(post, ledger.FETCHED, size=size, tries=tries)
        self.have += 1
        self.row.clear()
        self.watch.going(self.have, self._total(), came)

    def _failed(self, post: Post, why: str, tries: int, alien: bool) -> None:
        why = printable(why)
        self.book.set(post, ledger.FAILED, error=why, tries=tries)
        self.watch.say(f"warning: post {post.id} is given up: {why}")
        self.row.append((post, alien and post.tries + tries < GIVE_UP))
        if len(self.row) >= IN_A_ROW:
            for each, excused in self.row:
                if excused:
                    self.book.set(each, ledger.LISTED, error=why)
            raise InputError(
                f"{IN_A_ROW} pictures in a row could not be fetched, the last one for: {why}",
                remedy="give the same command again later; it goes on from here",
            )


def _md5(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()


def planned(settings: Settings, tell: Callable[[str], None], *, http: Http | None = None) -> dict[str, int | None]:
    """A dry run: how many posts the server counts for each tag, None where it does not say; nothing is written."""
    server = Danbooru(settings.server, http or Http(settings.pace), tell)
    return {tag: server.count(danbooru.search(tag, settings.rating)) for tag in settings.tags}


def known(settings: Settings) -> dict[str, int]:
    """Posts by state of the folder as it is; nothing is written, all are 0 where there is no ledger."""
    if not (settings.folder / ledger.FILENAME).is_file():
        return dict.fromkeys(ledger.STATES, 0)
    with Ledger(settings.folder, settings.server) as book:
        return book.counts()
