"""The figures of customers that groups and likenesses are found by."""

from datetime import datetime
from typing import Final

import msgspec
import numpy as np

from amity.analysis.estimator import FloatArray, IntArray
from amity.infra import queries
from amity.infra.columns import fetch_columns
from amity.infra.database import Connection
from amity.store import api as store

_SQL = queries.load("amity.analysis")
_DAY: Final = 86_400
NAMES: Final = (
    "orders",
    "revenue",
    "order_value",
    "events",
    "days_known",
    "days_unseen",
    "days_since_order",
)


class Figures(msgspec.Struct, frozen=True, eq=False):
    """A row a customer: in `NAMES`' order, in plain units; who never ordered has no last order.

    Their days since the last order are those they are known: so long they have not ordered.
    """

    ids: IntArray
    plain: FloatArray

    @property
    def scaled(self) -> FloatArray:
        """The figures as `ln(1 + x)`: they span magnitudes, and few are very large."""
        logs: FloatArray = np.log1p(self.plain)
        return logs


def read_figures(connection: Connection, *, now: datetime, ids: list[int] | None) -> Figures:
    """Return the figures of these customers, or of everybody who ever did anything."""
    profile, orders, revenue, events, known, unseen, since = fetch_columns(
        connection, _SQL["profile_figures"], [now, now, now, ids, ids], width=7
    )
    spent = np.maximum(revenue, 0) / store.minor_units()
    plain = np.column_stack(
        [
            orders,
            spent,
            spent / np.maximum(orders, 1),
            events,
            known / _DAY,
            unseen / _DAY,
            np.where(since < 0, known, since) / _DAY,
        ]
    ).astype(np.float64)
    return Figures(profile, plain)
