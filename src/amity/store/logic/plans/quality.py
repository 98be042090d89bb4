"""How well each source comes: by day and by hour, and what its latest events look like."""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta
from statistics import median, quantiles
from typing import Any, Final

from amity.infra import queries
from amity.infra.database import transaction
from amity.store.contracts import SYSTEM_SOURCE_ID
from amity.store.contracts_tracking import FillRate, LatestPicture, QualityDay, QualityHour
from amity.store.logic.intake.decoding import DecodedEvent, decode_event
from amity.store.logic.intake.parsing import BadEvent
from amity.store.logic.plans.personal_data import PERSONAL

_SQL: Final = queries.load("amity.store")
_LATEST: Final = 500
_MOST_LIBRARIES: Final = 12
_LONGEST_NAME: Final = 60


def list_quality(*, source_id: int, now: datetime, days: int = 30) -> list[QualityDay]:
    """Return what came from a source on each day, the oldest first; days without anything lack."""
    asked = {
        "source_id": source_id,
        "since": now.date() - timedelta(days=days),
        "personal": list(PERSONAL),
    }
    with transaction() as connection:
        rows = connection.execute(_SQL["quality_days"], asked).fetchall()
    names = QualityDay.__struct_fields__
    return [QualityDay(**dict(zip(names, row, strict=True))) for row in rows]


def list_quality_hours(*, source_id: int, now: datetime, hours: int = 24) -> list[QualityHour]:
    """Return what was folded of a source in each of the latest hours, the oldest first.

    Every hour is there, those without anything with zeros; the last one is not over.
    """
    last = now.replace(minute=0, second=0, microsecond=0)
    first = last - timedelta(hours=hours - 1)
    asked = {"source_id": source_id, "since": first - timedelta(seconds=1)}
    with transaction() as connection:
        rows = {row[0]: row[1:] for row in connection.execute(_SQL["quality_hours"], asked)}
    found = []
    for back in range(hours):
        hour = first + timedelta(hours=back)
        events, late, violating = rows.get(hour, (0, 0, 0))
        found.append(QualityHour(hour=hour, events=events, late=late, violating=violating))
    return found


def list_fill_rates(*, source_id: int, now: datetime, days: int = 7) -> list[FillRate]:
    """Return how often required properties of pinned plans were empty, the latest day first."""
    asked = {"source_id": source_id, "since": now.date() - timedelta(days=days)}
    with transaction() as connection:
        rows = connection.execute(_SQL["fill_rates"], asked).fetchall()
    names = FillRate.__struct_fields__
    return [FillRate(**dict(zip(names, row, strict=True))) for row in rows]


def find_last_events() -> dict[int, datetime]:
    """Return when each source's last event came; sources that sent none are absent."""
    with transaction() as connection:
        return dict(connection.execute(_SQL["last_event_of"]).fetchall())


def picture_latest(*, source_id: int, now: datetime) -> LatestPicture:
    """Look at the latest events of a source, at most 500 of the last two days.

    Whom they name, which libraries sent them, how far their clocks are off, how late they came.
    """
    asked = {"source_id": source_id, "now": now, "limit": _LATEST}
    with transaction() as connection:
        rows = connection.execute(_SQL["latest_sent"], asked).fetchall()
    seen = []
    for received_at, sent_at, kind, body in rows:
        try:
            event = decode_event(
                kind, body, sent_at=sent_at, is_system=source_id == SYSTEM_SOURCE_ID
            )
        except BadEvent:
            continue
        seen.append((received_at, event))
    return picture_of(seen)


def picture_of(seen: Sequence[tuple[datetime, DecodedEvent]]) -> LatestPicture:
    """Return what events, each with when it was received, look like together. Pure."""
    events = [event for _, event in seen]
    skews = [(e.sent_at - at).total_seconds() for at, e in seen if e.sent_at is not None]
    delays = [_delay(at, event) for at, event in seen]
    libraries = Counter(filter(None, (_library(event.context) for event in events)))
    return LatestPicture(
        events=len(events),
        with_user_id=sum(event.user_id is not None for event in events),
        with_anonymous_id=sum(event.anonymous_id is not None for event in events),
        with_email=sum(bool(event.traits.get("email")) for event in events),
        with_phone=sum(bool(event.traits.get("phone")) for event in events),
        skew_seconds=median(skews) if skews else None,
        with_sent_at=len(skews),
        delay_seconds=median(delays) if delays else None,
        delay_most_seconds=quantiles(delays, n=10)[-1] if len(delays) > 1 else None,
        libraries=dict(libraries.most_common(_MOST_LIBRARIES)),
    )


def _delay(received_at: datetime, event: DecodedEvent) -> float:
    """Return how long after an event happened it was received, by its sender's own clock."""
    if event.timestamp is None:
        return 0.0
    return max(0.0, ((event.sent_at or received_at) - event.timestamp).total_seconds())


def _library(context: dict[str, Any]) -> str:
    said = context.get("library")
    if not isinstance(said, dict) or not isinstance(said.get("name"), str):
        return ""
    version = said.get("version")
    words = f"{said['name']} {version}" if isinstance(version, str | int | float) else said["name"]
    return str(words)[:_LONGEST_NAME].strip()
