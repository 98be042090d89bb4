"""Visits as plain Ibis: events of a customer without a long pause between, and paths in them."""

from typing import TYPE_CHECKING, Final

import msgspec

from amity.analysis.logic.reporting import frames
from amity.store.contracts import SYSTEM_SOURCE_ID

if TYPE_CHECKING:
    import ibis
    import ibis.expr.types as ir

_RECORDED_ACTS: Final = (
    "Email Opened",
    "Email Link Clicked",
    "Unsubscribed",
    "Consent Requested",
    "Segment Consent Preference Updated",
    "Preference Link Requested",
    "Data Request Received",
    "Messages Paused",
    "Messages Resumed",
)
"""What customers do and Amity itself records."""
_DONE_TO_THEM: Final = ("Trait Asserted", "Campaign Received", "Survey Asked")
"""What other sources say that customers do not do."""


def done_by_customers(events: "ibis.Table") -> "ibis.Table":
    """Keep what customers do: neither what Amity records of its own doing nor what is done to them.

    A message sent or a segment entered shows nobody's interest.
    """
    is_recorded = events.source_id == SYSTEM_SOURCE_ID
    return events.filter(
        ~is_recorded | events["name"].isin(_RECORDED_ACTS),
        ~events["name"].isin(_DONE_TO_THEM),
    )


def label(events: "ibis.Table") -> "ibis.Table":
    """Add `label`: the event's name, of a page the page's name where it has one."""
    import ibis  # noqa: PLC0415  # loads slowly

    page = ibis.coalesce(frames.text(events.properties, "name"), "")
    is_named = (events.type == "page") & (page != "")
    return events.mutate(label=ibis.ifelse(is_named, "Page: " + page, events["name"]))


class Walk(msgspec.Struct, frozen=True, kw_only=True):
    """Which part of each visit is looked at."""

    around: str
    """The label the path begins with, where it is first in the visit; "" = the visit's edge."""
    is_after: bool
    """Whether what comes after is looked at, else what came before."""
    steps: int
    pause_minutes: float
    """A visit ends when nothing happens for so long."""
    is_collapsed: bool
    """Whether what happens several times in a row has one place."""


def express_paths(events: "ibis.Table", walk: Walk) -> "ibis.Table":
    """Return a row for each visit with what is looked at: customer_id, and the labels on the path.

    `l0` is what is looked at, `l1` the next (or what came just before), null beyond the visit.
    ``events`` has customer_id, occurred_at, event_id and label.
    """
    import ibis  # noqa: PLC0415  # loads slowly

    pause = ibis.interval(seconds=round(walk.pause_minutes * 60))
    in_order = ibis.window(group_by="customer_id", order_by=["occurred_at", "event_id"])
    table = events.mutate(
        before_at=events.occurred_at.lag().over(in_order), before=events.label.lag().over(in_order)
    )
    is_first = ibis.coalesce(table.occurred_at > table.before_at + pause, True)
    table = table.mutate(is_first=is_first)
    if walk.is_collapsed:
        table = table.filter(table.is_first | (table.label != table.before))
    # Everything of one order in one go, as sorting is what costs.
    along = {f"l{place}": _shift(table.label, place, walk) for place in range(1, walk.steps + 1)}
    ends = {
        f"end{place}": _is_edge(table, place, walk).over(in_order)
        for place in range(1, walk.steps + 1)
    }
    so_far = ibis.window(
        group_by="customer_id", order_by=["occurred_at", "event_id"], preceding=(None, 0)
    )
    table = table.mutate(
        visit=table.is_first.cast("int64").sum().over(so_far),
        is_last=table.is_first.lead().over(in_order),
        **{name: column.over(in_order) for name, column in along.items()},
        **ends,
    )
    return _take(table, walk)


def _shift(column: "ir.Column", place: int, walk: Walk) -> "ir.Column":
    """Return what stands so many places on along the path."""
    shifted: ir.Column = column.lead(place) if walk.is_after else column.lag(place)
    return shifted


def _is_edge(table: "ibis.Table", place: int, walk: Walk) -> "ir.Column":
    """Return whether the visit ends on the way to a place, from the place before."""
    shifted: ir.Column = (
        table.is_first.lead(place) if walk.is_after else table.is_first.lag(place - 1)
    )
    return shifted


def _take(table: "ibis.Table", walk: Walk) -> "ibis.Table":
    """Return the rows at which paths begin, with what lies within the visit."""
    import ibis  # noqa: PLC0415  # loads slowly

    if walk.around:
        table = table.filter(table.label == walk.around)
        inside = ibis.window(
            group_by=["customer_id", "visit"], order_by=["occurred_at", "event_id"]
        )
        table = table.mutate(place=ibis.row_number().over(inside))
        table = table.filter(table.place == 0)
    elif walk.is_after:
        table = table.filter(table.is_first)
    else:
        table = table.filter(ibis.coalesce(table.is_last, True))
    labels = {"l0": table.label}
    is_inside: ir.BooleanValue = ibis.literal(value=True)
    for place in range(1, walk.steps + 1):
        is_inside = is_inside & ~ibis.coalesce(table[f"end{place}"], True)
        labels[f"l{place}"] = ibis.ifelse(is_inside, table[f"l{place}"], None)
    return table.select("customer_id", **labels)
