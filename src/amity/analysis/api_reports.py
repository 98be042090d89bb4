"""The analysis engine's second door, for reports: their gallery, answers, views, and what a company
enters for them. Keyword-only functions, contracts in and out."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from amity.analysis.contracts import Segment
from amity.analysis.contracts_facts import CompanyFact, FactKind
from amity.analysis.contracts_metrics import Metric, MetricImpact, MetricUses
from amity.analysis.contracts_reports import (
    FileKind,
    ReportEntry,
    ReportPage,
    ReportRow,
    ReportRun,
    ReportView,
    ReportWords,
    RowRule,
    ViewChanges,
)
from amity.analysis.contracts_work import RowCustomers, RowState
from amity.analysis.logic.measuring import catalogue, changing
from amity.analysis.logic.measuring import impact as metric_impact
from amity.analysis.logic.reporting import (
    entering,
    exporting,
    row_customers,
    row_segments,
    running,
    saving,
)
from amity.analysis.logic.working import doing
from amity.analysis.logic.working.doing import Tell

# Reports


def list_reports() -> list[ReportEntry]:
    """Return all reports by title, each with what it said last when asked as usual."""
    return running.list_reports()


def describe_reports() -> list[ReportWords]:
    """Return what each report says about itself, by title."""
    return running.describe_reports()


def open_report(*, name: str, given: Mapping[str, str], now: datetime) -> ReportPage:
    """Return a report with its kept answer, if there is one, and its age; it changes nothing.

    ``given`` is the question as an address says it (`days`, `from`, `until`, `compare`, `segment`,
    `currency`, `by` and the report's own parameters). Raises NotFound and Invalid.
    """
    return running.open_report(name=name, given=given, now=now)


def run_report(
    *, name: str, given: Mapping[str, str], by: str = "", now: datetime, tell: Tell | None = None
) -> ReportRun:
    """Compute a report's answer now, keep it and return it; see `open_report`.

    Who is at it already is waited for. ``tell`` hears how far it is. Raises Unavailable without a
    warehouse, or when it takes longer than an hour, Conflict when somebody stops it.
    """
    return running.run_report(name=name, given=given, by=by, now=now, tell=tell)


def refresh_report(*, name: str, given: Mapping[str, str], by: str = "", now: datetime) -> None:
    """Have an answer computed anew by the worker, however young it is."""
    running.refresh(name=name, given=given, by=by, now=now)


def keep_reports_warm(*, now: datetime) -> int:
    """Have every report's usual question, and those asked lately, answered anew by the worker."""
    return running.keep_warm(now=now)


def open_row(*, row: ReportRow, now: datetime) -> RowState:
    """Return what is known of the customers behind a row of the kept answer, changing nothing.

    Raises NotFound and Invalid for a question that cannot be asked.
    """
    return row_customers.open_row(row=row, now=now)


def ask_row_customers(*, row: ReportRow, by: str, now: datetime) -> int:
    """Have the customers behind a row looked up by the worker; return the number of the work.

    Raises NotFound for a row the answer does not have, Conflict while there is no answer.
    """
    return doing.ask(row_customers.make_task(row, now=now), by=by, now=now)


def list_row_customers(
    *, name: str, given: Mapping[str, str], table: str, key: str, now: datetime
) -> list[int]:
    """Look up the customers behind a row now, as the warehouse has them; keep and return them.

    Raises as `ask_row_customers`, Invalid for a row that cannot be opened, Conflict when somebody
    stops it.
    """
    row = ReportRow(name=name, given=dict(given), table=table, key=key)
    found = doing.do_now(row_customers.make_task(row, now=now), now=now)
    return row_customers.list_customers(found)


def read_row_list(*, found: RowCustomers, offset: int = 0, limit: int | None = None) -> list[int]:
    """Return customers of a list that was made, by id, from one place on."""
    return row_customers.list_customers(found, offset=offset, limit=limit)


def find_row_rule(
    *, name: str, given: Mapping[str, str], table: str, key: str, now: datetime
) -> RowRule | None:
    """Return the rule of a segment of a row's customers, where one can say it."""
    return running.row_rule(name=name, given=given, table=table, key=key, now=now)


def find_list_reason(
    *, name: str, given: Mapping[str, str], table: str, key: str, now: datetime
) -> str:
    """Return why a segment of a row is a list of the day; "" when no more is to be said of it."""
    return running.list_reason(name=name, given=given, table=table, key=key, now=now)


def save_row_segment(*, row: ReportRow, title: str, by: str, now: datetime) -> Segment:
    """Make a segment of who is behind a row of the kept answer.

    It is followed live where a rule says who is in the row (`find_row_rule`), else it is the list
    of those who are there now. Raises as `list_row_customers`, Conflict when the name is taken,
    Invalid for a bad name or when nobody is there.
    """
    return row_segments.save_row_segment(row=row, title=title, by=by, now=now)


def write_report_table(*, run: ReportRun, table: str, kind: FileKind) -> bytes:
    """Return a table of an answer as a file; raise NotFound when the answer has none by that name.

    Money is in units of the currency in CSV, and in minor units in Parquet.
    """
    return exporting.write_table(run, table, kind)


# Saved views


def save_report_view(*, changes: ViewChanges, by: str, now: datetime) -> ReportView:
    """Keep a question under a name, to be asked again, for oneself or for all.

    Raises Invalid, NotFound for an unknown report, Conflict when the owner has the name already.
    """
    return saving.save_view(changes=changes, by=by, now=now)


def list_report_views(*, by: str) -> list[ReportView]:
    """Return the views somebody may see, by name: their own and the shared ones."""
    return saving.list_views(by=by)


def delete_report_view(*, view_id: int, by: str, may_all: bool = False) -> None:
    """Delete a view of one's own, or with ``may_all`` any shared one; raise NotFound otherwise."""
    saving.delete_view(view_id=view_id, by=by, may_all=may_all)


# What a company enters


def enter_fact(*, kind: FactKind, fact: dict[str, Any], by: str, now: datetime) -> CompanyFact:
    """Add a cost, a target or a policy; raise Invalid when it cannot be read."""
    return entering.enter_fact(kind=kind, fact=fact, by=by, now=now)


def list_facts(*, kind: FactKind) -> list[CompanyFact]:
    """Return the entered facts of a kind, oldest first; of those alike the latest holds."""
    return entering.list_facts(kind=kind)


def delete_fact(*, fact_id: int) -> None:
    """Take a fact back; raise NotFound when there is none."""
    entering.delete_fact(fact_id=fact_id)


# Metrics


def list_metrics() -> list[Metric]:
    """Return the metrics that hold, the built-in ones first, each in its latest version."""
    return catalogue.list_metrics()


def list_metric_versions(*, name: str) -> list[Metric]:
    """Return all versions of a metric, the latest first; raise NotFound when there is none."""
    return catalogue.list_versions(name=name)


def save_metric(
    *, name: str, definition: dict[str, Any], by: str, now: datetime, is_retired: bool = False
) -> Metric:
    """Keep a new version of a metric, or a new one.

    The segments that ask for it are evaluated anew. Raises Invalid when it cannot be computed (the
    message says why, of a circle its way), Conflict when it is taken out of use while others are
    made of it, or a segment asks for what could not be said of one customer any more.
    """
    return changing.save_metric(
        name=name,
        definition=catalogue.read_definition(definition),
        by=by,
        now=now,
        is_retired=is_retired,
    )


def find_metric_uses(*, name: str) -> MetricUses:
    """Return where a metric is used: metrics, segments, reports, saved views, targets."""
    return changing.find_uses(name)


def describe_metric_impact(*, name: str, definition: dict[str, Any], now: datetime) -> MetricImpact:
    """Say what saving a definition would change: who uses it, values now and then (90 days).

    Raises Invalid as saving would, Unavailable without a warehouse. Costs two queries.
    """
    read = catalogue.read_definition(definition)
    return metric_impact.describe_impact(name=name, definition=read, now=now)
