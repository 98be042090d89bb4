"""The framework of followers: turns, positions, faults of one activity, merges that are undone."""

import logging
from datetime import UTC, datetime

import msgspec
import psycopg
import pytest

from amity.infra import postgres
from amity.infra.database import transaction
from amity.store import api
from amity.store.follower import Follower, followers

NOW = datetime(2026, 3, 4, tzinfo=UTC)


class _Notes(Follower):
    """Keeps who did what; cannot take what is called Poison, and is away for Outage."""

    name = "test_notes"
    tables = ("test_note",)
    rung = 0

    def apply(self, activities):
        names = {each.name for each in activities}
        if "Outage" in names:
            raise psycopg.OperationalError("away")
        rows = [(each.origin_id, each.position, each.name) for each in activities]
        self.connection.cursor().executemany("INSERT INTO test_note VALUES (%s, %s, %s)", rows)
        if "Poison" in names:
            raise ValueError("the e-mail address of ann@example.com")

    def ring(self):
        type(self).rung += 1
        return 0


@pytest.fixture
def source(db, server, monkeypatch):
    with psycopg.connect(server.conninfo(postgres.OWNER, database=db)) as owner:
        owner.execute("CREATE TABLE test_note (origin_id bigint, position bigint, name text)")
        owner.execute("GRANT ALL ON test_note TO PUBLIC")
    found = followers()
    for name in found.names():
        monkeypatch.delitem(found._items, name)
    monkeypatch.setitem(found._items, _Notes.name, _Notes)
    return api.create_source(name="Shop", kind="server").source_id


def send(source_id, *events):
    raw = [msgspec.json.encode(event) for event in events]
    assert api.append_events(source_id=source_id, events=raw, now=NOW).accepted == len(events)
    while api.fold_batch().events:
        pass


def track(name, **ids):
    return {"type": "track", "event": name, "properties": {}, **(ids or {"userId": "u1"})}


def notes():
    with transaction() as connection:
        rows = connection.execute("SELECT name, origin_id FROM test_note ORDER BY position")
        return rows.fetchall()


def names():
    return [name for name, _ in notes()]


def position():
    with transaction() as connection:
        row = connection.execute("SELECT position FROM store_consumer WHERE name = 'test_notes'")
        found = row.fetchone()
        return found[0] if found else 0


def test_a_follower_reads_on_from_where_it_stands(source):
    send(source, track("A"), track("B"), track("C"))
    assert api.follow(now=NOW, limit=2) == 2
    assert (names(), position()) == (["A", "B"], 2)
    assert api.follow(now=NOW, limit=2) == 1
    assert api.follow(now=NOW) == 0
    assert (names(), position()) == (["A", "B", "C"], 3)


def test_one_activity_that_cannot_be_taken_is_passed_over_and_told(source, caplog):
    send(source, *(track("Poison" if number == 5 else f"E{number}") for number in range(9)))
    with caplog.at_level(logging.ERROR):
        assert api.follow(now=NOW) == 9
    assert names() == [f"E{number}" for number in range(9) if number != 5]
    assert position() == 9
    [line] = caplog.messages
    assert "activity 6" in line
    assert "ann@example.com" not in line, "a customer's data must not come into a log"
    send(source, track("After"))
    assert api.follow(now=NOW) == 1
    assert names()[-1] == "After"


def test_what_is_not_the_events_fault_is_tried_again_and_nothing_passed_over(source):
    send(source, track("A"), track("Outage"), track("B"))
    with pytest.raises(psycopg.OperationalError):
        api.follow(now=NOW)
    assert (names(), position()) == ([], 0)


class _Broken(_Notes):
    """Comes first, and is never well."""

    name = "test_broken"

    def apply(self, activities):
        raise psycopg.OperationalError("away")


def test_one_that_fails_does_not_keep_the_others_waiting(source, monkeypatch):
    found = followers()._items
    monkeypatch.delitem(found, _Notes.name)
    monkeypatch.setitem(found, _Broken.name, _Broken)
    monkeypatch.setitem(found, _Notes.name, _Notes)
    send(source, track("A"))
    with pytest.raises(psycopg.OperationalError):
        api.follow(now=NOW)
    assert names() == ["A"]


def test_a_fault_of_the_clock_does_not_undo_what_was_read(source, monkeypatch, caplog):
    monkeypatch.setattr(_Notes, "ring", lambda self: 1 // 0)
    send(source, track("A"))
    assert api.follow(now=NOW) == 1
    assert (names(), position()) == (["A"], 1)
    assert "test_notes cannot do what is due" in caplog.text


def test_the_clock_rings_also_when_nothing_happened(source):
    before = _Notes.rung
    assert api.follow(now=NOW) == 0
    assert _Notes.rung == before + 1


def test_rows_are_made_again_when_a_merge_is_undone(source):
    send(source, track("Seen", anonymousId="a1"), track("Bought"), track("Other", userId="u2"))
    send(source, {"type": "alias", "previousId": "a1", "userId": "u1"})
    api.follow(now=NOW)
    before = notes()
    [merge] = api.list_merges().items
    api.unmerge(merge_id=merge.merge_id, by="test", now=NOW)
    while api.fold_batch().events:
        pass
    api.follow(now=NOW, limit=1)
    while api.follow(now=NOW, limit=1):
        pass
    after = notes()
    assert {each[0] for each in after} >= {each[0] for each in before}
    owners = dict(after)
    assert owners["Seen"] != owners["Bought"]
    assert owners["Other"] == dict(before)["Other"]
    assert len(after) == len({(name, owner) for name, owner in after}), "a row stands twice"
    with transaction() as connection:
        wrong = connection.execute(
            "SELECT count(*) FROM test_note n JOIN store_activity a USING (position) "
            "WHERE n.origin_id <> a.origin_id"
        ).fetchone()
    assert wrong == (0,)


def test_while_profiles_are_rebuilt_a_follower_starts_over_and_loses_nothing(source):
    send(source, *(track(f"E{number}") for number in range(5)))
    api.follow(now=NOW)
    before = notes()
    api.rebuild()
    assert position() == 0
    assert notes() == []
    while api.follow(now=NOW, limit=2):
        pass
    assert notes() == before
