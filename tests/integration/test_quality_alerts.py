"""Alerts about sources: raised, muted, told to webhooks, closed; and what they are made from."""

import json
import random
from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from amity.infra import config
from amity.infra.database import transaction
from amity.kernel.errors import Invalid, NotFound
from amity.store import api, api_outbound, api_plans
from amity.store.contracts_outbound import OutboundPlan
from amity.store.contracts_tracking import AlertTerms
from amity.testing.webhook_receiver import receiving

NOW = datetime.now(UTC).replace(microsecond=0)


@pytest.fixture
def shop(db):
    return api.create_source(name="Shop", kind="server").source_id


def send(source_id, *properties, at=NOW):
    raw = [
        msgspec.json.encode(
            {"type": "track", "event": "Order", "userId": "u1", "timestamp": at.isoformat()}
            | {"properties": each}
        )
        for each in properties
    ]
    api.append_events(source_id=source_id, events=raw, now=NOW)
    while api.fold_batch().events or api_plans.watch_quality(now=NOW):
        pass


def put_off(source_id, days):
    """Make what came so far have come days ago."""
    with transaction("owner") as connection:
        for table, column in (("counter", "day"), ("shape", "day"), ("quality", "hour")):
            connection.execute(
                f"UPDATE store_{table} SET {column} = {column} - %s * interval '1 day' "
                "WHERE source_id = %s",
                [days, source_id],
            )
        connection.execute(
            "UPDATE store_quality SET last_at = last_at - %s * interval '1 day'", [days]
        )


def open_rules(source_id):
    return {alert.rule: alert.words for alert in api_plans.list_alerts(source_id=source_id)}


def test_late_events_and_properties_that_became_empty_are_told(shop):
    send(shop, *[{"total": n, "note": "x"} for n in range(20)])
    put_off(shop, 5)
    send(shop, *[{"total": n, "note": None} for n in range(15)], *[{"total": 1}] * 5)
    send(shop, *[{"total": n, "note": "x"} for n in range(8)], at=NOW - timedelta(days=2))
    api_plans.judge_sources(now=NOW)
    assert open_rules(shop) == {
        "late": "29% of 28 events came over a day after they happened",
        "nulls": "note of Order is empty in 71%, before in 0%",
    }
    hours = api_plans.list_quality_hours(source_id=shop, now=NOW)
    assert (len(hours), hours[-1].events, hours[-1].late) == (24, 28, 8)
    picture = api_plans.picture_latest(source_id=shop, now=NOW)
    assert (picture.events, picture.with_user_id, picture.with_email) == (48, 48, 0)


def test_silence_of_a_week_and_more_stays_open_until_something_comes(shop):
    for _ in range(3):
        send(shop, {"total": 1})
        put_off(shop, 1)
    put_off(shop, 3)
    api_plans.judge_sources(now=NOW)
    assert open_rules(shop) == {"silent": "nothing came for 4 days; it used to come on most days"}
    put_off(shop, 40)
    api_plans.judge_sources(now=NOW)
    put_off(shop, 200)
    with transaction("owner") as connection:
        connection.execute("DELETE FROM store_quality")  # as retention does after 100 days
    api_plans.judge_sources(now=NOW)
    assert open_rules(shop) == {"silent": "nothing came for over 100 days"}
    [alert] = api_plans.list_alerts()
    send(shop, {"total": 1})
    api_plans.judge_sources(now=NOW + timedelta(minutes=5))
    assert open_rules(shop) == {}
    [closed] = api_plans.list_alerts(open_only=False)
    assert (closed.alert_id, closed.closed_why) == (alert.alert_id, "over")


def test_a_source_has_terms_of_its_own_and_can_be_muted(shop):
    send(shop, {"note": "ann@example.org"})
    api_plans.judge_sources(now=NOW)
    assert set(open_rules(shop)) == {"personal"}
    usual = api_plans.get_source_watch(source_id=shop)
    assert (usual.terms, usual.updated_by) == (AlertTerms(), "")
    about = {"source_id": shop, "by": "ann", "now": NOW}
    muted_until = NOW + timedelta(hours=1)
    api_plans.watch_source(terms=usual.terms, muted_until=muted_until, **about)
    api_plans.judge_sources(now=NOW)
    assert open_rules(shop) == {}
    assert [alert.closed_why for alert in api_plans.list_alerts(open_only=False)] == ["muted"]
    api_plans.judge_sources(now=NOW + timedelta(hours=2))
    assert set(open_rules(shop)) == {"personal"}
    calm = AlertTerms(warns_personal=False)
    held = api_plans.watch_source(terms=calm, muted_until=None, **about)
    assert (held.terms, held.updated_by, held.updated_at) == (calm, "ann", NOW)
    api_plans.judge_sources(now=NOW)
    assert open_rules(shop) == {}
    with pytest.raises(Invalid):
        api_plans.watch_source(terms=AlertTerms(most_late=2), muted_until=None, **about)
    with pytest.raises(NotFound):
        api_plans.get_source_watch(source_id=10**6)


def test_webhooks_hear_of_an_alert_once_when_it_opens_and_when_it_closes(shop):
    with receiving() as receiver, config.override(egress_allow="127.0.0.0/8"):
        names = ["Source Alert Raised", "Source Alert Closed"]
        made = {"events": names, "purpose": "", "url": receiver.url + "/ok"}
        api_outbound.create_endpoint(plan=OutboundPlan(name="ops", **made), by="test")
        other = made | {"events": ["Order"], "name": "orders"}
        api_outbound.create_endpoint(plan=OutboundPlan(**other), by="test")
        send(shop, {"note": "ann@example.org"})
        api_plans.judge_sources(now=NOW)
        api_plans.judge_sources(now=NOW + timedelta(minutes=5))
        api.update_source(source_id=shop, is_enabled=False)
        api_plans.judge_sources(now=NOW + timedelta(minutes=10))
        while api_outbound.queue_deliveries(now=NOW):
            pass
        deliverer = api_outbound.Deliverer(rng=random.Random(1))
        for _ in range(200):
            if not deliverer.turn(now=NOW).claimed and not deliverer.is_busy:
                break
        deliverer.close()
        bodies = [json.loads(each.body) for each in receiver.received]
    told = {each["type"]: each for each in bodies}
    assert sorted(each["type"] for each in bodies) == [
        "order",
        "source_alert_closed",
        "source_alert_raised",
    ]
    raised, closed = told["source_alert_raised"]["data"], told["source_alert_closed"]["data"]
    assert (raised["source_name"], raised["rule"]) == ("Shop", "personal")
    assert raised["words"] == "once personal data stood in a field not meant for it"
    assert (closed["alert_id"], closed["reason"]) == (raised["alert_id"], "off")
    assert "ann@example.org" not in str(told)
