"""Placements and offers as people define them, and the snapshots made of them."""

from datetime import UTC, datetime, timedelta

import pytest

from amity.infra import database
from amity.kernel.errors import Conflict, Invalid, NotFound
from amity.personalization import api
from amity.personalization.logic.publishing import PAUSE
from amity.personalization.logic.snapshot_reading import SnapshotShelf

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
FRENCH = {"node": "check", "field": "trait.country", "is": {"op": "eq", "value": "FR"}}


def _placement(key="hero", **changes):
    return api.create_placement(key=key, kind="offers", by="ann", now=NOW, **changes)


def _offer(key, placement, *, state="live", **changes):
    made = api.create_offer(
        key=key, by="ann", now=NOW, placement_ids=[placement.placement_id], headline=key, **changes
    )
    return api.set_offer_state(offer_id=made.offer_id, state=state, by="ann", now=NOW)


def test_a_placement_is_made_found_and_changed(db):
    made = _placement(name="Top of the page", slots=2)
    assert (made.policy, made.goal, made.is_enabled, made.created_by) == (
        "thompson",
        "click",
        True,
        "ann",
    )
    assert api.find_placement(key="hero") == api.get_placement(placement_id=made.placement_id)
    assert api.find_placement(key="nowhere") is None
    later = NOW + timedelta(hours=1)
    changed = api.update_placement(
        placement_id=made.placement_id, slots=3, is_enabled=False, by="bob", now=later
    )
    assert (changed.slots, changed.is_enabled, changed.name) == (3, False, "Top of the page")
    assert (changed.created_at, changed.updated_at) == (NOW, later)
    products = api.create_placement(key="also", kind="products", by="ann", now=NOW)
    assert products.policy == "also_bought"
    assert [one.key for one in api.list_placements()] == ["also", "hero"]


@pytest.mark.parametrize(
    "changes",
    [
        {"slots": 0},
        {"slots": 21},
        {"policy": "oracle"},
        {"goal": "fame"},
        {"name": " "},
        {"name": "x" * 101},
        {"description": "a\0b"},
        {"description": "\ud800"},
    ],
)
def test_a_placement_that_cannot_be_is_refused(db, changes):
    with pytest.raises(Invalid):
        _placement(**changes)


def test_keys_are_plain_and_there_once(db):
    hero = _placement()
    with pytest.raises(Conflict):
        _placement()
    for key in ("", "Hero", "a b", "-a", "a" * 64, "é"):
        with pytest.raises(Invalid):
            _placement(key)
    _offer("sale", hero)
    with pytest.raises(Conflict):
        _offer("sale", hero)
    for call in (api.get_placement, api.report_arms):
        for missing in (0, 12345, 2**40):
            with pytest.raises(NotFound):
                call(placement_id=missing)
    with pytest.raises(NotFound):
        api.get_offer(offer_id=2**40)


def test_an_offer_says_its_rule_in_words(db):
    hero = _placement()
    made = _offer("sale", hero, rule=FRENCH, cap_count=2, cap_days=7, purpose="offers.web")
    assert made.words == "country is “FR”"
    assert made.rule == FRENCH
    assert made.state == "live"
    changed = api.update_offer(offer_id=made.offer_id, rule=None, headline="New", by="b", now=NOW)
    assert (changed.words, changed.headline, changed.cap_count) == ("everyone", "New", 2)
    assert api.list_offers(state="live") == [changed]
    assert api.list_offers(placement_id=hero.placement_id, search="NEW") == [changed]
    assert api.list_offers(search="%") == []
    assert api.list_offers(state="draft") == []


@pytest.mark.parametrize(
    "changes",
    [
        {"rule": {"node": "nonsense"}},
        {"rule": {"node": "in_segment", "segment_id": 99}},
        {"placement_ids": [77]},
        {"placement_ids": [-1]},
        {"placement_ids": [2**40]},
        {"action_url": "javascript:alert(1)"},
        {"action_url": "//evil.example"},
        {"action_url": "https://"},
        {"action_url": "http://[x"},
        {"image_url": "data:text/html,x"},
        {"cap_count": 1},
        {"cap_count": 0, "cap_days": 1},
        {"cap_count": 1, "cap_days": float("nan")},
        {"budget_count": 0},
        {"budget_count": 2**70},
        {"starts_at": NOW, "ends_at": NOW},
        {"starts_at": datetime(2026, 1, 1)},
        {"headline": "x" * 201},
    ],
)
def test_an_offer_that_cannot_be_is_refused(db, changes):
    _placement()
    with pytest.raises(Invalid):
        api.create_offer(key="sale", by="ann", now=NOW, **changes)


def test_an_offer_with_nothing_to_show_does_not_go_live(db):
    hero = _placement()
    empty = api.create_offer(key="empty", by="ann", now=NOW, placement_ids=[hero.placement_id])
    nowhere = api.create_offer(key="nowhere", by="ann", now=NOW, headline="Hello")
    for made in (empty, nowhere):
        with pytest.raises(Conflict):
            api.set_offer_state(offer_id=made.offer_id, state="live", by="ann", now=NOW)
    archived = api.set_offer_state(offer_id=empty.offer_id, state="archived", by="ann", now=NOW)
    with pytest.raises(Conflict):
        api.update_offer(offer_id=archived.offer_id, headline="x", by="ann", now=NOW)
    with pytest.raises(TypeError):
        api.update_offer(offer_id=nowhere.offer_id, colour="red", by="ann", now=NOW)


def test_a_products_placement_takes_no_offers(db):
    products = api.create_placement(key="also", kind="products", by="ann", now=NOW)
    with pytest.raises(Invalid):
        _offer("sale", products)


def test_a_snapshot_is_made_only_when_something_changed(db):
    hero = _placement()
    first = api.publish_snapshot(now=NOW)
    assert first is not None
    assert api.publish_snapshot(now=NOW + 5 * PAUSE) is None
    offer = _offer("sale", hero)
    second = api.publish_snapshot(now=NOW)
    assert second is not None
    assert api.publish_snapshot(now=NOW + 5 * PAUSE) is None
    api.update_offer(offer_id=offer.offer_id, name="Only for us", by="ann", now=NOW)
    assert api.publish_snapshot(now=NOW) is None, "a name is not decided by"
    api.set_offer_state(offer_id=offer.offer_id, state="paused", by="ann", now=NOW)
    assert api.publish_snapshot(now=NOW) is not None


def test_what_was_learnt_is_published_after_a_pause(db):
    hero = _placement()
    offer = _offer("sale", hero)
    first = api.publish_snapshot(now=NOW)
    with database.transaction() as connection:
        connection.execute(
            "INSERT INTO personalization_arm (placement_id, offer_id, alpha, beta, impressions) "
            "VALUES (%s, %s, 3, 9, 10)",
            [hero.placement_id, offer.offer_id],
        )
    assert api.publish_snapshot(now=NOW + PAUSE / 2) is None
    second = api.publish_snapshot(now=NOW + PAUSE)
    assert second > first
    shelf = SnapshotShelf()
    with database.transaction() as connection:
        newest = shelf.newest(connection)
        assert shelf.newest(connection) is newest
        old = shelf.get(connection, first)
        assert old.definition is newest.definition
    assert newest.snapshot_id == second
    assert (newest.places["hero"].arms[0].alpha, newest.places["hero"].arms[0].beta) == (3, 9)
    assert old.places["hero"].arms[0].alpha == 1
    report = api.report_arms(placement_id=hero.placement_id)[0]
    assert report.rate == pytest.approx(0.25)
    assert 0.05 < report.low < 0.25 < report.high < 0.55
    assert report.share == 1


def test_the_goal_stays_once_something_was_learnt(db):
    hero = _placement()
    api.update_placement(placement_id=hero.placement_id, goal="order", by="ann", now=NOW)
    offer = _offer("sale", hero)
    with database.transaction() as connection:
        connection.execute(
            "INSERT INTO personalization_arm (placement_id, offer_id, impressions) "
            "VALUES (%s, %s, 1)",
            [hero.placement_id, offer.offer_id],
        )
    with pytest.raises(Conflict):
        api.update_placement(placement_id=hero.placement_id, goal="click", by="ann", now=NOW)
