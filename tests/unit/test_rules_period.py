"""Calendar windows: local midnights where clocks change, skip midnight, or skip a day."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from amity.rules import Did, Subject, compile_rule
from amity.rules.period import Period

UNITS = ("day", "week", "month", "quarter", "year")
ZONES = (
    "UTC",
    "Europe/Paris",
    "America/Havana",
    "America/Sao_Paulo",
    "Pacific/Apia",
    "America/St_Johns",
)


def at(text):
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("period", "now", "begin", "end"),
    [
        (Period("day"), "2026-03-01 12:00", "2026-03-01", "2026-03-02"),
        (Period("day", "last"), "2026-03-01 12:00", "2026-02-28", "2026-03-01"),
        (Period("week"), "2026-03-01 12:00", "2026-02-23", "2026-03-02"),
        (Period("week", "last", 2), "2026-03-02 00:00", "2026-02-16", "2026-03-02"),
        (Period("month", "last", 3), "2026-03-31 12:00", "2025-12-01", "2026-03-01"),
        (Period("quarter"), "2026-03-31 23:59", "2026-01-01", "2026-04-01"),
        (Period("quarter", "last"), "2026-01-01", "2025-10-01", "2026-01-01"),
        (Period("year", "last", 2), "2026-01-01", "2024-01-01", "2026-01-01"),
        # In Paris clocks go forward on 29 March 2026 and back on 25 October: 23 and 25 hours.
        (
            Period("day", zone="Europe/Paris"),
            "2026-03-29 12:00",
            "2026-03-28 23:00",
            "2026-03-29 22:00",
        ),
        (
            Period("day", zone="Europe/Paris"),
            "2026-10-25 12:00",
            "2026-10-24 22:00",
            "2026-10-25 23:00",
        ),
        (
            Period("month", zone="Europe/Paris"),
            "2026-03-31 22:30",
            "2026-03-31 22:00",
            "2026-04-30 22:00",
        ),
        # In Brazil they went from 0:00 to 1:00 on 4 November 2018: the day began at 1:00.
        (
            Period("day", zone="America/Sao_Paulo"),
            "2018-11-04 12:00",
            "2018-11-04 03:00",
            "2018-11-05 02:00",
        ),
        # In Cuba they went from 1:00 to 0:00 on 2 November 2025: the first midnight counts.
        (
            Period("day", zone="America/Havana"),
            "2025-11-02 12:00",
            "2025-11-02 04:00",
            "2025-11-03 05:00",
        ),
        # Samoa left out 30 December 2011: that yesterday was empty.
        (
            Period("day", "last", zone="Pacific/Apia"),
            "2011-12-30 12:00",
            "2011-12-30 10:00",
            "2011-12-30 10:00",
        ),
    ],
)
def test_bounds(period, now, begin, end):
    assert period.bounds(at(now)) == (at(begin), at(end))


@settings(max_examples=300, deadline=None, database=None)
@given(
    st.builds(Period, st.sampled_from(UNITS), zone=st.sampled_from(ZONES))
    | st.builds(
        Period,
        st.sampled_from(UNITS),
        st.just("last"),
        st.integers(1, 5),
        st.sampled_from(ZONES),
    ),
    st.datetimes(datetime(2000, 1, 1), datetime(2030, 1, 1)).map(lambda it: it.replace(tzinfo=UTC)),
)
def test_bounds_stand_still_until_the_next_change(period, now):
    change, bounds = period.next_change(now), period.bounds(now)
    assert now < change
    reach = timedelta(days=period.reach_days)
    for moment in (now, now + (change - now) / 2, change - timedelta(microseconds=1)):
        # In Newfoundland clocks went back at 0:01 till 2011, and a day came twice.
        assert period.bounds(moment) == bounds or period.zone == "America/St_Johns"
        assert bounds[0] > moment - reach
    assert period.bounds(change) != bounds


def test_another_zone_is_another_window():
    """One evening is of this month in one zone, of the last in another."""
    event = {"A": [(at("2026-02-28 23:30"), {})]}
    rules = {
        zone: compile_rule(Did("A", during=Period("month", zone=zone)))
        for zone in ("UTC", "Europe/Paris")
    }
    for zone, holds in (("UTC", False), ("Europe/Paris", True)):
        assert rules[zone].matches(Subject(history=event), at("2026-03-01 12:00")) is holds
