"""What the collector needs of HTTP: keys, bodies, replies. No events here."""

import asyncio
import base64
import binascii
import re
import time
import zlib
from collections.abc import AsyncIterator, Awaitable, Mapping
from functools import lru_cache
from typing import Any, Final, Protocol
from urllib.parse import parse_qs

import msgspec

from amity.kernel.errors import AmityError, Unavailable

RATIO: Final = 100
"""How many times its size a compressed body may grow (rule D6)."""

RATIO_FLOOR_BYTES: Final = 262_144
"""Below this size no ratio is looked at: small bodies of like events shrink very well."""

_GZIP: Final = 16 + zlib.MAX_WBITS
_STATUS: Final = {
    "invalid": 400,
    "not_found": 404,
    "conflict": 409,
    "denied": 403,
    "unavailable": 429,
}
_HEADER_NAMES: Final = re.compile(r"[A-Za-z0-9_, -]{0,500}")
_JSON: Final = ("content-type", "application/json")
# The write key comes in a header, not in a cookie, so any page may be told the answer.
_ANYONE: Final = ("access-control-allow-origin", "*")
_EXPOSED: Final = ("access-control-expose-headers", "Retry-After")
OK_HEADERS: Final = [_JSON, _ANYONE]
# A `*` would not cover Authorization (Fetch standard, CORS protocol), so all are named.
_PREFLIGHT_HEADERS: Final = [
    _ANYONE,
    ("access-control-allow-methods", "GET, POST, OPTIONS"),
    (
        "access-control-allow-headers",
        "authorization, content-type, content-encoding, anonymousid, sentat, x-retry-count, "
        "rsa-recovered",
    ),
    ("access-control-max-age", "86400"),
]


class Scope(Protocol):
    """A request's head, as RSGI gives it."""

    method: str
    path: str
    query_string: str
    scheme: str
    client: str
    authority: str | None
    headers: Any


class Exchange(Protocol):
    """A request's body and the way to answer it, as RSGI gives them."""

    async def __call__(self) -> bytes:
        """Read the whole body."""

    def __aiter__(self) -> AsyncIterator[bytes]:
        """Read the body in pieces."""

    def response_bytes(self, status: int, headers: list[tuple[str, str]], body: bytes) -> None:
        """Answer with a body."""

    def response_file(self, status: int, headers: list[tuple[str, str]], file: str) -> None:
        """Answer with a file, sent in pieces."""

    def response_empty(self, status: int, headers: list[tuple[str, str]]) -> None:
        """Answer without a body."""


class Refusal(Exception):
    """An answer other than 200."""

    def __init__(
        self, status: int, code: str, message: str, extra: tuple[tuple[str, str], ...] = ()
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.extra = extra


def refusal_of(error: AmityError) -> Refusal:
    """Say an error of ours in HTTP; what is not possible now is 429, which all SDKs retry."""
    extra: tuple[tuple[str, str], ...] = ()
    if isinstance(error, Unavailable):
        extra = (("retry-after", str(error.retry_after_seconds)),)
    return Refusal(_STATUS[error.kind], error.reason, error.message, extra)


def reply_refusal(exchange: Exchange, refusal: Refusal) -> None:
    """Answer a refusal as the SDKs read it: a JSON object with `code` and `message`."""
    reply_json(
        exchange,
        {"success": False, "code": refusal.code, "message": refusal.message},
        status=refusal.status,
        extra=refusal.extra,
    )


def reply_json(
    exchange: Exchange,
    content: Mapping[str, Any],
    *,
    status: int = 200,
    extra: tuple[tuple[str, str], ...] = (),
) -> None:
    """Answer with JSON that any page may read."""
    headers = [_JSON, _ANYONE, _EXPOSED, *extra]
    exchange.response_bytes(status, headers, msgspec.json.encode(content))


def reply_preflight(exchange: Exchange) -> None:
    """Allow a page to send what the SDKs send."""
    exchange.response_empty(204, _PREFLIGHT_HEADERS)


def cors(origin: str | None) -> list[tuple[str, str]]:
    """Let the page that asks read the answer, also one that sends its cookies, which are not read.

    Answers are for whoever has the write key, so it does not matter which page it is.
    """
    if not origin:
        return [_ANYONE, _EXPOSED]
    return [
        ("access-control-allow-origin", origin),
        ("access-control-allow-credentials", "true"),
        ("vary", "origin"),
        _EXPOSED,
    ]


def reply_preflight_to(exchange: Exchange, headers: Any, methods: list[str]) -> None:
    """Allow a page what it asks to send: no header it could name is trusted here."""
    asked = headers.get("access-control-request-headers") or ""
    names = asked if _HEADER_NAMES.fullmatch(asked) else ""
    answer = [
        *cors(headers.get("origin")),
        ("access-control-allow-methods", ", ".join(methods)),
        ("access-control-max-age", "86400"),
    ]
    if names:
        answer.append(("access-control-allow-headers", names))
    exchange.response_empty(204, answer)


def bearer(authorization: str | None) -> str:
    """Return the token of a Bearer authorization, "" when there is none."""
    if not authorization or authorization[:7].lower() != "bearer ":
        return ""
    return authorization[7:].strip()


@lru_cache(maxsize=1024)
def basic_key(authorization: str | None) -> str:
    """Return the write key of a Basic authorization (its user name); "" when there is none."""
    if not authorization or authorization[:6].lower() != "basic ":
        return ""
    return _base64_text(authorization[6:]).partition(":")[0]


def anonymous_id(header: str | None) -> str:
    """Return the anonymous id of RudderStack's browser SDK, which sends it in base64."""
    text = _base64_text(header) if header else ""
    return text if len(text) <= 255 else ""


def _base64_text(text: str) -> str:
    try:
        return base64.b64decode(text, validate=True).decode()
    except (binascii.Error, ValueError):
        return ""


def query_value(query: str, name: str) -> str:
    """Return a value of the query string, "" when it is not there."""
    if name not in query:
        return ""
    return parse_qs(query, max_num_fields=50).get(name, [""])[0]


def content_length(headers: Any) -> int | None:
    """Return the announced size of the body; None when there is none."""
    text = headers.get("content-length")
    return int(text) if text and text.isascii() and text.isdigit() else None


class Deadlines:
    """Ends what takes too long, looking about once a second: cheaper than a timer for each."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._running: dict[asyncio.Task[Any], float] = {}
        self._late: set[asyncio.Task[Any]] = set()

    async def watch(self) -> None:
        """Cancel what is late, for ever."""
        while True:
            await asyncio.sleep(1)
            now = time.monotonic()
            late = [task for task, until in self._running.items() if until < now]
            for task in late:
                self._late.add(task)
                task.cancel()

    async def keep(self, awaitable: Awaitable[bytes]) -> bytes:
        """Wait for a body; raise Refusal 408 when it does not come in time."""
        task = asyncio.current_task()
        assert task is not None
        self._running[task] = time.monotonic() + self._seconds
        try:
            return await awaitable
        except asyncio.CancelledError as error:
            if task not in self._late:
                raise
            task.uncancel()
            raise Refusal(408, "too_slow", "the body did not come in time") from error
        finally:
            del self._running[task]
            self._late.discard(task)


async def read_body(exchange: Exchange, announced: int | None, most_bytes: int) -> bytes:
    """Read a body of at most ``most_bytes``; raise Refusal 413 when there is more.

    What is too large is still read, up to a point: a client that is cut off while it writes
    does not see the answer.
    """
    if announced is not None and announced <= most_bytes:
        return await exchange()
    patience = 16 * most_bytes
    if announced is not None and announced > patience:
        raise too_large(most_bytes)
    pieces: list[bytes] = []
    size = 0
    async for piece in exchange:
        size += len(piece)
        if size <= most_bytes:
            pieces.append(bytes(piece))
        elif size > patience:
            break
    if size > most_bytes:
        raise too_large(most_bytes)
    return b"".join(pieces)


def too_large(most_bytes: int) -> Refusal:
    """Return the refusal of a body that is too large."""
    return Refusal(413, "too_large", f"a request may have {most_bytes} bytes")


def inflate(body: bytes, encoding: str | None, most_bytes: int) -> bytes:
    """Undo a body's gzip, announced or not, within an absolute and a relative bound.

    Raises Refusal: 413 past a bound, 400 when it is broken, 415 for another encoding.
    """
    if encoding and encoding.lower() not in {"gzip", "identity", "x-gzip"}:
        raise Refusal(415, "bad_encoding", "a body is sent as it is or as gzip")
    if body[:2] != b"\x1f\x8b":
        if encoding and "gzip" in encoding.lower() and body:
            raise Refusal(400, "bad_gzip", "the body is not gzip although it says so")
        return body
    most = min(most_bytes, max(RATIO * len(body), RATIO_FLOOR_BYTES))
    pieces: list[bytes] = []
    size = 0
    while body:
        member = zlib.decompressobj(_GZIP)
        try:
            piece = member.decompress(body, most + 1 - size)
        except zlib.error as error:
            raise Refusal(400, "bad_gzip", "the body is not gzip although it says so") from error
        pieces.append(piece)
        size += len(piece)
        if size > most:
            raise too_large(most)
        if not member.eof:
            raise Refusal(400, "bad_gzip", "the compressed body ends too early")
        body = member.unused_data.lstrip(b"\0")
    return b"".join(pieces)
