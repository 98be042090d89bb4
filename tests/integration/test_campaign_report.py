"""The report of a campaign: figures that add up, each person once, and no claim without ground."""

import random
import threading
from datetime import timedelta

import pytest
from tests.fixtures.campaign_house import (
    House,
    arms,
    ask,
    consents,
    now,
    run_to_rest,
    settle,
    tell,
)

from amity.analysis.contracts_metrics import Counted, MetricDefinition
from amity.broadcast import api as broadcast
from amity.broadcast import api_campaigns
from amity.infra import database
from amity.kernel.errors import Invalid
from amity.store import api as store
from amity.store.contracts import Choices
from amity.web.metric_uses import find_metric_uses


@pytest.fixture
def house(db):
    return House()


def report(campaign_id, days=0):
    return api_campaigns.report_campaign(campaign_id=campaign_id, now=now() + timedelta(days=days))


def follow():
    while broadcast.follow_batch(now=now()).events:
        pass


def record(house, campaign_id, user, name, **properties):
    """Record what a customer did with the campaign's message, as the edge does."""
    profile_id = house.id_of(user)
    send_id = ask(
        "SELECT id FROM broadcast_send WHERE run_id = %s AND profile_id = %s",
        campaign_id,
        profile_id,
    )[0][0]
    with database.transaction() as connection:
        store.record_event(
            connection=connection,
            profile_id=profile_id,
            name=name,
            properties={"send_id": str(send_id), **properties},
            message_id=f"{name}-{random.random()}",
            now=now(),
        )
    house.run()
    return send_id


def launched(house, *users, **more):
    house.join(*users)
    campaign_id = house.launch(**{"holdout_rate": 0, **more})
    run_to_rest()
    return campaign_id


def test_clicks_opens_and_refusals_are_counted_by_person_and_machines_apart(house):
    campaign_id = launched(house, "ann", "bob", "cid", "dan")
    assert report(campaign_id).opened is None
    settle(campaign_id)
    house.send({**consents("ann"), "properties": {"categoryPreferences": {"tracking.email": True}}})
    record(house, campaign_id, "ann", "Email Opened", is_machine=False)
    record(house, campaign_id, "bob", "Email Opened", is_machine=True)
    record(house, campaign_id, "ann", "Email Link Clicked", is_machine=False)
    record(house, campaign_id, "ann", "Email Link Clicked", is_machine=False)
    record(house, campaign_id, "bob", "Email Link Clicked", is_machine=True)
    # A source of the shop's may call its own events so; they say nothing about this message.
    send_id = record(house, campaign_id, "cid", "Unsubscribed")
    house.send(
        {
            "type": "track",
            "event": "Email Link Clicked",
            "userId": "bob",
            "properties": {"send_id": str(send_id)},
        }
    )
    house.send(consents("dan", says=False))
    found = report(campaign_id)
    assert (found.opened, found.tracked) == (1, 1)
    assert (found.clicked, found.clicks, found.machine_clicks) == (1, 2, 1)
    assert found.unsubscribed == 2
    _complain(house, "ann")
    assert report(campaign_id).complained == 1
    other = house.launch("Other", holdout_rate=0)
    run_to_rest()
    settle(other)
    assert report(other).clicked == report(other).unsubscribed == 0


def _complain(house, user):
    key = store.contact_key(channel="email", address=f"{user}@shop.example")
    store.suppress(channel="email", address_key=key, reason="complaint", now=now())


def test_a_no_given_by_a_link_counts_for_the_message_it_was_in(house):
    first = launched(house, "ann")
    settle(first)
    second = house.launch("Second", holdout_rate=0)
    run_to_rest()
    settle(second)
    send_id = ask("SELECT id FROM broadcast_send WHERE run_id = %s", second)[0][0]
    store.state_choices(
        choices=Choices(
            profile_id=house.id_of("ann"),
            channel="email",
            address_key=store.contact_key(channel="email", address="ann@shop.example"),
            choices={"marketing.email": False},
            method="one_click",
            evidence={"send_id": str(send_id)},
        ),
        now=now(),
    )
    house.run()
    assert (report(first).unsubscribed, report(second).unsubscribed) == (0, 1)


def test_revenue_is_net_in_the_home_currency_and_within_the_window(house):
    campaign_id = launched(
        *(house, "ann", "bob", "cid"),
        holdout_rate=0,
        window_days=2,
        goal_metric="revenue",
        guardrail_metrics=["orders", "refunded", "active_customers"],
    )
    settle(campaign_id)
    began = now() - timedelta(days=5)
    tell("UPDATE broadcast_participant SET assigned_at = %s", began)
    house.order("ann", 50, at=began, order_id="a1")
    house.order("ann", 20, order_id="a1", event="Order Refunded")
    house.order("ann", 9, at=began, order_id="a2", currency="EUR")
    house.order("ann", 1_000, at=began - timedelta(seconds=1))
    house.order("ann", 1_000, at=began + timedelta(days=2))
    house.order("bob", 70, at=began, order_id="b1")
    house.order("bob", 70, order_id="b1", event="Order Cancelled")
    found = report(campaign_id)
    assert found.is_final
    treatment = found.arms[0]
    assert (treatment.customers, treatment.converted, treatment.revenue_minor) == (3, 1, 3000)
    assert treatment.revenue_per_customer.value == pytest.approx(10)
    assert found.converted == 1
    assert found.lift is None
    assert found.verdict == "No claim can be made: nobody was held out to compare with."
    # By the definitions of the catalogue the same orders count.
    read = {one.name: one for one in found.metrics}
    assert [(one.role, one.version) for one in found.metrics] == [("goal", 0)] + 3 * [
        ("guardrail", 0)
    ]
    assert read["revenue"].treatment == treatment.revenue_per_customer
    means = {name: one.treatment.value * 3 for name, one in read.items()}
    assert means == pytest.approx(
        {"revenue": 30, "orders": 1, "refunded": 20, "active_customers": 1}
    )
    assert {one.verdict for one in found.metrics} == {found.verdict}
    # What another definition would say of it, in minor units.
    gross = MetricDefinition(
        title="Gross",
        definition="Totals.",
        unit="money",
        expression=Counted(base="orders", what="sum", column="total_minor"),
    )
    tried = api_campaigns.try_metric_definition(name="revenue", definition=gross)
    assert tried == [("Spring", pytest.approx(1000), pytest.approx(5000 / 3))]


def test_a_metric_names_the_campaigns_measured_by_it(house):
    house.make(goal_metric="revenue", guardrail_metrics=["refunded"])
    house.make("Other")
    assert find_metric_uses(name="refunded").campaigns == ("Spring",)
    assert find_metric_uses(name="orders").campaigns == ()


def test_a_metric_that_is_no_number_of_each_customer_is_refused(house):
    with pytest.raises(Invalid, match="without an order"):
        house.make(goal_metric="average_order")
    with pytest.raises(Invalid, match="two windows"):
        house.make(guardrail_metrics=["earlier_customers"])
    with pytest.raises(Invalid, match="no metric"):
        house.make(goal_metric="nothing")


def test_another_goal_than_orders(house):
    campaign_id = launched(house, "ann", "bob", goal_event="Signed Up")
    settle(campaign_id)
    house.order("bob", 5)
    house.send({"type": "track", "event": "Signed Up", "userId": "ann"})
    house.send({"type": "track", "event": "Signed Up", "userId": "ann"})
    found = report(campaign_id)
    assert (found.converted, found.arms[0].converted, found.arms[0].revenue_minor) == (1, 1, 500)


def test_a_merged_person_counts_once_in_the_group_drawn_first(house):
    campaign_id = launched(house, "ann", "bob")
    house.send(
        {
            "type": "identify",
            "anonymousId": "dev",
            "traits": {"vip": True, "email": "dev@shop.example"},
        }
    )
    stranger = store.find_profile(kind="anonymous_id", value="dev").profile_id
    tell(
        "INSERT INTO broadcast_participant VALUES (%s, %s, 'holdout', 'k',"
        " (SELECT min(assigned_at) + interval '1 second' FROM broadcast_participant))",
        campaign_id,
        stranger,
    )
    settle(campaign_id)
    assert [arm.customers for arm in report(campaign_id).arms] == [2, 1]
    house.send({"type": "identify", "anonymousId": "dev", "userId": "ann"})
    house.order("ann", 10)
    found = report(campaign_id)
    assert [arm.customers for arm in found.arms] == [2, 0]
    assert found.arms[0].revenue_minor == 1000


def test_a_real_effect_is_found_once_every_window_has_closed(house):
    users = [f"p{number}" for number in range(140)]
    measured = {"goal_metric": "revenue", "guardrail_metrics": ["refunded"]}
    campaign_id = launched(house, *users, holdout_rate=0.5, **measured)
    settle(campaign_id)
    run_to_rest()
    held, rng = arms(campaign_id), random.Random(1)
    orders = []
    for number, user in enumerate(users):
        is_treated = held[house.id_of(user)] == "treatment"
        if rng.random() < (0.9 if is_treated else 0.4):
            orders.append(
                {
                    "type": "track",
                    "event": "Order Completed",
                    "userId": user,
                    "properties": {"order_id": f"x{number}", "total": rng.randint(20, 40)},
                }
            )
    house.send(*orders)
    early = report(campaign_id)
    assert early.verdict.startswith("So far, customers drawn to get it spent")
    assert (early.is_final, early.is_significant) == (False, None)
    final = report(campaign_id, days=8)
    assert (final.is_final, final.is_significant) == (True, True)
    assert final.verdict.endswith("more than chance.")
    assert final.lift.low > 0
    assert final.conversion_lift.low > 0
    assert final.p_value < 0.01
    assert final == report(campaign_id, days=8)
    goal, guard = final.metrics
    assert early.metrics[0].verdict.startswith("So far")
    assert (goal.difference, goal.p_value) == (final.lift, final.p_value), "one way to compare"
    assert goal.verdict == "Better than without the message, by more than chance."
    assert guard.verdict == "No claim can be made: it is 0 for everybody."
    assert set(final.definitions) >= {"lift", "p_value", "targeted", "sent", "unsubscribed"}


def test_groups_that_are_too_small_or_of_the_wrong_size_carry_no_claim(house):
    campaign_id = launched(house, *(f"p{number}" for number in range(120)), holdout_rate=0.01)
    settle(campaign_id)
    assert "at least 30 in each group" in report(campaign_id, days=8).verdict
    tell("UPDATE broadcast_campaign SET holdout_rate = 0.5")
    tell(
        "UPDATE broadcast_participant SET arm = CASE WHEN profile_id IN ("
        "SELECT profile_id FROM broadcast_participant ORDER BY profile_id LIMIT 32)"
        " THEN 'holdout' ELSE 'treatment' END"
    )
    assert "where 50% were to be" in report(campaign_id, days=8).verdict
    tell("UPDATE broadcast_campaign SET holdout_rate = 0.25")
    found = report(campaign_id, days=8)
    assert "bought" in found.verdict
    assert found.conversion_lift.value == 0
    assert (found.lift, found.p_value, found.is_significant) == (None, None, None)


def test_the_figures_add_up_at_every_moment_while_messages_leave(house):
    campaign_id = launched(house, *(f"p{number}" for number in range(60)), holdout_rate=0.2)
    drawn = report(campaign_id)
    done = threading.Event()
    rng = random.Random(7)

    def send():
        moves = {"queued": "claimed", "claimed": "wire", "wire": "sent"}
        ends = ["sent", "failed", "unknown", "suppressed", "expired", "cancelled"]
        try:
            for _ in range(150):
                rows = ask(
                    "SELECT id, state FROM broadcast_send WHERE state = ANY(%s) ORDER BY random()"
                    " LIMIT 3",
                    list(moves),
                )
                for send_id, state in rows:
                    to = rng.choice(ends) if state == "wire" else moves[state]
                    tell("UPDATE broadcast_send SET state = %s WHERE id = %s", to, send_id)
        finally:
            done.set()

    sender = threading.Thread(target=send)
    sender.start()
    seen = 0
    while not done.is_set() or not seen:
        found = report(campaign_id)
        counts = found.counts
        parts = (counts.sent, counts.suppressed, counts.failed, counts.unknown, counts.pending)
        assert counts.targeted == sum(parts) + counts.cancelled == drawn.counts.targeted
        assert found.arms[0].customers == counts.targeted
        assert found.arms[1].customers == found.held_out == drawn.held_out
        seen += 1
    sender.join()
    run_to_rest()
    last = report(campaign_id)
    assert last.campaign.state == "finished"
    assert last.counts.pending == 0


def test_a_click_or_an_open_shows_that_a_doubtful_message_arrived(house):
    campaign_id = launched(house, "ann", "bob", "cid")
    settle(campaign_id, "unknown", "no_reply")
    record(house, campaign_id, "ann", "Email Link Clicked", is_machine=False)
    record(house, campaign_id, "bob", "Email Link Clicked", is_machine=True)
    record(house, campaign_id, "cid", "Email Opened", is_machine=False, send_id="no id at all")
    follow()
    states = dict(ask("SELECT profile_id, state || ' ' || reason FROM broadcast_send"))
    assert states == {
        house.id_of("ann"): "sent proved",
        house.id_of("bob"): "unknown no_reply",
        house.id_of("cid"): "unknown no_reply",
    }
    record(house, campaign_id, "ann", "Email Link Clicked", is_machine=False)
    follow()
    assert report(campaign_id).counts.sent == 1


def test_what_a_click_proves_is_in_the_history_once_and_when_it_left(house):
    campaign_id = launched(house, "ann", "bob")
    settle(campaign_id, "unknown", "no_reply")
    tell("UPDATE broadcast_send SET wire_at = now() - interval '1 hour', subject = 'Hello'")
    decision = "018f3c5e-7b1a-7c3d-9e4f-5a6b7c8d9e11"
    send_id = record(house, campaign_id, "ann", "Email Opened", is_machine=False)
    named = {"is_machine": False, "decision_id": decision}
    for _ in range(2):
        record(house, campaign_id, "ann", "Email Link Clicked", **named)
    record(house, campaign_id, "bob", "Email Link Clicked", is_machine=True)
    follow()
    record(house, campaign_id, "ann", "Email Link Clicked", **named)
    follow()
    house.run()
    [told] = store.list_activity(profile_id=house.id_of("ann"), names=["Email Sent"]).items
    [[wire_at]] = ask("SELECT wire_at FROM broadcast_send WHERE id = %s", send_id)
    assert abs(told.occurred_at - wire_at) < timedelta(milliseconds=1)
    assert told.properties == {
        "send_id": str(send_id),
        "subject": "Hello",
        "campaign_id": campaign_id,
        "decision_id": decision,
    }
    assert not store.list_activity(profile_id=house.id_of("bob"), names=["Email Sent"]).items


def test_a_campaign_run_elsewhere_is_described_and_nothing_is_claimed(house):
    house.join("ann", "bob", "cid")
    mailing = {
        "campaign_id": "7",
        "campaign_type": "Type A",
        "medium": "post",
        "starts_on": "2026-03-01",
        "ends_on": "2026-03-31",
    }
    for user in ("ann", "bob"):
        house.send(
            {
                "type": "track",
                "event": "Campaign Received",
                "userId": user,
                "timestamp": "2026-03-01T09:00:00Z",
                "properties": mailing,
            }
        )
    for user in ("ann", "ann", "cid"):
        house.send(
            {
                "type": "track",
                "event": "Coupon Applied",
                "userId": user,
                "timestamp": "2026-03-09T09:00:00Z",
                "properties": {"campaign_id": "7"},
            }
        )
    for user, at in (
        ("ann", "2026-03-09T09:00:00Z"),
        ("ann", "2026-03-31T23:00:00Z"),
        ("bob", "2026-04-01T01:00:00Z"),
        ("cid", "2026-03-09T09:00:00Z"),
    ):
        house.send(
            {
                "type": "track",
                "event": "Order Completed",
                "userId": user,
                "timestamp": at,
                "properties": {"total": 12.5},
            }
        )
    house.send({"type": "track", "event": "Campaign Received", "userId": "ann", "properties": {}})
    (found,) = api_campaigns.list_observed_campaigns()
    assert (found.name, found.kind, found.received, found.redeemed) == (
        "Campaign 7",
        "Type A",
        2,
        2,
    )
    assert (found.buyers, found.revenue_minor, found.currency) == (1, 2500, "USD")
    assert found.began_at.isoformat() == "2026-03-01T00:00:00+00:00"
    assert found.ended_at.isoformat() == "2026-04-01T00:00:00+00:00"
    assert "No causal claim can be made" in found.verdict
    assert not {"lift", "p_value", "is_significant"} & set(type(found).__struct_fields__)
