"""The ledger of a scrape: one SQLite file that knows every post, what became of it, and where the listing stands.

A scraped folder holds `ledger.sqlite` (journal mode WAL) and `pictures/ab/MD5.EXT`, where `ab` are the first two
digits of the md5. Table `posts`, one row for each post:

    id           INTEGER  primary key; the server's number of the post
    md5          TEXT     32 lower-case hex digits of the file; "" where the server hides it
    url          TEXT     absolute http(s) address of the file; "" where the server hides it
    extension    TEXT     lower case without dot: jpg, jpeg, png or webp in every row that is fetched
    size         INTEGER  bytes as the server says; of the file itself once it is fetched; 0 unknown
    width        INTEGER  px as the server says; 0 unknown
    height       INTEGER  px as the server says; 0 unknown
    query        TEXT     the tag that it was fetched for; serves as the set
    artist       TEXT     artist tags, separated by spaces; "" unknown
    title        TEXT     the first copyright tag; "" unknown or an original work
    copyright    TEXT     all copyright (title) tags, separated by spaces
    character    TEXT     character tags, separated by spaces
    tags         TEXT     general tags, separated by spaces
    rating       TEXT     as the server says: g, s, q or e
    source       TEXT     where the uploader found it, an address or words; "" unknown
    licence      TEXT     what the server says of it; "unknown" where it says nothing, which is the rule
    state        TEXT     listed   known, not yet here
                          fetched  the file is here, and its md5 was checked
                          failed   given up after several tries; `error` says why
                          gone     the server has none (any more), or hides it
                          skipped  never asked for: not a still picture, too large, another rating
    tries        INTEGER  requests for the file that failed
    error        TEXT     the last failure, one line; "" none
    changed      REAL     when the row was last written, seconds since 1970

Posts with the same md5 share one file. `fetched` reads the finished ones; other programs may read while a scrape runs.
Two small tables belong to the scrape alone: `queries` (how far each tag is listed) and `facts` (server, version).
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import astuple, dataclass, fields
from pathlib import Path

from mangapaint.errors import InputError, OutputError, UsageError

FILENAME = "ledger.sqlite"
PICTURES = "pictures"
VERSION = "1"
LISTED, FETCHED, FAILED, GONE, SKIPPED = STATES = ("listed", "fetched", "failed", "gone", "skipped")
_FULL = (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN)


@dataclass(frozen=True, slots=True)
class Post:
    """A row of `posts`; the fields are its columns, in their order (see the module)."""

    id: int
    md5: str = ""
    url: str = ""
    extension: str = ""
    size: int = 0
    width: int = 0
    height: int = 0
    query: str = ""
    artist: str = ""
    title: str = ""
    copyright: str = ""
    character: str = ""
    tags: str = ""
    rating: str = ""
    source: str = ""
    licence: str = "unknown"
    state: str = LISTED
    tries: int = 0
    error: str = ""
    changed: float = 0.0

    @property
    def path(self) -> Path:
        """Where its file lies, relative to the scraped folder."""
        return Path(PICTURES, self.md5[:2], f"{self.md5}.{self.extension}")


@dataclass(frozen=True, slots=True)
class Query:
    """How far one tag is listed; ids fall from page to page.

    Attributes:
        text: tag and rating as the server is asked.
        before: the pass under way goes on with ids below this; None where it starts at the top.
        top: highest id that the pass under way has seen, 0 none.
        newest: every id up to this one is listed; the next pass ends there.
    """

    text: str
    before: int | None = None
    top: int = 0
    newest: int = 0


_COLUMNS = ", ".join(field.name for field in fields(Post))
_MARKS = ", ".join("?" for _ in fields(Post))
_TYPES = {"int": "INTEGER", "str": "TEXT", "float": "REAL"}
_SCHEMA = f"""
CREATE TABLE IF NOT EXISTS posts ({
    ", ".join(f"{f.name} {_TYPES[str(f.type)]} NOT NULL" + " PRIMARY KEY" * (f.name == "id") for f in fields(Post))
});
CREATE INDEX IF NOT EXISTS posts_state ON posts (state, query, id);
CREATE INDEX IF NOT EXISTS posts_md5 ON posts (md5);
CREATE TABLE IF NOT EXISTS queries (text TEXT PRIMARY KEY, before INTEGER, top INTEGER, newest INTEGER);
CREATE TABLE IF NOT EXISTS facts (name TEXT PRIMARY KEY, value TEXT NOT NULL);
"""


def fetched(folder: Path) -> list[Post]:
    """The posts of a scraped folder whose files are here, by id.

    Raises:
        InputError: the folder holds no ledger, or a broken one.
    """
    path = folder / FILENAME
    if not path.is_file():
        raise InputError(f"{folder} holds no {FILENAME}", remedy="run 'python -m train scrape' into it first")
    with _clear(folder), closing(sqlite3.connect(path, timeout=30)) as db:
        rows = db.execute(f"SELECT {_COLUMNS} FROM posts WHERE state = ? ORDER BY id", (FETCHED,))
        return [Post(*row) for row in rows]


class Ledger:
    """The ledger of one folder, open for writing; each change is on the disk when its method returns.

    Args:
        folder: the scraped folder; made when absent.
        server: the server's base URL; a folder belongs to one server, as ids do.
        clock: seconds since 1970.

    Raises:
        UsageError: the folder was scraped from another server.
        InputError: the file is no ledger, or of another version.
        OutputError: the folder cannot be written, or the disk is full.
    """

    def __init__(self, folder: Path, server: str, *, clock: Callable[[], float] = time.time) -> None:
        self.folder = folder
        self._clock = clock
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OutputError(f"cannot make {folder}: {error.strerror}") from error
        with _clear(folder):
            self._db = sqlite3.connect(folder / FILENAME, timeout=30, isolation_level=None)
        try:
            with _clear(folder):
                self._db.execute("PRAGMA journal_mode = WAL")
                self._db.executescript(_SCHEMA)
                for name, value in (("version", VERSION), ("server", server)):
                    self._db.execute("INSERT OR IGNORE INTO facts VALUES (?, ?)", (name, value))
                facts = dict(self._db.execute("SELECT name, value FROM facts"))
            if facts["version"] != VERSION:
                raise InputError(f"{folder / FILENAME} is of version {facts['version']}", remedy="take a new folder")
            if facts["server"] != server:
                raise UsageError(f"{folder} was scraped from {facts['server']}", remedy="give each server its folder")
        except BaseException:
            self._db.close()
            raise

    def close(self) -> None:
        self._db.close()

    def __enter__(self) -> Ledger:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def query(self, text: str) -> Query:
        """How far this query is listed."""
        with _clear(self.folder):
            row = self._db.execute("SELECT text, before, top, newest FROM queries WHERE text = ?", (text,)).fetchone()
        return Query(*row) if row else Query(text)

    def add(self, posts: Iterable[Post], query: Query) -> None:
        """Note a listed page and how far its query has come, both or none.

        A post that is known keeps its row; where its file is still wanted, it is wanted by this query from now on.
        """
        now = self._clock()
        with _clear(self.folder), self._transaction():
            self._db.executemany(
                f"""INSERT INTO posts ({_COLUMNS}) VALUES ({_MARKS})
                    ON CONFLICT (id) DO UPDATE SET query = excluded.query WHERE state = '{LISTED}'""",
                [(*astuple(post)[:-1], now) for post in posts],
            )
            self._db.execute(
                "INSERT OR REPLACE INTO queries (text, before, top, newest) VALUES (?, ?, ?, ?)", astuple(query)
            )

    def next_listed(self, tags: Sequence[str], rating: str) -> Post | None:
        """The newest wanted post of the tag that has the fewest files so far; ties go by name.

        Args:
            tags: `query` of the posts to choose from.
            rating: of the posts to choose from (its first letter counts), or any.
        """
        marks = ", ".join("?" for _ in tags)
        letter = "%" if rating == "any" else f"{rating[0]}%"
        with _clear(self.folder):
            row = self._db.execute(
                f"""SELECT {_COLUMNS} FROM posts JOIN (
                    SELECT query AS name, SUM(state = '{FETCHED}') AS here,
                        MAX(CASE WHEN state = '{LISTED}' AND rating LIKE ? THEN id END) AS newest
                    FROM posts WHERE query IN ({marks})
                    GROUP BY query HAVING newest NOT NULL ORDER BY here, name LIMIT 1
                ) ON id = newest""",
                (letter, *tags),
            ).fetchone()
        return Post(*row) if row else None

    def set(self, post: Post, state: str, *, error: str = "", size: int | None = None, tries: int = 0) -> None:
        """Note what became of a post; `tries` are added to those before."""
        with _clear(self.folder):
            self._db.execute(
                "UPDATE posts SET state = ?, error = ?, size = ?, tries = tries + ?, changed = ? WHERE id = ?",
                (state, error, post.size if size is None else size, tries, self._clock(), post.id),
            )

    def retry_failed(self) -> int:
        """Take the failed posts up again; how many."""
        with _clear(self.folder):
            return self._db.execute(f"UPDATE posts SET state = '{LISTED}' WHERE state = '{FAILED}'").rowcount

    def counts(self) -> dict[str, int]:
        """Posts in each state; all states are there."""
        with _clear(self.folder):
            found = dict(self._db.execute("SELECT state, COUNT(*) FROM posts GROUP BY state"))
        return {state: int(found.get(state, 0)) for state in STATES}

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            raise
        self._db.execute("COMMIT")


@contextmanager
def _clear(folder: Path) -> Iterator[None]:
    """Errors of SQLite as ours."""
    try:
        yield
    except sqlite3.Error as error:
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF  # the primary code of an extended one
        if code in _FULL:
            raise OutputError(f"cannot write {folder / FILENAME}: {error}") from error
        if code == sqlite3.SQLITE_BUSY:
            raise OutputError(f"{folder / FILENAME} is held by another program", remedy="end it first") from error
        raise InputError(
            f"{folder / FILENAME} is damaged or no ledger: {error}", remedy="move it away; pictures are kept and reused"
        ) from error
