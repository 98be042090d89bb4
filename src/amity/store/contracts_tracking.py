"""What the store says of plans, of what sources send, and of what is wrong with it."""

from datetime import date, datetime
from typing import Any, Final, Literal

import msgspec

FieldType = Literal["string", "number", "boolean", "list", "object"]
Policy = Literal["pass", "cut", "quarantine"]
Format = Literal["", "email", "url", "date", "instant", "currency", "country", "uuid", "digits"]
AlertRule = Literal["silent", "violations", "duplicates", "late", "volume", "nulls", "personal"]
ClosedWhy = Literal["", "over", "muted", "off"]
VerdictWord = Literal["fits", "unplanned", "counted", "cut", "quarantined", "not_understood"]
ALL_SOURCES: Final = 0


class PlanField(
    msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True
):
    """What one property should be; ``path`` is like `total` or `products[].price`.

    Without ``types`` any will do, without ``allowed`` any value; ``max_length`` is in characters.
    Without a ``policy`` of its own, what is wrong with it is dealt with as the plan says.
    """

    path: str
    is_required: bool = False
    types: list[FieldType] = []
    allowed: list[str | int | float | bool] = []
    format: Format = ""
    max_length: int | None = None
    policy: Policy | None = None
    description: str = ""


class PlanDraft(msgspec.Struct, frozen=True, kw_only=True):
    """What events of one type and name should look like, from one source or from all (0).

    ``name`` is that of a track, "" for the other types, whose traits or properties are meant.
    """

    type: str
    name: str = ""
    source_id: int = ALL_SOURCES
    policy: Policy = "pass"
    allows_unknown: bool = True
    description: str = ""
    fields: list[PlanField] = []


class Plan(PlanDraft, frozen=True, kw_only=True):
    """One version of a plan; only a live one is enforced."""

    plan_id: int
    version: int
    is_live: bool
    made_at: datetime
    made_by: str


class PlanRevision(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be different in the next version of a plan; what is None stays.

    ``fields`` take the place of those of the same path or join them; ``drop`` names paths.
    """

    policy: Policy | None = None
    allows_unknown: bool | None = None
    description: str | None = None
    fields: list[PlanField] = []
    drop: list[str] = []


class PlanEntry(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One plan in a file; ``source`` is a name, "" for all sources, so it fits elsewhere too."""

    type: str
    name: str = ""
    source: str = ""
    policy: Policy = "pass"
    allows_unknown: bool = True
    description: str = ""
    fields: list[PlanField] = []


class PlanFile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All pinned plans, as they are kept under version control."""

    format: Literal["amity.plans.v1"] = "amity.plans.v1"
    plans: list[PlanEntry]


class PlanDifference(msgspec.Struct, frozen=True, kw_only=True):
    """How a plan of a file differs from the pinned one."""

    type: str
    name: str
    source: str
    kind: Literal["added", "changed", "only_here"]
    words: list[str]


class EventVerdict(msgspec.Struct, frozen=True, kw_only=True):
    """What would become of one event by the plans; ``violations`` are rules by path."""

    index: int
    type: str
    name: str
    verdict: VerdictWord
    violations: dict[str, str] = {}
    message: str = ""


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
    closed_why: ClosedWhy


class AlertTerms(msgspec.Struct, frozen=True, kw_only=True):
    """From when on a source is told of; None switches a rule off.

    The shares are of what came on this day and the one before, if that were ``least_events``.
    ``null_rise`` is how much larger the share of empty values became, in 0..1.
    ``volume_deviations`` are median absolute deviations from the same weekdays.
    """

    silent_hours: float | None = 24
    most_violating: float | None = 0.05
    most_duplicate: float | None = 0.2
    most_late: float | None = 0.2
    null_rise: float | None = 0.2
    volume_deviations: float | None = 4.0
    warns_personal: bool = True
    least_events: int = 20


class SourceWatch(msgspec.Struct, frozen=True, kw_only=True):
    """How a source is watched; nothing is raised while it is muted."""

    source_id: int
    terms: AlertTerms
    muted_until: datetime | None
    updated_at: datetime | None
    updated_by: str


class NullRise(msgspec.Struct, frozen=True, kw_only=True):
    """A property that is empty more often than in the week before."""

    type: str
    name: str
    path: str
    null_rate: float
    before_rate: float


class QualityHour(msgspec.Struct, frozen=True, kw_only=True):
    """What came from a source and was folded in one hour."""

    hour: datetime
    events: int
    late: int
    violating: int


class LatestPicture(msgspec.Struct, frozen=True, kw_only=True):
    """What the latest events of a source look like; shares are of ``events`` (at most 500).

    ``skew_seconds`` is how far the senders' clocks are ahead of ours (behind: negative), the
    median of those that say when they sent; ``delay_seconds`` how long after they happened
    events come, the median and what nine of ten are below. ``libraries`` are name and version.
    """

    events: int
    with_user_id: int = 0
    with_anonymous_id: int = 0
    with_email: int = 0
    with_phone: int = 0
    skew_seconds: float | None = None
    with_sent_at: int = 0
    delay_seconds: float | None = None
    delay_most_seconds: float | None = None
    libraries: dict[str, int] = {}


class QuarantineFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which of what was put aside, beside its source and reason.

    ``event`` is a name as it stands in the bytes, such as that of a track; ``text`` any text in
    the bytes or in what is wrong with them. Times are half open.
    """

    event: str = ""
    text: str = ""
    since: datetime | None = None
    until: datetime | None = None


class Understood(msgspec.Struct, frozen=True, kw_only=True):
    """An event of the log as the fold reads it, with what its plan said when it came.

    ``plan_version`` is None when no plan was broken; ``left_out`` are paths that are not folded.
    """

    type: str
    name: str
    user_id: str | None
    anonymous_id: str | None
    occurred_at: datetime
    sent_at: datetime | None
    traits: dict[str, Any]
    properties: dict[str, Any]
    plan_version: int | None
    violations: dict[str, str]
    left_out: list[str]
    cut_cards: list[str]
