"""What asks for a segment, in every engine: other segments, campaigns, journeys, offers, exports.

Composed here, as an engine does not know those above it. Rules are read by what they mention, and
the open forms of journeys by looking through their JSON.
"""

from collections.abc import Iterable, Iterator
from typing import Any, Final, Literal

import msgspec
from django.urls import reverse

from amity.analysis import api as analysis
from amity.broadcast import api as broadcast
from amity.kernel.errors import Invalid
from amity.personalization import api as personalization
from amity.personalization.contracts import Offer
from amity.rules import decode_rule, mentions
from amity.store import api as store

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


def list_uses(segment_ids: Iterable[int]) -> list[SegmentUse]:
    """Return what asks for any of these segments, by kind; what has ended is left out."""
    wanted = frozenset(segment_ids)
    offers = _offers(wanted)
    placed = {placement_id for offer in offers for placement_id in offer.placement_ids}
    return [
        *_segments(wanted),
        *_campaigns(wanted),
        *_journeys(wanted),
        *(
            SegmentUse(
                kind="offer",
                name=offer.name,
                state=offer.state,
                words="is shown by it",
                href=reverse("offer", args=[offer.offer_id]),
            )
            for offer in offers
        ),
        *_placements(placed),
        *_outbound(wanted),
    ]


def _asks(rule: dict[str, Any] | None, wanted: frozenset[int]) -> bool:
    try:
        return rule is not None and bool(mentions(decode_rule(rule)).segments & wanted)
    except Invalid:
        return False


def _segments(wanted: frozenset[int]) -> Iterator[SegmentUse]:
    for segment in analysis.list_segments():
        if segment.segment_id not in wanted and _asks(segment.rule, wanted):
            yield SegmentUse(
                kind="segment",
                name=segment.name,
                state=segment.state,
                words="asks for it in its rule",
                href=reverse("segment", args=[segment.segment_id]),
            )


def _campaigns(wanted: frozenset[int]) -> Iterator[SegmentUse]:
    cursor: str | None = None
    for _ in range(_MOST_CAMPAIGNS // _PAGE):
        page = broadcast.list_campaigns(cursor=cursor, limit=_PAGE)
        for campaign in page.items:
            if campaign.segment_id in wanted and campaign.state not in _ENDED:
                yield SegmentUse(
                    kind="campaign",
                    name=campaign.name,
                    state=campaign.state,
                    words="writes to it"
                    if campaign.targeted_at is None
                    else "wrote to those who were in it when it began",
                    href=reverse("campaign", args=[campaign.campaign_id]),
                )
        cursor = page.next_cursor
        if cursor is None:
            return


def _journeys(wanted: frozenset[int]) -> Iterator[SegmentUse]:
    for journey in broadcast.list_journeys():
        if any(segment_id in wanted for segment_id in _named_in(journey.definition)):
            yield SegmentUse(
                kind="journey",
                name=journey.name,
                state=journey.state,
                words="begins or branches by it",
                href=reverse("journey", args=[journey.journey_id]),
            )


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


def _offers(wanted: frozenset[int]) -> list[Offer]:
    return [
        offer
        for offer in personalization.list_offers()
        if offer.state != "archived" and _asks(offer.rule, wanted)
    ]


def _placements(placement_ids: set[int]) -> Iterator[SegmentUse]:
    for placement in personalization.list_placements():
        if placement.placement_id in placement_ids:
            yield SegmentUse(
                kind="placement",
                name=placement.name,
                state="live",
                words="decides among offers that ask for it",
                href=reverse("placement", args=[placement.placement_id]),
            )


def _outbound(wanted: frozenset[int]) -> Iterator[SegmentUse]:
    for endpoint in store.list_endpoints():
        if wanted & set(endpoint.segment_ids):
            yield SegmentUse(
                kind="webhook",
                name=endpoint.name,
                state=endpoint.state,
                words="is told who enters and leaves it",
                href=reverse("outbound_one", args=[endpoint.endpoint_id]),
            )
    for export in store.list_exports():
        if export.segment_id in wanted:
            yield SegmentUse(
                kind="export",
                name=export.name,
                state="scheduled" if export.every_hours and export.is_enabled else "by hand",
                words="writes its members to a file or a table",
                href=reverse("export", args=[export.export_id]),
            )
