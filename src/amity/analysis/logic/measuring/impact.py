"""What changing a metric changes: who uses it, and what the numbers are now and then."""

from datetime import UTC, datetime, timedelta
from typing import Final

from amity.analysis.contracts_metrics import MetricDefinition, MetricImpact
from amity.analysis.logic.measuring import catalogue, computing
from amity.analysis.logic.reporting.answering import to_rows
from amity.analysis.report import Asked
from amity.infra.config import settings
from amity.kernel.errors import Unavailable

_DAYS: Final = 90
_SECONDS: Final = 30.0


def describe_impact(*, name: str, definition: MetricDefinition, now: datetime) -> MetricImpact:
    """Say what saving a definition would change: uses, and values over the last 90 days.

    Raises Invalid when it cannot be computed, Unavailable without a warehouse. Costs two queries.
    """
    known = catalogue.definitions()
    computing.check_definition(name, definition, known)
    changed = {**known, name: definition}
    shown = [name, *computing.users_of(name, changed)]
    before, after = _measure(shown, known, now), _measure(shown, changed, now)
    return MetricImpact(
        name=name,
        uses=catalogue.find_uses(name),
        values=tuple((one, before.get(one), after.get(one)) for one in shown),
    )


def _measure(
    names: list[str], known: dict[str, MetricDefinition], now: datetime
) -> dict[str, float | None]:
    from amity.infra import warehouse_reading  # noqa: PLC0415  # loads slowly

    needed: dict[str, MetricDefinition] = {}
    for name in names:
        needed |= catalogue.needed_for(name, known)
    tomorrow = now.astimezone(UTC).date() + timedelta(days=1)
    asked = Asked(
        from_on=tomorrow - timedelta(days=_DAYS),
        until_on=tomorrow,
        now=now,
        currency=settings().currency,
    )
    tables = warehouse_reading.tables()
    if not tables:
        raise Unavailable("there is nothing in the warehouse yet", code="no_warehouse")
    expression = computing.express(tables, asked, needed)
    rows = (
        [] if expression is None else to_rows(warehouse_reading.query(expression, seconds=_SECONDS))
    )
    return computing.combine(rows, needed)
