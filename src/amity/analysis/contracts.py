"""All that crosses the analysis engine's doors."""

from datetime import date, datetime
from typing import Any, Literal

import msgspec

from amity.store.contracts_events import EventWords

SegmentState = Literal["building", "live", "archived"]


class Segment(msgspec.Struct, frozen=True, kw_only=True):
    """A rule with a name, followed live."""

    segment_id: int
    name: str
    description: str
    rule: dict[str, Any]
    text: str
    """The rule as people can type it; empty when it cannot be read."""
    words: str
    version: int
    state: SegmentState
    members: int
    created_by: str
    created_at: datetime
    updated_at: datetime


class SegmentCount(msgspec.Struct, frozen=True, kw_only=True):
    """How many were in a segment at the end of a day (UTC)."""

    day: date
    members: int
    method: Literal["counted", "reconstructed"]


class Preview(msgspec.Struct, frozen=True, kw_only=True):
    """What a rule would find now, before it is saved."""

    words: str
    members: int
    of_profiles: int
    examples: list[int]
    """Profile ids, the most recently seen first."""
    warnings: list[str]
    """For people: a trait nobody has, an event never seen, a segment that is archived."""


class Membership(msgspec.Struct, frozen=True, kw_only=True):
    """One stay of a profile in a segment, half open."""

    segment_id: int
    segment_name: str
    profile_id: int
    entered_at: datetime
    left_at: datetime | None


class SegmentMoves(msgspec.Struct, frozen=True, kw_only=True):
    """Who entered and who left a segment last, the latest first.

    Whoever entered lately may have left again; ``left_at`` says so.
    """

    entered: list[Membership]
    left: list[Membership]


class Score(msgspec.Struct, frozen=True, kw_only=True):
    """A prediction about one profile, with its interval where it is an estimate."""

    profile_id: int
    name: str
    value: float | None
    label: str
    low: float | None
    high: float | None
    computed_at: datetime
    percentile: float | None = None
    """0 to 100, among all who have the score: the share with less, and half of those with as
    much."""


class ScoreReason(msgspec.Struct, frozen=True, kw_only=True):
    """A fact about a customer, and how far a score would move were it as with a typical one."""

    text: str
    change: float
    """In the score's own unit; more than nothing where the fact raises it."""


class ModelRun(msgspec.Struct, frozen=True, kw_only=True):
    """One fitting of an estimator."""

    model_run_id: int
    estimator: str
    computed_at: datetime
    customers: int
    parameters: dict[str, float]
    report: dict[str, Any]


class Figure(msgspec.Struct, frozen=True, kw_only=True):
    """One number of a report: its value, its change, its trend, its interval and its words."""

    name: str
    title: str
    unit: str
    value: float | None
    before: float | None
    low: float | None
    high: float | None
    trend: list[tuple[date, float]]
    sentence: str
    definition: str


class ConcentrationPoint(msgspec.Struct, frozen=True, kw_only=True):
    """The share of revenue that a share of customers, the best first, brings."""

    customers: float
    revenue: float


class Concentration(msgspec.Struct, frozen=True, kw_only=True):
    """How far revenue hangs on few customers."""

    customers: int
    revenue_minor: int
    currency: str
    top_share: float | None
    """Share of revenue brought by the best fifth of customers."""
    half_share: float | None
    """Smallest share of customers that brings half of the revenue."""
    curve: list[ConcentrationPoint]
    sentence: str
    definition: str


_CHANGE = {
    "segment_id": "the segment",
    "segment_name": "its name at the time",
    "cause": "`event`, `time` (a window ended), `score` (one was computed anew) or "
    "`definition` (the rule is new or changed)",
}

_SURVEY = {
    "kind": "`nps` (0 to 10), `csat` (1 to 5) or `ces` (1 to 7)",
    "post": "the listening post: where or after what it was asked",
}

EVENTS: tuple[EventWords, ...] = (
    EventWords(
        name="Survey Asked",
        words="A customer was asked what they think; without it, it is not known who stays silent.",
        properties=_SURVEY,
    ),
    EventWords(
        name="Survey Answered",
        words="A customer said what they think.",
        properties=_SURVEY | {"answer": "a whole number in the range of the kind"},
    ),
    EventWords(
        name="Segment Entered",
        words="A customer is now in a segment.",
        properties=_CHANGE,
        is_own=True,
    ),
    EventWords(
        name="Segment Left",
        words="A customer is not in a segment any more.",
        properties=_CHANGE,
        is_own=True,
    ),
)
"""The events the analysis engine records, and those it understands."""
