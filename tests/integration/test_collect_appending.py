"""Writing to the log for importers, for Amity itself, and out of quarantine."""

import time
from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from amity.infra.database import transaction
from amity.kernel.errors import Invalid
from amity.store.contracts import SYSTEM_SOURCE_ID
from amity.store.logic.intake.appending import append_events, list_received, record_event
from amity.store.logic.intake.quarantine import count_quarantine, list_quarantine, replay_quarantine
from amity.store.logic.intake.sources import count_by_source, create_source

NOW = datetime.now(UTC)


def event(message_id: str | None, **more: object) -> bytes:
    body = {"type": "track", "event": "Bought", "userId": "u1", **more}
    return msgspec.json.encode(body if message_id is None else {**body, "messageId": message_id})


@pytest.fixture
def source(db: str) -> int:
    return create_source(name="shop", kind="server").source_id


def log() -> list[tuple[object, ...]]:
    with transaction() as connection:
        return connection.execute(
            "SELECT message_id, body, source_id FROM store_event_log ORDER BY xid, id"
        ).fetchall()


def conserved(source: int) -> tuple[int, int, int]:
    counts = count_by_source()[source]
    assert counts.received == (
        counts.stored + counts.duplicate + counts.quarantined + counts.refused
    )
    assert counts.stored == sum(row[2] == source for row in log())
    return counts.stored, counts.duplicate, counts.quarantined


def test_new_repeated_and_conflicting_events_are_told_apart(source: int) -> None:
    first = append_events(source_id=source, events=[event("a"), event("b"), event("a")], now=NOW)
    assert (first.accepted, first.duplicate, first.quarantined) == (2, 1, 0)
    rewritten = b' {"messageId":"a", "userId":"u1","event":"Bought","type":"track"}'
    second = append_events(
        source_id=source,
        events=[rewritten, event("b", sentAt="2026-01-01T00:00:00Z"), event("b", userId="u2")],
        now=NOW,
    )
    assert (second.accepted, second.duplicate, second.quarantined) == (0, 2, 1)
    assert [(e.index, e.message_id, e.code) for e in second.errors] == [(2, "b", "id_conflict")]
    assert conserved(source) == (2, 3, 1)
    assert [row[1] for row in log()] == [event("a"), event("b")]


def test_the_same_id_of_two_sources_is_two_events(source: int) -> None:
    other = create_source(name="other").source_id
    for each in (source, other):
        assert append_events(source_id=each, events=[event("a")], now=NOW).accepted == 1


def test_an_event_without_an_id_is_given_one(source: int) -> None:
    receipt = append_events(source_id=source, events=[event(None), event(None)], now=NOW)
    assert receipt.accepted == 2
    assert all(len(str(row[0])) == 36 for row in log())


def test_the_day_of_receipt_needs_no_partition_beforehand(source: int) -> None:
    long_ago = NOW - timedelta(days=900)
    assert append_events(source_id=source, events=[event("a")], now=long_ago).accepted == 1


def test_a_callers_transaction_decides(source: int) -> None:
    def roll_back() -> None:
        with transaction() as connection:
            events = [event("a"), b"?"]
            append_events(source_id=source, events=events, connection=connection, now=NOW)
            raise RuntimeError

    with pytest.raises(RuntimeError):
        roll_back()
    assert log() == []
    assert count_by_source() == {}
    assert count_quarantine() == {}


def test_an_event_of_our_own_is_recorded_once(db: str) -> None:
    for _ in range(2):
        with transaction() as connection:
            record_event(
                connection=connection,
                profile_id=7,
                name="Segment Entered",
                properties={"segment_id": 3},
                message_id="enter-7-3",
                now=NOW,
            )
    assert len(log()) == 1
    (shown,) = list_received()
    assert (shown.source_id, shown.name) == (SYSTEM_SOURCE_ID, "Segment Entered")
    assert msgspec.json.decode(shown.body)["profileId"] == 7


def test_received_events_are_followed_by_cursor(source: int) -> None:
    for name in "abc":
        append_events(source_id=source, events=[event(name)], now=NOW)
    newest = list_received(source_id=source, limit=2)
    assert [each.message_id for each in newest] == ["c", "b"]
    seen = {"b"}
    cursor = newest[1].cursor
    for _ in range(200):  # another transaction of the server may hold events back for a moment
        followed = list_received(after=cursor)
        seen |= {each.message_id for each in followed}
        cursor = followed[-1].cursor if followed else cursor
        if "c" in seen:
            break
        time.sleep(0.02)
    assert seen == {"b", "c"}
    assert list_received(after=cursor) == []
    with pytest.raises(Invalid):
        list_received(after="1;2")


def test_quarantine_keeps_raw_bytes_and_counts_repetitions(source: int) -> None:
    bad = b'{"type":"track","event":"x","userId":"\xff"}'
    append_events(source_id=source, events=[bad, event("good"), bad], now=NOW)
    append_events(source_id=source, events=[bad, b"{"], now=NOW)
    page = list_quarantine(source_id=source, limit=1)
    assert page.items[0].raw == b"{"
    assert page.next_cursor is not None
    rest = list_quarantine(cursor=page.next_cursor)
    assert [(each.raw, each.seen, each.reason) for each in rest.items] == [(bad, 3, "bad_utf8")]
    assert rest.next_cursor is None
    assert count_quarantine() == {"bad_utf8": 1, "not_json": 1}
    assert list_quarantine(reason="not_json").items[0].raw == b"{"
    assert conserved(source) == (1, 0, 4)


def test_replay_stores_once_what_can_be_understood_now(source: int) -> None:
    append_events(source_id=source, events=[b"{", b"["], now=NOW)
    with transaction() as connection:  # as if the decoder had been mended since
        connection.execute(
            "UPDATE store_quarantine SET raw = %s, seen = 3 WHERE raw = %s", [event(None), b"{"]
        )
    receipt = replay_quarantine(quarantine_ids=None)
    assert (receipt.accepted, receipt.duplicate, receipt.quarantined) == (1, 0, 1)
    assert receipt.errors[0].code == "not_json"
    assert len(log()) == 1
    again = replay_quarantine(quarantine_ids=None)
    assert (again.accepted, again.quarantined) == (0, 1)
    assert len(log()) == 1
    (left,) = list_quarantine().items
    assert left.raw == b"["
    assert left.outcome.startswith("tried again")
    assert {each.outcome for each in list_quarantine(open_only=False).items} >= {"stored"}


def test_replay_of_a_conflict_stays_put_aside(source: int) -> None:
    append_events(source_id=source, events=[event("a"), event("a", userId="u2")], now=NOW)
    receipt = replay_quarantine(
        quarantine_ids=[each.quarantine_id for each in list_quarantine().items]
    )
    assert receipt.errors[0].code == "id_conflict"
    assert conserved(source) == (1, 0, 1)
