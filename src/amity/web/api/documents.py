"""What goes over the wire, to the API's callers and from `amity … --json` alike.

Most are the engines' contracts as they are; here stand those that need more (a currency beside
`_minor` amounts) or less (a write key only for those who may see it). No Django here.
"""

import base64
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import msgspec

from amity.analysis.contracts import Segment, SegmentCount, SegmentState
from amity.broadcast.contracts import SendState
from amity.infra.config import settings
from amity.infra.warehouse import Status
from amity.store.contracts import (
    ConsumerLag,
    Profile,
    ProfileRow,
    QuarantinedEvent,
    ReceivedEvent,
    Source,
    SourceCounts,
    Stats,
)
from amity.store.contracts_consent import is_spoken


class ProfileDocument(Profile, frozen=True, kw_only=True):
    """One customer; amounts in minor units of `currency`."""

    currency: str


class ProfileRowDocument(ProfileRow, frozen=True, kw_only=True):
    """One line of a list of customers; amounts in minor units of `currency`."""

    currency: str


class SourceDocument(Source, frozen=True, kw_only=True):
    """A place events come from. `write_key` is null for callers without `sources:write`."""

    write_key: str | None  # type: ignore[assignment]  # narrower rights see less


class SourceRowDocument(SourceDocument, frozen=True, kw_only=True):
    """A place events come from and what became of all it sent."""

    events: SourceCounts


class SegmentDocument(msgspec.Struct, frozen=True, kw_only=True):
    """A segment as it was defined; how many are in it is asked at `/counts`."""

    segment_id: int
    name: str
    description: str
    rule: dict[str, Any]
    text: str
    words: str
    version: int
    state: SegmentState
    created_by: str
    created_at: datetime
    updated_at: datetime


class SegmentCountsDocument(msgspec.Struct, frozen=True, kw_only=True):
    """How many are in a segment now, and were at the end of past days (UTC)."""

    segment_id: int
    members: int
    days: list[SegmentCount]


class EventDocument(msgspec.Struct, frozen=True, kw_only=True):
    """One event as it lies in the log; `event` is the JSON that was sent."""

    event_id: int
    received_at: datetime
    source_id: int
    source_name: str
    type: str
    name: str
    message_id: str
    event: msgspec.Raw


class QuarantinedDocument(msgspec.Struct, frozen=True, kw_only=True):
    """An event that could not be understood: `raw` is base64 of its bytes, `text` readable."""

    quarantine_id: int
    received_at: datetime
    source_id: int
    source_name: str
    type: str
    message_id: str
    reason: str
    detail: str
    raw: str
    text: str
    seen: int
    replayed_at: datetime | None
    outcome: str


class ConsumerDocument(msgspec.Struct, frozen=True, kw_only=True):
    """How far one consumer of the log is behind."""

    lag_events: int
    lag_seconds: float
    failures: int


class WarehouseDocument(msgspec.Struct, frozen=True, kw_only=True):
    """The warehouse of Parquet files; `lag_seconds` is null while a table was never complete."""

    is_on: bool
    lag_seconds: float | None
    rows: int
    files: int
    size_bytes: int
    verified_at: datetime | None
    is_clean: bool | None


class StatsDocument(msgspec.Struct, frozen=True, kw_only=True):
    """The installation in numbers; `received` is the sum of the other four."""

    events: SourceCounts
    profiles: int
    identifiers: int
    merges: int
    memberships: int
    consumers: dict[str, ConsumerDocument]
    sends: dict[str, int]
    """Messages by state; a state without any is left out."""
    warehouse: WarehouseDocument


def profile_document(profile: Profile) -> ProfileDocument:
    """Return a profile as it goes over the wire."""
    told = msgspec.structs.asdict(profile)
    # Without the marks of the gate's own, such as a pause: the gate's answers say them.
    told["consents"] = {
        purpose: said for purpose, said in profile.consents.items() if is_spoken(purpose)
    }
    return ProfileDocument(**told, currency=settings().currency)


def profile_row_document(row: ProfileRow) -> ProfileRowDocument:
    """Return a line of a list of customers as it goes over the wire."""
    return ProfileRowDocument(**msgspec.structs.asdict(row), currency=settings().currency)


def source_document(source: Source, *, shows_key: bool) -> SourceDocument:
    """Return a source, with its key only for those who may see it."""
    key = source.write_key if shows_key else None
    return SourceDocument(**msgspec.structs.asdict(source) | {"write_key": key})


def source_row_document(
    source: Source, counts: SourceCounts | None, *, shows_key: bool
) -> SourceRowDocument:
    """Return a source with what became of all it sent."""
    document = msgspec.structs.asdict(source_document(source, shows_key=shows_key))
    return SourceRowDocument(**document, events=counts or SourceCounts())


def segment_document(segment: Segment) -> SegmentDocument:
    """Return a segment without what changes while nobody edits it."""
    fields = msgspec.structs.asdict(segment)
    return SegmentDocument(**{name: fields[name] for name in SegmentDocument.__struct_fields__})


def event_document(event: ReceivedEvent) -> EventDocument:
    """Return an event of the log with its body as the JSON it is."""
    fields = msgspec.structs.asdict(event)
    del fields["cursor"], fields["body"]
    return EventDocument(**fields, event=msgspec.Raw(event.body))


def quarantined_document(event: QuarantinedEvent) -> QuarantinedDocument:
    """Return an event put aside; its bytes may be anything, so they go as base64."""
    fields = msgspec.structs.asdict(event)
    fields["raw"] = base64.b64encode(event.raw).decode()
    fields["text"] = event.raw.decode("utf-8", "replace")
    return QuarantinedDocument(**fields)


def stats_document(
    stats: Stats, *, memberships: int, sends: Mapping[SendState, int], warehouse: Status
) -> StatsDocument:
    """Return the installation in numbers, each consumer under its name."""
    return StatsDocument(
        events=stats.events,
        profiles=stats.profiles,
        identifiers=stats.identifiers,
        merges=stats.merges,
        memberships=memberships,
        consumers={lag.name: _consumer(lag) for lag in stats.consumers},
        sends={str(state): count for state, count in sends.items()},
        warehouse=msgspec.convert(warehouse, WarehouseDocument, from_attributes=True),
    )


def _consumer(lag: ConsumerLag) -> ConsumerDocument:
    return ConsumerDocument(lag_events=lag.events, lag_seconds=lag.seconds, failures=lag.failures)
