"""The ways in and out: those that are no plug-ins by themselves, and which clients are heard."""

from typing import Final

import msgspec

from amity.infra import queries
from amity.infra.database import transaction
from amity.store.contracts_doors import Door
from amity.store.dialect import dialects
from amity.store.logic.mail.mailboxes import DOOR as MAILBOXES
from amity.store.logic.outbound.endpoints import DOOR as WEBHOOKS
from amity.store.logic.pulling.pulls import DOOR as DATABASES
from amity.store.logic.telling.enriching_plan import DOOR as ENRICHMENT

_SQL: Final = queries.load("amity.store")
_LATEST: Final = 1_000
_TRACKER: Final = ("amity.js", "tracker")


class _Library(msgspec.Struct):
    name: str = ""


class _Context(msgspec.Struct):
    library: _Library = msgspec.field(default_factory=_Library)


class _Event(msgspec.Struct):
    context: _Context = msgspec.field(default_factory=_Context)


_EVENT: Final = msgspec.json.Decoder(_Event)


def list_doors() -> list[Door]:
    """Return those that are no plug-ins, by title."""
    return sorted((DATABASES, ENRICHMENT, MAILBOXES, WEBHOOKS), key=lambda door: door.title)


def list_heard() -> set[str]:
    """Return the names of the dialects that are heard among the latest thousand events.

    A client is known by the name of its library, what was translated by its message ids; who
    hides both is not heard. Our own tracker is `tracker`.
    """
    with transaction() as connection:
        rows = connection.execute(_SQL["doors_latest"], [_LATEST]).fetchall()
    ids = {row[0].partition("-")[0] for row in rows}
    libraries = {_library(bytes(row[1])) for row in rows} - {""}
    own = {name for library, name in (_TRACKER,) if library in libraries}
    return own | {
        kind.name
        for kind in dialects()
        if kind.name in ids or any(name.startswith(kind.libraries) for name in libraries)
    }


def _library(body: bytes) -> str:
    try:
        return _EVENT.decode(body).context.library.name.casefold()
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return ""
