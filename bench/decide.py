"""Decisions over HTTP (PERFORMANCE row 14): 50 offers, people in memory, every decision logged.

Ours decides in full: consent, caps, rules, budgets, Thompson sampling with exact propensities, and
the answer waits for the commit of its row. `postgres` is the same handler with no place to keep
people, so that it reads each from the database; the floor is the least any handler can do.

With fewer than five rounds there are 10,000 people, else 100,000.
"""

import contextlib
import sys
from datetime import UTC, datetime
from threading import Timer

import psycopg

from amity.testing.edge import running_edge, send
from amity.testing.installation import wait_for
from amity.testing.ports import free_port
from bench.collector import SETTINGS, Load, installation, serving, turn
from bench.harness import Goal, interleave, show, summary

OFFERS = 50
CONNECTIONS = 32
_PEOPLE = """
    INSERT INTO store_profile (id, user_id, email, traits, consents, first_seen_at, last_seen_at,
        event_count, order_count, revenue_minor, identifier_count, version)
    SELECT n + 1, 'u' || n, 'u' || n || '@shop.example',
           jsonb_build_object('tier', 't' || n %% 4, 'country', 'DE'),
           CASE WHEN n %% 5 = 0 THEN '{}' ELSE jsonb_build_object('offers.web', jsonb_build_object(
               'status', 'granted', 'at', now(), 'source_id', 1, 'event_id', 1)) END,
           now(), now(), 1, n %% 20, 1000, 1, 0
    FROM generate_series(0, %s - 1) AS n
"""
_NAMES = """
    INSERT INTO store_identifier (kind, value, profile_id, origin_id, source_id, event_id,
        first_seen_at)
    SELECT 'user_id', 'u' || n, n + 1, n + 1, 1, 1, now() FROM generate_series(0, %s - 1) AS n
"""
_OUTCOMES = """
    INSERT INTO personalization_outcome (decision_id, item, kind, occurred_at, profile_id)
    SELECT gen_random_uuid(), 'offer-' || n %% 50, 'impression', now() - interval '1 day', n + 1
    FROM generate_series(0, %s - 1) AS n
"""
_COUNT = "SELECT count(*) FROM personalization_decision"


def run(rounds):
    """Ask from 32 connections, then from one; then kill the server while it is asked."""
    people = 10_000 if rounds < 5 else 100_000
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(installation())
        watch = stack.enter_context(
            psycopg.connect(server.conninfo("amity_owner"), autocommit=True)
        )
        key = _fill(watch, people)
        load = Load()
        stack.callback(load.close)
        ours, contenders = _start(stack, load, watch, key, people)
        for contender in contenders[CONNECTIONS].values():
            contender()  # warm up
        _warm(load, ours, key, people)
        many = interleave(contenders[CONNECTIONS], rounds)
        one = interleave(contenders[1], rounds)
        checks = _count(watch, contenders)
        checks["answered before a kill -9, and logged"] = _kill(load, watch, ours, key, people)
    goals = _goals(many)
    show(f"decide, {CONNECTIONS} connections, {people:,} people", many, goals)
    show("decide, 1 connection", one, [])
    print("  answered → logged: " + ", ".join(f"{k} {v}" for k, v in checks.items()))
    return summary("decide", many, goals, checks=checks, one=one.median("ours", _p50))


def _fill(watch, people):
    """Make people, a placement with its offers, a source and a snapshot; return the key."""
    from amity.personalization import api
    from amity.store.api import create_source

    now = datetime.now(UTC)
    for statement in (_PEOPLE, _NAMES, _OUTCOMES):
        watch.execute(statement, [people])
    watch.execute("ANALYZE")
    place = api.create_placement(key="bench", kind="offers", slots=3, by="bench", now=now)
    for number in range(OFFERS):
        offer = api.create_offer(
            key=f"offer-{number}",
            headline=f"Offer {number}",
            body="Only this week, only for you, and only while there is any left of it.",
            placement_ids=[place.placement_id],
            rule={
                "node": "all",
                "of": [
                    _check("profile.order_count", "gte", number % 5),
                    _check("trait.tier", "ne", f"t{number % 4}"),
                ],
            },
            purpose="" if number % 3 else "offers.web",
            cap_count=3,
            cap_days=7,
            budget_count=1_000_000,
            by="bench",
            now=now,
        )
        api.set_offer_state(offer_id=offer.offer_id, state="live", by="bench", now=now)
    api.publish_snapshot(now=now)
    return create_source(name="bench", kind="server").write_key


def _check(field, operator, value):
    return {"node": "check", "field": field, "is": {"op": operator, "value": value}}


def _start(stack, load, watch, key, people):
    ours = stack.enter_context(running_edge(**SETTINGS, decide_profiles=people))
    postgres = stack.enter_context(running_edge(**SETTINGS, decide_profiles=0))
    for edge in (ours, postgres):
        wait_for(lambda edge=edge: _is_ready(edge), what="decisions")
    port = free_port()
    granian = [sys.executable, "-m", "granian", "--interface", "rsgi", "--no-ws"]
    granian += ["--loop", "uvloop", "--log-level", "error", "--port", str(port)]
    floor = stack.enter_context(
        serving([*granian, "bench.decide_floor:app"], {"FLOOR_PEOPLE": str(people)}, port)
    )
    servers = {
        "ours": (ours.process.pid, ours.port, "amity-app"),
        "postgres": (postgres.process.pid, postgres.port, "amity-app"),
        "floor": (floor.pid, port, "nobody"),
    }
    return ours, {
        connections: {
            name: turn(load, watch, pid, application, _task(at, key, people, connections))
            for name, (pid, at, application) in servers.items()
        }
        for connections in (CONNECTIONS, 1)
    }


def _task(port, key, people, connections, seconds=1.0):
    return {
        "path": "/v1/decide",
        "port": port,
        "key": key,
        "size": 1,
        "people": people,
        "connections": connections,
        "seconds": seconds,
    }


def _is_ready(edge):
    return send(f"{edge.url}/health")[1]["decisions"]["is_ready"]


def _warm(load, ours, key, people):
    """Ask until everybody is at hand."""
    while send(f"{ours.url}/health")[1]["decisions"]["people"] < 0.99 * people:
        load.run(**_task(ours.port, key, people, 128, 2.0))


def _p50(sample):
    return sample.p50_seconds


def _goals(many):
    rate, p99 = (lambda s: s.rate), (lambda s: s.p99_seconds)
    ratio = many.ratio
    return [
        Goal("decisions a second beside the floor", ratio("ours", "floor", rate)["median"], 0.5),
        Goal(
            "decisions a second beside people in PostgreSQL",
            ratio("ours", "postgres", rate)["median"],
            1.5,
        ),
        Goal("p99 beside the floor", ratio("ours", "floor", p99)["median"], 3.0, at_least=False),
    ]


def _count(watch, contenders):
    """Say how many were answered and how many are logged; each answer must be."""
    answered = sum(each[name].accepted for each in contenders.values() for name in _LOGGED)
    logged = watch.execute(_COUNT).fetchone()[0]
    if logged < answered:
        raise RuntimeError(f"{answered} decisions were answered and {logged} are logged")
    return {"all": f"{answered:,} → {logged:,} (with those to warm up)"}


_LOGGED = ("ours", "postgres")


def _kill(load, watch, ours, key, people):
    """Kill the server while it is asked; only what was on its way may be logged unanswered."""
    before = watch.execute(_COUNT).fetchone()[0]
    timer = Timer(1.0, ours.kill_and_restart)
    timer.start()
    answered = load.run(**_task(ours.port, key, people, CONNECTIONS, 2.0))["accepted"]
    timer.join()
    logged = watch.execute(_COUNT).fetchone()[0] - before
    if not answered <= logged <= answered + CONNECTIONS:
        raise RuntimeError(f"{answered} decisions were answered and {logged} are logged")
    return f"{answered:,} → {logged:,}"
