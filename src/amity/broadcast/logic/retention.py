"""Forgetting what is too old: the ledger's settled messages, and the local mailbox."""

import math
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

from amity.infra import queries
from amity.infra.config import settings
from amity.infra.database import transaction
from amity.store.api_retention import Sweep
from amity.store.contracts_retention import Removal, RetentionRule, RetentionSlice

_SQL: Final = queries.load("amity.broadcast")
_AT_ONCE: Final = 2_000
_MAILS_AT_ONCE: Final = 200
_NOTE: Final = "Messages of it are so old that they were deleted; its figures are without them."


class SendSweep(Sweep):
    """Deletes settled messages whose run is over; the campaign says its figures are not whole."""

    kind = "sends"
    title = "Messages that were sent"
    does = "Settled messages of campaigns and journeys that are over are deleted from the ledger."
    reason = "Whoever got a message may ask about it; campaigns are compared over two years."
    tables = ("broadcast_send",)
    least_days = 90

    def least(self) -> int:
        """Return for how many days messages count towards how often somebody may be written to."""
        return max(self.least_days, math.ceil(settings().marketing_cap_days))

    def count(self, rule: RetentionRule, before: datetime) -> tuple[Removal, bool]:
        """Count what is old and settled; some of it stays while its run goes on."""
        return _ask("retain_sends_count", {"before": before}, "broadcast_send"), False

    def take(self, rule: RetentionRule, before: datetime, cursor: str) -> RetentionSlice:
        """Delete what may go of the next messages by when they were planned."""
        at, after = datetime.min.replace(tzinfo=UTC), UUID(int=0)
        if cursor:
            planned, _, send_id = cursor.partition(" ")
            at, after = datetime.fromisoformat(planned), UUID(send_id)
        given = {"before": before, "limit": _AT_ONCE, "note": _NOTE, "at": at, "after": after}
        with transaction() as connection:
            row = connection.execute(_SQL["retain_sends"], given).fetchone()
        if row is None:
            return RetentionSlice(is_last=True)
        planned_at, send_id, *counts = row
        return RetentionSlice(
            removed=_removal(counts, "broadcast_send"),
            cursor=f"{planned_at.isoformat()} {send_id}",
            is_last=False,
        )


class MailboxSweep(Sweep):
    """Deletes what the local mailbox took."""

    kind = "mailbox"
    title = "Local mailbox"
    does = "Mail that the local mailbox took is deleted."
    reason = "It shows while trying out what would have been sent."
    tables = ("broadcast_mailbox",)

    def count(self, rule: RetentionRule, before: datetime) -> tuple[Removal, bool]:
        """Count old mail."""
        return _ask("retain_mailbox_count", {"before": before}, "broadcast_mailbox"), False

    def take(self, rule: RetentionRule, before: datetime, cursor: str) -> RetentionSlice:
        """Delete a slice of the oldest mail."""
        given = {"before": before, "limit": _MAILS_AT_ONCE}
        removed = _ask("retain_mailbox", given, "broadcast_mailbox")
        return RetentionSlice(removed=removed, is_last=removed.rows == 0)


def sweeps() -> list[Sweep]:
    """Return this engine's ways of forgetting."""
    return [SendSweep(), MailboxSweep()]


def _ask(query: str, given: dict[str, Any], table: str) -> Removal:
    with transaction() as connection:
        row = connection.execute(_SQL[query], given).fetchone()
    assert row is not None
    return _removal(row, table)


def _removal(row: Any, table: str) -> Removal:
    rows, size, oldest, newest = row
    tables = {table: rows} if rows else {}
    return Removal(rows=rows, size_bytes=size, tables=tables, oldest_at=oldest, newest_at=newest)
