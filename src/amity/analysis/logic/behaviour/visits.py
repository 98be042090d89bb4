"""Visits as plain Ibis: events of a customer without a long pause between, and their places."""

from typing import TYPE_CHECKING

from amity.analysis.logic.reporting import frames

if TYPE_CHECKING:
    import ibis


def label(events: "ibis.Table") -> "ibis.Table":
    """Add `label`: the event's name, of a page the page's name where it has one."""
    import ibis  # noqa: PLC0415  # loads slowly

    page = ibis.coalesce(frames.text(events.properties, "name"), "")
    is_named = (events.type == "page") & (page != "")
    return events.mutate(label=ibis.ifelse(is_named, "Page: " + page, events["name"]))


def cut_visits(events: "ibis.Table", *, pause_minutes: float, is_collapsed: bool) -> "ibis.Table":
    """Return the events with the number of the `visit` of their customer, and their `place` in it.

    ``events`` has customer_id, occurred_at, event_id and label. A visit ends when nothing happens
    for ``pause_minutes``. Collapsed, what happens several times in a row has one place.
    """
    import ibis  # noqa: PLC0415  # loads slowly

    pause = ibis.interval(seconds=round(pause_minutes * 60))
    in_order = ibis.window(group_by="customer_id", order_by=["occurred_at", "event_id"])
    table = events.mutate(
        before_at=events.occurred_at.lag().over(in_order), before=events.label.lag().over(in_order)
    )
    is_first = ibis.coalesce(table.occurred_at > table.before_at + pause, True)
    table = table.mutate(is_first=is_first)
    so_far = ibis.window(
        group_by="customer_id", order_by=["occurred_at", "event_id"], preceding=(None, 0)
    )
    table = table.mutate(visit=table.is_first.cast("int64").sum().over(so_far))
    if is_collapsed:
        table = table.filter(table.is_first | (table.label != table.before))
    inside = ibis.window(group_by=["customer_id", "visit"], order_by=["occurred_at", "event_id"])
    return table.mutate(place=ibis.row_number().over(inside)).select(
        "customer_id", "visit", "place", "label"
    )
