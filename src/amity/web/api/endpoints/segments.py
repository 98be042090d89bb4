"""Segments: rules with a name, followed live."""

from datetime import UTC, datetime
from typing import Annotated, Any

import msgspec
from msgspec import UNSET, Meta, UnsetType

from amity.analysis import api as analysis
from amity.analysis import api_segment_lists
from amity.analysis.contracts import Membership, Preview, Segment, SegmentState
from amity.analysis.contracts_batch import PastMembership
from amity.analysis.contracts_segments import SegmentOrder, SegmentSearch
from amity.kernel.pagination import Page
from amity.web.api.documents import (
    SegmentCountsDocument,
    SegmentDocument,
    segment_document,
)
from amity.web.api.routing import Call, Cursor, Limit, RowId, SmallRowId, route
from amity.web.purposes import RECORDS, check_purpose, list_allowed

Name = Annotated[str, Meta(min_length=1, max_length=100)]
Description = Annotated[str, Meta(max_length=2000)]
Rule = Annotated[
    dict[str, Any] | str,
    Meta(description="A rule as docs/reference/operators.md describes it, as JSON or as text."),
]


def read_rule(rule: dict[str, Any] | str) -> dict[str, Any]:
    """Return a rule as JSON; raise Invalid when its text cannot be understood."""
    return analysis.read_rule(written=rule) if isinstance(rule, str) else rule


class NewSegment(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A segment to make."""

    name: Name
    rule: Rule
    description: Description = ""


class SegmentChange(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What to change of a segment; what is absent stays."""

    name: Name | UnsetType = UNSET
    rule: Rule | UnsetType = UNSET
    description: Description | UnsetType = UNSET
    seen_at: (
        Annotated[
            datetime,
            Meta(
                tz=True,
                description="The segment's `updated_at` as you read it: if somebody has changed "
                "it since, nothing is changed and the answer is 409.",
            ),
        ]
        | UnsetType
    ) = UNSET


class RuleToTry(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A rule to look at before it is saved."""

    rule: Rule

    def read(self) -> dict[str, Any]:
        """Return the rule as JSON, however it was written."""
        return read_rule(self.rule)


class MembersQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which page of the members."""

    cursor: Cursor | None = None
    limit: Limit = 50
    at: (
        Annotated[
            datetime,
            Meta(tz=True, description="At which moment they were in it, with its time zone."),
        ]
        | None
    ) = None
    purpose: Annotated[
        str, Meta(max_length=100, description="What for: who does not allow it now is left out.")
    ] = RECORDS


class SegmentsQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which segments, in which order."""

    search: Annotated[
        str,
        Meta(
            max_length=200,
            description="Text in the name, the description, or a name or value in the rule.",
        ),
    ] = ""
    state: Annotated[
        SegmentState | None, Meta(description="Without one, those that are not archived.")
    ] = None
    created_by: Annotated[str, Meta(max_length=200, description="Who made it.")] = ""
    order: Annotated[
        SegmentOrder,
        Meta(
            description="By name, the largest first (`members`), the latest made first (`made`) "
            "or the latest changed first (`changed`)."
        ),
    ] = "name"
    cursor: Cursor | None = None
    limit: Limit = 50


@route("GET", "/segments", scope="segments:read")
def list_segments(query: SegmentsQuery) -> Page[Segment]:
    """List segments with how many are in each now."""
    return api_segment_lists.list_segment_page(
        search=SegmentSearch(
            text=query.search,
            state=query.state,
            made_by=query.created_by,
            order=query.order,
        ),
        cursor=query.cursor,
        limit=query.limit,
    )


@route(
    "POST", "/segments", scope="segments:write", status=201, location="/segments/{it.segment_id}"
)
def create_segment(body: NewSegment, call: Call) -> SegmentDocument:
    """Make a segment; its members are found from history at once and then followed live."""
    made = analysis.create_segment(
        name=body.name,
        rule=read_rule(body.rule),
        description=body.description,
        by=call.caller,
        now=call.now,
    )
    return segment_document(made)


@route("POST", "/segments/preview", scope="segments:read")
def preview_segment(body: RuleToTry, call: Call) -> Preview:
    """Say in words and numbers what a rule would find now; nothing is saved."""
    return analysis.preview(rule=body.read(), now=call.now)


@route("GET", "/segments/{segment_id}", scope="segments:read")
def get_segment(segment_id: SmallRowId) -> SegmentDocument:
    """Get a segment's definition."""
    return segment_document(analysis.get_segment(segment_id=segment_id))


@route("PATCH", "/segments/{segment_id}", scope="segments:write")
def update_segment(segment_id: SmallRowId, body: SegmentChange, call: Call) -> SegmentDocument:
    """Change a segment's name, description or rule; another rule raises its version."""
    changed = analysis.update_segment(
        segment_id=segment_id,
        name=None if body.name is UNSET else body.name,
        rule=None if body.rule is UNSET else read_rule(body.rule),
        description=None if body.description is UNSET else body.description,
        seen_at=None if body.seen_at is UNSET else body.seen_at,
        by=call.caller,
        now=call.now,
    )
    return segment_document(changed)


@route("DELETE", "/segments/{segment_id}", scope="segments:write")
def archive_segment(segment_id: SmallRowId, call: Call) -> None:
    """Archive a segment: it is kept with its history, and followed no more."""
    analysis.archive_segment(segment_id=segment_id, by=call.caller, now=call.now)


@route("GET", "/segments/{segment_id}/members", scope="segments:read")
def list_members(segment_id: SmallRowId, query: MembersQuery) -> Page[Membership]:
    """List who is in a segment now, or was at a moment.

    Whoever does not allow the purpose now is left out, so a page can be shorter than `limit`.
    """
    purpose = check_purpose(query.purpose)
    analysis.get_segment(segment_id=segment_id)
    at, cursor, limit = query.at, query.cursor, query.limit
    page = (
        analysis.list_members(segment_id=segment_id, cursor=cursor, limit=limit)
        if at is None
        else analysis.list_members_at(segment_id=segment_id, at=at, cursor=cursor, limit=limit)
    )
    allowed = list_allowed([each.profile_id for each in page.items], purpose, datetime.now(UTC))
    return Page([each for each in page.items if each.profile_id in allowed], page.next_cursor)


class MomentQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A moment of the past."""

    at: Annotated[datetime, Meta(tz=True, description="The moment, with its time zone.")]


@route("GET", "/segments/{segment_id}/members/{profile_id}/why", scope="segments:read")
def explain_member(segment_id: SmallRowId, profile_id: RowId, query: MomentQuery) -> PastMembership:
    """Say whether a customer was in a segment at a moment, and why, by what was known then."""
    return analysis.explain_at(segment_id=segment_id, profile_id=profile_id, at=query.at)


@route("GET", "/segments/{segment_id}/counts", scope="segments:read")
def get_counts(segment_id: SmallRowId) -> SegmentCountsDocument:
    """Say how many are in a segment now and were on past days."""
    found = analysis.get_segment(segment_id=segment_id)
    return SegmentCountsDocument(
        segment_id=found.segment_id,
        members=found.members,
        days=analysis.list_counts(segment_id=segment_id),
    )
