"""Offers, decisions, campaigns, journeys and consents by the control API and the command line."""

import json
from datetime import UTC, datetime

import pytest
from django.test import Client

MAIL = "<mjml><mj-body><mj-section><mj-column><mj-text>Hello {{ customer.first_name }}</mj-text>"
MAIL += "</mj-column></mj-section></mj-body></mjml>"


@pytest.fixture
def api(db):
    from amity.web.staff.api_keys import create_api_key

    key = create_api_key(name="k", scopes=["*"], by="test")
    return Client(SERVER_NAME="localhost", headers={"Authorization": f"Bearer {key}"})


@pytest.fixture
def ann(db) -> int:
    from amity.store import api as store

    source = store.create_source(name="shop", kind="server")
    traits = {"email": "ann@shop.example", "name": "Ann Bell"}
    events = [
        {"type": "identify", "userId": "u1", "messageId": "1", "traits": traits},
        {
            "type": "track",
            "event": "Segment Consent Preference Updated",
            "userId": "u1",
            "messageId": "2",
            "properties": {"categoryPreferences": {"marketing.email": True}},
        },
    ]
    store.append_events(
        source_id=source.source_id,
        events=[json.dumps(event).encode() for event in events],
        now=datetime.now(UTC),
    )
    while store.fold_batch().events:
        pass
    return store.find_profile(kind="user_id", value="u1").profile_id


def read(answer, status=200):
    assert answer.status_code == status, answer.content
    return json.loads(answer.content) if answer.content else None


def post(api, path, document, status=200):
    return read(api.post(f"/api/v1{path}", document, content_type="application/json"), status)


def patch(api, path, document, status=200):
    tag = api.get(f"/api/v1{path}").headers["ETag"]
    answer = api.patch(
        f"/api/v1{path}", document, content_type="application/json", headers={"If-Match": tag}
    )
    return read(answer, status)


def test_an_offer_is_placed_decided_explained_and_replayed(api, amity, ann):
    place = post(api, "/placements", {"key": "hero", "kind": "offers", "name": "Top"}, 201)
    for key in ("tea", "cake"):
        made = {"key": key, "headline": key.title(), "placement_ids": [place["placement_id"]]}
        offer = post(api, "/offers", made, 201)
        assert offer["state"] == "draft"
        post(api, f"/offers/{offer['offer_id']}/state", {"state": "live"})
    patch(api, f"/offers/{offer['offer_id']}", {"cap_count": 1, "cap_days": 2})
    limited = patch(api, f"/offers/{offer['offer_id']}", {"cap_count": None, "cap_days": None})
    assert (limited["cap_count"], limited["name"]) == (None, "cake")
    from amity.personalization import api as personalization

    personalization.publish_snapshot(now=datetime.now(UTC))

    decision = post(api, "/decisions", {"placement": "hero", "profile_id": ann}, 201)
    assert [item["propensity"] for item in decision["items"]] == [0.5]
    assert {one["item"] for one in decision["verdicts"]} == {"tea", "cake"}
    record = read(api.get(f"/api/v1/decisions/{decision['decision_id']}"))
    assert record["decision"] == decision
    listed = read(api.get("/api/v1/decisions", {"profile_id": ann, "placement": "hero"}))
    assert [one["decision"]["decision_id"] for one in listed["items"]] == [decision["decision_id"]]
    assert post(api, "/decisions/replay", {})["same"] == 1
    arms = read(api.get(f"/api/v1/placements/{place['placement_id']}/arms"))
    assert {arm["impressions"] for arm in arms["items"]} == {0}

    code, out, _ = amity("decide", "hero", "--for", "user_id:u1", "--seed", "7", "--json")
    first = json.loads(out)
    assert (code, first["profile_id"], first["seed"]) == (0, ann, 7)
    again = json.loads(amity("decide", "hero", "--for", "user_id:u1", "--seed", "7", "--json")[1])
    assert again["items"] == first["items"]
    assert "PROBABILITY" in amity("decide", "hero")[1]
    assert amity("decide", "nowhere")[0] == 1
    assert amity("decide", "hero", "--for", "ada")[0] == 2
    assert amity("decide", "hero", "--context", "[1]")[0] == 1
    code, out, _ = amity("replay-decisions", "--json")
    assert (code, json.loads(out)["replayed"]) == (0, 1)
    assert amity("replay-decisions", "--since", "yesterday")[0] == 2
    read(
        api.post("/api/v1/decisions", {"placement": "nowhere"}, content_type="application/json"),
        404,
    )


def test_a_campaign_is_planned_changed_estimated_and_reported(api, ann):
    consent = {"node": "consent", "purpose": "marketing.email"}
    segment = post(api, "/segments", {"name": "Readers", "rule": consent}, 201)
    from amity.analysis import api as analysis

    while analysis.follow_batch(now=datetime.now(UTC)).events:
        pass
    mail = {"name": "Letter", "subject": "Hello {{ customer.first_name }}", "source": MAIL}
    template = post(api, "/templates", mail, 201)
    shown = post(api, f"/templates/{template['template_id']}/preview", {"profile_id": ann})
    assert (shown["subject"], shown["problem"]) == ("Hello Ann", "")
    wrong = {"name": "W", "subject": "x", "source": "{% nothing %}"}
    post(api, "/templates", wrong, 422)

    plan = {"segment_id": segment["segment_id"], "template_id": template["template_id"]}
    counted = post(api, "/campaigns/estimate", {"segment_id": segment["segment_id"]})
    assert (counted["members"], counted["reachable"]) == (1, 1)
    campaign = post(api, "/campaigns", plan | {"name": "First"}, 201)
    changed = patch(api, f"/campaigns/{campaign['campaign_id']}", {"holdout_rate": 0})
    assert (changed["name"], changed["holdout_rate"]) == ("First", 0)
    patch(api, f"/campaigns/{campaign['campaign_id']}", {"segment_id": 999}, 422)
    report = read(api.get(f"/api/v1/campaigns/{campaign['campaign_id']}/report"))
    counts = report["counts"]
    assert counts["targeted"] == 0 == sum(counts.values())
    assert report["lift"] is None
    assert report["verdict"]
    launched = post(api, f"/campaigns/{campaign['campaign_id']}/launch", {})
    assert launched["state"] in ("scheduled", "targeting")
    stopped = read(api.post(f"/api/v1/campaigns/{campaign['campaign_id']}/stop"))
    assert stopped["state"] == "stopped"
    assert read(api.get("/api/v1/campaigns/observed")) == {"items": [], "next_cursor": None}


def test_a_journey_is_drawn_checked_and_put_live(api):
    template = post(api, "/templates", {"name": "L", "subject": "x", "source": MAIL}, 201)
    from amity.broadcast import api_journeys

    drawing = api_journeys.abandoned_cart(template_id=template["template_id"])
    journey = post(api, "/journeys", {"name": "Cart", "definition": drawing}, 201)
    assert journey["problems"] == []
    live = post(api, f"/journeys/{journey['journey_id']}/state", {"state": "live"})
    assert live["state"] == "live"
    report = read(api.get(f"/api/v1/journeys/{journey['journey_id']}/report"))
    assert {node["node"] for node in report["nodes"]} == set(drawing["nodes"])
    broken = post(api, "/journeys", {"name": "None", "definition": {}}, 201)
    assert broken["problems"]
    post(api, f"/journeys/{broken['journey_id']}/state", {"state": "live"}, 422)


def test_choices_hold_at_once_and_are_said_by_events(api, ann):
    from amity.store import api as store

    before = read(api.get(f"/api/v1/profiles/{ann}/consents"))
    assert before["consents"]["marketing.email"]["status"] == "granted"
    said = {"choices": {"marketing.email": False, "tracking.email": True}, "method": "call"}
    points = post(api, f"/profiles/{ann}/consents", said)["contact_points"]
    assert list(points[0]["objections"]) == ["marketing.email"]
    while store.fold_batch().events:
        pass
    after = read(api.get(f"/api/v1/profiles/{ann}/consents"))["consents"]
    assert after["marketing.email"]["status"] == "withdrawn"
    assert after["tracking.email"]["status"] == "granted"
    post(api, f"/profiles/{ann}/consents", {"choices": {}}, 422)
    post(api, "/profiles/999999/consents", said, 404)


def test_a_blocked_address_can_be_written_to_again(api, ann):
    from amity.store import api as store

    key = store.contact_key(channel="email", address="ann@shop.example")
    store.suppress(channel="email", address_key=key, reason="manual", now=datetime.now(UTC))
    post(api, f"/profiles/{ann}/consents", {"choices": {"marketing.email": False}})
    said, path = {"channel": "email", "address_key": key}, f"/profiles/{ann}/lift-suppression"
    post(api, path, said | {"address_key": "0" * 32}, 404)
    post(api, "/profiles/999999/lift-suppression", said, 404)
    post(api, path, said | {"channel": "pigeon"}, 422)
    [point] = read(api.get(f"/api/v1/profiles/{ann}/consents"))["contact_points"]
    assert point["suppression"] == "manual"
    for _ in range(2):
        [point] = post(api, path, said)["contact_points"]
        assert (point["suppression"], point["suppressed_at"]) == ("", None)
        assert list(point["objections"]) == ["marketing.email"]


def test_lifting_needs_the_scope_to_write_consents(ann):
    from amity.web.staff.api_keys import create_api_key

    key = create_api_key(name="r", scopes=["consents:read", "profiles:write"], by="test")
    client = Client(SERVER_NAME="localhost", headers={"Authorization": f"Bearer {key}"})
    said = {"channel": "email", "address_key": "0" * 32}
    post(client, f"/profiles/{ann}/lift-suppression", said, 403)


def test_the_key_of_links_is_changed_from_the_command_line(amity):
    from amity.infra import tokens

    before = tokens.sign("unsubscribe", [1])
    code, printed, _ = amity("links", "rotate-key", "--json")
    made = json.loads(printed)
    assert (code, made["key"]) == (0, tokens.current_key())
    code, printed, _ = amity("links", "rotate-key")
    assert code == 0
    assert f"key {tokens.current_key()} from now on" in printed
    assert made["file"] in printed
    assert int(tokens.current_key()) > int(made["key"])
    for token in (before, tokens.sign("unsubscribe", [1])):
        assert tokens.read("unsubscribe", token, now=datetime.now(UTC)) == [1]
