"""Facts of all customers out of the warehouse: events, orders, traits as told at the time.

An event belongs to whom its profile has become by a merge. Times are those of the events
themselves, so that history that was imported counts as it happened.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from amity.analysis.estimator import IntArray
from amity.analysis.logic.learning.moments import Facts, History, sort_facts
from amity.analysis.logic.reporting.frames import key_of
from amity.kernel.errors import Unavailable

if TYPE_CHECKING:
    import ibis
    import pyarrow as pa

MOST_EVENTS: Final = 15
_SECONDS: Final = 120.0
_TOLD: Final = ("identify", "group", "alias")
"""Events that say who somebody is, not what they did."""

ORDER_EVENT: Final = "Order Completed"
Ask = Callable[["ibis.Table"], "pa.Table"]
Ended = Callable[[], bool]


def read_history(
    *,
    event: str,
    traits: list[str],
    during: tuple[datetime, datetime],
    currency: str,
    is_first: bool = False,
    ended: Ended | None = None,
) -> History:
    """Return what happened between two moments: the commonest events, and ``event``.

    With ``is_first`` also who had done ``event`` before. Raises Unavailable without a warehouse,
    and when ``ended`` says that nobody waits any more.
    """
    from amity.infra.warehouse_reading import query, tables  # noqa: PLC0415  # loads slowly

    since, until = during
    there = tables()
    if not {"events", "profiles", "orders"} <= set(there):
        raise Unavailable(
            "models learn from the warehouse, and nothing was exported to it yet: start the "
            "worker, or run `amity warehouse export`"
        )
    ask = partial(query, seconds=_SECONDS, ended=ended)
    events = _events(there, since, until)
    names = _commonest(ask, events, event)
    if not names and event != ORDER_EVENT:
        nothing = sort_facts(np.zeros(0, np.int64), np.zeros(0, np.int64))
        return History(events={event: nothing}, orders=nothing, traits={})
    return History(
        events=_read_events(ask, events, names) if names else {},
        orders=_read_orders(ask, there, since, until, currency),
        traits={name: _read_trait(ask, events, name) for name in traits},
        earlier=_read_earlier(ask, there, event, since) if is_first else np.zeros(0, np.int64),
    )


def _read_earlier(ask: Ask, there: dict[str, Any], event: str, since: datetime) -> IntArray:
    """Return who had done an event up to a moment, however long ago."""
    if event == ORDER_EVENT:
        orders = there["orders"]
        done = orders.filter(orders.placed_at <= since).select(customer="profile_id")
    else:
        events, profiles = there["events"], there["profiles"]
        events = events.filter(events.occurred_at <= since, events.name == event)
        owners = profiles.select("profile_id", "root_id")
        done = events.join(owners, events.origin_id == owners.profile_id)
        done = done.select(customer="root_id")
    return _whole(ask(done.distinct().order_by("customer")), "customer")


def _events(there: dict[str, Any], since: datetime, until: datetime) -> "ibis.Table":
    """Return events of the time with the customer each belongs to by now."""
    events, profiles = there["events"], there["profiles"]
    # A late event lies in a later partition than it happened in, never in an earlier one.
    events = events.filter(
        events.occurred_at > since,
        events.occurred_at <= until,
        events.day >= (since - timedelta(days=1)).date(),
    )
    owners = profiles.select("profile_id", "root_id")
    return events.join(owners, events.origin_id == owners.profile_id).select(
        customer="root_id",
        name="name",
        type="type",
        occurred_at="occurred_at",
        properties="properties",
    )


def _commonest(ask: Ask, events: "ibis.Table", event: str) -> list[str]:
    done = events.filter(events.type.notin(_TOLD))
    counted = done.group_by("name").agg(customers=done.customer.nunique())
    rows = ask(counted.order_by(counted.customers.desc(), counted.name).limit(MOST_EVENTS))
    names = [name for name in rows["name"].to_pylist() if name != ORDER_EVENT]
    return names if event in (*names, ORDER_EVENT) or not len(rows) else [*names, event]


def _read_events(ask: Ask, events: "ibis.Table", names: list[str]) -> dict[str, Facts]:
    chosen = events.filter(events.name.isin(names))
    rows = ask(chosen.select("customer", "name", second=chosen.occurred_at.epoch_seconds()))
    customer, second = _whole(rows, "customer"), _whole(rows, "second")
    encoded = rows["name"].combine_chunks().dictionary_encode()
    codes = np.asarray(encoded.indices)
    found = dict(zip(encoded.dictionary.to_pylist(), range(len(encoded.dictionary)), strict=True))
    places = {name: np.flatnonzero(codes == found.get(name, -1)) for name in names}
    return {name: sort_facts(customer[rows_], second[rows_]) for name, rows_ in places.items()}


def _read_orders(
    ask: Ask, there: dict[str, Any], since: datetime, until: datetime, currency: str
) -> Facts:
    """Return orders as placed; what was refunded or cancelled later was not known then."""
    orders = there["orders"]
    orders = orders.filter(orders.placed_at > since, orders.placed_at <= until)
    rows = ask(
        orders.select(
            customer="profile_id",
            second=orders.placed_at.epoch_seconds(),
            amount=(orders.currency == currency).ifelse(orders.total_minor, 0),
        )
    )
    amount = np.asarray(rows["amount"].fill_null(0)).astype(np.float64)
    return sort_facts(_whole(rows, "customer"), _whole(rows, "second"), amount=amount)


def _read_trait(ask: Ask, events: "ibis.Table", trait: str) -> Facts:
    """Return what identify events said of a trait, when they said it."""
    told = events.filter(events.type == "identify")
    told = told.mutate(text=told.properties.cast("json")[key_of(trait)].unwrap_as("string"))
    told = told.filter(told.text.notnull())
    rows = ask(told.select("customer", "text", second=told.occurred_at.epoch_seconds()))
    return sort_facts(
        _whole(rows, "customer"), _whole(rows, "second"), text=rows["text"].to_pylist()
    )


def _whole(rows: "pa.Table", name: str) -> IntArray:
    return np.asarray(rows[name]).astype(np.int64)
