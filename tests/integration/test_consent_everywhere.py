"""Whoever said no, or nothing, is left out of all that leaves: states by paths (card T29)."""

import random
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest

from amity.analysis import api as analysis
from amity.broadcast.logic import fence, gate, ledger
from amity.infra import config
from amity.infra.database import transaction
from amity.store import api as store
from amity.store import hot
from amity.store.contracts import Choices
from amity.store.contracts_outbound import ExportPlan, OutboundPlan
from amity.testing.webhook_receiver import receiving
from amity.web.purposes import only_allowed

NOW = datetime.now(UTC)
NOON = NOW.replace(hour=12, minute=0, second=0, microsecond=0)
DONE = "Order Completed"
STATES = (
    *("agreed", "opted_out", "never", "expired", "bounced", "complained"),
    *("erased", "paused", "private"),
)
MAILS = {"campaign": 1, "journey": 1, "service": 0}


def address(user):
    return f"{user}@x.example"


def key(user):
    return store.contact_key(channel="email", address=address(user))


def says(user, choices, **more):
    told = {"categoryPreferences": choices, **more}
    name = "Segment Consent Preference Updated"
    return {"type": "track", "userId": user, "event": name, "properties": told}


def settle():
    while store.fold_batch().events or analysis.follow_batch(now=NOW).events:
        pass


class Town:
    """One customer of each state, and the ways by which their data could leave."""

    def __init__(self, receiver):
        self.receiver = receiver
        self.source_id = store.create_source(name="Shop", kind="server").source_id
        self.ids = {}

    def send(self, *events):
        raw = [msgspec.json.encode(event) for event in events]
        assert store.append_events(source_id=self.source_id, events=raw, now=NOW).accepted
        settle()

    def settle_in(self, users):
        self.send(
            *(
                {"type": "identify", "userId": user, "traits": {"email": address(user)}}
                for user in users
            )
        )
        for user in users:
            self.ids[user] = store.find_profile(kind="user_id", value=user).profile_id
        with transaction() as connection:
            keys = [key(user) for user in users]
            store.ensure_contact_points(connection=connection, channel="email", address_keys=keys)

    def mails(self, users, run_kind, *, what="marketing", held=None):
        """Return who is written to, past the gate and nowhere else."""
        step = f"{run_kind}{random.random()}"
        rows = [
            ledger.NewSend(
                run_kind=run_kind,
                run_id=MAILS[run_kind],
                step_key=step,
                contact_point=key(user),
                profile_id=self.ids[user],
                message_class=what,
                purpose="marketing.email" if what == "marketing" else "",
                content_id=1,
                planned_at=NOW,
                not_before=NOW - timedelta(minutes=1),
                not_after=NOW + timedelta(hours=72),
            )
            for user in users
        ]
        with transaction() as connection:
            ledger.queue_sends(connection, rows)
            claimed, _ = ledger.claim(connection, owner="a", limit=100, lease_seconds=60)
            held = held or fence.check(connection)
        names = {number: user for user, number in self.ids.items()}
        asked = [
            gate.Candidate(each.send_id, each.token, each.profile_id, key(names[each.profile_id]))
            for each in claimed
        ]
        rulings = gate.enter(asked, owner="a", fence=held, now=NOON)
        return {names[each.profile_id] for each in claimed if rulings[each.send_id].pass_token}

    def webhooks(self, users, deliverer):
        self.receiver.received.clear()
        self.send(
            *(
                {"type": "track", "userId": user, "event": DONE, "properties": {"order_id": user}}
                for user in users
            )
        )
        while store.queue_deliveries(now=datetime.now(UTC)):
            pass
        while deliverer.turn(now=datetime.now(UTC)).claimed or deliverer.is_busy:
            pass
        bodies = [msgspec.json.decode(each.body) for each in self.receiver.received]
        return {body["data"]["user_id"] for body in bodies}

    def downloads(self, purpose):
        rows = store.list_profiles(limit=200).items
        return {row.user_id for row in only_allowed(rows, purpose, NOW)}

    def export(self, segment_id):
        plan = ExportPlan(
            name="All",
            segment_id=segment_id,
            destination="jsonl",
            columns=["user_id"],
            purpose="sharing",
        )
        made = store.create_export(plan=plan, by="t")
        run_id = store.ask_export(export_id=made.export_id, by="t")
        analysis.run_exports(now=NOW, run_id=run_id)
        path = store.find_export_file(run_id=run_id)
        return {
            msgspec.json.decode(line)["user_id"] for line in Path(path).read_bytes().splitlines()
        }


@pytest.fixture
def town(db):
    quiet = {"quiet_from": 21, "quiet_until": 8, "marketing_cap_count": 0, "smtp_url": ""}
    with receiving() as server, config.override(egress_allow="127.0.0.0/8", **quiet):
        assert fence.arm_new_installation(now=NOW)
        with transaction() as connection:
            connection.execute(
                "INSERT INTO broadcast_campaign (id, name, segment_id, template_id, salt, state)"
                " OVERRIDING SYSTEM VALUE VALUES (1, 'c', 1, 1, '', 'sending')"
            )
            connection.execute(
                "INSERT INTO broadcast_journey (id, name, state)"
                " OVERRIDING SYSTEM VALUE VALUES (1, 'j', 'live')"
            )
        yield Town(server)


def test_nothing_leaves_of_whoever_did_not_allow_it(town):
    town.settle_in(STATES)
    over = (NOW - timedelta(days=1)).isoformat()
    early = (NOW - timedelta(days=9)).isoformat()
    yes = {"marketing.email": True, "sharing": True}
    for user in STATES:
        if user != "never":
            more = {"expires_at": over} if user == "expired" else {}
            town.send({**says(user, yes, **more), "timestamp": early})
    town.send(says("opted_out", dict.fromkeys(yes, False)))
    town.send(says("private", {"sharing": False}, method="GPC"))
    for user, reason in (("bounced", "hard_bounce"), ("complained", "complaint")):
        store.suppress(channel="email", address_key=key(user), reason=reason, now=NOW)
    hot.pause_messages(
        profile_id=town.ids["paused"],
        point=("email", key("paused")),
        until=NOW + timedelta(days=30),
        evidence={},
        now=NOW,
    )
    rule = {
        "node": "check",
        "field": "trait.email",
        "is": {"op": "ends_with", "value": "x.example"},
    }
    segment = analysis.create_segment(name="All", rule=rule, by="t", now=NOW).segment_id
    plan = OutboundPlan(name="to", url=town.receiver.url + "/ok", events=[DONE], purpose="sharing")
    store.create_endpoint(plan=plan, by="t")
    store.erase_profile(profile_id=town.ids["erased"], by="t", now=NOW)
    settle()

    for run_kind in MAILS:
        assert town.mails(STATES, run_kind) == {"agreed", "private"}, run_kind
    shared = {"agreed", "bounced", "complained", "paused"}
    deliverer = store.Deliverer(rng=random.Random(1))
    try:
        alive = [user for user in STATES if user != "erased"]
        assert town.webhooks(alive, deliverer) == shared
    finally:
        deliverer.close()
    assert town.downloads("sharing") == shared
    assert town.export(segment) == shared
    assert town.downloads("marketing.email") == {*shared, "private"}
    # A receipt needs no purpose: it goes to all who are there and whose address works.
    working = set(STATES) - {"erased", "bounced"}
    assert town.mails(STATES, "service", what="transactional") == working
    assert town.downloads("records") == set(STATES) - {"erased"}


def test_a_queue_that_was_restored_sends_nothing(town):
    town.settle_in(["agreed"])
    town.send(says("agreed", {"marketing.email": True}))
    with transaction() as connection:
        held = fence.check(connection)
        connection.execute("UPDATE broadcast_fence SET epoch = epoch + 1")
    for run_kind in MAILS:
        assert town.mails(["agreed"], run_kind, held=held) == set()


def test_whatever_was_said_and_whichever_way_the_gate_has_the_last_word(town):
    """Random histories: who is written to or told of are exactly those the gate allows."""
    rng = random.Random(29)
    users = [f"u{number}" for number in range(24)]
    town.settle_in(users)
    events = []
    for user in users:
        for _ in range(rng.randrange(4)):
            purpose = rng.choice(["marketing.email", "sharing"])
            at = NOW - timedelta(hours=rng.randrange(1, 500))
            more = {"expires_at": (at + timedelta(hours=rng.randrange(1, 600))).isoformat()}
            told = says(user, {purpose: rng.random() < 0.7}, **rng.choice([{}, more]))
            events.append({**told, "timestamp": at.isoformat()})
    town.send(*events)
    for user in rng.sample(users, 6):
        said = Choices(
            profile_id=town.ids[user],
            channel="email",
            address_key=key(user),
            choices={"marketing.email": rng.random() < 0.5},
            method="link",
        )
        store.state_choices(choices=said, now=NOW)
    for user in rng.sample(users, 5):
        store.suppress(channel="email", address_key=key(user), reason="hard_bounce", now=NOW)
    settle()
    ids = town.ids
    for run_kind in MAILS:
        reasons = store.may_use(
            profile_ids=ids.values(), purpose="marketing.email", now=NOON, channel="email"
        )
        allowed = {user for user in users if not reasons[ids[user]]}
        assert town.mails(users, run_kind) == allowed
        assert 0 < len(allowed) < len(users)
    reasons = store.may_use(profile_ids=ids.values(), purpose="sharing", now=NOW)
    assert town.downloads("sharing") == {user for user in users if not reasons[ids[user]]}
