"""Which profile an event belongs to, and which it joins: the rules of `identity`, applied (pure).

Nearly every event says nothing that is in doubt: its identifiers are new, or one profile's, or two
profiles' that may be joined. Those are resolved a short way, which comes to the same for them as
the long way, a `_Case`.
"""

from collections.abc import Sequence
from typing import Final

import msgspec

from amity.store.logic.identity.rules import (
    CONTACTS,
    DIFFERENT_USERS,
    PLACE,
    PREVIOUS,
    TOO_MANY,
    UNDONE,
    UNPROVEN,
    Evidence,
    Graph,
    Join,
    Key,
    Member,
    Owner,
    Resolution,
    Tie,
    fits,
    has_room,
    is_contact,
    is_leaf,
)

_DEVICE: Final = "anonymous_id"
_PAIR: Final = 2
_NOBODY: Final = Owner(-1, -1, -1)


def resolve(
    graph: Graph, evidence: list[Evidence], event_id: int, *, by_hand: bool = False
) -> Resolution:
    """Find the profile of an event with evidence, joining and making profiles in ``graph``.

    A new profile takes the event's id as its own, so that a rebuild gives the same ids.
    ``by_hand``: somebody has decided that these are one, whatever was undone before.
    """
    found = None
    if not by_hand:
        if len(evidence) == 1 and evidence[0].key.kind == _DEVICE:
            found = _resolve_device(graph, evidence[0], event_id)
        elif not (graph.cuts or graph.places) or not _is_cut(graph, evidence):
            found = _resolve_plainly(graph, evidence, event_id)
    return found or _Case(graph, evidence, event_id, by_hand=by_hand).decide()


def _resolve_device(graph: Graph, item: Evidence, event_id: int) -> Resolution | None:
    """Resolve an event that carries nothing but a device, as most of a site's do."""
    if item.slot == PREVIOUS or graph.limits.identifiers < 1:
        return None
    owner = graph.owners.get(item.key)
    if owner is not None:
        return Resolution(graph.root(owner.profile_id), owner.origin_id)
    graph.members[event_id] = Member(None, 1)
    graph.owners[item.key] = Owner(event_id, event_id, event_id, not item.is_proof)
    return Resolution(event_id, event_id, (), (item.key,), is_new=True)


def _is_cut(graph: Graph, evidence: list[Evidence]) -> bool:
    """Say whether any of an event's identifiers is a place, or known not to be the hub's."""
    if len(evidence) == 1:
        return False
    places, cuts, hub = graph.places, graph.cuts, evidence[0].key
    return any(item.key in places or (hub, item.key) in cuts for item in evidence)


def _resolve_plainly(graph: Graph, evidence: list[Evidence], event_id: int) -> Resolution | None:
    """Resolve an event about which nothing is in doubt; None, and nothing done, for any other."""
    owners = graph.owners
    fresh: list[Evidence] = []
    base = other = -1
    first, bridge = _NOBODY, None
    for item in evidence:
        if item.slot == PREVIOUS:
            return None
        owner = owners.get(item.key)
        if owner is None:
            fresh.append(item)
            continue
        root = graph.root(owner.profile_id)
        if item.key.kind != _DEVICE and _is_in_doubt(item, owner, is_base=root == base):
            return None
        if base < 0:
            base, first = root, owner
        elif root not in (base, other):
            if bridge is not None:
                return None
            other, bridge = root, item
    if base < 0:
        return _begin(graph, evidence, event_id)
    held = Owner(base, first.origin_id, event_id)
    if bridge is None:
        return _give(graph, evidence, fresh, held)
    return _join_plainly(graph, evidence, fresh, held, (other, bridge))


def _is_in_doubt(item: Evidence, owner: Owner, *, is_base: bool) -> bool:
    """Say whether an owned identifier is proven only now, or stated of somebody else perhaps."""
    if item.is_proof:
        return owner.is_stated
    return not is_base and item.key.kind in CONTACTS


def _begin(graph: Graph, evidence: list[Evidence], event_id: int) -> Resolution | None:
    """Make a profile of identifiers nobody has."""
    graph.members[event_id] = Member(None, 0)
    found = _give(graph, evidence, evidence, Owner(event_id, event_id, event_id))
    if found is None:
        del graph.members[event_id]
    return found


def _join_plainly(
    graph: Graph,
    evidence: list[Evidence],
    fresh: list[Evidence],
    held: Owner,
    met: tuple[int, Evidence],
) -> Resolution | None:
    """Join the profile an event belongs to with another it met, if no rule can keep them apart."""
    base, (other, item) = held.profile_id, met
    members = graph.members
    one, two = members[base], members[other]
    if one.user_id is None and (two.user_id is not None or other < base):
        base, other, one, two = other, base, two, one
    if (
        graph.blocks
        or (two.user_id is not None and one.user_id is not None)
        or (not item.is_proof and one.is_known and two.is_known)
        or not fits(one, two, graph.limits)
    ):
        return None
    members[base] = _sum(one, two)
    joins = (Join(item.slot, item.key, base, other),)
    found = _give(graph, evidence, fresh, Owner(base, held.origin_id, held.event_id), joins)
    if found is None:
        members[base] = one
    else:
        two.merged_into = base
    return found


def _give(
    graph: Graph,
    evidence: list[Evidence],
    fresh: list[Evidence],
    held: Owner,
    joins: tuple[Join, ...] = (),
) -> Resolution | None:
    """Give a profile what nobody has, and note what is proven; None when a rule may be against it.

    There has to be room, of whatever kind the new identifiers are, and a user id has to be the
    profile's own.
    """
    member, hub = graph.members[held.profile_id], evidence[0]
    known_as = member.user_id
    if known_as is not None and hub.slot == 0 and known_as != hub.key.value:
        return None
    attached: Sequence[Key] = ()
    if fresh:
        count, limits = len(fresh), graph.limits
        if (
            member.identifier_count + count > limits.identifiers
            or member.email_count + count > limits.emails
            or member.phone_count + count > limits.phones
        ):
            return None
        attached = _attach(graph.owners, member, fresh, held)
    stirs = _prove(member, evidence) if hub.is_proof else False
    return Resolution(
        held.profile_id,
        held.origin_id,
        joins,
        attached,
        _ties(hub, evidence),
        is_new=held.profile_id == held.event_id,
        stirs=stirs,
    )


def _attach(
    owners: dict[Key, Owner], member: Member, fresh: list[Evidence], held: Owner
) -> list[Key]:
    base, origin, event_id = held.profile_id, held.origin_id, held.event_id
    attached = []
    for item in fresh:
        key = item.key
        owners[key] = Owner(base, origin, event_id, not item.is_proof)
        attached.append(key)
        if key.kind == "email":
            member.email_count += 1
        elif key.kind == "phone":
            member.phone_count += 1
        elif key.kind == "user_id":
            member.user_id = key.value
    member.identifier_count += len(attached)
    return attached


def _prove(member: Member, evidence: list[Evidence]) -> bool:
    """Note that a profile is known by proof; say whether that puts older evidence in doubt."""
    stirs = False
    for item in evidence:
        if item.is_proof and item.key.kind != _DEVICE:
            member.is_known = True
            stirs = member.user_id is not None and evidence[0].slot != 0
    return stirs


def _ties(hub: Evidence, evidence: list[Evidence]) -> Sequence[Tie]:
    if len(evidence) == _PAIR:
        return (Tie(hub, evidence[1]),)
    if len(evidence) > 1:
        return [Tie(hub, item) for item in evidence[1:]]
    return (Tie(hub, hub),) if hub.is_proof and hub.key.kind != _DEVICE else ()


def _sum(winner: Member, loser: Member) -> Member:
    """Return what the winner of a join is known for after it."""
    return Member(
        winner.user_id or loser.user_id,
        winner.identifier_count + loser.identifier_count,
        None,
        winner.email_count + loser.email_count,
        winner.phone_count + loser.phone_count,
        winner.is_known or loser.is_known,
        winner.is_contested or loser.is_contested,
    )


class _Case:
    """One event being resolved."""

    def __init__(
        self, graph: Graph, evidence: list[Evidence], event_id: int, *, by_hand: bool
    ) -> None:
        self.graph = graph
        self.event_id = event_id
        self.by_hand = by_hand
        everything = _previous_as_users(graph, evidence)
        self.evidence = _without_places(graph, everything)
        self.left_out = [item for item in everything if item not in self.evidence]
        self.hub = self.evidence[0]
        self.user_id = self.hub.key.value if self.hub.slot == 0 else None
        self.base: int | None = None
        self.origin = event_id
        self.joins: list[Join] = []
        self.strangers: list[tuple[Evidence, int, str]] = []
        self.refused: dict[Key, str] = {}
        self.stirs = False

    def decide(self) -> Resolution:
        """Resolve the event."""
        graph = self.graph
        for item in self.evidence:
            if (owner := graph.owners.get(item.key)) is not None:
                self._meet(item, owner)
        is_new = self.base is None
        if self.base is None:
            self.base = self.event_id
            graph.members[self.base] = Member(user_id=None, identifier_count=0)
        for item, root, reason in self.strangers:
            self._refuse(item, reason)
            self.joins.append(Join(item.slot, item.key, self.base, root, reason))
        attached = self._attach(self.base)
        raised = self._raise(self.base)
        self._contest(self.base)
        ties = [Tie(self.hub, item, self.refused.get(item.key, "")) for item in self.evidence[1:]]
        if self.hub.key not in graph.places:
            ties += [Tie(self.hub, item, PLACE) for item in self.left_out]
        if not ties and self.hub.is_proof and self.hub.key.kind != "anonymous_id":
            ties = [Tie(self.hub, self.hub)]
        return Resolution(
            *(self.base, self.origin, self.joins, attached, ties, raised),
            is_new=is_new,
            stirs=self.stirs,
        )

    def _meet(self, item: Evidence, owner: Owner) -> None:
        graph = self.graph
        root = graph.root(owner.profile_id)
        if item is not self.hub and (cut := self._cut(item)):
            if root != self.base:
                self.strangers.append((item, root, cut))
            self.refused[item.key] = cut
            return
        known_as = graph.members[root].user_id
        if self.user_id is not None and known_as is not None and known_as != self.user_id:
            self.strangers.append((item, root, DIFFERENT_USERS))
        elif item is self.hub:
            self.base, self.origin = root, owner.origin_id
        elif root != self.base:
            self._meet_other(item, owner, root)

    def _cut(self, item: Evidence) -> str:
        """Return why it is known that the hub and this identifier are not one's; else ""."""
        if self.by_hand and not self.graph.is_settled:
            return ""
        return self.graph.cuts.get((self.hub.key, item.key), "")

    def _meet_other(self, item: Evidence, owner: Owner, root: int) -> None:
        graph = self.graph
        is_settled = graph.is_settled
        if is_leaf(item):
            if not is_settled:
                self.strangers.append((item, root, UNPROVEN))
        elif owner.is_stated and is_contact(item) and not is_settled:
            self.strangers.append((item, root, UNPROVEN))
        elif self.base is None:
            is_room = is_settled or has_room(graph.members[root], self.hub.key, graph.limits)
            if is_room:
                self.base, self.origin = root, owner.origin_id
            else:
                self.strangers.append((item, root, TOO_MANY))
        else:
            join = self._join(self.base, root, item)
            self.joins.append(join)
            self.base = join.winner_id
            if join.refusal:
                self._refuse(item, join.refusal)

    def _contest(self, base: int) -> None:
        """Mark whom refused evidence is about; what was undone or is at a place is settled."""
        if not self.refused:
            return
        reasons = set(self.refused.values()) - {UNDONE, PLACE}
        if reasons:
            self.graph.members[base].is_contested = True
        for join in self.joins:
            if join.refusal in reasons:
                for profile_id in (join.winner_id, join.loser_id):
                    self.graph.members[self.graph.root(profile_id)].is_contested = True

    def _refuse(self, item: Evidence, reason: str) -> None:
        self.refused[item.key] = reason
        self.stirs = True

    def _join(self, base: int, other: int, item: Evidence) -> Join:
        graph = self.graph
        one, two = graph.members[base], graph.members[other]
        refusal = ""
        if one.user_id is not None and two.user_id is not None:
            refusal = DIFFERENT_USERS
        elif not self.by_hand and graph.is_blocked(base, other, graph.owners[item.key]):
            refusal = UNDONE
        elif not graph.is_settled:
            if not fits(one, two, graph.limits):
                refusal = TOO_MANY
            elif not item.is_proof and one.is_known and two.is_known:
                refusal = UNPROVEN
        if refusal:
            return Join(item.slot, item.key, base, other, refusal)
        if self.by_hand:
            base_wins = True
        else:
            base_wins = one.user_id is not None or (two.user_id is None and base < other)
        winner, loser = (base, other) if base_wins else (other, base)
        graph.members[winner] = _sum(graph.members[winner], graph.members[loser])
        graph.members[loser].merged_into = winner
        return Join(item.slot, item.key, winner, loser)

    def _attach(self, base: int) -> list[Key]:
        graph, member = self.graph, self.graph.members[base]
        attached = []
        for item in self.evidence:
            key = item.key
            if key in graph.owners or key in attached:
                continue
            if item is not self.hub and (cut := self._cut(item)):
                self.refused[key] = cut
                continue
            if key.kind == "user_id":
                if item.slot != 0 or member.user_id is not None:
                    continue
                member.user_id = key.value
            elif not graph.is_settled and not has_room(member, key, graph.limits):
                if item is not self.hub:
                    self._refuse(item, TOO_MANY)
                continue
            graph.owners[key] = Owner(base, self.origin, self.event_id, not item.is_proof)
            member.identifier_count += 1
            member.email_count += key.kind == "email"
            member.phone_count += key.kind == "phone"
            attached.append(key)
        return attached

    def _raise(self, base: int) -> list[Key]:
        """Note what is proven by this event, and whether that puts older evidence in doubt."""
        graph, member = self.graph, self.graph.members[base]
        raised = []
        for item in self.evidence:
            if not item.is_proof or item.key.kind == "anonymous_id" or item.key in self.refused:
                continue
            owner = graph.owners.get(item.key)
            if owner is None or graph.root(owner.profile_id) != base:
                continue
            if owner.is_stated:
                graph.owners[item.key] = msgspec.structs.replace(owner, is_stated=False)
                raised.append(item.key)
                if item is self.hub and (is_contact(item) or member.is_known):
                    self.stirs = True
            if self.user_id is None and member.user_id is not None:
                self.stirs = True
            member.is_known = True
        return raised


def _previous_as_users(graph: Graph, evidence: list[Evidence]) -> list[Evidence]:
    """Read a previous id as the user id it may be."""
    if not any(item.slot == PREVIOUS for item in evidence):
        return evidence
    return [_previous_as_user(graph, item) if item.slot == PREVIOUS else item for item in evidence]


def _without_places(graph: Graph, evidence: list[Evidence]) -> list[Evidence]:
    """Leave out places that somebody stands beside; a place alone is what the event is about."""
    if not graph.places or len(evidence) == 1:
        return evidence
    people = [item for item in evidence if item.key not in graph.places]
    if len(people) == len(evidence):
        return evidence
    if people and not all(is_leaf(item) for item in people):
        return people
    return [item for item in evidence if item.key in graph.places][:1]


def _previous_as_user(graph: Graph, item: Evidence) -> Evidence:
    as_user = Key("user_id", item.key.value)
    return Evidence(item.slot, as_user, item.is_proof) if as_user in graph.owners else item
