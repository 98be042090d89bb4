"""Killing whoever writes the warehouse, at every step and at any moment: none lost, none twice."""

import multiprocessing
import os
import random
import signal
import time
from datetime import UTC, datetime

import msgspec
import pyarrow.parquet as pq
import pytest

from amity.infra import database, warehouse, warehouse_rewriting, warehouse_writing
from amity.infra.warehouse_reading import run_sql
from amity.infra.warehouse_verifying import verify
from amity.infra.warehouse_writing import ensure_exports, export_all, sweep_leftovers
from amity.store import api as store
from amity.web.warehousing import list_exports

NOW = datetime.now(UTC)
FORK = multiprocessing.get_context("fork")


@pytest.fixture
def source(db):
    yield store.create_source(name="Shop", kind="server").source_id
    for path in sorted(warehouse.folder().rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()


def send(source_id, people, batch):
    events = [
        {"type": kind, "userId": who, "event": "Order Completed", "messageId": f"{batch}-{who}",
         "traits": {"seen": batch}, "properties": {"order_id": f"{batch}-{who}", "total": 5}}
        for who, kind in ((who, "identify" if who[-1] in "05" else "track") for who in people)
    ]  # fmt: skip
    raw = [msgspec.json.encode(event) for event in events]
    assert store.append_events(source_id=source_id, events=raw, now=NOW).accepted == len(people)
    while store.fold_batch().events:
        pass


def child(act, step, answer):
    """Do it in a process of its own, which kills itself at its ``step``-th step of writing."""
    left = step

    def count(real):
        def stop(*arguments, **keywords):
            nonlocal left
            left -= 1
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)
            return real(*arguments, **keywords)

        return stop

    for module, names in (
        (os, ("fsync", "replace", "mkdir")),
        (warehouse_writing, ("record", "add_files", "delete_files", "draw_token")),
        (warehouse_rewriting, ("_exchange", "delete_files", "sweep")),
    ):
        for name in names:
            setattr(module, name, count(getattr(module, name)))
    database.use_database(database.database_name())  # no connection is shared with the parent
    act()
    answer.value = 1


def run(act, step):
    """Return whether the child came to its end."""
    answer = FORK.Value("i", 0)
    database.close_pools()
    process = FORK.Process(target=child, args=(act, step, answer))
    process.start()
    process.join(60)
    assert process.exitcode in {0, -signal.SIGKILL}, process.exitcode
    return answer.value == 1


def check():
    export_all(list_exports())
    sweep_leftovers()
    done = verify(list_exports(), log_days=store.read_log_days, now=NOW)
    assert done.is_clean, done.differences
    with database.transaction() as connection:
        listed = {row[0] for row in connection.execute("SELECT path FROM warehouse_file")}
    root = warehouse.folder()
    assert {str(p.relative_to(root)) for p in root.rglob("*") if p.is_file()} == listed
    return done


def export():
    export_all(list_exports(), limit=7)


def test_killed_at_every_step_of_an_export(source):
    send(source, [f"p-{n}" for n in range(9)], 0)
    ensure_exports(list_exports())
    step, kills = 1, 0
    while not run(export, step):
        kills += 1
        step += 2
        send(source, [f"q-{step}", "p-5"], step)
    assert kills > 8
    assert check().rows["events"] == 9 + 2 * kills


def test_killed_at_every_step_of_an_erasure(source):
    people = [f"p-{n:02}" for n in range(12)]
    send(source, people, 0)
    ensure_exports(list_exports())
    export_all(list_exports())
    ids = {r.user_id: r.profile_id for r in store.list_profiles(limit=50).items}
    step, gone = 1, 0
    while True:
        profile_id = ids[f"p-{gone:02}"]

        def erase(profile_id=profile_id):
            warehouse_rewriting.forget([profile_id])

        store.erase_profile(profile_id=profile_id, by="Tests", now=NOW)
        gone += 1
        if run(erase, step):
            break
        step += 3
    assert gone > 3
    # What a dead process left undone is done by the next.
    with database.transaction() as connection:
        connection.execute("UPDATE warehouse_forgetting SET asked_at = now() - interval '1 hour'")
    from amity.infra.warehouse_rewriting import forget_asked

    assert forget_asked() == gone - 1
    assert check().rows["events"] == 12 - gone
    for path in warehouse.folder().rglob("part-*"):
        told = repr(pq.ParquetFile(path).read().to_pylist())
        assert not [n for n in range(gone) if f"p-{n:02}" in told]


def test_killed_at_any_moment_again_and_again(source):
    rng = random.Random(4)
    ensure_exports(list_exports())
    total = 0
    for number in range(15):
        people = [f"p-{rng.randrange(20)}" for _ in range(6)]
        send(source, sorted(set(people)), number)
        total += len(set(people))
        database.close_pools()
        answer = FORK.Value("i", 0)
        process = FORK.Process(target=child, args=(export, 0, answer))
        process.start()
        time.sleep(rng.random() * 0.12)
        process.kill()
        process.join(60)
    done = check()
    assert done.rows["events"] == total
    counted = run_sql("SELECT count(DISTINCT event_id) AS n FROM events", seconds=30)
    assert counted.to_pylist() == [{"n": total}]
