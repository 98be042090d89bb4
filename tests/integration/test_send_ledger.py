"""The send ledger: queued once, claimed once, given back, given up."""

import threading
from datetime import UTC, datetime, timedelta

from amity.broadcast.logic.sending import ledger
from amity.infra.database import transaction

NOW = datetime.now(UTC)


def send(number, **changes):
    fields = {
        "run_kind": "service",
        "contact_point": f"key{number}",
        "profile_id": number,
        "message_class": "marketing",
        "purpose": "marketing.email",
        "content_id": 1,
        "planned_at": NOW,
        "not_before": NOW - timedelta(minutes=1),
        "not_after": NOW + timedelta(hours=24),
    }
    return ledger.NewSend(**{**fields, **changes})


def queue(*rows):
    with transaction() as connection:
        return ledger.queue_sends(connection, rows)


def claim(owner="a", limit=100, lease_seconds=60):
    with transaction() as connection:
        return ledger.claim(connection, owner=owner, limit=limit, lease_seconds=lease_seconds)


def counts():
    with transaction() as connection:
        return ledger.count_by_state(connection)


def settle(owner, *done):
    with transaction() as connection:
        return set(ledger.settle(connection, owner, done))


def test_what_is_planned_twice_is_there_once(db):
    assert queue(*(send(n) for n in range(5))) == 5
    assert queue(*(send(n) for n in range(8))) == 3
    assert queue(send(1, step_key="again"), send(2, reason="no_consent", step_key="x")) == 2
    assert counts() == {"queued": 9, "suppressed": 1}


def test_many_claim_and_each_message_is_claimed_once(db):
    queue(*(send(n) for n in range(400)))
    taken, lock = [], threading.Lock()

    def work(owner):
        while claimed := claim(owner, limit=7)[0]:
            with lock:
                taken.extend(claimed)

    threads = [threading.Thread(target=work, args=(f"w{n}",)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(taken) == len({each.send_id for each in taken}) >= 390
    assert {each.token for each in taken} == {1}


def test_only_due_messages_of_live_runs_are_claimed(db):
    queue(
        send(1, not_before=NOW + timedelta(hours=1)),
        send(2, run_kind="campaign", run_id=77),
        send(3, run_kind="journey", run_id=78),
        send(4, not_after=NOW - timedelta(seconds=1)),
        send(5, priority=1),
        send(6),
    )
    claimed, ended = claim(limit=10)
    assert {each.profile_id for each in claimed} == {5, 6}
    assert ended == 1
    assert counts() == {"queued": 3, "expired": 1, "claimed": 2}


def test_a_silent_senders_messages_go_to_another_and_its_word_counts_no_more(db):
    queue(send(1))
    (first,), _ = claim("dead", lease_seconds=-1)
    (again,), _ = claim("alive")
    assert (again.send_id, again.token) == (first.send_id, 2)
    late = ledger.Settlement(send_id=first.send_id, token=1, state="sent")
    assert settle("dead", late) == set()
    good = ledger.Settlement(send_id=first.send_id, token=2, state="sent", reply="250 ok")
    assert settle("alive", good) == {first.send_id}
    assert counts() == {"sent": 1}


def test_what_kills_its_senders_is_put_aside(db):
    queue(send(1))
    for _ in range(ledger.MOST_CRASHES + 1):
        assert len(claim("dead", lease_seconds=-1)[0]) == 1
    assert claim("alive") == ([], 1)
    assert counts() == {"failed": 1}


def test_given_back_it_waits_and_the_attempt_is_free(db):
    queue(send(1))
    (held,), _ = claim()
    back = ledger.Settlement(
        send_id=held.send_id,
        token=1,
        state="queued",
        reason="deferred",
        wait_seconds=60,
        is_free=True,
    )
    assert settle("a", back)
    assert claim() == ([], 0)
    with transaction() as connection:
        connection.execute("UPDATE broadcast_send SET not_before = now()")
    (again,), _ = claim()
    assert (again.attempts, again.token) == (1, 2)


def on_the_wire(lease="-1 second"):
    with transaction() as connection:
        connection.execute(
            "UPDATE broadcast_send SET state = 'wire', wire_at = now(),"
            f" lease_until = now() + interval '{lease}' WHERE state = 'claimed'"
        )


def test_left_on_the_wire_it_is_unknown_and_only_what_is_no_promotion_is_tried_again(db):
    queue(send(1), send(2, message_class="transactional"), send(3))
    held, _ = claim("dead")
    on_the_wire()
    with transaction() as connection:
        assert ledger.reap(connection) == 3
        connection.execute("UPDATE broadcast_send SET settled_at = now() - interval '16 minutes'")
        assert ledger.reap(connection) == 0
    assert counts() == {"unknown": 2, "queued": 1}
    (again,), _ = claim()
    assert again.message_class == "transactional"
    on_the_wire()
    with transaction() as connection:
        ledger.reap(connection)
        connection.execute("UPDATE broadcast_send SET settled_at = now() - interval '16 minutes'")
        ledger.reap(connection)
    assert counts() == {"unknown": 3}, "tried again once, not for ever"
    first = min(held, key=lambda each: each.profile_id)
    proof = ledger.Settlement(send_id=first.send_id, token=first.token, state="sent")
    assert settle("dead", proof) == {first.send_id}, "a reply that comes late is still a reply"


def test_what_waits_for_nothing_is_swept(db):
    with transaction() as connection:
        connection.execute(
            "INSERT INTO broadcast_campaign (id, name, segment_id, template_id, salt, state)"
            " OVERRIDING SYSTEM VALUE VALUES (1, 'a', 1, 1, '', 'stopped'), (2, 'b', 1, 1, '',"
            " 'paused')"
        )
    queue(
        send(1, run_kind="campaign", run_id=1),
        send(2, run_kind="campaign", run_id=2, not_after=NOW - timedelta(seconds=1)),
        send(3, run_kind="campaign", run_id=2),
    )
    with transaction() as connection:
        assert ledger.sweep(connection) == 2
    assert counts() == {"cancelled": 1, "expired": 1, "queued": 1}
