"""Deciding over HTTP: who may ask about whom, how fresh the answer is, what is in the log."""

import gzip
import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from amity.infra.database import transaction
from amity.personalization import api as personalization
from amity.store import api as store
from amity.store.contracts import Source
from amity.testing.edge import LiveEdge, running_edge, send, wait_until_ready
from amity.testing.installation import wait_for
from amity.testing.proxy import fault_proxy

DIAMOND = {"node": "check", "field": "trait.tier", "is": {"op": "eq", "value": "diamond"}}


def now() -> datetime:
    return datetime.now(UTC)


class Shop:
    """A shop with one placement, seen through its edge."""

    def __init__(self, edge: LiveEdge, server: Source, browser: Source) -> None:
        self.edge = edge
        self.server = server
        self.browser = browser

    def ask(self, body: object, *, key: str | None = None, **headers: str) -> tuple[int, Any]:
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        status, answer, _ = send(
            f"{self.edge.url}/v1/decide", raw, key=key or self.server.write_key, headers=headers
        )
        return status, answer

    def items(self, **identifiers: str) -> list[str]:
        status, answer = self.ask({"placement": "hero", "identifiers": identifiers})
        assert status == 200, answer
        return [item["item"] for item in answer["items"]]

    def tell(self, *events: dict[str, Any]) -> None:
        body = json.dumps({"batch": list(events)}).encode()
        status, answer, _ = send(f"{self.edge.url}/v1/batch", body, key=self.server.write_key)
        assert (status, answer["accepted"]) == (200, len(events))
        while store.fold_batch().events:
            pass
        while personalization.reward_batch(now=now()).events:
            pass

    def publish(self) -> None:
        snapshot_id = personalization.publish_snapshot(now=now())
        assert snapshot_id is not None
        wait_for(lambda: self.health()["snapshot_id"] == snapshot_id, what="the snapshot")

    def health(self) -> dict[str, Any]:
        decisions: dict[str, Any] = send(f"{self.edge.url}/health")[1]["decisions"]
        return decisions


def identify(user: str, **traits: object) -> dict[str, Any]:
    return {"type": "identify", "userId": user, "traits": traits}


@pytest.fixture
def shop(db: str) -> Iterator[Shop]:
    server = store.create_source(name="till", kind="server")
    browser = store.create_source(name="web", kind="browser")
    placement = personalization.create_placement(key="hero", kind="offers", by="t", now=now())
    for key, rule in (("plain", None), ("diamond", DIAMOND)):
        offer = personalization.create_offer(
            key=key,
            headline=key,
            placement_ids=[placement.placement_id],
            rule=rule,
            by="t",
            now=now(),
        )
        personalization.set_offer_state(offer_id=offer.offer_id, state="live", by="t", now=now())
    with running_edge() as edge:
        made = Shop(edge, server, browser)
        made.publish()
        yield made


def eventually(condition: Any, what: str) -> float:
    began = time.monotonic()
    wait_for(condition, seconds=60, what=what)
    return time.monotonic() - began


def logged(decision_id: str) -> dict[str, Any]:
    with transaction() as connection:
        row = connection.execute(
            "SELECT profile_id, request, fallback FROM personalization_decision WHERE id = %s",
            [decision_id],
        ).fetchone()
    assert row is not None
    return {"profile_id": row[0], "request": row[1], "fallback": row[2]}


def drawn(shop: Shop, **identifiers: str) -> set[str]:
    """Return what is shown in twenty decisions."""
    return {item for _ in range(20) for item in shop.items(**identifiers)}


def owner(shop: Shop, **identifiers: str) -> int | None:
    _, answer = shop.ask({"placement": "hero", "identifiers": identifiers})
    profile_id: int | None = logged(answer["decisionId"])["profile_id"]
    return profile_id


def test_what_happened_changes_the_next_decision(shop: Shop) -> None:
    shop.tell(identify("u1"))
    eventually(lambda: owner(shop, user_id="u1"), "the customer to be known")
    assert drawn(shop, user_id="u1") == {"plain"}
    shop.tell(identify("u1", tier="diamond"))
    took = eventually(lambda: "diamond" in shop.items(user_id="u1"), "the diamond offer")
    assert took < 10
    shop.tell(identify("u1", tier="tin"))
    eventually(
        lambda: shop.health()["people"] == 0 or drawn(shop, user_id="u1") == {"plain"}, "tin"
    )
    eventually(lambda: drawn(shop, user_id="u1") == {"plain"}, "the rule to stop it")
    eventually(
        lambda: owner(shop, user_id="u1") and shop.health()["people"] == 1, "her to be at hand"
    )


def test_answers_name_everything_and_are_in_the_log(shop: Shop) -> None:
    shop.tell(identify("u1", tier="diamond", email="Ann@Example.com"))
    status, answer = shop.ask(
        {
            "placement": "hero",
            "email": " ann@example.COM ",
            "context": {"page": "/"},
            "channel": "app",
        }
    )
    assert status == 200
    assert answer.keys() == {
        *("decisionId", "placement", "kind", "items", "reason", "fallback", "policy")
    }
    (item,) = answer["items"]
    assert item.keys() == {"rank", "item", "propensity", "score", "reason", "content"}
    assert item["content"]["headline"] == item["item"]
    assert item["propensity"] == 0.5
    row = logged(answer["decisionId"])
    assert row["profile_id"] == store.find_profile(kind="user_id", value="u1").profile_id  # type: ignore[union-attr]
    assert row["request"] == {
        "placement": "hero",
        "identifiers": {"email": ""},
        "context": {"page": "/"},
        "channel": "app",
    }
    replay = personalization.replay_decisions()
    assert (replay.replayed, replay.same) == (1, 1)


def test_merged_customers_are_one_at_once(shop: Shop) -> None:
    shop.tell(
        {"type": "track", "event": "Seen", "anonymousId": "phone"},
        identify("u1", tier="diamond"),
    )
    apart = owner(shop, anonymous_id="phone"), owner(shop, user_id="u1")
    assert None not in apart
    assert apart[0] != apart[1]
    eventually(
        lambda: (
            (owner(shop, anonymous_id="phone"), owner(shop, user_id="u1")) == apart
            and shop.health()["people"] == 2
        ),
        "both to be at hand",
    )
    shop.tell({"type": "identify", "userId": "u1", "anonymousId": "phone"})
    eventually(lambda: owner(shop, anonymous_id="phone") == apart[1], "the merge")
    assert "diamond" in drawn(shop, anonymous_id="phone")
    (merge,) = store.list_merges().items
    store.unmerge(merge_id=merge.merge_id, by="t", now=now())
    shop.tell()
    eventually(lambda: owner(shop, anonymous_id="phone") != apart[1], "the merge to be undone")
    assert drawn(shop, anonymous_id="phone") == {"plain"}


def test_the_most_telling_identifier_that_is_known_says_who_it_is(shop: Shop) -> None:
    shop.tell(identify("u1", tier="diamond"), {"type": "page", "anonymousId": "a1"})
    one, two = owner(shop, user_id="u1"), owner(shop, anonymous_id="a1")
    assert owner(shop, user_id="u1", anonymous_id="a1") == one
    assert owner(shop, user_id="nobody", anonymous_id="a1") == two
    assert owner(shop, email="nobody@example.com", phone="12") is None


def test_whoever_is_not_known_is_decided_for_and_not_named_in_the_log(shop: Shop) -> None:
    for body in (
        {"placement": "hero"},
        {"placement": "hero", "email": "stranger@example.com"},
        {"placement": "hero", "email": "no address"},
        {"placement": "hero", "identifiers": {}},
    ):
        status, answer = shop.ask(body)
        assert status == 200
        assert [item["item"] for item in answer["items"]] == ["plain"]
        row = logged(answer["decisionId"])
        assert row["profile_id"] is None
        assert "stranger" not in json.dumps(row["request"])
    shop.tell(identify("u1", email="stranger@example.com", tier="diamond"))
    eventually(lambda: owner(shop, email="stranger@example.com"), "the stranger to be known")


def test_a_public_key_names_only_its_visitor(shop: Shop) -> None:
    shop.tell(identify("u1", tier="diamond"))
    key = shop.browser.write_key
    for who in ({"userId": "u1"}, {"email": "a@b.example"}, {"identifiers": {"phone": "123"}}):
        status, answer = shop.ask({"placement": "hero", "anonymousId": "a", **who}, key=key)
        assert (status, answer["code"]) == (403, "identifier_not_allowed")
    assert shop.ask({"placement": "hero", "anonymousId": "a"}, key=key)[0] == 200
    assert shop.ask({"placement": "hero"}, key=key)[0] == 200


def test_the_key_may_come_in_three_places(shop: Shop) -> None:
    url, key = f"{shop.edge.url}/v1/decide", shop.server.write_key
    body = json.dumps({"placement": "hero"}).encode()
    inside = json.dumps({"placement": "hero", "writeKey": key}).encode()
    assert send(url, body, key=key)[0] == 200
    assert send(f"{url}?writeKey={key}", body)[0] == 200
    assert send(url, inside)[0] == 200
    assert send(url, body)[:2][0] == 401
    assert send(url, body, key="wrong")[1]["code"] == "unknown_write_key"
    store.update_source(source_id=shop.browser.source_id, is_enabled=False)
    eventually(lambda: send(url, body, key=shop.browser.write_key)[0] == 404, "the key to stop")


BAD = {
    "empty": (b"", 400, "bad_request"),
    "not JSON": (b"{", 400, "bad_request"),
    "not UTF-8": (b'{"placement":"\xff"}', 400, "bad_request"),
    "a list": (b"[]", 400, "bad_request"),
    "no placement": (b"{}", 400, "missing_placement"),
    "a number for a name": (b'{"placement":7}', 400, "bad_request"),
    "an unknown field": (b'{"placement":"hero","user":"u1"}', 400, "bad_request"),
    "an unknown identifier": (
        b'{"placement":"hero","identifiers":{"name":"x"}}',
        400,
        "bad_request",
    ),
    "an identifier twice": (b'{"placement":"hero","userId":"a","user_id":"b"}', 400, "bad_request"),
    "a name twice": (b'{"placement":"hero","channel":"\\u0061","channel":"b"}', 400, "bad_request"),
    "a long identifier": (b'{"placement":"hero","userId":"%b"}' % (b"x" * 300), 400, "bad_request"),
    "a long channel": (b'{"placement":"hero","channel":"%b"}' % (b"x" * 99), 400, "bad_request"),
    "a context that is none": (b'{"placement":"hero","context":[]}', 400, "bad_request"),
    "deep": (b'{"placement":"hero","context":' + b'{"a":' * 9_000, 400, "bad_request"),
    "an unknown placement": (b'{"placement":"here"}', 404, "unknown_placement"),
    "NUL in its name": (b'{"placement":"\\u0000"}', 404, "unknown_placement"),
    "large": (b"x" * 70_000, 413, "too_large"),
    "4 MB": (b"\0" * 4_000_000, 413, "too_large"),
    "4 MB of brackets": (b"[" * 4_000_000, 413, "too_large"),
}


@pytest.mark.parametrize("gzipped", [False, True])
def test_bad_requests_are_refused_with_a_reason(shop: Shop, gzipped: bool) -> None:
    for name, (body, status, code) in BAD.items():
        headers = {"Content-Encoding": "gzip"} if gzipped else {}
        raw = gzip.compress(body) if gzipped else body
        if gzipped and len(body) > 100_000:
            continue  # a bomb: the collector's own tests have those
        answer = shop.ask(raw, **headers)
        assert (answer[0], answer[1].get("code")) == (status, code), name
        assert answer[1]["message"], name
    with transaction() as connection:
        assert connection.execute("SELECT count(*) FROM personalization_decision").fetchone() == (
            0,
        )
        assert connection.execute("SELECT count(*) FROM store_quarantine").fetchone() == (0,)


def test_odd_contexts_are_logged_and_not_feared(shop: Shop) -> None:
    for context in (
        {"page": "nul \0 and \ud800"},
        {"n": 1e308, "m": -(2**80), "product_id": {"a": 1}},
        {"basket": ["a", None, {"x": []}], "product_id": 7},
        {"": ["\n" * 100]},
    ):
        status, answer = shop.ask({"placement": "hero", "context": context})
        assert status == 200, context
        assert logged(answer["decisionId"])["request"]["context"].keys() == context.keys()


def test_other_methods_and_preflights(shop: Shop) -> None:
    url = f"{shop.edge.url}/v1/decide"
    status, _, headers = send(url, method="OPTIONS")
    assert (status, headers["access-control-allow-origin"]) == (204, "*")
    assert send(url)[0] == 405
    assert send(url + "/", b'{"placement":"hero"}', key=shop.server.write_key)[0] == 200


def test_nothing_to_show_is_said_and_logged(shop: Shop) -> None:
    hero = personalization.find_placement(key="hero")
    assert hero is not None
    personalization.create_placement(key="bare", kind="offers", by="t", now=now())
    personalization.create_placement(key="shelf", kind="products", by="t", now=now())
    personalization.update_placement(
        placement_id=hero.placement_id, is_enabled=False, by="t", now=now()
    )
    shop.publish()
    reasons = {}
    for placement in ("hero", "bare", "shelf"):
        status, answer = shop.ask({"placement": placement, "context": {"product_id": "p1"}})
        assert (status, answer["items"]) == (200, [])
        assert logged(answer["decisionId"])
        reasons[placement] = answer["reason"]
    assert reasons == {
        "hero": "the placement is switched off",
        "bare": "the placement has no offers",
        "shelf": "there is nothing to recommend yet",
    }


def test_a_changed_offer_is_followed(shop: Shop) -> None:
    (plain,) = (offer for offer in personalization.list_offers() if offer.key == "plain")
    personalization.set_offer_state(offer_id=plain.offer_id, state="paused", by="t", now=now())
    shop.publish()
    status, answer = shop.ask({"placement": "hero"})
    assert (status, answer["items"]) == (200, [])
    assert answer["reason"] == "none of its offers may be shown to this person now"


def test_a_customer_who_denies_profiling_is_decided_for_by_chance(shop: Shop) -> None:
    shop.tell(identify("u1", tier="diamond"))
    eventually(lambda: owner(shop, user_id="u1"), "the customer to be known")
    denial = {
        "type": "track",
        "event": "Segment Consent Preference Updated",
        "userId": "u1",
        "properties": {"categoryPreferences": {"profiling": False}},
    }
    shop.tell(denial)

    def fallback() -> bool:
        answer = shop.ask({"placement": "hero", "userId": "u1"})[1]
        return bool(answer["fallback"] == "no_profiling")

    eventually(fallback, "the denial")
    assert drawn(shop, user_id="u1") == {"plain"}


def test_a_cap_counts_what_was_seen(shop: Shop) -> None:
    (plain,) = (offer for offer in personalization.list_offers() if offer.key == "plain")
    personalization.update_offer(
        offer_id=plain.offer_id, cap_count=1, cap_days=1, by="t", now=now()
    )
    shop.publish()
    shop.tell(identify("u1"))
    eventually(lambda: owner(shop, user_id="u1"), "the customer to be known")
    answer = shop.ask({"placement": "hero", "userId": "u1"})[1]
    assert [item["item"] for item in answer["items"]] == ["plain"]
    seen = {"decision_id": answer["decisionId"], "promotion_id": "plain", "placement": "hero"}
    shop.tell(
        {"type": "track", "event": "Promotion Viewed", "userId": "u1", "properties": seen},
    )
    eventually(lambda: shop.items(user_id="u1") == [], "the cap")


def test_an_erased_customer_is_a_stranger(shop: Shop) -> None:
    shop.tell(identify("u1", tier="diamond"))
    eventually(lambda: owner(shop, user_id="u1"), "the customer to be known")
    profile = store.find_profile(kind="user_id", value="u1")
    assert profile is not None
    store.erase_profile(profile_id=profile.profile_id, by="t", now=now())
    eventually(lambda: owner(shop, user_id="u1") is None, "her to be forgotten")
    assert shop.health()["people"] == 0


def test_a_rebuild_leaves_nothing_stale(shop: Shop) -> None:
    shop.tell(identify("u1", tier="diamond"))
    eventually(lambda: owner(shop, user_id="u1"), "the customer to be known")
    store.rebuild()
    eventually(lambda: "diamond" in drawn(shop, user_id="u1"), "her to be back")


@pytest.mark.parametrize("most", [0, 1])
def test_few_places_in_memory_change_no_answer(shop: Shop, most: int) -> None:
    shop.tell(identify("u1", tier="diamond"), identify("u2"))
    with running_edge(decide_profiles=most) as edge:
        small = Shop(edge, shop.server, shop.browser)
        wait_for(lambda: small.health()["is_ready"], what="the snapshot")
        for _ in range(10):
            assert small.items(user_id="u1") != []
            assert small.items(user_id="u2") == ["plain"]
        assert "diamond" in drawn(small, user_id="u1")
        eventually(
            lambda: small.items(user_id="u2") and small.health()["people"] == most, "the places"
        )


def test_a_key_that_asks_too_much_waits(shop: Shop) -> None:
    with running_edge(key_events_per_second=3) as edge:
        small = Shop(edge, shop.server, shop.browser)
        wait_for(lambda: small.health()["is_ready"], what="the snapshot")
        answers = [small.ask({"placement": "hero"}) for _ in range(8)]
    assert {status for status, _ in answers} == {200, 429}
    assert {answer["code"] for status, answer in answers if status == 429} == {"too_many_events"}


def test_without_the_database_askers_wait_and_it_recovers_by_itself(shop: Shop) -> None:
    shop.tell(identify("u1", tier="diamond"))
    with fault_proxy() as (proxy, url), running_edge(database_url=url) as edge:
        proxied = Shop(edge, shop.server, shop.browser)
        wait_for(lambda: proxied.health()["is_ready"], what="the snapshot")
        assert proxied.items(user_id="u1")
        proxy.go_down()
        for user in ("u1", "u2"):
            body = json.dumps({"placement": "hero", "userId": user}).encode()
            status, answer, headers = send(f"{edge.url}/v1/decide", body, key=shop.server.write_key)
            assert (status, answer["code"]) == (429, "database_down")
            assert 1 <= int(headers["retry-after"]) <= 300
        wait_for(lambda: not proxied.health()["is_ready"], what="the trouble to be told")
        proxy.come_back()
        wait_until_ready(edge)
        wait_for(lambda: proxied.health()["is_ready"], what="decisions to come back")
        # A connection that broke unnoticed costs whoever finds out one more refusal.
        for user in ("u1", "u2"):
            ask = {"placement": "hero", "userId": user}
            wait_for(lambda ask=ask: proxied.ask(ask)[0] == 200, what="an answer")


def test_before_there_is_any_placement_askers_wait(db: str) -> None:
    source = store.create_source(name="till", kind="server")
    with running_edge() as edge:
        status, answer, _ = send(
            f"{edge.url}/v1/decide", b'{"placement":"hero"}', key=source.write_key
        )
        assert (status, answer["code"]) == (429, "starting")
        assert send(f"{edge.url}/health/ready")[0] == 200
