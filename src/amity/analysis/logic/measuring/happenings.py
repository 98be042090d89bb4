"""When a metric was moved by whom, and by how much: what a reward is made of."""

from collections.abc import Collection
from datetime import datetime
from typing import Final

from amity.analysis.logic.measuring import catalogue
from amity.analysis.logic.measuring.groups import orders_sql
from amity.analysis.logic.measuring.of_customer import OfCustomer, read_of_customer
from amity.analysis.logic.segments_catalogue import ACTIVITY, ORDERS
from amity.infra.database import Connection
from amity.kernel.errors import Invalid, NotFound
from amity.rules import Fragment, sql

_ORDER_EVENTS: Final = frozenset(("Order Completed", "Order Refunded", "Order Cancelled"))
Happening = tuple[int, datetime, int]
"""Who, when, and by how much; money in minor units."""


def read_moves(name: str, version: int, connection: Connection | None = None) -> OfCustomer:
    """Return what a version of a metric counts; raise Invalid when it has no moments of its own."""
    known = catalogue.definitions(connection)
    for metric in catalogue.list_versions(name=name, connection=connection):
        if metric.version == version:
            found = read_of_customer(name, known | {name: metric.definition})
            if found.per:
                raise Invalid(
                    f"{name!r} is an average, which no moment of its own makes larger",
                    code="not_of_customer",
                )
            return found
    raise NotFound(f"the metric {name!r} has no version {version}", code="no_metric")


def events_of(found: OfCustomer) -> frozenset[str]:
    """Return the events after which the moments of a metric may be others."""
    return frozenset((found.event,)) if found.event else _ORDER_EVENTS


def list_happenings(
    connection: Connection, found: OfCustomer, *, profile_ids: Collection[int], since: datetime
) -> list[Happening]:
    """Return what moved a metric for these profiles from a moment on, by profile and time."""
    ids = sorted(profile_ids)
    if found.event:
        query = sql(
            "SELECT {}, {}, 1 FROM {} WHERE {} = ANY ({}::bigint[]) AND {} = {} AND {} >= {} "
            "ORDER BY 1, 2",
            *(ACTIVITY.profile_id, ACTIVITY.occurred_at, ACTIVITY.relation),
            *(ACTIVITY.profile_id, ids, ACTIVITY.name, found.event, ACTIVITY.occurred_at, since),
        )
    else:
        value = ORDERS.columns[found.column] if found.column else Fragment("1")
        query = sql(
            "SELECT {}, {}, {} FROM {} WHERE {} = ANY ({}::bigint[]) AND {} >= {} AND {} > 0 "
            "AND {} ORDER BY 1, 2",
            *(ORDERS.profile_id, ORDERS.placed_at, value, ORDERS.relation),
            *(ORDERS.profile_id, ids, ORDERS.placed_at, since, value, orders_sql(found.where)),
        )
    return [
        (profile_id, at, int(value))
        for profile_id, at, value in connection.execute(query.encode(), query.params)
    ]
