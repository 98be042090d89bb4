"""A customer's way through the command line: imported, shown, segmented, erased."""

import io
import json
from datetime import UTC, datetime

import pytest


def fold():
    from amity.analysis import api as analysis
    from amity.store import api as store

    while store.fold_batch(limit=1000).events:
        pass
    while analysis.follow_batch(now=datetime.now(UTC), limit=1000).events:
        while store.fold_batch(limit=1000).events:
            pass


@pytest.fixture
def shop(document):
    from amity.store import api

    source_id = document("source", "create", "shop", "--kind", "server")["source_id"]
    events = [
        {
            "type": "identify",
            "userId": "u1",
            "anonymousId": "a1",
            "messageId": "1",
            "traits": {"email": "ann@shop.example", "name": "Ann", "country": "FR"},
        },
        {
            "type": "track",
            "anonymousId": "a1",
            "messageId": "2",
            "event": "Order Completed",
            "properties": {"order_id": "o1", "total": 12.5},
        },
        {"type": "identify", "userId": "u2", "messageId": "3", "traits": {"country": "DE"}},
    ]
    api.append_events(
        source_id=source_id,
        events=[json.dumps(event).encode() for event in events],
        now=datetime.now(UTC),
    )
    fold()
    return source_id


RULE = '{"node":"check","field":"trait.country","is":{"op":"eq","value":"FR"}}'


def test_a_profile_is_shown_whole(amity, document, shop):
    document("segment", "create", "French", "--rule", RULE)
    fold()
    whole = document("profile", "show", "email:Ann@shop.example")
    profile = whole["profile"]
    assert profile["user_id"] == "u1"
    assert profile["traits"]["country"] == "FR"
    assert (profile["revenue_minor"], profile["currency"]) == (1250, "USD")
    kinds = {(item["kind"], item["value"]) for item in whole["identifiers"]}
    assert kinds >= {("user_id", "u1"), ("anonymous_id", "a1"), ("email", "ann@shop.example")}
    assert [stay["segment_name"] for stay in whole["segments"]] == ["French"]
    assert "Order Completed" in [event["name"] for event in whole["timeline"]]
    assert whole["merges"] == whole["scores"] == []
    assert document("profile", "show", f"id:{profile['profile_id']}")["profile"] == profile

    code, out, _ = amity("profile", "show", "user_id:u1")
    assert code == 0
    assert "12.50 USD" in out
    assert "French" in out
    assert json.loads(amity("profile", "show", "email:nobody@x.example", "--json")[2])["code"] == (
        "not_found"
    )
    assert amity("profile", "show", "ann")[0] == 2
    assert amity("profile", "show", "id:99999999999999999999999")[0] == 1


def test_a_profile_is_shown_as_it_was_known(amity, document, shop):
    whole = document("profile", "show", "user_id:u1")
    now = datetime.now(UTC).isoformat()
    then = document("profile", "show", "user_id:u1", "--as-of", now)
    assert {**then["profile"], "version": 0} == {**whole["profile"], "version": 0}
    assert then["identifiers"] == whole["identifiers"]
    assert then["timeline"] == whole["timeline"]
    assert amity("profile", "show", "user_id:u1", "--as-of", "2000-01-01")[0] == 1
    assert amity("profile", "show", "user_id:u1", "--as-of", "last week")[0] == 2


def test_segments_from_rule_to_members(amity, document, shop, tmp_path):
    path = tmp_path / "rule.json"
    path.write_text(RULE)
    preview = document("segment", "preview", "--rule", RULE)
    assert (preview["members"], preview["of_profiles"]) == (1, 2)
    made = document("segment", "create", "French", "--rule", str(path), "--description", "why")
    assert made["rule"] == json.loads(RULE)
    fold()
    assert document("segment", "count", "French")["members"] == 1
    assert amity("segment", "count", "French")[1] == "1\n"
    page = document("segment", "members", "French", "--limit", "1")
    assert [item["segment_id"] for item in page["items"]] == [made["segment_id"]]
    assert "ann@shop.example" in amity("segment", "members", "French")[1]
    listed = document("segment", "list")
    assert [row["name"] for row in listed["items"]] == ["French"]
    assert listed["next_cursor"] is None
    code, out, err = amity("segment", "create", "Bad", "--rule", '{"node":"nonsense"}', "--json")
    assert (code, out) == (1, "")
    assert json.loads(err)["message"]
    assert amity("segment", "count", "nobody")[0] == 1


def test_stats_add_up(document, shop):
    document("segment", "create", "French", "--rule", RULE)
    fold()
    stats = document("stats")
    events = stats["events"]
    assert events["received"] == sum(
        events[name] for name in ("stored", "duplicate", "quarantined", "refused")
    )
    assert events["stored"] >= 3
    assert (stats["profiles"], stats["memberships"]) == (2, 1)
    assert stats["identifiers"] == 4
    for name in ("profiles", "segments"):
        assert set(stats["consumers"][name]) == {"lag_events", "lag_seconds", "failures"}
    assert stats["consumers"]["profiles"]["lag_events"] == 0


def test_an_import_brings_good_rows_in_and_names_bad_ones(amity, document, shop, tmp_path):
    path = tmp_path / "people.csv"
    path.write_text("Mail,Land\nbob@shop.example,FR\nnot an email,FR\n")
    mapping = ("--map", "Mail=email", "--map", "Land=country")
    command = ("import", str(path), "--connector", "customers", "--source", "shop", *mapping)
    done = document(*command)
    assert (done["state"], done["stored"], done["rejected"]) == ("finished", 1, 1)
    assert [problem["row"] for problem in done["problems"]] == [2]
    fold()
    assert document("profile", "show", "email:bob@shop.example")["profile"]["traits"]
    again = document(*command)
    assert (again["stored"], again["duplicate"]) == (0, 1)
    assert amity(*command[:5], "nowhere", *mapping)[0] == 1
    assert (
        amity("import", str(path), "--connector", "customers", "--source", "shop", "--map", "x")[0]
        == 2
    )
    assert amity("import", "none.csv", "--connector", "customers", "--source", "shop")[0] == 2


def test_erasing_asks_first_and_leaves_nobody(amity, document, shop, monkeypatch):
    monkeypatch.setattr("sys.stdin", io.StringIO("no\n"))
    code, out, _ = amity("profile", "erase", "user_id:u1")
    assert (code, out) == (130, "")
    erased = document("profile", "erase", "user_id:u1", "--yes")
    assert sum(erased["erased"].values()) > 0
    assert amity("profile", "show", "user_id:u1")[0] == 1
    assert amity("profile", "show", "user_id:u2")[0] == 0


def test_a_rebuild_gives_the_same(document, shop):
    before = document("profile", "show", "user_id:u1")
    result = document("rebuild")
    assert result["events"] >= 3
    fold()
    assert document("profile", "show", "user_id:u1") == before
