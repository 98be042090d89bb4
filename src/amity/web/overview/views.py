"""The overview: acquisition, expansion, retention; segments; what just came in; health."""

from datetime import UTC, datetime
from typing import Any, Final

import msgspec
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from amity.analysis import api as analysis
from amity.analysis import api_segment_lists
from amity.analysis.contracts import Segment
from amity.analysis.contracts_segments import SegmentSearch
from amity.store import api as store
from amity.store import api_plans
from amity.store.contracts import SYSTEM_SOURCE_ID, ReceivedEvent
from amity.web.about_file import read_about
from amity.web.access import may, requires

RANGES: Final = (30, 90, 365)
_SEGMENTS: Final = 8
_EVENTS: Final = 9
_ALERTS: Final = 3
_LATE_SECONDS: Final = 10


@requires("overview.read")
@require_safe
def overview(request: HttpRequest) -> HttpResponse:
    """Show how the business does at a glance, over a range the address names."""
    days = request.GET.get("days", "")
    chosen = int(days) if days.isdecimal() and int(days) in RANGES else 90
    now = datetime.now(UTC)
    about = read_about()
    total = store.count_profiles()
    page: dict[str, Any] = {
        "days": chosen,
        "ranges": RANGES,
        "shop": about.title if about else "",
        "total": total,
        "segments": _segments(),
        **_feed(request),
    }
    if total:
        page["figures"] = analysis.overview(now=now, days=chosen)
    return render(request, "overview/overview.html", page)


@requires("overview.read")
@require_safe
def pulse(request: HttpRequest) -> HttpResponse:
    """Answer what changes by the second: the latest events and the health of the data."""
    return render(request, "overview/_pulse.html", _feed(request))


def _segments() -> list[Segment]:
    largest = SegmentSearch(order="members")
    return api_segment_lists.list_segment_page(search=largest, limit=_SEGMENTS).items


def _feed(request: HttpRequest) -> dict[str, Any]:
    stats = store.stats()
    lag = max((consumer.seconds for consumer in stats.consumers), default=0.0)
    # Of those who may see sources, whoever looks first at the overview should know.
    alerts = api_plans.list_alerts() if may(request, "sources.read") else []
    waiting = max((consumer.events for consumer in stats.consumers), default=0)
    return {
        "latest": [(event, _about(event)) for event in store.list_received(limit=_EVENTS)],
        "stats": stats,
        "open_quarantine": sum(store.count_quarantine().values()),
        "alerts": alerts[:_ALERTS],
        "more_alerts": max(0, len(alerts) - _ALERTS),
        "lag": lag,
        "waiting": waiting,
        "is_late": lag > _LATE_SECONDS,
        "may_see_sources": may(request, "sources.read"),
    }


class _Properties(msgspec.Struct, frozen=True):
    segment_name: str = ""


class _Body(msgspec.Struct, frozen=True):
    properties: _Properties = _Properties()


_BODY: Final = msgspec.json.Decoder(_Body)


def _about(event: ReceivedEvent) -> str:
    """Return which segment an event of Amity's own speaks of, "" for all others."""
    if event.source_id != SYSTEM_SOURCE_ID:
        return ""
    return _BODY.decode(event.body).properties.segment_name
