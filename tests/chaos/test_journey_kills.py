"""Journeys under kills: everybody who begins goes one way, and no message is doubled or lost."""

import os
import random
import signal
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime

import msgspec
import pytest

from amity.broadcast import api_journeys
from amity.infra import database
from amity.store import api as store

KILLS = 20
USERS = 160
# One process that forks a worker, and another as soon as that one is dead: no time goes into
# loading Python, so there are many deaths.
NURSERY = """
import os, sys
from datetime import UTC, datetime
from amity.broadcast import api_journeys
from amity.infra import database
database.use_database(sys.argv[1])
while True:
    child = os.fork()
    if child == 0:
        while True:
            api_journeys.step_batch(now=datetime.now(UTC), limit=15)
    print(child, flush=True)
    os.waitpid(child, 0)
"""


def query(text):
    with database.transaction() as connection:
        return connection.execute(text).fetchall()


@pytest.fixture
def journey_id(db):
    with database.transaction() as connection:
        content = connection.execute(
            "INSERT INTO broadcast_content (class, subject, source, html, text)"
            " VALUES ('marketing', 'Hello', '-', '-', '-') RETURNING id"
        ).fetchone()[0]
        template = connection.execute(
            "INSERT INTO broadcast_template (name, content_id) VALUES ('Hello', %s) RETURNING id",
            [content],
        ).fetchone()[0]
    mail = {"kind": "email", "template_id": template}
    made = api_journeys.create_journey(
        name="Under fire",
        definition={
            "entry": {"event": "Begun"},
            "exit": {"event": "Order Completed"},
            "start": "hello",
            "nodes": {
                "hello": {**mail, "next": "pause"},
                "pause": {"kind": "wait", "seconds": 1, "next": "ordered?"},
                "ordered?": {"kind": "branch", "did": "Looked", "yes": "more", "no": "click"},
                "more": {**mail, "next": "click"},
                "click": {
                    "kind": "wait_for", "event": "Clicked", "seconds": 1,
                    "happened": "thanks", "timed_out": "",
                },
                "thanks": {**mail, "next": ""},
            },
        },
        by="test",
        now=datetime.now(UTC),
    )  # fmt: skip
    api_journeys.set_journey_state(
        journey_id=made.journey_id, state="live", by="test", now=datetime.now(UTC)
    )
    return made.journey_id


def send_events(source_id, stop, turn):
    """Let people begin, look, click and order, and fold what they did."""
    rng = random.Random(turn)
    count = 0
    begun = 0
    while begun < USERS and not stop.is_set():
        events = [("Begun", begun + n) for n in range(8)]
        begun += 8
        for _ in range(10):
            events.append((rng.choice(["Looked", "Clicked", "Begun"]), rng.randrange(begun)))
        events.append(("Order Completed", rng.randrange(begun)))
        bodies = []
        for name, user in events:
            count += 1
            bodies.append(
                msgspec.json.encode(
                    {
                        "type": "track", "event": name, "userId": f"user-{turn}-{user}",
                        "messageId": f"{turn}-{count}", "properties": {"order_id": str(count)},
                    }
                )
            )  # fmt: skip
        store.append_events(source_id=source_id, events=bodies, now=datetime.now(UTC))
        while store.fold_batch().events:
            pass
        time.sleep(0.05)


def kill_again_and_again(db, rng):
    killed = 0
    with subprocess.Popen(
        [sys.executable, "-c", NURSERY, db], stdout=subprocess.PIPE, text=True
    ) as nursery:
        try:
            while killed < KILLS:
                child = int(nursery.stdout.readline())
                time.sleep(0.04 + rng.random() * 0.2)
                os.kill(child, signal.SIGKILL)
                killed += 1
        finally:
            # The last child goes first, or nobody would be left to end it.
            child = int(nursery.stdout.readline())
            nursery.kill()
            os.kill(child, signal.SIGKILL)
    return killed


def finish():
    """Let everybody come to their end, in this process."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        handled = store.fold_batch().events
        handled += api_journeys.step_batch(now=datetime.now(UTC)).events
        [(left,)] = query("SELECT count(*) FROM broadcast_enrolment WHERE ended_at IS NULL")
        if not handled and not left:
            return
        if not handled:
            time.sleep(0.05)
    raise AssertionError("somebody is still under way")


def test_nobody_goes_two_ways_and_no_message_is_doubled_or_lost(journey_id, db, rounds):
    source_id = store.create_source(name="Shop", kind="server").source_id
    for turn in range(rounds):
        stop = threading.Event()
        sender = threading.Thread(target=send_events, args=(source_id, stop, turn))
        sender.start()
        try:
            assert kill_again_and_again(db, random.Random(1000 + turn)) >= 20
        finally:
            sender.join(timeout=60)
            stop.set()
    finish()
    ways = query("SELECT id, profile_id, node, state -> 'visits', ending FROM broadcast_enrolment")
    begun = query("SELECT DISTINCT profile_id FROM store_activity WHERE name = 'Begun'")
    assert sorted(way[1] for way in ways) == sorted(row[0] for row in begun)
    assert len(ways) == USERS * rounds
    assert {way[4] for way in ways} == {"finished", "exit"}
    mails = ("hello", "more", "thanks")
    wanted = sorted(f"{way[0]}:{mail}:1" for way in ways for mail in mails if mail in way[3])
    sent = sorted(row[0] for row in query("SELECT step_key FROM broadcast_send"))
    assert sent == wanted
    for _, _, node, visits, ending in ways:
        assert set(visits.values()) == {1}
        if ending == "finished":
            assert {"hello", "pause", "ordered?", "click"} <= set(visits)
            assert node in {"click", "thanks"}
    report = api_journeys.report_journey(journey_id=journey_id)
    came = {each.node: each.came for each in report.nodes}
    assert report.entered == USERS * rounds
    assert report.active == 0
    for name, count in came.items():
        assert count == sum(name in way[3] for way in ways)
    for each in report.nodes:
        assert each.came == sum(each.left.values())
