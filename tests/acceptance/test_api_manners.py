"""How the control API behaves whatever is asked: who may, what form, what went stale."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from django.test import Client


@pytest.fixture
def keys(db):
    from amity.web.staff import api_keys

    return api_keys


@pytest.fixture
def call(keys):
    """Ask the API with a key of the given scopes; the answer, with `.body` read."""

    def ask(method, path, *, scopes=("*",), body=None, key=None, **headers):
        text = key or keys.create_api_key(name="test", scopes=scopes, by="test")
        data = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        answer = Client(
            SERVER_NAME="localhost", headers={"Authorization": f"Bearer {text}"}
        ).generic(
            method,
            f"/api/v1{path}",
            data=data or b"",
            content_type=headers.pop("content_type", "application/json"),
            headers={name.replace("_", "-"): value for name, value in headers.items()},
        )
        answer.body = json.loads(answer.content) if answer.content else None
        return answer

    return ask


def test_without_a_good_key_nobody_enters(keys):
    client = Client(SERVER_NAME="localhost")
    answer = client.get("/api/v1/stats")
    assert answer.status_code == 401
    assert answer["WWW-Authenticate"] == 'Bearer realm="amity"'
    assert answer["Content-Type"] == "application/problem+json"
    problem = json.loads(answer.content)
    assert problem["status"] == 401
    assert problem["code"] == "unauthorized"
    good = keys.create_api_key(name="good", scopes=["*"], by="test")
    for header in ("Bearer", "Bearer ", "Basic abc", "Bearer wrong", f"Bearer {good}x", "é"):
        answer = client.get("/api/v1/stats", headers={"Authorization": header})
        assert answer.status_code == 401, header
    assert (
        client.get("/api/v1/sources", headers={"Authorization": f"bearer {good}"}).status_code
        == 200
    )


def test_ended_and_revoked_keys_are_unknown_at_once(call, keys):
    now = datetime.now(UTC)
    ended = keys.create_api_key(
        name="e", scopes=["*"], by="t", expires_at=now - timedelta(seconds=1)
    )
    assert call("GET", "/sources", key=ended).status_code == 401
    alive = keys.create_api_key(name="a", scopes=["*"], by="t", expires_at=now + timedelta(days=1))
    assert call("GET", "/sources", key=alive).status_code == 200
    for key in keys.list_api_keys():
        keys.revoke_api_key(key_id=key.key_id, now=now)
    assert call("GET", "/sources", key=alive).status_code == 401


def test_every_route_asks_for_its_own_scope_before_anything_else(call, keys):
    from amity.web.api.table import TABLE

    scopes = {route.scope for route in TABLE}
    for route in TABLE:
        path = route.path.replace("{kind}", "email").replace("{value}", "x")
        path = path.replace("{", "").replace("}", "")
        for name in route.path_types:
            path = path.replace(name, "999999")
        others = keys.create_api_key(name="o", scopes=sorted(scopes - {route.scope}), by="t")
        answer = call(route.method, path, key=others, body=b"not json")
        assert answer.status_code == 403, route.path
        assert answer.body["code"] == "insufficient_scope"
        assert f'scope="{route.scope}"' in answer["WWW-Authenticate"]


def test_what_is_not_there_reads_the_same_whatever_it_is(call):
    ids = ["999999999", "0", "-1", "abc", "9" * 30, "1e3", "%00", "1%0a", "٣"]
    for path in ("/profiles/{}", "/segments/{}", "/sources/{}", "/profiles/{}/activity"):
        answers = {call("GET", path.format(it)).status_code for it in ids}
        assert answers == {404}, path
    bodies = {call("GET", path).content for path in ("/profiles/abc", "/nonsense", "/sources/x")}
    assert len(bodies) == 1


def test_methods_content_types_and_sizes(call):
    answer = call("PUT", "/sources")
    assert answer.status_code == 405
    assert answer["Allow"] == "GET, HEAD, POST"
    assert answer.body["code"] == "method_not_allowed"
    assert call("POST", "/sources", body=b"{}", content_type="text/plain").status_code == 415
    assert call("POST", "/sources", body=b"{}", content_encoding="gzip").status_code == 415
    assert call("POST", "/sources", body=b"{").status_code == 400
    assert call("POST", "/sources", body=b" ").status_code == 400
    assert call("POST", "/sources", body=b'"\xff"').status_code == 400
    assert call("POST", "/sources", body=b'"\\ud800"').status_code == 400
    assert call("POST", "/sources", body=b"9" * 6000).status_code == 400
    assert call("POST", "/sources", body=b"[" * 100_000).status_code == 422
    assert call("POST", "/sources", body=b" " * 1_048_577).status_code == 413
    unmeasured = call("POST", "/sources", body=b"{}", content_length="")
    assert (unmeasured.status_code, unmeasured.body["code"]) == (411, "length_required")
    assert call("POST", "/sources", body={"name": "a\0b"}).status_code == 422
    head = call("HEAD", "/sources")
    assert head.status_code == 200
    assert head.content == b""
    assert int(head["Content-Length"]) > 10


def test_validation_names_the_place(call):
    answer = call("POST", "/sources", body={"name": 7})
    assert answer.status_code == 422
    assert answer["Content-Type"] == "application/problem+json"
    assert answer.body["errors"] == [{"path": "$.name", "message": "Expected `str`, got `int`"}]
    assert call("POST", "/sources", body={"name": "x", "write_key": "mine"}).status_code == 422
    for query in ("limit=0", "limit=x", "limit=1&limit=2", "nonsense=1", "cursor=!!", "sort=name"):
        answer = call("GET", f"/profiles?{query}")
        assert answer.status_code == 422, query
        assert answer.body["code"] in ("invalid", "bad_cursor")


def test_sources_are_made_read_and_changed_only_as_last_seen(call):
    made = call("POST", "/sources", body={"name": "shop", "kind": "server"})
    assert made.status_code == 201
    path = made["Location"].removeprefix("/api/v1")
    assert path == f"/sources/{made.body['source_id']}"
    assert call("POST", "/sources", body={"name": "shop"}).status_code == 409

    read = call("GET", path)
    assert read.body == made.body
    assert read["ETag"] == made["ETag"]
    again = call("GET", path, if_none_match=f'"other", W/{read["ETag"]}')
    assert again.status_code == 304
    assert again.content == b""
    assert again["ETag"] == read["ETag"]

    change = {"is_enabled": False}
    assert call("PATCH", path, body=change).status_code == 428
    assert call("PATCH", path, body=change, if_match='"old"').status_code == 412
    assert call("PATCH", path, body=change, if_match=f"W/{read['ETag']}").status_code == 412
    changed = call("PATCH", path, body=change, if_match=read["ETag"])
    assert changed.status_code == 200
    assert changed.body["is_enabled"] is False
    assert changed["ETag"] == call("GET", path)["ETag"] != read["ETag"]
    stale = call("PATCH", path, body={"name": "mine"}, if_match=read["ETag"])
    assert stale.status_code == 412
    assert stale.body["code"] == "stale"
    assert call("GET", path).body["name"] == "shop"

    turned = call("POST", f"{path}/rotate-key")
    assert turned.body["write_key"] != made.body["write_key"]


def test_of_two_changes_at_once_one_is_stale(call, keys):
    from concurrent.futures import ThreadPoolExecutor

    from django.db import connections

    made = call("POST", "/sources", body={"name": "shop"})
    path = made["Location"].removeprefix("/api/v1")
    key = keys.create_api_key(name="k", scopes=["*"], by="test")

    def rename(name):
        try:
            body = {"name": name}
            return call("PATCH", path, key=key, body=body, if_match=made["ETag"]).status_code
        finally:
            connections.close_all()

    with ThreadPoolExecutor(6) as pool:
        statuses = sorted(pool.map(rename, "abcdef"))
    assert statuses == [200, 412, 412, 412, 412, 412]


def test_write_keys_are_for_those_who_may_write(call):
    call("POST", "/sources", body={"name": "shop"})
    listed = call("GET", "/sources", scopes=["sources:read"]).body["items"]
    assert {row["write_key"] for row in listed} == {None}
    path = f"/sources/{listed[-1]['source_id']}"
    assert call("GET", path, scopes=["sources:read"]).body["write_key"] is None
    assert call("GET", path, scopes=["sources:read", "sources:write"]).body["write_key"]


def test_amitys_own_source_cannot_be_changed(call):
    tag = call("GET", "/sources/1")["ETag"]
    assert call("PATCH", "/sources/1", body={"name": "x"}, if_match=tag).status_code == 404
    assert call("POST", "/sources/1/rotate-key").status_code == 404


def test_cookies_open_nothing_and_answers_are_kept_private(call):
    from amity.web.staff.models import Staff

    client = Client(enforce_csrf_checks=True, SERVER_NAME="localhost")
    client.force_login(Staff.objects.create(username="boss", role="admin"))
    assert client.get("/api/v1/sources").status_code == 401
    assert client.post("/api/v1/sources", b"{}", content_type="application/json").status_code == 401
    answer = call("GET", "/sources")
    assert answer["Cache-Control"] == "private, no-cache"
    assert answer["Vary"] == "Authorization"
    assert answer["X-Content-Type-Options"] == "nosniff"


def test_the_description_is_open_and_valid(db):
    from openapi_spec_validator import validate

    from amity.web.api.table import TABLE

    answer = Client(SERVER_NAME="localhost").get("/api/openapi.json")
    assert answer.status_code == 200
    described = json.loads(answer.content)
    assert described["openapi"].startswith("3.1")
    validate(described)
    assert {
        (method.upper(), path) for path, item in described["paths"].items() for method in item
    } == {(route.method, route.path) for route in TABLE}


def test_the_page_lists_every_endpoint_and_asks_nothing_of_others(db):
    from amity.web.api.table import TABLE

    page = Client(SERVER_NAME="localhost").get("/api/").content.decode()
    for route in TABLE:
        assert f"<code>{route.path}</code>" in page
    assert "http://" not in page
    assert "https://" not in page
