"""When something is wrong with a source, by the rules alone."""

from datetime import UTC, date, datetime, timedelta

import pytest

from amity.store.contracts_tracking import AlertTerms, NullRise, QualityDay
from amity.store.logic.intake.decoding import decode_event
from amity.store.logic.plans.judging import Picture, judge, judge_volume
from amity.store.logic.plans.quality import picture_of

DAY = date(2026, 5, 6)
NOW = datetime(2026, 5, 6, 12, tzinfo=UTC)
USUAL = AlertTerms()
EMPTY = dict.fromkeys(QualityDay.__struct_fields__, 0)


def day(back, **figures):
    return QualityDay(**(EMPTY | {"day": DAY - timedelta(days=back)} | figures))


def broken(days, last_at=NOW, terms=USUAL, **more):
    return judge(Picture(days=days, last_at=last_at, **more), terms, NOW)


def test_volume_is_judged_only_when_its_weekday_is_known():
    usual = {DAY - timedelta(weeks=week): 1000 + week for week in range(1, 9)}
    assert "fewer than usual" in judge_volume(usual | {DAY: 100}, DAY)
    assert "more than usual" in judge_volume(usual | {DAY: 3000}, DAY)
    assert not judge_volume(usual | {DAY: 1100}, DAY)
    short = {day: amount for day, amount in usual.items() if day > DAY - timedelta(weeks=4)}
    assert not judge_volume(short | {DAY: 1}, DAY)


def test_a_day_without_any_event_is_told_however_much_the_days_differ():
    amounts = [100, 900, 150, 800, 90, 1000, 120, 700]
    wild = {DAY - timedelta(weeks=week): n for week, n in enumerate(amounts, 1)}
    assert not judge_volume(wild | {DAY: 1}, DAY)
    assert judge_volume(wild, DAY) == "no event on Wednesday, 6 May 2026; usual are about 425"
    often_empty = wild | {DAY - timedelta(weeks=3): 0}
    assert not judge_volume(often_empty, DAY)


@pytest.mark.parametrize("days_silent", [3, 9, 30, 90])
def test_who_fell_silent_stays_silent_however_long_ago(days_silent):
    used = [day(days_silent + back, received=9, stored=9) for back in (4, 2, 0)]
    last = NOW - timedelta(days=days_silent)
    assert set(broken(used, last)) == {"silent"}
    assert not broken(used[1:], last), "it came on two days only"
    assert set(broken([], last, is_silent=True)) == {"silent"}, "what it was used to is forgotten"
    assert set(broken([], None, is_silent=True)) == {"silent"}
    assert not broken([], None)


def test_silence_ends_when_something_comes_or_more_is_allowed():
    used = [day(back, received=9, stored=9) for back in (5, 4, 3)]
    assert not broken(used, NOW - timedelta(hours=20), is_silent=True)
    assert not broken(used, NOW - timedelta(hours=60), AlertTerms(silent_hours=72), is_silent=True)
    assert not broken(used, NOW - timedelta(days=9), AlertTerms(silent_hours=None), is_silent=True)


def test_shares_are_told_from_enough_events_on_and_by_the_terms():
    bad = [day(0, received=100, stored=70, duplicate=30, violating=8, late=20, warnings=1)]
    assert set(broken(bad)) == {"duplicates", "violations", "late", "personal"}
    patient = AlertTerms(
        most_duplicate=0.3, most_violating=None, most_late=0.5, warns_personal=False
    )
    assert not broken(bad, terms=patient)
    few = [day(0, received=10, stored=2, duplicate=8, late=2)]
    assert not broken(few)
    assert set(broken(few, terms=AlertTerms(least_events=2))) == {"duplicates", "late"}


def test_a_property_that_became_empty_is_named():
    rise = NullRise(type="track", name="Order", path="total", null_rate=0.8, before_rate=0.02)
    words = broken([day(0)], nulls=[rise])["nulls"]
    assert words == "total of Order is empty in 80%, before in 2%"
    assert broken([day(0)], nulls=[rise] * 5)["nulls"].endswith("; and 2 more")
    assert not broken([day(0)], nulls=[rise], terms=AlertTerms(null_rise=None))


def test_the_latest_events_tell_clocks_delays_and_libraries():
    def event(seconds, **more):
        body = (
            b'{"type":"track","event":"X","userId":"u","timestamp":"2026-05-06T11:00:00Z",'
            b'"context":{"library":{"name":"amity.js","version":"1.2"}}}'
        )
        sent = NOW + timedelta(seconds=seconds)
        return NOW, decode_event("track", body, sent_at=sent, **more)

    picture = picture_of([event(300), event(300), event(310)])
    assert (picture.events, picture.with_user_id, picture.with_anonymous_id) == (3, 3, 0)
    assert (picture.skew_seconds, picture.with_sent_at) == (300, 3)
    assert picture.delay_seconds == 3900
    assert picture.libraries == {"amity.js 1.2": 3}
    assert picture_of([]).skew_seconds is None
