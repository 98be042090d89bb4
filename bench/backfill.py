"""A backfill: how fast history comes in by the front door, and when the fold has caught up.

Run with `python -m bench backfill`, or `python -m bench.backfill 10000000` for that many events (a
million, or AMITY_BENCH_EVENTS). This process hands events to `append_events`, which checks, tells
repetitions and stores, in large batches; another folds at the same time, as a worker does. There
is no goal: the rates are told.
"""

import os
import random
import sys
import time
from datetime import UTC, datetime, timedelta

import msgspec
import psycopg

from bench.collector import installation, serving_nothing

EVENTS = 1_000_000
_BATCH = 5_000
_DAYS = 365
_FOLDED = "SELECT position FROM store_consumer WHERE name = 'profiles'"
_BEHIND = """SELECT clock_timestamp() - l.received_at FROM store_event_log l, store_consumer c
WHERE c.name = 'profiles' AND (l.xid, l.id) > (c.xid, c.event_id) ORDER BY l.xid, l.id LIMIT 1"""
_UNFOLDED = """SELECT EXISTS (SELECT FROM store_event_log l, store_consumer c
WHERE c.name = 'profiles' AND (l.xid, l.id) > (c.xid, c.event_id))"""


def run(rounds):
    """Load and fold; with fewer than seven rounds as much less."""
    count = int(os.environ.get("AMITY_BENCH_EVENTS", EVENTS * min(rounds, 7) // 7))
    return measure(count // _BATCH * _BATCH or _BATCH)


def history(count):
    """Yield batches of a shop's events, a year of them in order: one customer for ten events."""
    rng = random.Random(1)
    people = max(count // 10, 1)
    start = datetime.now(UTC) - timedelta(days=_DAYS)
    encode = msgspec.json.Encoder().encode
    for first in range(0, count, _BATCH):
        at = (start + timedelta(days=_DAYS) * (first / count)).isoformat()
        yield [
            encode(_event(rng, number, rng.randrange(people), at))
            for number in range(first, first + _BATCH)
        ]


def _event(rng, number, person, at):
    event = {
        "type": "track",
        "event": "Product Viewed",
        "messageId": f"history-{number}",
        "anonymousId": f"device-{person}-{rng.randrange(2)}",
        "timestamp": at,
        "context": {"page": {"path": "/shoes/42", "title": "Shoes"}, "locale": "de-AT"},
        "properties": {"product_id": f"p{rng.randrange(500)}", "price": 19.9},
    }
    chance = rng.random()
    if chance < 0.05:
        traits = {"email": f"user{person}@mail.example", "name": "Ann Lee"}
        event |= {"type": "identify", "userId": f"user-{person}", "traits": traits}
    elif chance < 0.15:
        properties = {"order_id": f"o{number}", "total": 20, "products": []}
        event |= {"event": "Order Completed", "userId": f"user-{person}", "properties": properties}
    return event


def measure(count):
    """Load so many events beside a folding process, and wait for it; print both rates."""
    with installation() as server:
        from amity.store.api import append_events, create_source

        source = create_source(name="history", kind="server").source_id
        command = [sys.executable, "-m", "bench.backfill", "fold"]
        with (
            psycopg.connect(server.conninfo("amity_owner"), autocommit=True) as watch,
            serving_nothing(command),
        ):
            first = b'{"type": "page", "messageId": "first", "anonymousId": "device-0-0"}'
            append_events(source_id=source, events=[first], now=datetime.now(UTC))
            while watch.execute(_UNFOLDED).fetchone()[0]:
                time.sleep(0.05)  # the folding process is starting
            started = time.perf_counter()
            making = 0.0
            accepted = 0
            batches = history(count)
            while True:
                before = time.perf_counter()
                events = next(batches, None)
                making += time.perf_counter() - before
                if events is None:
                    break
                result = append_events(source_id=source, events=events, now=datetime.now(UTC))
                accepted += result.accepted
            loaded = time.perf_counter() - started
            behind = watch.execute(_BEHIND).fetchone()
            lag = behind[0].total_seconds() if behind else 0.0
            waiting = max(0, count + 1 - watch.execute(_FOLDED).fetchone()[0])
            while watch.execute(_UNFOLDED).fetchone()[0]:
                time.sleep(0.05)
            folded = time.perf_counter() - started
        _check(server, accepted, count)
    return _report(count, loaded=loaded, making=making, folded=folded, waiting=waiting, lag=lag)


def _check(server, accepted, count):
    with psycopg.connect(server.conninfo("amity_owner")) as connection:
        query = "SELECT count(*) FROM store_activity WHERE type <> 'page' AND type <> 'system'"
        [kept] = connection.execute(query).fetchone()
    if not accepted == kept == count:
        raise AssertionError(f"{count} sent, {accepted} accepted, {kept} folded")


def _report(count, *, loaded, making, folded, waiting, lag):
    rates = {"loaded": count / (loaded - making), "folded": count / folded}
    print(f"\nbackfill: {count:,} events in batches of {_BATCH:,}, folded at the same time")
    print(f"  loaded  {rates['loaded']:10,.0f} events/s   (without making them up)")
    print(f"  folded  {rates['folded']:10,.0f} events/s   from the first to the last")
    print(
        f"  lag     {lag:10.2f} s when all was loaded, {waiting:,} events waiting; "
        f"gone {folded - loaded:.1f} s later"
    )
    return {
        "workload": "backfill",
        "events": count,
        "rates": rates,
        "lag_seconds": lag,
        "caught_up_seconds": folded - loaded,
        "goals": [],
    }


def fold():
    """Fold until the process is ended."""
    from amity.store.api import fold_batch

    while True:
        if not fold_batch().events:
            time.sleep(0.05)


if __name__ == "__main__":
    if sys.argv[1:] == ["fold"]:
        fold()
    else:
        measure(int(sys.argv[1]) if len(sys.argv) > 1 else EVENTS)
