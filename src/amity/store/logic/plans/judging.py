"""When something is wrong with a source: the rules. Pure; each rule answers with a sentence."""

from collections.abc import Callable, Sequence
from datetime import date, datetime, timedelta
from statistics import median
from typing import Final, NamedTuple

import msgspec

from amity.store.contracts_tracking import AlertRule, AlertTerms, NullRise, QualityDay

VOLUME_LEAST_DAYS: Final = 4
_VOLUME_WEEKS: Final = 8
_LEAST_DEVIATION: Final = 0.1
_BUSY_DAYS: Final = 3
_MOST_NAMED: Final = 3


class Picture(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a source when it is judged; ``days`` are the oldest first."""

    days: Sequence[QualityDay]
    last_at: datetime | None
    """When its last event came; None when that is longer ago than counts are kept."""
    nulls: Sequence[NullRise] = ()
    is_silent: bool = False
    """Whether it is known to be silent already: that is over only when something comes."""


def judge(picture: Picture, terms: AlertTerms, now: datetime) -> dict[AlertRule, str]:
    """Return the rules a source breaks, each with a sentence that says how."""
    found = {rule: say(picture, terms, now) for rule, say in _RULES.items()}
    return {rule: words for rule, words in found.items() if words}


def _silent(picture: Picture, terms: AlertTerms, now: datetime) -> str:
    """Say since when nothing came, though events used to come on most days before.

    What a source was used to is read from the days before its last event, not before today:
    else it would be forgotten after a week of silence.
    """
    if terms.silent_hours is None:
        return ""
    if picture.last_at is None:
        return "nothing came for over 100 days" if picture.is_silent else ""
    hours = (now - picture.last_at).total_seconds() / 3600
    if hours <= terms.silent_hours:
        return ""
    last_on = picture.last_at.date()
    busy = sum(
        each.stored > 0 and timedelta(0) <= last_on - each.day < timedelta(days=8)
        for each in picture.days
    )
    if busy < _BUSY_DAYS and not picture.is_silent:
        return ""
    long = f"{hours:.0f} hours" if hours < 72 else f"{hours / 24:.0f} days"
    return f"nothing came for {long}; it used to come on most days"


class _Recent(NamedTuple):
    received: int
    stored: int
    violating: int
    duplicate: int
    late: int
    warnings: int


def _recent(picture: Picture, now: datetime) -> _Recent:
    """Return what came on this day and the one before."""
    days = [each for each in picture.days if now.date() - each.day <= timedelta(days=1)]
    return _Recent(*(sum(getattr(each, name) for each in days) for name in _Recent._fields))


def _share(part: int, whole: int, most: float | None, least: int) -> bool:
    return most is not None and whole >= least and part > most * whole


def _violations(picture: Picture, terms: AlertTerms, now: datetime) -> str:
    recent = _recent(picture, now)
    if not _share(recent.violating, recent.received, terms.most_violating, terms.least_events):
        return ""
    share = recent.violating / recent.received
    return f"{share:.0%} of {recent.received:,} events are against their plan"


def _duplicates(picture: Picture, terms: AlertTerms, now: datetime) -> str:
    recent = _recent(picture, now)
    if not _share(recent.duplicate, recent.received, terms.most_duplicate, terms.least_events):
        return ""
    return f"{recent.duplicate / recent.received:.0%} of {recent.received:,} events came twice"


def _late(picture: Picture, terms: AlertTerms, now: datetime) -> str:
    recent = _recent(picture, now)
    if not _share(recent.late, recent.stored, terms.most_late, terms.least_events):
        return ""
    share = recent.late / recent.stored
    return f"{share:.0%} of {recent.stored:,} events came over a day after they happened"


def _nulls(picture: Picture, terms: AlertTerms, now: datetime) -> str:
    if terms.null_rise is None or not picture.nulls:
        return ""
    named = [
        f"{each.path} of {each.name or each.type} is empty in {each.null_rate:.0%}, "
        f"before in {each.before_rate:.0%}"
        for each in picture.nulls[:_MOST_NAMED]
    ]
    more = len(picture.nulls) - len(named)
    return "; ".join(named) + (f"; and {more} more" if more else "")


def _personal(picture: Picture, terms: AlertTerms, now: datetime) -> str:
    warnings = _recent(picture, now).warnings
    if not terms.warns_personal or not warnings:
        return ""
    times = "once" if warnings == 1 else f"{warnings:,} times"
    return f"{times} personal data stood in a field not meant for it"


def _volume(picture: Picture, terms: AlertTerms, now: datetime) -> str:
    if terms.volume_deviations is None:
        return ""
    stored = {each.day: each.stored for each in picture.days}
    return judge_volume(stored, now.date() - timedelta(days=1), terms.volume_deviations)


def judge_volume(stored: dict[date, int], day: date, deviations: float = 4.0) -> str:
    """Say how a day's volume is outside what its weekday is used to, "" when it is not.

    It is compared with the median of the same weekday in the eight weeks before, give or take
    some median absolute deviations (at least a tenth of the median each). With fewer than four
    such days nothing is said. Only days after the first event count, those without any as 0. A
    day without any event is outside whenever none of those days was empty, however much they
    differ.
    """
    first = min(stored, default=day)
    weeks = (day - timedelta(weeks=week) for week in range(1, _VOLUME_WEEKS + 1))
    before = [stored.get(each, 0) for each in weeks if each >= first]
    if len(before) < VOLUME_LEAST_DAYS:
        return ""
    middle = median(before)
    spread = median(abs(each - middle) for each in before)
    allowed = deviations * max(spread, _LEAST_DEVIATION * middle, 1.0)
    amount = stored.get(day, 0)
    on = f"{day:%A}, {day:%-d %b %Y}"
    if not amount and min(before) > 0:
        return f"no event on {on}; usual are about {middle:,.0f}"
    if abs(amount - middle) <= allowed:
        return ""
    how = "more" if amount > middle else "fewer"
    usual = f"{max(0, middle - allowed):,.0f} to {middle + allowed:,.0f}"
    return f"{amount:,} events on {on}, {how} than usual: {usual}"


_RULES: Final[dict[AlertRule, Callable[[Picture, AlertTerms, datetime], str]]] = {
    "silent": _silent,
    "volume": _volume,
    "violations": _violations,
    "duplicates": _duplicates,
    "late": _late,
    "nulls": _nulls,
    "personal": _personal,
}
