"""Logged decisions made again, while offers, people and posteriors moved on."""

import random
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import msgspec
import pytest

from amity.infra import database
from amity.personalization import api
from amity.personalization.contracts import DecideRequest
from amity.personalization.logic import decisions
from amity.store import api as store

PLACES = ("home", "mail", "chance")
RULES = (
    None,
    {"node": "check", "field": "trait.country", "is": {"op": "eq", "value": "FR"}},
    {"node": "did", "event": "Promotion Clicked", "at_most": 1, "within_days": 30},
    {"node": "check", "field": "profile.event_count", "is": {"op": "gt", "value": 6}},
    {"node": "not", "of": {"node": "did", "event": "Promotion Viewed", "at_least": 3}},
    {"node": "consent", "purpose": "offers.web"},
)


def _now():
    return datetime.now(UTC)


class World:
    """Random people who are shown random offers, and click as they like."""

    def __init__(self, rng):
        self.rng = rng
        self.source_id = store.create_source(name="Shop", kind="server").source_id
        self.sent = 0
        self.clock = _now()
        self.placements = [
            api.create_placement(
                key=key,
                kind="offers",
                by="t",
                now=_now(),
                slots=rng.randint(1, 3),
                policy="uniform" if key == "chance" else "thompson",
                goal="order" if key == "mail" else "click",
            )
            for key in PLACES
        ]
        self.offers = [self.offer(number) for number in range(14)]
        self.send(
            {"type": "identify", "userId": f"u{n}", "traits": {"country": rng.choice(["FR", "DE"])}}
            for n in range(10)
        )
        self.people = [
            store.find_profile(kind="user_id", value=f"u{n}").profile_id for n in range(10)
        ]

    def offer(self, number):
        rng = self.rng
        cap = rng.choice([{}, {}, {"cap_count": 1, "cap_days": 3.0}])
        made = api.create_offer(
            key=f"o{number}",
            headline=f"Offer {number}",
            placement_ids=[one.placement_id for one in self.placements if rng.random() < 0.7]
            or [self.placements[0].placement_id],
            rule=rng.choice(RULES),
            purpose=rng.choice(["", "", "offers.web"]),
            budget_count=rng.choice([None, None, 3]),
            by="t",
            now=_now(),
            **cap,
        )
        api.set_offer_state(offer_id=made.offer_id, state="live", by="t", now=_now())
        return made.offer_id

    def send(self, events):
        bodies = []
        for event in events:
            self.sent += 1
            bodies.append(msgspec.json.encode({"messageId": f"m{self.sent}", **event}))
        store.append_events(source_id=self.source_id, events=bodies, now=_now())
        while store.fold_batch().events or api.reward_batch(now=_now()).events:
            pass

    def turn(self):
        """Decide for everybody, let some react, change an offer, and let two seconds pass."""
        rng = self.rng
        placement = rng.choice(PLACES)
        made = api.decide_many(
            placement=placement, profile_ids=[*self.people, 4711], channel="web", now=self.clock
        )
        api.decide(request=DecideRequest(placement=rng.choice(PLACES)), now=self.clock)
        events = []
        for number, profile_id in enumerate(self.people):
            for item in made[profile_id].items:
                said = {"decision_id": str(made[profile_id].decision_id), "promotion_id": item.item}
                for event in rng.choice([(), ("Viewed",), ("Viewed", "Clicked")]):
                    track = {"type": "track", "event": f"Promotion {event}", "properties": said}
                    events.append({"userId": f"u{number}", **track})
        purposes = {"offers.web": rng.random() < 0.7, "profiling": rng.random() < 0.8}
        said = {"categoryPreferences": purposes}
        event = {"type": "track", "event": "Segment Consent Preference Updated"}
        events.append({"userId": f"u{rng.randrange(10)}", "properties": said, **event})
        self.send(events)
        api.update_offer(
            offer_id=rng.choice(self.offers), rule=rng.choice(RULES), by="t", now=_now()
        )
        self.clock += timedelta(seconds=3)


@pytest.fixture
def world(db, monkeypatch):
    # Left to chance, too little may change for the tests to say anything.
    drawn = SimpleNamespace(randbits=random.Random(2).getrandbits)
    monkeypatch.setattr(decisions, "secrets", drawn)
    return World(random.Random(1))


def test_every_decision_comes_out_the_same_again(world):
    for _ in range(6):
        world.turn()
    with database.transaction() as connection:
        used = connection.execute(
            "SELECT count(DISTINCT snapshot_id), count(*) FROM personalization_decision"
        ).fetchone()
        arms = connection.execute("SELECT count(DISTINCT arms) FROM personalization_snapshot")
        assert arms.fetchone()[0] > 2
    assert used[0] >= 5
    replay = api.replay_decisions()
    assert (replay.replayed, replay.missing, replay.different) == (used[1], 0, [])
    assert replay.same == used[1] == 6 * 12
    assert api.replay_decisions(limit=5).replayed == 5
    assert api.replay_decisions(since=_now() + timedelta(days=1)).replayed == 0
    some = api.replay_decisions(placement="mail")
    assert some.same == some.replayed < used[1]


def test_what_was_tampered_with_or_is_gone_is_told(world):
    world.turn()
    world.turn()
    with database.transaction("owner") as connection:
        ids = [
            row[0]
            for row in connection.execute(
                "SELECT id FROM personalization_decision WHERE get_byte(result, 1) <> 144 "
                "ORDER BY decided_at DESC, id DESC LIMIT 2"
            )
        ]
        changed = "UPDATE personalization_decision SET {} WHERE id = %s"
        connection.execute(changed.format(r"result = '\x9290c400'"), [ids[0]])
        connection.execute(changed.format("snapshot_id = 987654"), [ids[1]])
    replay = api.replay_decisions()
    assert (replay.different, replay.missing) == ([ids[0]], 1)
    assert replay.same == replay.replayed - 2
    assert api.get_decision(decision_id=ids[1]).decision.items[0].content == {}
