"""What a rule is asked about: one profile with what it did, as plain values."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
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


class Window(msgspec.Struct, frozen=True):
    """A time, half open: from ``since`` (None: always) until just before ``until`` (None: ever)."""

    since: datetime | None = None
    until: datetime | None = None

    def holds(self, now: datetime) -> bool:
        """Say whether a moment lies in it."""
        return (self.since is None or self.since <= now) and (
            self.until is None or now < self.until
        )

    def next_change(self, now: datetime) -> datetime | None:
        """Return the first moment after ``now`` at which it begins or ends."""
        return min(
            (at for at in (self.since, self.until) if at is not None and at > now), default=None
        )


class Rating(msgspec.Struct, frozen=True):
    """One score of a profile as rules see it."""

    value: float | None = None
    label: str = ""
    percentile: float | None = None
    """From 0 to 100, among all who had the score when scores were last computed: the share of
    them with less, and half of those with as much."""


class PlacedOrder(msgspec.Struct, frozen=True):
    """An order as it stands now: told once, refunds taken off, not cancelled."""

    placed_at: datetime
    currency: str
    total_minor: int
    refunded_minor: int
    """Of its total; never more."""
    net_minor: int
    """Its total less that; never below nothing."""
    items: int


ORDER_COLUMNS: Final = ("total_minor", "refunded_minor", "net_minor", "items")
"""What of an order can be added up and tested."""


class Group(msgspec.Struct, frozen=True):
    """The others of somebody's household or company; of several the largest, by each count."""

    others: int = 0
    members: Mapping[int, int] = {}
    """By segment, how many of the others of one group are in it."""

    @classmethod
    def of(
        cls, groups: Sequence[Collection[int]], segments: Mapping[int, AbstractSet[int]]
    ) -> "Group":
        """Make it of the others' ids in each group and the segments each is in."""
        members: Counter[int] = Counter()
        for group in groups:
            members |= Counter(each for other in group for each in segments.get(other, ()))
        return cls(max(map(len, groups), default=0), dict(members))


class Subject(msgspec.Struct, frozen=True, kw_only=True):
    """One profile as rules see it."""

    profile_id: int | None = None
    """None for a stranger, who is in no draw."""
    traits: Mapping[str, Any] = {}
    fields: Mapping[str, Any] = {}
    """By the names of `PROFILE_FIELDS`; instants are datetimes."""
    consents: AbstractSet[str] = frozenset()
    """The purposes that were said yes to, and not taken back."""
    allowed: Mapping[str, Window] = {}
    """By purpose, when data may be used for it, as the gate has it; what is missing means never."""
    segments: AbstractSet[int] = frozenset()
    history: History = {}
    scores: Mapping[str, Rating] = {}
    """By name of the score."""
    together: Mapping[str, Group] = {}
    """By kind, `household` or `company`; what is missing means nobody else."""
    orders: tuple[PlacedOrder, ...] = ()
    """All orders that were placed and not cancelled, in any order."""
