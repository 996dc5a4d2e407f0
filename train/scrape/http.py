"""Polite HTTP: one request at a time, not faster than the pace, patient with servers that are busy or broken.

Only http and https are ever opened, also after redirects; credentials go to the server that they are for alone.
"""

from __future__ import annotations

import base64
import email.utils
import http.client
import json
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO, Any, TypeVar

import mangapaint
from mangapaint.errors import InputError, printable

USER_AGENT = f"mangapaint/{mangapaint.__version__} (train scrape)"
SCHEMES = ("http", "https")
LONGEST_PAUSE = 60.0
"""Seconds between two tries at most, where the server does not ask for more; the pauses double from one second."""
LONGEST_WISH = 3600.0
"""Seconds of Retry-After that are waited; who asks for more is asked again another day."""
_BUSY = {408, 425, 429}
_CHUNK = 1 << 16
_LARGEST_JSON = 32 << 20
_SAFE = "%/:=&?~#+!$,;'@()*[]"

T = TypeVar("T")


class RefusedError(Exception):
    """The server answered, and the same request will get the same answer; `status` is 0 where it sent none."""

    def __init__(self, why: str, status: int = 0) -> None:
        super().__init__(why)
        self.status = status


class PassingError(Exception):
    """May go better another time; `wish` is the server's Retry-After in seconds, `alien` no fault of one file."""

    def __init__(self, why: str, *, wish: float = 0.0, alien: bool = True) -> None:
        super().__init__(why)
        self.wish = wish
        self.alien = alien


@dataclass(frozen=True, slots=True)
class Clock:
    """Time as the client sees it, so that tests need not wait.

    Attributes:
        now: seconds that only rise.
        date: seconds since 1970.
        sleep: waits for so many seconds.
    """

    now: Callable[[], float] = time.monotonic
    date: Callable[[], float] = time.time
    sleep: Callable[[float], None] = time.sleep


class Http:
    """A client that sends a request at most every `pace` seconds.

    Args:
        pace: seconds from the start of one request to the start of the next.
        timeout: seconds without a byte before a connection is given up.
        deadline: seconds that one answer may take in all.
        login: user and key for `private` requests (HTTP basic), or None.
        clock: for tests.
    """

    def __init__(
        self,
        pace: float = 1.0,
        *,
        timeout: float = 30.0,
        deadline: float = 900.0,
        login: tuple[str, str] | None = None,
        clock: Clock | None = None,
    ) -> None:
        self.pace = pace
        self.clock = clock or Clock()
        self._timeout = timeout
        self._deadline = deadline
        self._login = login
        self._next = float("-inf")
        self._opener = _opener()

    @contextmanager
    def get(self, url: str, *, private: bool = False) -> Iterator[Answer]:
        """The answer to a GET request; its body is read by the caller.

        Raises:
            RefusedError: a status that asking again does not change, a bad address or redirect.
            PassingError: busy, broken, or no connection.
        """
        headers = {"User-Agent": USER_AGENT, "Accept": "*/*"}
        if private and self._login:
            headers["Authorization"] = "Basic " + base64.b64encode(":".join(self._login).encode()).decode()
        wait = self._next - self.clock.now()
        if wait > 0:
            self.clock.sleep(wait)
        self._next = self.clock.now() + self.pace
        url = checked(url)
        try:
            response = self._opener.open(urllib.request.Request(url, headers=headers), timeout=self._timeout)
        except urllib.error.HTTPError as error:
            with error:
                raise _by_status(error, self.clock) from None
        except (http.client.InvalidURL, ValueError) as error:
            raise RefusedError(_words(error)) from error
        except (OSError, http.client.HTTPException) as error:  # URLError is an OSError
            raise PassingError(_words(error)) from error
        with response:
            yield Answer(response, self.clock, self.clock.now() + self._deadline)

    def json(self, url: str) -> Any:
        """The answer of an API, decoded; raises as `get`, and PassingError where it is no JSON."""
        with self.get(url, private=True) as answer:
            data = b"".join(answer.chunks(_LARGEST_JSON))
        try:
            return json.loads(data)
        except (ValueError, RecursionError):
            raise PassingError(f"{answer.kind or 'something'} that is no JSON") from None

    def patiently(self, ask: Callable[[], T], tries: int, failed: Callable[[PassingError], None]) -> T:
        """What `ask` returns; after each passing error a pause that doubles, or as long as the server asks.

        Args:
            ask: makes one try.
            tries: how many at most; the last error is raised.
            failed: is told each error.

        Raises:
            PassingError: the last one.
            RefusedError: from `ask`, at once.
            InputError: the server asks for more patience than LONGEST_WISH.
        """
        for number in range(tries):
            try:
                return ask()
            except PassingError as error:
                failed(error)
                if error.wish > LONGEST_WISH:
                    raise InputError(
                        f"the server wants to be left alone for {error.wish / 3600:.1f} hours ({error})",
                        remedy="give the same command again after that",
                    ) from error
                last = error
            if number + 1 < tries:
                self.clock.sleep(max(last.wish, min(LONGEST_PAUSE, 2.0**number)))
        raise last


class Answer:
    """A successful answer whose body is still to be read.

    Attributes:
        kind: content type in lower case, without parameters; "" none.
        length: bytes that the server announces, None unknown.
    """

    def __init__(self, response: http.client.HTTPResponse, clock: Clock, deadline: float) -> None:
        self._response = response
        self._clock = clock
        self._deadline = deadline
        self.kind = response.headers.get("Content-Type", "").partition(";")[0].strip().lower()
        length = response.headers.get("Content-Length", "")
        self.length = int(length) if length.isascii() and length.isdigit() else None

    def chunks(self, most: int) -> Iterator[bytes]:
        """The body in pieces.

        Raises:
            RefusedError: it is longer than `most` bytes.
            PassingError: it broke off, or is too slow.
        """
        got = 0
        while True:
            if max(got, self.length or 0) > most:
                raise RefusedError(f"more than {most} bytes")
            try:
                data = self._response.read(_CHUNK)
            except (OSError, http.client.HTTPException, ValueError) as error:
                raise PassingError(f"broken off after {got} bytes: {_words(error)}", alien=False) from error
            got += len(data)
            if not data:
                break
            yield data
            if self._clock.now() > self._deadline:
                raise PassingError(f"too slow: {got} bytes so far")
        if self.length is not None and got < self.length:
            raise PassingError(f"truncated: {got} of {self.length} bytes", alien=False)


def checked(url: str) -> str:
    """The address with its odd characters quoted.

    Raises:
        RefusedError: not an http(s) address with a host.
    """
    url = urllib.parse.quote(url, safe=_SAFE)
    try:
        parts = urllib.parse.urlsplit(url)
        good = parts.scheme in SCHEMES and bool(parts.hostname) and parts.port != 0
    except ValueError:
        good = False
    if not good:
        raise RefusedError(f"not an http address: {printable(url[:200])}")
    return url


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Redirects within http and https; credentials stay with the server that they were given to."""

    def redirect_request(
        self,
        req: urllib.request.Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: http.client.HTTPMessage,
        newurl: str,
    ) -> urllib.request.Request | None:
        try:
            checked(newurl)
        except RefusedError as error:
            raise urllib.error.HTTPError(req.full_url, code, f"redirect to {error}", headers, fp) from None
        request = super().redirect_request(req, fp, code, msg, headers, newurl)
        if request is not None and _origin(newurl) != _origin(req.full_url):
            request.remove_header("Authorization")
        return request


def _origin(url: str) -> tuple[str, str]:
    parts = urllib.parse.urlsplit(url)
    return parts.scheme, parts.netloc.lower()


def _opener() -> urllib.request.OpenerDirector:
    """An opener without the handlers of file, ftp and data addresses."""
    opener = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.ProxyHandler(),
        urllib.request.UnknownHandler(),
        urllib.request.HTTPHandler(),
        urllib.request.HTTPSHandler(),
        urllib.request.HTTPDefaultErrorHandler(),
        _Redirects(),
        urllib.request.HTTPErrorProcessor(),
    ):
        opener.add_handler(handler)
    return opener


def _by_status(error: urllib.error.HTTPError, clock: Clock) -> Exception:
    why = f"HTTP {error.code} {error.reason}".strip().replace("\n", " ")
    if error.code in _BUSY or error.code >= 500:
        return PassingError(why, wish=retry_after(error.headers.get("Retry-After", ""), clock.date()))
    return RefusedError(why, error.code)


def retry_after(value: str, now: float) -> float:
    """Seconds to wait by a Retry-After header: a number, or an HTTP date (RFC 9110, 10.2.3); 0 for anything else."""
    value = value.strip()
    if value.isascii() and value.isdigit():
        return float(value[:12])
    try:
        return max(0.0, email.utils.parsedate_to_datetime(value).timestamp() - now)
    except (ValueError, TypeError, OverflowError):
        return 0.0


def _words(error: BaseException) -> str:
    reason = getattr(error, "reason", None)
    text = str(reason if reason is not None else error).strip()
    return printable(text.splitlines()[0][:200] if text else type(error).__name__)
