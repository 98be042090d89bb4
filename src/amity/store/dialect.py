"""The plug point of what calls us over HTTP: a dialect turns the requests of one vendor's clients
or webhooks into events in the house's own form, and answers as that vendor expects.

One dialect is one file in `store/connectors/`. It is pure: no database, no clock of its own, and
the same request always gives the same events with the same message ids, so that a request which
comes twice adds nothing. `edge` serves the addresses; events are committed before `reply` is asked.
"""

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from functools import cache
from typing import Any, ClassVar, Final
from urllib.parse import parse_qsl, urlsplit

import msgspec

from amity.kernel.registry import Registry
from amity.store.contracts import Receipt, Source
from amity.store.contracts_doors import Snippet
from amity.store.logic.intake.parsing import BadEvent, parse_object

__all__ = [
    "DIALECTS",
    "GIF",
    "BadEvent",
    "Call",
    "Dialect",
    "Reply",
    "Snippet",
    "Taken",
    "at_millis",
    "at_seconds",
    "campaign_of",
    "dialects",
    "dump",
    "make_id",
    "read_list",
    "translate",
]


class Call(msgspec.Struct, frozen=True, kw_only=True):
    """One request, as it came: ``body`` is inflated, the names of ``headers`` are in lower case.

    ``parts`` are the named pieces of its address: `/api/v1/customers/{id}` gives `{"id": …}`.
    ``host`` and ``scheme`` say how the client sees this server.
    """

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes
    parts: Mapping[str, str]
    host: str = ""
    scheme: str = "http"


class Taken(msgspec.Struct, frozen=True, kw_only=True):
    """What a request says: whose key it brings, and its events as JSON in the house's own form.

    ``write_key`` may stay "" when the key comes as the user of Basic authentication, as a Bearer
    token, as `writeKey` in the query or in the address: those are found without the dialect.
    ``is_question`` says that it only asks something: it is answered by `Dialect.answer`, also
    for a source that may not send now.
    """

    events: list[bytes]
    """Each an object as the collector takes it: `type`, `messageId`, `userId`, `properties`, …"""
    write_key: str = ""
    sent_at: datetime | None = None
    is_question: bool = False


class Reply(msgspec.Struct, frozen=True, kw_only=True):
    """What is answered."""

    status: int = 200
    headers: tuple[tuple[str, str], ...] = (("content-type", "application/json"),)
    body: bytes = b"{}"


GIF: Final = Reply(
    headers=(("content-type", "image/gif"), ("cache-control", "no-store")),
    body=bytes.fromhex(
        "47494638396101000100800000000000ffffff21f90401000000002c00000000010001000002024401003b"
    ),
)
"""A transparent picture of one pixel: what a request that poses as a picture is answered."""


class Dialect(ABC):
    """The addresses one vendor's clients call, and what their requests mean."""

    name: ClassVar[str]
    title: ClassVar[str]
    description: ClassVar[str]
    routes: ClassVar[tuple[str, ...]] = ()
    """Such as `POST /batch/` or `PUT /api/v1/customers/{id}`; a part named `write_key` is the key.

    A part holds no slash, unless nothing fits otherwise. Doubled and trailing slashes are nothing.
    """
    has_hook: ClassVar[bool] = True
    """Whether `POST /hooks/{name}/{write_key}` is an address of it too, as webhooks need."""
    native: ClassVar[Mapping[str, str | None]] = {}
    """POST addresses whose bodies are in the house's own form already, which are not given to
    `read`: each with the type of the one event it carries, `batch` for several, or None for what
    is taken and dropped. Several dialects may name the same address when they mean the same."""
    is_signed: ClassVar[bool] = False
    """Whether its requests are signed: without a secret of the source all are refused then."""
    is_for_servers: ClassVar[bool] = False
    """Whether a key that is public, as that of a browser source is, does not let in."""
    snippets: ClassVar[tuple[Snippet, ...]] = ()
    """How its clients are pointed here; of each at least one that needs nothing else."""
    libraries: ClassVar[tuple[str, ...]] = ()
    """What the names of its clients' libraries begin with, in small letters."""
    subscribe_to: ClassVar[str] = ""
    """For webhooks: what to choose at the sender, in its own words."""
    signed_with: ClassVar[str] = ""
    """For signed ones: which secret of the sender signs, and where it is found there."""

    def verify(self, call: Call, secret: bytes, now: datetime) -> bool:
        """Say whether the signature is the sender's and recent; only asked when `is_signed`."""
        raise NotImplementedError

    @abstractmethod
    def read(self, call: Call) -> Taken:
        """Return what the request says; raise BadEvent when it says nothing.

        An event with a fault is passed on as it is: the collector puts it into quarantine.
        """

    def find_key(self, call: Call) -> str:
        """Return the write key of a request that `read` refused, "" when it cannot be told.

        Asked only to know whose quarantine the request belongs into.
        """
        return ""

    def reply(self, call: Call, receipt: Receipt) -> Reply:
        """Return the answer once the events are committed."""
        return Reply(body=msgspec.json.encode(receipt))

    def answer(self, call: Call, source: Source) -> Reply:
        """Return the answer to a request that only asks (`Taken.is_question`)."""
        raise NotImplementedError

    def greet(self, call: Call) -> Reply | None:
        """Return the answer to an `OPTIONS` that is no browser's preflight, None for the usual."""
        return None

    def refuse(self, status: int, code: str, message: str) -> bytes:
        """Return the body of an answer other than 200, as JSON."""
        return msgspec.json.encode({"success": False, "code": code, "message": message})


DIALECTS: Final[Registry[Dialect]] = Registry(
    Dialect,  # type: ignore[type-abstract]  # the registry holds its subclasses
    group="amity.dialects",
)


@cache
def dialects() -> Registry[Dialect]:
    """Return all dialects, found on first use."""
    from amity.store import connectors as package  # noqa: PLC0415  # they import this module

    DIALECTS.discover(package)
    return DIALECTS


def make_id(dialect: str, *parts: str) -> str:
    """Return a message id out of what tells one event of a vendor from all others.

    Such as its own id, or its content and the time it says it happened. Without an id and without
    a time an event is better left without a message id: the same words twice may be two events.
    """
    text = "\0".join(parts).encode(errors="surrogatepass")
    return f"{dialect}-{hashlib.blake2b(text, digest_size=16).hexdigest()}"


def dump(event: Mapping[str, Any]) -> bytes:
    """Return an event as JSON, what is None left out.

    Raises BadEvent when it holds what JSON cannot carry.
    """
    try:
        return msgspec.json.encode({k: v for k, v in event.items() if v is not None})
    except (OverflowError, ValueError, TypeError, RecursionError) as error:
        raise BadEvent("wrong_type", "a value cannot be written as JSON") from error


def read_list(body: bytes) -> list[bytes]:
    """Return the items of a JSON list, each as its own text; raises BadEvent."""
    try:
        return list(map(bytes, _LIST.decode(body)))
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise BadEvent("not_json", "expected a JSON list") from error


_LIST: Final = msgspec.json.Decoder(list[msgspec.Raw])


def translate(
    items: Iterable[bytes], make: Callable[[dict[str, Any]], Iterable[Mapping[str, Any]]]
) -> list[bytes]:
    """Turn a vendor's items into events; one with a fault is passed on as it came.

    ``make`` gets each item as an object and may raise BadEvent.
    """
    events: list[bytes] = []
    for raw in items:
        try:
            events += [dump(event) for event in make(parse_object(raw)[0])]
        except BadEvent:
            events.append(raw)
    return events


def campaign_of(url: Any) -> dict[str, str] | None:
    """Return the campaign an address names by `utm_…`, as Segment's clients write it."""
    if not isinstance(url, str) or "utm_" not in url:
        return None
    try:
        pairs = parse_qsl(urlsplit(url).query, max_num_fields=100)
    except ValueError:
        return None
    found = {name[4:]: value for name, value in pairs if name.startswith("utm_")}
    if "campaign" in found:
        found["name"] = found.pop("campaign")
    return found or None


def at_seconds(value: Any) -> str | None:
    """Return seconds since 1970 as ISO 8601, None when it is no such number."""
    return _instant(value, 1.0)


def at_millis(value: Any) -> str | None:
    """Return milliseconds since 1970 (a number or its digits) as ISO 8601, None for no such."""
    return _instant(value, 1000.0)


def _instant(value: Any, scale: float) -> str | None:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        moment = datetime.fromtimestamp(float(value) / scale, UTC)
    except (ValueError, OverflowError, OSError):
        return None
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
