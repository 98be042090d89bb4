"""The funnel as a plain Ibis expression: what the pass counts, said in window functions."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from amity.analysis.logic.behaviour.funnel import Order

if TYPE_CHECKING:
    import ibis


def express_walk(
    events: "ibis.Table", *, steps: Sequence[str], window_seconds: int, order: Order = "loose"
) -> "ibis.Table":
    """Return a row for each customer who came to the first step, with what a `Walk` says.

    ``events`` has `customer_id`, `at` in microseconds, `event_id`, and a boolean for each step,
    whose names are ``steps``. Step k (from 1) gives `reached_k`, its instant (null: not reached),
    `from_start_k` and `from_before_k`, and `furthest` is how many were reached.
    """
    import ibis  # noqa: PLC0415  # loads slowly

    first = ibis.cases(*((events[step], place) for place, step in enumerate(steps)))
    table = events.filter(ibis.or_(*(events[step] for step in steps))).mutate(first_step=first)
    sequence = [table.at, table.first_step, table.event_id]
    # Numbered once, so that every window below has one plain order without ties.
    place = ibis.row_number().over(ibis.window(group_by=table.customer_id, order_by=sequence))
    table = table.mutate(place=place)
    before = ibis.window(group_by="customer_id", order_by="place", preceding=(None, 1))
    table = table.mutate(
        start_0=ibis.ifelse(table[steps[0]], table.at, None), before_0=ibis.null("int64")
    )
    for step in range(1, len(steps)):
        start, last = (
            table[f"start_{step - 1}"],
            ibis.ifelse(table[f"start_{step - 1}"].notnull(), table.at, None),
        )
        if order == "strict":
            lag = ibis.window(group_by="customer_id", order_by="place")
            begun, previous = start.lag().over(lag), last.lag().over(lag)
        else:
            begun, previous = start.max().over(before), last.max().over(before)
        table = table.mutate(begun=begun, previous=previous)
        holds = table[steps[step]] & (table.at - table.begun <= window_seconds * 1_000_000)
        table = table.mutate(
            **{
                f"start_{step}": ibis.ifelse(holds, table.begun, None),
                f"before_{step}": ibis.ifelse(holds, table.previous, None),
            }
        )
    return _first_times(table, len(steps))


def _first_times(table: "ibis.Table", steps: int) -> "ibis.Table":
    """Return for each customer when each step was first reached, and how long it took."""

    columns = {}
    for step in range(steps):
        start, before = table[f"start_{step}"], table[f"before_{step}"]
        here = start.notnull()
        columns[f"reached_{step + 1}"] = table.at.min(where=here)
        columns[f"from_start_{step + 1}"] = (table.at - start).argmin(table.place, where=here)
        columns[f"from_before_{step + 1}"] = (table.at - before).argmin(table.place, where=here)
    walk = table.group_by("customer_id").aggregate(**columns)
    reached = [walk[f"reached_{step + 1}"].notnull().cast("int64") for step in range(steps)]
    walk = walk.mutate(furthest=sum(reached[1:], reached[0]))
    return walk.filter(walk.reached_1.notnull())
