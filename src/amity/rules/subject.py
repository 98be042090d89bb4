"""What a rule is asked about: one profile with what it did, as plain values."""

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from datetime import datetime
from typing import Any, Final

import msgspec

from amity.rules.operator import ValueType

History = Mapping[str, Sequence[tuple[datetime, Mapping[str, Any]]]]
"""By name of event: when each happened and its properties, in any order."""

PROFILE_FIELDS: Final[Mapping[str, ValueType]] = {
    "order_count": "number",
    "revenue": "number",
    "event_count": "number",
    "first_seen_at": "instant",
    "last_seen_at": "instant",
    "first_order_at": "instant",
    "last_order_at": "instant",
    "user_id": "text",
    "email": "text",
    "phone": "text",
    "name": "text",
}
"""What a rule can ask of a profile itself; `revenue` is in major units of the home currency."""

FIELD_LABELS: Final[Mapping[str, str]] = {
    "order_count": "number of orders",
    "revenue": "revenue",
    "event_count": "number of events",
    "first_seen_at": "first seen",
    "last_seen_at": "last seen",
    "first_order_at": "first order",
    "last_order_at": "last order",
    "user_id": "user id",
    "email": "email",
    "phone": "phone",
    "name": "name",
}


class Subject(msgspec.Struct, frozen=True, kw_only=True):
    """One profile as rules see it."""

    traits: Mapping[str, Any] = {}
    fields: Mapping[str, Any] = {}
    """By the names of `PROFILE_FIELDS`; instants are datetimes."""
    consents: AbstractSet[str] = frozenset()
    """The purposes consented to."""
    segments: AbstractSet[int] = frozenset()
    history: History = {}
