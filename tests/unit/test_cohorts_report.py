"""Cohorts: the triangle, its calendar, and the curve of coming back."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import duckdb
import ibis
import msgspec
import numpy as np
import pyarrow as pa
import pytest

from amity.analysis.logic.behaviour.local_time import find_zone, local_day
from amity.analysis.logic.behaviour.survival import estimate_curve
from amity.analysis.reports.cohorts import Cohorts
from amity.kernel.errors import Invalid
from amity.testing.reports_kit import ASKED, find
from amity.testing.reports_town import NOW, Town

MONTHLY = msgspec.structs.replace(ASKED, granularity="month")


def asked(**choices):
    return msgspec.structs.replace(MONTHLY, choices=choices)


def test_the_triangle_holds_what_is_known():
    town = Town()
    for customer_id, days in {
        1: [date(2026, 2, 3), date(2026, 3, 3), date(2026, 4, 3)],
        2: [date(2026, 2, 28), date(2026, 4, 30)],
        3: [date(2026, 3, 15), date(2026, 3, 20), date(2026, 5, 2)],
        4: [date(2025, 12, 1), date(2026, 2, 10)],
    }.items():
        town.customer(customer_id)
        for day in days:
            at = datetime(day.year, day.month, day.day, 12, tzinfo=UTC)
            town.order(customer_id, at, 1000, currency="USD" if customer_id == 2 else "EUR")
    found = find(Cohorts, town, asked=asked())
    rows = [row[:4] for row in found.table("cohorts").rows]
    february, march = "2026-02-01", "2026-03-01"
    # May is not over: of the third customer it is not known yet whether May counts.
    assert rows == [
        (february, 0, 2, 2),
        (february, 1, 2, 1),
        (february, 2, 2, 2),
        (march, 0, 1, 1),
        (march, 1, 1, 0),
    ]
    pooled = [row[:3] for row in found.table("periods").rows]
    assert pooled == [(0, 3, 3), (1, 3, 1), (2, 2, 2)]
    # Days until they came back: 28, 61 and 5.
    curve = {row[0]: row[1] for row in found.table("curve").rows}
    assert curve[30] == pytest.approx(2 / 3)
    assert 90 not in curve
    assert "half come back within 28 days" in found.sentence


def test_days_are_those_of_the_place():
    town = Town()
    town.customer(1)
    # In Berlin the first is on 1 March, the second on the night before April, as in UTC.
    town.order(1, datetime(2026, 2, 28, 23, 30, tzinfo=UTC), 1000)
    town.order(1, datetime(2026, 3, 31, 21, 59, tzinfo=UTC), 1000)
    for zone, wanted in (("UTC", [2, 3]), ("Europe/Berlin", [3])):
        found = find(Cohorts, town, asked=asked(zone=zone))
        there = [row for row in found.table("cohorts").rows if row[3]]
        months = [int(row[0][5:7]) + row[1] for row in there]
        assert months == wanted, zone
    with pytest.raises(Invalid):
        find(Cohorts, town, asked=asked(zone="Mars/Olympus"))


@pytest.mark.parametrize("name", ["Europe/Berlin", "America/New_York", "Asia/Kolkata", "UTC"])
def test_local_days_are_the_calendars(name):
    zone = find_zone(name)
    rng = np.random.default_rng(3)
    seconds = rng.integers(0, 3 * 366 * 86400, 3000)
    begin = datetime(2023, 6, 1, tzinfo=UTC)
    moments = [begin + timedelta(seconds=int(one)) for one in seconds]
    # The hours around the change of clocks, too.
    moments += [
        datetime(2025, 3, 29, 20, tzinfo=UTC) + timedelta(minutes=20 * n) for n in range(90)
    ]
    table = pa.table({"at": pa.array(moments, pa.timestamp("us", "UTC"))})
    connection = duckdb.connect()
    connection.execute("SET TimeZone = 'UTC'")
    connection.register("given", table)
    given = ibis.table({"at": "timestamp('UTC', 6)"}, name="given")
    chosen = given.select("at", on=local_day(given["at"], zone, until=NOW))
    sql = str(ibis.to_sql(chosen, dialect="duckdb"))
    for at, on in connection.execute(sql).fetchall():
        assert on == at.astimezone(ZoneInfo(name)).date()


def test_the_curve_is_that_of_the_textbook():
    # Freireich and others (1963): weeks of remission with 6-MP, as tabled in Kalbfleisch and
    # Prentice (1980): .857, .807, .753, .690, .627, .538, .448.
    weeks = [6, 6, 6, 6, 7, 9, 10, 10, 11, 13, 16, 17, 19, 20, 22, 23, 25, 32, 32, 34, 35]
    relapse = [1, 1, 1, 0, 1, 0, 1, 0, 0, 1, 1, 0, 0, 0, 1, 1, 0, 0, 0, 0, 0]
    curve = estimate_curve(np.array(weeks), np.array(relapse), np.ones(len(weeks), np.int64))
    assert curve.time.tolist() == [6, 7, 10, 13, 16, 22, 23]
    assert curve.at_risk.tolist() == [21, 17, 15, 12, 11, 7, 6]
    wanted = [0.857, 0.807, 0.753, 0.690, 0.627, 0.538, 0.448]
    np.testing.assert_allclose(curve.left, wanted, atol=5e-4)
    # Greenwood's standard error at 10 weeks is .096; the interval is about the log of -log.
    spread = 1.959964 * 0.0963 / (0.7529 * abs(np.log(0.7529)))
    assert curve.low[2] == pytest.approx(0.7529 ** np.exp(spread), abs=1e-3)
    assert curve.high[2] == pytest.approx(0.7529 ** np.exp(-spread), abs=1e-3)
    assert curve.median() == 23
    assert curve.at(36) is None
