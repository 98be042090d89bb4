"""Rebuild, unmerge, erasure, statistics, catalogue."""

import hashlib
from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from amity.infra import database
from amity.kernel.errors import Conflict, NotFound
from amity.store import api

NOW = datetime.now(UTC).replace(microsecond=0)
TABLES = {
    "store_profile": "id",
    "store_identifier": "kind, value",
    "store_merge": "id",
    "store_activity": "position",
    "store_order": "profile_id, order_id",
    "store_tally": "kind, name",
}


@pytest.fixture
def source(db):
    return api.create_source(name="Shop", kind="server").source_id


def fold_all(limit=2000):
    while api.fold_batch(limit=limit).events:
        pass


def send(source_id, *events, limit=2000):
    raw = [msgspec.json.encode(event) for event in events]
    receipt = api.append_events(source_id=source_id, events=raw, now=NOW)
    assert receipt.accepted == len(events), receipt
    fold_all(limit)


def track(name, minutes=0, properties=None, **ids):
    at = (NOW - timedelta(days=1) + timedelta(minutes=minutes)).isoformat()
    return {"type": "track", "event": name, "timestamp": at, "properties": properties or {}, **ids}


def identify(traits, minutes=0, **ids):
    return {**track("", minutes, **ids), "type": "identify", "traits": traits}


def rows(query, *arguments):
    with database.transaction() as connection:
        return connection.execute(query, arguments).fetchall()


def dump():
    """Every projection, row by row, as text; and its digest."""
    return {
        table: rows(f"SELECT t::text FROM {table} t ORDER BY {key}")
        for table, key in TABLES.items()
    }


def digest(dumped):
    return hashlib.sha256(repr(dumped).encode()).hexdigest()


def tell_a_story(source):
    send(
        source,
        track("Product Viewed", 1, anonymousId="a1"),
        track("Product Viewed", 2, anonymousId="a2"),
        track("Order Completed", 3, {"order_id": "o1", "total": 10}, anonymousId="a2"),
        identify({"email": "ann@x.org", "name": "Ann"}, 4, userId="ann", anonymousId="a1"),
    )
    send(
        source,
        identify({"plan": "gold", "old": None}, 20, userId="ann", anonymousId="a2"),
        track("Order Completed", 5, {"order_id": "o1", "total": 12}, userId="ann"),
        identify({"phone": "+43 1 234 567"}, 21, userId="bob", anonymousId="a2"),
        identify({"plan": "late", "old": 1}, 0, userId="ann"),
        {**track("", 8, userId="ann"), "type": "alias", "previousId": "a9"},
        {**track("", 9, userId="ann"), "type": "page", "name": "Home"},
    )


def joins():
    return {merge.value: merge for merge in api.list_merges(refused=False).items}


def test_a_rebuild_gives_the_same_bytes(source):
    tell_a_story(source)
    api.unmerge(merge_id=joins()["a2"].merge_id, by="me", now=NOW)
    fold_all()
    send(source, track("Product Added", 30, anonymousId="a2"), track("X", 31, userId="ann"))
    send(source, track("Order Refunded", 32, {"order_id": "o1", "total": 2}, userId="ann"))
    before, place = dump(), rows("SELECT xid::text, event_id, position FROM store_consumer")
    with database.transaction() as connection:
        api.claim_consumer(connection=connection, name="segments")
        api.advance_consumer(connection=connection, name="segments", position=7)
    seen = []
    folded = api.rebuild(progress=lambda done, total: seen.append((done, total)))
    assert folded == seen[-1][0] == seen[-1][1] == len(rows("SELECT FROM store_event_log"))
    after = dump()
    assert after == before
    assert digest(after) == digest(before)
    assert (
        rows("SELECT xid::text, event_id, position FROM store_consumer WHERE name = 'profiles'")[0]
        in place
    )
    assert rows("SELECT position FROM store_consumer WHERE name = 'segments'") == [(7,)]


def test_the_size_of_batches_does_not_matter(source):
    tell_a_story(source)
    before = dump()
    with database.transaction() as connection:
        connection.execute(f"TRUNCATE {', '.join(TABLES)}")
        connection.execute(
            "UPDATE store_consumer SET xid = '0', event_id = 0, position = 0, epoch = epoch + 1"
        )
    fold_all(limit=1)
    assert dump() == before


def test_consumers_above_wait_for_a_rebuild(source):
    tell_a_story(source)
    with database.transaction() as connection:
        assert api.claim_consumer(connection=connection, name="segments") == 0
        api.advance_consumer(connection=connection, name="segments", position=5)
        connection.execute("UPDATE store_consumer SET position = 4 WHERE name = 'profiles'")
    with database.transaction() as connection:
        assert api.claim_consumer(connection=connection, name="segments") is None


def test_an_undone_merge_leaves_two_and_tells_who_follows(source):
    tell_a_story(source)
    merge = joins()["a2"]
    before = api.find_profile(kind="user_id", value="ann")
    assert before.order_count == 1
    assert before.revenue_minor == 1200
    api.unmerge(merge_id=merge.merge_id, by="me", now=NOW)
    fold_all()
    ann = api.find_profile(kind="user_id", value="ann")
    device = api.find_profile(kind="anonymous_id", value="a2")
    assert ann.profile_id != device.profile_id
    # Had it never been ann's, it would be the other's who signed in on it.
    assert device.user_id == "bob"
    assert device.event_counts == {"Product Viewed": 1, "Order Completed": 1, "Identify": 1}
    assert (device.order_count, device.revenue_minor) == (1, 1000)
    assert (ann.order_count, ann.revenue_minor) == (1, 1200)
    assert ann.event_count + device.event_count == before.event_count + 1
    assert device.version > before.version
    assert ann.version > before.version
    names = [item.name for item in api.list_activity(profile_id=device.profile_id).items]
    assert names.count("Profile Unmerged") == 2  # undone; then the other's evidence counts
    with pytest.raises(Conflict):
        api.unmerge(merge_id=merge.merge_id, by="me", now=NOW)
    send(source, track("Y", 40, userId="ann", anonymousId="a2"))
    assert api.find_profile(kind="anonymous_id", value="a2").profile_id == device.profile_id
    with pytest.raises(NotFound):
        api.unmerge(merge_id=12345, by="me", now=NOW)


def test_erasure_leaves_no_trace(source):
    tell_a_story(source)
    ann, bob = (api.find_profile(kind="user_id", value=name) for name in ("ann", "bob"))
    api.append_events(
        source_id=source,
        events=[
            b'{"type": "track", "userId": "x", "email": "ANN@x.org"}',
            b'{"type": "track", "userId": "ann", "messageId": 1}',
            b'{"type": "track", "userId": "bob", "messageId": 1}',
        ],
        now=NOW,
    )
    ids = api.list_joined(profile_id=ann.profile_id)
    assert len(ids) == 2
    counts = api.erase_profile(profile_id=ids[-1], by="me", now=NOW)
    assert counts["store_profile"] == 2
    assert counts["store_quarantine"] == 2
    assert counts["store_event_log"] == ann.event_count
    assert counts["store_event_key"] == ann.event_count
    for value in ("ann@x.org", '"ann"', ",ann,", ",a1,", '"a9"'):
        for table in (*TABLES, "store_erasure"):
            assert not rows(f"SELECT FROM {table} t WHERE t::text ILIKE %s", f"%{value}%"), table
        for table, column in (("store_event_log", "body"), ("store_quarantine", "raw")):
            query = f"SELECT FROM {table} WHERE position(%s::text::bytea IN {column}) > 0"
            assert not rows(query, value), table
    with pytest.raises(NotFound):
        api.get_profile(profile_id=ann.profile_id)
    assert api.get_profile(profile_id=bob.profile_id) == bob
    assert api.count_profiles() == 1
    [(hashes, by)] = rows("SELECT identifier_hashes, requested_by FROM store_erasure")
    assert len(hashes) == 5
    assert by == "me"
    kept = dump()
    api.rebuild()
    assert [row for row in rows("SELECT id FROM store_profile")] == [(bob.profile_id,)]
    assert len(dump()["store_activity"]) == len(kept["store_activity"])
    send(source, track("Back", 50, userId="ann"))
    assert api.find_profile(kind="user_id", value="ann").event_count == 1


def test_after_an_erasure_consumers_keep_their_place_through_a_rebuild(source):
    send(source, *(track("A", 1, userId=f"u{number}") for number in range(10)))
    victim = api.find_profile(kind="user_id", value="u2").profile_id
    with database.transaction() as connection:
        api.claim_consumer(connection=connection, name="segments")
        api.advance_consumer(connection=connection, name="segments", position=6)
    api.erase_profile(profile_id=victim, by="me", now=NOW)
    with database.transaction() as connection:
        left = api.read_activity(connection=connection, after=6, limit=100)
    api.rebuild()
    with database.transaction() as connection:
        place = api.claim_consumer(connection=connection, name="segments")
        again = api.read_activity(connection=connection, after=place, limit=100)
    assert [item.event_id for item in again] == [item.event_id for item in left]


def test_numbers_and_names_agree_with_the_tables(source):
    tell_a_story(source)
    api.append_events(source_id=source, events=[b"{}"], now=NOW)
    numbers = api.stats()
    assert numbers.events.stored == 10
    assert numbers.events.quarantined == 1
    assert numbers.events.received == 11
    assert (numbers.profiles,) == rows(
        "SELECT count(*) FROM store_profile WHERE merged_into IS NULL"
    )[0]
    assert (numbers.identifiers,) == rows("SELECT count(*) FROM store_identifier")[0]
    assert (numbers.merges,) == rows("SELECT count(*) FROM store_merge WHERE refusal = ''")[0]
    lags = {lag.name: lag for lag in numbers.consumers}
    assert (lags["profiles"].events, lags["profiles"].seconds) == (0, 0)
    assert lags["segments"].events == 11
    assert api.list_event_names(search="order") == [("Order Completed", 2)]
    assert ("plan", 1) in api.list_trait_names()
    assert api.list_properties(event_name="Order Completed") == ["order_id", "total"]
    assert api.trait_values(trait="plan") == [("gold", 1)]
    api.append_events(
        source_id=source, events=[msgspec.json.encode(track("Z", 1, userId="z"))], now=NOW
    )
    lag = api.stats().consumers[0]
    assert lag.events == 1
    assert lag.seconds >= 0


def test_pages_follow_each_other(source):
    send(source, *(track("A", number, userId=f"u{number}") for number in range(25)))
    for sort in ("last_seen", "revenue"):
        seen, cursor = [], None
        while True:
            page = api.list_profiles(sort=sort, cursor=cursor, limit=10)
            seen += [row.user_id for row in page.items]
            cursor = page.next_cursor
            if cursor is None:
                break
        assert seen == [f"u{number}" for number in range(24, -1, -1)]
    assert len(api.list_profiles(search="u1").items) == 11
    assert api.list_profiles(search="%").items == []
    send(source, track("A", 1, anonymousId="anon"))
    assert len(api.list_profiles(known_only=True, limit=100).items) == 25
    ids = [api.find_profile(kind="user_id", value="u3").profile_id]
    assert [row.user_id for row in api.list_profiles(profile_ids=ids).items] == ["u3"]
    send(source, *(track(f"N{number % 2}", number, userId="u1") for number in range(30)))
    page = api.list_activity(profile_id=ids[0], limit=5)
    assert len(page.items) == 1
    one = api.find_profile(kind="user_id", value="u1").profile_id
    first = api.list_activity(profile_id=one, names=["N1"], limit=10)
    second = api.list_activity(profile_id=one, names=["N1"], limit=10, cursor=first.next_cursor)
    assert [len(first.items), len(second.items), second.next_cursor] == [10, 5, None]
    assert first.items[-1].occurred_at > second.items[0].occurred_at
