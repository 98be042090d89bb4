"""Forgetting what is too old: the ledger's settled messages, and the local mailbox."""

from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import UUID

from amity.infra import queries
from amity.infra.config import settings
from amity.infra.database import transaction

_SQL: Final = queries.load("amity.broadcast")
_LEAST_DAYS: Final = 90
"""Whoever got a message may ask about it, and campaigns are measured, for so long at least."""

_AT_ONCE: Final = 2_000
_MAILS_AT_ONCE: Final = 200
_NOTE: Final = "Messages of it are so old that they were deleted; its figures are without them."


def keep_house(*, now: datetime) -> dict[str, int]:
    """Delete what is too old; see `api.keep_house`."""
    return {"messages": _forget_sends(now), "mailbox": _forget_mailbox(now)}


def _forget_sends(now: datetime) -> int:
    using = settings()
    days = max(using.send_days, _LEAST_DAYS, using.marketing_cap_days)
    at, after, count = datetime.min.replace(tzinfo=UTC), UUID(int=0), 0
    fixed = {"before": now - timedelta(days=days), "limit": _AT_ONCE, "note": _NOTE}
    while True:
        with transaction() as connection:
            row = connection.execute(
                _SQL["retain_sends"], {**fixed, "at": at, "after": after}
            ).fetchone()
        if row is None:
            return count
        gone, at, after = row
        count += gone


def _forget_mailbox(now: datetime) -> int:
    count = 0
    before = now - timedelta(days=max(settings().mailbox_days, 0))
    while True:
        with transaction() as connection:
            gone = connection.execute(
                _SQL["retain_mailbox"], {"before": before, "limit": _MAILS_AT_ONCE}
            ).rowcount
        if not gone:
            return count
        count += gone
