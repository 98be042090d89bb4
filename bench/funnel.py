"""A funnel of four steps within an hour: our pass beside ClickHouse (chDB) and SQL (DuckDB).

Run with `python -m bench funnel`. Ten million events of 419,000 customers lie by customer and time
for everyone: as columns in memory for us, as a table inserted in that order for DuckDB, as a
MergeTree ordered so for ClickHouse, and everyone is asked how many customers came to each step.
All four counts must be the same (events of one instant take the order of the steps everywhere).
ClickHouse and DuckDB may use two threads, our pass uses one. What it costs to begin from a table
that is not in order is told beside it, without a goal. Goals: as fast as ClickHouse's
`windowFunnel`, and 4 times the SQL by ASOF joins.
"""

import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from amity.analysis.logic.behaviour.funnel import StepEvents, count_steps, walk_funnel
from bench.harness import Goal, Sample, interleave, show, summary
from bench.rules import add_peers

EVENTS = 10_000_000
CUSTOMERS = 419_000
STEPS = 4
WINDOW = 3600
MICROSECONDS = 1_000_000
ASOF = f"""
WITH s1 AS (SELECT customer, moment, moment AS start FROM events WHERE step = 0),
s2 AS (SELECT e.customer, e.moment, p.start FROM (FROM events WHERE step = 1) e
    ASOF JOIN s1 p ON e.customer = p.customer AND e.moment >= p.moment
    WHERE e.moment - p.start <= {WINDOW * MICROSECONDS}),
s3 AS (SELECT e.customer, e.moment, p.start FROM (FROM events WHERE step = 2) e
    ASOF JOIN s2 p ON e.customer = p.customer AND e.moment >= p.moment
    WHERE e.moment - p.start <= {WINDOW * MICROSECONDS}),
s4 AS (SELECT e.customer, e.moment, p.start FROM (FROM events WHERE step = 3) e
    ASOF JOIN s3 p ON e.customer = p.customer AND e.moment >= p.moment
    WHERE e.moment - p.start <= {WINDOW * MICROSECONDS})
SELECT (SELECT count(DISTINCT customer) FROM s1), (SELECT count(DISTINCT customer) FROM s2),
    (SELECT count(DISTINCT customer) FROM s3), (SELECT count(DISTINCT customer) FROM s4)
"""
WINDOW_FUNNEL = f"""
SELECT countIf(far >= 1), countIf(far >= 2), countIf(far >= 3), countIf(far >= 4) FROM (
    SELECT windowFunnel({WINDOW * MICROSECONDS})(
        moment, step = 0, step = 1, step = 2, step = 3) AS far
    FROM events GROUP BY customer)
"""


def make() -> pa.Table:
    """Return events of visits: most look, some put into the basket, few pay; as they came in."""
    rng = np.random.default_rng(20)
    visits = EVENTS // 5
    visit = rng.integers(0, visits, EVENTS)
    customer = rng.integers(0, CUSTOMERS, visits)[visit]
    begun = rng.integers(0, 90 * 86400 * MICROSECONDS, visits)[visit]
    moment = begun + rng.integers(0, 2 * 3600 * MICROSECONDS, EVENTS)
    step = rng.choice(STEPS, EVENTS, p=[0.55, 0.25, 0.13, 0.07]).astype(np.uint8)
    order = np.argsort(moment, kind="stable")
    return pa.table({"customer": customer[order], "moment": moment[order], "step": step[order]})


def timed(call: Callable[[], object]) -> Callable[[], Sample]:
    def turn() -> Sample:
        cpu, began = time.process_time(), time.perf_counter()
        call()
        return Sample(EVENTS, time.perf_counter() - began, time.process_time() - cpu)

    return turn


def count(columns: dict[str, np.ndarray]) -> list[int]:
    events = StepEvents(
        customer_id=columns["customer"], at=columns["moment"], steps=columns["steps"]
    )
    walk = walk_funnel(events, steps=STEPS, window_seconds=WINDOW)
    return [step.customers for step in count_steps(walk, steps=STEPS)]


def open_clickhouse(folder: str, path: Path) -> Callable[[], list[int]]:
    add_peers()
    from chdb.session import Session

    session = Session(f"{folder}/clickhouse")
    session.query(
        "CREATE TABLE events (customer Int64, moment UInt64, step UInt8) "
        "ENGINE = MergeTree ORDER BY (customer, moment)"
    )
    session.query(f"INSERT INTO events SELECT * FROM file('{path}', Parquet)")
    session.query("OPTIMIZE TABLE events FINAL")
    sql = WINDOW_FUNNEL + " SETTINGS max_threads = 2, optimize_aggregation_in_order = {}"

    # The faster of its two ways of grouping.
    def ask(in_order: int) -> list[int]:
        answer = session.query(sql.format(in_order), "CSV")
        return [int(number) for number in str(answer).strip().split(",")]

    seconds = {}
    for way in (0, 1):
        ask(way)
        began = time.perf_counter()
        ask(way)
        seconds[way] = time.perf_counter() - began
    best = min(seconds, key=lambda way: seconds[way])
    return lambda: ask(best)


def run(rounds: int) -> dict[str, object]:
    """Measure and print; return what was found."""
    with tempfile.TemporaryDirectory() as folder:
        return _run(rounds, folder)


def _run(rounds: int, folder: str) -> dict[str, object]:
    arrived = make()
    path = Path(folder) / "events.parquet"
    pq.write_table(arrived, path)
    sql = duckdb.connect()
    sql.execute("SET threads = 2; SET enable_progress_bar = false")
    sql.register("given", arrived)
    sql.execute("CREATE TABLE arrived AS SELECT * FROM given")
    sql.execute("CREATE TABLE events AS SELECT * FROM arrived ORDER BY customer, moment, step")
    reading = "SELECT customer, moment, (1 << step)::USMALLINT AS steps FROM {} "
    laid = sql.execute(reading.format("events")).fetchnumpy()
    by_time = reading.format("arrived") + "ORDER BY customer, moment, step"

    def from_table() -> list[int]:
        return count(sql.execute(by_time).fetchnumpy())

    def asof() -> list[int]:
        return list(sql.execute(ASOF).fetchone())

    clickhouse = open_clickhouse(folder, path)
    answers = {
        "ours": count(laid),
        "ours, sorting first": from_table(),
        "ClickHouse": clickhouse(),
        "SQL (DuckDB)": asof(),
    }
    print(f"customers by step: {answers['ours']}")
    assert len({tuple(answer) for answer in answers.values()}) == 1, answers
    measured = interleave(
        {
            "ours": timed(lambda: count(laid)),
            "ours, sorting first": timed(from_table),
            "ClickHouse": timed(clickhouse),
            "SQL (DuckDB)": timed(asof),
        },
        rounds,
    )
    goals = [
        Goal("times ClickHouse", _times(measured, "ClickHouse"), 1),
        Goal("times SQL", _times(measured, "SQL (DuckDB)"), 4),
    ]
    show("funnel, events", measured, goals)
    return summary("funnel", measured, goals, customers=answers["ours"])


def _times(measured, other: str) -> float:
    return measured.ratio("ours", other, lambda sample: sample.rate)["median"]
