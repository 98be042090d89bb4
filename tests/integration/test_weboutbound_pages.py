"""The screens of webhooks, through Django's client, on a real database and a real receiver."""

import random
import re
from datetime import UTC, datetime

import msgspec
import pytest
from django.test import Client
from standardwebhooks import Webhook

from amity.infra import config
from amity.store import api as store
from amity.store import api_outbound
from amity.testing.webhook_receiver import receiving


@pytest.fixture(scope="module")
def receiver():
    with receiving() as server, config.override(egress_allow="127.0.0.0/8"):
        yield server


def sign_in(role):
    from amity.web.staff.models import Staff

    client = Client(SERVER_NAME="localhost")
    client.force_login(Staff.objects.create_user(f"{role}-person", role=role))
    session = client.session
    session["confirmed_at"] = datetime.now(UTC).isoformat()
    session.save()
    return client


@pytest.fixture
def admin(db, receiver):
    receiver.received.clear()
    return sign_in("admin")


def text_of(page):
    return re.sub(r"\s+", " ", page.content.decode())


def form(receiver, **other):
    given = {
        "name": "Warehouse",
        "url": f"{receiver.url}/ok",
        "which": "named",
        "events": "Order Completed\nSegment Entered",
        "personal": "yes",
        "purpose": "sharing",
        "format": "standard_webhooks",
    }
    return given | other


def test_a_webhook_is_made_tried_told_rotated_paused_and_deleted(admin, receiver):
    assert "Nobody is told yet" in text_of(admin.get("/outbound/"))
    answer = admin.post("/outbound/new/", form(receiver))
    secret = re.search(r"whsec_[\w+/=]+", answer.content.decode()).group()
    assert answer["Cache-Control"] == "no-store"
    (made,) = api_outbound.list_endpoints()
    at = f"/outbound/{made.endpoint_id}/"
    assert secret not in text_of(admin.get(at))

    assert "A test event was taken" in text_of(admin.post(f"{at}try/", follow=True))
    Webhook(secret).verify(receiver.received[0].body, receiver.received[0].headers)

    second = re.search(r"whsec_[\w+/=]+", admin.post(f"{at}rotate/").content.decode()).group()
    assert second != secret
    assert "both secrets sign" in text_of(admin.get(at))

    assert "is paused" in text_of(admin.post(f"{at}state/", {"state": "paused"}, follow=True))
    admin.post(f"{at}edit/", form(receiver, name="Depot", which="every", personal="no"))
    held = api_outbound.get_endpoint(endpoint_id=made.endpoint_id)
    assert (held.name, held.events, held.purpose) == ("Depot", ["*"], "")

    admin.post(f"{at}delete/", {"confirm": "Warehouse"})
    assert api_outbound.list_endpoints()
    admin.post(f"{at}delete/", {"confirm": "Depot"})
    assert api_outbound.list_endpoints() == []


def test_deliveries_are_shown_filtered_and_sent_again(admin, receiver):
    admin.post("/outbound/new/", form(receiver, url=f"{receiver.url}/500/", personal="no"))
    (made,) = api_outbound.list_endpoints()
    source = store.create_source(name="Shop", kind="server").source_id
    body = msgspec.json.encode({"type": "track", "userId": "u1", "event": "Order Completed"})
    store.append_events(source_id=source, events=[body], now=datetime.now(UTC))
    store.fold_batch()
    api_outbound.queue_deliveries(now=datetime.now(UTC))
    deliverer = api_outbound.Deliverer(rng=random.Random(1))
    deliverer.turn(now=datetime.now(UTC))
    deliverer.close()
    at = f"/outbound/{made.endpoint_id}/"
    shown = text_of(admin.get(at))
    assert "the other side answered 500" in shown
    assert "thank you" in shown
    assert "Nothing here with this filter" in text_of(admin.get(f"{at}?state=delivered"))
    assert "Order Completed" in text_of(admin.get(f"{at}?state=waiting&name=Order Completed"))
    assert "1 goes out again now" in text_of(admin.post(f"{at}replay/", follow=True))
    analyst = sign_in("analyst")
    seen = text_of(analyst.get(at))
    assert "thank you" not in seen
    assert "Replace" not in seen


def test_what_was_typed_stays_when_it_is_refused(admin, receiver):
    answer = admin.post("/outbound/new/", form(receiver, url="https://10.0.0.7/hook"))
    assert answer.status_code == 422
    assert "AMITY_EGRESS_ALLOW" in text_of(answer)
    assert "https://10.0.0.7/hook" in text_of(answer)
    assert api_outbound.list_endpoints() == []


def test_only_who_may_manages_webhooks(admin, receiver):
    admin.post("/outbound/new/", form(receiver))
    (made,) = api_outbound.list_endpoints()
    analyst, viewer = sign_in("analyst"), sign_in("viewer")
    assert analyst.get("/outbound/").status_code == 200
    assert viewer.get("/outbound/").status_code == 403
    for path in ("new/", *(f"{made.endpoint_id}/{act}/" for act in ("rotate", "try", "delete"))):
        assert analyst.post(f"/outbound/{path}").status_code == 403
