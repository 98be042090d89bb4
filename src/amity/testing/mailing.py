"""People, messages and a counting mail server, for tests of sending."""

import asyncio
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

from amity.broadcast.channels.email import EmailChannel
from amity.broadcast.logic.sending import fence
from amity.broadcast.logic.sending.ledger import NewSend, queue_sends
from amity.broadcast.logic.sending.process import relay_of
from amity.broadcast.logic.sending.sender import Clock, Sender
from amity.infra.config import override, settings
from amity.infra.database import Connection, transaction
from amity.store import api as store
from amity.testing.smtp_sink import Sink

GRANTED = (
    '{"marketing.email": {"status": "granted", "at": "2026-01-01T00:00:00Z", "source_id": 2,'
    ' "event_id": 1}}'
)


def address_of(number: int, mode: str = "") -> str:
    """Return a person's address; with a mode of the sink's in front."""
    return f"{mode}.p{number}@x.example" if mode else f"p{number}@x.example"


def make_people(
    connection: Connection, numbers: range, *, mode: str = "", consents: str = GRANTED
) -> None:
    """Put people into the store as if they had been folded there, all of whom agreed."""
    connection.execute(
        "INSERT INTO store_profile (id, name, email, consents, first_seen_at, last_seen_at,"
        " version)"
        " SELECT n, 'Maria ' || n, e, %s::jsonb, now(), now(), 1"
        " FROM unnest(%s::bigint[], %s::text[]) AS t (n, e)",
        [consents, list(numbers), [address_of(number, mode) for number in numbers]],
    )


def make_content(
    connection: Connection, *, message_class: str = "marketing", html: str = "", subject: str = ""
) -> int:
    """Put a content into the store and return its id."""
    row = connection.execute(
        "INSERT INTO broadcast_content (class, subject, source, html, text) VALUES"
        " (%s, %s, '', %s, 'Hello {{ customer.first_name }} {{ links.unsubscribe }}')"
        " RETURNING id",
        [
            message_class,
            subject or "Hello {{ customer.name }}",
            html or "<html><body><p>Hello {{ customer.name }}</p></body></html>",
        ],
    ).fetchone()
    assert row is not None
    return int(row[0])


def make_campaign(connection: Connection, number: int = 1, *, state: str = "sending") -> None:
    """Put a campaign there that is under way."""
    connection.execute(
        "INSERT INTO broadcast_campaign (id, name, segment_id, template_id, salt, state)"
        " OVERRIDING SYSTEM VALUE VALUES (%s, %s, 1, 1, '', %s)",
        [number, f"campaign {number}", state],
    )


def queue(
    connection: Connection, numbers: range, content_id: int, *, mode: str = "", **changes: Any
) -> int:
    """Plan a message to each of these people, of campaign 1 unless something else is said."""
    now = datetime.now(UTC)  # noqa: TID251  # tests only
    fields: dict[str, Any] = {
        "run_kind": "campaign",
        "run_id": 1,
        "message_class": "marketing",
        "purpose": "marketing.email",
        "content_id": content_id,
        "planned_at": now,
        "not_before": now - timedelta(minutes=1),
        "not_after": now + timedelta(hours=24),
    }
    rows = [
        NewSend(
            contact_point=store.contact_key(channel="email", address=address_of(number, mode)),
            profile_id=number,
            **{**fields, **changes},
        )
        for number in numbers
    ]
    store.ensure_contact_points(
        connection=connection, channel="email", address_keys={row.contact_point for row in rows}
    )
    return queue_sends(connection, rows)


def count_states() -> Counter[str]:
    """Return how many messages are in each state, with the reason after a colon."""
    with transaction() as connection:
        rows = connection.execute(
            "SELECT state || CASE WHEN reason = '' THEN '' ELSE ':' || reason END, count(*)"
            " FROM broadcast_send GROUP BY 1"
        ).fetchall()
    return Counter(dict(rows))


@contextmanager
def sender_running(*, clock: Clock) -> Iterator[Sender]:
    """Run a sender in a thread of its own, as settings say, and stop it in order."""
    loop, using = asyncio.new_event_loop(), settings()
    sender = Sender(EmailChannel(relay_of(using)), using, clock=clock)
    thread = threading.Thread(target=loop.run_until_complete, args=(sender.run(),), daemon=True)
    thread.start()
    try:
        yield sender
    finally:
        loop.call_soon_threadsafe(sender.stop)
        thread.join(60)
        loop.close()


@contextmanager
def sink_running(*, port: int = 0, **options: Any) -> Iterator[tuple[Sink, int]]:
    """Run a sink in a thread of its own; gives it and its port."""
    sink, loop = Sink(**options), asyncio.new_event_loop()
    port = loop.run_until_complete(sink.start(port))
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    try:
        yield sink, port
    finally:
        asyncio.run_coroutine_threadsafe(sink.stop(), loop).result(60)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(60)
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.close()


@contextmanager
def sending_to_sink(*, now: datetime) -> Iterator[Sink]:
    """Let the process send, at once and at any hour, to a sink of its own; yield the sink."""
    fence.arm_new_installation(now=now)
    with (
        sink_running() as (running, port),
        override(
            smtp_url=f"smtp://127.0.0.1:{port}?patience=0.003",
            postal_address="9 Sender Lane, Testville",
            quiet_from=0,
            quiet_until=0,
            send_retry_seconds=0.2,
        ),
    ):
        yield running


def plan_sends(numbers: range, *, run_id: int = 1, **changes: Any) -> None:
    """Queue a message to each of these people; they, the campaign and its words are made first.

    ``changes`` go to `queue`; with a ``content_id`` that content is sent.
    """
    has_campaign = "SELECT FROM broadcast_campaign WHERE id = %s"
    has_people = "SELECT FROM store_profile WHERE id = %s"
    with transaction() as connection:
        if not connection.execute(has_campaign, [run_id]).rowcount:
            make_campaign(connection, run_id)
        if not connection.execute(has_people, [numbers[0]]).rowcount:
            make_people(connection, numbers)
        content_id = changes.pop("content_id", None) or make_content(connection)
        queue(connection, numbers, content_id, run_id=run_id, **changes)
