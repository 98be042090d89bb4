"""The funnel's pass, its plain expression and the definition say the same of every history."""

import duckdb
import ibis
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from amity.analysis.logic.behaviour.funnel import StepEvents, walk_funnel
from amity.analysis.logic.behaviour.funnel_expression import express_events, express_walk

STEPS = 3
SECOND = 1_000_000
WINDOW = 5

# Few instants and few customers, so that ties and repeats are common; masks of one or two steps.
events_of_few = st.lists(
    st.tuples(
        st.integers(0, 2),
        st.integers(0, 14),
        st.sampled_from([1, 1, 2, 2, 4, 4, 3, 5, 6, 7]),
    ),
    max_size=24,
)


def lay(events):
    """Put events as the pass wants them: by customer, instant, first step, id."""
    numbered = [(c, at * SECOND, m, i) for i, (c, at, m) in enumerate(events)]
    return sorted(numbered, key=lambda e: (e[0], e[1], (e[2] & -e[2]), e[3]))


def define(events, order):
    """Return, straight from the definition, what is known of each customer and step.

    All chains are tried. Of those that reach a step first the one that began latest counts, and
    of these the one whose step before is latest.
    """
    found = {}
    for customer in {e[0] for e in events}:
        mine = [e for e in events if e[0] == customer]
        chains = [[place] for place, e in enumerate(mine) if e[2] & 1]
        for step in range(STEPS):
            if step:
                chains = [
                    [*chain, place]
                    for chain in chains
                    for place in range(chain[-1] + 1, len(mine))
                    if (mine[place][2] >> step) & 1
                    and mine[place][1] - mine[chain[0]][1] <= WINDOW * SECOND
                    and (order == "loose" or place == chain[-1] + 1)
                ]
            if not chains:
                break
            first = min(chain[-1] for chain in chains)
            begun = max(chain[0] for chain in chains if chain[-1] == first)
            before = max(c[-2] for c in chains if c[-1] == first) if step else first
            at = mine[first][1]
            found[customer, step] = (at, at - mine[begun][1], at - mine[before][1])
    return found


def passed(events, order):
    laid = np.array(events, np.int64).reshape(-1, 4)
    walk = walk_funnel(
        StepEvents(customer_id=laid[:, 0], at=laid[:, 1], steps=laid[:, 2].astype(np.uint16)),
        steps=STEPS,
        window_seconds=WINDOW,
        order=order,
    )
    return {
        (int(customer), step): (
            int(walk.reached_at[row, step]),
            int(walk.since_start[row, step]),
            int(walk.since_before[row, step]),
        )
        for row, customer in enumerate(walk.customer_id)
        for step in range(int(walk.furthest[row]))
    }


@pytest.mark.parametrize("order", ["loose", "strict"])
@settings(max_examples=250, deadline=None)
@given(events=events_of_few)
def test_the_pass_is_the_definition(order, events):
    laid = lay(events)
    assert passed(laid, order) == define(laid, order)


@pytest.mark.parametrize("order", ["loose", "strict"])
def test_the_plain_expressions_are_the_pass(order):
    rng = np.random.default_rng(7)
    # Many customers with few events: all that the property test draws, in one query.
    count = 4000
    drawn = zip(
        rng.integers(0, 500, count).tolist(),
        rng.integers(0, 15, count).tolist(),
        rng.choice([1, 1, 2, 2, 4, 4, 3, 5, 6, 7], count).tolist(),
        strict=True,
    )
    laid = lay(list(drawn))
    names = [f"s{step}" for step in range(STEPS)]
    frame = pa.table(
        {
            "customer_id": [e[0] for e in laid],
            "occurred_at": pa.array([e[1] for e in laid], pa.timestamp("us", "UTC")),
            "event_id": [e[3] for e in laid],
        }
        | {name: [bool((e[2] >> step) & 1) for e in laid] for step, name in enumerate(names)}
    )
    schema = {"customer_id": "int64", "occurred_at": "timestamp('UTC', 6)", "event_id": "int64"}
    table = ibis.table(schema | dict.fromkeys(names, "boolean"), name="frame")
    connection = duckdb.connect()
    connection.execute("SET TimeZone = 'UTC'")
    connection.register("frame", frame.take(rng.permutation(count)))

    def run(expression):
        return connection.execute(str(ibis.to_sql(expression, dialect="duckdb"))).to_arrow_table()

    rows = run(express_events(table, names))
    assert rows["event_id"].to_pylist() == [e[3] for e in laid]
    assert rows["steps"].to_pylist() == [e[2] for e in laid]
    expression = express_walk(table, names, window_seconds=WINDOW, order=order)
    found = {}
    for said in run(expression).to_pylist():
        for step in range(said["furthest"]):
            reached = said[f"reached_{step + 1}"]
            lags = (reached - said[f"{what}_{step + 1}"] for what in ("began", "before"))
            found[said["customer_id"], step] = (
                round(reached.timestamp()) * SECOND,
                *(round(lag.total_seconds()) * SECOND for lag in lags),
            )
    assert found == passed(laid, order)
    assert ibis.to_sql(expression, dialect="pyspark")
