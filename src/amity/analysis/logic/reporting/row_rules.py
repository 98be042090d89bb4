"""Rules that say who is in a row: of windows that reach until today, counted back from now.

A report counts whole days and a rule to the second, so the two can differ by whoever ordered or
answered at the edge of a window within the day.
"""

from datetime import UTC, timedelta
from typing import Any, Final

from amity.analysis.report import Asked

_TODAY: Final = timedelta(days=1)

Node = dict[str, Any]


def days_until_now(asked: Asked) -> int | None:
    """Return how many days the window has when today is its last; None for any other."""
    tomorrow = asked.now.astimezone(UTC).date() + _TODAY
    return asked.days if asked.until_on == tomorrow else None


def all_of(asked: Asked, *nodes: Node) -> Node:
    """Return the rule that all of these hold, and the segment that was asked for."""
    inside = [{"node": "in_segment", "segment_id": asked.segment_id}] if asked.segment_id else []
    return {"node": "all", "of": [*nodes, *inside]}


def ordered(asked: Asked, days: int, least: int, most: int | None = None) -> Node:
    """Return that somebody placed so many orders in the last days, cancelled ones not counted."""
    is_ = {"op": "gte", "value": least} if most is None else between(least, most)
    return {
        "node": "ordered",
        "measure": "orders",
        "currency": asked.currency,
        "within_days": days,
        "is": is_,
    }


def between(low: int, high: int) -> Node:
    """Return the test of a number, both ends included."""
    return {"op": "between", "low": low, "high": high}
