"""What it costs to find out whose an event is, in the database, as profiles become many.

Run with `python -m bench identify_durable`: the fold takes the same mix of events with ten
thousand, a hundred thousand and a million profiles there (AMITY_BENCH_PROFILES for another
greatest number). The profiles are put into the tables directly, each with a device and an address
that belong together; the events go by the log. Nothing is remembered from one turn to the next, so
each identifier and each profile is looked up. Goal: the slope of time over profiles, both as
logarithms, at most 0.15.
"""

import itertools
import math
import os
import random
import time
from datetime import UTC, datetime

import msgspec
import psycopg

from amity.infra import queries
from amity.store.logic.folding.evidence import edge_key
from amity.store.logic.folding.pack import EdgeRow, pack_edges
from amity.store.logic.identity.rules import Key
from bench import fold
from bench.collector import installation
from bench.harness import Goal, Rounds, Sample, calibrate, show, summary

SIZES = (10_000, 100_000, 1_000_000)
EVENTS = 6_000
NOW = datetime.now(UTC)
_FIRST_ID = 1_000_000_000_000  # beyond what the log numbers
_STEP = 50_000
_PEOPLE = """INSERT INTO store_profile (id, email, traits, trait_origins, first_seen_at,
    last_seen_at, event_count, event_counts, identifier_count, email_count, is_known, version)
SELECT %(first)s + n, 'p' || n || '@mail.example',
    jsonb_build_object('email', 'p' || n || '@mail.example'),
    jsonb_build_object('email', jsonb_build_array(%(source)s, now(), %(first)s + n)),
    now(), now(), 1, '{"Identify": 1}', 2, 1, true, 0
FROM generate_series(%(low)s, %(high)s - 1) AS n"""
_IDENTIFIERS = """INSERT INTO store_identifier (kind, value, profile_id, origin_id, source_id,
    event_id, first_seen_at)
SELECT k.kind, CASE k.kind WHEN 'email' THEN 'p' || n || '@mail.example' ELSE 'd' || n END,
    %(first)s + n, %(first)s + n, %(source)s, %(first)s + n, now()
FROM generate_series(%(low)s, %(high)s - 1) AS n,
    unnest('{email,anonymous_id}'::text[]) AS k (kind)"""


def run(rounds=7):
    """Measure with each number of profiles, from few to many."""
    most = int(os.environ.get("AMITY_BENCH_PROFILES", SIZES[-1]))
    sizes = [size for size in SIZES if size <= most]
    measured = Rounds()
    with installation() as server:
        from amity.store import api

        fold.PIDS[:] = [server.process.pid]
        source = api.create_source(name="bench", kind="server").source_id
        there, numbers = 0, itertools.count()
        for size in sizes:
            _people(server, source, there, size)
            there = size
            _turn(server, source, size, numbers)  # connections, plans
            name = f"{size:,} profiles"
            measured.samples[name] = [_turn(server, source, size, numbers) for _ in range(rounds)]
    measured.calibrations = [calibrate()] * rounds  # sizes do not take turns: all rounds count
    costs = [measured.median(f"{size:,} profiles", lambda s: s.cpu_seconds) for size in sizes]
    slope = _slope(sizes, costs) if len(sizes) > 1 else 0.0
    goals = [Goal("slope of CPU time over profiles, log-log", slope, 0.15, at_least=False)]
    show("identify_durable", measured, goals)
    return summary("identify_durable", measured, goals, slope=slope)


def _people(server, source, low, high):
    with psycopg.connect(server.conninfo("amity_owner"), autocommit=True) as connection:
        for start in range(low, high, _STEP):
            part = {"first": _FIRST_ID, "source": source, "low": start}
            part["high"] = min(high, start + _STEP)
            for statement in (_PEOPLE, _IDENTIFIERS):
                connection.execute(statement, part)
            with connection.cursor().copy(queries.load("amity.store")["copy_edges"]) as copy:
                copy.write(pack_edges(_edge(n, source) for n in range(start, part["high"])))
        for table in ("store_profile", "store_identifier", "store_evidence"):
            connection.execute(f"VACUUM ANALYZE {table}")


def _edge(number, source):
    pair = (Key("email", f"p{number}@mail.example"), Key("anonymous_id", f"d{number}"))
    return EdgeRow(
        *(edge_key(pair), *pair[0], *pair[1], _FIRST_ID + number, _FIRST_ID + number, "event"),
        *(True, source, NOW, NOW.date(), NOW, ""),
    )


def _events(rng, size, numbers):
    """Make events of people there by device, by address and both, of new devices and new people."""
    for _ in range(EVENTS):
        number, person, chance = next(numbers), rng.randrange(size), rng.random()
        device, email = f"d{person}", f"p{person}@mail.example"
        if chance >= 0.7:
            device = f"new-{number}"
        if chance >= 0.85:
            email = f"new{number}@mail.example"
        event = {"type": "track", "event": "Seen", "anonymousId": device, "messageId": f"m{number}"}
        if chance >= 0.5:
            event |= {"type": "identify", "traits": {"email": email}}
        yield msgspec.json.encode(event)


def _turn(server, source, size, numbers):
    from amity.store import api

    events = list(_events(random.Random(size + next(numbers)), size, numbers))
    accepted = api.append_events(source_id=source, events=events, now=datetime.now(UTC)).accepted
    with psycopg.connect(server.conninfo("amity_owner"), autocommit=True) as connection:
        # A fold of another epoch remembers nothing.
        connection.execute("UPDATE store_consumer SET epoch = epoch + 1 WHERE name = 'profiles'")
    wall, cpu, folded = time.perf_counter(), time.process_time() + fold.postgres_cpu(), 0
    while done := api.fold_batch().events:
        folded += done
    wall, cpu = time.perf_counter() - wall, time.process_time() + fold.postgres_cpu() - cpu
    if folded != accepted or accepted != EVENTS:
        raise AssertionError(f"{EVENTS} made, {accepted} accepted, {folded} folded")
    return Sample(folded, wall, cpu)


def _slope(sizes, costs):
    """Return the least-squares slope of the logarithms."""
    xs, ys = [math.log(size) for size in sizes], [math.log(cost) for cost in costs]
    middle_x, middle_y = sum(xs) / len(xs), sum(ys) / len(ys)
    over = sum((x - middle_x) * (y - middle_y) for x, y in zip(xs, ys, strict=True))
    return over / sum((x - middle_x) ** 2 for x in xs)
