"""What metrics come to over the warehouse: the same definition, whoever asks.

What is counted becomes one expression, a row a metric; ratios and differences are made of the
counts afterwards. Nothing is divided by zero: the answer is then "not known".
"""

from collections.abc import Mapping
from datetime import timedelta
from functools import reduce
from typing import TYPE_CHECKING, Any, Final

from amity.analysis.contracts_metrics import (
    Base,
    Counted,
    Difference,
    MetricDefinition,
    Ratio,
    Where,
)
from amity.analysis.logic.reporting import frames
from amity.analysis.report import Asked
from amity.kernel.errors import Invalid

if TYPE_CHECKING:
    import ibis
    import ibis.expr.types as ir

COLUMNS: Final[dict[Base, dict[str, type]]] = {
    "orders": {
        "net_minor": int,
        "total_minor": int,
        "refunded_minor": int,
        "items": int,
    },
    "order_lines": {
        "amount_minor": int,
        "cost_minor": int,
        "quantity_milli": int,
        "category": str,
        "brand": str,
        "product_id": str,
    },
    "newcomers": {},
    "earlier": {"again": int},
    "events": {"name": str, "type": str, "source_id": int},
    "sends": {
        "channel": str,
        "state": str,
        "purpose": str,
        "class": str,
        "run_kind": str,
        "run_id": int,
        "reason": str,
    },
}
"""What each base has to look at or add up."""
_SUMMED: Final = frozenset(
    (
        "net_minor",
        "total_minor",
        "refunded_minor",
        "items",
        "amount_minor",
        "cost_minor",
        "quantity_milli",
    )
)

Definitions = Mapping[str, MetricDefinition]


def check_definition(name: str, definition: MetricDefinition, known: Definitions) -> None:
    """Raise Invalid for a definition that cannot be computed, naming the way of a circle."""
    expression = definition.expression
    if isinstance(expression, Counted):
        _check_counted(expression)
        return
    for part in parts_of(definition):
        if part != name and part not in known:
            raise Invalid(f"there is no metric {part!r}", code="no_metric")
    if circle := find_circle(name, {**known, name: definition}):
        raise Invalid(f"it would be made of itself: {' → '.join(circle)}", code="circle")
    if isinstance(expression, Difference):
        units = {known[part].unit for part in parts_of(definition) if part in known}
        if len(units) > 1:
            raise Invalid("only metrics of one unit can be taken off each other", code="bad_units")


def _check_counted(expression: Counted) -> None:
    columns = COLUMNS[expression.base]
    if (expression.what == "sum") != bool(expression.column):
        raise Invalid("a sum names its column, and nothing else does", code="bad_metric")
    if expression.column and expression.column not in _SUMMED & set(columns):
        summed = ", ".join(sorted(_SUMMED & set(columns))) or "nothing"
        raise Invalid(f"of {expression.base} can be added up: {summed}", code="bad_column")
    for where in expression.where:
        if where.column not in columns:
            looked = ", ".join(columns) or "nothing"
            raise Invalid(f"of {expression.base} can be looked at: {looked}", code="bad_column")
        if not isinstance(where.value, columns[where.column]):
            raise Invalid(f"{where.column} is not compared with {where.value!r}", code="bad_value")


def parts_of(definition: MetricDefinition) -> tuple[str, ...]:
    """Return the metrics one is made of at once."""
    expression = definition.expression
    if isinstance(expression, Ratio):
        return (expression.of, expression.by)
    return (expression.of, expression.less) if isinstance(expression, Difference) else ()


def find_circle(name: str, known: Definitions) -> list[str]:
    """Return the way from a metric back to itself, [] when there is none."""
    waiting = [[name]]
    seen: set[str] = set()
    while waiting:
        way = waiting.pop()
        if way[-1] not in known:
            continue
        for part in parts_of(known[way[-1]]):
            if part == name:
                return [*way, part]
            if part not in seen:
                seen.add(part)
                waiting.append([*way, part])
    return []


def users_of(name: str, known: Definitions) -> list[str]:
    """Return the metrics made of one, also by way of others, in the order of ``known``."""
    found = {name}
    while True:
        more = {
            other
            for other, definition in known.items()
            if other not in found and found & set(parts_of(definition))
        }
        if not more:
            return [other for other in known if other in found - {name}]
        found |= more


def express(
    tables: Mapping[str, "ibis.Table"], asked: Asked, known: Definitions
) -> "ibis.Table | None":
    """Return a row for each metric that is counted: name, value; None when none is."""
    import ibis  # noqa: PLC0415  # loads slowly

    counted = [
        _count(tables, asked, definition.expression).mutate(name=ibis.literal(name))
        for name, definition in known.items()
        if isinstance(definition.expression, Counted)
    ]
    if not counted:
        return None
    chosen = [one.select("name", "value") for one in counted]
    return reduce(lambda one, other: one.union(other), chosen)


def combine(rows: list[dict[str, Any]], known: Definitions) -> dict[str, float | None]:
    """Return what every metric comes to, from the counted ones."""
    values: dict[str, float | None] = {
        row["name"]: None if row["value"] is None else float(row["value"]) for row in rows
    }

    def value_of(name: str) -> float | None:
        if name not in values:
            expression = known[name].expression
            if isinstance(expression, Ratio):
                values[name] = _divide(value_of(expression.of), value_of(expression.by))
            elif isinstance(expression, Difference):
                one, other = value_of(expression.of), value_of(expression.less)
                values[name] = None if one is None or other is None else one - other
            else:
                values[name] = None
        return values[name]

    return {name: value_of(name) for name in known}


def _divide(of: float | None, by: float | None) -> float | None:
    return of / by if of is not None and by else None


def _count(tables: Mapping[str, "ibis.Table"], asked: Asked, counted: Counted) -> "ibis.Table":
    rows = _base(tables, asked, counted.base)
    for where in counted.where:
        rows = rows.filter(_holds(rows[where.column], where))
    if counted.what == "rows":
        value = rows.count()
    elif counted.what == "customers":
        value = rows.customer_id.nunique()
    elif counted.base == "order_lines":
        # Lines need not tell a price or a cost: where none does, what they come to is not known.
        value = rows[counted.column].sum()
    else:
        value = rows[counted.column].sum().fill_null(0)
    return rows.aggregate(value=value.cast("int64"))


def _holds(column: "ir.Column", where: Where) -> "ir.BooleanValue":
    tests = {
        "is": lambda: column == where.value,
        "is_not": lambda: (column != where.value) | column.isnull(),
        "at_least": lambda: column >= where.value,
        "at_most": lambda: column <= where.value,
    }
    found: ir.BooleanValue = tests[where.op]()
    return found


def _base(tables: Mapping[str, "ibis.Table"], asked: Asked, base: Base) -> "ibis.Table":
    if base == "events":
        return frames.events(tables, asked)
    if base == "sends":
        return frames.sends(tables, asked)
    if base in {"orders", "order_lines"}:
        placed = frames.orders(tables, asked, since=asked.from_at)
        return placed if base == "orders" else frames.lines(tables, placed, asked)
    placed = frames.orders(tables, asked)
    start = asked.from_on - timedelta(days=asked.days)
    is_now = placed.placed_on >= asked.from_on
    each = placed.group_by("customer_id").aggregate(
        first_on=placed.placed_on.min(),
        before=((placed.placed_on >= start) & ~is_now).sum(),
        again=is_now.any().cast("int64"),
    )
    if base == "newcomers":
        return each.filter(each.first_on >= asked.from_on)
    return each.filter(each.before > 0)
