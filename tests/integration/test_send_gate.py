"""The gate: every reason to hold a message back, and what two messages to one person do."""

import threading
from datetime import UTC, datetime, timedelta

import pytest

from amity.broadcast.logic.sending import fence, gate, ledger
from amity.infra import config
from amity.infra.database import transaction
from amity.store import api as store
from amity.store.contracts import Choices

NOW = datetime.now(UTC)
NOON = NOW.replace(hour=12, minute=0, second=0, microsecond=0)
GRANTED = (
    '{"marketing.email": {"status": "granted", "at": "2026-01-01T00:00:00Z",'
    ' "source_id": 2, "event_id": 1}}'
)


def person(number, *, consents=GRANTED, traits="{}", merged_into=None):
    with transaction() as connection:
        connection.execute(
            "INSERT INTO store_profile (id, merged_into, email, consents, traits, first_seen_at,"
            " last_seen_at, version) VALUES (%s, %s, %s, %s, %s, now(), now(), 1)",
            [number, merged_into, f"p{number}@x.example", consents, traits],
        )
        store.ensure_contact_points(
            connection=connection, channel="email", address_keys=[key(number)]
        )


def key(number):
    return store.contact_key(channel="email", address=f"p{number}@x.example")


def send(number, **changes):
    fields = {
        "run_kind": "service",
        "contact_point": key(number),
        "profile_id": number,
        "message_class": "marketing",
        "purpose": "marketing.email",
        "content_id": 1,
        "planned_at": NOW,
        "not_before": NOW - timedelta(minutes=1),
        "not_after": NOW + timedelta(hours=72),
    }
    return ledger.NewSend(**{**fields, **changes})


def campaign(number, state="sending"):
    with transaction() as connection:
        connection.execute(
            "INSERT INTO broadcast_campaign (id, name, segment_id, template_id, salt, state)"
            " OVERRIDING SYSTEM VALUE VALUES (%s, %s, 1, 1, '', %s)",
            [number, f"c{number}", state],
        )


def claim(*rows, owner="a"):
    with transaction() as connection:
        ledger.queue_sends(connection, rows)
        return ledger.claim(connection, owner=owner, limit=100, lease_seconds=60)[0]


def current_fence():
    with transaction() as connection:
        return fence.check(connection)


def enter(claimed, *, now=NOON, owner="a", keys=None, problem="", roots=None):
    candidates = [
        gate.Candidate(
            c.send_id,
            c.token,
            (roots or {}).get(c.profile_id, c.profile_id),
            (keys or {}).get(c.profile_id, key(c.profile_id)),
            problem,
        )
        for c in claimed
    ]
    rulings = gate.enter(candidates, owner=owner, fence=current_fence(), now=now)
    return {c.profile_id: rulings[c.send_id] for c in claimed}


def judge(row, **options):
    ruling = enter(claim(row), **options)[row.profile_id]
    assert (ruling.state == "wire") == (ruling.pass_token is not None)
    return ruling.state, ruling.reason


def stored(column="not_before"):
    with transaction() as connection:
        return connection.execute(f"SELECT {column} FROM broadcast_send").fetchone()[0]


@pytest.fixture
def armed(db):
    assert fence.arm_new_installation(now=NOW)
    with config.override(
        quiet_from=21, quiet_until=8, marketing_cap_count=2, smtp_url="", unsafe=0
    ):
        yield


def test_whoever_agreed_gets_it(armed):
    person(1)
    assert judge(send(1)) == ("wire", "")
    assert stored("state || ':' || (wire_at IS NOT NULL)") == "wire:true"


@pytest.mark.parametrize(
    ("consents", "reason"),
    [
        ("{}", "no_consent"),
        (GRANTED.replace("granted", "withdrawn"), "objected"),
        (GRANTED.replace("marketing.email", "profiling"), "no_consent"),
    ],
)
def test_without_consent_no_promotion_but_a_receipt(armed, consents, reason):
    person(1, consents=consents)
    assert judge(send(1)) == ("suppressed", reason)
    assert judge(send(1, message_class="transactional", step_key="2", purpose="")) == ("wire", "")


def test_an_objection_and_a_suppression_at_the_address_count(armed):
    person(1)
    person(2)
    no = Choices(
        profile_id=1,
        channel="email",
        address_key=key(1),
        choices={"marketing.email": False},
        method="link",
    )
    store.state_choices(choices=no, now=NOW)
    assert judge(send(1)) == ("suppressed", "objected")
    store.suppress(channel="email", address_key=key(2), reason="hard_bounce", now=NOW)
    assert judge(send(2)) == ("suppressed", "suppressed")
    receipt = send(2, message_class="transactional", purpose="", step_key="2")
    assert judge(receipt) == ("suppressed", "suppressed")
    test = send(2, run_kind="test", test_address="p2@x.example", message_class="service")
    assert judge(test) == ("suppressed", "suppressed")


def test_the_erased_and_those_without_an_address_get_nothing(armed):
    person(9)
    with transaction() as connection:
        connection.execute("DELETE FROM store_profile")
    assert judge(send(9)) == ("suppressed", "erased")
    person(1)
    assert judge(send(1), keys={1: ""}) == ("suppressed", "no_address")
    assert judge(send(1, step_key="2"), problem="no_postal_address") == (
        "suppressed",
        "no_postal_address",
    )


def test_a_test_to_a_colleague_asks_no_consent(armed):
    person(0)
    row = send(0, run_kind="test", test_address="p0@x.example")
    assert judge(row, now=NOON.replace(hour=23)) == ("wire", "")


@pytest.mark.parametrize(
    ("traits", "hour", "until"),
    [
        ("{}", 23, (1, 8)),
        ("{}", 3, (0, 8)),
        ("{}", 20, None),
        ('{"timezone": "Asia/Tokyo"}', 13, (0, 23)),  # 22:00 there; 8:00 there is 23:00 UTC
        ('{"timezone": "Asia/Tokyo"}', 23, None),
        ('{"timezone": "Mars/Phobos"}', 23, (1, 8)),
        ('{"timezone": 7}', 23, (1, 8)),
    ],
)
def test_quiet_hours_put_off_by_the_customers_clock(armed, traits, hour, until):
    person(1, traits=traits)
    now = NOON.replace(hour=hour)
    ruling = judge(send(1), now=now)
    if until is None:
        assert ruling == ("wire", "")
        return
    assert ruling == ("queued", "quiet_hours")
    days, at = until
    assert stored() == NOON.replace(hour=at) + timedelta(days=days)
    assert stored("attempts") == 0
    # Of somebody else: what was put off may be due again by the database's clock.
    person(2, traits=traits)
    receipt = send(2, message_class="transactional", purpose="", step_key="2")
    assert judge(receipt, now=now) == ("wire", "")


def test_the_cap_counts_within_the_group_and_over_merged_profiles(armed):
    person(1)
    person(2, merged_into=1)
    rows = [send(1, step_key=str(n)) for n in range(3)] + [send(2, step_key="x")]
    claimed = claim(*rows)
    candidates = [gate.Candidate(c.send_id, c.token, 1, key(1)) for c in claimed]
    rulings = gate.enter(candidates, owner="a", fence=current_fence(), now=NOON)
    assert sorted((r.state, r.reason) for r in rulings.values()) == [
        ("suppressed", "frequency_cap"),
        ("suppressed", "frequency_cap"),
        ("wire", ""),
        ("wire", ""),
    ]
    assert judge(send(1, step_key="later")) == ("suppressed", "frequency_cap")
    weeks = NOON + timedelta(days=8)
    late = send(1, step_key="week", not_after=weeks + timedelta(days=1))
    assert judge(late, now=weeks) == ("wire", "")


def test_the_cap_holds_between_senders(armed):
    for number in range(20):
        person(number)
    for owner in "abcd":
        rows = [send(n, step_key=owner) for n in range(20)]
        with transaction() as connection:
            ledger.queue_sends(connection, rows)
    held = {}
    for owner in "abcd":
        with transaction() as connection:
            held[owner] = ledger.claim(connection, owner=owner, limit=20, lease_seconds=60)[0]
    states, barrier = [], threading.Barrier(4)

    def work(owner):
        barrier.wait()
        candidates = [
            gate.Candidate(c.send_id, c.token, c.profile_id, key(c.profile_id)) for c in held[owner]
        ]
        rulings = gate.enter(candidates, owner=owner, fence=fenced, now=NOON)
        states.extend(ruling.state for ruling in rulings.values())

    fenced = current_fence()
    threads = [threading.Thread(target=work, args=(owner,)) for owner in "abcd"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (states.count("wire"), states.count("suppressed")) == (40, 40)


def test_one_person_gets_a_campaign_once(armed):
    campaign(1)
    person(1)
    person(2, merged_into=1)
    person(3, merged_into=2)
    rows = [send(n, run_kind="campaign", run_id=1) for n in (1, 2, 3)]
    rulings = enter(claim(*rows), roots={2: 1, 3: 1})
    assert sorted(r.reason for r in rulings.values()) == ["", "same_person", "same_person"]


@pytest.mark.parametrize(
    ("state", "ruling"),
    [
        ("paused", ("queued", "paused")),
        ("stopped", ("cancelled", "stopped")),
        ("archived", ("cancelled", "stopped")),
    ],
)
def test_a_run_that_was_paused_or_stopped_meanwhile(armed, state, ruling):
    campaign(1)
    person(1)
    claimed = claim(send(1, run_kind="campaign", run_id=1))
    with transaction() as connection:
        connection.execute("UPDATE broadcast_campaign SET state = %s", [state])
    found = enter(claimed)[1]
    assert (found.state, found.reason) == ruling


def test_late_stopped_and_unarmed(armed):
    person(1)
    assert judge(send(1), now=NOON + timedelta(days=9)) == ("expired", "expired")
    claimed = claim(send(1, step_key="2"))
    fence.set_stopped(is_stopped=True, by="me", now=NOW)
    found = enter(claimed)[1]
    assert (found.state, found.reason) == ("queued", "stopped_all")
    fence.set_stopped(is_stopped=False, by="me", now=NOW)
    with transaction() as connection:
        connection.execute("UPDATE broadcast_send SET not_before = now()")
    claimed = claim()
    held = current_fence()
    with transaction() as connection:
        connection.execute("UPDATE broadcast_fence SET epoch = 5")
    candidates = [gate.Candidate(c.send_id, c.token, 1, key(1)) for c in claimed]
    (found,) = gate.enter(candidates, owner="a", fence=held, now=NOON).values()
    assert (found.state, found.reason) == ("queued", "not_armed")


def test_what_is_not_ours_any_more_is_lost(armed):
    person(1)
    claimed = claim(send(1))
    assert enter(claimed, owner="b")[1] == gate.LOST
    with transaction() as connection:
        connection.execute("UPDATE broadcast_send SET lease_until = now() - interval '1 second'")
    assert enter(claimed)[1] == gate.LOST
    (again,) = claim()
    assert enter([again])[1].state == "wire"
    assert enter([again])[1] == gate.LOST, "nobody passes twice"


def test_asking_changes_only_what_may_not_go(armed):
    person(1)
    person(2, consents="{}")
    claimed = claim(send(1), send(2))
    candidates = [
        gate.Candidate(c.send_id, c.token, c.profile_id, key(c.profile_id)) for c in claimed
    ]
    held = current_fence()
    with transaction() as connection:
        rulings = gate.ask(connection, candidates, owner="a", fence=held, now=NOON)
    found = {c.profile_id: rulings[c.send_id] for c in claimed}
    assert found == {1: gate.Ruling("claimed", ""), 2: gate.Ruling("suppressed", "no_consent")}
    assert enter([c for c in claimed if c.profile_id == 1])[1].state == "wire"


def test_a_token_is_good_for_one_message_once(armed):
    person(1)
    claimed = claim(send(1))
    token = enter(claimed)[1].pass_token
    with pytest.raises(PermissionError):
        token.use(None)
    token.use(claimed[0].send_id)
    with pytest.raises(PermissionError):
        token.use(claimed[0].send_id)


def test_an_address_that_cannot_be_locked_is_not_written_to(armed):
    person(1)
    claimed = claim(send(1))
    with pytest.raises(LookupError):
        enter(claimed, keys={1: "nobody"})
    assert stored("state") == "claimed"
