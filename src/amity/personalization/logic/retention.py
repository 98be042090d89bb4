"""Forgetting what is too old: decisions with their outcomes, and what no kept decision needs.

A kept decision can always be made again: its snapshot stays, and the definition and the models
that snapshot names.
"""

import math
from datetime import datetime, timedelta
from typing import Final

from amity.infra import queries
from amity.infra.database import transaction
from amity.store.api_retention import Sweep
from amity.store.contracts_retention import Removal, RetentionRule, RetentionSlice

_SQL: Final = queries.load("amity.personalization")
_DECISIONS: Final = "personalization_decision"
_SNAPSHOTS: Final = "snapshots "

_GRACE: Final = timedelta(days=1)
"""A snapshot that was in use since may yet be named by a decision that is being written."""

_AT_ONCE: Final = 2_000


class DecisionSweep(Sweep):
    """Deletes decisions with their outcomes, then snapshots, definitions and models only they had.

    Never the latest of these; what was learnt stays.
    """

    kind = "decisions"
    title = "Decisions"
    does = "Decisions with what came of them are deleted, and what only they were made from."
    reason = "A customer can ask why something was shown; learning is checked against them."
    tables = (_DECISIONS, "personalization_outcome")
    # A reward may come for a decision 30 days old, and is looked at again for 120 days after.
    least_days = 180

    def least(self) -> int:
        """Return for how long an offer's cap counts what was shown."""
        with transaction() as connection:
            row = connection.execute(_SQL["retain_longest_cap"]).fetchone()
        return max(self.least_days, math.ceil(row[0]) if row else 0)

    def count(self, rule: RetentionRule, before: datetime) -> tuple[Removal, bool]:
        """Count old decisions."""
        with transaction() as connection:
            row = connection.execute(_SQL["retain_decisions_count"], [before]).fetchone()
        assert row is not None
        rows, size, oldest, newest = row
        tables = {_DECISIONS: rows} if rows else {}
        removal = Removal(
            rows=rows, size_bytes=size, tables=tables, oldest_at=oldest, newest_at=newest
        )
        return removal, False

    def take(self, rule: RetentionRule, before: datetime, cursor: str) -> RetentionSlice:
        """Delete a slice of decisions; after the last of them snapshots; then the rest."""
        if not cursor:
            return _take_decisions(before)
        return _take_snapshots(
            self.moment(rule, before) - _GRACE, int(cursor.removeprefix(_SNAPSHOTS))
        )


def sweeps() -> list[Sweep]:
    """Return this engine's ways of forgetting."""
    return [DecisionSweep()]


def _take_decisions(before: datetime) -> RetentionSlice:
    with transaction() as connection:
        given = {"before": before, "limit": _AT_ONCE}
        row = connection.execute(_SQL["retain_decisions"], given).fetchone()
    assert row is not None
    decisions, outcomes, size, oldest, newest = row
    if not decisions:
        return RetentionSlice(cursor=f"{_SNAPSHOTS}0", is_last=False)
    removed = Removal(
        rows=decisions + outcomes,
        size_bytes=size,
        tables=_named({_DECISIONS: decisions, "personalization_outcome": outcomes}),
        oldest_at=oldest,
        newest_at=newest,
    )
    return RetentionSlice(removed=removed, is_last=False)


def _take_snapshots(used_since: datetime, after: int) -> RetentionSlice:
    with transaction() as connection:
        current = connection.execute(_SQL["retain_current_snapshot"], [used_since]).fetchone()
        if current is not None:
            given = {"after": after, "current": current[0], "limit": _AT_ONCE}
            row = connection.execute(_SQL["retain_snapshots"], given).fetchone()
            if row is not None and row[0] is not None:
                removed = _counted({"personalization_snapshot": row[1]})
                return RetentionSlice(
                    removed=removed, cursor=f"{_SNAPSHOTS}{row[0]}", is_last=False
                )
        connection.execute(_SQL["lock_publishing"])
        row = connection.execute(_SQL["retain_definitions"]).fetchone()
    definitions, models = row or (0, 0)
    counts = {"personalization_definition": definitions, "personalization_model": models}
    return RetentionSlice(removed=_counted(counts), cursor=f"{_SNAPSHOTS}{after}", is_last=True)


def _counted(tables: dict[str, int]) -> Removal:
    return Removal(rows=sum(tables.values()), tables=_named(tables))


def _named(tables: dict[str, int]) -> dict[str, int]:
    return {table: rows for table, rows in tables.items() if rows}
