"""Tools about segments: their versions, what a change would do, what uses them."""

from datetime import datetime, timedelta
from typing import Annotated

import msgspec
import numpy as np
from msgspec import Meta

from amity.analysis import api as analysis
from amity.analysis import api_segment_tools
from amity.analysis.contracts_segments import (
    ClusterSet,
    Lookalikes,
    RfmCells,
    RuleImpact,
    SegmentDifferences,
    SegmentMovement,
    SegmentOverlap,
    SegmentReview,
    SegmentVersion,
)
from amity.kernel.pagination import Page
from amity.web.api.documents import SegmentDocument, segment_document
from amity.web.api.endpoints.segments import RuleToTry
from amity.web.api.routing import Call, SmallRowId, route
from amity.web.segments.uses import SegmentUse, list_unused, list_uses


class ImpactDocument(msgspec.Struct, frozen=True, kw_only=True):
    """What another rule would do to a segment, and what asks for that segment."""

    impact: RuleImpact
    uses: list[SegmentUse]


class SegmentsToCompare(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which segments to lay over each other."""

    segment_ids: Annotated[list[SmallRowId], Meta(min_length=2, max_length=5)]


class Period(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Between which moments."""

    since: Annotated[datetime, Meta(tz=True)] | None = None
    """Thirty days before `until`, when absent."""
    until: Annotated[datetime, Meta(tz=True)] | None = None
    """Now, when absent."""


@route("POST", "/segments/overlap", scope="segments:read")
def compare_segment_members(body: SegmentsToCompare) -> SegmentOverlap:
    """Count who is in which combination of two to five segments now."""
    return api_segment_tools.compare_members(segment_ids=body.segment_ids)


class ReviewDocument(msgspec.Struct, frozen=True, kw_only=True):
    """Segments that can be tidied up."""

    review: SegmentReview
    unused: list[SmallRowId]
    """Segments nothing asks for; the empty ones among them can go."""


class ReviewToMake(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What counts as empty for long."""

    empty_days: Annotated[int, Meta(ge=1, le=3_660)] = 30


@route("POST", "/segments/review", scope="segments:read")
def review_segments(body: ReviewToMake, call: Call) -> ReviewDocument:
    """Find segments that are long empty, unused, or find the same customers as another."""
    review = api_segment_tools.refresh_review(now=call.now, empty_days=body.empty_days)
    return ReviewDocument(review=review, unused=[each.segment_id for each in list_unused()])


@route("GET", "/segments/{segment_id}/movement", scope="segments:read")
def describe_segment_movement(segment_id: SmallRowId, query: Period, call: Call) -> SegmentMovement:
    """Say who entered, left and stayed between two moments, and how many by day (UTC)."""
    until = query.until or call.now
    since = query.since or until - timedelta(days=30)
    return api_segment_tools.describe_movement(segment_id=segment_id, since=since, until=until)


class Against(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """With whom to compare."""

    against_id: SmallRowId | None = None
    """Another segment; everybody else, when absent."""


@route("POST", "/segments/{segment_id}/differences", scope="segments:read")
def find_segment_differences(
    segment_id: SmallRowId, body: Against, call: Call
) -> SegmentDifferences:
    """Find what sets a segment's members apart from everybody else or another segment's."""
    return api_segment_tools.refresh_differences(
        segment_id=segment_id, against_id=body.against_id, now=call.now
    )


class CellToSave(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One word of RFM."""

    word: Annotated[str, Meta(min_length=1, max_length=80)]


class LookalikesToSave(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How many of the nearest to put into a segment."""

    size: Annotated[int, Meta(ge=1, le=100_000)]


@route("POST", "/segments/rfm-cells", scope="segments:read")
def count_rfm_cells(call: Call) -> RfmCells:
    """Count whom RFM gives which word."""
    return api_segment_tools.refresh_rfm_cells(now=call.now)


@route("POST", "/segments/rfm-cells/save", scope="segments:write")
def save_rfm_cell(body: CellToSave, call: Call) -> SegmentDocument:
    """Make a segment of those RFM gives a word; it follows the score."""
    made = api_segment_tools.save_rfm_cell(word=body.word, by=call.caller, now=call.now)
    return segment_document(made)


@route("POST", "/segments/clusters", scope="segments:read")
def find_clusters(call: Call) -> ClusterSet:
    """Find groups of alike customers; refused when they are not found again in resamples."""
    return api_segment_tools.refresh_clusters(now=call.now, rng=np.random.default_rng())


@route("POST", "/segments/clusters/save", scope="segments:write")
def save_clusters(call: Call) -> Page[SegmentDocument]:
    """Put every customer into the group found last, and make a segment of each group."""
    made = api_segment_tools.save_clusters(by=call.caller, now=call.now)
    return Page([segment_document(each) for each in made])


@route("POST", "/segments/{segment_id}/lookalikes", scope="segments:read")
def learn_lookalikes(segment_id: SmallRowId, call: Call) -> Lookalikes:
    """Learn what tells a segment's members from others, tried on some held out."""
    return api_segment_tools.refresh_lookalikes(
        segment_id=segment_id, now=call.now, rng=np.random.default_rng()
    )


@route("POST", "/segments/{segment_id}/lookalikes/save", scope="segments:write")
def save_lookalikes(segment_id: SmallRowId, body: LookalikesToSave, call: Call) -> SegmentDocument:
    """Make a segment of the customers most like the members, by what was learnt last."""
    made = api_segment_tools.save_lookalikes(
        segment_id=segment_id, size=body.size, by=call.caller, now=call.now
    )
    return segment_document(made)


@route("GET", "/segments/{segment_id}/versions", scope="segments:read")
def list_segment_versions(segment_id: SmallRowId) -> Page[SegmentVersion]:
    """List every name, description and rule a segment had, the latest first, at most 500."""
    return Page(api_segment_tools.list_segment_versions(segment_id=segment_id))


@route("POST", "/segments/{segment_id}/versions/{number}/restore", scope="segments:write")
def restore_segment_version(
    segment_id: SmallRowId, number: SmallRowId, call: Call
) -> SegmentDocument:
    """Give a segment the name, description and rule of a version again, as a new version."""
    restored = api_segment_tools.restore_segment_version(
        segment_id=segment_id, number=number, by=call.caller, now=call.now
    )
    return segment_document(restored)


@route("POST", "/segments/{segment_id}/impact", scope="segments:read")
def describe_segment_impact(segment_id: SmallRowId, body: RuleToTry, call: Call) -> ImpactDocument:
    """Say who would enter and leave by another rule, and what it touches; nothing is saved."""
    found = api_segment_tools.describe_impact(segment_id=segment_id, rule=body.read(), now=call.now)
    return ImpactDocument(impact=found, uses=list_uses(found.segment_ids))


@route("GET", "/segments/{segment_id}/uses", scope="segments:read")
def list_segment_uses(segment_id: SmallRowId) -> Page[SegmentUse]:
    """List what asks for a segment: segments, campaigns, journeys, offers, webhooks, exports."""
    analysis.get_segment(segment_id=segment_id)
    return Page(list_uses([segment_id]))
