"""Forgetting what is too old: decisions with their outcomes, and what no kept decision needs.

A kept decision can always be made again: its snapshot stays, and the definition and the models
that snapshot names.
"""

from datetime import datetime, timedelta
from typing import Final

from amity.infra import queries
from amity.infra.config import settings
from amity.infra.database import transaction

_SQL: Final = queries.load("amity.personalization")
LEAST_DAYS: Final = 180
"""A reward may come for a decision 30 days old, and is looked at again for 120 days after."""

_GRACE: Final = timedelta(days=1)
"""A snapshot that was in use since may yet be named by a decision that is being written."""

_AT_ONCE: Final = 2_000


def keep_house(*, now: datetime) -> dict[str, int]:
    """Delete what is too old; see `api.keep_house`."""
    decisions, outcomes = _forget_decisions(now)
    snapshots = _forget_snapshots(now)
    with transaction() as connection:
        connection.execute(_SQL["lock_publishing"])
        row = connection.execute(_SQL["retain_definitions"]).fetchone()
    definitions, models = row or (0, 0)
    return {
        "decisions": decisions,
        "outcomes": outcomes,
        "snapshots": snapshots,
        "definitions": definitions,
        "models": models,
    }


def _forget_decisions(now: datetime) -> tuple[int, int]:
    with transaction() as connection:
        row = connection.execute(_SQL["retain_longest_cap"]).fetchone()
    days = max(settings().decision_days, LEAST_DAYS, row[0] if row else 0)
    arguments = {"before": now - timedelta(days=days), "limit": _AT_ONCE}
    decisions = outcomes = 0
    while True:
        with transaction() as connection:
            gone = connection.execute(_SQL["retain_decisions"], arguments).fetchone()
        if not gone or not gone[0]:
            return decisions, outcomes
        decisions, outcomes = decisions + gone[0], outcomes + gone[1]


def _forget_snapshots(now: datetime) -> int:
    with transaction() as connection:
        current = connection.execute(_SQL["retain_current_snapshot"], [now - _GRACE]).fetchone()
    after, count = 0, 0
    while current is not None:
        arguments = {"after": after, "current": current[0], "limit": _AT_ONCE}
        with transaction() as connection:
            row = connection.execute(_SQL["retain_snapshots"], arguments).fetchone()
        if row is None or row[0] is None:
            break
        after, count = row[0], count + row[1]
    return count
