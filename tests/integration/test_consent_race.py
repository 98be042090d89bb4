"""A no that has committed stops what is not yet on the wire: the store's part of rule D19."""

import random
import threading
import time
from datetime import UTC, datetime

import msgspec
import pytest

from amity.infra import database
from amity.store import api
from amity.store.contracts import Choices

RACES = 200
# On a busy machine one side may win for long.
MOST_RACES = 20 * RACES
_FENCE = """UPDATE fence SET wire_at = clock_timestamp()
            FROM store_profile p, store_contact_point c
            WHERE fence.id = %s AND c.address_key = %s AND p.id = %s
              AND store_contact_reason(c.suppression, c.objections, p.consents,
                                       'marketing.email') = ''"""


@pytest.fixture
def person(db):
    source_id = api.create_source(name="Shop", kind="server").source_id
    now = datetime.now(UTC).isoformat()
    said = {"categoryPreferences": {"marketing.email": True}}
    event = {
        "type": "track",
        "userId": "u1",
        "event": "Segment Consent Preference Updated",
        "properties": said,
        "timestamp": now,
    }
    api.append_events(
        source_id=source_id, events=[msgspec.json.encode(event)], now=datetime.now(UTC)
    )
    api.fold_batch()
    with database.transaction("owner") as connection:
        connection.execute("CREATE TABLE fence (id integer PRIMARY KEY, wire_at timestamptz)")
        connection.execute("INSERT INTO fence SELECT n FROM generate_series(0, 999) n")
        connection.execute("GRANT ALL ON fence TO PUBLIC")
    return api.find_profile(kind="user_id", value="u1").profile_id


def race(index, profile_id, *, is_locking):
    """Let a fence and a no meet; return when the message went and when the no had committed.

    Both by the database's clock; the commit is taken as the moment its caller hears of it.
    """
    key = api.contact_key(channel="email", address=f"p{index}@example.com")
    with database.transaction() as connection:
        api.ensure_contact_points(connection=connection, channel="email", address_keys=[key])
    start = threading.Barrier(2)
    rng = random.Random(index)
    pauses = [rng.random() * 0.004 for _ in range(3)]
    committed = []

    def send():
        start.wait()
        time.sleep(pauses[0])
        with database.transaction() as connection:
            if is_locking:
                connection.execute(
                    "SELECT FROM store_contact_point WHERE address_key = %s FOR SHARE", [key]
                )
            if connection.execute(_FENCE, [index, key, profile_id]).rowcount:
                connection.execute("SELECT pg_sleep(%s)", [pauses[1]])
                connection.execute(
                    "UPDATE fence SET wire_at = clock_timestamp() WHERE id = %s", [index]
                )

    def refuse():
        said = Choices(
            profile_id=profile_id,
            channel="email",
            address_key=key,
            choices={"marketing.email": False},
            method="one_click",
        )
        start.wait()
        time.sleep(pauses[2])
        api.state_choices(choices=said, now=datetime.now(UTC))
        with database.transaction() as connection:
            committed.extend(connection.execute("SELECT clock_timestamp()").fetchone())

    threads = [threading.Thread(target=send), threading.Thread(target=refuse)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with database.transaction() as connection:
        [wire_at] = connection.execute(
            "SELECT wire_at FROM fence WHERE id = %s", [index]
        ).fetchone()
    return wire_at, committed[0]


def test_nothing_goes_on_the_wire_after_a_no_has_committed(person):
    went = 0
    for index in range(MOST_RACES):
        wire_at, no_at = race(index, person, is_locking=True)
        assert wire_at is None or wire_at <= no_at, index
        went += wire_at is not None
        if index + 1 >= RACES and 0 < went <= index:
            return
    raise AssertionError("both must win sometimes, or nothing was raced")


def test_without_the_lock_messages_slip_past(person):
    """The control: the same race shows the fault where there is one."""
    results = (race(index, person, is_locking=False) for index in range(MOST_RACES))
    assert any(wire_at and wire_at > no_at for wire_at, no_at in results)
