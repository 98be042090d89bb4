"""The one page of the warehouse, from its manifest: nothing is counted to show it."""

from datetime import UTC, datetime
from typing import Final

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from amity.infra import warehouse
from amity.infra.config import settings
from amity.web.access import requires

_WORDS: Final = {
    "decisions": "what was decided for whom, with its odds",
    "events": "everything that happened, as it was understood",
    "identities": "which identifier belongs to whom",
    "link_reviews": "who belongs together or does not, as somebody decided",
    "links": "households and companies, as found each hour",
    "memberships": "who was in which segment and when",
    "order_lines": "the lines orders were told with",
    "orders": "orders with their refunds",
    "participants": "whom campaigns drew, to be written to or held out",
    "profiles": "every customer as known now",
    "scores": "what models expect of each customer, with model and percentile",
    "sends": "every message and what became of it",
}
_LATE_TURNS: Final = 10
_MEGABYTE: Final = 1_000_000


@require_safe
@requires("sources.read")
def show(request: HttpRequest) -> HttpResponse:
    """Show the tables, how large they are, how far behind, and the last comparison."""
    found = warehouse.status(now=datetime.now(UTC))
    lag = found.lag_seconds
    page = {
        "status": found,
        "is_late": lag is not None and lag > _LATE_TURNS * settings().warehouse_seconds,
        "megabytes": found.size_bytes / _MEGABYTE,
        "lines": [
            {"table": table, "words": _WORDS.get(table.name, ""), "size": table.size_bytes / 1000}
            for table in found.tables
        ],
    }
    return render(request, "warehouse/warehouse.html", page)
