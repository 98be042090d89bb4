"""What the store says of plans, of what sources send, and of what is wrong with it."""

from datetime import date, datetime
from typing import Final, Literal

import msgspec

FieldType = Literal["string", "number", "boolean", "list", "object"]
Policy = Literal["pass", "cut", "quarantine"]
Format = Literal["", "email", "url", "date", "instant", "currency", "country", "uuid", "digits"]
AlertRule = Literal["silent", "violations", "duplicates", "volume", "personal"]
ALL_SOURCES: Final = 0


class PlanField(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What one property should be; ``path`` is like `total` or `products[].price`.

    Without ``types`` any will do, without ``allowed`` any value; ``max_length`` is in characters.
    """

    path: str
    is_required: bool = False
    types: list[FieldType] = []
    allowed: list[str | int | float | bool] = []
    format: Format = ""
    max_length: int | None = None


class PlanDraft(msgspec.Struct, frozen=True, kw_only=True):
    """What events of one type and name should look like, from one source or from all (0).

    ``name`` is that of a track, "" for the other types, whose traits or properties are meant.
    """

    type: str
    name: str = ""
    source_id: int = ALL_SOURCES
    policy: Policy = "pass"
    allows_unknown: bool = True
    fields: list[PlanField] = []


class Plan(PlanDraft, frozen=True, kw_only=True):
    """One version of a plan; only a live one is enforced."""

    plan_id: int
    version: int
    is_live: bool
    made_at: datetime
    made_by: str


class ShapeField(msgspec.Struct, frozen=True, kw_only=True):
    """How one property was filled; ``filled_rate`` is the share of events that had a value."""

    path: str
    seen: int
    filled_rate: float
    types: dict[str, int]
    least: float | None
    most: float | None
    first_at: datetime
    last_at: datetime


class EventShape(msgspec.Struct, frozen=True, kw_only=True):
    """One event as it came from all sources, in the days that are kept."""

    type: str
    name: str
    events: int
    first_at: datetime
    last_at: datetime
    violations: int
    warnings: int


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """Something wrong with a property, counted: ``kind`` is a broken rule of a plan, or the
    kind of personal data that stands where it is not meant to.
    """

    source_id: int
    type: str
    name: str
    path: str
    kind: str
    seen: int
    last_on: date


class QualityDay(msgspec.Struct, frozen=True, kw_only=True):
    """What came from a source on one day (UTC)."""

    day: date
    received: int
    stored: int
    duplicate: int
    quarantined: int
    refused: int
    late: int
    violating: int
    warnings: int


class FillRate(msgspec.Struct, frozen=True, kw_only=True):
    """How often a property of a pinned plan was empty on one day."""

    day: date
    type: str
    name: str
    path: str
    null_rate: float


class Alert(msgspec.Struct, frozen=True, kw_only=True):
    """Something wrong with a source, until it is over."""

    alert_id: int
    source_id: int
    source_name: str
    rule: AlertRule
    words: str
    opened_at: datetime
    acknowledged_at: datetime | None
    acknowledged_by: str
    closed_at: datetime | None
