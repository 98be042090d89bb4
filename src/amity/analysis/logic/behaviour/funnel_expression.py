"""The funnel as plain Ibis expressions: what the pass reads, and what it counts, said in SQL."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from amity.analysis.logic.behaviour.funnel import Order

if TYPE_CHECKING:
    import ibis


def express_events(events: "ibis.Table", steps: Sequence[str]) -> "ibis.Table":
    """Return the events that are a step, as the pass wants them, with `steps` and `first_step`.

    ``events`` has `customer_id`, `occurred_at`, `event_id`, and a boolean for each of ``steps``.
    """
    import ibis  # noqa: PLC0415  # loads slowly

    bits = [events[step].cast("int64") * (1 << place) for place, step in enumerate(steps)]
    first = ibis.cases(*((events[step], place) for place, step in enumerate(steps)))
    known = events.filter(ibis.or_(*(events[step] for step in steps)))
    # Two bytes are enough for sixteen steps: all these rows are carried and sorted.
    steps_ = sum(bits[1:], bits[0]).cast("int32")
    known = known.mutate(steps=steps_, first_step=first.cast("int16"))
    return known.order_by("customer_id", "occurred_at", "first_step", "event_id")


def express_walk(
    events: "ibis.Table", steps: Sequence[str], *, window_seconds: int, order: Order = "loose"
) -> "ibis.Table":
    """Return a row for each customer who came to the first step, with what a `Walk` says.

    ``events`` as for `express_events`. Step k (from 1) gives `reached_k`, its instant (null: not
    reached), `began_k` and `before_k`, those of its chain's first step and of the step before;
    `furthest` is how many were reached.
    """
    import ibis  # noqa: PLC0415  # loads slowly

    first = ibis.cases(*((events[step], place) for place, step in enumerate(steps)))
    table = events.filter(ibis.or_(*(events[step] for step in steps))).mutate(first_step=first)
    sequence = [table.occurred_at, table.first_step, table.event_id]
    # Numbered once, so that every window below has one plain order without ties.
    place = ibis.row_number().over(ibis.window(group_by=table.customer_id, order_by=sequence))
    table = table.mutate(place=place)
    here = table.occurred_at
    table = table.mutate(start_0=ibis.ifelse(table[steps[0]], here, None))
    table = table.mutate(last_0=table.start_0)
    for step in range(1, len(steps)):
        table = _carry_on(table, step, steps[step], window_seconds, order)
    return _first_times(table, len(steps))


def _carry_on(
    table: "ibis.Table", step: int, name: str, window_seconds: int, order: Order
) -> "ibis.Table":
    """Add which chains an event brings to a step: `start_k`, and where the chain stood before."""
    import ibis  # noqa: PLC0415  # loads slowly

    start = table[f"start_{step - 1}"]
    last = ibis.ifelse(start.notnull(), table.occurred_at, None)
    if order == "strict":
        window = ibis.window(group_by="customer_id", order_by="place")
        table = table.mutate(begun=start.lag().over(window), previous=last.lag().over(window))
    else:
        window = ibis.window(group_by="customer_id", order_by="place", preceding=(None, 1))
        table = table.mutate(begun=start.max().over(window), previous=last.max().over(window))
    in_time = table.occurred_at <= table.begun + ibis.interval(seconds=window_seconds)
    holds = table[name] & in_time
    return table.mutate(
        **{
            f"start_{step}": ibis.ifelse(holds, table.begun, None),
            f"last_{step}": ibis.ifelse(holds, table.previous, None),
        }
    )


def _first_times(table: "ibis.Table", steps: int) -> "ibis.Table":
    """Return for each customer when each step was first reached, and its chain."""
    columns = {}
    for step in range(steps):
        start, last = table[f"start_{step}"], table[f"last_{step}"]
        here = start.notnull()
        columns[f"reached_{step + 1}"] = table.occurred_at.min(where=here)
        columns[f"began_{step + 1}"] = start.argmin(table.place, where=here)
        columns[f"before_{step + 1}"] = last.argmin(table.place, where=here)
    walk = table.group_by("customer_id").aggregate(**columns)
    reached = [walk[f"reached_{step + 1}"].notnull().cast("int64") for step in range(steps)]
    walk = walk.mutate(furthest=sum(reached[1:], reached[0]))
    return walk.filter(walk.reached_1.notnull())
