"""What rules can reach: the relations and columns for SQL, and the same for a profile in memory."""

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from datetime import datetime, timedelta
from typing import Any, Final

from amity.infra.config import settings
from amity.kernel.money import exponent_of
from amity.rules import (
    PROFILE_FIELDS,
    ActivityTable,
    Catalogue,
    Fragment,
    Look,
    Subject,
    Value,
    column_value,
    sql,
)
from amity.store.contracts import HistoryWish, Profile

_ACTIVITY: Final = ActivityTable(
    relation=Fragment("store_activity AS a"),
    profile_id=Fragment("a.profile_id"),
    name=Fragment("a.name"),
    occurred_at=Fragment("a.occurred_at"),
    properties=Fragment("a.properties"),
)
_COLUMNS: Final = {name: Fragment(f"p.{name}") for name in PROFILE_FIELDS if name != "revenue"}


def _scale() -> int:
    """Return how many minor units make one of the home currency."""
    return int(10 ** exponent_of(settings().currency))


def make_catalogue(condition: Fragment | None = None) -> Catalogue:
    """Return what a rule's SQL can reach; ``condition`` narrows whom it looks at."""
    columns = {**_COLUMNS, "revenue": sql("(p.revenue_minor::numeric / {})", _scale())}
    fields: dict[str, Value] = {
        name: column_value(columns[name], kind) for name, kind in PROFILE_FIELDS.items()
    }
    living = Fragment("p.merged_into IS NULL")
    return Catalogue(
        profiles=Fragment("store_profile AS p"),
        profile_id=Fragment("p.id"),
        condition=living if condition is None else sql("{} AND {}", living, condition),
        traits=Fragment("p.traits"),
        consents=Fragment("p.consents"),
        fields=fields,
        activity=_ACTIVITY,
        members=(
            "SELECT m.profile_id FROM analysis_membership AS m "
            "WHERE m.segment_id = {} AND m.left_at IS NULL"
        ),
    )


def make_subject(
    profile: Profile,
    *,
    segments: AbstractSet[int],
    history: Mapping[str, Sequence[tuple[datetime, Mapping[str, Any]]]],
) -> Subject:
    """Return a profile as rules see it in memory: the same values the catalogue gives in SQL."""
    scale = _scale()
    return Subject(
        traits=profile.traits,
        fields={
            "order_count": profile.order_count,
            # The division is rounded to the nearest float, whose shortest text is the amount.
            "revenue": profile.revenue_minor / scale if scale > 1 else profile.revenue_minor,
            "event_count": profile.event_count,
            "first_seen_at": profile.first_seen_at,
            "last_seen_at": profile.last_seen_at,
            "first_order_at": profile.first_order_at,
            "last_order_at": profile.last_order_at,
            "user_id": profile.user_id,
            "email": profile.email,
            "phone": profile.phone,
            "name": profile.name,
        },
        consents={
            purpose for purpose, consent in profile.consents.items() if consent.status == "granted"
        },
        segments=segments,
        history=history,
    )


def make_wishes(looks: Mapping[str, Look], now: datetime) -> list[HistoryWish]:
    """Say to the store what rules need of histories, and no more: orders are long."""
    return [
        HistoryWish(
            name=event,
            since=None if look.within_days is None else now - timedelta(days=look.within_days),
            properties=sorted(look.properties),
        )
        for event, look in sorted(looks.items())
    ]
