"""Pinned plans at the collector's door: pass, cut, quarantine, replay, and a rebuild after it."""

import asyncio
import random
from datetime import UTC, datetime

import msgspec
import pytest

from amity.infra.config import settings
from amity.store import api, api_plans
from amity.store.contracts_tracking import PlanDraft, PlanField, PlanRevision
from amity.store.hot import BATCH, Collector, Incoming, Request

TOTAL = PlanField(path="total", types=["number"], is_required=True)
CODE = PlanField(path="code", allowed=["a", "b"])


@pytest.fixture
def shop(db):
    return api.create_source(name="Shop", kind="server")


def now():
    return datetime.now(UTC)


def order(number, **properties):
    return msgspec.json.encode(
        {
            "type": "track",
            "event": "Order Completed",
            "userId": "u1",
            "messageId": f"m{number}",
            "timestamp": f"2026-01-01T10:00:{number:02}Z",
            "properties": {"order_id": f"o{number}"} | properties,
        }
    )


def collect(source, *events):
    """Give events to a collector that has just begun, as one request; fold what it stored."""

    async def turn():
        collector = Collector(settings(), random.Random(1))
        await collector.open()
        try:
            request = Request(events=list(events), write_key=source.write_key, sent_at=None)
            return await collector.append(source, request, Incoming(kind=BATCH))
        finally:
            await collector.close()

    receipt = asyncio.run(turn())
    fold()
    return receipt


def fold():
    while api.fold_batch().events or api_plans.watch_quality(now=now()):
        pass


def activities():
    found = api.find_profile(kind="user_id", value="u1")
    return sorted(
        api.list_activity(profile_id=found.profile_id).items, key=lambda each: each.occurred_at
    )


def pin(policy, *fields):
    draft = PlanDraft(type="track", name="Order Completed", policy=policy, fields=list(fields))
    return api_plans.pin_plan(plan=draft, by="test", now=now())


def test_each_property_may_be_dealt_with_in_its_own_way(shop):
    plan = pin(
        "pass",
        msgspec.structs.replace(TOTAL, policy="quarantine"),
        msgspec.structs.replace(CODE, policy="cut"),
        PlanField(path="note", max_length=3),
    )
    receipt = collect(
        shop,
        order(1, total=5, code="a", note="abc"),
        order(2, total=5, code="zz", note="too long"),
        order(3, total="five", code="zz"),
        order(4, code="a"),
    )
    assert (receipt.accepted, receipt.quarantined) == (2, 2)
    assert [error.index for error in receipt.errors] == [2, 3]
    good, cut = activities()
    assert "amity" not in good.context
    assert cut.properties == {"order_id": "o2", "total": 5, "note": "too long"}
    assert cut.context["amity"] == {
        "plan": 1,
        "plan_id": plan.plan_id,
        "violations": {"code": "not_allowed", "note": "too_long"},
        "left_out": ["code"],
    }
    waiting = {each.detail for each in api.list_quarantine().items}
    assert waiting == {
        "Order Completed: total: wrong_type, code: not_allowed",
        "Order Completed: total: missing",
    }
    assert all(b"amity" not in each.raw for each in api.list_quarantine().items)
    [day] = api_plans.list_quality(source_id=shop.source_id, now=now())
    assert (day.received, day.stored, day.quarantined, day.violating) == (4, 2, 2, 3)


def test_what_waited_is_judged_by_the_mended_plan_and_a_rebuild_gives_the_same(shop):
    plan = pin("quarantine", TOTAL, CODE)
    first = collect(shop, order(1, total="7.5", code="a"), order(2, total=2, code="c"))
    assert (first.accepted, first.quarantined) == (0, 2)
    assert api.replay_quarantine(quarantine_ids=None).quarantined == 2
    mended = [
        msgspec.structs.replace(TOTAL, types=["number", "string"]),
        msgspec.structs.replace(CODE, policy="cut"),
    ]
    revision = PlanRevision(fields=mended)
    made = api_plans.revise_plan(plan_id=plan.plan_id, revision=revision, by="ann", now=now())
    assert (made.version, made.policy, made.made_by) == (2, "quarantine", "ann")
    again = api.replay_quarantine(quarantine_ids=None)
    assert (again.accepted, again.quarantined) == (2, 0)
    fold()
    one, two = activities()
    assert one.properties["total"] == "7.5"
    assert "amity" not in one.context
    assert "code" not in two.properties
    assert two.context["amity"]["plan"] == 2
    before = activities()
    api_plans.unpin_plan(type="track", name="Order Completed")
    api.rebuild()
    fold()
    assert activities() == before
    assert collect(shop, order(2, total=2, code="c")).duplicate == 1, "the sender's retry"


def test_an_unknown_address_of_identify_waits_too(shop):
    email = PlanField(path="email", format="email", is_required=True)
    draft = PlanDraft(type="identify", policy="quarantine", fields=[email])
    api_plans.pin_plan(plan=draft, by="test", now=now())
    good = {"type": "identify", "userId": "u1", "traits": {"email": "ann@x.example"}}
    bad = good | {"traits": {"email": "nobody"}, "userId": "u2"}
    receipt = collect(shop, *(msgspec.json.encode(each) for each in (good, bad)))
    assert (receipt.accepted, receipt.quarantined) == (1, 1)
    assert "email: bad_format" in receipt.errors[0].message
