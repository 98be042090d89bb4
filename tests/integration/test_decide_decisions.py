"""Decisions from the database to the log and back, for one and for many."""

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import msgspec
import pytest

from amity.analysis import api as analysis
from amity.kernel.errors import NotFound
from amity.personalization import api
from amity.personalization.contracts import DecideRequest
from amity.personalization.policy import POLICIES, Policy
from amity.personalization.recommender import load_recommenders
from amity.store import api as store

FRENCH = {"node": "check", "field": "trait.country", "is": {"op": "eq", "value": "FR"}}
BUYER = {"node": "did", "event": "Order Completed", "within_days": 30}


def _now():
    return datetime.now(UTC)


@pytest.fixture
def shop(db):
    return Shop()


class Shop:
    """A shop with one placement; sends events and runs the consumers until they rest."""

    def __init__(self):
        self.source_id = store.create_source(name="Shop", kind="server").source_id
        self.hero = api.create_placement(key="hero", kind="offers", by="t", now=_now(), slots=2)
        self._sent = 0

    def send(self, *events):
        bodies = []
        for event in events:
            self._sent += 1
            bodies.append(msgspec.json.encode({"messageId": f"m{self._sent}", **event}))
        receipt = store.append_events(source_id=self.source_id, events=bodies, now=_now())
        assert receipt.quarantined == 0
        self.run()

    def run(self):
        for _ in range(200):
            turns = [store.fold_batch(), analysis.follow_batch(now=_now())]
            turns.append(api.reward_batch(now=_now()))
            if not any(turn.events for turn in turns):
                return
        raise AssertionError("the consumers never came to rest")

    def identify(self, user, **traits):
        self.send({"type": "identify", "userId": user, "traits": traits})
        return self.id_of(user)

    def consent(self, user, **purposes):
        said = {name.replace("__", "."): value for name, value in purposes.items()}
        self.track(user, "Segment Consent Preference Updated", categoryPreferences=said)

    def track(self, user, event, **properties):
        self.send({"type": "track", "userId": user, "event": event, "properties": properties})

    def id_of(self, user):
        return store.find_profile(kind="user_id", value=user).profile_id

    def offer(self, key, **changes):
        values = {"placement_ids": [self.hero.placement_id], "headline": key.title()} | changes
        made = api.create_offer(key=key, by="t", now=_now(), **values)
        return api.set_offer_state(offer_id=made.offer_id, state="live", by="t", now=_now())

    def decide(self, profile_id=None, placement="hero", **more):
        return api.decide(
            request=DecideRequest(placement=placement, **more), profile_id=profile_id, now=_now()
        )


def _ends(decision):
    return {verdict.item: verdict.stage for verdict in decision.verdicts if not verdict.passed}


def test_every_stage_stops_whom_it_should(shop):
    ann = shop.identify("ann", country="FR")
    shop.track("ann", "Order Completed", order_id="1", total=5)
    segment = analysis.create_segment(name="French", rule=FRENCH, by="t", now=_now())
    shop.run()
    shop.offer("anybody")
    shop.offer("french", rule={"node": "in_segment", "segment_id": segment.segment_id})
    shop.offer("german", rule={"node": "not", "of": FRENCH})
    shop.offer("buyers", rule=BUYER)
    shop.offer("asked", purpose="offers.web")
    shop.offer("later", starts_at=_now() + timedelta(days=1))
    shop.offer("over", ends_at=_now() - timedelta(days=1))
    paused = shop.offer("paused")
    api.set_offer_state(offer_id=paused.offer_id, state="paused", by="t", now=_now())
    decision = shop.decide(ann)
    assert _ends(decision) == {
        "german": "eligibility",
        "asked": "preference",
        "later": "lawful",
        "over": "lawful",
        "paused": "lawful",
    }
    german = next(verdict for verdict in decision.verdicts if verdict.item == "german")
    assert german.reason == "not for this customer; only for whoever not (country is “FR”)"
    assert {item.item for item in decision.items} < {"anybody", "french", "buyers"}
    assert decision.items[0].content["headline"] == decision.items[0].item.title()
    shop.consent("ann", offers__web=True)
    assert "asked" not in _ends(shop.decide(ann))
    stranger = shop.decide()
    assert stranger.profile_id is None
    assert {"french", "buyers", "asked"} <= _ends(stranger).keys()
    assert "german" not in _ends(stranger)


def test_a_cap_holds_and_wears_off(shop):
    ann = shop.identify("ann")
    shop.offer("once", cap_count=2, cap_days=7)
    for _ in range(2):
        decision = shop.decide(ann)
        assert [item.item for item in decision.items] == ["once"]
        seen = {"decision_id": str(decision.decision_id), "promotion_id": "once"}
        shop.track("ann", "Promotion Viewed", **seen)
        shop.track("ann", "Promotion Viewed", **seen)
    capped = shop.decide(ann)
    assert (capped.items, _ends(capped)) == ([], {"once": "fatigue"})
    later = api.decide(
        request=DecideRequest(placement="hero"),
        profile_id=ann,
        now=_now() + timedelta(days=8),
        is_logged=False,
    )
    assert [item.item for item in later.items] == ["once"]


def test_what_was_seen_before_signing_in_counts_for_the_cap(shop):
    ann = shop.identify("ann")
    shop.send({"type": "identify", "anonymousId": "browser"})
    shop.offer("once", cap_count=1, cap_days=7)
    decision = shop.decide(identifiers={"anonymous_id": "browser"})
    assert decision.profile_id not in (None, ann)
    seen = {"decision_id": str(decision.decision_id), "promotion_id": "once"}
    event = {"type": "track", "event": "Promotion Viewed", "properties": seen}
    shop.send({"anonymousId": "browser", **event})
    assert [item.item for item in shop.decide(ann).items] == ["once"]
    shop.send({"type": "identify", "userId": "ann", "anonymousId": "browser"})
    assert _ends(shop.decide(ann)) == {"once": "fatigue"}
    assert _ends(shop.decide(decision.profile_id)) == {"once": "fatigue"}


def test_a_budget_holds_for_all_together(shop):
    offer = shop.offer("few", budget_count=1)
    shop.offer("many")
    ann = shop.identify("ann")
    decision = shop.decide(ann)
    shop.track(
        "ann",
        "Promotion Viewed",
        decision_id=str(decision.decision_id),
        promotion_id="few",
    )
    api.publish_snapshot(now=_now() + timedelta(seconds=5))
    assert _ends(shop.decide()) == {"few": "budget"}
    assert offer.budget_count == 1


def test_whoever_does_not_want_to_be_profiled_is_not(shop):
    ann = shop.identify("ann", country="FR")
    shop.offer("french", rule=FRENCH)
    shop.offer("anybody")
    assert shop.decide(ann).fallback == ""
    shop.consent("ann", profiling=False)
    decision = shop.decide(ann)
    assert decision.fallback == "no_profiling"
    assert _ends(decision) == {"french": "lawful"}
    assert [item.propensity for item in decision.items] == [1.0]


def test_a_switched_off_placement_shows_nothing_and_an_unknown_one_is_an_error(shop):
    shop.offer("sale")
    api.update_placement(placement_id=shop.hero.placement_id, is_enabled=False, by="t", now=_now())
    decision = shop.decide()
    assert (decision.items, _ends(decision)) == ([], {"sale": "lawful"})
    with pytest.raises(NotFound):
        shop.decide(placement="nowhere")


def test_without_candidates_nothing_is_decided_and_it_is_logged(shop):
    decision = shop.decide()
    assert (decision.items, decision.verdicts, decision.fallback) == ([], [], "")
    assert api.get_decision(decision_id=decision.decision_id).decision == decision


def test_products_without_a_model_are_none(shop):
    api.create_placement(key="also", kind="products", by="t", now=_now())
    decision = shop.decide(placement="also", context={"product_id": "p1", "basket": [1, "x", {}]})
    assert (decision.items, decision.fallback) == ([], "no_model")
    assert api.replay_decisions().same == 1


def test_products_go_with_what_is_looked_at_with_the_past_or_with_everybody(shop):
    api.create_placement(key="also", kind="products", by="t", now=_now(), slots=2)

    def buy(user, order_id, *products):
        lines = [{"product_id": one, "name": one.upper(), "price": 2} for one in products]
        shop.track(user, "Order Completed", order_id=order_id, products=lines)

    for number in range(6):
        buy(f"u{number}", f"a{number}", "tea", "pot")
        buy(f"u{number}", f"b{number}", "ink", "pen")
        buy(f"u{number}", f"c{number}", "egg")
    api.refresh_recommenders(now=_now())

    def found(decision):
        assert all(item.propensity == 1 for item in decision.items)
        return [item.item for item in decision.items]

    looking = shop.decide(placement="also", context={"product_id": "tea"})
    assert (looking.policy, looking.fallback) == ("also_bought", "")
    assert found(looking)[0] == "pot"
    assert "tea" not in found(looking)
    assert looking.items[0].reason == "Often bought with “TEA”."
    assert looking.items[0].content == {
        "name": "POT",
        "category": "",
        "price": 2.0,
        "currency": "USD",
        "image_url": "",
    }
    basket = shop.decide(placement="also", context={"basket": ["ink"]})
    assert found(basket)[0] == "pen"
    ann = shop.identify("ann")
    assert shop.decide(ann, placement="also").fallback == "popularity"
    shop.track("ann", "Product Viewed", product_id="pen")
    viewed = shop.decide(ann, placement="also")
    assert (viewed.fallback, found(viewed)[0]) == ("", "ink")
    unknown = shop.decide(placement="also", context={"product_id": "never sold"})
    assert (unknown.fallback, len(found(unknown))) == ("popularity", 2)
    shop.consent("ann", profiling=False)
    private = shop.decide(ann, placement="also", context={"product_id": "tea"})
    assert (private.fallback, "tea" in found(private)) == ("no_profiling", False)
    logged = api.get_decision(decision_id=looking.decision_id).decision
    assert logged == looking
    replay = api.replay_decisions()
    assert (replay.replayed, replay.same) == (6, 6)


def test_decisions_are_logged_listed_and_found(shop):
    ann, bob = shop.identify("ann"), shop.identify("bob")
    shop.offer("sale")
    made = [shop.decide(ann), shop.decide(bob), shop.decide(identifiers={"user_id": "ann"})]
    assert made[2].profile_id == ann
    page = api.list_decisions(limit=2)
    rest = api.list_decisions(limit=2, cursor=page.next_cursor)
    assert [record.decision for record in [*page.items, *rest.items]] == made[::-1]
    assert rest.next_cursor is None
    assert [r.decision for r in api.list_decisions(profile_ids=[bob]).items] == [made[1]]
    assert api.list_decisions(placement="nowhere").items == []
    assert api.list_decisions(fallback_only=True).items == []
    with pytest.raises(NotFound):
        api.get_decision(decision_id=uuid4())


def test_many_are_decided_at_once(shop):
    ids = [shop.identify(f"u{n}", country="FR" if n % 2 else "DE") for n in range(6)]
    shop.offer("french", rule=FRENCH)
    made = api.decide_many(placement="hero", profile_ids=[*ids, 12345], channel="email", now=_now())
    assert list(made) == [*ids, 12345]
    assert [len(made[one].items) for one in ids] == [0, 1, 0, 1, 0, 1]
    assert made[12345].profile_id is None
    assert {record.decision.channel for record in api.list_decisions().items} == {"email"}
    replay = api.replay_decisions()
    assert (replay.replayed, replay.same, replay.missing) == (7, 7, 0)


class _Broken(Policy):
    name = "broken"
    title = "Broken"
    words = "Raises."

    def probabilities(self, eligible):
        raise RuntimeError("broken")


def test_a_policy_that_raises_is_stood_in_for_and_counted(shop, monkeypatch):
    monkeypatch.setitem(POLICIES._items, "broken", _Broken)
    api.update_placement(placement_id=shop.hero.placement_id, policy="broken", by="t", now=_now())
    for key in ("a", "b", "c"):
        shop.offer(key)
    decision = shop.decide()
    assert decision.fallback == "policy_failed"
    assert [item.propensity for item in decision.items] == pytest.approx([1 / 3, 1 / 2])
    troubles = api.list_troubles()
    assert [(one.kind, one.name, one.count) for one in troubles] == [("policy_failed", "broken", 1)]
    assert api.replay_decisions().same == 1
    assert api.report_arms(placement_id=shop.hero.placement_id)[0].share is None


def test_what_is_logged_names_nobody_and_goes_with_the_person(shop):
    ann = shop.identify("ann", email="ann@shop.example")
    shop.offer("sale")
    decision = shop.decide(identifiers={"email": "ann@shop.example"})
    assert decision.profile_id == ann
    logged = api.get_decision(decision_id=decision.decision_id)
    assert logged.request.identifiers == {"email": ""}
    assert "ann@" not in str(logged)
    shop.track("ann", "Promotion Viewed", decision_id=str(decision.decision_id))
    assert api.forget_profiles(profile_ids=[ann]) == {"decisions": 1, "outcomes": 1}
    assert api.list_decisions().items == []


def test_a_recommender_that_raises_is_stood_in_for_and_counted(shop, monkeypatch):
    api.create_placement(key="also", kind="products", by="t", now=_now(), slots=2)
    for number in range(6):
        lines = [{"product_id": one, "name": one, "price": 2} for one in ("tea", "pot")]
        shop.track(f"u{number}", "Order Completed", order_id=f"o{number}", products=lines)
    api.refresh_recommenders(now=_now())
    assert shop.decide(placement="also", context={"product_id": "tea"}).fallback == ""

    def fail(*_, **__):
        raise RuntimeError("broken")

    monkeypatch.setattr(load_recommenders()["also_bought"], "rank", fail)
    decision = shop.decide(placement="also", context={"product_id": "tea"})
    assert decision.fallback == "policy_failed"
    assert [item.item for item in decision.items] == ["pot"], "what is popular instead"
    troubles = api.list_troubles()
    assert [(one.kind, one.name, one.count) for one in troubles] == [
        ("policy_failed", "also_bought", 1)
    ]
