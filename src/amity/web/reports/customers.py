"""The customers behind a row of a report: as a list, as a file, as a segment."""

import csv
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Final
from urllib.parse import urlencode

import msgspec
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_POST

from amity.analysis import api_reports as reports
from amity.analysis.contracts_reports import ReportRow
from amity.kernel.cells import guard_cell
from amity.kernel.errors import AmityError
from amity.store import api as store
from amity.store.contracts import ProfileRow
from amity.web.access import may, requires, staff_of
from amity.web.customers.export import HEAD, Echo, cells_of
from amity.web.customers.words import who
from amity.web.purposes import only_allowed, read_purpose, remember, what_for
from amity.web.reports.asking import question_of

_PAGE: Final = 50
_AT_ONCE: Final = 1_000


@require_GET
@requires("reports.read")
def show(request: HttpRequest, name: str) -> HttpResponse:
    """Show who is behind a row, as the warehouse has it now."""
    given, now = question_of(request), datetime.now(UTC)
    opened = _row(request, name)
    asked = msgspec.structs.asdict(opened)
    page = reports.open_report(name=name, given=given, now=now)
    ids = reports.list_row_customers(**asked, now=now)
    told = request.GET.get("page", "")
    number = min(int(told), len(ids) // _PAGE) if told.isdecimal() and len(told) < 8 else 0
    shown = _rows(ids[number * _PAGE : (number + 1) * _PAGE])
    rule = reports.find_row_rule(**asked, now=now)
    here = given | {"table": opened.table, "row": opened.key}
    context = {
        "words": page.words,
        "back": _with(reverse("report", args=[name]), given),
        "row": opened.key.replace("~", ", "),
        "total": len(ids),
        "lines": [(line, who(line)) for line in shown],
        "next_page": number + 1 if (number + 1) * _PAGE < len(ids) else None,
        "can_export": may(request, "profiles.export"),
        "can_save": bool(ids or rule) and may(request, "segments.write"),
        "is_followed": rule is not None,
        "segment_address": _with(reverse("report_segment", args=[name]), here),
        "export_to": reverse("report_customers_csv", args=[name]),
        "export_question": f"Export {len(ids):,} customers?",
        "export_holds": "A CSV file with ids, names, e-mail addresses, phone numbers and figures, "
        "as of now.",
        "carried": here,
        **what_for(request),
    }
    return render(request, "reports/customers.html", context)


@require_GET
@requires("profiles.export", step_up=True)
def export(request: HttpRequest, name: str) -> StreamingHttpResponse:
    """Stream who is behind a row; whose data may not be used for the purpose is left out."""
    purpose, now = read_purpose(request), datetime.now(UTC)
    asked = msgspec.structs.asdict(_row(request, name))
    ids = reports.list_row_customers(**asked, now=now)
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
    back = _with(reverse("report_customers", args=[name]), request.GET.dict())
    try:
        segment = reports.save_row_segment(
            row=_row(request, name),
            title=request.POST.get("name", "").strip(),
            by=staff_of(request).get_username(),
            now=datetime.now(UTC),
        )
    except AmityError as refusal:
        messages.error(request, f"{refusal.message[:1].upper()}{refusal.message[1:]}.")
        return redirect(back)
    messages.success(request, f"{segment.name} is being filled from history.")
    return redirect("segment", segment.segment_id)


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
