"""The send ledger (rules D18 and D19): every message to anybody is a row, and a row is sent once.

    queued ─► claimed ─► wire ─► sent | failed | unknown
       └────────┴─► suppressed | cancelled | expired      (and back to queued when put off)

A sender claims rows with a lease and a token that rises with every claim; whatever it writes back
is conditional on that token. `gate` alone moves a row to `wire`, in the transaction that asks
whether it may be sent, just before the bytes that cannot be taken back. From `wire` there is no
way back without a reply: a sender that dies there leaves an `unknown`, which nobody sends again.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final, Literal, NamedTuple
from uuid import UUID

import msgspec

from amity.broadcast.contracts import MessageClass, RunKind, SendState
from amity.infra import queries
from amity.infra.database import Connection

_SQL: Final = queries.load("amity.broadcast")
MOST_CRASHES: Final = 25
"""A message that was held by so many senders when they died is put aside."""

RETRY_SECONDS: Final = 900.0
REPLY_LENGTH: Final = 500


class NewSend(msgspec.Struct, frozen=True, kw_only=True):
    """A message that is planned: who gets what, on which occasion, and when at the latest.

    ``contact_point`` is `store.api.contact_key(channel, address)`, or `profile:ID` for somebody
    without an address. ``run_id`` is 0 for tests and services; ``step_key`` tells the occasions
    of a run apart. With a ``reason`` it is written down as suppressed and never sent.
    """

    run_kind: RunKind
    run_id: int = 0
    step_key: str = ""
    contact_point: str
    profile_id: int
    channel: str = "email"
    message_class: MessageClass
    purpose: str = ""
    content_id: int
    variables: dict[str, Any] = {}
    """What the template may say besides the profile: `event`, `placement`."""
    test_address: str = ""
    reason: str = ""
    priority: int = 5
    planned_at: datetime
    not_before: datetime
    not_after: datetime


def queue_sends(connection: Connection, rows: Sequence[NewSend]) -> int:
    """Write messages into the ledger in the caller's transaction; return how many are new.

    What is there already, by run, step and contact point, stays as it is.
    """
    if not rows:
        return 0
    document = msgspec.json.encode(rows).decode()
    return connection.execute(_SQL["ledger_queue"], [document]).rowcount


class Claimed(NamedTuple):
    """One message that is this sender's for as long as its lease lasts."""

    send_id: UUID
    token: int
    run_kind: RunKind
    run_id: int
    profile_id: int
    channel: str
    message_class: MessageClass
    purpose: str
    content_id: int
    variables: dict[str, Any]
    test_address: str
    attempts: int
    planned_at: datetime


def claim(
    connection: Connection, *, owner: str, limit: int, lease_seconds: float
) -> tuple[list[Claimed], int]:
    """Claim up to ``limit`` messages that are due, and as many that another sender let go.

    Returns them and how many were found to be too late or put aside instead.
    """
    rows = connection.execute(
        _SQL["ledger_claim"],
        {
            "owner": owner,
            "limit": limit,
            "lease_seconds": lease_seconds,
            "most_crashes": MOST_CRASHES,
        },
    ).fetchall()
    claimed = [Claimed(*row[1:]) for row in rows if row[0] == "claimed"]
    return claimed, len(rows) - len(claimed)


class Settlement(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one message.

    ``state`` queued = again after ``wait_seconds``; ``is_free`` then takes the attempt back, since
    it was not the message's fault.
    """

    send_id: UUID
    token: int
    state: Literal["sent", "failed", "unknown", "queued"]
    reason: str = ""
    reply: str = ""
    subject: str = ""
    body_hash: bytes | None = None
    wait_seconds: float = 0
    is_free: bool = False


def settle(connection: Connection, owner: str, done: Sequence[Settlement]) -> dict[UUID, bool]:
    """Write down what became of messages; return those that were still this sender's.

    With each, whether there still is a customer it was for.
    """
    if not done:
        return {}
    rows = connection.execute(
        _SQL["ledger_settle"],
        {
            "owner": owner,
            "ids": [each.send_id for each in done],
            "tokens": [each.token for each in done],
            "states": [each.state for each in done],
            "reasons": [each.reason for each in done],
            "replies": [each.reply[:REPLY_LENGTH] for each in done],
            "subjects": [each.subject for each in done],
            "hashes": [each.body_hash for each in done],
            "waits": [each.wait_seconds for each in done],
            "free": [each.is_free for each in done],
        },
    ).fetchall()
    return dict(rows)


def heartbeat(
    connection: Connection, *, owner: str, send_ids: Sequence[UUID], lease_seconds: float
) -> None:
    """Say that the sender lives and still holds these."""
    connection.execute(
        _SQL["ledger_heartbeat"],
        {"owner": owner, "ids": list(send_ids), "lease_seconds": lease_seconds},
    )


def reap(connection: Connection) -> int:
    """Give up what is on the wire of a silent sender as unknown; return how many."""
    doubtful = connection.execute(_SQL["ledger_reap"]).rowcount
    connection.execute(_SQL["ledger_retry"], {"wait_seconds": RETRY_SECONDS})
    return doubtful


def sweep(connection: Connection) -> int:
    """End what waits although it is too late or its run is over; return how many."""
    return connection.execute(_SQL["ledger_sweep"]).rowcount


def count_by_state(connection: Connection) -> dict[SendState, int]:
    """Return how many messages are in each state; what is in none is left out."""
    return dict(connection.execute(_SQL["ledger_counts"]).fetchall())
