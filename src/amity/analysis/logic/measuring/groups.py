"""What a metric comes to for each customer of groups, each over a window of her own.

For campaigns and experiments: the definition is the catalogue's, read in PostgreSQL over the same
orders and events that rules see.
"""

from collections.abc import Mapping
from typing import Final

from amity.analysis.contracts_metrics import (
    GroupedMetric,
    GroupValues,
    Metric,
    MetricDefinition,
    Where,
)
from amity.analysis.logic.measuring import catalogue
from amity.analysis.logic.measuring.of_customer import OfCustomer, read_of_customer
from amity.analysis.logic.segments_catalogue import ACTIVITY, ORDERS
from amity.infra.config import settings
from amity.infra.database import Connection
from amity.kernel.errors import Invalid, NotFound
from amity.rules import Fragment, sql
from amity.rules.fragment import join

_SIGNS: Final = {"is": "=", "is_not": "<>", "at_least": ">=", "at_most": "<="}


def check_of_customer(name: str) -> None:
    """Raise Invalid for a metric that is no number of each customer of a group."""
    known = catalogue.definitions()
    if name not in known:
        raise Invalid(f"there is no metric {name!r}", code="no_metric")
    _of_everybody(name, read_of_customer(name, known))


def list_of_customer() -> list[Metric]:
    """Return the metrics that `check_of_customer` lets pass."""
    metrics = catalogue.list_metrics()
    known = {metric.name: metric.definition for metric in metrics}
    return [metric for metric in metrics if _is_of_everybody(metric.name, known)]


def _is_of_everybody(name: str, known: Mapping[str, MetricDefinition]) -> bool:
    try:
        _of_everybody(name, read_of_customer(name, known))
    except Invalid:
        return False
    return True


def _of_everybody(name: str, found: OfCustomer) -> OfCustomer:
    if found.per:
        raise Invalid(
            f"{name!r} is not known of customers without an order, and to compare only the "
            "others would be to compare those whom chance did not draw",
            code="not_of_customer",
        )
    return found


def read_groups(
    connection: Connection,
    *,
    name: str,
    people: Fragment,
    definition: MetricDefinition | None = None,
) -> GroupedMetric:
    """Return what a metric comes to in each group; see `api.read_metric_of_groups`."""
    metrics = {metric.name: metric for metric in catalogue.list_metrics(connection)}
    if name not in metrics:
        raise NotFound(f"there is no metric {name!r} any more", code="no_metric")
    known = {each.name: each.definition for each in metrics.values()}
    if definition is not None:
        known[name] = definition
    found = _of_everybody(name, read_of_customer(name, known))
    query = sql(
        "WITH p AS MATERIALIZED ({}), counted AS ({}) "
        "SELECT p.arm, count(*), coalesce(array_agg(c.value::float8 ORDER BY p.profile_id) "
        "FILTER (WHERE c.value > 0), {}::float8[]) "
        "FROM p LEFT JOIN counted AS c ON c.profile_id = p.profile_id GROUP BY 1",
        people,
        values_sql(found),
        [],
    )
    rows = connection.execute(query.encode(), query.params, prepare=False)
    groups = {
        arm: GroupValues(customers=customers, values=values) for arm, customers, values in rows
    }
    return GroupedMetric(metric=metrics[name], groups=groups)


def values_sql(found: OfCustomer) -> Fragment:
    """Return the query of `profile_id` and `value` of those of `p` of whom anything is counted.

    `p` has `profile_id`, `since` and `until`, half open. Money is in minor units.
    """
    number = Fragment("1") if found.is_flag else Fragment("count(*)")
    if found.event:
        return sql(
            "SELECT p.profile_id, {} AS value FROM p JOIN {} ON {} = p.profile_id "
            "AND {} = {} AND {} >= p.since AND {} < p.until GROUP BY 1",
            number,
            ACTIVITY.relation,
            ACTIVITY.profile_id,
            ACTIVITY.name,
            found.event,
            ACTIVITY.occurred_at,
            ACTIVITY.occurred_at,
        )
    if found.column:
        number = sql("sum({})", ORDERS.columns[found.column])
    return sql(
        "SELECT p.profile_id, {} AS value FROM p JOIN {} ON {} = p.profile_id "
        "AND {} >= p.since AND {} < p.until AND {} GROUP BY 1",
        number,
        ORDERS.relation,
        ORDERS.profile_id,
        ORDERS.placed_at,
        ORDERS.placed_at,
        orders_sql(found.where),
    )


def orders_sql(where: tuple[Where, ...]) -> Fragment:
    """Return the condition that an order is of the home currency and like all of ``where``."""
    tests = [sql("{} = {}", ORDERS.currency, settings().currency)]
    tests += [
        sql("{} {} {}", ORDERS.columns[test.column], Fragment(_SIGNS[test.op]), int(test.value))
        for test in where
    ]
    return join(" AND ", tests)
