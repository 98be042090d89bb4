"""Days, weeks and months by the clocks of a place, counted again with zoneinfo, event by event."""

from collections import Counter
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import msgspec
import pytest

from amity.analysis.logic.behaviour.local_time import list_offsets
from amity.analysis.reports.cohorts import Cohorts
from amity.analysis.reports.dimensions import Dimensions
from amity.rules.period import Period
from amity.testing import reports_oracle as oracle
from amity.testing.reports_kit import ASKED, Town, find
from amity.testing.reports_oracle import month_of, table_of, week_of

EDGES = [
    date(2021, 1, 1),  # in week 53 of 2020
    date(2021, 1, 4),  # week 1
    date(2024, 2, 29),
    date(2024, 3, 1),
    date(2025, 12, 29),  # week 1 of 2026
    date(2026, 1, 1),
    date(2026, 2, 1),
    date(2026, 3, 8),  # clocks forward in New York,
    date(2026, 3, 29),  # in Berlin,
    date(2026, 9, 27),  # in Chatham;
    date(2026, 4, 5),  # back in Chatham,
    date(2026, 10, 25),  # in Berlin,
    date(2026, 11, 1),  # in New York
    date(2026, 4, 30),
    date(2026, 5, 1),
]
FROM, UNTIL = date(2020, 12, 28), date(2027, 2, 1)
# A Sunday evening: in Chatham it is Monday, and the week is over there.
NOW = datetime(2026, 11, 8, 20, tzinfo=UTC)
ZONES = ("Europe/Berlin", "America/New_York", "Asia/Kolkata", "Pacific/Chatham")
BEGIN = {"day": lambda day: day, "week": week_of, "month": month_of}


def step(day, granularity, number):
    if granularity == "month":
        months = day.year * 12 + day.month - 1 + number
        return date(months // 12, months % 12 + 1, 1)
    return day + timedelta(days=number * {"day": 1, "week": 7}[granularity])


@pytest.fixture(scope="module")
def town():
    """An order each quarter of an hour around each edge, and another soon after."""
    made = Town()
    customer = 0
    for edge in EDGES:
        for quarter in range(-60, 150):
            customer += 1
            made.customer(customer)
            at = datetime(edge.year, edge.month, edge.day, tzinfo=UTC)
            at += timedelta(minutes=15 * quarter, microseconds=-(quarter % 2))
            again = at + timedelta(days=(1, 7, 31, 400)[customer % 4])
            for moment in {at, again} if at <= NOW else ():
                if moment <= NOW:
                    made.order(customer, moment, 100)
    return made


@pytest.mark.parametrize(
    ("zone", "granularity"),
    [(zone, by) for zone in ZONES for by in ("day", "week", "month")],
)
def test_cohorts_of_a_place_are_those_of_its_calendar(town, zone, granularity):
    asked = msgspec.structs.replace(
        ASKED,
        from_on=FROM,
        until_on=UNTIL,
        now=NOW,
        granularity=granularity,
        choices={"zone": zone, "periods": 4},
    )
    found = oracle.cohorts(oracle.placed(town), BEGIN[granularity], zone)
    today = NOW.astimezone(ZoneInfo(zone)).date()
    expected = {
        (cohort.isoformat(), offset): (
            len(there[cohort]),
            len(there.get(step(cohort, granularity, offset), ())),
        )
        for cohort, there in found.items()
        if FROM <= cohort < UNTIL
        for offset in range(5)
        if not offset or step(cohort, granularity, offset + 1) <= today
    }
    told = {
        (row["cohort"], row["offset"]): (row["size"], row["customers"])
        for row in table_of(find(Cohorts, town, asked=asked), "cohorts")
    }
    assert told == expected
    assert len(told) > 30


@pytest.mark.parametrize("granularity", ["day", "week", "month"])
def test_periods_of_reports_are_days_weeks_and_months_of_utc(town, granularity):
    asked = msgspec.structs.replace(
        ASKED, from_on=date(2020, 12, 31), until_on=UNTIL, now=NOW, granularity=granularity
    )
    window = (oracle.at_midnight(asked.from_on), oracle.at_midnight(UNTIL))
    orders, customers, begun = Counter(), {}, {}
    for order in oracle.placed(town, window=window):
        period = BEGIN[granularity](order.at.date())
        orders[period] += 1
        customers.setdefault(period, set()).add(order.customer)
    for order in oracle.placed(town):
        begun[order.customer] = min(order.at, begun.get(order.customer, order.at))
    new = Counter(BEGIN[granularity](at.date()) for at in begun.values() if at >= window[0])
    told = {
        row["period"]: (row["acquired"], row["customers"], row["orders"], row["net"])
        for row in table_of(find(Dimensions, town, asked=asked), "periods")
    }
    assert told == {
        period.isoformat(): (new[period], len(customers[period]), number, 100 * number)
        for period, number in orders.items()
    }


@pytest.mark.parametrize(
    "zone", [*ZONES, "Africa/Casablanca", "Australia/Lord_Howe", "Pacific/Apia", "Antarctica/Troll"]
)
def test_the_offsets_written_into_a_query_are_the_place_s_own_at_every_change(zone):
    until = datetime(2027, 1, 1, 0, 0, 0, 7, tzinfo=UTC)
    first, changes = list_offsets(ZoneInfo(zone), until=until)
    here = datetime(1998, 1, 1, tzinfo=UTC)
    moments = [here + timedelta(hours=7 * number) for number in range(36_000)]
    moments += [at + timedelta(seconds=by) for at, _ in changes for by in (-1, 0, 1)]
    place, told = 0, first
    for moment in sorted(moment for moment in moments if moment < until):
        while place < len(changes) and changes[place][0] <= moment:
            told = changes[place][1]
            place += 1
        assert told == moment.astimezone(ZoneInfo(zone)).utcoffset(), moment


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize("unit", ["day", "week", "month"])
def test_calendar_windows_of_rules_hold_the_events_whose_day_there_is_in_them(zone, unit):
    clock = ZoneInfo(zone)
    for edge in EDGES:
        now = oracle.at_midnight(edge) + timedelta(hours=9)
        this = BEGIN[unit](now.astimezone(clock).date())
        wanted = {"this": this, "last": BEGIN[unit](this - timedelta(days=1))}
        for which, first in wanted.items():
            begin, end = Period(unit=unit, which=which, zone=zone).bounds(now)
            for moment in (begin, end):
                for by in (-1, 0, 1_800_000_000):
                    at = moment + timedelta(microseconds=by)
                    is_inside = BEGIN[unit](at.astimezone(clock).date()) == first
                    assert (begin <= at < end) == is_inside, (zone, unit, which, at)
