"""The control API about doors: webhooks, exports, mailboxes, enrichments, pulls, secrets, rules."""

import json
import sqlite3
from datetime import UTC, datetime

import msgspec
import pytest
from django.test import Client

from amity.analysis import api as analysis
from amity.infra import config
from amity.infra.database import transaction
from amity.store import api as store
from amity.store.logic.pulling.sqlite import databases_folder
from amity.testing.webhook_receiver import receiving


class Api:
    """A caller with a key: answers as JSON, each checked for its status."""

    def __init__(self, *scopes):
        from amity.web.staff import api_keys

        key = api_keys.create_api_key(name="t", scopes=scopes or ("*",), by="test")
        self.client = Client(SERVER_NAME="localhost", headers={"Authorization": f"Bearer {key}"})

    def ask(self, method, path, body=None, status=200, **headers):
        data = b"" if body is None else json.dumps(body).encode()
        names = {name.replace("_", "-"): value for name, value in headers.items()}
        answer = self.client.generic(
            method, f"/api/v1{path}", data, content_type="application/json", headers=names
        )
        assert answer.status_code == status, answer.content
        self.headers = answer.headers
        return json.loads(answer.content) if answer.content else None

    def change(self, path, body, status=200):
        """Change what is there as it was just read."""
        self.ask("GET", path)
        return self.ask("PATCH", path, body, status, If_Match=self.headers["ETag"])


@pytest.fixture
def api(db):
    return Api()


@pytest.fixture
def receiver():
    with receiving() as running, config.override(egress_allow="127.0.0.0/8"):
        yield running


@pytest.fixture
def source_id(db):
    return store.create_source(name="Shop", kind="server").source_id


def test_a_webhook_is_made_changed_tried_and_deleted(api, receiver):
    wanted = {"name": "Stock", "url": f"{receiver.url}/ok", "events": ["Order Completed"]}
    made = api.ask("POST", "/webhooks", wanted, 201, Idempotency_Key="w1")
    place = f"/webhooks/{made['webhook']['endpoint_id']}"
    assert api.headers["Location"] == f"/api/v1{place}"
    assert made["secret"].startswith("whsec_")
    assert api.ask("POST", "/webhooks", wanted, 201, Idempotency_Key="w1") == made
    with transaction() as connection:
        kept = connection.execute("SELECT content FROM staff_reply").fetchone()[0]
    assert b"whsec_" not in kept, "an answer kept to be given again holds no secret in clear"
    assert api.ask("POST", "/webhooks", wanted, 409)["code"] == "endpoint_exists"
    api.ask("PATCH", place, {"name": "x"}, 428)
    old = api.ask("GET", place)
    stale = api.headers["ETag"]
    assert api.ask("POST", f"{place}/test", {})["status"] == 200
    assert receiver.count("/ok") == 1
    changed = api.ask("PATCH", place, {"events": ["*"], "state": "paused"}, If_Match=stale)
    assert changed == old | {"events": ["*"], "state": "paused"}
    assert api.ask("PATCH", place, {"name": "x"}, 412, If_Match=stale)["code"] == "stale"
    assert api.change(place, {"url": "http://10.0.0.1/x"}, 403)["code"]
    rotated = api.ask("POST", f"{place}/rotate-secret", {})
    assert rotated["secret"] != made["secret"]
    health = api.ask("GET", f"{place}/health")
    assert (health["delivered"], health["state"]) == (0, "paused")
    assert [one["name"] for one in api.ask("GET", "/webhooks")["items"]] == ["Stock"]
    assert api.ask("GET", f"{place}/deliveries?limit=1") == {"items": [], "next_cursor": None}
    assert api.ask("POST", f"{place}/replay", {}) == {"deliveries": 0}
    api.ask("DELETE", place, status=204)
    api.ask("GET", place, status=404)


def test_an_export_is_made_changed_tried_run_and_deleted(api):
    rule = {"node": "check", "field": "profile.email", "is": {"op": "exists"}}
    segment = api.ask("POST", "/segments", {"name": "Known", "rule": rule}, 201)["segment_id"]
    assert "csv" in [kind["name"] for kind in api.ask("GET", "/destinations")["items"]]
    plan = {
        "name": "Known",
        "segment_id": segment,
        "destination": "database",
        "settings": {"table": "people"},
        "secret": "sqlite:///out.db",
        "columns": ["email"],
        "purpose": "sharing",
    }
    made = api.ask("POST", "/exports", plan, 201)
    assert "out.db" not in json.dumps(made), "an address is a secret"
    place = f"/exports/{made['export_id']}"
    api.ask("POST", f"{place}/test", {}, 204)
    changed = api.change(place, {"columns": ["email", "name"], "every_hours": 24})
    assert changed["columns"] == ["profile_id", "email", "name"]
    assert changed["next_at"] is not None
    assert api.change(place, {"is_enabled": False})["next_at"] is None
    api.change(place, {"every_hours": None, "segment_id": 999}, 404)
    api.change(place, {"settings": {"table": "a; b"}}, 422)
    run_id = api.ask("POST", f"{place}/run", {}, 202)["run_id"]
    analysis.run_exports(now=datetime.now(UTC), run_id=run_id)
    done = api.ask("GET", f"{place}/runs/{run_id}")
    assert done["state"] == "finished", "the address stayed through the changes"
    assert api.ask("GET", f"{place}/runs")["items"] == [done]
    api.ask("GET", f"/exports/9/runs/{run_id}", status=404)
    csv = api.change(place, {"destination": "csv", "settings": {}})
    assert csv["destination"] == "csv"
    api.change(place, {"destination": "database", "settings": {"table": "people"}}, 422)
    api.ask("DELETE", place, status=204)
    api.ask("GET", place, status=404)


def test_a_database_is_pulled(api, source_id):
    with sqlite3.connect(databases_folder() / "doors.db") as there:
        there.execute("CREATE TABLE people (id integer PRIMARY KEY, email text, changed integer)")
        there.execute("INSERT INTO people VALUES (1, 'ann@example.com', 1)")
    there.close()
    wanted = {"name": "Shop", "source_id": source_id, "address": "sqlite:///doors.db"}
    made = api.ask("POST", "/pulls", wanted, 201)
    place = f"/pulls/{made['pull_id']}"
    assert [one["name"] for one in api.ask("GET", f"{place}/tables")["items"]] == ["people"]
    columns = api.ask("GET", f"{place}/columns?relation=people")["items"]
    assert [one["name"] for one in columns] == ["id", "email", "changed"]
    plan = {"relation": "people", "cursor_column": "changed", "connector": "customers"}
    plan |= {"key_columns": ["id"], "overlap": 0, "mapping": {"id": "user_id", "email": "email"}}
    assert api.ask("POST", f"{place}/preview", plan)["problems"] == []
    assert api.change(place, {"plan": plan})["relation"] == "people"
    done = api.ask("POST", f"{place}/run", {})
    assert (done["failure"], done["stored"]) == ("", 1)
    assert api.change(place, {"is_paused": True})["is_paused"] is True
    assert api.ask("GET", f"{place}/health")["state"] == "paused"
    assert api.ask("POST", f"{place}/rewind", {})["is_paused"] is True
    api.change(place, {"address": "sqlite:///../elsewhere.db"}, 422)
    api.ask("DELETE", place, status=204)
    api.ask("DELETE", place, status=404)


def test_an_enrichment_is_set_up_tried_and_asked(api, source_id, receiver):
    plan = {
        "name": "Panel",
        "source_id": source_id,
        "url": f"{receiver.url}/404/{{value}}",
        "key": "email",
        "purpose": "sharing",
        "lawful_basis": "consent",
        "mapping": {"size": "company.size"},
        "header": "X-Key",
        "secret": "s3cret-words",
    }
    made = api.ask("POST", "/enrichments", plan, 201)
    assert made["has_secret"] is True
    assert "s3cret" not in json.dumps(made)
    place = f"/enrichments/{made['enrichment_id']}"
    changed = api.change(place, {"ttl_days": 30, "is_enabled": False})
    assert (changed["plan"]["ttl_days"], changed["is_enabled"]) == (30, False)
    assert changed["has_secret"] is True, "what is not told stays"
    tried = api.ask("POST", f"{place}/test", {})
    assert tried["status"] == 501, "the receiver knows no GET"
    assert tried["error"] == "the other side answered 501"
    assert api.ask("POST", f"{place}/ask", {"profile_ids": [1]}, 202)["waiting"] == 1
    assert api.ask("GET", f"{place}/health")["waiting"] == 1
    assert api.ask("GET", f"{place}/problems")["items"] == []
    api.ask("DELETE", place, status=204)
    api.ask("GET", f"{place}/problems", status=404)


def test_a_mailbox_that_does_not_let_us_in_is_refused(api, source_id):
    wanted = {"name": "Care", "source_id": source_id, "host": "127.0.0.1", "port": 9}
    wanted |= {"username": "care@brand.example", "password": "x", "security": "none"}
    assert api.ask("POST", "/mailboxes", wanted, 403)["title"] == "Forbidden"
    assert api.ask("GET", "/mailboxes")["items"] == []
    for method, place in (("GET", ""), ("GET", "/health"), ("POST", "/test"), ("DELETE", "")):
        api.ask(method, f"/mailboxes/9{place}", status=404)


def test_secrets_of_a_source_are_set_replaced_and_never_shown(api, source_id):
    place = f"/sources/{source_id}/secrets"
    made = api.ask("POST", f"{place}/calls", {}, 201)
    assert made["secret"].startswith("whsec_")
    told = api.ask("POST", f"{place}/shopify", {"secret": "from-the-shop"}, 201)
    assert told == {"dialect": "shopify", "secret": None}
    assert api.ask("POST", f"{place}/shopify", {"secret": "from-the-shop"}, 409)["code"]
    listed = api.ask("GET", place)["items"]
    assert [one["dialect"] for one in listed] == ["calls", "shopify"]
    assert "from-the-shop" not in json.dumps(listed)
    assert api.ask("POST", f"{place}/segment", {}, 422)["code"] == "bad_dialect"
    api.ask("DELETE", f"{place}/shopify", status=204)
    api.ask("DELETE", f"{place}/shopify", status=404)


def test_claim_rules_are_declared_changed_and_taken_away(api, source_id):
    rule = {"pattern": "address.*", "kind": "most_trusted_source", "sources": [source_id]}
    made = api.ask("POST", "/claim-rules", rule, 201)
    place = api.headers["Location"].removeprefix("/api/v1")
    assert place == "/claim-rules/address.*"
    assert api.ask("POST", "/claim-rules", rule, 409)["code"] == "rule_exists"
    assert api.ask("GET", place) | {"updated_at": None} == made | {"updated_at": None}
    assert api.change(place, {"sources": []}, 422)["code"] == "no_sources"
    assert api.change(place, {"kind": "latest", "sources": []})["kind"] == "latest"
    assert [one["pattern"] for one in api.ask("GET", "/claim-rules")["items"]] == ["address.*"]
    api.ask("DELETE", place, status=204)
    api.ask("GET", place, status=404)


def test_visits_attribution_and_interests_of_a_customer(api, source_id):
    page = {
        "type": "page",
        "userId": "ann",
        "properties": {"url": "https://shop.example/?utm_source=news&utm_medium=email"},
        "context": {"userAgent": "Mozilla/5.0 (X11; Linux x86_64) Firefox/130.0"},
    }
    raw = [msgspec.json.encode(page)]
    store.append_events(source_id=source_id, events=raw, now=datetime.now(UTC))
    while store.fold_batch().events:
        pass
    while store.follow(now=datetime.now(UTC)):
        pass
    ann = store.find_profile(kind="user_id", value="ann").profile_id
    place = f"/profiles/{ann}"
    assert api.ask("GET", f"{place}/attribution")["first"]["source"] == "news"
    visits = api.ask("GET", f"{place}/visits?limit=1")
    assert (visits["items"][0]["page_views"], visits["next_cursor"]) == (1, None)
    assert api.ask("GET", f"{place}/interests")["next_cursor"] is None
    for what in ("attribution", "visits", "interests"):
        api.ask("GET", f"/profiles/{10**12}/{what}", status=404)


def test_who_may_only_read_changes_nothing(api, source_id):
    reader = Api("sources:read", "outbound:read", "profiles:read")
    for path in ("/webhooks", "/exports", "/mailboxes", "/enrichments", "/pulls", "/claim-rules"):
        assert reader.ask("GET", path)["items"] == []
        assert reader.ask("POST", path, {}, 403)["code"] == "insufficient_scope"
        assert reader.ask("DELETE", f"{path}/1", status=403)["code"] == "insufficient_scope"
    assert reader.ask("POST", f"/sources/{source_id}/secrets/calls", {}, 403)


def test_every_writing_route_says_that_it_can_be_repeated(api):
    described = json.loads(api.client.get("/api/openapi.json").content)
    assert len(described["paths"]) > 50
    for path, item in described["paths"].items():
        for method, operation in item.items():
            names = [one["name"] for one in operation["parameters"]]
            assert ("Idempotency-Key" in names) == (method != "get"), (method, path)
