"""The fold skips nothing and repeats nothing: killed workers, poison, lost links."""

import os
import random
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from datetime import UTC, datetime

import msgspec
import psycopg
import pytest

from amity.infra import database
from amity.kernel.errors import Unavailable
from amity.store import api
from amity.store.logic.folding import batch as folding_batch
from amity.store.logic.folding.consumer import is_of_the_event

NOW = datetime.now(UTC)
WORKER = """
import sys
from amity.infra import database
from amity.store import api
database.use_database(sys.argv[1])
print("ready", flush=True)
while True:
    api.fold_batch(limit=7)
"""


@pytest.fixture
def source(db):
    return api.create_source(name="Shop", kind="server").source_id


def event(writer, number, name="A"):
    return msgspec.json.encode(
        {
            "type": "track",
            "event": name,
            "messageId": f"{writer}-{number}",
            "userId": f"u{number % 5}",
            "anonymousId": f"a{number % 7}",
        }
    )


def query(text):
    with database.transaction() as connection:
        return connection.execute(text).fetchall()


def fold_all():
    while api.fold_batch().events:
        pass


def assert_once_each():
    logged = query("SELECT id FROM store_event_log ORDER BY id")
    folded = query("SELECT event_id FROM store_activity WHERE type <> 'system' ORDER BY event_id")
    assert folded == logged
    counted = query("SELECT sum(event_count)::bigint FROM store_profile")
    assert counted == [(len(logged),)]
    positions = query("SELECT position FROM store_activity ORDER BY position")
    assert [row[0] for row in positions] == list(range(1, len(positions) + 1))


def test_a_worker_killed_at_random_neither_loses_nor_repeats(source, db):
    rng = random.Random(5)
    stop = threading.Event()

    def write():
        number = 0
        while not stop.is_set():
            batch = [event("w", number + index) for index in range(20)]
            api.append_events(source_id=source, events=batch, now=NOW)
            number += 20
            time.sleep(0.1)

    writer = threading.Thread(target=write)
    writer.start()
    seen = 0
    try:
        for _ in range(4):
            with subprocess.Popen(
                [sys.executable, "-c", WORKER, db], stdout=subprocess.PIPE, text=True
            ) as worker:
                assert worker.stdout.readline() == "ready\n"
                time.sleep(0.03 + rng.random() * 0.3)
                os.kill(worker.pid, signal.SIGKILL)
            seen = max(seen, query("SELECT count(*) FROM store_activity")[0][0])
    finally:
        stop.set()
        writer.join()
    assert seen > 0, "no worker lived long enough to fold anything"
    deadline = time.monotonic() + 60
    while api.stats().consumers[0].events and time.monotonic() < deadline:
        fold_all()  # a killed worker's transaction may still hold the turn for a moment
    assert_once_each()


def poison(monkeypatch):
    sound = folding_batch.fold

    def broken(state, happening, rules):
        if happening.name == "Poison":
            raise KeyError("ann@example.com")
        return sound(state, happening, rules)

    monkeypatch.setattr(folding_batch, "fold", broken)


def test_an_event_that_cannot_be_folded_is_put_aside_at_the_third_try(source, monkeypatch):
    batch = [event("w", number, "Poison" if number in {3, 40} else "A") for number in range(60)]
    api.append_events(source_id=source, events=batch, now=NOW)
    with monkeypatch.context() as patch:
        poison(patch)
        for attempt in range(1, 3):
            with pytest.raises(KeyError):
                api.fold_batch()
            assert api.stats().consumers[0].failures == attempt
        assert api.list_quarantine().items == []
        # Devices that change hands make short turns: what is known of them is weighed each time.
        for _ in range(100):
            with suppress(KeyError):
                api.fold_batch()
        assert api.stats().consumers[0].events == 0
        aside = api.list_quarantine().items
    assert sorted(item.message_id for item in aside) == ["w-3", "w-40"]
    assert {(item.reason, item.detail) for item in aside} == {("fold_error", "KeyError")}
    assert api.stats().consumers[0].failures == 0
    assert_once_each()
    events = api.stats().events
    assert (events.received, events.stored, events.quarantined) == (60, 58, 2)
    assert api.replay_quarantine(quarantine_ids=None).accepted == 2
    fold_all()
    assert_once_each()
    events = api.stats().events
    assert (events.received, events.stored, events.quarantined) == (60, 60, 0)


def test_a_lost_connection_puts_nothing_aside(source, monkeypatch):
    api.append_events(source_id=source, events=[event("w", number) for number in range(5)], now=NOW)
    sound = folding_batch.Batch.load

    def cut_off(batch, entries):
        with database.transaction("owner") as owner:
            owner.execute("SELECT pg_terminate_backend(%s)", [batch.connection.info.backend_pid])
        time.sleep(0.05)
        sound(batch, entries)

    with monkeypatch.context() as patch:
        patch.setattr(folding_batch.Batch, "load", cut_off)
        for _ in range(4):
            with pytest.raises(psycopg.OperationalError):
                api.fold_batch()
    assert api.list_quarantine().items == []
    assert api.stats().consumers[0].failures == 0
    assert api.fold_batch().events == 5
    assert_once_each()


def test_what_may_be_an_events_fault_is_told_by_its_class():
    assert is_of_the_event(ValueError())
    assert is_of_the_event(psycopg.errors.NumericValueOutOfRange())
    assert is_of_the_event(psycopg.errors.UniqueViolation())
    assert is_of_the_event(psycopg.errors.ProgramLimitExceeded())
    for error in (
        psycopg.OperationalError(),
        psycopg.errors.DeadlockDetected(),
        psycopg.errors.SerializationFailure(),
        psycopg.errors.LockNotAvailable(),
        psycopg.errors.QueryCanceled(),
        psycopg.errors.DiskFull(),
        psycopg.errors.TooManyConnections(),
        psycopg.errors.AdminShutdown(),
        psycopg.errors.InsufficientPrivilege(),
        psycopg.errors.UndefinedTable(),
        Unavailable("away"),
        MemoryError(),
        OSError(),
    ):
        assert not is_of_the_event(error), error


def test_what_a_worker_remembers_is_void_once_another_has_worked(source):
    api.append_events(source_id=source, events=[event("w", 1)], now=NOW)
    fold_all()
    query("UPDATE store_consumer SET epoch = epoch + 1 RETURNING 1")
    query("UPDATE store_profile SET event_count = 100 RETURNING 1")  # as another process would
    api.append_events(source_id=source, events=[event("w", 6)], now=NOW)
    fold_all()
    assert api.find_profile(kind="user_id", value="u1").event_count == 101
