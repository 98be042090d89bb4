"""Events: what was received lately, and what was put aside."""

from datetime import datetime
from typing import Annotated

import msgspec
from msgspec import Meta

from amity.kernel.pagination import Page
from amity.store import api as store
from amity.store.contracts import Receipt
from amity.store.contracts_tracking import QuarantineFilter
from amity.web.api.documents import (
    EventDocument,
    QuarantinedDocument,
    event_document,
    quarantined_document,
)
from amity.web.api.routing import Cursor, Limit, RowId, SmallRowId, route


class EventsQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which events; with the `next_cursor` of an answer, those received since."""

    source_id: SmallRowId | None = None
    cursor: Cursor | None = None
    limit: Limit = 50


class QuarantineQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which of the events put aside."""

    source_id: SmallRowId | None = None
    reason: Annotated[str, Meta(max_length=100)] | None = None
    event: Annotated[str, Meta(max_length=200, description="Its name, as in the bytes.")] = ""
    text: Annotated[
        str, Meta(max_length=200, description="Text in the bytes or in what is wrong with them.")
    ] = ""
    since: Annotated[datetime, Meta(tz=True, description="Received at or after.")] | None = None
    until: Annotated[datetime, Meta(tz=True, description="Received before.")] | None = None
    open_only: Annotated[bool, Meta(description="Only those not replayed yet.")] = True
    cursor: Cursor | None = None
    limit: Limit = 50


class ToReplay(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which events to try again; null means all that are open."""

    quarantine_ids: Annotated[list[RowId], Meta(min_length=1, max_length=1000)] | None


@route("GET", "/events", scope="events:read")
def list_events(query: EventsQuery) -> Page[EventDocument]:
    """List the latest events, newest first; with a cursor, those received since, oldest first.

    `next_cursor` is always there once an event is: ask again with it to follow the log.
    """
    found = store.list_received(source_id=query.source_id, after=query.cursor, limit=query.limit)
    # Newest first without a cursor, oldest first after one: the newest is at either end.
    newest = found[-1 if query.cursor else 0].cursor if found else query.cursor
    return Page([event_document(event) for event in found], newest)


@route("GET", "/quarantine", scope="events:read")
def list_quarantine(query: QuarantineQuery) -> Page[QuarantinedDocument]:
    """List the events that could not be understood, the latest first."""
    page = store.list_quarantine(
        source_id=query.source_id,
        reason=query.reason,
        narrow=QuarantineFilter(
            event=query.event, text=query.text, since=query.since, until=query.until
        ),
        open_only=query.open_only,
        cursor=query.cursor,
        limit=query.limit,
    )
    return Page([quarantined_document(event) for event in page.items], page.next_cursor)


@route("POST", "/quarantine/replay", scope="sources:write")
def replay_quarantine(body: ToReplay) -> Receipt:
    """Try events put aside again, each taking effect once at most."""
    return store.replay_quarantine(quarantine_ids=body.quarantine_ids)
