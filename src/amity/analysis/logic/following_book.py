"""The follower's book: every segment's rule compiled, and which of them an activity concerns.

The book is kept between turns and made anew when a definition has changed, so a change is
followed from the next turn on, without a restart.
"""

import logging
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, Final

import msgspec

from amity.infra import queries
from amity.infra.database import Connection, database_name
from amity.kernel.errors import Invalid
from amity.rules import (
    Matcher,
    Mentions,
    RuleIndex,
    Subject,
    compile_rule,
    decode_rule,
    join_mentions,
    mentions,
)
from amity.store import api as store
from amity.store.contracts import SYSTEM_SOURCE_ID, Activity
from amity.store.contracts_claims import TRAIT_ASSERTED, TRAIT_EXPIRED, TRAIT_RESOLVED
from amity.store.contracts_consent import Purpose

_SQL = queries.load("amity.analysis")
_log = logging.getLogger("amity.segments")

# What the store does with events: only these change traits, consents and order totals.
_IDENTIFY: Final = "identify"
_TRAIT_EVENTS: Final = frozenset({TRAIT_ASSERTED, TRAIT_EXPIRED, TRAIT_RESOLVED})
_NAMING_FIELDS: Final = frozenset({"name", "email", "phone"})
_CONSENT_EVENTS: Final = frozenset(
    {
        *("Segment Consent Preference Updated", "Unsubscribed"),
        *("Messages Paused", "Messages Resumed"),
        *("Processing Restricted", "Processing Restriction Lifted"),
    }
)
_ORDER_EVENTS: Final = frozenset({"Order Completed", "Order Refunded", "Order Cancelled"})
_ORDER_FIELDS: Final = frozenset({"order_count", "revenue", "first_order_at", "last_order_at"})
# To someone of whom nothing is known a rule says the same at any time.
_ANY_TIME: Final = datetime(2000, 1, 1, tzinfo=UTC)
# Amity's own events after which a profile is not who it was.
WHOLE_PROFILE_EVENTS: Final = frozenset({"Profile Merged", "Profile Unmerged"})

_MOST_JOINED: Final = 10_000
"""How many sets of segments are kept with what they look at."""


class Followed(msgspec.Struct, frozen=True):
    """One segment as the follower knows it."""

    segment_id: int
    name: str
    matcher: Matcher
    mentions: Mentions
    level: int
    """Above every segment its rule looks at; lower levels are decided first."""
    tier: int
    """Above every segment its rule asks others to be in; a tier is decided for everybody first."""


class Book:
    """The segments to follow, from one reading of the definitions."""

    def __init__(
        self,
        rows: Iterable[tuple[int, str, dict[str, Any], str]],
        policies: Mapping[str, Purpose],
    ) -> None:
        self.building: list[int] = []
        self.index: RuleIndex[int] = RuleIndex()
        rules = {}
        names = {}
        for segment_id, name, raw, state in rows:
            try:
                rule = decode_rule(raw)
            except Invalid as error:
                # An operator that a plug-in brought can be gone; the others go on.
                _log.warning("segment %s is not followed: %s", segment_id, error.message)
                continue
            rules[segment_id], names[segment_id] = rule, name
            self.index.add(segment_id, rule)
            if state == "building":
                self.building.append(segment_id)
        found = {segment_id: mentions(rule) for segment_id, rule in rules.items()}
        levels = _level(found)
        tiers = _tier(found, levels)
        self.segments = {
            segment_id: Followed(
                segment_id,
                names[segment_id],
                compile_rule(rule),
                found[segment_id],
                levels[segment_id],
                tiers[segment_id],
            )
            for segment_id, rule in rules.items()
        }
        self.building.sort(key=lambda segment_id: levels[segment_id])
        # A new profile is like an empty one but for what its events touch.
        nobody = Subject(allowed=store.list_windows({}, policies))
        self._open_to_new = {
            segment_id
            for segment_id, followed in self.segments.items()
            if followed.matcher.matches(nobody, _ANY_TIME) or followed.mentions.draws
        }
        self._joined: dict[frozenset[int], Mentions] = {}
        self._any_event_fields = self.index.names_mentioned("fields") - _ORDER_FIELDS

    def list_concerned(self, activity: Activity) -> set[int]:
        """Return the segments whose answer for the activity's profile it may change."""
        if activity.name in WHOLE_PROFILE_EVENTS and activity.source_id == SYSTEM_SOURCE_ID:
            return set(self.segments)
        index = self.index
        found = set(index.list_counting(activity.name, activity.properties))
        if activity.event_id == activity.profile_id:  # the event that began the profile
            found |= self._open_to_new
        # Amity's own say it too: on behalf of customers, and when another claim is to be shown.
        if activity.name in _TRAIT_EVENTS:
            found |= index.list_mentioning("traits", list_traits(activity.properties))
            found |= index.list_mentioning("fields", _NAMING_FIELDS)
        if activity.name in _CONSENT_EVENTS and index.has_mentions("purposes"):
            found |= index.list_mentioning("purposes", index.names_mentioned("purposes"))
        if activity.source_id == SYSTEM_SOURCE_ID:
            return found
        if activity.type == _IDENTIFY:
            found |= index.list_mentioning("traits", activity.properties)
        if self._any_event_fields:
            found |= index.list_mentioning("fields", self._any_event_fields)
        if activity.name in _ORDER_EVENTS:
            found |= index.list_mentioning("fields", _ORDER_FIELDS)
        return found

    def list_dependants(self, segment_id: int) -> set[int]:
        """Return the segments whose rule looks at this one."""
        return self.index.list_mentioning("segments", [segment_id])

    def list_asking(self, kind: str, segment_id: int | None = None) -> set[int]:
        """Return the segments that ask of others of a household or company to be in one."""
        return self.index.list_mentioning("together", [(kind, segment_id)])

    def with_dependants(self, segment_ids: Iterable[int]) -> set[int]:
        """Return the segments and all that depend on them, however far."""
        found: set[int] = set()
        left = list(segment_ids)
        while left:
            segment_id = left.pop()
            if segment_id not in found:
                found.add(segment_id)
                left += self.list_dependants(segment_id)
        return found

    def join_mentions(self, segment_ids: frozenset[int]) -> Mentions:
        """Return what the segments, and all that depend on them, look at together."""
        found = self._joined.get(segment_ids)
        if found is None:
            if len(self._joined) >= _MOST_JOINED:
                self._joined.clear()
            asked = self.with_dependants(segment_ids)
            found = join_mentions(self.segments[each].mentions for each in asked)
            self._joined[segment_ids] = found
        return found


def list_traits(properties: Mapping[str, Any]) -> list[str]:
    """Return the traits that an event about claims speaks of."""
    many = properties.get("traits", ())
    one = properties.get("trait")
    named = [*many] if isinstance(many, list | dict) else []
    return [trait for trait in [*named, one] if isinstance(trait, str)]


def _level(found: dict[int, Mentions]) -> dict[int, int]:
    """Return each segment's level; definitions are checked to have no cycle when they are kept."""
    levels: dict[int, int] = {}

    def level(segment_id: int, seen: frozenset[int]) -> int:
        if segment_id not in levels:
            inner = [
                level(other, seen | {segment_id})
                for other in found[segment_id].segments
                if other in found and other not in seen
            ]
            levels[segment_id] = 1 + max(inner, default=0)
        return levels[segment_id]

    for segment_id in found:
        level(segment_id, frozenset())
    return levels


def _tier(found: dict[int, Mentions], levels: dict[int, int]) -> dict[int, int]:
    """Return each segment's tier, the lowest level first."""
    tiers: dict[int, int] = {}
    for segment_id in sorted(found, key=levels.__getitem__):
        asked = found[segment_id]
        below = [tiers.get(other, 0) for other in asked.segments]
        others = [tiers.get(other, 0) + 1 for _, other in asked.together if other is not None]
        tiers[segment_id] = max([*below, *others], default=0)
    return tiers


class _Held(msgspec.Struct, frozen=True):
    key: tuple[object, ...]
    book: Book


class Shelf:
    """Keeps the book that fits the definitions as they are now."""

    def __init__(self) -> None:
        self._held: _Held | None = None
        self._purposes: tuple[object, ...] = ()
        self._settled: tuple[object, ...] = ()

    def read(self, connection: Connection) -> tuple[Book, list[int]]:
        """Return the book and the archived segments that still have members."""
        policies = store.list_policies(connection=connection)
        purposes = (database_name(), *policies.values())
        if purposes != self._settled:
            # What a purpose allows has changed, here or while nobody followed. Done again in the
            # next turn, should this one not commit; then there is nothing left to do.
            connection.execute(_SQL["rebuild_for_purposes"])
            self._settled, self._purposes = self._purposes, purposes
        rows = connection.execute(_SQL["segment_versions"]).fetchall()
        key = (*purposes, *(row[:4] for row in rows))
        if self._held is None or self._held.key != key:
            book = Book(connection.execute(_SQL["segment_rules"]).fetchall(), policies)
            self._held = _Held(key, book)
        return self._held.book, [row[0] for row in rows if row[4]]
