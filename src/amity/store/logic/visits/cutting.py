"""Visits (pure): the events of one origin, cut where there is a long pause or another campaign.

The result depends on which events there are, not on the order or the batches they came in. Cutting
is local: events with a pause before and after them (a run) can be cut without knowing the others.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

import msgspec

from amity.store.contracts_visits import Campaign, Device, Visit, VisitKind, VisitPage
from amity.store.logic.visits.interests import Vector, add_up, keep_top
from amity.store.logic.visits.machines import Signs, judge_signs, judge_timing
from amity.store.logic.visits.referrers import classify_referrer, find_host

_PAGES: Final = 50
_TOPICS: Final = 20
_LONGEST_TITLE: Final = 120
_NOTHING: Final = Campaign()


class Hit(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One event of a visit."""

    at: datetime
    event_id: int
    is_active: bool = True
    """Whether somebody was there; an order told by a server joins a visit and makes none."""
    is_view: bool = False
    kind: VisitKind = "site"
    url: str = ""
    title: str = ""
    referrer: str = ""
    campaign: Campaign | None = None
    device: Device = "other"
    signs: Signs = Signs()
    order_id: str = ""
    revenue_minor: int = 0
    topics: Vector = {}


class Cutting(msgspec.Struct, frozen=True, kw_only=True):
    """By what visits are cut, and how interests fade."""

    idle: timedelta = timedelta(minutes=30)
    midnight_in: ZoneInfo | None = None
    """Cut at midnight in this zone; None: not at all."""
    half_life: timedelta = timedelta(days=14)


class Span(msgspec.Struct, frozen=True, order=True):
    """A while in the life of an origin, its ends included."""

    origin_id: int
    begins_at: datetime
    ends_at: datetime


def cut(hits: Iterable[Hit], cutting: Cutting) -> list[Visit]:
    """Return the visits some events of one origin come to, in the order of time.

    They must be whole runs: every event of the origin that lies within a pause of one of them.
    """
    visits: list[Visit] = []
    for run in _runs(sorted(hits, key=lambda hit: (hit.at, hit.event_id)), cutting.idle):
        visits += [_visit(part, run, cutting) for part in _parts(run, cutting)]
    return visits


def _runs(hits: Sequence[Hit], idle: timedelta) -> Iterable[list[Hit]]:
    run: list[Hit] = []
    active_at: datetime | None = None
    for hit in hits:
        if run and (active_at is None or hit.at - active_at >= idle):
            yield run
            run, active_at = [], None
        run.append(hit)
        active_at = hit.at if hit.is_active else active_at
    if run:
        yield run


def _parts(run: Sequence[Hit], cutting: Cutting) -> Iterable[list[Hit]]:
    """Cut a run where another campaign begins, and at midnight if that is wished."""
    part: list[Hit] = []
    campaign: Campaign | None = None
    for hit in run:
        if part and hit.is_active and _begins_anew(part[-1], hit, campaign, cutting.midnight_in):
            yield part
            part, campaign = [], None
        part.append(hit)
        if hit.is_active:  # what a server tells brings nobody
            campaign = hit.campaign or campaign
    yield part


def _begins_anew(
    before: Hit, hit: Hit, campaign: Campaign | None, midnight_in: ZoneInfo | None
) -> bool:
    if hit.campaign is not None and hit.campaign != campaign:
        return True
    if midnight_in is None:
        return False
    return hit.at.astimezone(midnight_in).date() != before.at.astimezone(midnight_in).date()


def _visit(part: Sequence[Hit], run: Sequence[Hit], cutting: Cutting) -> Visit:
    active = [hit for hit in part if hit.is_active]
    first, views = part[0], [hit for hit in part if hit.is_view]
    paged = [hit for hit in active if hit.url]
    landing = paged[0] if paged else first
    told = next((hit for hit in active if hit.referrer), first)
    referrer, referrer_kind = classify_referrer(told.referrer, find_host(landing.url))
    machine = _judge(active)
    orders = {hit.order_id: hit.revenue_minor for hit in part if hit.order_id}
    ends_at = part[-1].at
    return Visit(
        visit_id=first.event_id,
        kind=_kind_of(active),
        started_at=first.at,
        ended_at=ends_at,
        run_started_at=run[0].at,
        run_ended_at=run[-1].at,
        page_views=len(views),
        event_count=len(part),
        landing_page=landing.url,
        exit_page=paged[-1].url if paged else "",
        pages=_pages(views, first.at),
        referrer=referrer,
        referrer_kind=referrer_kind,
        campaign=next((hit.campaign for hit in active if hit.campaign), _NOTHING),
        device=next((hit.device for hit in active if hit.device != "other"), "other"),
        order_count=len(orders),
        revenue_minor=sum(orders.values()),
        machine=machine,
        topics={} if machine else _topics(part, ends_at, cutting.half_life),
    )


def _kind_of(active: Sequence[Hit]) -> VisitKind:
    if not active:
        return "elsewhere"
    return "app" if all(hit.kind == "app" for hit in active) else "site"


def _pages(views: Sequence[Hit], begins_at: datetime) -> list[VisitPage]:
    return [
        VisitPage(int((hit.at - begins_at).total_seconds()), hit.url, hit.title[:_LONGEST_TITLE])
        for hit in views[:_PAGES]
    ]


def _judge(active: Sequence[Hit]) -> str:
    for hit in active:
        verdict = judge_signs(hit.signs)
        if verdict:
            return verdict
    views = [hit for hit in active if hit.is_view]
    return judge_timing([(hit.at - views[0].at, hit.url) for hit in views])


def _topics(part: Sequence[Hit], at: datetime, half_life: timedelta) -> Vector:
    weighed = [(hit.at, hit.topics) for hit in part if hit.topics]
    return keep_top(add_up(weighed, at, half_life), _TOPICS)


def find_spans(moments: Mapping[int, Sequence[datetime]], idle: timedelta) -> list[Span]:
    """Return, by origin, the whiles that have these moments in them, a pause between each two."""
    spans: list[Span] = []
    for origin_id, times in sorted(moments.items()):
        ordered = sorted(times)
        begins_at = ends_at = ordered[0]
        for at in ordered[1:]:
            if at - ends_at >= idle:
                spans.append(Span(origin_id, begins_at, ends_at))
                begins_at = at
            ends_at = at
        spans.append(Span(origin_id, begins_at, ends_at))
    return spans


def join_spans(spans: Iterable[Span]) -> list[Span]:
    """Return the spans with those that overlap made one."""
    joined: list[Span] = []
    for span in sorted(spans):
        last = joined[-1] if joined else None
        if last and last.origin_id == span.origin_id and span.begins_at <= last.ends_at:
            ends_at = max(last.ends_at, span.ends_at)
            joined[-1] = Span(last.origin_id, last.begins_at, ends_at)
        else:
            joined.append(span)
    return joined
