"""Dropping days of the log in which no event is left: cheap, and nothing can be lost by it.

A day with events in it is never dropped, since all that is known is folded from them; it becomes
empty when whoever it was about is erased.
"""

from datetime import date, datetime
from typing import Final

from amity.infra import queries
from amity.infra.database import transaction
from amity.store.contracts_retention import Removal, RetentionRule, RetentionSlice
from amity.store.sweep import Sweep

_SQL: Final = queries.load("amity.store")


class EmptyDaySweep(Sweep):
    """Drops partitions of the log that hold nothing."""

    kind = "events.days"
    title = "Empty days of the log"
    does = "Days in which no event is left are dropped; a day with events never is."
    reason = "An empty day may still be written to while it is young."
    tables = ("store_event_log",)
    days = 30
    least_days = 3

    def count(self, rule: RetentionRule, before: datetime) -> tuple[Removal, bool]:
        """Say nothing of what would go: that is seen when each day is looked at."""
        return Removal(), False

    def take(self, rule: RetentionRule, before: datetime, cursor: str) -> RetentionSlice:
        """Look at the next day, and drop it when it is empty."""
        after = date.fromisoformat(cursor) if cursor else date.min
        with transaction() as connection:
            given = [before.date(), after]
            row = connection.execute(_SQL["retention_log_days"], given).fetchone()
            if row is None:
                return RetentionSlice(is_last=True)
            dropped = connection.execute(_SQL["retention_drop_day"], [row[0]]).fetchone()
        at = datetime.combine(row[0], datetime.min.time(), before.tzinfo)
        removed = (
            Removal(files=1, oldest_at=at, newest_at=at) if dropped and dropped[0] else Removal()
        )
        return RetentionSlice(removed=removed, cursor=row[0].isoformat(), is_last=False)
