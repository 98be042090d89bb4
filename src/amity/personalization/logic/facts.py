"""What `decide` sees of a person: only what the snapshot's rules, caps and recommenders look at.

Facts are logged with every decision, so they are kept small, and are all that is needed to make
it again.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Final

import msgspec

from amity.rules import Look, Mentions, Subject, join_looks
from amity.store.contracts import ConsentStatus

PROFILING: Final = "profiling"
"""The purpose that whoever denies it is decided for without looking at the person."""

RECENT_PRODUCTS: Final = 20


class Needs(msgspec.Struct, frozen=True, kw_only=True):
    """What of a person a definition looks at; facts loaded for one serve only that one."""

    definition_id: int
    traits: frozenset[str] = frozenset()
    fields: frozenset[str] = frozenset()
    looks: Mapping[str, Look] = {}
    """Of histories, for rules."""
    purposes: frozenset[str] = frozenset()
    """Whose status matters, those that rules ask about included; always `profiling`."""
    segments: frozenset[int] = frozenset()
    scores: frozenset[str] = frozenset()
    draws: frozenset[str] = frozenset()
    together: frozenset[tuple[str, int | None]] = frozenset()
    cap_days: float = 0.0
    """The longest cap: impressions older than this matter to none. 0: none matter."""
    capped: frozenset[str] = frozenset()
    """The keys of the offers with a cap."""
    has_products: bool = False
    """Whether any placement shows products: then what was bought and viewed last matters."""


def join_needs(
    definition_id: int,
    mentions: list[Mentions],
    *,
    purposes: frozenset[str],
    caps: Mapping[str, float],
    has_products: bool,
) -> Needs:
    """Return what these rules, purposes and caps (days by offer) look at together."""
    return Needs(
        definition_id=definition_id,
        traits=frozenset().union(*(mention.traits for mention in mentions)),
        fields=frozenset().union(*(mention.fields for mention in mentions)),
        looks=join_looks(mention.looks for mention in mentions),
        purposes=purposes.union({PROFILING}, *(mention.purposes for mention in mentions)),
        segments=frozenset().union(*(mention.segments for mention in mentions)),
        scores=frozenset().union(*(mention.scores for mention in mentions)),
        draws=frozenset().union(*(mention.draws for mention in mentions)),
        together=frozenset().union(*(mention.together for mention in mentions)),
        cap_days=max(caps.values(), default=0.0),
        capped=frozenset(caps),
        has_products=has_products,
    )


class Facts(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One person as `decide` sees it; a stranger has no `profile_id`."""

    profile_id: int | None = None
    subject: Subject = Subject()
    consents: Mapping[str, ConsentStatus] = {}
    """By purpose, as the gate has it: what may be done is granted."""
    until: Mapping[str, datetime] = {}
    """By purpose, when a yes is over, where it ends by itself."""
    impressions: Mapping[str, list[datetime]] = {}
    """By offer with a cap, when it was seen within the longest cap."""
    bought: list[str] = []
    """Product ids, the latest first."""
    viewed: list[str] = []
    """Product ids, the latest first."""


def restrict(subject: Subject, needs: Needs) -> Subject:
    """Return the subject with only what is looked at.

    What is absent is there as None, which is the same to every rule and quicker to ask.
    """
    traits, fields = subject.traits, subject.fields
    return Subject(
        # Only where somebody is drawn: others who are alike share their facts.
        profile_id=subject.profile_id if needs.draws else None,
        traits={name: traits.get(name) for name in needs.traits},
        fields={name: fields.get(name) for name in needs.fields},
        consents=needs.purposes & subject.consents,
        allowed={
            purpose: subject.allowed[purpose]
            for purpose in needs.purposes
            if purpose in subject.allowed
        },
        segments=needs.segments & subject.segments,
        history={name: subject.history[name] for name in needs.looks if name in subject.history},
        scores={name: subject.scores[name] for name in needs.scores if name in subject.scores},
        together=subject.together if needs.together else {},
    )


_STRANGER: Final = Subject()


def make_stranger(needs: Needs) -> Facts:
    """Return the facts of somebody of whom nothing is known."""
    return Facts(subject=restrict(_STRANGER, needs))


_encoder: Final = msgspec.msgpack.Encoder()
_decoder: Final = msgspec.msgpack.Decoder(Facts)


def encode_facts(facts: Facts) -> bytes:
    """Write facts as they are logged."""
    return _encoder.encode(facts)


def decode_facts(raw: bytes) -> Facts:
    """Read facts back; raises msgspec's errors for anything else."""
    return _decoder.decode(raw)
