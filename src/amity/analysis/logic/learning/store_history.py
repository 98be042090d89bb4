"""Facts of some customers out of the store, as `warehouse_history` reads those of all.

The same events, orders and traits, of the same time: what a kept model says of somebody now must
not depend on where it was read.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

import numpy as np

from amity.analysis.estimator import IntArray
from amity.analysis.logic.learning.moments import Facts, History, sort_facts
from amity.analysis.logic.learning.warehouse_history import ORDER_EVENT
from amity.infra import queries
from amity.infra.columns import fetch_columns
from amity.infra.database import Connection

_SQL: Final = queries.load("amity.analysis")


def read_recent_history(  # noqa: PLR0913  # one argument a part of the question
    connection: Connection,
    *,
    profile_ids: Sequence[int],
    events: Sequence[str],
    traits: Sequence[str],
    since: datetime,
    until: datetime,
    currency: str,
    first_of: str | None,
) -> History:
    """Return what these customers did from ``since`` to ``until``, one query a kind of fact.

    With ``first_of`` also who of them had done that before.
    """
    whose = list(profile_ids)
    about = {"ids": whose, "since": since, "until": until, "currency": currency}
    customer, place, second = fetch_columns(
        connection, _SQL["model_events"], about | {"names": list(events)}, width=3
    )
    buyer, at, amount = fetch_columns(connection, _SQL["model_orders"], about, width=3)
    return History(
        events={
            name: sort_facts(customer[place == number], second[place == number])
            for number, name in enumerate(events, start=1)
        },
        orders=sort_facts(buyer, at, amount=amount.astype(np.float64)),
        traits={name: _read_trait(connection, about | {"trait": name}) for name in traits},
        earlier=_read_earlier(connection, whose, first_of, since),
    )


def _read_trait(connection: Connection, about: dict[str, object]) -> Facts:
    rows = connection.execute(_SQL["model_trait"], about).fetchall()
    table = np.array([row[:2] for row in rows], np.int64).reshape(-1, 2)
    return sort_facts(table[:, 0], table[:, 1], text=[row[2] for row in rows])


def _read_earlier(
    connection: Connection, profile_ids: list[int], first_of: str | None, since: datetime
) -> IntArray:
    if first_of is None:
        return np.zeros(0, np.int64)
    name = "model_ordered_before" if first_of == ORDER_EVENT else "model_done_before"
    about = {"ids": profile_ids, "name": first_of, "since": since}
    rows = connection.execute(_SQL[name], about).fetchall()
    return np.array([row[0] for row in rows], np.int64)
