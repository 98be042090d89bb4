"""Deterministic identity: which profile an event belongs to, and which profiles it joins.

Pure: it works on a `Graph`, the part of the identity graph that a batch of events touches, and
says what it decided. Only exact identifiers join profiles; nothing is guessed.

An event ties its most telling identifier (the hub) to each of the others: those ties are the edges
of the evidence. A profile is what accepted edges connect. The rules, in the order they are asked:

1. An event belongs to the owner of the first of its identifiers that somebody owns, except owners
   known by another user id than the event's.
2. Other owners found on the way are joined with that one. A profile with a user id outlives one
   without; of two without, the older (lower id) one does.
3. Two profiles with different user ids are never joined, nor a pair whose join was undone (by
   what was known until then), nor two that together have more identifiers than `Limits` allow.
   A source whose key is public proves nothing: it never joins two profiles that are both known
   by proven identifiers, and an e-mail address or phone number it states joins nobody.
4. Identifiers nobody owned become the profile's. What somebody owns stays where it is: a device
   that one customer used stays hers when another signs in on it. A device on which many signed in
   is a place: it joins nobody, and is a profile by itself.

What is refused here may have to be decided anew with all evidence (`identity_verdicts`), since
what arrived first need not have happened first; `Resolution.stirs` says so.
"""

import re
from collections.abc import Iterable
from typing import Any, Final, NamedTuple

import msgspec

from amity.store.contracts import IdentifierKind
from amity.store.logic.decoding import DecodedEvent

MAX_IDENTIFIERS: Final = 100
MAX_LENGTH: Final = 255
_PHONE_DIGITS: Final = range(6, 16)  # E.164 allows at most 15
_BLOCKED: Final = frozenset(
    {"-1", "null", "undefined", "anonymous", "none", "nil", "nan", "unknown", "n/a"}
    | {"true", "false", "[object object]", "not set", "(not set)"}
)
_EMAIL: Final = re.compile(r"[^@\s]+@[^@\s]+")
_NOT_DIGITS: Final = re.compile(r"\D+", re.ASCII)

DIFFERENT_USERS: Final = "different_user_ids"
TOO_MANY: Final = "too_many_identifiers"
UNDONE: Final = "undone"
UNPROVEN: Final = "unproven"
PLACE: Final = "place"
CONTACTS: Final = frozenset({"email", "phone"})


class Key(NamedTuple):
    """An identifier: what is looked up."""

    kind: IdentifierKind
    value: str


class Limits(msgspec.Struct, frozen=True):
    """How many identifiers a profile may have, and how many users make a device a place."""

    identifiers: int = MAX_IDENTIFIERS
    emails: int = 5
    phones: int = 5
    logins: int = 5


class Evidence(msgspec.Struct, frozen=True, gc=False):
    """One identifier an event carries; ``slot`` numbers the places it can stand in.

    ``is_proof`` says that it comes from a source whose key is secret.
    """

    slot: int
    key: Key
    is_proof: bool = True


class Owner(msgspec.Struct, frozen=True, gc=False):
    """Whose an identifier is. ``origin_id`` is whose it was before any merge."""

    profile_id: int
    origin_id: int
    event_id: int
    is_stated: bool = False


class Member(msgspec.Struct):
    """What identity needs to know of a profile.

    ``is_known``: a proven identifier other than a device's is its. ``is_contested``: some
    evidence about it was refused.
    """

    user_id: str | None
    identifier_count: int
    merged_into: int | None = None
    email_count: int = 0
    phone_count: int = 0
    is_known: bool = False
    is_contested: bool = False


class Block(msgspec.Struct, frozen=True, gc=False):
    """A join that was undone: the two may not be joined by identifiers known before that."""

    one: int
    other: int
    undone_by: int


class Join(msgspec.Struct, frozen=True, gc=False):
    """Two profiles joined (``refusal`` is empty) or kept apart by one identifier."""

    slot: int
    key: Key
    winner_id: int
    loser_id: int
    refusal: str = ""


class Tie(msgspec.Struct, frozen=True, gc=False):
    """An edge an event shows, and why it was not accepted (``cut``)."""

    hub: Evidence
    item: Evidence
    cut: str = ""


class Resolution(msgspec.Struct, frozen=True, gc=False):
    """What an event says about who is who.

    ``raised`` are identifiers that were only stated until now. ``stirs`` says that, if any of
    the ties is news, all evidence around has to be looked at.
    """

    profile_id: int
    origin_id: int
    is_new: bool
    joins: list[Join]
    attached: list[Key]
    ties: list[Tie]
    raised: list[Key]
    stirs: bool


class Graph:
    """The owners and profiles a batch touches; `resolve` changes it event by event.

    ``cuts`` are the edges known not to be accepted. When ``is_settled`` all of them are known, so
    whatever is not among them is accepted.
    """

    def __init__(self, blocks: Iterable[Block] = (), limits: Limits | None = None) -> None:
        self.owners: dict[Key, Owner] = {}
        self.members: dict[int, Member] = {}
        self.blocks = list(blocks)
        self.limits = limits or Limits()
        self.cuts: dict[tuple[Key, Key], str] = {}
        self.places: set[Key] = set()
        self.is_settled = False

    def root(self, profile_id: int) -> int:
        """Follow merges to the profile that lives on."""
        while (onward := self.members[profile_id].merged_into) is not None:
            profile_id = onward
        return profile_id

    def is_blocked(self, one: int, other: int, owner: Owner) -> bool:
        """Say whether the two were joined before and taken apart again."""
        pair = {one, other}
        return any(
            owner.event_id < block.undone_by
            and block.one in self.members
            and block.other in self.members
            and {self.root(block.one), self.root(block.other)} == pair
            for block in self.blocks
        )


def normalize_email(value: Any) -> str | None:
    """Return an e-mail address as it is compared, or None when it is not one."""
    if not isinstance(value, str) or len(value) > MAX_LENGTH:
        return None
    email = value.strip().lower()
    return email if _EMAIL.fullmatch(email) else None


def normalize_phone(value: Any) -> str | None:
    """Return a phone number as its digits, with the plus if it had one; None if it is not one."""
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    if not isinstance(value, str) or len(value) > MAX_LENGTH:
        return None
    digits = _NOT_DIGITS.sub("", value)
    if len(digits) not in _PHONE_DIGITS:
        return None
    return "+" + digits if value.lstrip().startswith("+") else digits


def normalize_identifier(kind: IdentifierKind, value: str) -> str | None:
    """Return an identifier in the form it is kept in; None when nobody can have it."""
    if kind == "email":
        return normalize_email(value)
    if kind == "phone":
        return normalize_phone(value)
    stripped = value.strip()
    return None if not stripped or "\0" in stripped else stripped


def is_blocked_value(value: str) -> bool:
    """Say whether a value is a placeholder that many senders write when they know nobody."""
    lowered = value.lower()
    return (
        lowered in _BLOCKED
        or not lowered.strip("0-")
        or lowered.startswith("test@")
        or "\0" in value
    )


def list_evidence(
    event: DecodedEvent, *, is_proof: bool = True, blocked: frozenset[str] = frozenset()
) -> list[Evidence]:
    """Return the identifiers an event carries, the most telling first, placeholders left out.

    Contacts stated without proof come last: such an event is the device's before it is theirs.
    """
    devices: list[Evidence] = []
    contacts: list[Evidence] = []
    if event.traits and event.type != "group":
        if email := normalize_email(event.traits.get("email")):
            contacts.append(Evidence(1, Key("email", email), is_proof))
        if phone := normalize_phone(event.traits.get("phone")):
            contacts.append(Evidence(2, Key("phone", phone), is_proof))
    if event.anonymous_id:
        devices.append(Evidence(3, Key("anonymous_id", event.anonymous_id), is_proof))
    if event.previous_id:
        devices.append(Evidence(4, Key("anonymous_id", event.previous_id), is_proof))
    found = contacts + devices if is_proof else devices + contacts
    if event.user_id:
        found.insert(0, Evidence(0, Key("user_id", event.user_id), is_proof))
    return [
        item
        for item in found
        if not is_blocked_value(item.key.value) and item.key.value.lower() not in blocked
    ]


def list_lookups(evidence: list[Evidence]) -> list[Key]:
    """Return all keys `resolve` may ask for: a previous id may be a user id as well."""
    keys = [item.key for item in evidence]
    keys += [Key("user_id", item.key.value) for item in evidence if item.slot == PREVIOUS]
    return keys


def resolve(
    graph: Graph, evidence: list[Evidence], event_id: int, *, by_hand: bool = False
) -> Resolution:
    """Find the profile of an event with evidence, joining and making profiles in ``graph``.

    A new profile takes the event's id as its own, so that a rebuild gives the same ids.
    ``by_hand``: somebody has decided that these are one, whatever was undone before.
    """
    return _Case(graph, evidence, event_id, by_hand=by_hand).decide()


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
            self.base, self.origin, is_new, self.joins, attached, ties, raised, self.stirs
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
        if _is_leaf(item):
            if not is_settled:
                self.strangers.append((item, root, UNPROVEN))
        elif owner.is_stated and _is_contact(item) and not is_settled:
            self.strangers.append((item, root, UNPROVEN))
        elif self.base is None:
            is_room = is_settled or _has_room(graph.members[root], self.hub.key, graph.limits)
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
        _add(graph.members[winner], graph.members[loser])
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
            elif not graph.is_settled and not _has_room(member, key, graph.limits):
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
                if item is self.hub and (_is_contact(item) or member.is_known):
                    self.stirs = True
            if self.user_id is None and member.user_id is not None:
                self.stirs = True
            member.is_known = True
        return raised


PREVIOUS: Final = 4
"""The slot of an alias call's previous id."""


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
    if people and not all(_is_leaf(item) for item in people):
        return people
    return [item for item in evidence if item.key in graph.places][:1]


def _previous_as_user(graph: Graph, item: Evidence) -> Evidence:
    as_user = Key("user_id", item.key.value)
    return Evidence(item.slot, as_user, item.is_proof) if as_user in graph.owners else item


def _is_contact(item: Evidence) -> bool:
    return item.key.kind in CONTACTS


def _is_leaf(item: Evidence) -> bool:
    """Say whether an identifier is only stated, so that it may be kept but joins nobody."""
    return not item.is_proof and _is_contact(item)


def fits(one: Member, two: Member, limits: Limits) -> bool:
    """Say whether two profiles together stay within the limits."""
    return (
        one.identifier_count + two.identifier_count <= limits.identifiers
        and one.email_count + two.email_count <= limits.emails
        and one.phone_count + two.phone_count <= limits.phones
    )


def _has_room(member: Member, key: Key, limits: Limits) -> bool:
    return fits(member, member_of(key), limits)


def member_of(key: Key) -> Member:
    """Return what a profile with this one identifier would be."""
    return Member(
        user_id=key.value if key.kind == "user_id" else None,
        identifier_count=1,
        email_count=int(key.kind == "email"),
        phone_count=int(key.kind == "phone"),
    )


def _add(winner: Member, loser: Member) -> None:
    winner.user_id = winner.user_id or loser.user_id
    winner.identifier_count += loser.identifier_count
    winner.email_count += loser.email_count
    winner.phone_count += loser.phone_count
    winner.is_known = winner.is_known or loser.is_known
    winner.is_contested = winner.is_contested or loser.is_contested
