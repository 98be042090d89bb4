"""The tracking plan's and the alerts' pages, through Django's client, on a real database."""

from datetime import UTC, datetime

import msgspec
from django.test import Client

from amity.store import api as store
from amity.store import api_plans
from amity.store.contracts_tracking import PlanField

NOW = datetime.now(UTC)


def live(about):
    [plan] = api_plans.list_plans()
    return about | {"plan_id": plan.plan_id}


def test_an_event_is_pinned_changed_restored_and_its_alert_acknowledged(db):
    from amity.web.staff.models import Staff

    admin = Client(SERVER_NAME="localhost")
    admin.force_login(Staff.objects.create_user("ann", role="admin"))
    assert "No event came yet" in admin.get("/tracking/").content.decode()
    assert "Nothing is wrong" in admin.get("/alerts/").content.decode()
    source = store.create_source(name="Shop", kind="server").source_id
    event = {"type": "track", "event": "Order Completed", "userId": "u"}
    good = [msgspec.json.encode(event | {"properties": {"total": n}}) for n in range(20)]
    store.append_events(source_id=source, events=good, now=NOW)
    while store.fold_batch().events or api_plans.watch_quality(now=NOW):
        pass
    assert "not pinned" in admin.get("/tracking/").content.decode()
    address = "/tracking/event/?type=track&name=Order+Completed"
    change = "/tracking/field/"
    about = {"type": "track", "name": "Order Completed"}
    answer = admin.post("/tracking/pin/", about | {"policy": "pass", "do": "infer"})
    assert answer["Location"] == address
    first = live(about)
    admin.post("/tracking/pin/", first | {"policy": "quarantine", "do": "keep"})
    page = admin.get(address).content.decode()
    assert "pass became quarantine" in page
    assert "required" in page
    stale = admin.post("/tracking/pin/", first | {"policy": "cut", "do": "keep"}, follow=True)
    assert "another version is pinned by now" in stale.content.decode()
    form = admin.get(change, about | {"was": "total"}).content.decode()
    assert 'name="is_required" value="yes" checked' in form
    typed = live(about) | {"was": "", "path": "status", "types": ["string"], "policy": "cut"}
    wrong = admin.post(change, typed | {"types": ["number"], "allowed": "paid\nopen"})
    assert (wrong.status_code, "is no number" in wrong.content.decode()) == (422, True)
    assert "paid\nopen" in wrong.content.decode(), "what was typed stays"
    saved = admin.post(change, typed | {"allowed": "paid\nopen", "description": "of payment"})
    assert saved["Location"] == address
    [plan] = api_plans.list_plans()
    status = PlanField(
        path="status",
        types=["string"],
        allowed=["paid", "open"],
        policy="cut",
        description="of payment",
    )
    assert plan.fields[-1] == status
    again = admin.post(change, typed | {"allowed": "paid"}, follow=True)
    assert "Another version is pinned by now" in again.content.decode()
    page = admin.get(address).content.decode()
    assert "status was added" in page
    assert "one of paid, open" in page
    admin.post(change, live(about) | {"was": "status", "do": "drop"})
    assert [field.path for field in api_plans.list_plans()[0].fields] == ["total"]
    bad = [msgspec.json.encode(event | {"properties": {"total": f"x{n}"}}) for n in range(9)]
    assert store.append_events(source_id=source, events=bad, now=NOW).quarantined == 9
    first = api_plans.list_plans(live_only=False)[-1]
    admin.post(f"/tracking/{first.plan_id}/restore/")
    assert [plan.policy for plan in api_plans.list_plans()] == ["pass"]
    admin.post("/tracking/unpin/", about)
    assert api_plans.list_plans() == []
    api_plans.judge_sources(now=NOW)
    [alert] = api_plans.list_alerts()
    assert alert.words in admin.get("/alerts/").content.decode()
    admin.post(f"/alerts/{alert.alert_id}/acknowledge/")
    assert "looked after by ann" in admin.get("/alerts/").content.decode()
    assert alert.words in admin.get("/alerts/?show=acknowledged").content.decode()
    assert "Nothing is wrong" in admin.get("/alerts/?source=999").content.decode()
    for place in ("/", "/sources/", f"/sources/{source}/", f"/sources/{source}/health/"):
        assert alert.words in admin.get(place).content.decode(), place
    viewer = Client(SERVER_NAME="localhost")
    viewer.force_login(Staff.objects.create_user("vic", role="viewer"))
    assert viewer.post("/tracking/unpin/", about).status_code == 403
