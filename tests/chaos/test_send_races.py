"""Who says no while her message is on its way (T29): a no that has committed stops the message."""

import os
import random
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from amity.broadcast.logic.sending import fence, gate, ledger
from amity.infra import config, database
from amity.infra.database import transaction
from amity.store import api as store
from amity.store.contracts import Choices
from amity.testing.mailing import address_of, make_campaign, make_content, make_people, queue

RACES = int(os.environ.get("AMITY_CHAOS_RACES", "1000"))
SENDERS = 3
OBJECTORS = 3
_GROUP = 5


@pytest.fixture
def armed(db):
    fence.arm_new_installation(now=clock())
    with config.override(quiet_from=0, quiet_until=0):
        yield
        database.close_pools()


def clock():
    with transaction() as connection:
        return connection.execute("SELECT clock_timestamp()").fetchone()[0]


def key(number):
    return store.contact_key(channel="email", address=address_of(number))


def object_to(number, now):
    """Say no, and return when the answer came: from then on it must hold."""
    no = {"marketing.email": False}
    choices = Choices(
        profile_id=number, channel="email", address_key=key(number), choices=no, method="link"
    )
    store.state_choices(choices=choices, now=now)
    return time.monotonic()


def race(numbers, rng, *, enter):
    """Let senders and objectors meet at the same people; return who saw what, and when."""
    now, lock = clock(), threading.Lock()
    said, passed = {}, {}
    with transaction() as connection:
        held = fence.check(connection)
    order = list(numbers)
    rng.shuffle(order)

    def objector(part):
        for number in part:
            answered = object_to(number, now)
            with lock:
                said[number] = answered

    def sender(owner):
        while True:
            with transaction() as connection:
                claimed, _ = ledger.claim(connection, owner=owner, limit=_GROUP, lease_seconds=60)
            if not claimed:
                return
            candidates = [
                gate.Candidate(c.send_id, c.token, c.profile_id, key(c.profile_id)) for c in claimed
            ]
            began = time.monotonic()
            rulings = enter(candidates, owner=owner, fence=held)
            with lock:
                for each in claimed:
                    if rulings[each.send_id].pass_token:
                        passed[each.profile_id] = began

    with ThreadPoolExecutor(SENDERS + OBJECTORS) as threads:
        running = [threads.submit(sender, f"s{n}") for n in range(SENDERS)]
        running += [threads.submit(objector, order[n::OBJECTORS]) for n in range(OBJECTORS)]
        for future in running:
            future.result()
    return said, passed


def plan(races):
    with transaction() as connection:
        make_campaign(connection)
        make_people(connection, range(1, races + 1))
        queue(connection, range(1, races + 1), make_content(connection))


def find_broken(said, passed):
    """Return who was put on the wire by a gate that was asked after the no had been answered."""
    return [number for number, began in passed.items() if said.get(number, began) < began]


def test_a_no_that_has_committed_stops_every_message_not_on_the_wire(armed):
    plan(RACES)
    said, passed = race(range(1, RACES + 1), random.Random(1), enter=gate.enter)
    assert len(said) == RACES
    assert find_broken(said, passed) == []
    with transaction() as connection:
        # By PostgreSQL's own clock: on the wire only before the no was written.
        late = connection.execute(
            "SELECT count(*) FROM broadcast_send s JOIN store_contact_point p"
            " ON p.address_key = s.contact_point"
            " WHERE s.state = 'wire' AND s.wire_at > p.updated_at"
        ).fetchone()[0]
        states = dict(
            connection.execute("SELECT state, count(*) FROM broadcast_send GROUP BY 1").fetchall()
        )
    assert late == 0
    assert states.keys() == {"wire", "suppressed"}
    assert min(states.values()) > RACES // 50, f"one side always won: {states}"


def test_a_gate_that_asks_first_and_marks_later_is_found_out(armed):
    """The control: the same race with the question and the mark in two transactions."""
    plan(300)

    def careless(candidates, *, owner, fence):
        with transaction() as connection:
            rulings = gate.ask(connection, candidates, owner=owner, fence=fence)
        time.sleep(0.02)
        passing = [send_id for send_id, ruling in rulings.items() if ruling.state == "claimed"]
        with transaction() as connection:
            connection.execute(
                "UPDATE broadcast_send SET state = 'wire', wire_at = clock_timestamp()"
                " WHERE id = ANY (%s)",
                [passing],
            )
        return {
            send_id: gate.Ruling("wire", "", gate.GateToken(send_id)) if send_id in passing else r
            for send_id, r in rulings.items()
        }

    race(range(1, 301), random.Random(2), enter=careless)
    with transaction() as connection:
        late = connection.execute(
            "SELECT count(*) FROM broadcast_send s JOIN store_contact_point p"
            " ON p.address_key = s.contact_point"
            " WHERE s.state = 'wire' AND s.wire_at > p.updated_at"
        ).fetchone()[0]
    assert late > 0
