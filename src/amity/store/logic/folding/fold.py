"""A profile as a fold of events (pure): `fold(state, event) -> state`.

Every part of the state is order-independent: sums, minima, maxima, and last writers by (event
time, event id). So events that come late or out of order give the same profile, and two
profiles that turn out to be one person are joined by `combine`.
"""

from datetime import datetime
from typing import Any, Final

import msgspec

from amity.store.contracts import Consent, ConsentStatus, SourceKind
from amity.store.contracts_claims import TRAIT_ASSERTED, TRAIT_EXPIRED, TRAIT_RESOLVED
from amity.store.logic.consent.statements import (
    CONSENT_EVENTS,
    PAUSE_EVENTS,
    RESTRICTION_EVENTS,
    combine_consents,
    expiry_of,
    later,
    list_statements,
    read_mark,
)
from amity.store.logic.consent.under_age import mark_age
from amity.store.logic.folding.orders import OrderTotals
from amity.store.logic.identity.rules import MAX_LENGTH, normalize_email, normalize_phone
from amity.store.logic.intake.decoding import DecodedEvent
from amity.store.logic.intake.parsing import read_instant
from amity.store.logic.profiles.claims import list_assertions
from amity.store.logic.profiles.survivorship import (
    NO_RULES,
    NO_WORDS,
    Rules,
    Word,
    Words,
    choose,
    join_words,
)

SYSTEM_TRAIT_EVENTS: Final = frozenset({TRAIT_ASSERTED, TRAIT_EXPIRED, TRAIT_RESOLVED})
"""Amity's own events that change traits."""

MARK_EVENTS: Final = PAUSE_EVENTS | RESTRICTION_EVENTS
"""Amity's own events that set the gate's marks: a pause, a restriction."""

FOLDED_SYSTEM_EVENTS: Final = CONSENT_EVENTS | MARK_EVENTS | SYSTEM_TRAIT_EVENTS
"""All of Amity's own events that are folded into profiles."""

_NAMES: Final = {
    "identify": "Identify",
    "page": "Page Viewed",
    "screen": "Screen Viewed",
    "group": "Group",
    "alias": "Alias",
}


class Origin(msgspec.Struct, frozen=True, array_like=True):
    """Where a trait's value comes from; as the projection keeps it."""

    source_id: int
    at: datetime
    event_id: int
    since: datetime | None = None
    """When that source first spoke of the trait, where that was earlier."""


class State(msgspec.Struct, frozen=True, kw_only=True):
    """A profile while it is folded.

    A trait set to null is gone from ``traits`` but stays in ``origins``, so that an older value
    that comes late does not bring it back. ``words`` has the traits on which more than one source
    has a word, or one that is more than a value: a rule chooses from them what is in ``traits``.
    """

    profile_id: int
    merged_into: int | None = None
    user_id: str | None = None
    traits: dict[str, Any] = {}
    origins: dict[str, Origin] = {}
    words: Words = NO_WORDS
    consents: dict[str, Consent] = {}
    first_seen_at: datetime
    last_seen_at: datetime
    event_count: int = 0
    event_counts: dict[str, int] = {}
    orders: OrderTotals = OrderTotals()
    identifier_count: int = 0
    email_count: int = 0
    phone_count: int = 0
    is_known: bool = False
    is_contested: bool = False
    version: int = 0


class Happening(msgspec.Struct, frozen=True, gc=False):
    """One event ready to be folded: decoded, timed, and numbered."""

    event_id: int
    position: int
    source_id: int
    source_kind: SourceKind
    occurred_at: datetime
    name: str
    event: DecodedEvent


def begin(profile_id: int, occurred_at: datetime) -> State:
    """Return the state of a profile nothing is known of yet."""
    return State(profile_id=profile_id, first_seen_at=occurred_at, last_seen_at=occurred_at)


def name_of(event: DecodedEvent) -> str:
    """Return the name an event goes by in the timeline and in rules."""
    return _NAMES.get(event.type) or event.name


def properties_of(event: DecodedEvent) -> dict[str, Any]:
    """Return what an event says, by its type: traits for identify and group, else properties."""
    if event.type == "identify":
        return event.traits
    if event.type == "group":
        return {**event.traits, "group_id": event.group_id}
    if event.type == "alias":
        return {**event.properties, "previous_id": event.previous_id}
    return event.properties


def time_of(event: DecodedEvent, received_at: datetime) -> datetime:
    """Return when an event happened, freed from the error of the sender's clock.

    The sender's clock is compared with ours by `sentAt` (Segment specification, "timestamps");
    nothing happens after it was received.
    """
    happened = event.timestamp
    if happened is None:
        return received_at
    if event.sent_at is not None:
        if event.sent_at <= happened:
            return received_at
        try:
            happened = received_at - (event.sent_at - happened)
        except OverflowError:
            return received_at
    return happened if happened < received_at else received_at


def fold(state: State, happening: Happening, rules: Rules = NO_RULES) -> State:
    """Return the profile after one more event; orders and identifiers are folded apart.

    ``rules`` say which claim is shown of a trait.

    Amity's own events are the customer's history but not her doing: they neither count nor
    move the time she was last seen.
    """
    changes: dict[str, Any] = {"version": max(state.version, happening.position)}
    at, name = happening.occurred_at, happening.name
    if happening.source_kind != "system":
        changes["event_count"] = state.event_count + 1
        changes["event_counts"] = {
            **state.event_counts,
            name: state.event_counts.get(name, 0) + 1,
        }
        if at < state.first_seen_at:
            changes["first_seen_at"] = at
        if at > state.last_seen_at:
            changes["last_seen_at"] = at
    event = happening.event
    if event.type == "identify" and event.traits:
        changes |= _fold_identify(state, happening, rules)
    elif event.type == "track" and name in SYSTEM_TRAIT_EVENTS:
        changes |= _fold_trait_event(state, happening, rules)
    elif name in CONSENT_EVENTS and event.type == "track":
        changes["consents"] = _fold_consents(state, happening)
    elif name in MARK_EVENTS and happening.source_kind == "system":
        changes["consents"] = _fold_mark(state, happening)
    if "traits" in changes:
        changes["consents"] = mark_age(state.consents, changes["traits"])
    return msgspec.structs.replace(state, **changes)


class _Traits:
    """The traits of a profile while words are added to them."""

    def __init__(self, state: State, rules: Rules) -> None:
        self.traits, self.origins = dict(state.traits), dict(state.origins)
        self.words, self.until = dict(state.words.words), state.words.until
        self.rules = rules

    def words_on(self, trait: str) -> tuple[Word, ...]:
        """Return all words on a trait, also the single plain one that is not kept as such."""
        held = self.words.get(trait)
        if held is not None:
            return held
        origin = self.origins.get(trait)
        if origin is None:
            return ()
        value, at = self.traits.get(trait), origin.at
        since = origin.since or at
        return (Word(origin.source_id, "observed", value, at, origin.event_id, since),)

    def add(self, trait: str, words: tuple[Word, ...]) -> None:
        """Join words on a trait to those there are, and choose anew."""
        self._settle(trait, join_words(self.words_on(trait), words))

    def replace(self, trait: str, value: Any, origin: Origin) -> None:
        """Take a source's plain word in place of its own, if it is later: nobody else has one."""
        held = self.origins[trait]
        since = min(held.since or held.at, origin.at)
        if (held.at, held.event_id) >= (origin.at, origin.event_id):
            origin = held
        elif value is None:
            self.traits.pop(trait, None)
        else:
            self.traits[trait] = value
        begun = None if since == origin.at else since
        if origin.since != begun:
            origin = msgspec.structs.replace(origin, since=begun)
        self.origins[trait] = origin

    def settle_all(self) -> None:
        """Choose anew wherever there is a choice."""
        for trait, words in list(self.words.items()):
            self._settle(trait, words)

    def _settle(self, trait: str, words: tuple[Word, ...]) -> None:
        if len(words) > 1 or not words[0].is_plain:
            self.words[trait] = words
        else:
            self.words.pop(trait, None)
        chosen = choose(words, self.rules.find(trait), self.until)
        since = None if chosen.since == chosen.at else chosen.since
        self.origins[trait] = Origin(chosen.source_id, chosen.at, chosen.event_id, since)
        if chosen.value is None:
            self.traits.pop(trait, None)
        else:
            self.traits[trait] = chosen.value

    def changes(self) -> dict[str, Any]:
        """Return the fields of the state as they are now."""
        words = Words(self.words, self.until) if self.words or self.until else NO_WORDS
        return {"traits": self.traits, "origins": self.origins, "words": words}


def _fold_identify(state: State, happening: Happening, rules: Rules) -> dict[str, Any]:
    """Take the traits of an `identify`: those only this source speaks of, the short way."""
    told = _Traits(state, rules)
    source_id, at, event_id = happening.source_id, happening.occurred_at, happening.event_id
    first = Origin(source_id, at, event_id)
    for said in list_assertions("identify", "", happening.event.traits, happening.source_kind):
        trait, held = said.trait, told.origins.get(said.trait)
        if held is None:
            told.origins[trait] = first
            if said.value is not None:
                told.traits[trait] = said.value
        elif held.source_id == source_id and trait not in told.words:
            told.replace(trait, said.value, first)
        else:
            told.add(trait, (Word(source_id, said.how, said.value, at, event_id, at),))
    return told.changes()


def _fold_trait_event(state: State, happening: Happening, rules: Rules) -> dict[str, Any]:
    """Take claims that come with more than a value, or what Amity itself says about claims."""
    told, at = _Traits(state, rules), happening.occurred_at
    properties = happening.event.properties
    if happening.name == TRAIT_ASSERTED:
        kind = happening.source_kind
        for said in list_assertions("track", TRAIT_ASSERTED, properties, kind):
            word = Word(
                happening.source_id,
                said.how,
                said.value,
                at,
                happening.event_id,
                at,
                said.confidence,
                said.expires_at,
            )
            told.add(said.trait, (word,))
    elif happening.source_kind == "system":
        until = read_instant(str(properties.get("until"))) or told.until
        if until is not None:
            told.until = max(until, told.until or until)
        told.settle_all()
    return told.changes()


def _combine_traits(winner: State, loser: State, rules: Rules) -> dict[str, Any]:
    told, other = _Traits(winner, rules), _Traits(loser, rules)
    untils = [each for each in (told.until, other.until) if each is not None]
    told.until = max(untils, default=None)
    for trait in other.origins:
        told.add(trait, other.words_on(trait))
    told.settle_all()
    return told.changes()


def _fold_consents(state: State, happening: Happening) -> dict[str, Consent]:
    consents = dict(state.consents)
    until = expiry_of(happening.event.properties)
    for purpose, status in list_statements(happening.event, happening.source_kind).items():
        said = _said(happening, status, until if status == "granted" else None)
        held = consents.get(purpose)
        consents[purpose] = said if held is None else later(held, said)
    return consents


def _fold_mark(state: State, happening: Happening) -> dict[str, Consent]:
    read = read_mark(happening.name, happening.event.properties, _said(happening, "granted"))
    if read is None:
        return state.consents
    name, said = read
    held = state.consents.get(name)
    return {**state.consents, name: said if held is None else later(held, said)}


def _said(
    happening: Happening, status: ConsentStatus, expires_at: datetime | None = None
) -> Consent:
    return Consent(
        status=status,
        at=happening.occurred_at,
        source_id=happening.source_id,
        event_id=happening.event_id,
        expires_at=expires_at,
    )


def combine(winner: State, loser: State, rules: Rules = NO_RULES) -> State:
    """Return the winner of a merge with all that is known of both; orders are joined apart."""
    counts = dict(winner.event_counts)
    for name, count in loser.event_counts.items():
        counts[name] = counts.get(name, 0) + count
    told = _combine_traits(winner, loser, rules)
    return msgspec.structs.replace(
        winner,
        user_id=winner.user_id or loser.user_id,
        consents=mark_age(combine_consents(winner.consents, loser.consents), told["traits"]),
        first_seen_at=min(winner.first_seen_at, loser.first_seen_at),
        last_seen_at=max(winner.last_seen_at, loser.last_seen_at),
        event_count=winner.event_count + loser.event_count,
        event_counts=counts,
        identifier_count=winner.identifier_count + loser.identifier_count,
        email_count=winner.email_count + loser.email_count,
        phone_count=winner.phone_count + loser.phone_count,
        is_known=winner.is_known or loser.is_known,
        is_contested=winner.is_contested or loser.is_contested,
        version=max(winner.version, loser.version),
        **told,
    )


def retire(loser: State, winner_id: int) -> State:
    """Return what stays of a profile that was merged: a pointer to the one that lives on."""
    return State(
        profile_id=loser.profile_id,
        merged_into=winner_id,
        first_seen_at=loser.first_seen_at,
        last_seen_at=loser.last_seen_at,
        version=loser.version,
    )


class Names(msgspec.Struct, frozen=True):
    """How a profile is called and reached, out of its traits."""

    name: str | None
    email: str | None
    phone: str | None


_NAMELESS: Final = Names(None, None, None)


def names_of(traits: dict[str, Any]) -> Names:
    """Read name, e-mail and phone from traits, as the Segment specification spells them."""
    if not traits:
        return _NAMELESS
    name = _text(traits.get("name"))
    if name is None:
        parts = [
            _text(traits.get("firstName") or traits.get("first_name")),
            _text(traits.get("lastName") or traits.get("last_name")),
        ]
        name = " ".join(part for part in parts if part)[:MAX_LENGTH] or None
    return Names(name, normalize_email(traits.get("email")), normalize_phone(traits.get("phone")))


def _text(value: Any) -> str | None:
    if not isinstance(value, str):
        return None
    return " ".join(value.split())[:MAX_LENGTH] or None
