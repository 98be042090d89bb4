"""The customers behind a row of a report: as a list, as a file, as a segment."""

import csv
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import urlencode

import msgspec
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_POST

from amity.analysis import api_reports as reports
from amity.analysis.contracts_reports import ReportRow
from amity.analysis.contracts_work import RowState
from amity.kernel.cells import guard_cell
from amity.kernel.errors import AmityError, Conflict
from amity.store import api as store
from amity.store.contracts import ProfileRow
from amity.web.access import may, requires, staff_of
from amity.web.customers.export import HEAD, Echo, cells_of
from amity.web.customers.words import who
from amity.web.purposes import only_allowed, read_purpose, remember, what_for
from amity.web.reports.asking import question_of
from amity.web.working import progress_of

_PAGE: Final = 50
_AT_ONCE: Final = 1_000


@require_GET
@requires("reports.read")
def show(request: HttpRequest, name: str) -> HttpResponse:
    """Show who is behind a row, as was looked up last; the page itself has it looked up."""
    given, now = question_of(request), datetime.now(UTC)
    opened = _row(request, name)
    page = reports.open_report(name=name, given=given, now=now)
    rule = reports.find_row_rule(**msgspec.structs.asdict(opened), now=now)
    here = given | {"table": opened.table, "row": opened.key}
    state = reports.open_row(row=opened, now=now)
    total = state.found.customers if state.found else 0
    context = {
        "words": page.words,
        "back": _with(reverse("report", args=[name]), given),
        "row": opened.key.replace("~", ", "),
        "found": state.found,
        "total": total,
        **_list(request, state),
        "progress": _progress(request, name, state),
        "can_export": may(request, "profiles.export"),
        "can_save": bool(total or rule) and may(request, "segments.write"),
        "rule": rule,
        "list_reason": ""
        if rule
        else reports.find_list_reason(**msgspec.structs.asdict(opened), now=now),
        "name": request.GET.get("name", ""),
        "segment_address": _with(reverse("report_segment", args=[name]), here),
        "export_to": reverse("report_customers_csv", args=[name]),
        "export_question": f"Export {total:,} customers?",
        "export_holds": "A CSV file with ids, names, e-mail addresses, phone numbers and figures, "
        "as of now.",
        "carried": here,
        **what_for(request),
    }
    return render(request, "reports/customers.html", context)


def _list(request: HttpRequest, state: RowState) -> dict[str, Any]:
    """Return the customers of a page of the list."""
    if state.found is None:
        return {"lines": [], "next_page": None}
    told = request.GET.get("page", "")
    last = max(state.found.customers - 1, 0) // _PAGE
    number = min(int(told), last) if told.isdecimal() and len(told) < 8 else 0
    ids = reports.read_row_list(found=state.found, offset=number * _PAGE, limit=_PAGE)
    return {
        "lines": [(line, who(line)) for line in _rows(ids)],
        "next_page": number + 1 if number < last else None,
    }


def _progress(request: HttpRequest, name: str, state: RowState) -> dict[str, Any]:
    query = {key: str(value) for key, value in request.GET.items() if key not in {"page", "name"}}
    return progress_of(
        request,
        state.work,
        again=_with(reverse("report_customers_find", args=[name]), query),
        asks_itself=state.found is None or state.is_stale,
        result_at=state.found and state.found.computed_at,
    )


@require_POST
@requires("reports.read")
def find(request: HttpRequest, name: str) -> HttpResponse:
    """Have it looked up who is behind a row."""
    row, now = _row(request, name), datetime.now(UTC)
    reports.ask_row_customers(row=row, by=staff_of(request).get_username(), now=now)
    if getattr(request, "htmx", False):
        state = reports.open_row(row=row, now=now)
        return render(request, "working.html", {"progress": _progress(request, name, state)})
    return redirect(_with(reverse("report_customers", args=[name]), _told(request)))


@require_GET
@requires("profiles.export", step_up=True)
def export(request: HttpRequest, name: str) -> StreamingHttpResponse:
    """Stream the list of a row; whose data may not be used for the purpose is left out."""
    purpose, now = read_purpose(request), datetime.now(UTC)
    found = reports.open_row(row=_row(request, name), now=now).found
    if found is None:
        raise Conflict("the list is not there any more; open the row again", code="not_computed")
    ids = reports.read_row_list(found=found)
    answer = StreamingHttpResponse(
        _lines(ids, purpose, now), content_type="text/csv; charset=utf-8"
    )
    file = f"{name}-customers-{now.date().isoformat()}.csv"
    answer["Content-Disposition"] = f'attachment; filename="{file}"'
    return remember(answer, purpose)


@require_POST
@requires("segments.write")
def save_segment(request: HttpRequest, name: str) -> HttpResponse:
    """Make a segment of who is behind a row: by a rule where one says it, else a list of today."""
    back, title = _told(request), request.POST.get("name", "").strip()
    try:
        segment = reports.save_row_segment(
            row=_row(request, name),
            title=title,
            by=staff_of(request).get_username(),
            now=datetime.now(UTC),
        )
    except AmityError as refusal:
        messages.error(request, f"{refusal.message[:1].upper()}{refusal.message[1:]}.")
        # What was typed comes back with the page.
        return redirect(_with(reverse("report_customers", args=[name]), back | {"name": title}))
    messages.success(request, f"{segment.name} is being filled from history.")
    return redirect("segment", segment.segment_id)


def _told(request: HttpRequest) -> dict[str, str]:
    return {key: str(value) for key, value in request.GET.items()}


def _row(request: HttpRequest, name: str) -> ReportRow:
    return ReportRow(
        name=name,
        given=question_of(request),
        table=request.GET.get("table", ""),
        key=request.GET.get("row", ""),
    )


def _with(path: str, parameters: dict[str, str]) -> str:
    return f"{path}?{urlencode(parameters)}" if parameters else path


def _rows(ids: list[int]) -> list[ProfileRow]:
    """Return the profiles of customers, in the order of their ids."""
    if not ids:
        return []
    found = store.list_profiles(profile_ids=ids, limit=len(ids)).items
    return sorted(found, key=lambda row: row.profile_id)


def _lines(ids: list[int], purpose: str, now: datetime) -> Iterator[str]:
    writer = csv.writer(Echo())
    yield writer.writerow(HEAD)
    for first in range(0, len(ids), _AT_ONCE):
        for row in only_allowed(_rows(ids[first : first + _AT_ONCE]), purpose, now):
            yield writer.writerow([guard_cell(cell) for cell in cells_of(row)])
