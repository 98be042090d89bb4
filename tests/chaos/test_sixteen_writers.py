"""Sixteen writers that commit late, and all who read the log: each sees all of it, once (T8).

Whoever goes by the number of an event alone misses what takes its number early and commits late:
the control does, or this proves nothing.
"""

import contextlib
import random
import threading
import time
from collections import Counter
from datetime import UTC, datetime

import msgspec
import psycopg
import pytest

from amity.analysis import api as analysis
from amity.broadcast import api as broadcast
from amity.broadcast import api_journeys
from amity.infra import config, database, warehouse
from amity.infra.warehouse_reading import run_sql
from amity.infra.warehouse_verifying import verify
from amity.infra.warehouse_writing import ensure_exports, export_all
from amity.personalization import api as personalization
from amity.store import api as store
from amity.store import api_outbound, api_plans
from amity.store.contracts_outbound import OutboundPlan
from amity.testing.chaos_record import Finding, chaos_number, record
from amity.testing.installation import wait_for
from amity.testing.webhook_receiver import receiving
from amity.web.warehousing import list_exports

WRITERS = 16
COMMITS = chaos_number("LATE_COMMITS", 5)
PEOPLE = chaos_number("LATE_PEOPLE", 1)
# Small turns meet more late commits; the long run could not read all in turns as small.
FOLDED = 50 if COMMITS == 5 else 500
MOST_SECONDS = 0.25 if COMMITS == 5 else 0.5
SEED = 20261124
PURPOSE = "sharing"
BUYERS = {"node": "did", "event": "Order Completed", "within_days": 30}
JOURNEY = {
    "entry": {"event": "Begun"},
    "start": "pause",
    "nodes": {"pause": {"kind": "wait", "seconds": 1, "next": ""}},
}
pytestmark = pytest.mark.timeout(360 + 10 * COMMITS)


def now():
    return datetime.now(UTC)


def ask(text, *values):
    with database.transaction() as connection:
        return connection.execute(text, values).fetchall()


@pytest.fixture
def receiver(db):
    with receiving() as server, config.override(egress_allow="127.0.0.0/8"):
        yield server
    for path in sorted(warehouse.folder().rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()


def events_of(user):
    """What one customer does in one go: something for each of those who read."""
    page = {"url": "https://shop.example/a", "path": "/a", "title": "A"}
    consent = {"categoryPreferences": {PURPOSE: True}}
    bodies = [
        {"type": "identify", "traits": {"city": f"City of {user}"}},
        {"event": "Segment Consent Preference Updated", "properties": consent},
        {"type": "page", "name": "A", "context": {"page": page}},
        {"event": "Order Completed", "properties": {"order_id": user, "total": 5}},
        {"event": "Begun"},
    ]
    shared = {"type": "track", "userId": user}
    return [
        msgspec.json.encode(shared | {"messageId": f"{user}-{number}"} | body)
        for number, body in enumerate(bodies)
    ]


class ChangedMindError(Exception):
    pass


def write_slowly(source_id, writer, conninfo, committed):
    """Take numbers, wait, and then commit, or not."""
    rng = random.Random(SEED + writer)
    with psycopg.connect(conninfo, autocommit=True) as connection:
        for number in range(COMMITS):
            users = [f"u{writer}-{number}-{each}" for each in range(PEOPLE)]
            events = [body for user in users for body in events_of(user)]
            with contextlib.suppress(ChangedMindError), connection.transaction():
                store.append_events(
                    source_id=source_id, events=events, connection=connection, now=now()
                )
                time.sleep(rng.uniform(0, MOST_SECONDS))
                if rng.random() < 0.1:
                    raise ChangedMindError
                committed.update(users)


def read_naively(stop, seen, conninfo):
    """The control: a reader that goes by id alone."""
    last = 0
    with psycopg.connect(conninfo, autocommit=True) as connection:
        while not stop.is_set():
            new = connection.execute(
                "SELECT id FROM store_event_log WHERE id > %s ORDER BY id", [last]
            ).fetchall()
            seen.update(row[0] for row in new)
            last = max([last, *(row[0] for row in new)])
            time.sleep(0.01)


def consumers(deliverer):
    """Everybody who reads what was collected, as the worker runs them; how much each did."""
    return {
        "fold": lambda: store.fold_batch(limit=FOLDED).events,
        "followers": lambda: store.follow(now=now()),
        "segments": lambda: analysis.follow_batch(now=now()).events,
        "scores": lambda: analysis.follow_scores(now=now()).events,
        "messages": lambda: broadcast.follow_batch(now=now()).events,
        "journeys": lambda: api_journeys.step_batch(now=now()).events,
        "rewards": lambda: personalization.reward_batch(now=now()).events,
        "consents": lambda: store.write_consents(now=now()),
        "quality": lambda: api_plans.watch_quality(now=now()),
        "webhooks": lambda: api_outbound.queue_deliveries(now=now()) + deliver(deliverer),
        "warehouse": lambda: export_all(list_exports(), limit=200) and 0,
    }


def deliver(deliverer):
    turn = deliverer.turn(now=now())
    return turn.claimed + int(deliverer.is_busy)


def consume(turn, stop, faults):
    try:
        while not stop.is_set():
            if not turn():
                time.sleep(0.02)
    except Exception as error:
        faults.append(error)


@contextlib.contextmanager
def reading(turns):
    """Let each of them read in a thread of its own, until all is read."""
    stop, faults = threading.Event(), []
    threads = [
        threading.Thread(target=consume, args=(turn, stop, faults)) for turn in turns.values()
    ]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert faults == []


def drain(turns):
    """Until nobody finds anything any more; what one writes, such as its events, others read."""

    def is_quiet():
        return not any([turn() for turn in turns.values()])

    wait_for(
        lambda: is_quiet() and is_quiet(), seconds=60 + 6 * COMMITS, what="all to have read all"
    )


def test_everybody_who_reads_sees_each_event_once(receiver):
    source_id = store.create_source(name="Shop", kind="server").source_id
    plan = OutboundPlan(
        name="Orders", url=f"{receiver.url}/ok", events=["Order Completed"], purpose=PURPOSE
    )
    api_outbound.create_endpoint(plan=plan, by="test")
    made = analysis.create_segment(name="Buyers", rule=BUYERS, by="test", now=now())
    journey = api_journeys.create_journey(name="All", definition=JOURNEY, by="test", now=now())
    api_journeys.set_journey_state(
        journey_id=journey.journey_id, state="live", by="test", now=now()
    )
    ensure_exports(list_exports())
    deliverer = api_outbound.Deliverer(rng=random.Random(SEED))
    turns = consumers(deliverer)
    drain(turns)
    committed, naive, stop = set(), set(), threading.Event()
    conninfo = database.conninfo("app")
    began = time.monotonic()
    writers = [
        threading.Thread(target=write_slowly, args=(source_id, number, conninfo, committed))
        for number in range(WRITERS)
    ]
    control = threading.Thread(target=read_naively, args=(stop, naive, conninfo))
    try:
        with reading(turns):
            for thread in (*writers, control):
                thread.start()
            for thread in writers:
                thread.join()
            stop.set()
            control.join()
        drain(turns)
    finally:
        deliverer.close()
    seconds = time.monotonic() - began
    logged = dict(ask("SELECT message_id, id FROM store_event_log WHERE source_id = %s", source_id))
    wanted = {f"{user}-{n}" for user in committed for n in range(5)}
    assert set(logged) == wanted
    missed = set(logged.values()) - naive
    assert missed, "the control missed nothing, so this test proves nothing"
    found = check_readers(receiver, source_id, committed, made.segment_id)
    record(
        Finding(
            card="T8",
            what=f"{WRITERS} writers that commit up to {MOST_SECONDS} s late, and all who read",
            seed=SEED,
            seconds=seconds,
            acknowledged=len(logged),
            lost=len(wanted - set(logged)),
            duplicated=len(logged) - len(set(logged.values())),
            control=f"a reader that goes by number alone missed {len(missed)} of {len(logged)}",
            more={"each once": ", ".join(found)},
        )
    )


def check_readers(receiver, source_id, committed, segment_id):
    """Compare what each reader made of the log with who was committed; their names."""
    users = {row[1]: row[0] for row in ask(
        "SELECT profile_id, value FROM store_identifier WHERE kind = 'user_id'")}  # fmt: skip
    assert set(users) == committed
    everybody = sorted(users.values())
    once = {
        "fold": "SELECT event_id FROM store_activity WHERE source_id = %s AND type <> 'system'",
        "claims": "SELECT event_id FROM store_claim WHERE source_id = %s AND trait = 'city'",
        "consents": "SELECT event_id FROM store_consent WHERE source_id = %s",
        "orders": "SELECT profile_id FROM store_order o WHERE %s > 0",
        "visits": "SELECT origin_id FROM store_visit WHERE %s > 0 AND page_views = 1",
        "journeys": "SELECT profile_id FROM broadcast_enrolment WHERE %s > 0",
        "segment": "SELECT profile_id FROM store_activity WHERE name = 'Segment Entered'"
        " AND source_id <> %s",
    }
    rows = {name: sorted(row[0] for row in ask(sql, source_id)) for name, sql in once.items()}
    kinds = {
        "fold": "true",
        "claims": "message_id LIKE '%%-0'",
        "consents": "message_id LIKE '%%-1'",
    }
    for name, kind in kinds.items():
        wanted = ask(f"SELECT id FROM store_event_log WHERE source_id = %s AND {kind}", source_id)
        assert rows[name] == sorted(row[0] for row in wanted), name
    for name in ("orders", "visits", "journeys", "segment"):
        assert rows[name] == everybody, name
    positions = [row[0] for row in ask("SELECT position FROM store_activity ORDER BY position")]
    assert positions == list(range(1, len(positions) + 1))
    members = analysis.get_segment(segment_id=segment_id).members
    assert members == len(committed)
    heard = Counter(
        msgspec.json.decode(each.body)["data"]["properties"]["order_id"]
        for each in receiver.received
    )
    assert heard == dict.fromkeys(committed, 1)
    assert store.verify_consents().is_whole
    counted = ask("SELECT sum(events)::bigint FROM store_quality WHERE source_id = %s", source_id)
    assert counted == [(5 * len(committed),)]
    return [*rows, "webhooks", *check_standing(positions), check_warehouse(source_id, committed)]


def check_standing(positions):
    """Nobody stands before the end of what was folded."""
    behind = ask(
        "SELECT name, position FROM store_consumer WHERE name <> 'profiles' AND position < %s",
        len(positions),
    )
    assert behind == []
    return [row[0] for row in ask("SELECT name FROM store_consumer WHERE name <> 'profiles'")]


def check_warehouse(source_id, committed):
    export_all(list_exports())
    done = verify(list_exports(), log_days=store.read_log_days, now=now())
    assert done.is_clean, done.differences
    counted = run_sql(
        "SELECT count(*) AS n, count(DISTINCT event_id) AS d FROM events"
        f" WHERE source_id = {source_id}",
        seconds=60,
    )
    assert counted.to_pylist() == [{"n": 5 * len(committed), "d": 5 * len(committed)}]
    return "warehouse"
