"""Deterministic identity: its words and its rules, which `resolving` applies.

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

What is refused here may have to be decided anew with all evidence (`verdicts`), since
what arrived first need not have happened first; `Resolution.stirs` says so.
"""

import re
from collections.abc import Iterable, Sequence
from typing import Any, Final, NamedTuple

import msgspec

from amity.store.contracts import IdentifierKind
from amity.store.logic.intake.decoding import DecodedEvent

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
PREVIOUS: Final = 4
"""The slot of an alias call's previous id."""


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


class Member(msgspec.Struct, gc=False):
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
    joins: Sequence[Join] = ()
    attached: Sequence[Key] = ()
    ties: Sequence[Tie] = ()
    raised: Sequence[Key] = ()
    is_new: bool = False
    stirs: bool = False


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
    return _is_blocked(value.lower())


def _is_blocked(lowered: str) -> bool:
    return (
        lowered in _BLOCKED
        or not lowered.strip("0-")
        or lowered.startswith("test@")
        or "\0" in lowered
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
        if not _is_blocked(lowered := item.key.value.lower()) and lowered not in blocked
    ]


def list_lookups(evidence: list[Evidence]) -> list[Key]:
    """Return all keys `resolve` may ask for: a previous id may be a user id as well."""
    keys = [item.key for item in evidence]
    keys += [Key("user_id", item.key.value) for item in evidence if item.slot == PREVIOUS]
    return keys


def fits(one: Member, two: Member, limits: Limits) -> bool:
    """Say whether two profiles together stay within the limits."""
    return (
        one.identifier_count + two.identifier_count <= limits.identifiers
        and one.email_count + two.email_count <= limits.emails
        and one.phone_count + two.phone_count <= limits.phones
    )


def member_of(key: Key) -> Member:
    """Return what a profile with this one identifier would be."""
    return Member(
        user_id=key.value if key.kind == "user_id" else None,
        identifier_count=1,
        email_count=int(key.kind == "email"),
        phone_count=int(key.kind == "phone"),
    )


def is_contact(item: Evidence) -> bool:
    """Say whether an identifier is an e-mail address or a phone number."""
    return item.key.kind in CONTACTS


def is_leaf(item: Evidence) -> bool:
    """Say whether an identifier is only stated, so that it may be kept but joins nobody."""
    return not item.is_proof and is_contact(item)


def has_room(member: Member, key: Key, limits: Limits) -> bool:
    """Say whether a profile may have one identifier more."""
    return fits(member, member_of(key), limits)
