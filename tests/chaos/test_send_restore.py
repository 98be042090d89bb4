"""Restored copies send nothing until an operator arms them (T10), whatever was copied."""

import shutil
import time
from datetime import UTC, datetime

import pytest

from amity.broadcast import api as broadcast
from amity.broadcast.logic.sending import fence
from amity.infra.database import transaction
from amity.testing.mailing import count_states, make_content, make_people, queue
from amity.testing.post_office import PostOffice, copy_tree, wait_until

BY = "operator"


def plan(numbers):
    with transaction() as connection:
        make_people(connection, numbers)
        queue(connection, numbers, make_content(connection), run_kind="service", run_id=0)


def now():
    with transaction() as connection:
        return connection.execute("SELECT clock_timestamp()").fetchone()[0]


def states():
    return {name: count for name, count in count_states().items() if count}


def send_until(office, expected, *, seconds=90):
    office.start_senders(1)
    assert wait_until(lambda: states() == expected, seconds=seconds), states()
    office.stop_senders()


def send_nothing(office):
    """Let a sender run for a while; nothing may leave."""
    before = office.size()
    office.start_senders(1)
    assert wait_until(is_known_as_a_copy, seconds=90)
    time.sleep(1.5)
    office.stop_senders()
    assert office.size() == before
    assert "sent" not in {name for name in states() if name == "wire"}


def is_known_as_a_copy():
    with transaction() as connection:
        row = connection.execute("SELECT copied_at FROM broadcast_fence").fetchone()
    return row[0] is not None


def at_rest(office):
    """Stop the database in order, so that its folder can be copied."""
    from amity.infra import database

    database.close_pools()
    office.postgres.stop()


@pytest.fixture
def office(tmp_path, template):
    made = PostOffice(tmp_path / "original", send_lease_seconds=1.5)
    made.folder.mkdir()
    with made.entered():
        made.start_postgres(template=template)
        fence.arm_new_installation(now=datetime.now(UTC))
        made.start_sink()
        yield made
        made.stop()


def restored(office, folder, make):
    """Another installation in a folder that `make` fills, handing over to the same mail server."""
    copy = PostOffice(folder, send_lease_seconds=1.5)
    folder.mkdir()
    make(copy.data)
    copy.port, copy.log = office.port, office.log
    copy._settings |= {"smtp_url": office._settings["smtp_url"]}
    return copy


def test_copies_send_nothing_until_armed(office, tmp_path):
    plan(range(1, 21))
    send_until(office, {"sent": 20})
    plan(range(21, 31))
    at_rest(office)
    original = office.data
    whole = restored(
        office, tmp_path / "whole", lambda data: copy_tree(original, data, without=("run",))
    )

    def only_the_database(data):
        data.mkdir()
        shutil.copy2(original / "secrets.json", data / "secrets.json")
        copy_tree(original / "postgres", data / "postgres")

    bare = restored(office, tmp_path / "bare", only_the_database)
    older = tmp_path / "older"
    copy_tree(original / "postgres", older)

    office.start_postgres()
    send_until(office, {"sent": 30})
    assert len(office.taken()) == 30
    at_rest(office)

    for copy in (whole, bare):
        with copy.entered():
            copy.start_postgres()
            try:
                assert_nothing_leaves_until_armed(copy)
            finally:
                copy.stop()

    shutil.rmtree(original / "postgres")
    shutil.move(older, original / "postgres")
    office.start_postgres()
    assert "older" in broadcast.sending_state(now=now()).words
    assert_nothing_leaves_until_armed(office)
    taken = office.taken()
    assert max(taken.values()) == 1, "nothing was sent twice"


def assert_nothing_leaves_until_armed(office):
    send_nothing(office)
    state = broadcast.sending_state(now=now())
    assert (state.is_armed, state.queued, state.overdue) == (False, 10, 10)
    plan(range(100, 103))
    send_nothing(office)
    state = broadcast.sending_state(now=now())
    assert (state.queued, state.overdue) == (13, 10), "what was planned since is not overdue"
    assert broadcast.arm_sending(by=BY, now=now()).is_armed
    send_until(office, {"sent": 23, "expired:restored": 10})


def test_who_arms_may_choose_to_send_what_was_overdue(office):
    plan(range(1, 6))
    fence.fence_path().unlink()
    send_nothing(office)
    assert broadcast.arm_sending(by=BY, now=now(), keep_overdue=True).is_armed
    send_until(office, {"sent": 5})


def test_arming_what_is_armed_changes_nothing(office):
    plan(range(1, 6))
    with transaction() as connection:
        connection.execute("UPDATE broadcast_send SET state = 'wire' WHERE profile_id = 1")
    assert broadcast.arm_sending(by=BY, now=now()).is_armed
    assert states() == {"queued": 4, "wire": 1}


def test_what_was_on_the_wire_in_a_copy_is_unknown(office):
    plan(range(1, 6))
    with transaction() as connection:
        connection.execute("UPDATE broadcast_send SET state = 'wire' WHERE profile_id = 1")
    fence.fence_path().rename(fence.fence_path().with_name("elsewhere"))
    assert not broadcast.sending_state(now=now()).is_armed
    broadcast.arm_sending(by=BY, now=now())
    assert states() == {"expired:restored": 4, "unknown:no_reply": 1}
