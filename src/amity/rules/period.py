"""Calendar windows: this day, the last two months, in the time of a named zone.

A period is counted from local midnight to local midnight, so a day is 23 or 25 hours long when
the clocks change. Where they skip midnight itself, the day begins at the moment they skip it;
where midnight comes twice, at the first. Weeks begin on Monday, quarters in January, April, July
and October.
"""

import zoneinfo
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta

Unit = Literal["day", "week", "month", "quarter", "year"]
Zone = Annotated[str, Meta(min_length=1, max_length=64)]

_MONTHS: Final = {"month": 1, "quarter": 3, "year": 12}
_DAYS: Final = {"day": 1, "week": 7}
_MOST_DAYS: Final = {"day": 1, "week": 7, "month": 31, "quarter": 92, "year": 366}
_YEAR: Final = 12


class Period(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """This period so far, or the last whole one (or the last ``count``), before this one."""

    unit: Unit
    which: Literal["this", "last"] = "this"
    count: Annotated[int, Meta(ge=1, le=100)] = 1
    """How many; more than one only of the last."""
    zone: Zone = "UTC"

    def __post_init__(self) -> None:
        check_zone(self.zone)
        if self.which == "this" and self.count != 1:
            raise ValueError("`count` goes with the `last` periods only")

    def bounds(self, now: datetime) -> tuple[datetime, datetime]:
        """Return the first moment in it and the first after it, as it is at ``now``."""
        begin, end = _bounds(self, now)
        return (begin, end) if self.which == "this" else (end, begin)

    def next_change(self, now: datetime) -> datetime:
        """Return when the next period begins, so that the bounds move."""
        begun = _first_day(self.unit, now.astimezone(zone_of(self.zone)).date())
        moment = now
        while moment <= now:
            # Clocks put back just after midnight bring a day again that had begun before.
            begun = _shift(begun, self.unit, 1)
            moment = midnight(begun, self.zone)
        return moment

    @property
    def reach_days(self) -> float:
        """For how long at most an event can matter: no window reaches further back."""
        # A day more, as clocks change and a zone can skip one.
        whole = self.count + 1 if self.which == "last" else 1
        return float(_MOST_DAYS[self.unit] * whole + 1)

    def describe(self) -> str:
        """Say it in words, such as “in the last 2 whole months (Europe/Paris)”."""
        words = f"in {self.which} {self.unit}"
        if self.count > 1:
            words = f"in the last {self.count} whole {self.unit}s"
        elif self.unit == "day":
            words = "today" if self.which == "this" else "yesterday"
        elif self.which == "last":
            words = f"in the last whole {self.unit}"
        return words + ("" if self.zone == "UTC" else f" ({self.zone})")


def check_zone(name: str) -> None:
    """Raise ValueError when there is no such time zone."""
    if name not in _zones():
        raise ValueError(f"{name!r} is not a time zone such as Europe/Paris")


@lru_cache(maxsize=1)
def _zones() -> frozenset[str]:
    # "localtime" is whatever the machine is set to, which another machine would not know.
    return frozenset(zoneinfo.available_timezones() - {"localtime"})


def zone_of(name: str) -> zoneinfo.ZoneInfo:
    """Return a zone by its IANA name."""
    return zoneinfo.ZoneInfo(name)


def midnight(day: date, zone: str) -> datetime:
    """Return the first moment of a day in a zone, in UTC."""
    return datetime.combine(day, time(), zone_of(zone)).astimezone(UTC)


@lru_cache(maxsize=1024)
def _bounds(period: Period, now: datetime) -> tuple[datetime, datetime]:
    """Return when this period begins and where the window's other end lies."""
    begun = _first_day(period.unit, now.astimezone(zone_of(period.zone)).date())
    steps = 1 if period.which == "this" else -period.count
    other = _shift(begun, period.unit, steps)
    return midnight(begun, period.zone), midnight(other, period.zone)


def _first_day(unit: Unit, day: date) -> date:
    if unit in _DAYS:
        return day - timedelta(days=day.weekday() if unit == "week" else 0)
    months = _MONTHS[unit]
    return date(day.year, (day.month - 1) // months * months + 1, 1)


def _shift(day: date, unit: Unit, steps: int) -> date:
    """Return the first day of the period so many later."""
    if unit in _DAYS:
        return day + timedelta(days=steps * _DAYS[unit])
    month = day.year * _YEAR + day.month - 1 + steps * _MONTHS[unit]
    return date(month // _YEAR, month % _YEAR + 1, 1)
