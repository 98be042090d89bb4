"""What crosses the store's doors about who is who: evidence, candidates for review, links."""

from datetime import date, datetime
from typing import Any, Literal

import msgspec

from amity.store.contracts import IdentifierKind

EvidenceWay = Literal["event", "alias", "manual", "confirmed", "linkage"]
CandidateState = Literal["open", "accepted", "rejected"]
LinkKind = Literal["household", "company"]
CandidateChoice = Literal["accept", "reject", "undo"]
CandidateKind = Literal["person", "household", "company"]
LinkSubject = Literal["people", "companies"]
LearntWhy = Literal["first", "schedule", "drift", "asked"]


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
    """Two customers that may be one person, of one household or of one company, and what was
    decided about that. ``batch`` names what was decided at once with others."""

    candidate_id: int
    one_id: int
    other_id: int
    kind: CandidateKind
    origin: str
    probability: float | None
    explanation: dict[str, Any]
    state: CandidateState
    found_at: datetime
    decided_at: datetime | None
    decided_by: str
    batch: str = ""


class Forecast(msgspec.Struct, frozen=True, kw_only=True):
    """What deciding several pairs at once would do: how many pairs, those that cannot be joined
    and why, and some of them to look at."""

    pairs: int
    refused: dict[str, int]
    some: list[Candidate]
    is_all: bool
    """Whether these are all there are; else the rest waits for a second time."""


class Decision(msgspec.Struct, frozen=True, kw_only=True):
    """Several pairs that were decided at once."""

    batch: str
    state: CandidateState
    decided_at: datetime
    decided_by: str
    pairs: int


class Suggestion(msgspec.Struct, frozen=True, kw_only=True):
    """A pair that a matcher offers for review."""

    one_id: int
    other_id: int
    probability: float
    explanation: dict[str, Any] = {}
    kind: CandidateKind = "person"


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


class LinkQuality(msgspec.Struct, frozen=True, kw_only=True):
    """What a model thinks of itself, without labels: from the probabilities it gives.

    ``precision`` is the mean probability of the pairs it would call one, ``recall`` the share of
    what it expects among the pairs looked at that those hold. ``filled`` says by field how many of
    the records had a value.
    """

    pairs: int
    matches: float
    precision: float
    recall: float
    doubtful: int
    filled: dict[str, float]
    warnings: list[str]


class LinkWeight(msgspec.Struct, frozen=True, kw_only=True):
    """What agreement on one field is worth, grade by grade, the best first: log2(m/u)."""

    field: str
    grades: list[tuple[str, float]]


class LinkModel(msgspec.Struct, frozen=True, kw_only=True):
    """What linkage has learnt of one subject and goes by. ``drift`` says what is otherwise now."""

    version: int
    subject: LinkSubject
    learnt_at: datetime
    why: LearntWhy
    learnt_by: str
    records: int
    weights: list[LinkWeight]
    keys: list[str]
    expected_share: float
    """Of all pairs there can be, the share that is one and the same."""
    quality: LinkQuality
    compared_at: datetime | None
    asked_at: datetime | None
    asked_by: str
