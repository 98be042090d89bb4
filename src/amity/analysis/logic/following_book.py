"""The follower's book: every segment's rule compiled, and which of them an activity concerns.

The book is kept between turns and told of the definitions that have changed, so a change is
followed from the next turn on, without a restart.
"""

import logging
from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from datetime import UTC, datetime
from functools import cached_property
from typing import Any, Final

import msgspec

from amity.infra import queries
from amity.infra.database import Connection, database_name
from amity.kernel.errors import Invalid
from amity.rules import (
    Matcher,
    Mentions,
    Rule,
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

_NOTHING: Final[frozenset[int]] = frozenset()
_MOST_JOINED: Final = 10_000
"""How many sets of segments are kept with what they look at."""


class Followed(msgspec.Struct, frozen=True, dict=True):
    """One segment as the follower knows it."""

    segment_id: int
    name: str
    rule: Rule
    mentions: Mentions
    level: int
    """Above every segment its rule looks at; lower levels are decided first."""
    tier: int
    """Above every segment its rule asks others to be in; a tier is decided for everybody first."""

    @cached_property
    def matcher(self) -> Matcher:
        """The rule compiled, once it is needed: ten thousand take seconds, most wait for long."""
        return compile_rule(self.rule)


class Book:
    """The segments to follow, as the definitions were when it was last told of changes."""

    def __init__(
        self,
        rows: Iterable[tuple[int, str, dict[str, Any], str]],
        policies: Mapping[str, Purpose],
    ) -> None:
        self.building: list[int] = []
        self.index: RuleIndex[int] = RuleIndex()
        self.segments: dict[int, Followed] = {}
        # A new profile is like an empty one but for what its events touch.
        self._nobody = Subject(allowed=store.list_windows({}, policies))
        self._open_to_new: set[int] = set()
        self._joined: dict[frozenset[int], Mentions] = {}
        self._needing: dict[frozenset[int], bool] = {}
        self._states: dict[int, str] = {}
        self.change(rows, ())

    def change(
        self, rows: Iterable[tuple[int, str, dict[str, Any], str]], gone: Iterable[int]
    ) -> None:
        """Take in segments that are new or changed, and leave out those that are gone.

        The others stay as they are.
        """
        for segment_id in gone:
            self._leave_out(segment_id)
        for segment_id, name, raw, state in rows:
            self._leave_out(segment_id)
            try:
                rule = decode_rule(raw)
            except Invalid as error:
                # An operator that a plug-in brought can be gone; the others go on.
                _log.warning("segment %s is not followed: %s", segment_id, error.message)
                continue
            self.index.add(segment_id, rule)
            self._states[segment_id] = state
            found = mentions(rule)
            self.segments[segment_id] = Followed(segment_id, name, rule, found, 0, 0)
            if rule.matches(self._nobody, _ANY_TIME) or found.draws:
                self._open_to_new.add(segment_id)
        self._arrange()

    def rename(self, changed: Iterable[tuple[int, str, str]]) -> None:
        """Take in names and states of segments whose rules are as they were."""
        for segment_id, name, state in changed:
            if segment_id in self.segments:
                held = self.segments[segment_id]
                self.segments[segment_id] = msgspec.structs.replace(held, name=name)
                self._states[segment_id] = state
        self._list_building()

    def _leave_out(self, segment_id: int) -> None:
        if self.segments.pop(segment_id, None) is not None:
            self.index.remove(segment_id)
            self._open_to_new.discard(segment_id)
            del self._states[segment_id]

    def _arrange(self) -> None:
        """Find again in which order segments are decided."""
        found = {segment_id: each.mentions for segment_id, each in self.segments.items()}
        levels = _level(found)
        tiers = _tier(found, levels)
        for segment_id, held in self.segments.items():
            level, tier = levels[segment_id], tiers[segment_id]
            if (held.level, held.tier) != (level, tier):
                self.segments[segment_id] = msgspec.structs.replace(held, level=level, tier=tier)
        self._joined.clear()
        self._needing.clear()
        self._any_event_fields = self.index.names_mentioned("fields") - _ORDER_FIELDS
        self._list_building()

    def _list_building(self) -> None:
        found = sorted(each for each, state in self._states.items() if state == "building")
        self.building = sorted(found, key=lambda segment_id: self.segments[segment_id].level)

    def list_touched(self, activity: Activity) -> AbstractSet[int]:
        """Return the segments whose answer it may change by more than being counted."""
        if not self.may_touch(activity) and activity.event_id != activity.profile_id:
            return _NOTHING
        return self._list_touched(activity)

    def may_touch(self, activity: Activity) -> bool:
        """Say whether activities of its name, type and source may do more than be counted.

        Each may besides be the one that began a profile.
        """
        name = activity.name
        if activity.source_id == SYSTEM_SOURCE_ID:
            return name in WHOLE_PROFILE_EVENTS | _TRAIT_EVENTS | _CONSENT_EVENTS
        return (
            activity.type == _IDENTIFY
            or bool(self._any_event_fields)
            or name in _TRAIT_EVENTS | _CONSENT_EVENTS | _ORDER_EVENTS
        )

    def _list_touched(self, activity: Activity) -> set[int]:
        if activity.name in WHOLE_PROFILE_EVENTS and activity.source_id == SYSTEM_SOURCE_ID:
            return set(self.segments)
        index = self.index
        found: set[int] = set()
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

    def list_concerned(self, activity: Activity) -> set[int]:
        """Return the segments whose answer for the activity's profile it may change."""
        counting = self.index.list_swayed(activity.name, activity.properties)
        return {*self.list_touched(activity), *(segment_id for segment_id, _ in counting)}

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

    def needs_profile(self, segment_ids: frozenset[int]) -> bool:
        """Say whether the segments look at more of a profile than what was done."""
        found = self._needing.get(segment_ids)
        if found is None:
            if len(self._needing) >= _MOST_JOINED:
                self._needing.clear()
            found = self._needing[segment_ids] = self.join_mentions(segment_ids).needs_profile
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
    for begun in found:
        # A way can be longer than calls may nest.
        way = [begun]
        entered = set()
        while way:
            segment_id = way[-1]
            inner = [other for other in found[segment_id].segments if other in found]
            missing = [each for each in inner if each not in levels and each not in entered]
            if segment_id in levels or not missing:
                levels[segment_id] = 1 + max((levels.get(each, 0) for each in inner), default=0)
                way.pop()
            else:
                entered.add(segment_id)
                way += missing
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


class Shelf:
    """Keeps the book that fits the definitions as they are now."""

    def __init__(self) -> None:
        self._book: Book | None = None
        self._known: dict[int, tuple[int, str, str]] = {}
        """By segment that is followed, its version, state and name."""
        self._made_for: tuple[object, ...] = ()
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
        if self._book is None or self._made_for != purposes:
            self._book, self._known, self._made_for = Book((), policies), {}, purposes
        self._tell(self._book, connection, {row[0]: row[1:4] for row in rows})
        return self._book, [row[0] for row in rows if row[4]]

    def _tell(
        self, book: Book, connection: Connection, rows: dict[int, tuple[int, str, str]]
    ) -> None:
        """Tell the book of what has changed since it was last read."""
        now = {key: row for key, row in rows.items() if row[1] != "archived"}
        known = self._known
        if now == known:
            return
        changed = [key for key, row in now.items() if key not in known or known[key][0] != row[0]]
        gone = [key for key in known if key not in now]
        # Should a turn fail half way, the next one begins with a new book.
        self._known = {}
        self._book = None
        if changed or gone:
            book.change(connection.execute(_SQL["segment_rules"], [changed]).fetchall(), gone)
        others = [key for key in now if key in known and known[key] != now[key]]
        book.rename((key, now[key][2], now[key][1]) for key in others)
        self._book, self._known = book, now
