"""Endpoints: who is told of what, their secrets, and the record of what was told."""

import os
from datetime import datetime
from typing import Any, Final

import msgspec
import psycopg

from amity.infra import egress, queries
from amity.infra.crypto import decrypt, encrypt
from amity.infra.database import Connection, transaction
from amity.kernel.errors import AmityError, Conflict, Invalid, NotFound
from amity.kernel.pagination import Page, decode_cursor, encode_cursor
from amity.store.contracts import SYSTEM_SOURCE_ID
from amity.store.contracts_doors import Door
from amity.store.contracts_outbound import (
    Attempt,
    Delivery,
    DeliveryState,
    MadeEndpoint,
    OutboundEndpoint,
    OutboundFormat,
    OutboundPlan,
    OutboundState,
)
from amity.store.logic.outbound.message import (
    Content,
    Message,
    make_message,
    make_secret,
    message_id,
    sign,
)

DOOR: Final = Door(
    name="webhooks",
    title="Webhooks to others",
    description="Events told to other systems as they happen: Standard Webhooks and CloudEvents.",
    needs="A public https address",
    steps=(
        "Make the webhook: its URL, the events it hears of, and for which purpose; without one "
        "nothing personal is told.",
        "Copy the secret, which is shown once, to the other side: any library of Standard "
        "Webhooks checks with it that a message is yours.",
        "Send a test event, and look at what the other side answered.",
    ),
    is_out=True,
)
_SQL: Final = queries.load("amity.store")
_SECRET_BYTES: Final = 32
_OVERLAP_SECONDS: Final = 86_400
_MAX_LIMIT: Final = 200
_MOST_NAMES: Final = 100
_REPLY_BYTES: Final = 65_536
_REPLY_KEPT: Final = 1_000
_TIMEOUT_SECONDS: Final = 15.0
_FORMATS: Final = frozenset(OutboundFormat.__args__)  # type: ignore[attr-defined]  # a Literal


def create_endpoint(*, plan: OutboundPlan, by: str) -> MadeEndpoint:
    """Make an endpoint that is told of what happens from now on; its secret is shown this once.

    Raises Invalid for a plan that cannot be, Denied for a URL that may not be called from here,
    Conflict when the name is taken.
    """
    clean = _clean(plan)
    egress.check_url(clean.url)
    secret = make_secret(os.urandom(_SECRET_BYTES))
    with transaction() as connection:
        row = connection.execute(_SQL["outbound_insert"], _fields(clean) | {"by": by}).fetchone()
        if row is None:
            raise _taken(clean.name)
        _write_secret(connection, row[0], secret, keep=False)
        return MadeEndpoint(endpoint=_get(connection, row[0]), secret=secret)


def update_endpoint(*, endpoint_id: int, plan: OutboundPlan) -> OutboundEndpoint:
    """Change what an endpoint is told and where; what is queued already goes to the new URL."""
    clean = _clean(plan)
    egress.check_url(clean.url)
    try:
        with transaction() as connection:
            given = _fields(clean) | {"id": endpoint_id}
            if connection.execute(_SQL["outbound_update"], given).fetchone() is None:
                raise _unknown(endpoint_id)
            return _get(connection, endpoint_id)
    except psycopg.errors.UniqueViolation as error:
        raise _taken(clean.name) from error


def rotate_endpoint_secret(*, endpoint_id: int) -> MadeEndpoint:
    """Give an endpoint a new secret, shown this once; for a day the old one signs as well."""
    secret = make_secret(os.urandom(_SECRET_BYTES))
    with transaction() as connection:
        _write_secret(connection, endpoint_id, secret, keep=True)
        return MadeEndpoint(endpoint=_get(connection, endpoint_id), secret=secret)


def set_endpoint_state(*, endpoint_id: int, state: OutboundState) -> OutboundEndpoint:
    """Enable, pause or disable an endpoint.

    While it is paused deliveries wait; what happens while it is disabled is not told later.
    """
    with transaction() as connection:
        given = {"id": endpoint_id, "state": state, "reason": ""}
        if connection.execute(_SQL["outbound_set_state"], given).fetchone() is None:
            raise _unknown(endpoint_id)
        return _get(connection, endpoint_id)


def delete_endpoint(*, endpoint_id: int) -> None:
    """Delete an endpoint with the record of its deliveries."""
    with transaction() as connection:
        if connection.execute(_SQL["outbound_delete"], [endpoint_id]).fetchone() is None:
            raise _unknown(endpoint_id)


def get_endpoint(*, endpoint_id: int) -> OutboundEndpoint:
    """Return one endpoint; raise NotFound when there is none."""
    with transaction() as connection:
        return _get(connection, endpoint_id)


def list_endpoints() -> list[OutboundEndpoint]:
    """Return all endpoints, by name."""
    with transaction() as connection:
        rows = connection.execute(_SQL["outbound_read"], {"id": None})
        return [_endpoint(row) for row in rows]


def try_endpoint(*, endpoint_id: int, now: datetime) -> Attempt:
    """Send an endpoint a made-up event, at once and once, and return what came of it."""
    with transaction() as connection:
        target = read_targets(connection, [endpoint_id]).get(endpoint_id)
    if target is None:
        raise _unknown(endpoint_id)
    content = Content(
        event_id=0,
        profile_id=None,
        user_id=None,
        source_id=SYSTEM_SOURCE_ID,
        occurred_at=now,
        name="Test Event",
        properties={},
    )
    return send(target, make_message(content, target.format, endpoint_id), at=now)


def list_deliveries(
    *,
    endpoint_id: int,
    state: DeliveryState | None = None,
    name: str = "",
    cursor: str | None = None,
    limit: int = 50,
) -> Page[Delivery]:
    """Return a page of what an endpoint was told or is to be told, the latest first."""
    limit = max(1, min(limit, _MAX_LIMIT))
    before = decode_cursor(cursor, (int,))[0] if cursor is not None else None
    given = {
        "endpoint_id": endpoint_id,
        "state": state or "",
        "name": name.replace("\0", ""),
        "before": before,
        "limit": limit + 1,
    }
    with transaction() as connection:
        _get(connection, endpoint_id)
        rows = connection.execute(_SQL["outbound_list"], given).fetchall()
    more, rows = len(rows) > limit, rows[:limit]
    return Page([_delivery(row) for row in rows], encode_cursor([rows[-1][0]]) if more else None)


def replay_deliveries(*, endpoint_id: int, delivery_ids: list[int] | None = None) -> int:
    """Have deliveries tried again at once, under the ids they had; return how many.

    Without ids: all that failed, and those that wait for their next attempt. With ids also what
    was delivered already; whoever has it knows it by its id.
    """
    states = ["failed"] if delivery_ids is None else ["failed", "delivered"]
    given = {"endpoint_id": endpoint_id, "ids": delivery_ids, "states": states}
    with transaction() as connection:
        _get(connection, endpoint_id)
        return connection.execute(_SQL["outbound_replay"], given).rowcount


class Target(msgspec.Struct, frozen=True, kw_only=True):
    """What sending to an endpoint takes."""

    endpoint_id: int
    url: str
    format: OutboundFormat
    purpose: str
    secrets: tuple[bytes, ...]


def read_targets(connection: Connection, endpoint_ids: list[int]) -> dict[int, Target]:
    """Return what sending to some endpoints takes, by their ids; secrets are still encrypted."""
    rows = connection.execute(_SQL["outbound_secrets"], [endpoint_ids])
    return {
        row[0]: Target(
            endpoint_id=row[0],
            url=row[1],
            format=row[2],
            purpose=row[3],
            secrets=tuple(sealed for sealed in row[4:6] if sealed),
        )
        for row in rows
    }


def send(target: Target, message: Message, *, at: datetime) -> Attempt:
    """Sign a message and send it once; whatever comes of it is returned, not raised."""
    try:
        secrets = [decrypt(sealed, about=_about(target.endpoint_id)) for sealed in target.secrets]
        answer = egress.fetch(
            method="POST",
            url=target.url,
            headers=[*message.headers, *sign(message, secrets=secrets, at=at)],
            body=message.body,
            timeout_seconds=_TIMEOUT_SECONDS,
            max_bytes=_REPLY_BYTES,
        )
    except AmityError as error:
        return Attempt(status=None, error=error.message[:_REPLY_KEPT], reply="")
    text = answer.body[:_REPLY_KEPT].decode("utf-8", "replace").replace("\0", "")
    return Attempt(
        status=answer.status,
        error="" if answer.is_success else f"the other side answered {answer.status}",
        reply=text[:_REPLY_KEPT],
        retry_after_seconds=answer.retry_after_seconds,
    )


def _clean(plan: OutboundPlan) -> OutboundPlan:
    name = " ".join(plan.name.split())
    if not 0 < len(name) <= 100 or "\0" in name:
        raise Invalid("an endpoint's name has 1 to 100 characters", code="bad_name")
    if len(plan.url) > 2000:
        raise Invalid("a URL has at most 2000 characters", code="bad_url")
    if plan.format not in _FORMATS:
        raise Invalid(f"there is no format {plan.format!r}", code="bad_format")
    events = sorted({each.strip() for each in plan.events} - {""})
    if not 0 < len(events) <= _MOST_NAMES or any(len(e) > 200 or "\0" in e for e in events):
        raise Invalid("name 1 to 100 events, or * for every event", code="bad_events")
    if len(plan.segment_ids) > _MOST_NAMES:
        raise Invalid("name at most 100 segments", code="bad_segments")
    purpose = plan.purpose.strip()
    if len(purpose) > 100 or "\0" in purpose:
        raise Invalid("a purpose has at most 100 characters", code="bad_purpose")
    return msgspec.structs.replace(
        plan, name=name, url=plan.url.strip(), events=events, purpose=purpose
    )


def _fields(plan: OutboundPlan) -> dict[str, Any]:
    return msgspec.structs.asdict(plan)


def _about(endpoint_id: int) -> str:
    return f"outbound.{endpoint_id}"


def _write_secret(connection: Connection, endpoint_id: int, secret: str, *, keep: bool) -> None:
    given = {
        "id": endpoint_id,
        "secret": encrypt(secret, about=_about(endpoint_id)),
        "keep": keep,
        "overlap": _OVERLAP_SECONDS,
    }
    if connection.execute(_SQL["outbound_set_secret"], given).fetchone() is None:
        raise _unknown(endpoint_id)


def _get(connection: Connection, endpoint_id: int) -> OutboundEndpoint:
    row = None
    if 0 < endpoint_id < 2**63:
        row = connection.execute(_SQL["outbound_read"], {"id": endpoint_id}).fetchone()
    if row is None:
        raise _unknown(endpoint_id)
    return _endpoint(row)


def _unknown(endpoint_id: int) -> NotFound:
    return NotFound(f"there is no endpoint {endpoint_id}")


def _taken(name: str) -> Conflict:
    return Conflict(f"an endpoint named {name!r} exists already", code="endpoint_exists")


def _endpoint(row: tuple[Any, ...]) -> OutboundEndpoint:
    return OutboundEndpoint(**dict(zip(OutboundEndpoint.__struct_fields__, row, strict=True)))


def _delivery(row: tuple[Any, ...]) -> Delivery:
    its_id = message_id(row[1], row[2])
    values = (*row[:3], its_id, *row[3:])
    return Delivery(**dict(zip(Delivery.__struct_fields__, values, strict=True)))
