"""Campaigns from draft to end: whom they draw, what they refuse, what stops them."""

import hashlib
from datetime import UTC, datetime

import msgspec
import pytest

from amity.analysis import api as analysis
from amity.broadcast import api as broadcast
from amity.broadcast.contracts import CampaignPlan
from amity.infra import database
from amity.store import api as store
from amity.store.contracts import Choices

EVERYONE = {"node": "check", "field": "trait.vip", "is": {"op": "eq", "value": True}}


def _now():
    return datetime.now(UTC)


def ask(query, *values, role="app"):
    with database.transaction(role) as connection:
        return connection.execute(query, values).fetchall()


def tell(query, *values):
    with database.transaction() as connection:
        return connection.execute(query, values).rowcount


@pytest.fixture
def house(db):
    return House(store.create_source(name="Shop", kind="server").source_id)


class House:
    """A shop with customers, a segment of them, and a template."""

    def __init__(self, source_id):
        self.source_id = source_id
        self._sent = 0
        self.segment_id = self.define("VIP", EVERYONE)
        self.template_id = make_template("Hello")

    def define(self, name, rule):
        made = analysis.create_segment(name=name, rule=rule, by="test", now=_now())
        self.run()
        return made.segment_id

    def send(self, *events):
        bodies = []
        for event in events:
            self._sent += 1
            bodies.append(msgspec.json.encode({"messageId": f"m{self._sent}", **event}))
        receipt = store.append_events(source_id=self.source_id, events=bodies, now=_now())
        assert receipt.quarantined == 0, receipt
        self.run()

    def run(self):
        while store.fold_batch().events or analysis.follow_batch(now=_now()).events:
            pass

    def join(self, *users, email=True, consent=True, **traits):
        events = []
        for user in users:
            address = {"email": f"{user}@shop.example"} if email is True else {}
            if isinstance(email, str):
                address = {"email": email}
            known = {"vip": True, **address, **traits}
            events.append({"type": "identify", "userId": user, "traits": known})
            if consent:
                events.append(consents(user))
        self.send(*events)

    def id_of(self, user):
        return store.find_profile(kind="user_id", value=user).profile_id

    def plan(self, name="Spring", **more):
        wanted = {"segment_id": self.segment_id, "template_id": self.template_id, **more}
        return CampaignPlan(name=name, **wanted)

    def make(self, name="Spring", **more):
        made = broadcast.create_campaign(plan=self.plan(name, **more), by="ann", now=_now())
        return made.campaign_id

    def launch(self, name="Spring", **more):
        campaign_id = self.make(name, **more)
        broadcast.launch_campaign(campaign_id=campaign_id, by="ann", now=_now())
        return campaign_id


def make_template(name, message_class="marketing"):
    row = ask(
        "WITH content AS (INSERT INTO broadcast_content (class, subject, source, html, text)"
        " VALUES (%s, 'Hello', '<p>Hello</p>', '<p>Hello</p>', 'Hello') RETURNING id)"
        " INSERT INTO broadcast_template (name, content_id) SELECT %s, id FROM content RETURNING id",
        message_class,
        name,
    )
    return row[0][0]


def consents(user, says=True):
    return {
        "type": "track",
        "event": "Segment Consent Preference Updated",
        "userId": user,
        "properties": {"categoryPreferences": {"marketing.email": says}},
    }


def run_to_rest():
    while broadcast.run_campaigns(now=_now()):
        pass


def state_of(campaign_id):
    return broadcast.get_campaign(campaign_id=campaign_id).state


def counts_of(campaign_id):
    return broadcast.list_campaign_counts(campaign_ids=[campaign_id])[campaign_id]


def ledger(campaign_id):
    rows = ask(
        "SELECT profile_id, state, reason FROM broadcast_send WHERE run_id = %s", campaign_id
    )
    return {profile_id: (state, reason) for profile_id, state, reason in rows}


def arms(campaign_id):
    return dict(
        ask("SELECT profile_id, arm FROM broadcast_participant WHERE campaign_id = %s", campaign_id)
    )


def settle(campaign_id, state="sent", reason=""):
    return tell(
        "UPDATE broadcast_send SET state = %s, reason = %s, wire_at = now(), settled_at = now()"
        " WHERE run_id = %s AND state = 'queued'",
        state,
        reason,
        campaign_id,
    )


def share(salt, profile_id):
    digest = hashlib.sha256(f"{salt}:{profile_id}".encode()).hexdigest()
    return int(digest[:13], 16) / 2**52


def test_everybody_in_the_segment_is_sent_to_left_out_or_held_out_with_a_reason(house):
    house.join(*(f"p{number}" for number in range(40)))
    house.join("homeless", email=False)
    house.join("shy", consent=False)
    house.join("gone")
    house.send({"type": "track", "event": "Unsubscribed", "userId": "gone"})
    house.join("bounced", "objector")
    for user, tell_store in (("bounced", _suppress), ("objector", _object)):
        tell_store(
            house.id_of(user), store.contact_key(channel="email", address=f"{user}@shop.example")
        )
    campaign_id = house.launch(holdout_rate=0.3)
    assert state_of(campaign_id) == "scheduled"
    run_to_rest()
    campaign = broadcast.get_campaign(campaign_id=campaign_id)
    assert campaign.state == "sending"
    assert campaign.targeted_at is not None
    held, rows = arms(campaign_id), ledger(campaign_id)
    reasons = {
        house.id_of(user): why
        for user, why in (
            ("homeless", "no_address"),
            ("shy", "no_consent"),
            ("gone", "objected"),
            ("bounced", "suppressed"),
            ("objector", "objected"),
        )
    }
    assert {who: arm for who, arm in held.items() if arm == "excluded"} == dict.fromkeys(
        reasons, "excluded"
    )
    assert {who: rows[who] for who in reasons} == {
        who: ("suppressed", why) for who, why in reasons.items()
    }
    salt = ask("SELECT salt FROM broadcast_campaign WHERE id = %s", campaign_id)[0][0]
    for user in (f"p{number}" for number in range(40)):
        who = house.id_of(user)
        is_held = share(salt, who) < 0.3
        assert held[who] == ("holdout" if is_held else "treatment")
        assert (who in rows) is not is_held
    counts = counts_of(campaign_id)
    assert counts.targeted == counts.pending == list(held.values()).count("treatment")
    assert settle(campaign_id) == counts.targeted
    run_to_rest()
    assert state_of(campaign_id) == "finished"
    assert counts_of(campaign_id).sent == counts.targeted


def _suppress(profile_id, key):
    store.suppress(channel="email", address_key=key, reason="hard_bounce", now=_now())


def _object(profile_id, key):
    choices = Choices(
        profile_id=0,
        channel="email",
        address_key=key,
        choices={"marketing.email": False},
        method="link",
    )
    store.state_choices(choices=choices, now=_now())


def test_a_report_can_be_had_at_any_time(house):
    house.join("ann", "bob")
    campaign_id = house.make()
    before = broadcast.report_campaign(campaign_id=campaign_id, now=_now())
    assert before.verdict == "It has not begun."
    broadcast.launch_campaign(campaign_id=campaign_id, by="ann", now=_now())
    run_to_rest()
    waiting = broadcast.report_campaign(campaign_id=campaign_id, now=_now())
    assert waiting.counts.targeted == waiting.counts.pending
    assert "no message has left" in waiting.verdict
