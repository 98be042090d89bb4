"""When a schedule is due next, by the clock of a place.

A time that the clocks skip is as much later as they skip; one that comes twice is its first.
"""

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from amity.analysis.contracts_schedules import ScheduleTimes
from amity.analysis.logic.behaviour.local_time import find_zone

_FRIDAY = 5
_LOOK_DAYS = 64


def next_slot(times: ScheduleTimes, *, after: datetime) -> datetime:
    """Return the first moment of a schedule after another; raise Invalid for an unknown zone."""
    zone = find_zone(times.zone)
    begun = after.astimezone(zone).date() - timedelta(days=1)
    return min(slot for slot in _slots(times, zone, begun) if slot > after)


def _slots(times: ScheduleTimes, zone: ZoneInfo, begun: date) -> Iterator[datetime]:
    at = time.fromisoformat(times.at)
    for number in range(_LOOK_DAYS):
        day = begun + timedelta(days=number)
        if _is_on(times, day):
            # Python reads a skipped time by the offset before the gap: so much later it is.
            yield datetime.combine(day, at, zone).astimezone(UTC)


def _is_on(times: ScheduleTimes, day: date) -> bool:
    match times.every:
        case "day":
            return True
        case "weekday":
            return day.isoweekday() <= _FRIDAY
        case "week":
            return day.isoweekday() == times.day
        case "month":
            return day.day == times.day
