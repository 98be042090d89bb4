"""The plug point of what calls us over HTTP: a dialect turns the requests of one vendor's clients
or webhooks into events in the house's own form, and answers as that vendor expects.

One dialect is one file in `store/connectors/`. It is pure: no database, no clock of its own, and
the same request always gives the same events with the same message ids, so that a request which
comes twice adds nothing. `edge` serves the addresses; events are committed before `reply` is asked.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from datetime import datetime
from functools import cache
from typing import ClassVar, Final

import msgspec

from amity.kernel.registry import Registry
from amity.store.contracts import Receipt


class Call(msgspec.Struct, frozen=True, kw_only=True):
    """One request, as it came: ``body`` is inflated, the names of ``headers`` are in lower case.

    ``parts`` are the named pieces of its address: `/api/v1/customers/{id}` gives `{"id": …}`.
    """

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes
    parts: Mapping[str, str]


class Taken(msgspec.Struct, frozen=True, kw_only=True):
    """What a request says: whose key it brings, and its events as JSON in the house's own form."""

    events: list[bytes]
    """Each an object as the collector takes it: `type`, `messageId`, `userId`, `properties`, …"""
    write_key: str = ""
    sent_at: datetime | None = None


class Reply(msgspec.Struct, frozen=True, kw_only=True):
    """What is answered."""

    status: int = 200
    headers: tuple[tuple[str, str], ...] = (("content-type", "application/json"),)
    body: bytes = b"{}"


class Dialect(ABC):
    """The addresses one vendor's clients call, and what their requests mean."""

    name: ClassVar[str]
    title: ClassVar[str]
    description: ClassVar[str]
    routes: ClassVar[tuple[str, ...]]
    """Such as `POST /batch/` or `PUT /api/v1/customers/{id}`; a part takes no slash.

    Webhooks are served under `POST /hooks/{name}/{write_key}` and need name none.
    """
    is_signed: ClassVar[bool] = False
    """Whether its requests are signed: without a secret of the source all are refused then."""

    def verify(self, call: Call, secret: bytes, now: datetime) -> bool:
        """Say whether the signature is the sender's and recent; only asked when `is_signed`."""
        raise NotImplementedError

    @abstractmethod
    def read(self, call: Call) -> Taken:
        """Return what the request says; raise store.logic.decoding.BadEvent when it says nothing.

        An event with a fault is passed on as it is: the collector puts it into quarantine.
        """

    def reply(self, call: Call, receipt: Receipt) -> Reply:
        """Return the answer once the events are committed."""
        return Reply(body=msgspec.json.encode(receipt))


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
