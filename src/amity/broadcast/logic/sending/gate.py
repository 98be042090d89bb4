"""The gate (rules D19, D21): the only way onto the wire, for every channel, class and caller.

A message may be sent when, in one transaction, everything that can say no is locked, is asked,
and has said nothing; the row is on the wire when that transaction commits. Only then is there a
token, and without a token no channel hands a message over.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple
from uuid import UUID

from psycopg import Cursor
from psycopg.rows import TupleRow

from amity.broadcast.channel import GateToken
from amity.broadcast.contracts_staff import StaffLetter
from amity.broadcast.logic.sending.fence import Fence, advance_file, check
from amity.infra import queries
from amity.infra.config import settings
from amity.infra.database import Connection, transaction
from amity.store import api as store
from amity.store.contracts import Channel

_SQL: Final = queries.load("amity.broadcast")


class Candidate(NamedTuple):
    """A message that stands before the gate.

    ``profile_id`` is the profile that lives on; ``address_key`` is of the address it really goes
    to, "" without one; ``problem`` is a reason the sender found itself.
    """

    send_id: UUID
    token: int
    profile_id: int
    address_key: str
    problem: str = ""


class Ruling(NamedTuple):
    """What the gate says: `wire` or `claimed` when it may be sent; otherwise what became of it."""

    state: str
    reason: str
    pass_token: GateToken | None = None


LOST: Final = Ruling("lost", "")
"""Of a message that is not this sender's any more."""


def enter(
    candidates: Sequence[Candidate],
    *,
    owner: str,
    fence: Fence,
    channel: Channel = "email",
    now: datetime | None = None,
) -> dict[UUID, Ruling]:
    """Put on the wire what may be sent, one transaction for all, and settle what may not.

    Returns the ruling of each; when this raises, nothing may be handed over. ``now`` is
    PostgreSQL's own clock unless given. Raises LookupError when a contact point has no row.
    """
    keys = sorted({each.address_key for each in candidates} - {""})
    with transaction() as connection:
        # Sent together, done one after the other: each statement sees what committed before it.
        with connection.pipeline():
            connection.execute(_SQL["gate_lock_people"], [[c.profile_id for c in candidates]])
            points = {"channel": channel, "keys": keys}
            locked = connection.execute(_SQL["gate_lock_points"], points)
            connection.execute(_SQL["gate_lock_fence"])
            judged = _judge(connection, candidates, owner=owner, fence=fence, to_wire=True, now=now)
        if locked.rowcount < len(keys):
            raise LookupError("an address without a contact point cannot be locked")
        rows = judged.fetchall()
    if rows:
        advance_file(max(row[3] for row in rows))
    rulings = dict.fromkeys((each.send_id for each in candidates), LOST)
    for send_id, state, reason, _ in rows:
        given = GateToken(send_id) if state == "wire" else None
        rulings[send_id] = Ruling(state, reason, given)
    return rulings


def enter_staff(letter: StaffLetter, *, mail_id: UUID, now: datetime) -> GateToken | None:
    """Put a message to staff on the wire; None when it was there before, or nothing may leave.

    Consents, quiet hours and caps are about customers and have no say here; the fence and the
    stop have.
    """
    with transaction() as connection:
        connection.execute(_SQL["gate_lock_fence"])
        if not check(connection).is_open:
            return None
        values = {
            "key": letter.key,
            "mail_id": mail_id,
            "staff_id": letter.recipient.staff_id,
            "subject": letter.subject,
            "now": now,
        }
        row = connection.execute(_SQL["gate_enter_staff"], values).fetchone()
    if row is None:
        return None
    advance_file(row[0])
    return GateToken(mail_id)


def ask(
    connection: Connection,
    candidates: Sequence[Candidate],
    *,
    owner: str,
    fence: Fence,
    channel: Channel = "email",
    now: datetime | None = None,
) -> dict[UUID, Ruling]:
    """Settle what may not be sent as things stand, before any work is spent on it.

    In the caller's transaction. `claimed` means that it may go on to be made; it will be judged
    again at the wire. Makes sure that the contact points have rows, which `enter` needs to lock.
    """
    keys = sorted({each.address_key for each in candidates} - {""})
    store.ensure_contact_points(connection=connection, channel=channel, address_keys=keys)
    judged = _judge(connection, candidates, owner=owner, fence=fence, to_wire=False, now=now)
    rows = judged.fetchall()
    rulings = dict.fromkeys((each.send_id for each in candidates), LOST)
    rulings.update({row[0]: Ruling(row[1], row[2]) for row in rows})
    return rulings


def _judge(
    connection: Connection,
    candidates: Sequence[Candidate],
    *,
    owner: str,
    fence: Fence,
    to_wire: bool,
    now: datetime | None,
) -> Cursor[TupleRow]:
    using = settings()
    values: dict[str, Any] = {
        "ids": [each.send_id for each in candidates],
        "tokens": [each.token for each in candidates],
        "keys": [each.address_key for each in candidates],
        "problems": [each.problem for each in candidates],
        "owner": owner,
        "epoch": fence.epoch,
        "progress": fence.progress,
        "to_wire": to_wire,
        "now": now,
        "lease_seconds": using.send_lease_seconds,
        "cap_count": using.marketing_cap_count,
        "cap_days": using.marketing_cap_days,
        "quiet_from": using.quiet_from,
        "quiet_until": using.quiet_until,
        "time_zone": using.time_zone,
    }
    return connection.execute(_SQL["gate_judge"], values)
