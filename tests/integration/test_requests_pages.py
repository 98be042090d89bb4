"""The screens of data requests, the control API and the command, on a real database."""

import json
import re
import zipfile
from datetime import UTC, datetime, timedelta
from io import BytesIO

import msgspec
import pytest
from click.testing import CliRunner
from django.test import Client

from amity.cli.main import root
from amity.store import api as store
from amity.store import api_requests as requests
from amity.store.contracts_requests import RequestPlan
from amity.web.requests import copying

NOW = datetime.now(UTC)


def sign_in(role):
    from amity.web.staff.models import Staff

    client = Client(SERVER_NAME="localhost")
    client.force_login(Staff.objects.create_user(f"{role}-person", role=role))
    session = client.session
    session["confirmed_at"] = datetime.now(UTC).isoformat()
    session.save()
    return client


def text_of(page):
    return re.sub(r"\s+", " ", page.content.decode())


@pytest.fixture
def ann(db):
    source_id = store.create_source(name="Shop", kind="server").source_id
    event = {
        "type": "identify",
        "userId": "ann",
        "traits": {"email": "ann@x.example", "name": "Ann Archer", "city": "Rome"},
    }
    store.append_events(source_id=source_id, events=[msgspec.json.encode(event)], now=NOW)
    store.fold_batch()
    return store.find_profile(kind="user_id", value="ann").profile_id


def new(kind, profile_id, **more):
    plan = RequestPlan(kind=kind, came_by="call", profile_id=profile_id, **more)
    return requests.create_request(plan=plan, by="t", now=NOW).request_id


def test_staff_take_a_request_down_and_carry_it_out(ann):
    agent, admin = sign_in("agent"), sign_in("admin")
    assert "Nobody has asked yet" in text_of(agent.get("/requests/"))
    given = {"kind": "access", "customer": "nobody", "came_by": "call", "jurisdiction": "gdpr"}
    assert "neither an e-mail address" in text_of(agent.post("/requests/new/", given))
    assert agent.post("/requests/new/", given).status_code == 422
    answer = agent.post("/requests/new/", {**given, "customer": "ANN@x.example"})
    page = text_of(agent.get(answer["Location"]))
    assert "Nothing is carried out before somebody has shown" in page
    assert "Make the copy" not in page
    act = f"{answer['Location']}act/"
    told = text_of(agent.post(act, {"action": "copy"}, follow=True))
    assert "Nobody has shown yet that the data is theirs" in told
    assert "It can be carried out now" in text_of(
        agent.post(act, {"action": "verify", "how": "call_back"}, follow=True)
    )
    assert "The copy is being made" in text_of(agent.post(act, {"action": "copy"}, follow=True))
    copying.make_copies(now=NOW)
    page = text_of(admin.get(answer["Location"]))
    assert "Mail them the link" in page
    file = admin.post(f"{answer['Location']}copy/")
    assert file["Cache-Control"] == "no-store"
    names = zipfile.ZipFile(BytesIO(b"".join(file.streaming_content))).namelist()
    assert {"index.html", "data.json", "consent-receipt.json"} <= set(names)
    assert agent.post(f"{answer['Location']}copy/").status_code == 403
    assert agent.get(f"{answer['Location']}copy/").status_code == 405
    done = text_of(
        agent.post(act, {"action": "finish", "words": "handed over at the desk"}, follow=True)
    )
    assert "handed over at the desk" in done
    assert "Copy fetched" in done
    assert sign_in("viewer").get("/requests/").status_code == 403


def test_the_list_is_filtered_searched_and_says_what_presses(ann):
    agent = sign_in("agent")
    late = new("access", ann, received_at=NOW - timedelta(days=40))
    soon = new("objection", ann, received_at=NOW - timedelta(days=26))
    plan = RequestPlan(kind="erasure", came_by="mail", address="who@y.example")
    other = requests.create_request(plan=plan, by="t", now=NOW).request_id
    page = text_of(agent.get("/requests/"))
    assert "3 open, 1 overdue, 1 due within a week" in page
    assert page.index(f"Access {late}") < page.index(f"Objection {soon}")

    def shown(query):
        return set(re.findall(r'class="whole" href="/requests/(\d+)/"', text_of(agent.get(query))))

    assert shown("/requests/?due=overdue") == {str(late)}
    assert shown("/requests/?due=soon") == {str(late), str(soon)}
    assert shown("/requests/?kind=erasure") == {str(other)}
    assert shown("/requests/?state=done") == set()
    assert shown("/requests/?q=Archer") == {str(late), str(soon)}
    assert shown("/requests/?q=who@y") == {str(other)}
    assert shown(f"/requests/?q={other}") == {str(other)}
    assert shown(f"/requests/?customer={ann}") == {str(late), str(soon)}
    assert "No such request" in text_of(agent.get("/requests/?q=zzz"))


def test_an_erasure_needs_its_number_and_leaves_a_record_without_her(ann):
    agent, admin = sign_in("agent"), sign_in("admin")
    number = new("erasure", ann, verified_by="document", wish="Ann Archer wants out")
    erase = f"/requests/{number}/erase/"
    assert agent.post(erase, {"confirm": number}).status_code == 403
    assert "Nothing was erased" in text_of(admin.post(erase, {"confirm": "x"}, follow=True))
    page = text_of(admin.post(erase, {"confirm": number}, follow=True))
    assert "Erased for good" in page
    assert "Archer" not in page
    assert "ann@x.example" not in page
    assert store.find_profile(kind="user_id", value="ann") is None
    held = requests.get_request(request_id=number).request
    assert str(store.get_receipt(receipt_id=held.receipt_id).receipt_id) == held.receipt_id


def test_the_control_api_writes_down_and_carries_out(ann):
    from amity.web.staff.api_keys import create_api_key

    key = create_api_key(name="k", scopes=["requests:read", "requests:write"], by="t")
    client = Client(SERVER_NAME="localhost", headers={"Authorization": f"Bearer {key}"})

    def post(path, body):
        return client.post(f"/api/v1{path}", json.dumps(body), content_type="application/json")

    made = post("/requests", {"kind": "rectification", "address": "ann@x.example"})
    assert made.status_code == 201
    number = made.json()["request_id"]
    assert post("/requests", {"kind": "rectification", "profile_id": ann}).status_code == 409
    act = f"/requests/{number}/act"
    todo = {"action": "correct", "traits": {"city": "Milan"}}
    assert post(act, todo).status_code == 409
    assert post(act, {"action": "verify"}).status_code == 422
    assert post(act, {"action": "verify", "how": "document"}).json()["request"]["state"] == (
        "in_progress"
    )
    whole = post(act, todo).json()
    assert [step["what"] for step in whole["steps"]] == [
        *("received", "verified", "corrected", "done")
    ]
    assert store.get_profile(profile_id=ann).traits["city"] == "Milan"
    while store.follow(now=datetime.now(UTC)):
        pass
    claims = {one.trait: one for one in store.list_claims(profile_id=ann, now=NOW)}
    assert {claim.value for claim in claims["city"].claims} == {"Rome", "Milan"}
    assert client.get("/api/v1/requests?state=open").json()["items"] == []
    assert post(act, {"action": "erase"}).status_code == 403


def test_the_command_lists_shows_and_writes_a_copy(ann, tmp_path):
    number = new("portability", ann, verified_by="signed_in")

    def run(*arguments):
        done = CliRunner().invoke(root, ["request", *arguments])
        assert done.exit_code == 0, done.output
        return done.output

    assert "portability" in run("list")
    assert json.loads(run("list", "--json"))["items"][0]["request_id"] == number
    out = tmp_path / "copy.zip"
    told = json.loads(run("export", str(number), "--out", str(out), "--json"))
    assert out.stat().st_size == told["bytes"]
    assert out.stat().st_mode & 0o077 == 0
    assert "copy_fetched" in run("show", str(number))
