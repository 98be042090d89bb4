"""Rules that say who is in a row: of windows that reach until today, counted back from now.

A report counts whole days and a rule to the second, so the two can differ by whoever ordered or
answered at the edge of a window within the day.
"""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from amity.analysis.report import Asked

_TODAY: Final = timedelta(days=1)
CANCELLED: Final = "orders of every currency count, and those cancelled later too"
"""How a rule about order lines or orders as events differs from the orders as they stand."""

Node = dict[str, Any]


def days_until_now(asked: Asked) -> int | None:
    """Return how many days the window has when today is its last; None for any other."""
    tomorrow = asked.now.astimezone(UTC).date() + _TODAY
    return asked.days if asked.until_on == tomorrow else None


def all_of(asked: Asked, *nodes: Node) -> Node:
    """Return the rule that all of these hold, and the segment that was asked for."""
    inside = [{"node": "in_segment", "segment_id": asked.segment_id}] if asked.segment_id else []
    return {"node": "all", "of": [*nodes, *inside]}


def ordered(asked: Asked, days: int | None, least: int, most: int | None = None) -> Node:
    """Return that somebody placed so many orders in the last days or ever, but for cancelled."""
    is_ = {"op": "gte", "value": least} if most is None else between(least, most)
    window = {} if days is None else {"within_days": days}
    told = {"node": "ordered", "measure": "orders", "currency": asked.currency}
    return {**told, "is": is_, **window}


def between(low: int, high: int) -> Node:
    """Return the test of a number, both ends included."""
    return {"op": "between", "low": low, "high": high}


def text(name: str, value: str) -> Node:
    """Return the test that a property is a text."""
    return {"property": name, "is": {"op": "eq", "value": value}}


def check(field: str, op: str, **parameters: Any) -> Node:
    """Return the test of a trait or of what is known of a profile."""
    return {"node": "check", "field": field, "is": {"op": op, **parameters}}


def is_between(field: str, begin: datetime, end: datetime) -> Node:
    """Return that a moment lies from ``begin`` on and before ``end``."""
    # There is no “from … on”: `after` leaves out the very moment, midnight for dates without time.
    early = {"node": "not", "of": check(field, "before", value=begin.isoformat())}
    return {"node": "all", "of": [check(field, "before", value=end.isoformat()), early]}


def in_window(asked: Asked, field: str) -> Node:
    """Return that a moment lies in the window: counted back from now when that is its end."""
    days = days_until_now(asked)
    if days is None:
        return is_between(field, asked.from_at, asked.until_at)
    return check(field, "within_last", days=days)


def is_of_past_members(asked: Asked) -> bool:
    """Say whether who was in a segment when the window ended counts: no rule looks back so."""
    return asked.segment_id is not None and days_until_now(asked) is None


def any_of(nodes: Iterable[Node]) -> Node:
    """Return the rule that one of these holds at least."""
    found = list(nodes)
    return found[0] if len(found) == 1 else {"node": "any", "of": found}


def did(event: str, *where: Node, days: int | None = None) -> Node:
    """Return that an event happened, in the last days or ever."""
    window = {} if days is None else {"within_days": days}
    return {"node": "did", "event": event, **({"where": list(where)} if where else {}), **window}


def bought(days: int, name: str, value: str) -> Node:
    """Return that somebody ordered in the last days what has a property."""
    return {
        "node": "bought",
        "measure": "lines",
        "is": {"op": "gte", "value": 1},
        "lines": [text(name, value)],
        "within_days": days,
    }


def scored(score: str, *, by: str = "value", begins: str = "", value: float | None = None) -> Node:
    """Return that a score has a value, or that its label begins with a text."""
    is_ = {"op": "eq", "value": value} if not begins else {"op": "starts_with", "value": begins}
    return {"node": "score", "score": score, "by": by, "is": is_}


def differs_from_score(asked: Asked, days: int) -> str:
    """Say how a question is about something else than the score of the night; "" when it is not.

    The score is of so many days up to today, in the company's currency.
    """
    if days_until_now(asked) != days:
        return f"the score of the night is about the {days} days up to today"
    if asked.currency != asked.home_currency:
        return f"the score of the night is in {asked.home_currency or 'the home currency'}"
    return ""
