"""Customers as a CSV file, safe to open in a spreadsheet."""

import csv
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Final

from django.http import HttpRequest, StreamingHttpResponse
from django.views.decorators.http import require_safe

from amity.infra.config import settings
from amity.kernel.cells import guard_cell
from amity.kernel.clock import format_instant
from amity.kernel.money import exponent_of
from amity.store.contracts import ProfileRow
from amity.web.access import requires
from amity.web.customers.filters import iter_rows, read_filter
from amity.web.purposes import only_allowed, read_purpose, remember

HEAD: Final = (
    "profile_id",
    "user_id",
    "name",
    "email",
    "phone",
    "first_seen_at",
    "last_seen_at",
    "events",
    "orders",
    "revenue",
    "currency",
)


@requires("profiles.export", step_up=True)
@require_safe
def export_customers(request: HttpRequest) -> StreamingHttpResponse:
    """Stream the customers the list's address names, in its order.

    The address says what for; whose data may not be used for that is left out.
    """
    chosen, purpose, now = read_filter(request), read_purpose(request), datetime.now(UTC)
    lines = _lines(only_allowed(iter_rows(chosen), purpose, now))
    answer = StreamingHttpResponse(lines, content_type="text/csv; charset=utf-8")
    day = now.date().isoformat()
    answer["Content-Disposition"] = f'attachment; filename="customers-{day}.csv"'
    return remember(answer, purpose)


class Echo:
    """A file that hands back what is written to it."""

    def write(self, text: str) -> str:
        return text


def _lines(rows: Iterable[ProfileRow]) -> Iterator[str]:
    writer = csv.writer(Echo())
    yield writer.writerow(HEAD)
    for row in rows:
        yield writer.writerow([guard_cell(cell) for cell in cells_of(row)])


def cells_of(row: ProfileRow) -> list[str]:
    """Return one customer's cells, in the order of `HEAD`, not guarded yet."""
    currency = settings().currency
    places = exponent_of(currency)
    return [
        str(row.profile_id),
        row.user_id or "",
        row.name or "",
        row.email or "",
        row.phone or "",
        format_instant(row.first_seen_at),
        format_instant(row.last_seen_at),
        str(row.event_count),
        str(row.order_count),
        f"{row.revenue_minor / 10**places:.{places}f}",
        currency,
    ]
