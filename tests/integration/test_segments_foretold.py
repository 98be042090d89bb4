"""Events that settle memberships by themselves: what is not read, and times that stay right."""

from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import pytest
from tests.fixtures.segment_town import define, members, send, settle, settle_in

from amity.analysis import api as analysis
from amity.analysis.logic import following, following_news
from amity.infra import database
from amity.kernel.clock import format_instant
from amity.kernel.errors import Unavailable
from amity.store import api as store

ORDER = "Order Completed"
MONTH = timedelta(days=30)
STEP = timedelta(microseconds=1)


def _did(event=ORDER, **more):
    return {"node": "did", "event": event, **more}


def _order(number, at, user="u0"):
    send(
        {
            "type": "track",
            "event": ORDER,
            "userId": user,
            "messageId": f"o{user}{number}",
            "timestamp": format_instant(at),
        }
    )


def _timers(segment_id):
    with database.transaction() as connection:
        rows = connection.execute(
            "SELECT profile_id, due_at FROM analysis_timer WHERE segment_id = %s", [segment_id]
        )
        return dict(rows.fetchall())


def _changes(profile_id):
    page = store.list_activity(profile_id=profile_id, names=["Segment Entered", "Segment Left"])
    return [(each.name, each.properties["cause"]) for each in reversed(page.items)]


@contextmanager
def no_histories():
    """Refuse to read what anybody did before."""

    def refuse(**_):
        raise AssertionError("a history was read")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(store, "load_histories", refuse)
        patch.setattr(store, "ask_histories", refuse)
        yield


def test_who_is_in_stays_in_for_doing_it_again_to_the_second(db):
    [ann] = settle_in([{}])
    lately = define("Lately", _did(within_days=30))
    settle()
    first = datetime.now(UTC).replace(microsecond=0) - timedelta(days=20)
    last = first + timedelta(days=15)
    with no_histories():
        _order(1, first)
        assert (members(lately), _timers(lately)) == ({ann}, {ann: first + MONTH})
        _order(2, last)
        assert _timers(lately) == {ann: first + MONTH}, "the time to look again comes early"
    analysis.follow_batch(now=first + MONTH)
    assert (members(lately), _timers(lately)) == ({ann}, {ann: last + MONTH})
    analysis.follow_batch(now=last + MONTH - STEP)
    assert members(lately) == {ann}
    analysis.follow_batch(now=last + MONTH)
    assert (members(lately), _timers(lately)) == (set(), {})
    assert _changes(ann) == [("Segment Entered", "event")]
    settle()
    assert _changes(ann)[-1] == ("Segment Left", "time")


def test_who_did_what_must_not_be_is_out_until_the_window_ends(db):
    [ann] = settle_in([{}])
    without = define("No order", _did(at_most=0, within_days=30))
    settle()
    assert members(without) == {ann}
    at = datetime.now(UTC).replace(microsecond=0) - timedelta(days=3)
    with no_histories():
        _order(1, at)
        assert (members(without), _timers(without)) == (set(), {ann: at + MONTH})
        _order(2, at + timedelta(days=1))
        assert _timers(without) == {ann: at + MONTH}, "who is out stays out"


def test_what_events_leave_open_is_asked_of_histories(db):
    ann, bob = settle_in([{}, {}])
    twice = define("Twice", _did(at_least=2))
    some = define("Some", _did(at_least=2, at_most=3))
    at = datetime.now(UTC) - timedelta(days=3)
    for number in range(1, 5):
        _order(number, at)
        assert members(twice) == ({ann} if number > 1 else set())
        assert members(some) == ({ann} if number in {2, 3} else set())
    _order(1, at, user="u1")
    _order(2, at, user="u1")
    assert members(twice) == members(some) | {ann} == {ann, bob}
    looks = define("Looks at it", {"node": "in_segment", "segment_id": twice})
    _order(1, at, user="u2")
    _order(2, at, user="u2")
    cid = store.find_profile(kind="user_id", value="u2").profile_id
    assert members(looks) == members(twice) == {ann, bob, cid}


def test_a_turn_that_did_not_commit_is_taken_again_once(db, monkeypatch):
    [ann] = settle_in([{}])
    ever = define("Ever", _did())
    settle()
    with monkeypatch.context() as broken:

        def stop(**_):
            raise Unavailable("the connection is gone")

        broken.setattr(following.store, "advance_consumer", stop)
        with pytest.raises(Unavailable):
            _order(1, datetime.now(UTC))
    assert members(ever) == set()
    settle()
    assert members(ever) == {ann}
    assert _changes(ann) == [("Segment Entered", "event")]
    assert analysis.get_segment(segment_id=ever).members == 1


def test_a_turn_is_taken_in_parts(db, monkeypatch):
    ids = settle_in([{}] * 9)
    once, twice = define("Once", _did(within_days=30)), define("Twice", _did(at_least=2))
    settle()
    at = datetime.now(UTC).replace(microsecond=0) - timedelta(days=3)
    for user in range(0, 9, 2):
        _order(1, at, user=f"u{user}")
    parts = []

    def ask(*, connection, profile_ids):
        parts.append(profile_ids)
        return ask_living(connection=connection, profile_ids=profile_ids)

    ask_living = store.ask_living
    monkeypatch.setattr(store, "ask_living", ask)
    monkeypatch.setattr(following_news, "_FEWEST_APART", 2)
    monkeypatch.setattr(following_news, "_PARTS", 4)
    later = at + timedelta(days=1)
    order = {"type": "track", "event": ORDER, "timestamp": format_instant(later)}
    send(*(order | {"userId": f"u{user}", "messageId": f"p{user}"} for user in range(9)))
    assert [len(part) for part in parts] == [3, 3, 3]
    assert sorted(each for part in parts for each in part) == sorted(ids)
    assert (members(once), members(twice)) == (set(ids), set(ids[::2]))
    assert _timers(once) == {each: (later, at)[n % 2 == 0] + MONTH for n, each in enumerate(ids)}
    for number, each in enumerate(ids):
        assert _changes(each) == [("Segment Entered", "event")] * (1 + (number % 2 == 0))
    assert analysis.get_segment(segment_id=twice).members == len(ids[::2])


def test_events_that_are_held_to_be_new_are_recorded_once(db):
    [ann] = settle_in([{}])
    now = datetime.now(UTC)
    known, new = (
        store.SystemEvent(
            profile_id=ann, name="Segment Left", properties={"cause": "event"}, message_id=each
        )
        for each in ("known", "new")
    )
    for events in ([known], [known, new, new]):
        with database.transaction() as connection:
            store.record_ready(
                connection=connection, ready=store.ready_events(events=events, now=now)
            )
    settle()
    assert len(_changes(ann)) == 2
