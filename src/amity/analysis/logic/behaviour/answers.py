"""Survey answers as plain Ibis: the event Survey Answered, and Survey Asked before it."""

from collections.abc import Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from amity.analysis.logic.behaviour.opinions import RANGES, Kind
from amity.analysis.logic.reporting import frames
from amity.analysis.report import Asked

if TYPE_CHECKING:
    import ibis
    import ibis.expr.types as ir

ANSWERED: Final = "Survey Answered"
ASKED: Final = "Survey Asked"
UNSAID: Final = "(not said)"
_MONTH: Final = timedelta(days=30)


def _told(tables: Mapping[str, "ibis.Table"], asked: Asked, name: str, kind: Kind) -> "ibis.Table":
    """Return the surveys of a kind: customer_id, event_id, occurred_at, post, properties."""
    import ibis  # noqa: PLC0415  # loads slowly

    events = frames.events(tables, asked, names=(name,))
    events = events.filter(frames.text(events.properties, "kind").lower() == kind)
    post = ibis.coalesce(frames.text(events.properties, "post").nullif(""), UNSAID)
    return events.select("customer_id", "event_id", "occurred_at", "properties", post=post)


def express_answers(tables: Mapping[str, "ibis.Table"], asked: Asked, kind: Kind) -> "ibis.Table":
    """Return the answers of the window: customer_id, event_id, occurred_at, post, value.

    What is no whole number within the kind's range has no value.
    """
    import ibis  # noqa: PLC0415  # loads slowly

    told = _told(tables, asked, ANSWERED, kind)
    value = whole_answer(told.properties)
    low, high = RANGES[kind]
    return told.select(
        "customer_id",
        "event_id",
        "occurred_at",
        "post",
        value=ibis.ifelse(value.between(low, high), value, None).cast("int64"),
    )


def whole_answer(properties: "ir.Column") -> "ir.IntegerColumn":
    """Return the whole number among the properties as `answer`, also written 9.0; else NULL."""
    import ibis  # noqa: PLC0415  # loads slowly

    told = properties.cast("json")["answer"]
    is_whole = told.float == told.float.floor()
    found: ir.IntegerColumn = ibis.coalesce(
        told.int, ibis.ifelse(is_whole, told.float, None).cast("int64")
    )
    return found


def express_asks(tables: Mapping[str, "ibis.Table"], asked: Asked, kind: Kind) -> "ibis.Table":
    """Return who was asked in the window, each time: customer_id, occurred_at, post."""
    return _told(tables, asked, ASKED, kind).select("customer_id", "occurred_at", "post")


def latest(answers: "ibis.Table", by: list[str]) -> "ibis.Table":
    """Return the latest readable answer of each customer, within each of ``by``."""
    import ibis  # noqa: PLC0415  # loads slowly

    known = answers.filter(answers["value"].notnull())
    newest = ibis.window(
        group_by=["customer_id", *by],
        order_by=[known.occurred_at.desc(), known.event_id.desc()],
    )
    known = known.mutate(place=ibis.row_number().over(newest))
    return known.filter(known.place == 0).drop("place")


def express_asked(tables: Mapping[str, "ibis.Table"], asked: Asked, kind: Kind) -> "ibis.Table":
    """Return each customer who was asked in the window, with what was known of them by then.

    customer_id, value (null: has not answered since), orders, days_since_order (null: none), seen.
    """
    import ibis  # noqa: PLC0415  # loads slowly

    told = express_asks(tables, asked, kind)
    first = told.group_by("customer_id").aggregate(asked_at=told.occurred_at.min())
    answers = express_answers(tables, asked, kind).join(first, "customer_id")
    answers = latest(answers.filter(answers.occurred_at >= answers.asked_at), [])
    placed = frames.placed_orders(tables, since=None, until=asked.until_at)
    bought = placed.select("customer_id", "placed_at").join(first, "customer_id")
    bought = bought.filter(bought.placed_at < bought.asked_at)
    bought = bought.group_by("customer_id").aggregate(
        orders=bought.count(), last_at=bought.placed_at.max()
    )
    events = frames.events(tables, asked, since=asked.from_at - _MONTH)
    seen = events.select("customer_id", "occurred_at").join(first, "customer_id")
    begun = seen.asked_at - ibis.interval(days=_MONTH.days)
    seen = seen.filter(seen.occurred_at >= begun, seen.occurred_at < seen.asked_at)
    seen = seen.group_by("customer_id").aggregate(seen=seen.count())
    known = first
    for part in (answers.select("customer_id", "value"), bought, seen):
        known = known.left_join(part, "customer_id").drop("customer_id_right")
    days = known.asked_at.date().delta(known.last_at.date(), unit="day")
    return known.select(
        "customer_id",
        value=known["value"],
        orders=known.orders.fill_null(0),
        days_since_order=days.cast("int64"),
        seen=known.seen.fill_null(0),
    )


def asked_by_post(tables: Mapping[str, "ibis.Table"], asked: Asked, kind: Kind) -> "ibis.Table":
    """Return how many customers were asked at each listening post: post, customers."""
    told = express_asks(tables, asked, kind)
    return told.group_by("post").aggregate(customers=told.customer_id.nunique())
