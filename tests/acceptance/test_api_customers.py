"""Profiles, merges, segments and numbers through the control API."""

import json
from datetime import UTC, datetime
from urllib.parse import quote

import pytest
from django.test import Client


@pytest.fixture
def api(db):
    """Ask the API: method, path, body and headers in; the answer with `.body` out."""
    from amity.web.staff.api_keys import create_api_key

    key = create_api_key(name="k", scopes=["*"], by="test")
    client = Client(SERVER_NAME="localhost", headers={"Authorization": f"Bearer {key}"})

    def ask(method, path, body=None, **headers):
        answer = client.generic(
            method,
            f"/api/v1{path}",
            data=b"" if body is None else json.dumps(body).encode(),
            content_type="application/json",
            headers={name.replace("_", "-"): value for name, value in headers.items()},
        )
        answer.body = json.loads(answer.content) if answer.content else None
        return answer

    return ask


def fold():
    from amity.analysis import api as analysis
    from amity.store import api as store

    while store.fold_batch(limit=1000).events:
        pass
    while analysis.follow_batch(now=datetime.now(UTC), limit=1000).events:
        while store.fold_batch(limit=1000).events:
            pass


@pytest.fixture
def shop(db):
    from amity.store import api

    source = api.create_source(name="shop", kind="server")
    events = [
        {"type": "track", "anonymousId": "a1", "messageId": "0", "event": "Seen"},
        {
            "type": "identify",
            "userId": "u1",
            "messageId": "1",
            "traits": {"email": "ann@shop.example", "country": "FR"},
        },
        {"type": "identify", "userId": "u1", "anonymousId": "a1", "messageId": "2"},
        *(
            {"type": "identify", "userId": f"p{n}", "messageId": f"p{n}", "traits": {"n": n}}
            for n in range(5)
        ),
    ]
    api.append_events(
        source_id=source.source_id,
        events=[json.dumps(event).encode() for event in events],
        now=datetime.now(UTC),
    )
    fold()
    return source


RULE = {"node": "check", "field": "trait.country", "is": {"op": "eq", "value": "FR"}}


def test_profiles_are_paged_without_gap_or_repeat(api, shop):
    seen, path = [], "/profiles?limit=2"
    while path:
        page = api("GET", path).body
        assert len(page["items"]) <= 2
        seen += [row["profile_id"] for row in page["items"]]
        cursor = page["next_cursor"]
        path = f"/profiles?limit=2&cursor={cursor}" if cursor else None
    assert len(seen) == len(set(seen)) == 6
    found = api("GET", "/profiles?search=ann@shop").body["items"]
    assert [row["user_id"] for row in found] == ["u1"]
    assert found[0]["currency"] == "USD"
    mixed = api("GET", "/segments/1/members?cursor=WzEsMl0")
    assert mixed.status_code in (404, 422)


def test_one_profile_with_all_that_belongs_to_it(api, shop):
    answer = api("GET", "/profiles/by/email/ANN@shop.example")
    profile = answer.body
    assert (profile["user_id"], profile["currency"]) == ("u1", "USD")
    path = f"/profiles/{profile['profile_id']}"
    same = api("GET", path)
    assert same.body == profile
    assert same["ETag"] == answer["ETag"]
    assert api("GET", path, if_none_match=same["ETag"]).status_code == 304
    names = [event["name"] for event in api("GET", f"{path}/activity").body["items"]]
    assert {"Seen", "Identify"} <= set(names)
    only = api("GET", f"{path}/activity?name=Seen").body["items"]
    assert [event["name"] for event in only] == ["Seen"]
    kinds = {item["kind"] for item in api("GET", f"{path}/identifiers").body["items"]}
    assert kinds == {"user_id", "anonymous_id", "email"}
    assert api("GET", f"{path}/segments").body["items"] == []
    assert api("GET", f"{path}/scores").body["items"] == []
    assert api("GET", "/profiles/by/email/nobody@x.example").status_code == 404
    assert api("GET", "/profiles/by/shoe_size/44").status_code == 404
    assert api("GET", "/profiles/by/user_id/a/b%2Fc").status_code == 404


def test_a_profile_is_told_as_it_was_known_with_all_its_claims(api, shop):
    from amity.store import api as store

    [row, *_] = api("GET", "/profiles?known_only=true").body["items"]
    path = f"/profiles/{row['profile_id']}"
    now = datetime.now(UTC).isoformat().replace("+00:00", "Z")
    then = api("GET", f"{path}?as_of={now}").body
    assert {**then, "version": 0} == {**api("GET", path).body, "version": 0}
    assert api("GET", f"{path}?as_of=2000-01-01T00:00:00Z").status_code == 404
    assert api("GET", f"{path}?as_of=yesterday").status_code == 422
    store.remember(
        profile_id=row["profile_id"], told={"size": 42}, provenance="form", now=datetime.now(UTC)
    )
    fold()
    store.follow(now=datetime.now(UTC))
    claims = {each["trait"]: each for each in api("GET", f"{path}/claims").body["items"]}
    assert claims["size"]["claims"][0]["standing"] == "shown"
    assert claims["size"]["rule"]["kind"] == "latest"
    [told] = api("GET", f"{path}/memory").body["items"]
    assert (told["trait"], told["value"], told["provenance"]) == ("size", 42, "form")


def test_a_merge_is_listed_and_undone(api, shop):
    profile = api("GET", "/profiles/by/user_id/u1").body
    merges = api("GET", f"/profiles/{profile['profile_id']}/merges").body["items"]
    assert len(merges) == 1
    assert api("GET", "/merges?refused=false").body["items"] == merges
    assert api("GET", "/merges?refused=true").body["items"] == []
    undone = api("POST", f"/merges/{merges[0]['merge_id']}/undo")
    assert undone.status_code == 202
    fold()
    anonymous = api("GET", "/profiles/by/anonymous_id/a1").body
    known = api("GET", "/profiles/by/user_id/u1").body
    assert anonymous["profile_id"] != known["profile_id"]
    assert api("POST", "/merges/999999/undo").status_code == 404


def test_a_profile_is_erased(api, shop):
    segment = api("POST", "/segments", {"name": "French", "rule": RULE}).body
    fold()
    assert api("GET", f"/segments/{segment['segment_id']}/counts").body["members"] == 1
    profile_id = api("GET", "/profiles/by/user_id/u1").body["profile_id"]
    erased = api("DELETE", f"/profiles/{profile_id}")
    assert erased.status_code == 200
    assert sum(erased.body["erased"].values()) > 0
    assert api("GET", f"/profiles/{profile_id}").status_code == 404
    assert api("GET", "/profiles/by/email/ann@shop.example").status_code == 404
    assert api("DELETE", f"/profiles/{profile_id}").status_code == 404
    assert len(api("GET", "/profiles").body["items"]) == 5
    assert api("GET", f"/segments/{segment['segment_id']}/counts").body["members"] == 0
    assert api("GET", f"/segments/{segment['segment_id']}/members").body["items"] == []


def test_segments_are_listed_in_pages_that_are_filtered_and_ordered(api, shop):
    made = [
        api("POST", "/segments", {"name": name, "rule": RULE, "description": name[::-1]}).body
        for name in ("One", "Two", "Three")
    ]
    first = api("GET", "/segments?limit=2").body
    assert [row["name"] for row in first["items"]] == ["One", "Three"]
    # What is made before the place reached pushes nobody onto the next page.
    api("POST", "/segments", {"name": "Aaa", "rule": RULE})
    last = api("GET", f"/segments?limit=2&cursor={first['next_cursor']}").body
    assert ([row["name"] for row in last["items"]], last["next_cursor"]) == (["Two"], None)
    latest = api("GET", "/segments?order=made").body["items"]
    assert [row["name"] for row in latest] == ["Aaa", "Three", "Two", "One"]
    assert [row["name"] for row in api("GET", "/segments?search=OWT").body["items"]] == ["Two"]
    maker = made[0]["created_by"]
    assert len(api("GET", f"/segments?created_by={quote(maker)}").body["items"]) == 4
    assert api("GET", "/segments?created_by=nobody").body["items"] == []
    assert api("GET", "/segments?state=archived").body["items"] == []
    for wrong in ("limit=0", "limit=201", "order=size", "state=gone", "cursor=x", "page=2"):
        assert api("GET", f"/segments?{wrong}").status_code == 422, wrong
    other = f"/segments?order=made&cursor={first['next_cursor']}"
    assert api("GET", other).status_code == 422


def test_a_segment_from_preview_to_archive(api, shop):
    preview = api("POST", "/segments/preview", {"rule": RULE}).body
    assert (preview["members"], preview["of_profiles"]) == (1, 6)
    assert preview["words"]
    made = api("POST", "/segments", {"name": "French", "rule": RULE})
    assert made.status_code == 201
    assert made.body["version"] == 1
    path = made["Location"].removeprefix("/api/v1")
    assert api("POST", "/segments", {"name": "french", "rule": RULE}).status_code == 409
    typed = api("POST", "/segments", {"name": "Typed", "rule": made.body["text"]})
    assert (typed.status_code, typed.body["rule"]) == (201, made.body["rule"])
    assert api("DELETE", typed["Location"].removeprefix("/api/v1")).status_code == 204
    assert api("POST", "/segments/preview", {"rule": made.body["text"]}).body == preview
    wrong = api("POST", "/segments/preview", {"rule": "country was FR"})
    assert wrong.status_code == 422
    assert "expected a test" in str(wrong.body)
    fold()
    counts = api("GET", f"{path}/counts").body
    assert counts["members"] == 1
    members = api("GET", f"{path}/members").body["items"]
    profile_id = api("GET", "/profiles/by/user_id/u1").body["profile_id"]
    assert [item["profile_id"] for item in members] == [profile_id]
    stays = api("GET", f"/profiles/{profile_id}/segments").body["items"]
    assert [stay["segment_name"] for stay in stays] == ["French"]

    read = api("GET", path)
    other = {**RULE, "is": {"op": "ne", "value": "FR"}}
    assert api("PATCH", path, {"rule": other}).status_code == 428
    changed = api("PATCH", path, {"rule": other}, if_match=read["ETag"])
    assert changed.status_code == 200
    assert (changed.body["version"], changed.body["name"]) == (2, "French")
    assert api("PATCH", path, {"name": "x"}, if_match=read["ETag"]).status_code == 412

    assert api("DELETE", path).status_code == 204
    assert [row["state"] for row in api("GET", "/segments").body["items"]] in ([], ["archived"])


def test_a_wrong_rule_names_its_place(api, shop):
    wrong = {"node": "all", "of": [RULE, {"node": "check", "field": "trait.x", "is": {"op": "y"}}]}
    answer = api("POST", "/segments", {"name": "Wrong", "rule": wrong})
    assert answer.status_code == 422
    assert "of" in answer.body["detail"]
    for rule in (
        {},
        {"node": "nonsense"},
        {"node": "all", "of": [{}]},
        {"node": "did", "event": 5},
    ):
        assert api("POST", "/segments/preview", {"rule": rule}).status_code == 422
    nobody = {"node": "check", "field": "trait.nobody_has_it", "is": {"op": "eq", "value": 1}}
    found = api("POST", "/segments/preview", {"rule": nobody}).body
    assert found["members"] == 0
    assert found["warnings"]


def test_stats_add_up(api, shop):
    stats = api("GET", "/stats").body
    events = stats["events"]
    assert events["received"] == sum(
        events[name] for name in ("stored", "duplicate", "quarantined", "refused")
    )
    assert stats["profiles"] == 6
    assert stats["merges"] == 1
    assert stats["consumers"]["profiles"]["lag_events"] == 0
