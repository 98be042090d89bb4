"""Deterministic identity: which profile an event belongs to, and which profiles it joins.

Pure: it works on a `Graph`, the part of the identity graph that a batch of events touches, and
says what it decided. Only exact identifiers join profiles; nothing is guessed.

The rules, in the order they are asked:

1. An event belongs to the owner of its user id, e-mail, phone, anonymous id or previous id: the
   first of these that somebody owns, except owners known by another user id than the event's.
2. Other owners found on the way are joined with that one. A profile with a user id outlives one
   without; of two without, the older (lower id) one does.
3. Two profiles with different user ids are never joined, nor a pair whose join was undone (by
   what was known until then), nor two that together have more than `MAX_IDENTIFIERS`.
   Each such refusal is recorded once.
4. Identifiers nobody owned become the profile's. What somebody owns stays where it is: a device
   that one customer used stays hers when another signs in on it.
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


class Key(NamedTuple):
    """An identifier: what is looked up."""

    kind: IdentifierKind
    value: str


class Evidence(msgspec.Struct, frozen=True, gc=False):
    """One identifier an event carries; ``slot`` numbers the places it can stand in."""

    slot: int
    key: Key


class Owner(msgspec.Struct, frozen=True, gc=False):
    """Whose an identifier is. ``origin_id`` is whose it was before any merge."""

    profile_id: int
    origin_id: int
    event_id: int


class Member(msgspec.Struct):
    """What identity needs to know of a profile."""

    user_id: str | None
    identifier_count: int
    merged_into: int | None = None


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


class Resolution(msgspec.Struct, frozen=True, gc=False):
    """What an event says about who is who."""

    profile_id: int
    origin_id: int
    is_new: bool
    joins: list[Join]
    attached: list[Key]


class Graph:
    """The owners and profiles a batch touches; `resolve` changes it event by event."""

    def __init__(self, blocks: Iterable[Block] = ()) -> None:
        self.owners: dict[Key, Owner] = {}
        self.members: dict[int, Member] = {}
        self.blocks = list(blocks)

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


def list_evidence(event: DecodedEvent) -> list[Evidence]:
    """Return the identifiers an event carries, the most telling first, placeholders left out."""
    found: list[Evidence] = []
    if event.user_id:
        found.append(Evidence(0, Key("user_id", event.user_id)))
    if event.traits and event.type != "group":
        if email := normalize_email(event.traits.get("email")):
            found.append(Evidence(1, Key("email", email)))
        if phone := normalize_phone(event.traits.get("phone")):
            found.append(Evidence(2, Key("phone", phone)))
    if event.anonymous_id:
        found.append(Evidence(3, Key("anonymous_id", event.anonymous_id)))
    if event.previous_id:
        found.append(Evidence(4, Key("anonymous_id", event.previous_id)))
    return [item for item in found if not is_blocked_value(item.key.value)]


def list_lookups(evidence: list[Evidence]) -> list[Key]:
    """Return all keys `resolve` may ask for: a previous id may be a user id as well."""
    keys = [item.key for item in evidence]
    if evidence and evidence[-1].slot == 4:
        keys.append(Key("user_id", evidence[-1].key.value))
    return keys


def resolve(graph: Graph, evidence: list[Evidence], event_id: int) -> Resolution:
    """Find the profile of an event with evidence, joining and making profiles in ``graph``.

    A new profile takes the event's id as its own, so that a rebuild gives the same ids.
    """
    if evidence[-1].slot == 4:
        evidence = [*evidence[:-1], _previous_as_user(graph, evidence[-1])]
    user_id = evidence[0].key.value if evidence[0].slot == 0 else None
    owned = [(item, graph.owners[item.key]) for item in evidence if item.key in graph.owners]
    strangers: list[tuple[Evidence, int]] = []
    joins: list[Join] = []
    base: int | None = None
    origin = event_id
    for item, owner in owned:
        root = graph.root(owner.profile_id)
        known_as = graph.members[root].user_id
        if user_id is not None and known_as is not None and known_as != user_id:
            strangers.append((item, root))
        elif base is None:
            base, origin = root, owner.origin_id
        elif root != base:
            join = _join(graph, base, root, item)
            joins.append(join)
            base = join.winner_id
    is_new = base is None
    if base is None:
        base = event_id
        graph.members[base] = Member(user_id=None, identifier_count=0)
    joins += [Join(item.slot, item.key, base, root, DIFFERENT_USERS) for item, root in strangers]
    attached = _attach(graph, base, Owner(base, origin, event_id), evidence)
    return Resolution(base, origin, is_new, joins, attached)


def _previous_as_user(graph: Graph, item: Evidence) -> Evidence:
    as_user = Key("user_id", item.key.value)
    return Evidence(item.slot, as_user) if as_user in graph.owners else item


def _join(graph: Graph, base: int, other: int, item: Evidence) -> Join:
    one, two = graph.members[base], graph.members[other]
    refusal = ""
    if one.user_id is not None and two.user_id is not None:
        refusal = DIFFERENT_USERS
    elif graph.is_blocked(base, other, graph.owners[item.key]):
        refusal = UNDONE
    elif one.identifier_count + two.identifier_count > MAX_IDENTIFIERS:
        refusal = TOO_MANY
    if refusal:
        return Join(item.slot, item.key, base, other, refusal)
    base_wins = one.user_id is not None or (two.user_id is None and base < other)
    winner, loser = (base, other) if base_wins else (other, base)
    graph.members[winner].identifier_count += graph.members[loser].identifier_count
    graph.members[loser].merged_into = winner
    return Join(item.slot, item.key, winner, loser)


def _attach(graph: Graph, base: int, owner: Owner, evidence: list[Evidence]) -> list[Key]:
    member = graph.members[base]
    attached = []
    for item in evidence:
        if item.key in graph.owners:
            continue
        if item.key.kind == "user_id":
            if item.slot != 0 or member.user_id is not None:
                continue
            member.user_id = item.key.value
        elif member.identifier_count >= MAX_IDENTIFIERS:
            continue
        graph.owners[item.key] = owner
        member.identifier_count += 1
        attached.append(item.key)
    return attached
