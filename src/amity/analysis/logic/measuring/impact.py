"""What changing a metric changes: who uses it, and what the numbers are now and then."""

from collections.abc import Mapping, Set
from datetime import UTC, datetime, timedelta
from typing import Final

from amity.analysis.contracts_metrics import MetricDefinition, MetricImpact
from amity.analysis.contracts_segments import SegmentImpact
from amity.analysis.logic.measuring import catalogue, changing, computing
from amity.analysis.logic.measuring.computing import users_of
from amity.analysis.logic.measuring.conditions import fill_with
from amity.analysis.logic.reporting.answering import to_rows
from amity.analysis.logic.segment_tools.impact import count_moves
from amity.analysis.report import Asked
from amity.infra.config import settings
from amity.infra.database import transaction
from amity.kernel.errors import Invalid, Unavailable

_DAYS: Final = 90
_SECONDS: Final = 30.0


def describe_impact(*, name: str, definition: MetricDefinition, now: datetime) -> MetricImpact:
    """Say what saving a definition would change: uses, and values over the last 90 days.

    Raises Invalid when it cannot be computed, Unavailable without a warehouse. Costs two queries.
    """
    known = catalogue.definitions()
    computing.check_definition(name, definition, known)
    changed = {**known, name: definition}
    shown = [name, *users_of(name, changed)]
    before, after = _measure(shown, known, now), _measure(shown, changed, now)
    moved, refusals = _move_segments({name, *users_of(name, changed)}, changed, now)
    return MetricImpact(
        name=name,
        uses=changing.find_uses(name),
        values=tuple((one, before.get(one), after.get(one)) for one in shown),
        segments=tuple(moved),
        refusals=tuple(refusals),
    )


def _move_segments(
    names: Set[str], known: Mapping[str, MetricDefinition], now: datetime
) -> tuple[list[SegmentImpact], list[str]]:
    """Return who would enter and leave each segment that asks for the metrics, or why it cannot."""
    with transaction("readonly") as connection:
        asking = changing.list_asking(connection, names)
    moved, refusals = [], []
    for segment in asking:
        try:
            rule = fill_with(segment.rule, known)
        except Invalid as error:
            refusals.append(f"The segment “{segment.name}” asks for it, and {error.message}.")
            continue
        moved.append(count_moves(segment_id=segment.segment_id, rule=rule, now=now))
    return moved, refusals


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
