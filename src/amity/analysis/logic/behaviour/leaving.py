"""Who has left and when, as plain Ibis: by saying so, or by having been quiet too long."""

from collections.abc import Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Final, cast

from amity.analysis.logic.behaviour.steps import read_names
from amity.analysis.logic.reporting import frames
from amity.analysis.report import Asked

if TYPE_CHECKING:
    import ibis

QUIET: Final = "(went quiet)"
FACTORS: Final = {
    "log_value": "Twice the value of the first order",
    "items": "One more line in the first order",
    "discounted": "A discount on the first order",
    "looked": "Was seen in the 30 days before the first order",
}
_LOOKING: Final = timedelta(days=30)


def express_customers(tables: Mapping[str, "ibis.Table"], asked: Asked) -> "ibis.Table":
    """Return everyone whose first order was in the window, watched from it until now.

    customer_id; `days` until they left or until now; `has_left`; `reason` (null: still there); and
    what was known at the first order: value_minor (null in another currency), items, discounted,
    looked.
    """
    import ibis  # noqa: PLC0415  # loads slowly

    placed = _placed(tables, asked)
    first = _first_orders(tables, placed, asked)
    known = first.left_join(_quiet(placed, asked), "customer_id").drop("customer_id_right")
    said = _said(tables, first, asked)
    known = known.left_join(said, "customer_id").drop("customer_id_right")
    left_after = ibis.least(
        ibis.coalesce(known.quiet_after, known.said_after),
        ibis.coalesce(known.said_after, known.quiet_after),
    )
    today = ibis.literal(asked.now.date())
    return known.select(
        "customer_id",
        "value_minor",
        "items",
        "discounted",
        "looked",
        days=ibis.coalesce(left_after, today.delta(known.first_on, unit="day")).cast("int64"),
        has_left=left_after.notnull(),
        reason=ibis.cases(
            (left_after.isnull(), None),
            (known.said_after == left_after, known.said_reason),
            else_=QUIET,
        ),
    )


def _placed(tables: Mapping[str, "ibis.Table"], asked: Asked) -> "ibis.Table":
    placed = frames.placed_orders(tables, since=None, until=asked.now)
    placed = frames.of_segment(tables, placed, asked)
    return placed.mutate(placed_on=placed.placed_at.date())


def _first_orders(
    tables: Mapping[str, "ibis.Table"], placed: "ibis.Table", asked: Asked
) -> "ibis.Table":
    """Return the first order of each customer, where it was in the window, and what came before."""
    import ibis  # noqa: PLC0415  # loads slowly

    in_order = ibis.window(group_by="customer_id", order_by=["placed_at", "order_id"])
    first = placed.mutate(place=ibis.row_number().over(in_order))
    first = first.filter(
        first.place == 0,
        first.placed_at >= ibis.literal(asked.from_at),
        first.placed_at < ibis.literal(asked.until_at),
    )
    lines = tables["order_lines"]
    given = lines.group_by("event_id").aggregate(
        discounted=(lines.discount_micro.fill_null(0) > 0).cast("int64").max()
    )
    first = first.left_join(given, "event_id").select(
        "customer_id",
        "items",
        "discounted",
        "placed_at",
        first_on="placed_on",
        value_minor=ibis.ifelse(first.currency == asked.currency, first.total_minor, None),
    )
    events = frames.events(tables, asked, since=asked.from_at - _LOOKING)
    both = events.join(first.select("customer_id", "placed_at"), "customer_id")
    begun = both.placed_at - ibis.interval(days=_LOOKING.days)
    both = both.filter(both.occurred_at >= begun, both.occurred_at < both.placed_at)
    seen = both.select("customer_id").distinct().mutate(looked=1)
    joined = first.left_join(seen, "customer_id")
    return joined.select(
        "customer_id",
        "items",
        "first_on",
        "value_minor",
        discounted=joined.discounted.fill_null(0),
        looked=joined.looked.fill_null(0),
    )


def _quiet(placed: "ibis.Table", asked: Asked) -> "ibis.Table":
    """Return after how many days from the first order a customer had been quiet too long."""
    import ibis  # noqa: PLC0415  # loads slowly

    patience = int(cast("int", asked.choices["quiet_days"]))
    days = placed.select("customer_id", "placed_on").distinct()
    in_order = ibis.window(group_by="customer_id", order_by="placed_on")
    days = days.mutate(
        next_on=days.placed_on.lead().over(in_order),
        first_on=days.placed_on.min().over(ibis.window(group_by="customer_id")),
    )
    end = ibis.coalesce(days.next_on, ibis.literal(asked.now.date()))
    days = days.mutate(gap=end.delta(days.placed_on, unit="day"))
    since = days.placed_on.delta(days.first_on, unit="day").cast("int64") + patience
    quiet = days.mutate(quiet_after=since).filter(days.gap >= patience)
    return quiet.group_by("customer_id").aggregate(quiet_after=quiet.quiet_after.min())


def _said(tables: Mapping[str, "ibis.Table"], first: "ibis.Table", asked: Asked) -> "ibis.Table":
    """Return who said that they leave after the first order, after how many days, and why."""
    import ibis  # noqa: PLC0415  # loads slowly

    names = tuple(read_names(str(asked.choices["left_by"]))) or ("",)
    events = frames.events(tables, asked, names=names, until=asked.now)
    told = ibis.coalesce(frames.text(events.properties, "reason"), "")
    events = events.select(
        "customer_id",
        "event_id",
        "occurred_at",
        on=events.occurred_at.date(),
        said_reason=ibis.ifelse(told == "", events["name"], told),
    )
    both = events.join(first.select("customer_id", "first_on"), "customer_id")
    both = both.filter(both.on >= both.first_on)
    in_order = ibis.window(group_by="customer_id", order_by=["occurred_at", "event_id"])
    both = both.mutate(place=ibis.row_number().over(in_order))
    after = both.on.delta(both.first_on, unit="day").cast("int64")
    return (
        both.mutate(said_after=after)
        .filter(both.place == 0)
        .select("customer_id", "said_after", "said_reason")
    )
