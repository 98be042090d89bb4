"""A customer's timeline: events as sentences, grouped by the reader's days."""

from datetime import date, datetime, timedelta
from itertools import groupby
from typing import Final

import msgspec
from django.utils import timezone

from amity.store import api as store
from amity.store.contracts import Activity
from amity.web.customers.sentences import FILTERS, Sentence, tell

PAGE: Final = 20


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """One event as shown."""

    at: datetime
    series: str
    sentence: Sentence
    source: str
    event_id: int
    name: str


class Day(msgspec.Struct, frozen=True, kw_only=True):
    """The events of one day of the reader's, the latest first."""

    title: str
    day: date
    lines: list[Line]


class Timeline(msgspec.Struct, frozen=True, kw_only=True):
    """One page of a timeline."""

    days: list[Day]
    next_cursor: str | None


def read_timeline(
    *, profile_id: int, kind: str, cursor: str | None, sources: dict[int, str], now: datetime
) -> Timeline:
    """Return a page of a customer's events, the latest first; ``kind`` is a key of FILTERS."""
    names = list(FILTERS[kind][1]) if kind in FILTERS else None
    page = store.list_activity(profile_id=profile_id, names=names, cursor=cursor, limit=PAGE)
    days = [
        Day(title=_title(day, now), day=day, lines=[_line(item, sources) for item in activities])
        for day, activities in groupby(page.items, key=_day)
    ]
    return Timeline(days=days, next_cursor=page.next_cursor)


def _day(activity: Activity) -> date:
    return timezone.localtime(activity.occurred_at).date()


def _title(day: date, now: datetime) -> str:
    today = timezone.localtime(now).date()
    if day == today:
        return "Today"
    if day == today - timedelta(days=1):
        return "Yesterday"
    return day.strftime("%A, %-d %B" if day.year == today.year else "%A, %-d %B %Y")


def _line(activity: Activity, sources: dict[int, str]) -> Line:
    series, sentence = tell(activity)
    return Line(
        at=activity.occurred_at,
        series=series,
        sentence=sentence,
        source=sources.get(activity.source_id, ""),
        event_id=activity.event_id,
        name=activity.name,
    )
