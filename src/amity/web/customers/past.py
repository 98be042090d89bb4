"""A customer's page as known on some day: the whole page part, from what had been received then."""

from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone

from amity.analysis import api as analysis
from amity.analysis.contracts import Membership
from amity.kernel.errors import Invalid, NotFound
from amity.store import api as store
from amity.store.contracts_claims import PastProfile
from amity.web.access import may
from amity.web.customers.refused import consents_of
from amity.web.customers.truths import past_traits_of
from amity.web.customers.words import KINDS, who


def read_moment(text: str, now: datetime) -> datetime:
    """Return the moment a day, or a date and time, stands for: a day is looked at from its end.

    A day is the reader's. Raises Invalid when it is neither, or is still to come.
    """
    try:
        if len(text) == len("2026-01-31"):
            begin = datetime.combine(date.fromisoformat(text), time(), _zone())
            moment = min(begin + timedelta(days=1) - timedelta(microseconds=1), max(now, begin))
        else:
            moment = datetime.fromisoformat(text)
            moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    except (ValueError, OverflowError) as error:
        raise Invalid("write the day as 2026-01-31", code="bad_moment") from error
    if moment > now:
        raise Invalid("that day is still to come", code="bad_moment")
    return moment


def _zone() -> ZoneInfo | Any:
    return timezone.get_current_timezone()


def list_segments_then(past: PastProfile) -> list[Membership]:
    """Return the stays in segments that lasted at that moment, of all profiles that were one."""
    return [
        stay
        for profile_id in past.joined
        for stay in analysis.list_memberships(profile_id=profile_id)
        if stay.entered_at <= past.at and (stay.left_at is None or stay.left_at > past.at)
    ]


def day_control(profile_id: int, at: datetime | None, now: datetime) -> dict[str, Any]:
    """Return what the control that chooses a day needs."""
    zone = _zone()
    return {
        "profile_id": profile_id,
        "as_of_day": at.astimezone(zone).date().isoformat() if at else "",
        "today": now.astimezone(zone).date().isoformat(),
    }


def show_past(
    request: HttpRequest, profile_id: int, text: str, sources: dict[int, str]
) -> HttpResponse:
    """Answer a customer's page as known then, or say that nothing was known of them."""
    now = datetime.now(UTC)
    control = day_control(profile_id, None, now)
    try:
        at = read_moment(text, now)
        control = day_control(profile_id, at, now)
        past = store.get_profile_as_of(profile_id=profile_id, at=at)
    except (Invalid, NotFound) as error:
        words = error.message if isinstance(error, Invalid) else "they were not known then"
        page = {**control, "problem": f"{words[:1].upper()}{words[1:]}."}
        status = 422 if isinstance(error, Invalid) else 200
        return render(request, "customers/past.html", page, status=status)
    page = {
        **control,
        "is_past": True,
        "past": past,
        "profile": past.profile,
        "who": who(past.profile),
        "traits": past_traits_of(past.profile, sources),
        "identifiers": [
            {"is": one, "kind": KINDS[one.kind], "source": sources.get(one.source_id, "")}
            for one in past.identifiers
        ],
        "inside": list_segments_then(past) if may(request, "segments.read") else [],
        **consents_of(
            store.list_past_standings(consents=past.profile.consents, at=past.at), sources
        ),
        "counts": sorted(past.profile.event_counts.items(), key=lambda one: (-one[1], one[0])),
    }
    return render(request, "customers/past.html", page)
