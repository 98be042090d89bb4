"""What asks for a segment, in every engine: other segments, campaigns, journeys, offers, exports.

Composed here, as an engine does not know those above it. Rules are read by what they mention, and
the open forms of journeys by looking through their JSON.
"""

from collections.abc import Iterable, Iterator
from typing import Any, Final, Literal

import msgspec
from django.urls import reverse

from amity.analysis import api as analysis
from amity.analysis.contracts import Segment
from amity.broadcast import api_campaigns, api_journeys
from amity.kernel.errors import Invalid
from amity.personalization import api as personalization
from amity.rules import decode_rule, mentions
from amity.store import api_outbound

Kind = Literal["segment", "campaign", "journey", "offer", "placement", "webhook", "export"]
_ENDED: Final = {"finished", "stopped", "archived"}
_MOST_CAMPAIGNS: Final = 1_000
_PAGE: Final = 200


class SegmentUse(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that asks for a segment and has not ended."""

    kind: Kind
    name: str
    state: str
    words: str
    """What it does with the segment."""
    href: str


Found = Iterator[tuple[frozenset[int], SegmentUse]]
"""What asks for segments, each with the segments it asks for."""


def list_uses(segment_ids: Iterable[int]) -> list[SegmentUse]:
    """Return what asks for any of these segments, by kind; what has ended is left out.

    These segments themselves are left out too.
    """
    wanted = frozenset(segment_ids)
    own = {reverse("segment", args=[segment_id]) for segment_id in wanted}
    return [use for asked, use in _find_all() if asked & wanted and use.href not in own]


def list_unused() -> list[Segment]:
    """Return the segments nothing asks for, by name."""
    used: set[int] = set().union(*(asked for asked, _ in _find_all()))
    return [each for each in analysis.list_segments() if each.segment_id not in used]


def _find_all() -> Found:
    yield from _segments()
    yield from _campaigns()
    yield from _journeys()
    yield from _decisions()
    yield from _outbound()


def _asked_by(rule: dict[str, Any] | None) -> frozenset[int]:
    try:
        return frozenset() if rule is None else mentions(decode_rule(rule)).segments
    except Invalid:
        return frozenset()


def _segments() -> Found:
    for segment in analysis.list_segments():
        use = SegmentUse(
            kind="segment",
            name=segment.name,
            state=segment.state,
            words="asks for it in its rule",
            href=reverse("segment", args=[segment.segment_id]),
        )
        yield _asked_by(segment.rule), use


def _campaigns() -> Found:
    cursor: str | None = None
    for _ in range(_MOST_CAMPAIGNS // _PAGE):
        page = api_campaigns.list_campaigns(cursor=cursor, limit=_PAGE)
        for campaign in page.items:
            if campaign.state in _ENDED:
                continue
            is_drawn = campaign.targeted_at is not None
            use = SegmentUse(
                kind="campaign",
                name=campaign.name,
                state=campaign.state,
                words="writes to those who were in it when it began"
                if is_drawn
                else "writes to it",
                href=reverse("campaign", args=[campaign.campaign_id]),
            )
            yield frozenset((campaign.segment_id,)), use
        cursor = page.next_cursor
        if cursor is None:
            return


def _journeys() -> Found:
    for journey in api_journeys.list_journeys():
        use = SegmentUse(
            kind="journey",
            name=journey.name,
            state=journey.state,
            words="begins or branches by it",
            href=reverse("journey", args=[journey.journey_id]),
        )
        yield frozenset(_named_in(journey.definition)), use


def _named_in(value: Any) -> Iterator[int]:
    """Give the segments that rules and tests of `Segment Entered` in a definition name."""
    if isinstance(value, list):
        for each in value:
            yield from _named_in(each)
    elif isinstance(value, dict):
        if value.get("node") == "in_segment" and isinstance(value.get("segment_id"), int):
            yield value["segment_id"]
        if value.get("property") == "segment_id" and isinstance(value.get("is"), dict):
            test = value["is"]
            named = test.get("values", [test.get("value")])
            yield from (each for each in named if isinstance(each, int))
        for each in value.values():
            yield from _named_in(each)


def _decisions() -> Found:
    """Give offers whose rules ask for segments, and the placements that decide among these."""
    placed: dict[int, frozenset[int]] = {}
    for offer in personalization.list_offers():
        asked = _asked_by(offer.rule)
        if offer.state == "archived" or not asked:
            continue
        for placement_id in offer.placement_ids:
            placed[placement_id] = placed.get(placement_id, frozenset()) | asked
        use = SegmentUse(
            kind="offer",
            name=offer.name,
            state=offer.state,
            words="is shown by it",
            href=reverse("offer", args=[offer.offer_id]),
        )
        yield asked, use
    for placement in personalization.list_placements() if placed else []:
        if placement.placement_id in placed:
            use = SegmentUse(
                kind="placement",
                name=placement.name,
                state="live",
                words="decides among offers that ask for it",
                href=reverse("placement", args=[placement.placement_id]),
            )
            yield placed[placement.placement_id], use


def _outbound() -> Found:
    for endpoint in api_outbound.list_endpoints():
        use = SegmentUse(
            kind="webhook",
            name=endpoint.name,
            state=endpoint.state,
            words="is told who enters and leaves it",
            href=reverse("outbound_one", args=[endpoint.endpoint_id]),
        )
        yield frozenset(endpoint.segment_ids), use
    for export in api_outbound.list_exports():
        use = SegmentUse(
            kind="export",
            name=export.name,
            state="scheduled" if export.every_hours and export.is_enabled else "by hand",
            words="writes its members to a file or a table",
            href=reverse("export", args=[export.export_id]),
        )
        yield frozenset((export.segment_id,)), use
