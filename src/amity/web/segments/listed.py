"""The list of segments: searched, filtered, ordered, page by page, and as a CSV file."""

import csv
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, Final, get_args

import msgspec
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from amity.analysis import api_segment_lists
from amity.analysis.contracts import Segment
from amity.analysis.contracts_segments import SegmentNumbers, SegmentOrder, SegmentSearch
from amity.kernel.cells import write_cell
from amity.kernel.clock import format_instant
from amity.web.access import may, requires
from amity.web.customers.export import Echo
from amity.web.segments.sizes import change_since
from amity.web.segments.starts import STARTS
from amity.web.sources.views import Chip

_PAGE: Final = 50
_AT_ONCE: Final = 500
_STATES: Final[dict[str, str]] = {
    "": "Followed",
    "live": "Live",
    "building": "Building",
    "archived": "Archived",
}
_ORDERS: Final[dict[SegmentOrder, str]] = {
    "name": "By name",
    "members": "The largest first",
    "made": "The latest made first",
    "changed": "The latest changed first",
}
_HEAD: Final = (
    "segment_id",
    "name",
    "state",
    "customers",
    "change_7_days",
    "change_30_days",
    "rule",
    "description",
    "made_by",
    "made_at",
    "changed_at",
)


class SegmentLine(msgspec.Struct, frozen=True, kw_only=True):
    """One segment as the list shows it."""

    segment: Segment
    trend: list[int]
    change_7: int | None
    change_30: int | None


def count_live() -> int | None:
    """Return how many segments are followed, for the rail."""
    return api_segment_lists.count_segments().followed or None


@require_GET
@requires("segments.read")
def show_list(request: HttpRequest) -> HttpResponse | StreamingHttpResponse:
    """Show a page of the segments with their sizes and how these change."""
    search = _read(request)
    if request.GET.get("as") == "csv":
        return _as_csv(search)
    after = request.GET.get("after") or None
    page = api_segment_lists.list_segment_page(search=search, cursor=after, limit=_PAGE)
    context: dict[str, Any] = {
        "lines": _lines(page.items),
        "next_cursor": page.next_cursor,
        "search": search,
        "order": search.order,
        "chosen": search.state or "",
    }
    target = request.htmx.target if request.htmx else ""  # type: ignore[attr-defined]  # django_htmx
    if target == "rows-more":
        return render(request, "segments/_rows.html", context | {"is_more": True})
    numbers = api_segment_lists.count_segments(text=search.text)
    makers = api_segment_lists.list_segment_makers()
    context |= {
        "total": numbers.total or api_segment_lists.count_segments().total,
        "chips": _chips(numbers, search.state or ""),
        "orders": list(_ORDERS.items()),
        "makers": makers if len(makers) > 1 or search.made_by else [],
        "is_later": after is not None,
        "starts": STARTS,
        "can_write": may(request, "segments.write"),
    }
    return render(request, f"segments/{'_found' if target == 'found' else 'list'}.html", context)


def _read(request: HttpRequest) -> SegmentSearch:
    """Return what the address asks for; what it cannot ask for is passed over."""
    state, order = request.GET.get("show", ""), request.GET.get("order", "")
    return SegmentSearch(
        text=request.GET.get("q", "").strip()[:200],
        state=state if state in _STATES and state else None,  # type: ignore[arg-type]  # one of these
        made_by=request.GET.get("by", "").strip()[:200],
        order=order if order in get_args(SegmentOrder) else "name",  # type: ignore[arg-type]
    )


def _chips(numbers: SegmentNumbers, chosen: str) -> list[Chip]:
    counts = {
        "": numbers.followed,
        "live": numbers.live,
        "building": numbers.building,
        "archived": numbers.archived,
    }
    chips = [
        Chip(label=label, value=value, count=counts[value], is_on=value == chosen)
        for value, label in _STATES.items()
    ]
    return [chip for chip in chips if chip.count or chip.is_on or not chip.value]


def _lines(segments: list[Segment]) -> list[SegmentLine]:
    found = api_segment_lists.list_latest_counts(
        segment_ids=[segment.segment_id for segment in segments]
    )
    return [
        SegmentLine(
            segment=segment,
            trend=[*(count.members for count in counts), segment.members],
            change_7=change_since(counts, segment.members, days=7),
            change_30=change_since(counts, segment.members, days=30),
        )
        for segment in segments
        for counts in [found[segment.segment_id]]
    ]


def _as_csv(search: SegmentSearch) -> StreamingHttpResponse:
    answer = StreamingHttpResponse(_cells(search), content_type="text/csv; charset=utf-8")
    name = f"segments-{datetime.now(UTC).date().isoformat()}.csv"
    answer["Content-Disposition"] = f'attachment; filename="{name}"'
    return answer


def _cells(search: SegmentSearch) -> Iterator[str]:
    writer = csv.writer(Echo())
    yield writer.writerow(_HEAD)
    cursor: str | None = None
    while True:
        page = api_segment_lists.list_segment_page(search=search, cursor=cursor, limit=_AT_ONCE)
        for line in _lines(page.items):
            yield writer.writerow([write_cell(cell) for cell in _row(line)])
        cursor = page.next_cursor
        if cursor is None:
            return


def _row(line: SegmentLine) -> tuple[object, ...]:
    segment = line.segment
    return (
        segment.segment_id,
        segment.name,
        segment.state,
        segment.members,
        line.change_7,
        line.change_30,
        segment.words,
        segment.description,
        segment.created_by,
        format_instant(segment.created_at),
        format_instant(segment.updated_at),
    )
