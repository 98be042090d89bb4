"""The hours of the week in customers' own time, and how likely the population answers in each."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import numpy as np

from amity.analysis.estimator import FloatArray, IntArray
from amity.kernel.errors import Invalid

HOURS: Final = 168
DAYS: Final = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
BLOCK_HOURS: Final = 4
BLOCKS: Final = 2 * 24 // BLOCK_HOURS
"""Parts of a day of four hours, on working days and at the weekend: where customers lean."""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_HOUR_MICROSECONDS: Final = 3_600_000_000
_FIRST_WEEKDAY: Final = 3
"""1970-01-01 was a Thursday; Monday is 0."""
_PRIOR: Final = 20.0


def hours_of_week(moment: IntArray, zone: IntArray, zones: Sequence[str]) -> IntArray:
    """Return the hour of the week, 0 for Monday after midnight, in each row's own zone.

    ``moment`` is in microseconds since 1970 (UTC); ``zone`` places in ``zones``, names such as
    Europe/Berlin. Each hour of a zone is looked up once. Raises Invalid for an unknown zone.
    """
    hour = moment // _HOUR_MICROSECONDS
    out = np.empty(len(moment), np.int64)
    for place, name in enumerate(zones):
        rows = zone == place
        if not rows.any():
            continue
        distinct, back = np.unique(hour[rows], return_inverse=True)
        out[rows] = _local(distinct, name)[back]
    return out


def _local(hours: IntArray, name: str) -> IntArray:
    if name in ("", "UTC"):
        return (hours + 24 * _FIRST_WEEKDAY) % HOURS
    try:
        zone = ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise Invalid(f"there is no time zone {name[:40]!r}; one is called Europe/Berlin") from None
    local = [(_EPOCH + timedelta(hours=hour)).astimezone(zone) for hour in hours.tolist()]
    return np.array([each.weekday() * 24 + each.hour for each in local], np.int64)


def find_zone_or(name: str | None, usual: str) -> str:
    """Return a zone as it was told where there is one of that name, else the usual one."""
    try:
        return str(ZoneInfo(name).key) if name else usual
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return usual


def block_of(hour: IntArray) -> IntArray:
    """Return the part of the day of an hour of the week, those of the weekend after the others."""
    weekend = hour >= 5 * 24
    blocks: IntArray = (hour % 24) // BLOCK_HOURS + np.where(weekend, 24 // BLOCK_HOURS, 0)
    return blocks


def show_hour(hour: int) -> str:
    """Return an hour of the week for people."""
    return f"{DAYS[hour // 24]} {hour % 24:02}:00"


def population_profile(hour: IntArray, answered: FloatArray) -> FloatArray:
    """Return how likely an answer is in each hour of the week, drawn towards hour and weekday.

    Rate = base · hour of the day · day of the week, each factor drawn to 1 by as much as 20
    expected answers weigh.
    """
    base = max(float(answered.mean()), 1e-9)
    by_hour = _factor(hour % 24, answered, np.full(len(hour), base), 24)
    by_day = _factor(hour // 24, answered, base * by_hour[hour % 24], 7)
    every = np.arange(HOURS)
    return base * by_hour[every % 24] * by_day[every // 24]


def _factor(place: IntArray, answered: FloatArray, expected: FloatArray, size: int) -> FloatArray:
    came = np.bincount(place, answered, size) + _PRIOR
    wanted = np.bincount(place, expected, size) + _PRIOR
    factors: FloatArray = came / wanted
    return factors


def profile_p_value(place: IntArray, answered: FloatArray, size: int) -> float:
    """Return how often chance alone makes answers differ so between places (chi squared)."""
    from scipy import stats  # noqa: PLC0415  # loads slowly

    sent = np.bincount(place, minlength=size)
    came = np.bincount(place, answered, size)
    kept = sent > 0
    table = np.array([came[kept], sent[kept] - came[kept]])
    if kept.sum() < 2 or np.any(table.sum(axis=1) == 0):
        return 1.0
    return float(stats.chi2_contingency(table, correction=False).pvalue)
