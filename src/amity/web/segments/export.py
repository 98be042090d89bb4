"""The members of a segment as a CSV file, safe to open in a spreadsheet."""

import csv
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Final

from django.http import HttpRequest, StreamingHttpResponse
from django.views.decorators.http import require_GET

from amity.analysis import api as analysis
from amity.analysis.contracts import Membership
from amity.kernel.cells import guard_cell
from amity.kernel.clock import format_instant
from amity.kernel.pagination import Page
from amity.web.access import requires
from amity.web.customers.export import HEAD, Echo, cells_of
from amity.web.purposes import list_allowed, read_purpose, remember
from amity.web.segments.moving import end_of, read_day
from amity.web.segments.views import name_members

_AT_ONCE: Final = 1_000


@require_GET
@requires("profiles.export", step_up=True)
def export_members(request: HttpRequest, segment_id: int) -> StreamingHttpResponse:
    """Stream who is in the segment now, or was at the end of the day `on`, with since when.

    The address says what for; whose data may not be used for that is left out.
    """
    segment = analysis.get_segment(segment_id=segment_id)
    purpose = read_purpose(request)
    now = datetime.now(UTC)
    asked = read_day(request.GET.get("on", ""))
    at = None if asked is None else end_of(asked, now)
    lines = _lines(segment_id, purpose, at)
    answer = StreamingHttpResponse(lines, content_type="text/csv; charset=utf-8")
    day = (asked or now.date()).isoformat()
    name = f"segment-{segment.segment_id}-{day}.csv"
    answer["Content-Disposition"] = f'attachment; filename="{name}"'
    return remember(answer, purpose)


def _lines(segment_id: int, purpose: str, at: datetime | None) -> Iterator[str]:
    writer = csv.writer(Echo())
    yield writer.writerow([*HEAD, "in_segment_since"])
    cursor: str | None = None
    while True:
        page = _page(segment_id, at, cursor)
        named = name_members(page.items)
        rows = [line.row for line in named if line.row is not None]
        allowed = list_allowed([row.profile_id for row in rows], purpose, datetime.now(UTC))
        for line in named:
            if line.row is not None and line.row.profile_id in allowed:
                cells = [*cells_of(line.row), format_instant(line.membership.entered_at)]
                yield writer.writerow([guard_cell(cell) for cell in cells])
        cursor = page.next_cursor
        if cursor is None:
            return


def _page(segment_id: int, at: datetime | None, cursor: str | None) -> Page[Membership]:
    if at is None:
        return analysis.list_members(segment_id=segment_id, cursor=cursor, limit=_AT_ONCE)
    return analysis.list_members_at(segment_id=segment_id, at=at, cursor=cursor, limit=_AT_ONCE)
