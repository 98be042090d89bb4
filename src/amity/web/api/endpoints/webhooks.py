"""Webhooks: others who are told of events, their secrets, and what became of each delivery."""

from typing import Annotated

import msgspec
from msgspec import UNSET, Meta, UnsetType

from amity.kernel.pagination import Page
from amity.store import api_outbound
from amity.store.contracts_outbound import (
    Attempt,
    Delivery,
    DeliveryState,
    OutboundEndpoint,
    OutboundFormat,
    OutboundPlan,
    OutboundState,
)
from amity.web.api.documents_doors import MadeWebhook, WebhookDocument, pick
from amity.web.api.given import given
from amity.web.api.routing import Call, Cursor, Limit, RowId, SmallRowId, route

Name = Annotated[str, Meta(min_length=1, max_length=100)]
Url = Annotated[str, Meta(max_length=2000, description="Public https, unless opened otherwise.")]
Events = Annotated[
    list[Annotated[str, Meta(max_length=200)]],
    Meta(min_length=1, max_length=100, description="Names of events; `*` is every event."),
]
Segments = Annotated[
    list[SmallRowId],
    Meta(max_length=100, description="Of entering and leaving segments only these."),
]
Purpose = Annotated[
    str, Meta(max_length=100, description="Who allowed it is told of; empty: nothing personal.")
]


class NewWebhook(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A webhook to make."""

    name: Name
    url: Url
    events: Events
    segment_ids: Segments = []
    purpose: Purpose = ""
    format: OutboundFormat = "standard_webhooks"


class WebhookChange(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What to change of a webhook; what is absent stays."""

    name: Name | UnsetType = UNSET
    url: Url | UnsetType = UNSET
    events: Events | UnsetType = UNSET
    segment_ids: Segments | UnsetType = UNSET
    purpose: Purpose | UnsetType = UNSET
    format: OutboundFormat | UnsetType = UNSET
    state: OutboundState | UnsetType = UNSET


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


@route("GET", "/webhooks", scope="outbound:read")
def list_webhooks() -> Page[OutboundEndpoint]:
    """List the endpoints of others that are told of events and how each does, by name."""
    return Page(api_outbound.list_endpoints())


@route(
    "POST",
    "/webhooks",
    scope="outbound:write",
    status=201,
    location="/webhooks/{it.webhook.endpoint_id}",
)
def create_webhook(body: NewWebhook, call: Call) -> MadeWebhook:
    """Make a webhook, which is told of what happens from now on.

    The answer holds the secret that what it is told is signed with; it is shown this once.
    """
    made = api_outbound.create_endpoint(plan=OutboundPlan(**given(body)), by=call.caller)
    return MadeWebhook(webhook=pick(WebhookDocument, made.endpoint), secret=made.secret)


@route("GET", "/webhooks/{endpoint_id}", scope="outbound:read")
def get_webhook(endpoint_id: SmallRowId) -> WebhookDocument:
    """Get a webhook as it was made: what it is told, and for what purpose."""
    return pick(WebhookDocument, api_outbound.get_endpoint(endpoint_id=endpoint_id))


@route("PATCH", "/webhooks/{endpoint_id}", scope="outbound:write")
def update_webhook(endpoint_id: SmallRowId, body: WebhookChange) -> WebhookDocument:
    """Change what a webhook is told and where; pause, disable or enable it."""
    changes = given(body)
    state = changes.pop("state", None)
    if changes:
        found = pick(OutboundPlan, api_outbound.get_endpoint(endpoint_id=endpoint_id))
        plan = msgspec.structs.replace(found, **changes)
        api_outbound.update_endpoint(endpoint_id=endpoint_id, plan=plan)
    if state is not None:
        api_outbound.set_endpoint_state(endpoint_id=endpoint_id, state=state)
    return get_webhook(endpoint_id)


@route("DELETE", "/webhooks/{endpoint_id}", scope="outbound:write")
def delete_webhook(endpoint_id: SmallRowId) -> None:
    """Delete a webhook with the record of what it was told; what waits is not told."""
    api_outbound.delete_endpoint(endpoint_id=endpoint_id)


@route("GET", "/webhooks/{endpoint_id}/health", scope="outbound:read")
def get_webhook_health(endpoint_id: SmallRowId) -> OutboundEndpoint:
    """Say how a webhook does: failures in a row, how many were delivered, wait, were withheld."""
    return api_outbound.get_endpoint(endpoint_id=endpoint_id)


@route("POST", "/webhooks/{endpoint_id}/rotate-secret", scope="outbound:write")
def rotate_webhook_secret(endpoint_id: SmallRowId) -> MadeWebhook:
    """Give a webhook a new secret, shown this once; for a day the former one signs as well."""
    made = api_outbound.rotate_endpoint_secret(endpoint_id=endpoint_id)
    return MadeWebhook(webhook=pick(WebhookDocument, made.endpoint), secret=made.secret)


@route("POST", "/webhooks/{endpoint_id}/test", scope="outbound:write")
def try_webhook(endpoint_id: SmallRowId, call: Call) -> Attempt:
    """Send a made-up event at once, and say what came of it; `error` is empty when it was taken."""
    return api_outbound.try_endpoint(endpoint_id=endpoint_id, now=call.now)


@route("GET", "/webhooks/{endpoint_id}/deliveries", scope="outbound:read")
def list_webhook_deliveries(endpoint_id: SmallRowId, query: DeliveriesQuery) -> Page[Delivery]:
    """List what an endpoint was told or is to be told, the latest first.

    What it answered is shown on the screens only, and left empty here.
    """
    page = api_outbound.list_deliveries(
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
    return Replayed(
        deliveries=api_outbound.replay_deliveries(endpoint_id=endpoint_id, delivery_ids=ids)
    )
