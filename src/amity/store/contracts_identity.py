"""What crosses the store's doors about who is who: evidence, candidates for review, links."""

from datetime import date, datetime
from typing import Any, Literal

import msgspec

from amity.store.contracts import IdentifierKind

EvidenceWay = Literal["event", "alias", "manual", "confirmed", "linkage"]
CandidateState = Literal["open", "accepted", "rejected"]
LinkKind = Literal["household", "company"]
CandidateChoice = Literal["accept", "reject", "undo"]


class EvidenceEdge(msgspec.Struct, frozen=True, kw_only=True):
    """Two identifiers that were seen together, the more telling one first.

    The same identifier twice says that it was seen alone. ``cut`` is why the two are not joined
    by this, "" while they are.
    """

    hub_kind: IdentifierKind
    hub_value: str
    kind: IdentifierKind
    value: str
    way: EvidenceWay
    is_proof: bool
    source_id: int
    first_seen_at: datetime
    last_seen_on: date
    recorded_at: datetime
    event_id: int
    cut: str
    retracted_at: datetime | None
    retracted_by: int | None
    weight: float
    """How much it says, from 0 to 1: by hand, proven, a device's login, only stated."""


class IdentityPath(msgspec.Struct, frozen=True, kw_only=True):
    """What connects two profiles: the strongest way along the evidence, weakest link and all.

    Without ``is_joined`` some step of it is not accepted; no steps mean that nothing connects them.
    """

    one_id: int
    other_id: int
    is_joined: bool
    steps: list[EvidenceEdge]


class Candidate(msgspec.Struct, frozen=True, kw_only=True):
    """Two customers that may be one person, and what was decided about that."""

    candidate_id: int
    one_id: int
    other_id: int
    origin: str
    probability: float | None
    explanation: dict[str, Any]
    state: CandidateState
    found_at: datetime
    decided_at: datetime | None
    decided_by: str


class Suggestion(msgspec.Struct, frozen=True, kw_only=True):
    """A pair that a matcher offers for review."""

    one_id: int
    other_id: int
    probability: float
    explanation: dict[str, Any] = {}


class Link(msgspec.Struct, frozen=True, kw_only=True):
    """Customers who belong together without being one; for analysis only, never for sending."""

    kind: LinkKind
    label: str
    profile_ids: list[int]
    evidence: dict[str, Any]
    probability: float


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """A device that so many people sign in on that it is nobody's."""

    kind: IdentifierKind
    value: str
    logins: int
    since: datetime
