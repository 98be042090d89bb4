"""A report's tables as files."""

from datetime import UTC, datetime
from typing import Final, cast

from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_GET

from amity.analysis import api_reports as reports
from amity.analysis.contracts_reports import FileKind
from amity.kernel.errors import NotFound
from amity.web.access import requires
from amity.web.reports.asking import question_of

_TYPES: Final = {"csv": "text/csv; charset=utf-8", "parquet": "application/vnd.apache.parquet"}


@require_GET
@requires("reports.read")
def export_table(request: HttpRequest, name: str, table: str, kind: str) -> HttpResponse:
    """Answer a table of the kept answer as CSV or Parquet."""
    if kind not in _TYPES:
        raise NotFound("a table is a file of the kind csv or parquet")
    page = reports.open_report(name=name, given=question_of(request), now=datetime.now(UTC))
    if page.state.run is None:
        raise NotFound("the report has no answer yet; open its page first")
    run = page.state.run
    known = cast("FileKind", kind)
    answer = HttpResponse(
        reports.write_report_table(run=run, table=table, kind=known), content_type=_TYPES[kind]
    )
    file = f"{name}-{table}-{run.as_of.date().isoformat()}.{kind}"
    answer["Content-Disposition"] = f'attachment; filename="{file}"'
    return answer
