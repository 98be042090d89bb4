"""All that crosses the store's doors: frozen, and without any database in it."""

from datetime import datetime
from typing import Any, Literal

import msgspec

SourceKind = Literal["browser", "server", "system"]
IdentifierKind = Literal["user_id", "anonymous_id", "email", "phone"]
ConsentStatus = Literal["granted", "denied", "withdrawn"]
Channel = Literal["email", "sms", "push"]
Suppression = Literal["", "soft_bounces", "hard_bounce", "manual", "complaint", "erased"]
ImportState = Literal["waiting", "running", "finished", "failed", "cancelled"]
ProfileSort = Literal["last_seen", "revenue"]

SYSTEM_SOURCE_ID = 1
"""The source of Amity's own events, such as `Segment Entered`."""


class Source(msgspec.Struct, frozen=True, kw_only=True):
    """A place events come from, and the key they come with."""

    source_id: int
    name: str
    kind: SourceKind
    write_key: str
    is_enabled: bool
    created_at: datetime


class SourceCounts(msgspec.Struct, frozen=True, kw_only=True):
    """What happened to all that came; `received` is always the sum of the other four."""

    received: int = 0
    stored: int = 0
    duplicate: int = 0
    quarantined: int = 0
    refused: int = 0


class EventError(msgspec.Struct, frozen=True, kw_only=True):
    """Why one event of a batch was put aside."""

    index: int
    message_id: str
    code: str
    message: str


class Receipt(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one batch; it is only given out after the commit."""

    accepted: int
    duplicate: int
    quarantined: int
    errors: list[EventError] = []


class QuarantinedEvent(msgspec.Struct, frozen=True, kw_only=True):
    """An event that could not be understood, kept as it came."""

    quarantine_id: int
    received_at: datetime
    source_id: int
    source_name: str
    type: str
    message_id: str
    reason: str
    detail: str
    raw: bytes
    seen: int
    replayed_at: datetime | None
    outcome: str


class ReceivedEvent(msgspec.Struct, frozen=True, kw_only=True):
    """One event as it lies in the log, for the live stream."""

    event_id: int
    cursor: str
    received_at: datetime
    source_id: int
    source_name: str
    type: str
    name: str
    message_id: str
    body: bytes


class Activity(msgspec.Struct, frozen=True, kw_only=True):
    """One event as understood: whose it is, when it happened, what it says.

    ``position`` numbers the events in the order they were folded, without gaps of meaning:
    whoever has handled a position has handled all before it.
    """

    position: int
    profile_id: int
    event_id: int
    source_id: int
    occurred_at: datetime
    received_at: datetime
    type: str
    name: str
    properties: dict[str, Any]
    context: dict[str, Any]
    origin_id: int = 0
    """The profile it belonged to before any merge; it changes only when a merge is undone."""


class HistoryWish(msgspec.Struct, frozen=True, kw_only=True):
    """What is wanted of the history of one event: the fewer properties, the quicker."""

    name: str
    since: datetime | None = None
    """Only what happened later."""
    properties: list[str] | None = None
    """Only these; None means all."""
    profile_ids: list[int] | None = None
    """Only of these of the profiles that are asked for; None means all."""


class TraitOrigin(msgspec.Struct, frozen=True, kw_only=True):
    """Where a trait's value came from."""

    source_id: int
    at: datetime
    event_id: int


class Consent(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a customer said about one purpose (such as `marketing.email`), and where."""

    status: ConsentStatus
    at: datetime
    source_id: int
    event_id: int
    expires_at: datetime | None = None
    """Until when a yes holds, where the event said so; a purpose's own expiry comes on top."""


class ContactPoint(msgspec.Struct, frozen=True, kw_only=True):
    """Where messages go, known by a keyed hash, and what must not be sent there.

    ``suppression`` is why nothing at all is sent, "" when nothing is in the way. ``objections``
    hold by purpose since when it was refused here; one holds until a later yes.
    """

    channel: Channel
    address_key: str
    address: str = ""
    """As it is compared; only where the profile it belongs to was asked for."""
    suppression: Suppression = ""
    suppressed_at: datetime | None = None
    objections: dict[str, datetime] = {}
    soft_bounces: int = 0


class Choices(msgspec.Struct, frozen=True, kw_only=True):
    """What a customer says yes or no to at a contact point, how, and what shows that she did."""

    profile_id: int
    channel: Channel
    address_key: str
    choices: dict[str, bool]
    """By purpose, such as `marketing.email`."""
    method: str
    evidence: dict[str, Any] = {}
    instead_of: datetime | None = None
    """The choices count only while what was last said here of each was said at this instant."""


class Stated(msgspec.Struct, frozen=True, kw_only=True):
    """What became of choices: those that were new, and the purposes that a yes was taken from."""

    said: dict[str, bool]
    taken_back: list[str]


class Preferences(msgspec.Struct, frozen=True, kw_only=True):
    """How things stand at one contact point, for the person who reads there."""

    address: str
    """"" when the profile has it no more."""
    choices: dict[str, bool]
    """By purpose, what was said; what was never said is no."""
    is_suppressed: bool
    allowed: dict[str, bool] = {}
    """By purpose, whether it is done: a yes may be over, and some purposes need none."""
    paused_until: datetime | None = None
    """Until when nothing that needs consent is sent here; None without a pause."""
    signal_at: datetime | None = None
    """When her browser said no by Global Privacy Control, where that still holds."""


class ConsentStatement(msgspec.Struct, frozen=True, kw_only=True):
    """What was said about one purpose at one moment: a line of the consent history."""

    event_id: int
    at: datetime
    purpose: str
    status: ConsentStatus
    source_id: int
    method: str
    """How it was said (`one_click`, `link`, `preferences`), when Amity was told."""
    evidence: dict[str, Any]


class OrderSummary(msgspec.Struct, frozen=True, kw_only=True):
    """One of a customer's latest orders."""

    order_id: str
    at: datetime
    total_minor: int
    currency: str
    items: int
    event_id: int


class Profile(msgspec.Struct, frozen=True, kw_only=True):
    """One customer, known or not yet, as folded from events."""

    profile_id: int
    merged_into: int | None
    user_id: str | None
    name: str | None
    email: str | None
    phone: str | None
    traits: dict[str, Any]
    trait_origins: dict[str, TraitOrigin]
    consents: dict[str, Consent]
    first_seen_at: datetime
    last_seen_at: datetime
    event_count: int
    event_counts: dict[str, int]
    order_count: int
    revenue_minor: int
    first_order_at: datetime | None
    last_order_at: datetime | None
    last_orders: list[OrderSummary]
    version: int

    @property
    def is_restricted(self) -> bool:
        """Say whether this customer's data may only be kept (GDPR Art. 18), and shown to nobody."""
        mark = self.consents.get("~restricted")
        return mark is not None and mark.status != "granted"


class ProfileRow(msgspec.Struct, frozen=True, kw_only=True):
    """One line of a list of customers."""

    profile_id: int
    user_id: str | None
    name: str | None
    email: str | None
    phone: str | None
    first_seen_at: datetime
    last_seen_at: datetime
    event_count: int
    order_count: int
    revenue_minor: int
    is_restricted: bool = False
    """Whether the data may only be kept: then nothing else is told here but when they were seen."""


class Identifier(msgspec.Struct, frozen=True, kw_only=True):
    """One identifier of a customer and the event that brought it."""

    kind: IdentifierKind
    value: str
    profile_id: int
    origin_id: int
    source_id: int
    event_id: int
    first_seen_at: datetime


class Merge(msgspec.Struct, frozen=True, kw_only=True):
    """Two profiles that were joined, or (with a ``refusal``) that were kept apart, and why."""

    merge_id: int
    event_id: int
    winner_id: int
    loser_id: int
    kind: IdentifierKind
    value: str
    occurred_at: datetime
    source_id: int
    refusal: str
    undone_by: int | None


class ConsumerLag(msgspec.Struct, frozen=True, kw_only=True):
    """How far a consumer is behind the log."""

    name: str
    events: int
    seconds: float
    failures: int


class LogHealth(msgspec.Struct, frozen=True, kw_only=True):
    """Whether the log can go on: tomorrow's partition, and transaction numbers of this server.

    ``is_ahead`` says that the log holds numbers this server has not given out yet: it came from
    another one, and its readers would wait.
    """

    is_tomorrow_ready: bool
    is_ahead: bool


class Stats(msgspec.Struct, frozen=True, kw_only=True):
    """The store in numbers."""

    events: SourceCounts
    profiles: int
    identifiers: int
    merges: int
    consumers: list[ConsumerLag]


class ImportProblem(msgspec.Struct, frozen=True, kw_only=True):
    """A row that was not imported, by its number in the file (the first data row is 1)."""

    row: int
    reason: str


class Import(msgspec.Struct, frozen=True, kw_only=True):
    """One file on its way in."""

    import_id: int
    source_id: int
    connector: str
    file_name: str
    mapping: dict[str, Any]
    state: ImportState
    rows_total: int | None
    rows_done: int
    stored: int
    duplicate: int
    rejected: int
    problems: list[ImportProblem]
    created_by: str
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    failure: str
    is_dry_run: bool = False
    """Whether nothing is stored: ``stored`` is what would be new to the log as it is now."""


class FoldResult(msgspec.Struct, frozen=True, kw_only=True):
    """What one turn of a consumer did."""

    events: int
    merges: int = 0


class ImportField(msgspec.Struct, frozen=True, kw_only=True):
    """Something a column of a file can be."""

    name: str
    label: str
    required: bool
    help: str


class ImportKind(msgspec.Struct, frozen=True, kw_only=True):
    """A kind of file that can be imported.

    A column that is none of ``fields`` can be kept as ``<extras>.NAME`` (`trait.shoe_size`), or
    left out by mapping it to the empty text.
    """

    name: str
    title: str
    description: str
    fields: list[ImportField]
    extras: str
    sample: str = ""
    """A small file in this shape."""


class ImportColumn(msgspec.Struct, frozen=True, kw_only=True):
    """One column of a file: its heading, what it is taken for, and some of its values."""

    name: str
    field: str
    samples: list[str]


class ImportPreview(msgspec.Struct, frozen=True, kw_only=True):
    """What a file would become, from its first rows.

    The file can be imported with this mapping when ``problems`` is empty. ``row_problems`` are
    only those of the rows looked at.
    """

    connector: str
    format: str
    """`csv`, `excel`, `parquet`, `json lines`, or `zip` for CSV files in an archive."""
    encoding: str
    delimiter: str
    columns: list[ImportColumn]
    mapping: dict[str, str]
    problems: list[str]
    notes: list[str]
    row_problems: list[ImportProblem]
    examples: list[dict[str, Any]]
    """The events the first good rows become."""
