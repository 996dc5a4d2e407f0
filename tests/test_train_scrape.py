"""A scrape against a server that throttles, fails and lies; the clock is made, so that nothing waits."""

from __future__ import annotations

import email.utils
import errno
import hashlib
import io
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from booru_server import COUNT, FILE, LIST, FakeBooru, serving
from rich.console import Console

from mangapaint import atomic
from mangapaint.errors import ExitCode, InputError, LockedError, OutputError, UsageError
from mangapaint.lock import locked
from train.scrape import fetch, ledger
from train.scrape.http import Clock, Http, retry_after
from train.scrape.progress import EVERY, Meter, duration

ROOT = Path(__file__).parents[1]


@dataclass
class MadeClock:
    """Time that passes only by sleeping."""

    time: float = 1000.0
    slept: list[float] = field(default_factory=list)

    def now(self) -> float:
        return self.time

    def date(self) -> float:
        return 1.7e9 + self.time

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.time += seconds


@dataclass
class Notes:
    """A Watch that remembers."""

    lines: list[str] = field(default_factory=list)
    steps: list[tuple[int, int]] = field(default_factory=list)

    def going(self, fetched: int, total: int, size: int) -> None:
        self.steps.append((fetched, total))

    def say(self, text: str) -> None:
        self.lines.append(text)


@pytest.fixture
def booru(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeBooru]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with serving() as server:
        yield server


@pytest.fixture
def clock(booru: FakeBooru) -> MadeClock:
    made = MadeClock()
    booru.now = made.now
    return made


@dataclass
class Scrape:
    """Runs scrapes of one server into one folder."""

    booru: FakeBooru
    clock: MadeClock
    folder: Path
    notes: Notes = field(default_factory=Notes)

    def __call__(self, *tags: str, **options: object) -> dict[str, int]:
        login = options.pop("login", None)
        settings = fetch.Settings(
            folder=self.folder, server=self.booru.url, tags=tags or ("magic",), **{"page": 4, **options}
        )
        http = Http(settings.pace, login=login, clock=Clock(self.clock.now, self.clock.date, self.clock.sleep))
        return fetch.scrape(settings, self.notes, http=http)

    def posts(self) -> dict[int, ledger.Post]:
        with closing(sqlite3.connect(self.folder / ledger.FILENAME)) as db:
            columns = ", ".join(ledger.Post.__dataclass_fields__)
            return {row[0]: ledger.Post(*row) for row in db.execute(f"SELECT {columns} FROM posts")}

    def states(self) -> dict[int, str]:
        return {number: post.state for number, post in self.posts().items()}

    def files(self) -> dict[str, bytes]:
        folder = self.folder / ledger.PICTURES
        return {p.name: p.read_bytes() for p in folder.rglob("*") if p.is_file()}

    def check(self) -> None:
        """Every fetched row has its whole file, and there is nothing else below the folder."""
        names = {post.path.name for post in ledger.fetched(self.folder)}
        assert set(self.files()) == names
        for name, data in self.files().items():
            assert hashlib.md5(data).hexdigest() == name.split(".")[0]
        assert {path.name for path in self.folder.iterdir()} <= {ledger.FILENAME, ledger.PICTURES}


@pytest.fixture
def scrape(booru: FakeBooru, clock: MadeClock, tmp_path: Path) -> Scrape:
    return Scrape(booru, clock, tmp_path / "scrape")


def test_every_post_of_every_tag_is_fetched_once(scrape: Scrape, booru: FakeBooru) -> None:
    for number in range(1, 12):
        booru.add(number, "magic" if number % 2 else "magic holding_staff")
    booru.add(50, "holding_staff", artist="x")
    counts = scrape("magic", "holding_staff")
    assert counts[ledger.FETCHED] == 12
    assert sorted(booru.fetched()) == sorted(booru.files)
    scrape.check()
    scrape("magic", "holding_staff")
    assert len(booru.fetched()) == 12


def test_the_ledger_keeps_what_the_server_says(scrape: Scrape, booru: FakeBooru) -> None:
    booru.add(7, "magic robe", tag_string_artist="ann bob", tag_string_copyright="original some_book", image_width=640)
    booru.add(8, "magic", license="CC BY 4.0", source=None, tag_string_artist=["no text"], image_width="wide")
    scrape()
    first, second = scrape.posts()[7], scrape.posts()[8]
    assert (first.artist, first.title, first.copyright) == ("ann bob", "some_book", "original some_book")
    assert (first.tags, first.rating, first.width, first.query) == ("magic robe", "g", 640, "magic")
    assert (first.source, first.licence) == ("https://example.org/7", "unknown")
    assert (second.source, second.licence, second.artist, second.title, second.width) == ("", "CC BY 4.0", "", "", 0)
    assert [post.id for post in ledger.fetched(scrape.folder)] == [7, 8]
    assert (scrape.folder / first.path).is_file()


def test_rating_general_is_asked_for_and_others_are_not_taken(scrape: Scrape, booru: FakeBooru) -> None:
    booru.add(1, "magic", rating="e")
    booru.add(2, "magic")
    scrape()
    assert "rating%3Ageneral" in booru.requests[0][1]
    assert scrape.states() == {1: ledger.SKIPPED, 2: ledger.FETCHED}


def test_tags_take_turns_up_to_the_limit(scrape: Scrape, booru: FakeBooru) -> None:
    for number in range(1, 21):
        booru.add(number, "magic" if number > 8 else "elf")
    scrape("magic", "elf", limit=6)
    tags = [post.query for post in ledger.fetched(scrape.folder)]
    assert (tags.count("magic"), tags.count("elf")) == (3, 3)
    assert scrape.notes.steps[-1] == (6, 6)


def test_a_higher_limit_goes_on_and_newer_posts_are_found(scrape: Scrape, booru: FakeBooru) -> None:
    for number in range(1, 11):
        booru.add(number, "magic")
    scrape(limit=3)
    scrape(limit=5)
    assert sorted(scrape.states()) == [3, 4, 5, 6, 7, 8, 9, 10]
    assert len(booru.fetched()) == 5
    scrape()
    booru.add(11, "magic")
    booru.add(12, "magic")
    listed = booru.count(LIST)
    assert scrape()[ledger.FETCHED] == 12
    assert booru.count(LIST) == listed + 1
    assert sorted(booru.fetched()) == sorted(booru.files)


def test_requests_keep_the_pace_and_name_the_program(scrape: Scrape, booru: FakeBooru) -> None:
    for number in range(1, 8):
        booru.add(number, "magic")
    scrape(pace=1.5)
    gaps = [after - before for before, after in zip(booru.stamps, booru.stamps[1:], strict=False)]
    assert len(gaps) > 7
    assert min(gaps) >= 1.5
    assert all(agent.startswith("mangapaint/") for agent in booru.agents)


@pytest.mark.parametrize("kind", [LIST, FILE])
@pytest.mark.parametrize("status", [429, 503])
def test_retry_after_is_honoured_in_seconds_and_as_a_date(
    kind: str, status: int, scrape: Scrape, booru: FakeBooru, clock: MadeClock
) -> None:
    booru.add(1, "magic")
    date = email.utils.formatdate(clock.date() + 300, usegmt=True)
    booru.faults = [(kind, (status, {"Retry-After": "77"})), (kind, (status, {"Retry-After": date}))]
    assert scrape()[ledger.FETCHED] == 1
    assert 77 in clock.slept
    times = [time for time, (seen, _) in zip(booru.stamps, booru.requests, strict=True) if seen == kind]
    assert times[1] - times[0] >= 77
    assert times[2] >= 1000 + 300


def test_a_server_that_wants_to_be_left_alone_for_hours_ends_the_run(
    scrape: Scrape, booru: FakeBooru, clock: MadeClock
) -> None:
    booru.add(1, "magic")
    booru.faults = [(LIST, (429, {"Retry-After": "86400"}))]
    with pytest.raises(InputError, match="24.0 hours"):
        scrape()
    assert not clock.slept


def test_retry_after_that_is_neither_number_nor_date_is_no_wish() -> None:
    for value in ("", "soon", "-5", "٣", "Wed, 99 Foo 2020"):
        assert retry_after(value, 1e9) == 0
    assert retry_after("12", 1e9) == 12


def test_pauses_double_up_to_a_cap_and_a_silent_server_is_an_error(
    scrape: Scrape, booru: FakeBooru, clock: MadeClock
) -> None:
    booru.forever = [(LIST, 500)]
    with pytest.raises(InputError, match="8 tries: HTTP 500"):
        scrape(pace=0)
    assert clock.slept == [1, 2, 4, 8, 16, 32, 60]


@pytest.mark.parametrize("what", ["cut", "lie", "html", 500, 503, 429])
def test_a_file_that_fails_is_fetched_again_and_nothing_half_is_left(
    what: object, scrape: Scrape, booru: FakeBooru
) -> None:
    booru.add(1, "magic")
    booru.faults = [(FILE, what)] * 2
    assert scrape()[ledger.FETCHED] == 1
    assert len(booru.fetched()) == 3
    assert scrape.posts()[1].tries == 2
    scrape.check()


@pytest.mark.parametrize("what", ["cut", "lie", "html", 500, "loop", "file", 400])
def test_a_file_that_never_comes_is_marked_and_the_others_go_on(what: object, scrape: Scrape, booru: FakeBooru) -> None:
    bad = booru.add(2, "magic")
    booru.add(1, "magic")
    booru.forever = [(bad, what)]
    counts = scrape()
    assert (counts[ledger.FETCHED], counts[ledger.FAILED]) == (1, 1)
    assert scrape.posts()[2].error
    scrape.check()
    asked = len(booru.fetched())
    scrape()
    assert len(booru.fetched()) == asked
    booru.forever = []
    assert scrape(retry_failed=True)[ledger.FETCHED] == 2


@pytest.mark.parametrize("status", [404, 410])
def test_a_file_that_is_gone_is_asked_for_once(status: int, scrape: Scrape, booru: FakeBooru) -> None:
    path = booru.add(1, "magic")
    booru.forever = [(path, status)]
    assert scrape()[ledger.GONE] == 1
    scrape(retry_failed=True)
    assert booru.count(FILE) == 1


def test_posts_without_a_usable_file_are_noted_and_never_asked_for(scrape: Scrape, booru: FakeBooru) -> None:
    booru.add(1, "magic", extension="mp4")
    booru.add(2, "magic", file_url=None, md5=None)
    booru.add(3, "magic", file_url="file:///etc/hostname")
    booru.add(4, "magic", md5="../../../../tmp/evil")
    booru.add(5, "magic", file_size=10**9)
    booru.add(6, "magic", file_url="http://[broken/x.png")
    booru.add(7, "magic", file_ext="../png")
    scrape()
    assert not booru.fetched()
    gone, skipped = ledger.GONE, ledger.SKIPPED
    assert scrape.states() == {1: skipped, 2: gone, 3: skipped, 4: gone, 5: skipped, 6: skipped, 7: skipped}


def test_a_file_that_is_larger_than_its_post_said_is_cut_off(scrape: Scrape, booru: FakeBooru) -> None:
    booru.add(1, "magic", data=b"x" * 5000, file_size=100)
    assert scrape(most_bytes=4000)[ledger.FAILED] == 1
    assert "more than 4000" in scrape.posts()[1].error
    scrape.check()


def test_posts_with_the_same_picture_share_one_file(scrape: Scrape, booru: FakeBooru) -> None:
    booru.add(1, "magic", data=b"same" * 99)
    booru.add(2, "magic", data=b"same" * 99)
    assert scrape()[ledger.FETCHED] == 2
    assert len(booru.fetched()) == 1
    assert len(scrape.files()) == 1


@pytest.mark.parametrize("what", ["words", "html", "object", "cut"])
def test_an_answer_that_is_no_list_is_asked_for_again(what: str, scrape: Scrape, booru: FakeBooru) -> None:
    booru.add(1, "magic")
    booru.faults = [(LIST, what)] * 3
    assert scrape()[ledger.FETCHED] == 1


def test_what_the_server_says_of_a_refusal_is_told(scrape: Scrape, booru: FakeBooru) -> None:
    booru.forever = [(LIST, "object")]
    with pytest.raises(InputError, match="too many tags"):
        scrape()
    booru.forever = [(LIST, 401)]
    with pytest.raises(InputError, match="BOORU_LOGIN"):
        scrape()


def test_broken_rows_of_a_list_are_passed_over(scrape: Scrape, booru: FakeBooru) -> None:
    booru.add(1, "magic", source="\ud800 \x1b[31m\nline", image_width=10**30)
    booru.junk = [None, 5, [], {}, *({"id": value} for value in (-4, 0, 10**30, True, "9", None))]
    assert scrape()[ledger.FETCHED] == 1
    assert "\n" not in scrape.posts()[1].source


def test_a_server_that_ignores_the_page_is_an_error_and_no_endless_loop(scrape: Scrape, booru: FakeBooru) -> None:
    for number in range(1, 9):
        booru.add(number, "magic")
    booru.stubborn = True
    with pytest.raises(InputError, match="page by id"):
        scrape(page=8)
    assert scrape.states() == dict.fromkeys(range(1, 9), ledger.FETCHED)


def test_five_failures_in_a_row_end_the_run_and_lose_nothing(scrape: Scrape, booru: FakeBooru) -> None:
    for number in range(1, 9):
        booru.add(number, "magic")
    booru.forever = [(FILE, 503)]
    with pytest.raises(InputError, match="5 pictures in a row"):
        scrape(page=10)
    assert set(scrape.states().values()) == {ledger.LISTED}
    booru.forever = []
    assert scrape()[ledger.FETCHED] == 8


def test_a_full_disk_is_an_output_error_and_the_next_run_goes_on(
    scrape: Scrape, booru: FakeBooru, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(1, 5):
        booru.add(number, "magic")
    scrape(limit=2)
    with monkeypatch.context() as patch:

        def full(path: Path) -> None:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        patch.setattr(atomic, "sync", full)
        with pytest.raises(OutputError, match="No space left") as raised:
            scrape()
    assert raised.value.exit_code == ExitCode.OUTPUT
    scrape.check()
    assert scrape()[ledger.FETCHED] == 4


def test_a_full_disk_under_the_ledger_is_an_output_error(tmp_path: Path) -> None:
    with ledger.Ledger(tmp_path, "http://server") as book:
        book._db.execute("PRAGMA max_page_count = 12")
        many = [ledger.Post(number, tags="x" * 2000) for number in range(1, 200)]
        with pytest.raises(OutputError, match="full"):
            book.add(many, ledger.Query("magic", before=1))
        assert sum(book.counts().values()) == 0
        assert book.query("magic").before is None


def test_a_stop_between_file_and_ledger_does_not_fetch_twice(
    scrape: Scrape, booru: FakeBooru, monkeypatch: pytest.MonkeyPatch
) -> None:
    booru.add(1, "magic")
    with monkeypatch.context() as patch:

        def stopped(*_: object, **__: object) -> None:
            raise KeyboardInterrupt

        patch.setattr(ledger.Ledger, "set", stopped)
        with pytest.raises(KeyboardInterrupt):
            scrape()
    assert scrape.states() == {1: ledger.LISTED}
    assert scrape()[ledger.FETCHED] == 1
    assert booru.count(FILE) == 1


def test_a_damaged_ledger_is_named_and_its_pictures_are_used_again(scrape: Scrape, booru: FakeBooru) -> None:
    booru.add(1, "magic")
    scrape()
    book = scrape.folder / ledger.FILENAME
    book.write_bytes(b"no database" * 500)
    with pytest.raises(InputError, match="move it away"):
        scrape()
    book.rename(scrape.folder.parent / "broken")
    assert scrape()[ledger.FETCHED] == 1
    assert booru.count(FILE) == 1


def test_a_folder_belongs_to_one_server_and_one_run(scrape: Scrape, booru: FakeBooru) -> None:
    booru.add(1, "magic")
    scrape()
    with pytest.raises(UsageError, match="was scraped from"), ledger.Ledger(scrape.folder, "http://other"):
        pass
    with locked(scrape.folder / ledger.FILENAME), pytest.raises(LockedError):
        scrape()


def test_a_login_goes_to_the_api_alone(scrape: Scrape, booru: FakeBooru) -> None:
    booru.add(1, "magic")
    scrape(login=("me", "secret"))
    assert all((login is not None) == (kind == LIST) for kind, login in booru.logins)


def test_a_login_does_not_follow_a_redirect_to_another_server(scrape: Scrape, booru: FakeBooru) -> None:
    with serving() as other:
        booru.faults = [(LIST, (302, {"Location": f"{other.url}/posts.json"}))]
        scrape(login=("me", "secret"))
    assert other.logins == [(LIST, None)]


@pytest.mark.parametrize(
    "options",
    [
        {"server": "ftp://server"},
        {"server": "http://me:secret@server"},
        {"server": "server"},
        {"rating": "g"},
        {"limit": 0},
        {"tags": ()},
    ],
    ids=str,
)
def test_settings_that_make_no_sense_are_refused(options: dict[str, object], tmp_path: Path) -> None:
    with pytest.raises(UsageError):
        fetch.Settings(folder=tmp_path, **options)  # type: ignore[arg-type]


def test_progress_tells_rate_and_time_left(clock: MadeClock) -> None:
    console = Console(width=200, force_terminal=False, file=io.StringIO())
    with Meter(console, clock.now) as meter:
        meter.going(10, 100, 0)
        for number in range(11, 41):
            clock.sleep(2)
            meter.going(number, 100, 1 << 20)
    lines = console.file.getvalue().splitlines()  # type: ignore[attr-defined]
    assert lines[0] == "11 of 100 pictures, 0.50/s, 1.0 MiB, 2 min 58 s left"
    assert lines[-1] == "35 of 100 pictures, 0.50/s, 25.0 MiB, 2 min 10 s left"
    assert len(lines) <= 1 + 60 / EVERY
    assert duration(7500) == "2 h 05 min"


def command(booru: FakeBooru, folder: Path, *options: str) -> list[str]:
    words = ["scrape", "--server", booru.url, "--tags", "magic", "--pace", "0", "-o", str(folder), *options]
    return [sys.executable, "-m", "train", *words]


def test_killed_at_any_moment_it_goes_on_without_fetching_twice(booru: FakeBooru, tmp_path: Path) -> None:
    for number in range(1, 13):
        booru.add(number, "magic")
    folder = tmp_path / "scrape"
    running: list[subprocess.Popen[bytes]] = []
    hit: list[str] = []
    moments = {(LIST, 1), (FILE, 1), (FILE, 6)}
    parts: list[Path] = []

    def kill_in_the_middle(path: str) -> None:
        while not (found := list(folder.rglob("*.part"))):
            time.sleep(0.01)
        parts.extend(found)
        hit.append(path)
        running[-1].send_signal(signal.SIGKILL)

    def kill(kind: str, path: str) -> None:
        if (kind, booru.count(kind)) in moments:
            hit.append(path)
            running[-1].send_signal(signal.SIGKILL)

    booru.on_request, booru.on_half = kill, kill_in_the_middle
    booru.faults = [(booru.posts[3]["file_url"], "half")]
    codes = []
    for _ in range(len(moments) + 2):
        running.append(
            subprocess.Popen(command(booru, folder), cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        )
        codes.append(running[-1].wait(60))
    assert codes == [-signal.SIGKILL] * (len(moments) + 1) + [0]
    assert len(parts) == 1
    assert len(ledger.fetched(folder)) == 12
    asked = booru.fetched()
    for path in booru.files:
        assert asked.count(path) == 1 + hit.count(path), path
    assert not list(folder.rglob("*.part"))


def test_commands_report_on_stdout_and_count_without_writing(booru: FakeBooru, tmp_path: Path) -> None:
    folder = tmp_path / "scrape"
    missing = booru.add(9, "magic")
    booru.add(1, "magic")
    booru.forever = [(missing, 404)]
    run = subprocess.run(command(booru, folder, "--dry-run"), cwd=ROOT, capture_output=True, text=True, check=True)
    assert run.stdout.splitlines()[0] == "magic\t2"
    assert not folder.exists()
    assert not booru.count(LIST)
    assert booru.count(COUNT) == 1
    run = subprocess.run(command(booru, folder), cwd=ROOT, capture_output=True, text=True, check=True)
    assert run.stdout == f"{folder}: 1 pictures; 1 gone\n"
    assert "1 of" in run.stderr


def test_nothing_found_is_an_input_error_without_traceback(booru: FakeBooru, tmp_path: Path) -> None:
    run = subprocess.run(command(booru, tmp_path / "s"), cwd=ROOT, capture_output=True, text=True)
    assert run.returncode == ExitCode.INPUT
    assert "has no posts" in run.stderr
    assert "Traceback" not in run.stderr


def test_control_c_exits_130_and_says_how_to_go_on(booru: FakeBooru, tmp_path: Path) -> None:
    booru.add(1, "magic")
    running: list[subprocess.Popen[str]] = []

    def stop(kind: str, path: str) -> None:
        if kind == FILE:
            running[0].send_signal(signal.SIGINT)

    booru.on_request = stop
    booru.forever = [(FILE, (429, {"Retry-After": "600"}))]
    running.append(
        subprocess.Popen(
            command(booru, tmp_path / "s"), cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
    )
    _, words = running[0].communicate(timeout=30)
    assert running[0].returncode == ExitCode.INTERRUPT
    assert "same command again" in words
