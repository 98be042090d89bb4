"""The members of a segment as a CSV file, safe to open in a spreadsheet."""

import csv
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Final

from django.http import HttpRequest, StreamingHttpResponse
from django.views.decorators.http import require_GET

from amity.analysis import api as analysis
from amity.kernel.cells import guard_cell
from amity.kernel.clock import format_instant
from amity.web.access import requires
from amity.web.customers.export import HEAD, Echo, cells_of
from amity.web.purposes import list_allowed, read_purpose, remember
from amity.web.segments.views import name_members

_AT_ONCE: Final = 1_000


@require_GET
@requires("profiles.export", step_up=True)
def export_members(request: HttpRequest, segment_id: int) -> StreamingHttpResponse:
    """Stream everyone who is in the segment now, with since when.

    The address says what for; whose data may not be used for that is left out.
    """
    segment = analysis.get_segment(segment_id=segment_id)
    purpose = read_purpose(request)
    lines = _lines(segment_id, purpose)
    answer = StreamingHttpResponse(lines, content_type="text/csv; charset=utf-8")
    day = datetime.now(UTC).date().isoformat()
    name = f"segment-{segment.segment_id}-{day}.csv"
    answer["Content-Disposition"] = f'attachment; filename="{name}"'
    return remember(answer, purpose)


def _lines(segment_id: int, purpose: str) -> Iterator[str]:
    writer = csv.writer(Echo())
    yield writer.writerow([*HEAD, "in_segment_since"])
    cursor: str | None = None
    while True:
        page = analysis.list_members(segment_id=segment_id, cursor=cursor, limit=_AT_ONCE)
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
