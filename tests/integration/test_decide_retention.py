"""Decisions are forgotten after a while, and what no kept decision needs goes with them."""

from datetime import UTC, datetime, timedelta

import pytest

from amity.infra import database
from amity.kernel.errors import Invalid
from amity.personalization import api
from amity.personalization.contracts import DecideRequest
from amity.store import api_retention as keeping
from amity.store.contracts_retention import RetentionPlan

NOW = datetime.now(UTC)
SWEEPS = keeping.index_sweeps(api.list_sweeps())
NOTHING = {}


def forget(now=NOW):
    """Run the rule; return how many rows went from which table."""
    gone = keeping.run_retention(SWEEPS, key="decisions", by="t", now=now).removed.tables
    return {table.removeprefix("personalization_"): rows for table, rows in gone.items()}


def ask(query, *values):
    with database.transaction() as connection:
        return connection.execute(query, values).fetchall()


def ago(days):
    return NOW - timedelta(days=days)


def set_days(plan):
    keeping.save_retention_rule(SWEEPS, key="decisions", plan=plan, by="t", now=NOW)


class Shop:
    """One placement with offers that people change now and then."""

    def __init__(self):
        made = api.create_placement(
            key="home", kind="offers", policy="thompson", by="t", now=ago(900)
        )
        self.offers = []
        for number in range(3):
            offer = api.create_offer(
                key=f"o{number}",
                headline="Version 0",
                placement_ids=[made.placement_id],
                by="t",
                now=ago(900),
            )
            api.set_offer_state(offer_id=offer.offer_id, state="live", by="t", now=ago(900))
            self.offers.append(offer.offer_id)
        self.changes = 0

    def change(self, days):
        """Change an offer and publish it, so many days ago; return the snapshot."""
        self.changes += 1
        words = f"Version {self.changes}"
        api.update_offer(offer_id=self.offers[0], headline=words, by="t", now=ago(days))
        return api.publish_snapshot(now=ago(days))

    def decide(self, days, count=3):
        request = DecideRequest(placement="home")
        made = [api.decide(request=request, now=ago(days)) for _ in range(count)]
        for one in made:
            ask(
                "INSERT INTO personalization_outcome (decision_id, item, kind, occurred_at,"
                " profile_id) VALUES (%s, 'o0', 'click', %s, 1) RETURNING 1",
                one.decision_id,
                ago(days),
            )
        return made


@pytest.fixture
def shop(db):
    return Shop()


def snapshots():
    return {row[0] for row in ask("SELECT id FROM personalization_snapshot")}


def test_old_decisions_go_with_what_only_they_needed_and_the_kept_can_be_made_again(shop):
    first = shop.change(800)
    shop.decide(800)
    second = shop.change(700)
    kept = shop.decide(700)
    unused, current = shop.change(650), shop.change(600)
    third = shop.change(0.1)
    kept += shop.decide(0.1)
    last = shop.change(0)
    assert forget() == {"decision": 3, "outcome": 3, "snapshot": 2, "definition": 2}
    # What was in use a day ago may yet be named by a decision that is on its way.
    assert snapshots() == {second, current, third, last}
    assert first not in snapshots()
    assert unused not in snapshots()
    assert ask("SELECT count(*) FROM personalization_outcome") == [(6,)]
    replay = api.replay_decisions()
    assert (replay.replayed, replay.same, replay.missing) == (6, 6, 0)
    for one in kept:
        found = api.get_decision(decision_id=one.decision_id).decision
        assert [item.content for item in found.items] == [item.content for item in one.items]
    assert forget() == NOTHING
    assert forget(NOW + timedelta(days=2)) == {"snapshot": 1, "definition": 1}
    assert snapshots() == {second, third, last}
    assert api.replay_decisions().same == 6


def test_nothing_is_forgotten_that_a_cap_or_a_late_reward_still_looks_at(shop):
    shop.change(800)
    shop.decide(800)
    shop.decide(170)
    told = {"basis": "legitimate_interest", "reason": "short"}
    with pytest.raises(Invalid, match="180"):
        set_days(RetentionPlan(keep_days=1, **told))
    set_days(RetentionPlan(keep_days=180, **told))
    api.update_offer(offer_id=shop.offers[0], cap_count=1, cap_days=850.0, by="t", now=NOW)
    assert "decision" not in forget()
    api.set_offer_state(offer_id=shop.offers[0], state="archived", by="t", now=NOW)
    assert forget()["decision"] == 3
    assert api.replay_decisions().same == 3


def test_a_model_stays_as_long_as_a_kept_decision_was_made_with_it(shop):
    api.refresh_recommenders(now=ago(100))
    shop.change(100)
    shop.decide(100)
    for day in range(60, 40, -3):
        api.refresh_recommenders(now=ago(day))
        shop.change(day)
    [[first]] = ask("SELECT min(id) FROM personalization_model WHERE recommender = 'popularity'")
    assert forget()["model"] == 2 * 4
    models = [
        row[0]
        for row in ask(
            "SELECT id FROM personalization_model WHERE recommender = 'popularity' ORDER BY id"
        )
    ]
    assert (models[0], len(models)) == (first, 4)
    assert api.replay_decisions().same == 3


def test_snapshots_are_looked_at_in_slices_and_none_is_left_out(shop, monkeypatch):
    monkeypatch.setattr("amity.personalization.logic.retention._AT_ONCE", 2)
    for day in range(40, 10, -2):
        shop.change(day)
        if day % 3 == 0:
            shop.decide(day, 1)
    assert forget()["snapshot"] == 10
    assert api.replay_decisions().missing == 0
