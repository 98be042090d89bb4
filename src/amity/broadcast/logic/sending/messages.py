"""The ledger as people read it, and what an operator or an erasure does to it."""

from datetime import datetime
from typing import Any, Final
from uuid import UUID

from amity.broadcast.contracts import Held, Message, RunKind, SendState
from amity.broadcast.logic.sending import proving
from amity.broadcast.logic.sending.reasons import REASONS, explain
from amity.infra import queries
from amity.infra.database import transaction
from amity.kernel.errors import Conflict, Invalid, NotFound
from amity.kernel.pagination import Page, decode_cursor, encode_cursor

_SQL: Final = queries.load("amity.broadcast")
_FIELDS: Final = (
    *("send_id", "run_kind", "run_id", "run_name", "profile_id", "channel", "message_class"),
    *("purpose", "content_id", "state", "reason", "reply", "subject", "attempts", "planned_at"),
    *("not_before", "not_after", "wire_at", "settled_at"),
)


def list_messages(
    *,
    run_kind: RunKind | None = None,
    run_id: int | None = None,
    profile_ids: list[int] | None = None,
    state: SendState | None = None,
    cursor: str | None = None,
    limit: int,
) -> Page[Message]:
    """Return messages, the latest planned first; see `api.list_messages`."""
    at, after = decode_cursor(cursor, (datetime, UUID)) if cursor else (None, None)
    wanted: dict[str, Any] = {
        "run_kind": run_kind,
        "run_id": run_id,
        "profile_ids": profile_ids,
        "state": state,
        "at": at,
        "after": after,
        "limit": limit + 1,
    }
    found = _read(wanted)
    last = found[limit - 1] if len(found) > limit else None
    following = encode_cursor([last.planned_at, last.send_id]) if last else None
    return Page(found[:limit], following)


def get_message(*, send_id: UUID) -> Message:
    """Return one message; raise NotFound when there is none."""
    found = _read({"send_id": send_id, "limit": 1})
    if not found:
        raise NotFound("there is no such message")
    return found[0]


def _read(wanted: dict[str, Any]) -> list[Message]:
    names = ("run_kind", "run_id", "profile_ids", "state", "send_id", "at", "after")
    with transaction("readonly") as connection:
        rows = connection.execute(_SQL["messages_list"], dict.fromkeys(names) | wanted).fetchall()
    return [_message(row) for row in rows]


def _message(row: tuple[Any, ...]) -> Message:
    fields = dict(zip(_FIELDS, row, strict=True))
    return Message(**fields, words=explain(fields["state"], fields["reason"]))


def list_held(*, profile_ids: list[int], limit: int) -> list[Held]:
    """Return what was held back from a customer; see `api.list_held`."""
    with transaction("readonly") as connection:
        rows = connection.execute(
            _SQL["messages_held"], {"profile_ids": profile_ids, "limit": limit}
        ).fetchall()
    return [
        Held(
            at=at,
            run_kind=run_kind,
            run_id=run_id,
            run_name=run_name,
            kind=kind,
            reason=reason,
            words=REASONS.get(reason, reason),
        )
        for at, run_kind, run_id, run_name, kind, reason in rows
    ]


def resolve_unknown(*, send_id: UUID, state: SendState, by: str, now: datetime) -> Message:
    """Say what became of a doubtful message; see `api.resolve_unknown`."""
    if state not in ("sent", "failed"):
        raise Invalid("a doubtful message arrived or it did not")
    with transaction() as connection:
        done = connection.execute(
            _SQL["messages_resolve"],
            {"send_id": send_id, "state": state, "words": f"said by {by}", "now": now},
        ).fetchall()
        if state == "sent":
            proving.record_sent(connection, [proving.Arrived(*row) for row in done], now)
    message = get_message(send_id=send_id)
    if not done:
        raise Conflict("this message is not in doubt")
    return message


def forget_addresses(*, addresses: list[str]) -> int:
    """Delete from the local mailbox what was written to or names these addresses."""
    if not addresses:
        return 0
    with transaction() as connection:
        wanted = [address.lower() for address in addresses]
        return connection.execute(_SQL["mailbox_forget_addresses"], [wanted]).rowcount


def forget_profiles(*, profile_ids: list[int]) -> dict[str, int]:
    """Cancel what waits for erased customers and blank what was sent; return how many by table."""
    with transaction() as connection:
        mailbox = connection.execute(_SQL["mailbox_forget"], [profile_ids]).rowcount
        sends = connection.execute(_SQL["messages_blank"], [profile_ids]).rowcount
        drawn = connection.execute(_SQL["messages_forget_participants"], [profile_ids]).rowcount
    return {
        "broadcast_mailbox": mailbox,
        "broadcast_send": sends,
        "broadcast_participant": drawn,
    }
