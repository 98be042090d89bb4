"""What rules can reach in SQL: the relations and columns (memory: `store.api.make_subject`)."""

from collections.abc import Mapping
from typing import Final

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
from amity.store import api as store
from amity.store import api_identity
from amity.store.contracts_consent import Purpose

ACTIVITY: Final = ActivityTable(
    relation=Fragment("store_activity AS a"),
    profile_id=Fragment("a.profile_id"),
    name=Fragment("a.name"),
    occurred_at=Fragment("a.occurred_at"),
    properties=Fragment("a.properties"),
)
ORDERS: Final = name_orders(store.placed_orders_sql("SELECT t.* FROM store_order AS t"))
_SCORES: Final = ScoreTable(
    relation=Fragment("analysis_score AS s"),
    profile_id=Fragment("s.profile_id"),
    name=Fragment("s.name"),
    faces={
        "value": column_value(Fragment("s.value"), "number"),
        "label": column_value(Fragment("s.label"), "text"),
        "percentile": column_value(Fragment("s.percentile"), "number"),
    },
)
_COLUMNS: Final = {name: Fragment(f"p.{name}") for name in PROFILE_FIELDS if name != "revenue"}


def make_catalogue(policies: Mapping[str, Purpose], condition: Fragment | None = None) -> Catalogue:
    """Return what a rule's SQL can reach; ``condition`` narrows whom it looks at."""
    consents = Fragment("p.consents")
    columns = {**_COLUMNS, "revenue": sql("(p.revenue_minor::numeric / {})", store.minor_units())}
    fields: dict[str, Value] = {
        name: column_value(columns[name], kind) for name, kind in PROFILE_FIELDS.items()
    }
    living = Fragment("p.merged_into IS NULL")
    return Catalogue(
        profiles=Fragment("store_profile AS p"),
        profile_id=Fragment("p.id"),
        condition=living if condition is None else sql("{} AND {}", living, condition),
        traits=Fragment("p.traits"),
        consents=consents,
        may_use=lambda purpose, now: store.use_condition(
            consents=consents, purpose=purpose, policies=policies, now=now
        ),
        fields=fields,
        activity=ACTIVITY,
        scores=_SCORES,
        orders=ORDERS,
        together=api_identity.together_sql,
        members=(
            "SELECT m.profile_id FROM analysis_membership AS m "
            "WHERE m.segment_id = {} AND m.left_at IS NULL"
        ),
    )
