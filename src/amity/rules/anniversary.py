"""Anniversaries: the day and month of a date, whatever its year, and the days around today.

A text gives the day it is written with: a birthday is a day of the calendar and no instant. An
instant, such as a first order, gives its day in the rule's time zone. 29 February is kept on
28 February in years that have none.
"""

from __future__ import annotations

import calendar
from datetime import date, datetime, timedelta
from functools import lru_cache
from typing import Any, ClassVar, Final

from amity.rules.fragment import Fragment, sql
from amity.rules.operator import Operator, Parameter, Value, ValueType, instant_of
from amity.rules.period import Zone, check_zone, midnight, zone_of

_LEAP: Final = "02-29"
_KEPT: Final = "02-28"
_YEAR: Final = 366


def today_in(zone: str, now: datetime) -> date:
    """Return the day it is in a zone; a day begins once, though clocks put back repeat its end."""
    day = now.astimezone(zone_of(zone)).date()
    after = day + timedelta(days=1)
    return after if midnight(after, zone) <= now else day


def day_text(actual: Any, zone: str) -> str | None:
    """Return the day of a value as `2026-01-31`; None when it is no date."""
    moment = instant_of(actual)
    if moment is None:
        return None
    return (
        actual[:10]
        if isinstance(actual, str)
        else moment.astimezone(zone_of(zone)).date().isoformat()
    )


def day_sql(value: Value, zone: str) -> Fragment:
    """Return `day_text` as SQL."""
    return sql(
        "coalesce(CASE WHEN {} IS NOT NULL THEN left(({})::text, 10) END, "
        "to_char({} AT TIME ZONE {}, 'YYYY-MM-DD'))",
        value.instant,
        value.text,
        value.instant,
        zone,
    )


def describe_zone(zone: str) -> str:
    """Write a zone for people, where it is not the usual one."""
    return "" if zone == "UTC" else f" ({zone})"


class Anniversary(Operator, frozen=True):
    """A date whose anniversary lies in a span of days around today."""

    zone: Zone = "UTC"

    accepts: ClassVar[frozenset[ValueType]] = frozenset({"text", "instant"})
    parameters: ClassVar[tuple[Parameter, ...]] = (Parameter("zone", "zone"),)
    is_timed: ClassVar[bool] = True

    def __post_init__(self) -> None:
        check_zone(self.zone)

    def span(self) -> range:
        """Return the days the anniversary may fall on, counted from today."""
        raise NotImplementedError

    def _wanted(self, now: datetime) -> frozenset[str]:
        return _list_days(today_in(self.zone, now), self.span())

    def matches(self, actual: Any, now: datetime) -> bool:
        day = day_text(actual, self.zone)
        return day is not None and day[5:] in self._wanted(now)

    def to_sql(self, value: Value, now: datetime) -> Fragment:
        return sql(
            "right({}, 5) = ANY({}::text[])",
            day_sql(value, self.zone),
            sorted(self._wanted(now)),
        )

    def next_change(self, actual: Any, now: datetime) -> datetime | None:
        day = day_text(actual, self.zone)
        if day is None:
            return None
        span, today = self.span(), today_in(self.zone, now)
        kept = [_keep(day[5:], today.year + step) for step in range(-2, 4)]
        # It begins to hold when the day comes into the span, and ends when it has left it.
        turns = [each - timedelta(days=steps) for each in kept for steps in (span[-1], span[0] - 1)]
        return midnight(min(turn for turn in turns if turn > today), self.zone)


@lru_cache(maxsize=256)
def _list_days(today: date, span: range) -> frozenset[str]:
    """Return the days and months whose anniversary lies in the span."""
    found: set[str] = set()
    for step in span:
        day = today + timedelta(days=step)
        found.add(f"{day:%m-%d}")
        if not calendar.isleap(day.year) and f"{day:%m-%d}" == _KEPT:
            found.add(_LEAP)
    return frozenset(found)


def _keep(day: str, year: int) -> date:
    """Return on which date of a year a day and month is kept."""
    if day == _LEAP and not calendar.isleap(year):
        day = _KEPT
    return date(year, int(day[:2]), int(day[3:]))


def check_whole_days(days: float) -> None:
    """Raise ValueError for a span that is not of 1 to 366 whole days."""
    if not 1 <= days <= _YEAR or days != int(days):
        raise ValueError(f"anniversaries are counted in whole days, 1 to {_YEAR}")
