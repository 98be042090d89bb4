"""The gallery of reports, and one page for any report: its answer at once, with its age."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import urlencode

import msgspec
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_GET, require_POST

from amity.analysis import api_reports as reports
from amity.analysis.contracts_reports import (
    Group,
    Picture,
    ReportEntry,
    ReportPage,
    ReportRun,
    ReportTable,
    ViewChanges,
)
from amity.kernel.errors import AmityError, Conflict
from amity.web.access import may, requires, staff_of
from amity.web.charts import Chart
from amity.web.reports.asking import form_of, question_of
from amity.web.reports.drawing import draw
from amity.web.working import progress_of

GROUPS: Final[dict[Group, str]] = {
    "assessment": "Where we stand",
    "money": "What it is worth",
    "acquisition": "Winning customers",
    "expansion": "Selling more",
    "retention": "Keeping customers",
    "behaviour": "What customers do",
    "service": "Service and satisfaction",
}
_SHOWN_ROWS: Final = 200
_LONG: Final = 12
"""A table of more rows is scrolled in a box of its own."""
_BESIDE: Final = 5
"""A table of more columns has no room beside a picture."""


class Section(msgspec.Struct, frozen=True, kw_only=True):
    """A table with the pictures drawn of it."""

    table: ReportTable
    charts: list[Chart]
    rows: list[tuple[str, tuple[Any, ...]]]
    """What an address calls a row ("" where it cannot be opened), and the row."""
    hidden: int
    """How many rows are in the file only."""
    is_long: bool
    """Whether it is scrolled in a box of its own, under its head."""
    is_wide: bool
    """Whether the table stands below its pictures, not beside them."""


@require_GET
@requires("reports.read")
def show_list(request: HttpRequest) -> HttpResponse:
    """Show all reports by group, each with what it said last."""
    search = request.GET.get("q", "").strip()
    entries = [entry for entry in reports.list_reports() if _matches(entry, search)]
    grouped = [
        (title, [entry for entry in entries if entry.words.group == group])
        for group, title in GROUPS.items()
    ]
    by = staff_of(request).get_username()
    context = {
        "groups": [(title, found) for title, found in grouped if found],
        "search": search,
        "views": reports.list_report_views(by=by),
        "can_write": may(request, "reports.write"),
        "me": by,
    }
    return render(request, "reports/list.html", context)


def _matches(entry: ReportEntry, search: str) -> bool:
    words = entry.words
    text = f"{words.title}\n{words.question}\n{words.definition}\n{words.name}"
    return all(part in text.casefold() for part in search.casefold().split())


@require_GET
@requires("reports.read")
def show_one(request: HttpRequest, name: str) -> HttpResponse:
    """Show a report's kept answer; what is missing or old is asked for by the page itself."""
    given, now = question_of(request), datetime.now(UTC)
    try:
        page = reports.open_report(name=name, given=given, now=now)
    except AmityError as refusal:
        if refusal.kind != "invalid":
            raise
        messages.error(request, f"{refusal.message[:1].upper()}{refusal.message[1:]}.")
        return redirect("report", name)
    context = _progress(request, page, name) | {
        "form": form_of(page, given),
        "can_write": may(request, "reports.write"),
    }
    if page.state.run is not None:
        context |= _answer(page.state.run, page.parameters)
    return render(request, "reports/one.html", context)


def _progress(request: HttpRequest, page: ReportPage, name: str) -> dict[str, Any]:
    state = page.state
    again = _address("report_refresh", name, page.parameters)
    return {
        "page": page,
        "words": page.words,
        "refresh_address": again,
        "save_address": _address("report_save", name, page.parameters),
        "progress": progress_of(
            request,
            state,
            again=again,
            asks_itself=state.run is None or page.is_stale,
            result_at=state.run and state.run.as_of,
        ),
    }


def _address(route: str, name: str, parameters: Mapping[str, str]) -> str:
    query = f"?{urlencode(parameters)}" if parameters else ""
    return reverse(route, args=[name]) + query


def _answer(run: ReportRun, parameters: Mapping[str, str]) -> dict[str, Any]:
    answer = run.answer
    return {
        "run": run,
        "answer": answer,
        "sections": [
            _section(table, [one for one in answer.pictures if one.table == table.name], run)
            for table in answer.tables
        ],
        "question": urlencode(parameters),
    }


def _section(table: ReportTable, pictures: list[Picture], run: ReportRun) -> Section:
    shown = table.rows[:_SHOWN_ROWS]
    charts = [draw(run.answer, picture, run.currency) for picture in pictures]
    return Section(
        table=table,
        charts=charts,
        rows=[(table.key_of(row) if table.key else "", row) for row in shown],
        hidden=len(table.rows) - len(shown),
        is_long=len(shown) > _LONG,
        is_wide=len(table.shown) > _BESIDE or any(chart.is_broad for chart in charts),
    )


@require_POST
@requires("reports.read")
def refresh(request: HttpRequest, name: str) -> HttpResponse:
    """Have the answer computed anew."""
    given, now = question_of(request), datetime.now(UTC)
    by = staff_of(request).get_username()
    reports.refresh_report(name=name, given=given, by=by, now=now)
    if getattr(request, "htmx", False):
        page = reports.open_report(name=name, given=given, now=now)
        return render(request, "working.html", _progress(request, page, name))
    return redirect(_address("report", name, given))


@require_POST
@requires("reports.write")
def save(request: HttpRequest, name: str) -> HttpResponse:
    """Keep the question under a name, for oneself or for all."""
    given = question_of(request)
    posted = request.POST
    changes = ViewChanges(
        name=posted.get("name", ""),
        report=name,
        parameters=given,
        is_shared=bool(posted.get("shared")),
    )
    by = staff_of(request).get_username()
    try:
        view = reports.save_report_view(changes=changes, by=by, now=datetime.now(UTC))
    except AmityError as refusal:
        if refusal.kind not in {"invalid", Conflict.kind}:
            raise
        messages.error(request, f"{refusal.message[:1].upper()}{refusal.message[1:]}.")
    else:
        messages.success(request, f"{view.name} is saved. You find it above all reports.")
    return redirect(_address("report", name, given))


@require_POST
@requires("reports.write")
def delete_view(request: HttpRequest, view_id: int) -> HttpResponse:
    """Delete a saved view."""
    person = staff_of(request)
    reports.delete_report_view(
        view_id=view_id, by=person.get_username(), may_all=may(request, "staff.manage")
    )
    messages.success(request, "The view is deleted.")
    back = request.POST.get("next", "")
    safe = url_has_allowed_host_and_scheme(back, allowed_hosts={request.get_host()})
    return redirect(back if safe else "reports")
