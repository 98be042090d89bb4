"""What came of what was shown: twice, late, out of order, of others, of orders and of leaving."""

import random
from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from amity.analysis import api_reports as reports
from amity.analysis.logic.measuring.builtin import BUILT_IN
from amity.infra import database
from amity.kernel.clock import format_instant
from amity.kernel.errors import Conflict, Invalid
from amity.personalization import api
from amity.personalization.contracts import DecideRequest
from amity.store import api as store
from amity.web.metric_uses import find_metric_uses

DAY = timedelta(days=1)
WORTH = {"goal": "metric", "goal_metric": "revenue"}


def _now():
    return datetime.now(UTC)


@pytest.fixture
def shop(db):
    return Shop()


class Shop:
    """A shop with offers in placements; sends events in the order given and lets them count."""

    def __init__(self):
        self.source_id = store.create_source(name="Shop", kind="server").source_id
        self.now = _now()
        self.limit = 2000
        self.is_eager = True
        self._sent = 0

    def placement(self, key, *offers, **changes):
        made = api.create_placement(key=key, kind="offers", by="t", now=_now(), **changes)
        for name in offers:
            offer = api.create_offer(
                key=name,
                by="t",
                now=_now(),
                headline=name,
                placement_ids=[made.placement_id],
            )
            api.set_offer_state(offer_id=offer.offer_id, state="live", by="t", now=_now())
        return made.placement_id

    def person(self, user, **more):
        self.send({"type": "identify", "userId": user, **more})
        return store.find_profile(kind="user_id", value=user).profile_id

    def decide(self, placement, profile_id, channel="web"):
        decision = api.decide(
            request=DecideRequest(placement=placement, channel=channel),
            profile_id=profile_id,
            now=self.now,
        )
        return str(decision.decision_id), [item.item for item in decision.items]

    def event(self, user, event, at=None, **properties):
        identity = {"anonymousId": user[1:]} if user.startswith("~") else {"userId": user}
        self._sent += 1
        return {
            "messageId": f"m{self._sent}",
            "type": "track",
            "event": event,
            "properties": properties,
            "timestamp": format_instant(at or self.now),
            **identity,
        }

    def send(self, *events):
        bodies = []
        for event in events:
            self._sent += 1
            bodies.append(msgspec.json.encode({"messageId": f"m{self._sent}", **event}))
        receipt = store.append_events(source_id=self.source_id, events=bodies, now=_now())
        assert receipt.quarantined == 0
        if self.is_eager:
            self.run()

    def record(self, profile_id, name, at, **properties):
        """Record an event of Amity's own, as the sender does."""
        self._sent += 1
        with database.transaction() as connection:
            store.record_event(
                connection=connection,
                profile_id=profile_id,
                name=name,
                properties=properties,
                message_id=f"own{self._sent}",
                now=at,
            )
        if self.is_eager:
            self.run()

    def run(self):
        for _ in range(200):
            if (
                not store.fold_batch().events
                and not api.reward_batch(now=_now(), limit=self.limit).events
            ):
                return
        raise AssertionError("the consumers never came to rest")

    def arms(self, placement_id):
        with database.transaction() as connection:
            rows = connection.execute(
                "SELECT o.key, a.alpha - 1, a.beta - 1, a.impressions, a.clicks, a.orders, "
                "a.revenue_minor, a.unsubscribes FROM personalization_arm a "
                "JOIN personalization_offer o ON o.id = a.offer_id WHERE a.placement_id = %s",
                [placement_id],
            )
            return {row[0]: tuple(int(value) for value in row[1:]) for row in rows}

    def troubles(self):
        return {(one.kind, one.name): one.count for one in api.list_troubles()}


def test_a_click_teaches_once_whatever_comes_twice(shop):
    hero = shop.placement("hero", "sale")
    ann = shop.person("ann")
    told, _ = shop.decide("hero", ann)
    shown = {"decision_id": told, "promotion_id": "sale"}
    shop.send(shop.event("ann", "Promotion Viewed", **shown))
    assert shop.arms(hero) == {"sale": (0, 1, 1, 0, 0, 0, 0)}
    for _ in range(3):
        shop.send(shop.event("ann", "Promotion Clicked", **shown))
        shop.send(shop.event("ann", "Promotion Viewed", **shown))
    assert shop.arms(hero) == {"sale": (1, 0, 1, 1, 0, 0, 0)}
    record = api.list_decisions().items[0]
    assert sorted(outcome.kind for outcome in record.outcomes) == ["click", "impression"]
    assert shop.troubles() == {}


def test_a_click_before_its_impression_counts_both(shop):
    hero = shop.placement("hero", "sale")
    ann = shop.person("ann")
    told, _ = shop.decide("hero", ann)
    shop.send(shop.event("ann", "Promotion Clicked", decision_id=told))
    assert shop.arms(hero) == {"sale": (1, 0, 1, 1, 0, 0, 0)}
    shop.send(shop.event("ann", "Promotion Viewed", decision_id=told, at=shop.now - DAY))
    assert shop.arms(hero) == {"sale": (1, 0, 1, 1, 0, 0, 0)}


def test_what_is_late_unknown_or_of_another_is_counted_and_ignored(shop):
    hero = shop.placement("hero", "sale")
    ann = shop.person("ann")
    shop.person("bob")
    told, _ = shop.decide("hero", ann)
    nobody = "00000000-0000-7000-8000-000000000000"
    shop.send(
        shop.event("ann", "Promotion Clicked", decision_id=told, at=shop.now - 40 * DAY),
        shop.event("bob", "Promotion Clicked", decision_id=told),
        shop.event("ann", "Promotion Clicked", decision_id=nobody),
        shop.event("ann", "Promotion Clicked", decision_id="nonsense"),
        shop.event("ann", "Promotion Clicked", decision_id=told, promotion_id="other"),
        shop.event("ann", "Promotion Clicked", decision_id={"a": 1}),
        shop.event("ann", "Promotion Clicked", promotion_id="sale"),
        shop.event("ann", "Email Link Clicked", decision_id=told, promotion_id="sale"),
    )
    # Long before the decision is odd, but an event's clock can be wrong; it counts.
    assert shop.arms(hero) == {"sale": (1, 0, 1, 1, 0, 0, 0)}
    assert shop.troubles() == {
        ("reward_other_person", "Promotion Clicked"): 1,
        ("reward_unknown", "Promotion Clicked"): 3,
        ("reward_not_shown", "Promotion Clicked"): 1,
    }


def test_what_comes_after_thirty_days_is_late(shop):
    hero = shop.placement("hero", "sale")
    ann = shop.person("ann")
    shop.now = _now() - 40 * DAY
    told, _ = shop.decide("hero", ann)
    shop.send(
        shop.event("ann", "Promotion Viewed", decision_id=told, at=shop.now + 29 * DAY),
        shop.event("ann", "Promotion Clicked", decision_id=told, at=shop.now + 31 * DAY),
    )
    assert shop.arms(hero) == {"sale": (0, 1, 1, 0, 0, 0, 0)}
    assert shop.troubles() == {("reward_late", "Promotion Clicked"): 1}


def test_an_order_belongs_to_the_last_click_within_seven_days(shop):
    hero = shop.placement("hero", "sale", goal="order")
    top = shop.placement("top", "gift")
    ann = shop.person("ann")
    shop.now = _now() - 20 * DAY
    first, second = shop.decide("hero", ann)[0], shop.decide("top", ann)[0]
    at = shop.now
    shop.send(
        shop.event("ann", "Order Completed", order_id="1", total=30, at=at + 3 * DAY),
        shop.event("ann", "Order Completed", order_id="2", total=10, at=at + 3 * DAY),
        shop.event("ann", "Order Completed", order_id="3", total=99, at=at + 12 * DAY),
        shop.event("ann", "Promotion Viewed", decision_id=first, at=at),
    )
    assert shop.arms(hero) == {"sale": (1, 0, 1, 0, 1, 4000, 0)}
    shop.send(shop.event("ann", "Promotion Clicked", decision_id=second, at=at + 2 * DAY))
    assert shop.arms(hero) == {"sale": (0, 1, 1, 0, 0, 0, 0)}
    assert shop.arms(top) == {"gift": (1, 0, 1, 1, 1, 4000, 0)}
    shop.send(
        shop.event("ann", "Order Refunded", order_id="1", total=5, at=at + 4 * DAY),
        shop.event("ann", "Order Cancelled", order_id="2", at=at + 4 * DAY),
    )
    assert shop.arms(top) == {"gift": (1, 0, 1, 1, 1, 2500, 0)}


def test_a_metric_of_the_catalogue_rewards_by_the_version_it_was_chosen_in(shop):
    hero = shop.placement("hero", "sale", **WORTH)
    quiz = shop.placement("quiz", "game", goal="metric", goal_metric="clicks")
    ann = shop.person("ann")
    sale, _ = shop.decide("hero", ann)
    game, _ = shop.decide("quiz", ann)
    shop.send(shop.event("ann", "Order Completed", at=shop.now - DAY, total=99))
    shop.send(shop.event("ann", "Promotion Viewed", decision_id=sale, promotion_id="sale"))
    shop.send(shop.event("ann", "Promotion Viewed", decision_id=game, promotion_id="game"))
    assert shop.arms(hero) == {"sale": (0, 1, 1, 0, 0, 0, 0)}
    bought = {"order_id": "1", "total": 30}
    shop.send(shop.event("ann", "Order Completed", at=shop.now + DAY, **bought))
    assert shop.arms(hero) == {"sale": (1, 0, 1, 0, 0, 0, 0)}
    shop.send(shop.event("ann", "Order Refunded", order_id="1", at=shop.now + DAY))
    assert shop.arms(hero) == {"sale": (0, 1, 1, 0, 0, 0, 0)}

    gross = BUILT_IN["revenue"]
    column = msgspec.structs.replace(gross.expression, column="total_minor")
    changed = msgspec.to_builtins(msgspec.structs.replace(gross, expression=column))
    reports.save_metric(name="revenue", definition=changed, by="t", now=_now())
    assert find_metric_uses(name="revenue").rewards == ("hero (version 0)",)
    placement = api.get_placement(placement_id=hero)
    assert (placement.goal_metric, placement.goal_version) == ("revenue", 0)
    shop.send(shop.event("ann", "Email Link Clicked", at=shop.now + 2 * DAY))
    assert shop.arms(hero) == {"sale": (0, 1, 1, 0, 0, 0, 0)}, "by net revenue still"
    assert shop.arms(quiz) == {"game": (1, 0, 1, 0, 0, 0, 0)}
    with pytest.raises(Conflict, match="another goal"):
        api.update_placement(placement_id=hero, by="t", now=_now(), goal_metric="orders")
    after = shop.placement("after", "late", **WORTH)
    assert api.get_placement(placement_id=after).goal_version == 1
    for name, words in (("average_order", "an average"), ("repeat_rate", "two windows")):
        with pytest.raises(Invalid, match=words):
            shop.placement("bad", goal="metric", goal_metric=name)
    with pytest.raises(Invalid, match="names one"):
        shop.placement("bad", goal="metric")


def test_an_unsubscription_takes_the_success_of_the_message_back(shop):
    mail = shop.placement("mail", "sale", "gift", slots=2)
    ann = shop.person("ann")
    shop.now = _now() - DAY
    told, _ = shop.decide("mail", ann, channel="email")
    shop.record(ann, "Email Sent", shop.now, decision_id=told)
    shop.record(ann, "Email Link Clicked", shop.now, decision_id=told, promotion_id="sale")
    shop.record(
        ann, "Email Link Clicked", shop.now, decision_id=told, promotion_id="gift", is_machine=True
    )
    assert shop.arms(mail) == {"sale": (1, 0, 1, 1, 0, 0, 0), "gift": (0, 1, 1, 0, 0, 0, 0)}
    shop.send(shop.event("ann", "Unsubscribed", at=shop.now + DAY / 2))
    assert shop.arms(mail) == {"sale": (0, 1, 1, 1, 0, 0, 1), "gift": (0, 1, 1, 0, 0, 0, 1)}


def test_who_turns_out_to_be_the_same_person_counts_from_then_on(shop):
    hero = shop.placement("hero", "sale")
    ann = shop.person("ann")
    told, _ = shop.decide("hero", ann)
    shop.send(shop.event("~browser", "Promotion Clicked", decision_id=told))
    assert shop.arms(hero) == {}
    assert shop.troubles() == {("reward_other_person", "Promotion Clicked"): 1}
    shop.person("ann", anonymousId="browser")
    assert shop.arms(hero) == {"sale": (1, 0, 1, 1, 0, 0, 0)}
    assert shop.troubles() == {("reward_other_person", "Promotion Clicked"): 1}


def test_a_decision_for_a_stranger_is_claimed_by_whoever_was_there(shop):
    hero = shop.placement("hero", "sale")
    told, _ = shop.decide("hero", None)
    shop.send(shop.event("~new", "Promotion Viewed", decision_id=told))
    assert shop.arms(hero) == {"sale": (0, 1, 1, 0, 0, 0, 0)}


def test_an_erased_person_leaves_only_what_was_learnt(shop):
    hero = shop.placement("hero", "sale")
    ann = shop.person("ann")
    told, _ = shop.decide("hero", ann)
    shop.send(shop.event("ann", "Promotion Clicked", decision_id=told))
    assert api.forget_profiles(profile_ids=[ann]) == {"decisions": 1, "outcomes": 1}
    assert shop.arms(hero) == {"sale": (1, 0, 1, 1, 0, 0, 0)}
    shop.send(shop.event("ann", "Promotion Viewed", decision_id=told))
    assert shop.arms(hero) == {"sale": (1, 0, 1, 1, 0, 0, 0)}


class _Replica:
    """The same story in placements and with people of its own."""

    def __init__(self, shop, number):
        self.shop = shop
        self.number = number
        self.people = [shop.person(f"{name}{number}") for name in ("ann", "bob")]
        offers = [f"{name}-{number}" for name in ("sale", "gift")]
        self.placements = [
            shop.placement(f"web-{number}", *offers, slots=2),
            shop.placement(f"shop-{number}", f"lure-{number}", goal="order"),
            shop.placement(f"mail-{number}", f"mail-{number}", **WORTH),
        ]
        self.told = [
            shop.decide(f"{key}-{number}", person, channel="email" if key == "mail" else "web")[0]
            for person in self.people
            for key in ("web", "shop", "mail")
            for _ in range(2)
        ]

    def events(self, story):
        """Return the story's events for this replica's people, as calls."""
        return [self._event(*line) for line in story]

    def _event(self, who, event, hours, decision, more):
        at = self.shop.now + timedelta(hours=hours)
        properties = dict(more)
        if decision is not None:
            properties["decision_id"] = self.told[decision]
        if "promotion_id" in properties:
            properties["promotion_id"] += f"-{self.number}"
        if "order_id" in properties:
            properties["order_id"] += f"-{self.number}"
        if event == "Email Sent":
            person = self.people[who % 2]
            return lambda: self.shop.record(person, event, at, **properties)
        if event == "link":
            linked = {"type": "identify", "userId": f"ann{self.number}"}
            return lambda: self.shop.send({**linked, "anonymousId": f"browser{self.number}"})
        user = (f"ann{self.number}", f"bob{self.number}", f"~browser{self.number}")[who]
        return lambda: self.shop.send(self.shop.event(user, event, at=at, **properties))

    def learnt(self):
        """Return arms and outcomes under names that are the same in every replica."""
        suffix = f"-{self.number}"
        arms = {
            (place, key.removesuffix(suffix)): arm
            for place, placement_id in enumerate(self.placements)
            for key, arm in self.shop.arms(placement_id).items()
        }
        outcomes = set()
        for record in api.list_decisions(limit=1000).items:
            said = str(record.decision.decision_id)
            if said in self.told:
                outcomes |= {
                    (self.told.index(said), item.removesuffix(suffix), kind, at, value)
                    for item, kind, at, value in map(msgspec.structs.astuple, record.outcomes)
                }
        return arms, outcomes


def _story(rng):
    story = [(2, "link", 0, None, {})]
    for _ in range(14):
        story.append(
            (
                rng.randrange(3),
                rng.choice(["Promotion Viewed", "Promotion Clicked"]),
                rng.randrange(-24, 300),
                rng.randrange(12),
                rng.choice([{}, {"promotion_id": "sale"}, {"promotion_id": "gift"}]),
            )
        )
    for number in range(4):
        order = {"order_id": f"o{number}"}
        who = rng.randrange(3)
        story.append((who, "Order Completed", rng.randrange(300), None, order | {"total": 10}))
        if rng.random() < 0.5:
            what = rng.choice(["Order Cancelled", "Order Refunded"])
            story.append((who, what, 300, None, order))
    for _ in range(3):
        decision = rng.choice([4, 5, 10, 11])
        story.append((decision // 6, "Email Sent", rng.randrange(200), decision, {}))
    story.append((rng.randrange(2), "Unsubscribed", rng.randrange(300), None, {}))
    return story


def test_any_order_and_any_repetition_teaches_the_same(shop):
    rng = random.Random(11)
    shop.now = _now() - 14 * DAY
    story = _story(rng)
    taught = []
    for number in range(4):
        replica = _Replica(shop, number)
        told = replica.events(story)
        # What is not a new happening when it is told again.
        again = replica.events([line for line in story if line[1] != "Order Refunded"])
        calls = told + rng.sample(again, 6) if number else told
        if number:
            rng.shuffle(calls)
        shop.limit = rng.choice([1, 3, 2000])
        shop.is_eager = number == 0 or rng.random() < 0.5
        for call in calls:
            call()
        shop.is_eager = True
        shop.run()
        taught.append(replica.learnt())
    assert taught[0][0]
    for other in taught[1:]:
        assert other == taught[0], story
