"""What runs removed: the list with its filters, and the same as CSV."""

import csv
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, Final, cast

from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from amity.kernel.cells import guard_cell
from amity.kernel.clock import format_instant
from amity.store import api_retention as keeping
from amity.store.contracts_retention import RetentionRun, RunState
from amity.web.access import requires
from amity.web.customers.export import Echo
from amity.web.retention.sweeping import all_sweeps
from amity.web.retention.words import removal_words

_PAGE: Final = 50
_AT_ONCE: Final = 200
STATES: Final = {"finished": "finished", "running": "under way", "failed": "failed"}
_HEAD: Final = (
    *("run", "rule", "state", "asked_by", "started_at", "finished_at", "removed_before"),
    *("kept_days", "rows", "bytes", "files", "tables", "oldest_at", "newest_at"),
    *("seconds", "failure"),
)


def count_failed() -> int | None:
    """Return how many rules failed when they ran last; None for none."""
    last = keeping.list_last_retention_runs().values()
    return sum(run.state == "failed" for run in last) or None


@requires("about.read")
@require_safe
def show_runs(request: HttpRequest) -> HttpResponse:
    """Show what runs removed, filtered as the address says, the latest first."""
    chosen = _read(request)
    page = keeping.list_retention_runs(
        **chosen, cursor=request.GET.get("after") or None, limit=_PAGE
    )
    rules = keeping.list_retention_rules(all_sweeps())
    titles = {rule.key: rule.title for rule in rules}
    context = {
        "rows": [
            {
                "is": run,
                "title": titles.get(run.rule_key, run.rule_key),
                "removed": removal_words(run.removed),
                "tables": sorted(run.removed.tables.items()),
            }
            for run in page.items
        ],
        "next_cursor": page.next_cursor,
        "rules": rules,
        "states": STATES.items(),
        "chosen": chosen,
        "is_narrow": any(chosen.values()),
        "query": request.GET.urlencode(),
    }
    return render(request, "retention/runs.html", context)


@requires("about.read")
@require_safe
def export_runs(request: HttpRequest) -> StreamingHttpResponse:
    """Stream the same as CSV."""
    answer = StreamingHttpResponse(_lines(_read(request)), content_type="text/csv; charset=utf-8")
    day = datetime.now(UTC).date().isoformat()
    answer["Content-Disposition"] = f'attachment; filename="retention-{day}.csv"'
    return answer


def _read(request: HttpRequest) -> dict[str, Any]:
    state = request.GET.get("state", "")
    return {
        "key": request.GET.get("rule", "")[:100],
        "state": cast(RunState, state) if state in STATES else None,
        "removing": request.GET.get("removing") == "yes",
    }


def _lines(chosen: dict[str, Any]) -> Iterator[str]:
    writer = csv.writer(Echo())
    yield writer.writerow(_HEAD)
    cursor: str | None = None
    while True:
        page = keeping.list_retention_runs(**chosen, cursor=cursor, limit=_AT_ONCE)
        for run in page.items:
            yield writer.writerow([guard_cell(cell) for cell in _cells(run)])
        cursor = page.next_cursor
        if cursor is None:
            return


def _cells(run: RetentionRun) -> list[str]:
    removed = run.removed
    tables = " ".join(f"{table}={rows}" for table, rows in sorted(removed.tables.items()))
    return [
        *(str(run.run_id), run.rule_key, run.state, run.asked_by, _at(run.started_at)),
        *(_at(run.finished_at), _at(run.before), str(run.keep_days), str(removed.rows)),
        *(str(removed.size_bytes), str(removed.files), tables, _at(removed.oldest_at)),
        *(_at(removed.newest_at), f"{run.worked_seconds:.3f}", run.failure),
    ]


def _at(moment: datetime | None) -> str:
    return format_instant(moment) if moment else ""
