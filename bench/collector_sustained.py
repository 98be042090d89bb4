"""A minute of load with the worker running: does the fold keep up with what the collector takes?

AMITY_BENCH_RATE offers another number of events a second.
"""

import contextlib
import os
import sys
import threading
import time

import psycopg

from amity.testing.edge import running_edge
from bench.collector import SETTINGS, Load, installation, serving_nothing
from bench.harness import Goal

SECONDS = 60
RATE = int(os.environ.get("AMITY_BENCH_RATE", "5000"))
"""Events a second that are offered, by connections that also share these cores."""

_SIZE = 10
_CONNECTIONS = 16
_FOLDED = "SELECT coalesce(max(position), 0) FROM store_activity"
_STORED = "SELECT coalesce(sum(stored), 0)::bigint FROM store_counter WHERE source_id <> 1"
_LAG = """SELECT count(*), coalesce(max(extract(epoch FROM clock_timestamp() - l.received_at)), 0)
FROM store_event_log l, store_consumer c
WHERE c.name = 'profiles' AND (l.xid, l.id) > (c.xid, c.event_id)"""


def run(rounds):
    """Offer a steady rate for a minute (for fewer seconds with fewer than seven rounds)."""
    seconds = SECONDS if rounds >= 7 else 5 * rounds
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(installation())
        watch = stack.enter_context(
            psycopg.connect(server.conninfo("amity_owner"), autocommit=True)
        )
        from amity.store.api import create_source

        key = create_source(name="bench", kind="server").write_key
        load = Load()
        stack.callback(load.close)
        edge = stack.enter_context(running_edge(**SETTINGS))
        for part in ("consumers", "projections"):  # as `amity up` does
            worker = [sys.executable, "-m", "amity.cli", "worker", "--part", part]
            stack.enter_context(serving_nothing(worker))
        first = {"path": "/v1/track", "key": key, "size": 1, "connections": 1, "port": edge.port}
        before = load.run(**first, seconds=0)["accepted"]
        while watch.execute(_FOLDED).fetchone()[0] < before:
            time.sleep(0.1)  # the worker is starting
        lags = []
        over = threading.Event()
        looking = threading.Thread(target=_look, args=(server, lags, over))
        looking.start()
        started = time.perf_counter()
        task = {"path": "/v1/batch", "key": key, "size": _SIZE, "connections": _CONNECTIONS}
        result = load.run(**task, port=edge.port, seconds=seconds, rate=RATE)
        took = time.perf_counter() - started
        folded = watch.execute(_FOLDED).fetchone()[0] - before
        waiting, lag = watch.execute(_LAG).fetchone()
        over.set()
        looking.join()
        stored = watch.execute(_STORED).fetchone()[0] - before
    if stored != result["accepted"]:
        raise AssertionError(f"{stored} stored, {result['accepted']} accepted")
    collected, done = result["accepted"] / took, folded / took
    print(f"\ncollector_sustained: {took:.0f} seconds, {RATE:,} events a second offered")
    print(f"  collector  {collected:10,.0f} events/s   p99 {result['p99'] * 1e3:6.1f} ms")
    print(
        f"  fold       {done:10,.0f} events/s   at the end {waiting:,} waiting, {lag:.2f} s behind"
    )
    print(f"  lag        {max(lags):10.2f} s at most, {sorted(lags)[len(lags) // 2]:.2f} s median")
    goals = [
        Goal("fold beside collector", done / collected, 0.98),
        Goal("lag at the end, in seconds", float(lag), 2.0, at_least=False),
    ]
    for goal in goals:
        print(goal.line())
    return {
        "workload": "collector_sustained",
        "collected_a_second": collected,
        "folded_a_second": done,
        "lag_seconds": float(lag),
        "most_lag_seconds": max(lags),
        "statuses": result["statuses"],
        "goals": [
            {"what": g.what, "value": g.value, "wanted": g.wanted, "is_met": g.is_met}
            for g in goals
        ],
    }


def _look(server, lags, over):
    with psycopg.connect(server.conninfo("amity_owner"), autocommit=True) as connection:
        while not over.wait(0.5):
            lags.append(float(connection.execute(_LAG).fetchone()[1]))
