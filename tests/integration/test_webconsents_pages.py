"""The consents' screens: the ledger, a record, purposes and their words, the receipt."""

import base64
from datetime import UTC, datetime

import msgspec
import pytest
from django.test import Client

from amity.infra import signing
from amity.store import api
from amity.store.contracts_consent import ConsentReceipt
from amity.store.logic.consent.reading import message_of

NOW = datetime.now(UTC)


def client(role):
    from amity.web.staff.models import Staff

    visitor = Client(SERVER_NAME="localhost")
    visitor.force_login(Staff.objects.create_user(f"{role}-person", role=role))
    return visitor


@pytest.fixture
def said(db):
    shop = api.create_source(name="Shop", kind="server").source_id
    event = {
        "type": "track",
        "userId": "u1",
        "event": "Segment Consent Preference Updated",
        "properties": {
            "categoryPreferences": {"marketing.email": True, "profiling": False},
            "method": "form",
            "notice": "marketing.email@1",
            "form_id": "footer-7",
        },
    }
    api.append_events(source_id=shop, events=[msgspec.json.encode(event)], now=NOW)
    while api.fold_batch().events:
        pass
    while api.write_consents(now=NOW):
        pass
    return api.find_profile(kind="user_id", value="u1").profile_id


def test_the_ledger_is_listed_filtered_and_verified(said):
    viewer = client("viewer")
    page = viewer.get("/consents/").content.decode()
    assert "2 records" in page
    assert page.count('data-label="Purpose"') == 2
    narrow = viewer.get("/consents/?purpose=profiling&status=denied&method=form").content.decode()
    assert narrow.count('data-label="Purpose"') == 1
    assert "No record with this filter" in viewer.get("/consents/?status=expired").content.decode()
    assert "Whole: 2 records" in viewer.post("/consents/verify/").content.decode()
    assert viewer.get(f"/consents/?customer={said}").status_code == 200


def test_a_record_shows_the_words_and_the_evidence(said):
    page = client("viewer").get("/consents/1/").content.decode()
    assert "We write to you at this address" in page
    assert "footer-7" in page
    assert client("agent").get("/consents/99/").status_code == 404


def test_a_receipt_is_signed_and_names_nobody(said):
    answer = client("agent").get(f"/customers/{said}/receipt/")
    receipt = msgspec.json.decode(answer.content, type=ConsentReceipt)
    assert [(one["purpose"], one["status"]) for one in receipt.records] == [
        ("profiling", "denied"),
        ("marketing.email", "given"),
    ]
    assert signing.is_signed(message_of(receipt), base64.b64decode(receipt.signature))
    forged = msgspec.structs.replace(receipt, pii_principal="x")
    assert not signing.is_signed(message_of(forged), base64.b64decode(receipt.signature))


def test_a_purpose_is_changed_with_a_new_version_of_its_words(said):
    admin = client("admin")
    form = {
        "title": "news by e-mail",
        "covers": "We write about news.",
        "basis": "consent",
        "needs_consent": "yes",
        "expiry_months": "24",
        "channels": ["email"],
        "place": "10",
    }
    assert admin.post("/purposes/marketing.email/", form).status_code == 302
    page = admin.get("/purposes/").content.decode()
    assert "24 months" in page
    assert "version 2" in page
    assert [one.version for one in api.list_notices(key="marketing.email")] == [2, 1]
    refused = admin.post("/purposes/marketing.email/", {**form, "needs_consent": ""})
    assert refused.status_code == 422
    assert "needs consent" in refused.content.decode()


def test_only_admins_change_purposes(said):
    assert client("marketer").get("/purposes/new/").status_code == 403
    assert client("viewer").get("/purposes/").status_code == 200
