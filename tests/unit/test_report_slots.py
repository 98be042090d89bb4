"""When saved views are mailed: by the clock of a place, whatever its clocks do."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from amity.analysis.contracts_schedules import ScheduleTimes
from amity.analysis.logic.reporting.slots import next_slot
from amity.kernel.errors import Invalid

BERLIN = "Europe/Berlin"


def slot(after, **told):
    times = ScheduleTimes(**({"every": "day", "zone": BERLIN, "at": "07:30"} | told))
    found = next_slot(times, after=datetime.fromisoformat(after))
    return str(found.astimezone(ZoneInfo(times.zone)))


def test_the_next_slot_is_after_now_and_on_the_days_said():
    assert slot("2026-05-08T07:30:00+02:00") == "2026-05-09 07:30:00+02:00"
    assert slot("2026-05-08T07:29:59+02:00") == "2026-05-08 07:30:00+02:00"
    friday, january = "2026-05-08T08:00:00+02:00", "2026-01-29T08:00:00+01:00"
    assert slot(friday, every="weekday") == "2026-05-11 07:30:00+02:00"
    assert str(slot(friday, every="week", day=3)) == "2026-05-13 07:30:00+02:00"
    assert str(slot(friday, every="month", day=8)) == "2026-06-08 07:30:00+02:00"
    assert str(slot(january, every="month", day=28)) == "2026-02-28 07:30:00+01:00"


def test_a_time_that_clocks_skip_is_as_much_later_and_one_that_comes_twice_is_its_first():
    assert slot("2026-03-29T00:00:00+01:00", at="02:30") == "2026-03-29 03:30:00+02:00"
    assert slot("2026-10-25T00:00:00+02:00", at="02:30") == "2026-10-25 02:30:00+02:00"
    assert slot("2026-10-25T02:45:00+02:00", at="02:30") == "2026-10-26 02:30:00+01:00"


def test_a_place_nobody_knows_is_refused():
    with pytest.raises(Invalid, match="no time zone"):
        slot("2026-05-08T08:00:00+02:00", zone="Europe/Atlantis")


# A busy machine is slow to draw; that says nothing about slots.
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    hours=st.integers(0, 87_600),
    every=st.sampled_from(["day", "weekday", "week", "month"]),
    day=st.integers(1, 7),
    minutes=st.integers(0, 1439),
    zone=st.sampled_from(["UTC", BERLIN, "America/New_York", "Australia/Lord_Howe"]),
)
def test_slots_rise_and_none_is_left_out(hours, every, day, minutes, zone):
    at = f"{minutes // 60:02}:{minutes % 60:02}"
    after = datetime(2020, 1, 1, tzinfo=UTC) + timedelta(hours=hours)
    times = ScheduleTimes(every=every, day=day, at=at, zone=zone)
    first = next_slot(times, after=after)
    second = next_slot(times, after=first)
    assert after < first < second
    longest = {"day": 1, "weekday": 3, "week": 7, "month": 31}[every]
    assert second - first <= timedelta(days=longest, hours=2)
    assert next_slot(times, after=second - timedelta(seconds=1)) == second
