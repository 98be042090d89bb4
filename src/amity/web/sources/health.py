"""How well one source comes, drawn: what it sent, how it was, and from when on to warn."""

from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Final

import msgspec
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_POST

from amity.kernel.errors import Invalid
from amity.store import api as store
from amity.store import api_plans
from amity.store.contracts import SYSTEM_SOURCE_ID
from amity.store.contracts_tracking import (
    AlertTerms,
    FillRate,
    LatestPicture,
    QualityDay,
    QualityHour,
    SourceWatch,
)
from amity.web.access import may, requires, staff_of
from amity.web.sources.live import read_stream

_DAYS: Final = 30
_EVENTS: Final = 10
_ALERTS: Final = 12
_MUTES: Final = {"1": 1, "7": 7, "30": 30}
_SECONDS_ALIKE: Final = 5
EMPTY: Final = QualityDay(
    day=date.min,
    **dict.fromkeys(QualityDay.__struct_fields__[1:], 0),
)


class Drawn(msgspec.Struct, frozen=True, kw_only=True):
    """One figure over the days: what it is now, in a sentence, and its trend."""

    title: str
    value: str
    words: str
    trend: list[float]
    series: str


class Coverage(msgspec.Struct, frozen=True, kw_only=True):
    """How many of the latest events name somebody in one way."""

    label: str
    part: int
    whole: int


@require_GET
@requires("sources.read")
def show_health(request: HttpRequest, source_id: int) -> HttpResponse:
    """Show how a source comes: by day, by hour, its latest events, what was wrong with it."""
    source, now = store.get_source(source_id=source_id), datetime.now(UTC)
    days = fill_days(api_plans.list_quality(source_id=source_id, now=now, days=_DAYS), now)
    hours = api_plans.list_quality_hours(source_id=source_id, now=now)
    rates = api_plans.list_fill_rates(source_id=source_id, now=now, days=_DAYS)
    latest = api_plans.picture_latest(source_id=source_id, now=now)
    last_at = api_plans.find_last_events().get(source_id)
    alerts = api_plans.list_alerts(source_id=source_id, open_only=False, limit=_ALERTS)
    watch = api_plans.get_source_watch(source_id=source_id)
    return render(
        request,
        "sources/health.html",
        {
            "source": source,
            "is_system": source_id == SYSTEM_SOURCE_ID,
            "figures": draw(days, rates, now),
            "days": list(reversed(days)),
            "hours": hours,
            "hours_words": say_hours(hours),
            "hour_values": [hour.events for hour in hours],
            "latest": latest,
            "coverage": cover(latest),
            "clock_words": say_clock(latest),
            "last_at": last_at,
            "lines": read_stream(source_id, after=None).lines[:_EVENTS],
            "empties": [rate for rate in rates if rate.null_rate > 0][:_EVENTS],
            "findings": api_plans.list_findings(source_id=source_id)[:20],
            "open_alerts": [alert for alert in alerts if alert.closed_at is None],
            "closed_alerts": [alert for alert in alerts if alert.closed_at is not None],
            "watch": watch,
            "is_muted": watch.muted_until is not None and watch.muted_until > now,
            "terms": _fields_of(watch.terms),
            "can_manage": may(request, "sources.write"),
        },
    )


def fill_days(days: Sequence[QualityDay], now: datetime) -> list[QualityDay]:
    """Return every day of the last thirty, those without anything with zeros, oldest first."""
    known = {each.day: each for each in days}
    every = [now.date() - timedelta(days=back) for back in range(_DAYS - 1, -1, -1)]
    return [known.get(day) or msgspec.structs.replace(EMPTY, day=day) for day in every]


def draw(days: Sequence[QualityDay], rates: Sequence[FillRate], now: datetime) -> list[Drawn]:
    """Return the figures over the days, each with a sentence. Pure."""
    stored = [float(each.stored) for each in days]
    busy = sorted(amount for amount in stored[:-1] if amount)
    usual = busy[len(busy) // 2] if busy else 0
    volume = Drawn(
        title="Volume",
        value=f"{days[-1].stored:,}",
        words=f"events so far today; a usual day with events has {usual:,.0f}."
        if busy
        else "events so far today; no day before had any.",
        trend=stored,
        series="s1",
    )
    return [
        volume,
        *(_draw_share(days, *each) for each in _SHARES),
        _draw_empty(rates, now),
    ]


_Amount = Callable[[QualityDay], int]
_SHARES: Final[tuple[tuple[str, str, _Amount, _Amount, str], ...]] = (
    (
        "Against the plan",
        "were against their plan",
        lambda day: day.violating,
        lambda day: day.received,
        "s2",
    ),
    (
        "Duplicates",
        "came twice and were kept once",
        lambda day: day.duplicate,
        lambda day: day.received,
        "s3",
    ),
    (
        "Late",
        "came over a day after they happened",
        lambda day: day.late,
        lambda day: day.stored,
        "s4",
    ),
    (
        "Quarantined",
        "could not be taken in as they came",
        lambda day: day.quarantined,
        lambda day: day.received,
        "s5",
    ),
)


def _draw_share(
    days: Sequence[QualityDay], title: str, words: str, part: _Amount, whole: _Amount, series: str
) -> Drawn:
    parts, wholes = sum(map(part, days)), sum(map(whole, days))
    return Drawn(
        title=title,
        value=percent(parts, wholes),
        words=f"{parts:,} of {wholes:,} in thirty days {words}."
        if wholes
        else "Nothing came in thirty days.",
        trend=[part(day) / whole(day) if whole(day) else 0.0 for day in days],
        series=series,
    )


def _draw_empty(rates: Sequence[FillRate], now: datetime) -> Drawn:
    by_day: dict[int, list[float]] = {}
    for rate in rates:
        by_day.setdefault((now.date() - rate.day).days, []).append(rate.null_rate)
    every = [rate.null_rate for rate in rates]
    if not every:
        words = "No plan with a required property holds for what came."
    else:
        worst = max(rates, key=lambda rate: (rate.null_rate, rate.day))
        name = worst.name or worst.type
        words = f"of required properties, on average; at worst {worst.path} of {name}, "
        words += f"{worst.null_rate:.0%} on {worst.day:%-d %b %Y}."
    return Drawn(
        title="Empty",
        value=f"{sum(every) / len(every):.1%}".replace("%", " %") if every else "–",
        words=words,
        trend=[
            sum(by_day[back]) / len(by_day[back]) if back in by_day else 0.0
            for back in range(_DAYS - 1, -1, -1)
        ]
        if every
        else [],
        series="s6",
    )


def percent(part: int, whole: int) -> str:
    """Return a share in words: as exact as it has to be to tell something from nothing."""
    if not whole:
        return "–"
    share = 100 * part / whole
    if 0 < share < 0.1:
        return "under 0.1 %"
    return f"{share:.1f} %" if share < 10 else f"{share:.0f} %"


def say_hours(hours: Sequence[QualityHour]) -> str:
    """Say how the last day went. Pure."""
    total = sum(hour.events for hour in hours)
    if not total:
        return "Nothing came in the last 24 hours."
    most = max(hours, key=lambda hour: hour.events)
    quiet = sum(not hour.events for hour in hours)
    still = f" {quiet} of them brought nothing." if quiet else ""
    return (
        f"{total:,} events in 24 hours, most of them ({most.events:,}) from "
        f"{most.hour:%H:%M} UTC on.{still}"
    )


def cover(latest: LatestPicture) -> list[Coverage]:
    """Return how many of the latest events name somebody, by the way they do."""
    parts = (
        ("customer id", latest.with_user_id),
        ("device", latest.with_anonymous_id),
        ("e-mail address", latest.with_email),
        ("phone number", latest.with_phone),
    )
    return [Coverage(label=label, part=part, whole=latest.events) for label, part in parts]


def say_clock(latest: LatestPicture) -> str:
    """Say how far the senders' clocks are off, and how late events come. Pure."""
    if latest.skew_seconds is None:
        clock = "They do not say when they were sent, so clocks cannot be compared."
    elif abs(latest.skew_seconds) < _SECONDS_ALIKE:
        clock = "The senders' clocks agree with ours."
    else:
        way = "ahead of" if latest.skew_seconds > 0 else "behind"
        clock = f"The senders' clocks are {long(abs(latest.skew_seconds))} {way} ours."
    if latest.delay_seconds is None:
        return clock
    delay = f" Half of them come within {long(latest.delay_seconds)} of happening"
    if latest.delay_most_seconds is not None:
        delay += f", nine of ten within {long(latest.delay_most_seconds)}"
    return f"{clock}{delay}."


def long(seconds: float) -> str:
    """Write how long something takes, in one unit."""
    for size, unit in ((86400, "days"), (3600, "hours"), (60, "minutes")):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return "a second" if seconds <= 1 else f"{seconds:.0f} seconds"


class _Field(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    label: str
    value: str
    unit: str


_LABELS: Final = (
    ("silent_hours", "Silent for more than", "hours", 1),
    ("most_violating", "Against the plan, more than", "%", 100),
    ("most_duplicate", "Duplicates, more than", "%", 100),
    ("most_late", "Late, more than", "%", 100),
    ("null_rise", "A property empty more often than in the week before, by", "points", 100),
    ("volume_deviations", "A day away from its weekday by", "deviations", 1),
    ("least_events", "Judge shares from", "events on", 1),
)


def _fields_of(terms: AlertTerms) -> list[_Field]:
    return [
        _Field(
            name=name,
            label=label,
            value="" if (held := getattr(terms, name)) is None else f"{held * scale:.10g}",
            unit=unit,
        )
        for name, label, unit, scale in _LABELS
    ]


@require_POST
@requires("sources.write")
def watch(request: HttpRequest, source_id: int) -> HttpResponse:
    """Change from when on alerts are raised about a source; an empty field switches a rule off."""
    held, now = api_plans.get_source_watch(source_id=source_id), datetime.now(UTC)
    try:
        changed = SourceWatch(
            source_id=source_id,
            terms=_read_terms(request) if request.POST.get("do") == "terms" else held.terms,
            muted_until=_muted_until(request, held, now),
            updated_at=now,
            updated_by=staff_of(request).get_username(),
        )
        api_plans.watch_source(
            source_id=source_id,
            terms=changed.terms,
            muted_until=changed.muted_until,
            by=changed.updated_by,
            now=now,
        )
    except Invalid as refusal:
        messages.error(request, f"Nothing was changed: {refusal.message}.")
    else:
        messages.success(request, _said(request.POST.get("do", "")))
    return redirect("source_health", source_id)


def _said(doing: str) -> str:
    return {
        "mute": "Muted: no alert is raised meanwhile, and open ones close within five minutes.",
        "unmute": "Alerts are raised again, from the next look within five minutes on.",
    }.get(doing, "Noted. It holds from the next look, within five minutes.")


def _muted_until(request: HttpRequest, held: SourceWatch, now: datetime) -> datetime | None:
    doing = request.POST.get("do")
    if doing == "unmute":
        return None
    if doing == "mute":
        return now + timedelta(days=_MUTES.get(request.POST.get("days", ""), 1))
    return held.muted_until


def _read_terms(request: HttpRequest) -> AlertTerms:
    read: dict[str, float | None] = {}
    for name, label, _, scale in _LABELS:
        text = request.POST.get(name, "").strip().replace(",", ".")
        try:
            read[name] = float(text) / scale if text else None
        except ValueError:
            raise Invalid(f"“{text}” is no number ({label})") from None
    least = read.pop("least_events")
    made = AlertTerms(**read, least_events=int(least or 1))  # type: ignore[arg-type]
    return msgspec.structs.replace(made, warns_personal=request.POST.get("warns_personal") == "yes")
