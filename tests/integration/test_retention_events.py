"""Old events are emptied, and all that is known of customers can still be made from the log."""

from datetime import UTC, datetime, timedelta
from urllib.parse import quote

import msgspec
import pytest

from amity.infra import database
from amity.infra.warehouse_verifying import verify
from amity.infra.warehouse_writing import ensure_exports, export_all
from amity.store import api as store
from amity.store import api_plans
from amity.store import api_retention as keeping
from amity.store.contracts_retention import RetentionPlan
from amity.web.retention.sweeping import all_sweeps
from amity.web.warehousing import list_exports

NOW = datetime.now(UTC).replace(microsecond=0)
SWEEPS = all_sweeps()
WORDS = "Schuhgroesse42"
TRUTHS = {
    "store_profile": "id",
    "store_identifier": "kind, value",
    "store_merge": "id",
    "store_activity": "position",
    "store_order": "profile_id, order_id",
    "store_tally": "kind, name",
    "store_evidence": "edge_key",
    "store_claim": "origin_id, trait, source_id, how, value_key",
    "store_consent": "record_id",
}


def rows(query, *values):
    with database.transaction() as connection:
        found = connection.execute(query, values)
        return found.fetchall() if found.description else found.rowcount


def dump(*leaving):
    return {
        table: [row[0] for row in rows(f"SELECT t::text FROM {table} t ORDER BY {key}")]
        for table, key in TRUTHS.items()
        if table not in leaving
    }


def settle():
    while store.fold_batch().events + store.follow(now=NOW) + api_plans.watch_quality(
        now=NOW
    ) or store.write_consents(now=NOW):
        pass
    with database.transaction() as connection:
        connection.execute(
            "UPDATE store_consumer c SET position = p.position FROM store_consumer p"
            " WHERE p.name = 'profiles' AND c.name <> 'profiles'"
        )


def send(source, days, *events):
    """Have events arrive so many days ago."""
    at = NOW - timedelta(days=days)
    with database.transaction("owner") as connection:
        connection.execute("SELECT store_ensure_partition(%s)", [at.date()])
    raw = [msgspec.json.encode({"timestamp": at.isoformat(), **event}) for event in events]
    receipt = store.append_events(source_id=source, events=raw, now=at)
    assert receipt.accepted == len(events), receipt


def track(name, properties=None, **more):
    context = {"ip": "192.0.2.7", "page": {"url": f"https://shop.example/{WORDS}"}}
    told = {"type": "track", "event": name, "properties": properties or {}, "context": context}
    return told | more


def page(**more):
    return {"type": "page", "name": "Shoes", "properties": {"title": WORDS}, **more}


def identify(traits, **more):
    return {"type": "identify", "traits": traits, "context": {"ip": "192.0.2.7"}, **more}


def tell_a_story(source, days):
    send(
        source,
        days,
        track("Product Viewed", {"name": WORDS}, anonymousId="a1"),
        page(anonymousId="a2"),
        track("Order Completed", {"order_id": "o1", "total": 10, "note": "gift"}, userId="ann"),
        identify({"email": "ann@x.org", "name": "Ann"}, userId="ann", anonymousId="a1"),
        track("Unsubscribed", {"why": "much"}, userId="ann"),
        {"type": "alias", "userId": "ann", "previousId": "a2"},
    )
    email = {"traits": {"email": "bob@x.org"}, "ip": "192.0.2.8", "library": {"name": WORDS}}
    send(
        source,
        days - 1,
        track("Signed In", {"how": WORDS}, userId="bob", context=email),
        {"type": "group", "userId": "bob", "groupId": "g", "traits": {"plan": "gold"}},
        identify({"phone": "+43 1 234 567"}, userId="bob", extra=WORDS),
        track(
            "Segment Consent Preference Updated",
            {"categoryPreferences": {"marketing.email": True}},
            userId="bob",
        ),
    )


@pytest.fixture
def source(db):
    return store.create_source(name="Shop", kind="server").source_id


def run(key, now=NOW):
    return keeping.run_retention(SWEEPS, key=key, by="ann", now=now)


def test_emptied_events_still_make_the_same_customers(source, monkeypatch):
    monkeypatch.setattr("amity.store.logic.retention.events._AT_ONCE", 4)
    tell_a_story(source, 800)
    tell_a_story(source, 20)
    settle()
    exports = list_exports()
    ensure_exports(exports)
    export_all(exports)
    before, bodies = dump(), dict(rows("SELECT id, body FROM store_event_log"))
    rule = keeping.get_retention_rule(SWEEPS, "events.details")
    told = keeping.preview_retention(SWEEPS, rule=rule, now=NOW).removal
    assert dict(rows("SELECT id, body FROM store_event_log")) == bodies

    done = run("events.details")
    assert done.removed == told
    assert (done.removed.rows, done.removed.tables) == (5, {"store_event_log": 5})
    assert done.removed.oldest_at == NOW - timedelta(days=800)
    assert done.removed.newest_at == NOW - timedelta(days=799)
    left = dict(rows("SELECT id, body FROM store_event_log"))
    changed = {key for key in bodies if bodies[key] != left[key]}
    assert len(changed) == 5
    assert done.removed.size_bytes == sum(len(bodies[key]) - len(left[key]) for key in changed)
    assert not any(WORDS.encode() in left[key] for key in changed)
    old = "received_at < now() - interval '760 days' AND source_id <> 1"
    kept = rows(f"SELECT count(*) FROM store_activity WHERE {old} AND properties::text ~ '{WORDS}'")
    assert kept == [(0,)]
    # Orders and consents say all they said, whatever their age.
    assert rows(
        f"SELECT count(*) FROM store_activity WHERE {old} AND properties ?| '{{note,why}}'"
    ) == [(2,)]

    # All that is known of customers is as it was, and can be made from the log alone.
    assert dump("store_activity") == {k: v for k, v in before.items() if k != "store_activity"}
    after = dump()
    store.rebuild()
    settle()
    assert dump() == after

    # The warehouse says the same, and where it was written before it was written anew.
    assert rows("SELECT count(*) FROM store_retention_day") == [(0,)]
    ensure_exports(exports)
    done = verify(exports, log_days=store.read_log_days, now=NOW)
    assert done.differences == []

    assert run("events.details").removed.rows == 0


def test_the_warehouse_follows_without_a_rebuild(source):
    tell_a_story(source, 800)
    settle()
    exports = list_exports()
    ensure_exports(exports)
    export_all(exports)
    run("events.details")
    assert verify(exports, log_days=store.read_log_days, now=NOW).differences == []


def test_a_merge_can_be_taken_back_after_its_events_were_emptied(source):
    tell_a_story(source, 800)
    settle()
    plain = {merge.value: merge.merge_id for merge in store.list_merges(refused=False).items}
    run("events.details")
    [merge_id] = {plain[value] for value in plain if value == "a2"}
    was = dump("store_activity")
    store.unmerge(merge_id=merge_id, by="ann", now=NOW)
    settle()
    assert dump("store_activity") != was
    taken = dump()
    store.rebuild()
    settle()
    assert dump() == taken


def test_addresses_go_early_and_where_they_show_a_consent_they_stay(source):
    tell_a_story(source, 40)
    settle()
    assert run("events.network").removed.rows == 5
    bodies = [bytes(row[0]) for row in rows("SELECT body FROM store_event_log")]
    with_address = [msgspec.json.decode(body) for body in bodies if b"192.0.2." in body]
    assert {each["event"] for each in with_address} == {
        "Unsubscribed",
        "Segment Consent Preference Updated",
    }
    assert any(WORDS.encode() in body for body in bodies)


def test_a_rule_of_its_own_takes_only_its_events(source):
    tell_a_story(source, 100)
    send(source, 5, page(anonymousId="a1"))
    settle()
    plan = RetentionPlan(keep_days=30, basis="consent", reason="so said", names=["Page Viewed"])
    made = keeping.add_retention_rule(
        SWEEPS, kind="events.details", name="pages", plan=plan, by="ann", now=NOW
    )
    assert run(made.key).removed.rows == 1
    titles = rows(
        "SELECT properties ->> 'title' FROM store_activity WHERE type = 'page' ORDER BY position"
    )
    assert titles == [(None,), (WORDS,)]


def test_what_a_reader_still_has_before_it_is_left_alone(source):
    tell_a_story(source, 800)
    settle()
    rows("UPDATE store_consumer SET position = 1 WHERE name = 'segments'")
    assert run("events.details").removed.rows <= 1
    settle()
    assert run("events.details").removed.rows >= 4


def test_long_silent_visitors_are_erased_with_everything(source):
    send(source, 500, page(anonymousId="quiet-visitor-1"))
    told = identify({"email": "k@x.org"}, userId="known-1", anonymousId="known-1")
    send(source, 500, page(anonymousId="known-1"), told)
    send(source, 500, page(anonymousId="came-back-1"))
    send(source, 3, page(anonymousId="came-back-1"))
    settle()
    rule = keeping.get_retention_rule(SWEEPS, "profiles.unknown")
    assert not rule.is_enabled
    assert keeping.preview_retention(SWEEPS, rule=rule, now=NOW).removal.rows == 1
    done = run("profiles.unknown")
    assert done.removed.tables["store_profile"] == 1
    assert done.removed.tables["store_event_log"] == 1
    left = {row[0] for row in rows("SELECT value FROM store_identifier")}
    assert left == {"known-1", "k@x.org", "came-back-1"}
    [erasure] = store.list_erasures().items
    assert erasure.requested_by == "retention"
    assert quote("quiet-visitor-1") not in str(rows("SELECT body::text FROM store_event_log"))


def test_what_was_emptied_is_not_gone_through_again(source):
    tell_a_story(source, 800)
    settle()
    assert run("events.details").removed.rows == 5
    [(cursor,)] = rows("SELECT cursor FROM store_retention_rule WHERE key = 'events.details'")
    assert int(cursor) > 5
    plan = RetentionPlan(keep_days=700, basis="consent", reason="so said")
    rule = keeping.save_retention_rule(SWEEPS, key="events.details", plan=plan, by="ann", now=NOW)
    kept = "SELECT cursor FROM store_retention_rule WHERE key = 'events.details'"
    assert rows(kept) == [(cursor,)]
    assert keeping.preview_retention(SWEEPS, rule=rule, now=NOW).removal.rows == 0
    store.rebuild()
    assert rows(kept) == [("",)]
    assert run("events.details").removed.rows == 0
