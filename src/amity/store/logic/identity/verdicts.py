"""Which evidence counts when some of it contradicts the rest (pure).

Where nothing contradicts, every edge is accepted and the order of arrival cannot matter. Where
something does, all edges around are taken one by one, the best first and of equals the earliest,
and an edge that would break a rule is cut. Every rule forbids more the more there is in a
component, and everything asked here is a set, a minimum or a maximum over the events; so the
verdict is a function of what happened, not of the order it was told in.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Final

import msgspec

from amity.store.logic.identity.rules import (
    CONTACTS,
    DIFFERENT_USERS,
    PLACE,
    TOO_MANY,
    UNDONE,
    UNPROVEN,
    Key,
    Limits,
    Member,
    fits,
    member_of,
)

_KINDS: Final = {"user_id": 0, "email": 1, "phone": 2, "anonymous_id": 3}
_BY_HAND: Final = frozenset({"manual", "confirmed", "linkage"})


class Edge(msgspec.Struct, frozen=True):
    """Two identifiers seen together: how, by whom, since when, and whether it counts."""

    hub: Key
    other: Key
    is_proof: bool
    first_seen_at: datetime
    way: str = "event"
    cut: str = ""

    @property
    def pair(self) -> tuple[Key, Key]:
        """What the edge is known by."""
        return self.hub, self.other


class Verdict(msgspec.Struct, frozen=True):
    """The edges that are cut, with the reason, and the devices that are places."""

    cuts: dict[tuple[Key, Key], str]
    places: set[Key]


def decide(edges: Sequence[Edge], limits: Limits, places: Iterable[Key] = ()) -> Verdict:
    """Return which edges of an area do not count; those undone before stay undone."""
    found = find_places(edges, limits) | set(places)
    forest = _Forest(edges, limits)
    reasons: dict[tuple[Key, Key], str] = {}
    for edge in sorted(edges, key=_rank):
        if edge.hub == edge.other:
            continue
        if edge.cut == UNDONE:
            reasons[edge.pair] = UNDONE
        elif edge.hub in found or edge.other in found:
            reasons[edge.pair] = PLACE
        elif reason := forest.join(edge):
            reasons[edge.pair] = reason
    # What is connected by other evidence is not contradicted by a weaker edge.
    cuts = {
        pair: reason
        for pair, reason in reasons.items()
        if reason in (UNDONE, PLACE) or forest.find(pair[0]) != forest.find(pair[1])
    }
    return Verdict(cuts, found)


def find_places(edges: Iterable[Edge], limits: Limits) -> set[Key]:
    """Return the devices on which so many signed in that they are nobody's."""
    users: dict[Key, set[Key]] = defaultdict(set)
    for edge in edges:
        if edge.hub.kind == "user_id" and edge.other.kind == "anonymous_id":
            users[edge.other].add(edge.hub)
    return {key for key, seen in users.items() if len(seen) >= limits.logins}


def _rank(edge: Edge) -> tuple[object, ...]:
    if edge.way in _BY_HAND:
        strength = 0
    elif edge.is_proof:
        strength = 1
    else:
        strength = 3 if edge.other.kind in CONTACTS else 2
    return strength, edge.first_seen_at, _KINDS[edge.other.kind], edge.hub, edge.other


class _Forest:
    """Components of the edges accepted so far."""

    def __init__(self, edges: Sequence[Edge], limits: Limits) -> None:
        self.limits = limits
        self.parents: dict[Key, Key] = {}
        self.members: dict[Key, Member] = {}
        for edge in edges:
            for key in edge.pair:
                if key not in self.parents:
                    self.parents[key] = key
                    self.members[key] = member_of(key)
                if edge.is_proof and key.kind != "anonymous_id":
                    self.members[key].is_known = True

    def find(self, key: Key) -> Key:
        """Return what stands for a component."""
        while (parent := self.parents[key]) != key:
            self.parents[key] = self.parents[parent]
            key = parent
        return key

    def join(self, edge: Edge) -> str:
        """Accept an edge, or return why not."""
        one, two = self.find(edge.hub), self.find(edge.other)
        if one == two:
            return ""
        left, right = self.members[one], self.members[two]
        if left.user_id is not None and right.user_id is not None:
            return DIFFERENT_USERS
        if not fits(left, right, self.limits):
            return TOO_MANY
        if not edge.is_proof and edge.way not in _BY_HAND:
            if left.is_known and right.is_known:
                return UNPROVEN
            if edge.other.kind in CONTACTS and (right.is_known or right.identifier_count > 1):
                return UNPROVEN
        left.user_id = left.user_id or right.user_id
        left.identifier_count += right.identifier_count
        left.email_count += right.email_count
        left.phone_count += right.phone_count
        left.is_known = left.is_known or right.is_known
        self.parents[two] = one
        return ""
