"""Restriction of processing: what it stops, and that it lasts; deadlines; objections."""

from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from click.testing import CliRunner
from django.test import Client

from amity.cli.main import root
from amity.kernel.errors import Conflict, Invalid
from amity.store import api as store
from amity.store import api_identity, hot
from amity.store import api_requests as requests
from amity.store.contracts_requests import RequestFilter, RequestPlan
from amity.web.erasing import erase_customer
from amity.web.requests import acting

NOW = datetime.now(UTC)
PURPOSES = ("marketing.email", "profiling", "records", "sharing")


def sign_in(role):
    from amity.web.staff.models import Staff

    client = Client(SERVER_NAME="localhost")
    client.force_login(Staff.objects.create_user(f"{role}-person", role=role))
    return client


class Shop:
    def __init__(self):
        self.source_id = store.create_source(name="Shop", kind="server").source_id

    def send(self, *events):
        raw = [msgspec.json.encode(event) for event in events]
        store.append_events(source_id=self.source_id, events=raw, now=datetime.now(UTC))
        acting.settle()

    def join(self, user):
        yes = {"categoryPreferences": {"marketing.email": True, "sharing": True}}
        traits = {"email": f"{user}@x.example", "name": f"{user} Archer"}
        self.send(
            {"type": "identify", "userId": user, "traits": traits},
            {
                "type": "track",
                "userId": user,
                "event": "Segment Consent Preference Updated",
                "properties": yes,
            },
        )
        return store.find_profile(kind="user_id", value=user).profile_id


@pytest.fixture
def shop(db):
    return Shop()


def new(kind, profile_id, **more):
    plan = RequestPlan(kind=kind, came_by="call", profile_id=profile_id, **more)
    return requests.create_request(plan=plan, by="t", now=more.get("received_at") or NOW).request_id


def restrict(profile_id):
    number = new("restriction", profile_id, verified_by="document")
    acting.restrict(request_id=number, by="t", now=datetime.now(UTC))
    return number


def reasons(profile_id):
    now = datetime.now(UTC)
    return {
        store.may_use(profile_ids=[profile_id], purpose=each, now=now)[profile_id]
        for each in PURPOSES
    }


def test_a_restriction_stops_all_use_until_it_is_lifted(shop):
    ann, bob = shop.join("ann"), shop.join("bob")
    assert reasons(ann) == {""}
    number = restrict(ann)
    assert reasons(ann) == {"restricted"}
    assert reasons(bob) == {""}
    lifting = {"~restricted": True}
    shop.send(
        {
            "type": "track",
            "userId": "ann",
            "event": "Segment Consent Preference Updated",
            "properties": {"categoryPreferences": {**lifting, "marketing.email": True}},
        },
        {"type": "track", "userId": "ann", "event": "Processing Restriction Lifted"},
    )
    assert reasons(ann) == {"restricted"}, "only Amity's own word lifts it"
    store.rebuild()
    acting.settle()
    assert reasons(ann) == {"restricted"}, "it is in the log"
    acting.lift(request_id=number, reason="settled", by="t", now=datetime.now(UTC))
    assert reasons(ann) == {""}
    assert requests.get_request(request_id=number).steps[-1].what == "lifted"
    store.rebuild()
    acting.settle()
    assert reasons(ann) == {""}


def test_whoever_turns_out_to_be_the_same_is_restricted_too(shop):
    ann = shop.join("ann")
    traits = {"email": "other@x.example"}
    shop.send({"type": "identify", "anonymousId": "d1", "traits": traits})
    other = store.find_profile(kind="email", value="other@x.example").profile_id
    restrict(other)
    api_identity.merge_profiles(winner=ann, loser=other, by="t", now=datetime.now(UTC))
    acting.settle()
    kept = store.get_profile(profile_id=ann).profile_id
    assert store.get_profile(profile_id=other).profile_id == kept
    assert reasons(kept) == {"restricted"}


def test_no_page_list_or_answer_shows_more_than_that(shop):
    from amity.web.staff.api_keys import create_api_key

    ann = shop.join("ann")
    shop.join("bob")
    restrict(ann)
    client = sign_in("agent")
    for path in ("", "timeline/", "identity/", "?as_of=2026-01-01"):
        page = client.get(f"/customers/{ann}/{path}").content.decode()
        assert "Their data is only kept" in page, path
        assert "ann@x.example" not in page
        assert "ann Archer" not in page
    listed = client.get("/customers/").content.decode()
    assert "bob Archer" in listed
    assert "ann Archer" not in listed
    assert f"Restricted customer {ann}" in listed
    (row,) = [each for each in store.list_profiles().items if each.profile_id == ann]
    assert row.is_restricted
    assert (row.name, row.email, row.user_id, row.event_count) == (None, None, None, 0)
    key = create_api_key(name="k", scopes=["profiles:read"], by="t")
    api = Client(SERVER_NAME="localhost", headers={"Authorization": f"Bearer {key}"})
    for path in (f"{ann}", f"{ann}/activity", f"{ann}/identifiers", "by/user_id/ann"):
        answer = api.get(f"/api/v1/profiles/{path}")
        assert (answer.status_code, answer.json()["code"]) == (403, "restricted"), path
    bob = store.find_profile(kind="user_id", value="bob").profile_id
    key = create_api_key(name="w", scopes=["profiles:write", "consents:write"], by="t")
    api = Client(SERVER_NAME="localhost", headers={"Authorization": f"Bearer {key}"})
    asked = {
        "merges": {"winner_id": bob, "loser_id": ann, "reason": "the same"},
        f"profiles/{ann}/lift-suppression": {"channel": "email", "address_key": "0" * 64},
    }
    for path, body in asked.items():
        answer = api.post(f"/api/v1/{path}", body, content_type="application/json")
        assert (answer.status_code, answer.json()["code"]) == (403, "restricted"), path
    told = sign_in("admin").post(f"/customers/{ann}/identity/merge/", {"other": bob}, follow=True)
    assert "it is only kept" in told.content.decode()
    assert store.find_profile(kind="user_id", value="bob").profile_id == bob
    done = CliRunner().invoke(root, ["profile", "show", "user_id:ann"])
    assert done.exit_code != 0
    assert "ann@x.example" not in done.output
    assert (
        requests.create_request(
            plan=RequestPlan(kind="access", came_by="call", address="ann@x.example"),
            by="t",
            now=NOW,
        ).profile_id
        == ann
    ), "she can still ask"


def test_an_objection_is_taken_into_the_ledger(shop):
    ann = shop.join("ann")
    number = new("objection", ann, verified_by="call_back")
    acting.take_objection(request_id=number, by="t", now=datetime.now(UTC))
    store.write_consents(now=datetime.now(UTC))
    said = store.get_profile(profile_id=ann).consents
    assert {said[each].status for each in ("marketing.email", "profiling")} <= {
        *("denied", "withdrawn")
    }
    assert said["sharing"].status == "granted", "what rests on consent is taken back as such"
    from amity.store.contracts_consent import LedgerFilter

    filters = LedgerFilter(profile_id=ann, method="objection")
    records = store.list_consent_records(filters=filters).items
    assert {record.purpose for record in records} >= {"marketing.email", "profiling"}


def test_the_deadline_is_the_laws_and_can_be_extended_once_with_a_reason(shop):
    ann = shop.join("ann")
    at = datetime(2026, 1, 31, 9, tzinfo=UTC)
    for where, first, last in (
        ("gdpr", datetime(2026, 2, 28, 9, tzinfo=UTC), datetime(2026, 4, 30, 9, tzinfo=UTC)),
        ("ccpa", at + timedelta(days=45), at + timedelta(days=90)),
    ):
        kind = "access" if where == "gdpr" else "portability"
        number = new(kind, ann, received_at=at, jurisdiction=where)
        to = {"request_id": number, "by": "t"}
        assert requests.get_request(request_id=number).request.due_at == first
        with pytest.raises(Invalid):
            requests.extend_request(reason=" ", now=at, **to)
        with pytest.raises(Conflict):
            requests.extend_request(reason="late", now=first, **to)
        requests.extend_request(reason="there is much of it", now=at, **to)
        assert requests.get_request(request_id=number).request.due_at == last
        with pytest.raises(Conflict):
            requests.extend_request(reason="more", now=at, **to)
    acting.settle()
    told = store.list_activity(profile_id=ann, names=["Data Request Message Asked"]).items
    assert "there is much of it" in told[-1].properties["words"]


def test_nothing_is_carried_out_unverified_of_another_kind_or_after_its_end(shop):
    ann = shop.join("ann")
    number = new("restriction", ann)
    to = {"request_id": number, "by": "t", "now": NOW}
    for refused in (requests.restrict_processing, requests.take_objection, requests.ask_copy):
        with pytest.raises(Conflict):
            refused(**to)
    with pytest.raises(Conflict, match="open already"):
        new("restriction", ann)
    requests.refuse_request(reason="it is not hers", **to)
    for refused in (requests.restrict_processing, requests.ask_to_confirm):
        with pytest.raises(Conflict, match="closed"):
            refused(**to)
    assert reasons(ann) == {""}
    requests.note_on_request(words="called again", **to)
    acting.settle()
    names = {each.name for each in store.list_activity(profile_id=ann).items}
    assert {"Data Request Received", "Data Request Closed"} <= names


def test_a_request_of_nobody_we_know_is_matched_and_goes_with_her(shop):
    plan = RequestPlan(kind="access", came_by="mail", address="Ann@X.example", wish="all of it")
    stray = requests.create_request(plan=plan, by="t", now=NOW)
    assert (stray.profile_id, stray.address) == (None, "ann@x.example")
    second = requests.create_request(plan=plan, by="t", now=NOW).request_id
    with pytest.raises(Conflict):
        requests.verify_request(request_id=stray.request_id, how="document", by="t", now=NOW)
    ann = shop.join("ann")
    requests.match_request(request_id=stray.request_id, profile_id=ann, by="t", now=NOW)
    erase_customer(profile_id=ann, by="t", now=NOW)
    for number in (stray.request_id, second):
        left = requests.get_request(request_id=number)
        assert (left.request.address, left.request.wish, left.request.profile_id) == ("", "", None)
    assert requests.list_requests(filters=RequestFilter(state="open"), now=NOW).items == []


def test_a_link_that_was_never_pressed_is_mailed_again_after_a_day(shop):
    ann = shop.join("ann")
    point = ("email", store.contact_key(channel="email", address="ann@x.example"))
    for hours in (0, 1, 25, 26, 50):
        at = NOW + timedelta(hours=hours)
        hot.ask_for(profile_id=ann, point=point, kind="access", wish="", now=at)
    hot.ask_for(profile_id=ann, point=("email", "x"), kind="erasure", wish="", now=NOW)
    acting.settle()
    [asked] = requests.list_requests(filters=RequestFilter(), now=NOW).items
    assert asked.kind == "access"
    told = store.list_activity(profile_id=ann, names=["Data Request Message Asked"]).items
    assert len(told) == 3
