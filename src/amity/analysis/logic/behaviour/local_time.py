"""Calendar days of a place: which day an instant falls on there, in plain Ibis.

Databases name time zones by functions of their own; the steps of a zone's offset are few, so they
are looked up here and said as cases, which mean the same everywhere.
"""

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from amity.analysis.report import Granularity
from amity.kernel.errors import Invalid

if TYPE_CHECKING:
    import ibis.expr.types as ir

_UNITS: Final[dict[Granularity, str]] = {"day": "D", "week": "W", "month": "M"}
_LOOK: Final = timedelta(days=7)
_LONGEST: Final = timedelta(days=366 * 30)
"""Further back, the offset is taken to be what it was then."""


def find_zone(name: str) -> ZoneInfo:
    """Return a time zone by its IANA name; raise Invalid when there is none."""
    try:
        return ZoneInfo(name.strip())
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise Invalid(
            f"there is no time zone “{name}”; one is “Europe/Berlin”", code="bad_zone"
        ) from error


def local_day(moment: "ir.Column", zone: ZoneInfo, *, until: datetime) -> "ir.DateColumn":
    """Return the day an instant falls on in a zone; ``until`` is after all of them."""
    import ibis  # noqa: PLC0415  # loads slowly

    first, changes = list_offsets(zone, until=until)
    cases = [
        (moment >= ibis.literal(at), ibis.literal(round(offset.total_seconds())))
        for at, offset in reversed(changes)
    ]
    start = ibis.literal(round(first.total_seconds()))
    seconds = ibis.cases(*cases, else_=start) if cases else start
    day: ir.DateColumn = (moment + seconds.as_interval("s")).date()
    return day


def period_of(day: "ir.Column", granularity: Granularity) -> "ir.DateColumn":
    """Return the first day of the day, week (from Monday) or month that a day is in."""
    # DuckDB makes an instant of a truncated day; Ibis does not know.
    begun: ir.DateColumn = day.cast("timestamp").truncate(_UNITS[granularity]).date()
    return begun


def list_offsets(
    zone: ZoneInfo, *, until: datetime
) -> tuple[timedelta, list[tuple[datetime, timedelta]]]:
    """Return a zone's offset thirty years before ``until``, and each change since with its instant.

    Two changes within a week are told as one.
    """
    here = (until - _LONGEST).astimezone(UTC)
    offset = first = _offset(zone, here)
    changes = []
    while here < until:
        there = min(here + _LOOK, until)
        if (later := _offset(zone, there)) != offset:
            changes.append((_find_change(zone, here, there), later))
            offset = later
        here = there
    return first, changes


def _find_change(zone: ZoneInfo, before: datetime, after: datetime) -> datetime:
    """Return the first second with the offset of ``after``."""
    wanted = _offset(zone, after)
    seconds = round((after - before).total_seconds())
    low, high = 0, seconds
    while high - low > 1:
        middle = (low + high) // 2
        if _offset(zone, before + timedelta(seconds=middle)) == wanted:
            high = middle
        else:
            low = middle
    return (before + timedelta(seconds=high)).replace(microsecond=0)


def _offset(zone: ZoneInfo, at: datetime) -> timedelta:
    return at.astimezone(zone).utcoffset() or timedelta()
