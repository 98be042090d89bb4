"""Plans are inferred, pinned and enforced; what sources send is counted and judged."""

from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from amity.infra.database import transaction
from amity.kernel.errors import Invalid, NotFound
from amity.store import api, api_plans
from amity.store.contracts_tracking import PlanDraft, PlanField
from amity.store.logic.plans.personal_data import iter_warnings

NOW = datetime.now(UTC).replace(microsecond=0)


@pytest.fixture
def shop(db):
    return api.create_source(name="Shop", kind="server").source_id


def order(number, **properties):
    return {
        "type": "track",
        "event": "Order Completed",
        "userId": "u1",
        "messageId": f"m{number}",
        "properties": {"order_id": f"o{number}", "total": 10 + number, **properties},
    }


def send(source_id, *events):
    raw = [msgspec.json.encode(event) for event in events]
    receipt = api.append_events(source_id=source_id, events=raw, now=NOW)
    while api.fold_batch().events or api_plans.watch_quality(now=NOW):
        pass
    return receipt


def pin(policy, *fields, **more):
    draft = PlanDraft(
        type="track", name="Order Completed", policy=policy, fields=list(fields), **more
    )
    return api_plans.pin_plan(plan=draft, by="test", now=NOW)


def activities():
    found = api.find_profile(kind="user_id", value="u1")
    return api.list_activity(profile_id=found.profile_id).items


TOTAL = PlanField(path="total", types=["number"], is_required=True)


def test_a_schema_is_inferred_and_becomes_a_plan_in_one_step(shop):
    lines = [{"sku": "a", "price": 2.5}, {"sku": "b", "price": None}]
    send(shop, *(order(number, products=lines, note=None) for number in range(20)))
    shape = {each.path: each for each in api_plans.get_shape(type="track", name="Order Completed")}
    assert shape[""].seen == 20
    assert (shape["total"].least, shape["total"].most) == (10, 29)
    assert shape["products[].price"].types == {"number": 20}
    assert (shape["note"].filled_rate, shape["total"].filled_rate) == (0, 1)
    assert [each.events for each in api_plans.list_shapes()] == [20]
    draft = api_plans.infer_plan(type="track", name="Order Completed")
    fields = {each.path: each for each in draft.fields}
    assert fields["total"].is_required
    assert not fields["note"].is_required
    plan = api_plans.pin_plan(plan=draft, by="test", now=NOW)
    assert (plan.version, plan.is_live, api_plans.list_plans()) == (1, True, [plan])
    with pytest.raises(NotFound):
        api_plans.infer_plan(type="track", name="Never Sent")


def test_what_is_against_a_plan_is_counted_and_passed(shop):
    pin("pass", TOTAL, PlanField(path="currency", allowed=["EUR"]))
    send(shop, order(1, total="ten"), order(2, currency="USD"), order(3, currency="EUR"))
    found = {(each.path, each.kind): each.seen for each in api_plans.list_findings(source_id=shop)}
    assert found == {("total", "wrong_type"): 1, ("currency", "not_allowed"): 1}
    assert len(activities()) == 3
    [day] = api_plans.list_quality(source_id=shop, now=NOW)
    assert (day.received, day.violating, day.warnings) == (3, 2, 0)


def test_what_is_against_it_is_left_out_and_a_rebuild_gives_the_same(shop):
    pin("cut", TOTAL, PlanField(path="items[].price", types=["number"]), allows_unknown=False)
    send(shop, order(1, order_id=None, items=[{"price": "x"}, {"price": 2}]))
    [one] = activities()
    assert one.properties == {"total": 11, "items": [{}, {}]}
    assert one.context["amity"]["plan"] == 1
    [held] = api.list_received(source_id=shop)
    assert b'"x"' in held.body
    api_plans.unpin_plan(type="track", name="Order Completed")
    before = activities()
    api.rebuild()
    assert activities() == before


def test_what_is_against_it_waits_in_quarantine_until_the_plan_changes(shop):
    pin("quarantine", TOTAL)
    receipt = send(shop, order(1, total="ten"), order(2))
    assert (receipt.accepted, receipt.quarantined) == (1, 1)
    assert receipt.errors[0].code == "against_plan"
    assert "total: wrong_type" in receipt.errors[0].message
    assert api.replay_quarantine(quarantine_ids=None).quarantined == 1
    api_plans.unpin_plan(type="track", name="Order Completed")
    assert api.replay_quarantine(quarantine_ids=None).accepted == 1


def test_a_retry_after_the_plan_changed_is_still_the_same_event(shop):
    send(shop, order(1, total="ten"))
    pin("pass", TOTAL)
    assert send(shop, order(1, total="ten")).duplicate == 1


def test_versions_can_be_compared_and_brought_back(shop):
    one = pin("pass", TOTAL)
    two = pin("cut", msgspec.structs.replace(TOTAL, types=["string"]), PlanField(path="tax"))
    assert (two.version, [plan.version for plan in api_plans.list_plans()]) == (2, [2])
    assert api_plans.compare_plans(one, two) == [
        "tax was added",
        "total: type was number, is string",
        "what is against it: pass became cut",
    ]
    three = api_plans.restore_plan(plan_id=one.plan_id, by="test", now=NOW)
    assert (three.version, three.fields) == (3, one.fields)
    every = api_plans.list_plans(name="Order Completed", live_only=False)
    assert [(plan.version, plan.is_live) for plan in every] == [(3, True), (2, False), (1, False)]


def test_the_plan_of_a_source_goes_before_that_of_all(shop):
    pin("quarantine", TOTAL)
    pin("pass", TOTAL, source_id=shop)
    assert send(shop, order(1, total="ten")).accepted == 1


@pytest.mark.parametrize(
    "draft",
    [
        PlanDraft(type="track"),
        PlanDraft(type="page", name="x"),
        PlanDraft(type="alias"),
        PlanDraft(type="track", name="x", source_id=1),
        PlanDraft(type="track", name="x", fields=[TOTAL, TOTAL]),
    ],
)
def test_a_plan_that_makes_no_sense_is_refused(draft):
    with pytest.raises(Invalid):
        api_plans.pin_plan(plan=draft, by="test", now=NOW)


def test_personal_data_in_the_wrong_place_is_counted_without_its_value(shop):
    send(
        shop,
        order(1, note="write to ann@example.org", email="ann@example.org", card="4111111111111111")
        | {"context": {"page": {"url": "https://shop.example/?u=ann%40example.org"}}},
        order(2, **{"ann@example.org": 1}),
    )
    found = {(each.path, each.kind) for each in api_plans.list_findings(source_id=shop)}
    assert found == {
        ("note", "email"),
        ("context.page.url", "email"),
        ("properties.card", "card"),
        ("(a name of a property)", "email"),
    }
    with transaction() as connection:
        for table in ("store_shape", "store_finding"):
            rows = connection.execute(f"SELECT t::text FROM {table} t").fetchall()
            assert rows
            assert not any("example.org" in row[0] for row in rows)


@pytest.mark.parametrize(
    "value", ["o-100200300", "2026-01-02T10:00:00Z", "4006381333931", "a@b", "12345678A", "+1"]
)
def test_what_only_looks_personal_is_no_warning(value):
    assert not list(iter_warnings({"order_id": value}, {}))


@pytest.mark.parametrize(
    ("value", "kind"),
    [("+49 4131 223344", "phone"), ("123-45-6789", "national_id"), ("12345678Z", "national_id")],
)
def test_what_is_personal_is_told_by_its_form(value, kind):
    assert list(iter_warnings({"note": value}, {})) == [("note", kind)]
    assert not list(iter_warnings({"phone": "+49 4131 223344", "tax_id": "12345678Z"}, {}))


def test_an_alert_opens_is_acknowledged_and_closes(shop):
    pin("pass", TOTAL)
    send(shop, *(order(number, total="ten") for number in range(20)))
    assert api_plans.judge_sources(now=NOW) == 1
    [alert] = api_plans.list_alerts()
    assert (alert.rule, alert.words) == ("violations", "100% of 20 events are against their plan")
    assert api_plans.judge_sources(now=NOW + timedelta(minutes=5)) == 1
    assert api_plans.count_alerts() == 1
    api_plans.acknowledge_alert(alert_id=alert.alert_id, by="ann", now=NOW)
    assert api_plans.count_alerts() == 0
    api_plans.judge_sources(now=NOW + timedelta(days=3))
    assert not [each for each in api_plans.list_alerts() if each.rule == "violations"]
    [closed] = [
        each for each in api_plans.list_alerts(open_only=False) if each.rule == "violations"
    ]
    assert (closed.acknowledged_by, closed.closed_at) == ("ann", NOW + timedelta(days=3))
    [rate] = api_plans.list_fill_rates(source_id=shop, now=NOW)
    assert (rate.path, rate.null_rate) == ("total", 0)
