"""What crosses the store's doors about traits: their claims, the rule that picks one of them, what
a customer told, and how things were known at some moment."""

from datetime import datetime
from typing import Any, Literal

import msgspec

from amity.rules import PlacedOrder
from amity.store.contracts import Activity, ConsentStatement, Identifier, Profile

How = Literal["stated", "inferred", "observed", "verified"]
"""How a source came to a claim: the customer said so; it was worked out; a system recorded it in
the course of things; it was checked."""
RuleKind = Literal[
    "latest",
    "most_trusted_source",
    "highest_confidence",
    "stated_over_inferred",
    "longest_known",
    "greatest",
    "least",
]
Standing = Literal["shown", "outranked", "superseded", "retracted", "expired"]
"""What became of a claim: it is what is shown; another source's is; its own source has said
otherwise since; its own source has taken it back; its time is over."""
AsOf = Literal["received", "happened"]

TRAIT_ASSERTED = "Trait Asserted"
TRAIT_EXPIRED = "Trait Expired"
TRAIT_RESOLVED = "Trait Resolved"


class SurvivorshipRule(msgspec.Struct, frozen=True, kw_only=True):
    """Which claim is shown of the traits a pattern fits.

    ``pattern`` is the name of a trait, or has `*` in it for any characters; the most exact pattern
    counts. ``sources`` are the ids of sources, the most trusted first, for `most_trusted_source`.
    """

    pattern: str
    kind: RuleKind
    sources: list[int] = []
    updated_at: datetime | None = None
    updated_by: str = ""


class Claim(msgspec.Struct, frozen=True, kw_only=True):
    """One source's claim about one trait, told once or many times."""

    trait: str
    value: Any
    """None: the source says that there is none."""
    source_id: int
    how: How
    standing: Standing
    claimed_at: datetime
    """When it was said first, by the source's clock."""
    last_confirmed_at: datetime
    recorded_at: datetime
    """When it first reached Amity."""
    retracted_at: datetime | None
    confidence: float | None
    lawful_basis: str
    expires_at: datetime | None
    provenance: str
    event_id: int
    origin_id: int


class TraitTruth(msgspec.Struct, frozen=True, kw_only=True):
    """All that is claimed of one trait, what is shown of it, and by which rule."""

    trait: str
    value: Any
    """What is shown; None when nothing is."""
    rule: SurvivorshipRule
    claims: list[Claim]
    """The shown one first, then the latest."""


class Memory(msgspec.Struct, frozen=True, kw_only=True):
    """One thing a customer told."""

    trait: str
    value: Any
    at: datetime
    source_id: int
    provenance: str


class PastProfile(msgspec.Struct, frozen=True, kw_only=True):
    """A customer as known at some moment."""

    at: datetime
    by: AsOf
    profile: Profile
    identifiers: list[Identifier]
    joined: list[int]
    """The profiles that were one then."""
    consent_history: list[ConsentStatement]
    activity: list[Activity]
    """What was known to have happened, the latest first."""
    orders: list[PlacedOrder] = []
    """Those placed and not cancelled, as they were known."""
