"""Reports: questions about customers, answered from the warehouse; costs and targets for them."""

from typing import Annotated, Any
from urllib.parse import parse_qsl

import msgspec
from msgspec import Meta

from amity.analysis import api_reports as reports
from amity.analysis import api_schedules as schedules
from amity.analysis.contracts import Segment
from amity.analysis.contracts_facts import CompanyFact, FactKind
from amity.analysis.contracts_reports import (
    ReportEntry,
    ReportPage,
    ReportRow,
    ReportRun,
    ReportView,
)
from amity.analysis.contracts_schedules import ReportSchedule, ScheduleChanges
from amity.broadcast import api_staff
from amity.kernel.pagination import Page
from amity.web.api.routing import Call, SmallRowId, route

ReportName = Annotated[str, Meta(pattern="^[a-z0-9_-]{1,60}$")]


class ReportQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is asked."""

    question: Annotated[
        str,
        Meta(
            max_length=2000,
            description="As in the address of the report's page: `days=30&by=week`.",
        ),
    ] = ""


class ReportQuestion(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is asked."""

    parameters: Annotated[
        dict[str, Annotated[str, Meta(max_length=200)]],
        Meta(
            max_length=30,
            description="`days`, or `from` and `until`; `compare`, `segment`, `currency`, `by` and "
            "the report's own parameters.",
        ),
    ] = {}


class FactsQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which facts."""

    kind: FactKind


class NewFact(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A cost, a target or a policy to enter."""

    kind: FactKind
    fact: Annotated[
        dict[str, Any],
        Meta(
            description="Of `channel_cost`: channel, campaign, from_on, until_on, amount_minor, "
            "currency; of `unit_cost`: unit, amount_minor, currency; of `target`: report, figure, "
            "value, owner; of `policy`: cell, words."
        ),
    ]


@route("GET", "/reports", scope="reports:read")
def list_reports() -> Page[ReportEntry]:
    """List all reports with the question each answers, its parameters, and what it said last."""
    return Page(reports.list_reports())


@route("GET", "/reports/{name}", scope="reports:read")
def get_report(name: ReportName, query: ReportQuery, call: Call) -> ReportPage:
    """Get a report's kept answer with its age; `state.run` is null when it was never computed."""
    given = dict(parse_qsl(query.question))
    return reports.open_report(name=name, given=given, now=call.now)


@route("POST", "/reports/{name}/run", scope="reports:read")
def run_report(name: ReportName, body: ReportQuestion, call: Call) -> ReportRun:
    """Compute an answer now and keep it; takes seconds, and minutes over very much."""
    return reports.run_report(name=name, given=body.parameters, now=call.now)


class RowSegment(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A row of a report's kept answer, and the segment to make of its customers."""

    name: Annotated[str, Meta(max_length=100, description="Of the segment.")]
    table: Annotated[str, Meta(max_length=100)]
    row: Annotated[
        str, Meta(max_length=1000, description="The values of the table's `key`, between “~”.")
    ]
    parameters: dict[str, Annotated[str, Meta(max_length=200)]] = {}


@route(
    "POST",
    "/reports/{name}/row-segment",
    scope="segments:write",
    status=201,
    location="/segments/{it.segment_id}",
)
def save_row_segment(name: ReportName, body: RowSegment, call: Call) -> Segment:
    """Make a segment of who is behind a row: by a rule where one says it, else a list of today."""
    row = ReportRow(name=name, given=body.parameters, table=body.table, key=body.row)
    return reports.save_row_segment(row=row, title=body.name, by=call.caller, now=call.now)


@route("GET", "/report-views", scope="reports:read")
def list_report_views(call: Call) -> Page[ReportView]:
    """List the saved views that are shared."""
    return Page(reports.list_report_views(by=call.caller))


class SchedulePause(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Whether a schedule rests."""

    is_paused: bool


@route("GET", "/report-schedules", scope="reports:read")
def list_report_schedules(call: Call) -> Page[ReportSchedule]:
    """List which saved views are mailed, when, to whom of the staff, and what came of it."""
    return Page(schedules.list_schedules(by=call.caller, may_all=True))


@route("POST", "/report-schedules", scope="reports:write", status=201)
def create_report_schedule(body: ScheduleChanges, call: Call) -> ReportSchedule:
    """Have a shared view mailed to people who work here, by their user names."""
    # Knows the accounts of staff, which are Django's: the reference is written without it.
    from amity.web.reports.mailing import check_recipients  # noqa: PLC0415

    api_staff.check_mail_server()
    check_recipients(body.recipients)
    return schedules.save_schedule(changes=body, by=call.caller, now=call.now)


@route("POST", "/report-schedules/{schedule_id}/pause", scope="reports:write")
def pause_report_schedule(
    schedule_id: SmallRowId, body: SchedulePause, call: Call
) -> ReportSchedule:
    """Pause a schedule, or let it go on with its next run; nothing is made up for."""
    return schedules.pause_schedule(
        schedule_id=schedule_id,
        is_paused=body.is_paused,
        by=call.caller,
        now=call.now,
        may_all=True,
    )


@route("DELETE", "/report-schedules/{schedule_id}", scope="reports:write")
def delete_report_schedule(schedule_id: SmallRowId, call: Call) -> None:
    """Mail a view no more."""
    schedules.delete_schedule(schedule_id=schedule_id, by=call.caller, may_all=True)


@route("GET", "/report-facts", scope="reports:read")
def list_report_facts(query: FactsQuery) -> Page[CompanyFact]:
    """List what was entered of one kind, oldest first; of those alike the latest holds."""
    return Page(reports.list_facts(kind=query.kind))


@route("POST", "/report-facts", scope="reports:write", status=201)
def enter_report_fact(body: NewFact, call: Call) -> CompanyFact:
    """Enter a cost, a target or a policy; reports use it from their next answer on."""
    return reports.enter_fact(kind=body.kind, fact=body.fact, by=call.caller, now=call.now)


@route("DELETE", "/report-facts/{fact_id}", scope="reports:write")
def delete_report_fact(fact_id: SmallRowId) -> None:
    """Take back what was entered."""
    reports.delete_fact(fact_id=fact_id)
