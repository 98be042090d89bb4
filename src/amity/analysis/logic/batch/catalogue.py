"""What a rule's SQL reaches in the warehouse: the same as in the store, by the names there.

The rows of events keep the profile they came with; whose they are now is in the profiles' rows, so
events are joined to those. A segment that a rule looks at is asked anew, by its own rule.
"""

from collections.abc import Mapping
from functools import partial
from typing import Final, LiteralString

import msgspec

from amity.rules import (
    PROFILE_FIELDS,
    ActivityTable,
    Catalogue,
    Fragment,
    ScoreTable,
    Value,
    column_value,
    name_orders,
    sql,
)
from amity.rules.operator import ValueType
from amity.store import api as store
from amity.store import api_identity
from amity.store.contracts_consent import Purpose

_ACTIVITY: Final = ActivityTable(
    relation=Fragment(
        "(SELECT r.root_id AS profile_id, e.name, e.occurred_at, e.properties "
        "FROM events AS e JOIN profiles AS r ON r.profile_id = e.origin_id) AS a"
    ),
    profile_id=Fragment("a.profile_id"),
    name=Fragment("a.name"),
    occurred_at=Fragment("a.occurred_at"),
    properties=Fragment("a.properties"),
)
_ORDERS: Final[LiteralString] = (
    "SELECT r.root_id AS profile_id, x.placed_at, x.currency, x.total_minor, x.refunded_minor, "
    "x.items, x.is_refunded, x.is_cancelled "
    "FROM orders AS x JOIN profiles AS r ON r.profile_id = x.profile_id"
)
_COLUMNS: Final = {name: Fragment(f"p.{name}") for name in PROFILE_FIELDS if name != "revenue"}


def _value(column: Fragment, kind: ValueType) -> Value:
    """Return the faces of a column; as JSON a text is quoted, so that its kind can be told."""
    json = sql("amity_quoted({})" if kind == "text" else "CAST({} AS text)", column)
    return msgspec.structs.replace(column_value(column, kind), json=json)


_SCORES: Final = ScoreTable(
    relation=Fragment("scores AS s"),
    profile_id=Fragment("s.profile_id"),
    name=Fragment("s.name"),
    faces={
        "value": _value(Fragment("s.value"), "number"),
        "label": _value(Fragment("s.label"), "text"),
        "percentile": _value(Fragment("s.percentile"), "number"),
    },
)


def make_catalogue(policies: Mapping[str, Purpose]) -> Catalogue:
    """Return what a rule's SQL can reach in the warehouse."""
    consents = Fragment("p.consents")
    # Divided as floats, as memory does it.
    revenue = sql("(p.revenue_minor::double precision / {})", store.minor_units())
    columns = {**_COLUMNS, "revenue": revenue}
    fields = {name: _value(columns[name], kind) for name, kind in PROFILE_FIELDS.items()}
    return Catalogue(
        profiles=Fragment("profiles AS p"),
        profile_id=Fragment("p.profile_id"),
        condition=Fragment("p.merged_into IS NULL"),
        traits=Fragment("p.traits"),
        consents=consents,
        may_use=lambda purpose, now: store.plain_use_condition(
            consents=consents, purpose=purpose, policies=policies, now=now
        ),
        fields=fields,
        activity=_ACTIVITY,
        scores=_SCORES,
        together=partial(api_identity.together_sql, tables=api_identity.IN_THE_WAREHOUSE),
        orders=name_orders(store.placed_orders_sql(_ORDERS)),
        draw=lambda salt, profile_id: sql("amity_draw({}::text || ':' || {})", salt, profile_id),
        members="SELECT m.profile_id FROM batch_members AS m WHERE m.segment_id = {}",
    )
