"""Plans as they lie in the database."""

from typing import Any, Final

import msgspec

from amity.infra import queries
from amity.infra.database import Connection
from amity.store.contracts import SYSTEM_SOURCE_ID
from amity.store.contracts_tracking import Plan
from amity.store.logic.plans.checking import PlanBook

_SQL: Final = queries.load("amity.store")


def plan_of(row: tuple[Any, ...]) -> Plan:
    """Make a plan of a row of the queries that select its columns."""
    return msgspec.convert(dict(zip(_NAMES, row, strict=True)), Plan)


_NAMES: Final = (
    *("plan_id", "type", "name", "source_id", "version", "policy", "allows_unknown", "fields"),
    *("is_live", "made_at", "made_by", "description"),
)


def read_plan_book(connection: Connection, source_id: int) -> PlanBook:
    """Return the plans that hold for a source now; Amity's own events have none."""
    if source_id == SYSTEM_SOURCE_ID:
        return PlanBook()
    return PlanBook(plan_of(row) for row in connection.execute(_SQL["live_plans"]))
