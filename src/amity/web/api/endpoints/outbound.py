"""Telling others: webhooks and what became of them, exports and their runs."""

from typing import Annotated

import msgspec
from msgspec import Meta

from amity.kernel.pagination import Page
from amity.store import api as store
from amity.store.contracts_outbound import (
    Delivery,
    DeliveryState,
    Export,
    ExportRun,
    OutboundEndpoint,
)
from amity.web.api.routing import Call, Cursor, Limit, RowId, SmallRowId, route


class DeliveriesQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which deliveries of an endpoint: of a state, of an event."""

    state: DeliveryState | None = None
    event: Annotated[str, Meta(max_length=255)] = ""
    cursor: Cursor | None = None
    limit: Limit = 50


class DeliveriesToReplay(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which deliveries to try again; without ids all that failed."""

    delivery_ids: Annotated[list[RowId], Meta(min_length=1, max_length=1000)] | None = None


class Replayed(msgspec.Struct, frozen=True, kw_only=True):
    """How many deliveries are tried again."""

    deliveries: int


class RunAsked(msgspec.Struct, frozen=True, kw_only=True):
    """A run that begins within seconds."""

    run_id: int


@route("GET", "/webhooks", scope="outbound:read")
def list_webhooks() -> Page[OutboundEndpoint]:
    """List the endpoints of others that are told of events, by name."""
    return Page(store.list_endpoints())


@route("GET", "/webhooks/{endpoint_id}", scope="outbound:read")
def get_webhook(endpoint_id: SmallRowId) -> OutboundEndpoint:
    """Get an endpoint: what it is told, for what purpose, and how that goes."""
    return store.get_endpoint(endpoint_id=endpoint_id)


@route("GET", "/webhooks/{endpoint_id}/deliveries", scope="outbound:read")
def list_webhook_deliveries(endpoint_id: SmallRowId, query: DeliveriesQuery) -> Page[Delivery]:
    """List what an endpoint was told or is to be told, the latest first.

    What it answered is shown on the screens only, and left empty here.
    """
    store.get_endpoint(endpoint_id=endpoint_id)
    page = store.list_deliveries(
        endpoint_id=endpoint_id,
        state=query.state,
        name=query.event,
        cursor=query.cursor,
        limit=query.limit,
    )
    shown = [msgspec.structs.replace(each, last_reply="") for each in page.items]
    return Page(shown, page.next_cursor)


@route("POST", "/webhooks/{endpoint_id}/replay", scope="outbound:write")
def replay_webhook(endpoint_id: SmallRowId, body: DeliveriesToReplay) -> Replayed:
    """Have deliveries tried again at once, under the ids they had."""
    ids = body.delivery_ids
    return Replayed(deliveries=store.replay_deliveries(endpoint_id=endpoint_id, delivery_ids=ids))


@route("GET", "/exports", scope="outbound:read")
def list_exports() -> Page[Export]:
    """List the exports of segments to files and databases, by name."""
    return Page(store.list_exports())


@route("GET", "/exports/{export_id}", scope="outbound:read")
def get_export(export_id: SmallRowId) -> Export:
    """Get an export: what goes where, and for what purpose."""
    return store.get_export(export_id=export_id)


@route("GET", "/exports/{export_id}/runs", scope="outbound:read")
def list_export_runs(export_id: SmallRowId) -> Page[ExportRun]:
    """List the latest runs of an export, the latest first."""
    store.get_export(export_id=export_id)
    return Page(store.list_export_runs(export_id=export_id))


@route("POST", "/exports/{export_id}/run", scope="outbound:write", status=202)
def run_export(export_id: SmallRowId, call: Call) -> RunAsked:
    """Have an export run soon; 409 while a run of it is under way."""
    return RunAsked(run_id=store.ask_export(export_id=export_id, by=call.caller))
