"""Alerts about sources: raised, told, acknowledged, closed; and how each source is watched.

An alert is a row with its whole history. Raising and closing one queues it for webhooks in the
same transaction: it is about no customer, so it can be no activity.
"""

from datetime import datetime, timedelta
from typing import Any, Final

import msgspec

from amity.infra import queries
from amity.infra.database import Connection, transaction
from amity.kernel.errors import Invalid, NotFound
from amity.store.contracts import SYSTEM_SOURCE_ID, Source
from amity.store.contracts_tracking import (
    Alert,
    AlertRule,
    AlertTerms,
    ClosedWhy,
    NullRise,
    SourceWatch,
)
from amity.store.logic.intake.sources import get_source, list_sources
from amity.store.logic.outbound.queueing import queue_about_nobody
from amity.store.logic.plans.judging import Picture, judge
from amity.store.logic.plans.quality import find_last_events, list_quality

_SQL: Final = queries.load("amity.store")
RAISED: Final = "Source Alert Raised"
CLOSED: Final = "Source Alert Closed"
_LOOK_BACK_DAYS: Final = 100
_NULL_DAYS: Final = 8
_MOST_SILENT_HOURS: Final = 24 * 90
_TERMS: Final = AlertTerms()


def judge_sources(*, now: datetime) -> int:
    """Raise an alert for each rule a source breaks now, close those that are over.

    Returns how many are open. A source that is off or muted breaks no rule.
    """
    last = find_last_events()
    watches = {watch.source_id: watch for watch in _read_watches(None)}
    opened = 0
    for source in list_sources():
        if source.source_id != SYSTEM_SOURCE_ID:
            watch = watches.get(source.source_id) or _usual(source.source_id)
            opened += _judge_one(source, watch, last.get(source.source_id), now)
    return opened


def _judge_one(source: Source, watch: SourceWatch, last_at: datetime | None, now: datetime) -> int:
    days = list_quality(source_id=source.source_id, now=now, days=_LOOK_BACK_DAYS)
    why: ClosedWhy = "over"
    with transaction() as connection:
        rows = connection.execute(_SQL["open_alerts"], [source.source_id]).fetchall()
        standing = {row[0] for row in rows}
        broken: dict[AlertRule, str] = {}
        if not source.is_enabled:
            why = "off"
        elif watch.muted_until is not None and watch.muted_until > now:
            why = "muted"
        else:
            picture = Picture(
                days=days,
                last_at=last_at,
                nulls=_find_rises(connection, source.source_id, watch.terms, now),
                is_silent="silent" in standing,
            )
            broken = judge(picture, watch.terms, now)
        _write(connection, source.source_id, broken, why=why, now=now)
    return len(broken)


def _find_rises(
    connection: Connection, source_id: int, terms: AlertTerms, now: datetime
) -> list[NullRise]:
    if terms.null_rise is None:
        return []
    asked = {
        "source_id": source_id,
        "since": now.date() - timedelta(days=1),
        "from": now.date() - timedelta(days=1 + _NULL_DAYS),
        "least": terms.least_events,
        "rise": terms.null_rise,
    }
    names = NullRise.__struct_fields__
    rows = connection.execute(_SQL["null_rises"], asked)
    return [NullRise(**dict(zip(names, row, strict=True))) for row in rows]


def _write(
    connection: Connection,
    source_id: int,
    broken: dict[AlertRule, str],
    *,
    why: ClosedWhy,
    now: datetime,
) -> None:
    about = {"source_id": source_id, "rules": list(broken), "why": why, "now": now}
    closed = [row[0] for row in connection.execute(_SQL["close_alerts"], about)]
    raised = []
    for rule, words in broken.items():
        one = {"source_id": source_id, "rule": rule, "words": words, "now": now}
        row = connection.execute(_SQL["raise_alert"], one).fetchone()
        if row is None:
            connection.execute(_SQL["renew_alert"], one)
        else:
            raised.append(row[0])
    queue_about_nobody(connection, name=CLOSED, event_ids=closed)
    queue_about_nobody(connection, name=RAISED, event_ids=raised)


def list_alerts(
    *, source_id: int | None = None, open_only: bool = True, limit: int = 200
) -> list[Alert]:
    """Return alerts, open ones first, then the latest."""
    asked = {"source_id": source_id, "open_only": open_only, "limit": limit}
    with transaction() as connection:
        rows = connection.execute(_SQL["list_alerts"], asked).fetchall()
    names = Alert.__struct_fields__
    return [Alert(**dict(zip(names, row, strict=True))) for row in rows]


def count_alerts() -> int:
    """Count open alerts that nobody has acknowledged."""
    with transaction() as connection:
        row = connection.execute(_SQL["count_alerts"]).fetchone()
    return row[0] if row else 0


def acknowledge_alert(*, alert_id: int, by: str, now: datetime) -> None:
    """Note who looks after an open alert; it closes when it is over. Raises NotFound."""
    with transaction() as connection:
        if not connection.execute(_SQL["acknowledge_alert"], [now, by, alert_id]).rowcount:
            raise NotFound("this alert is closed or acknowledged already")


def get_source_watch(*, source_id: int) -> SourceWatch:
    """Return how a source is watched, the usual way when nobody said otherwise; or NotFound."""
    get_source(source_id=source_id)
    return next(iter(_read_watches(source_id)), _usual(source_id))


def _usual(source_id: int) -> SourceWatch:
    return SourceWatch(
        source_id=source_id, terms=_TERMS, muted_until=None, updated_at=None, updated_by=""
    )


def _read_watches(source_id: int | None) -> list[SourceWatch]:
    with transaction() as connection:
        rows = connection.execute(_SQL["read_watches"], {"source_id": source_id}).fetchall()
    return [_watch_of(row) for row in rows]


def _watch_of(row: tuple[Any, ...]) -> SourceWatch:
    made = dict(zip(SourceWatch.__struct_fields__, row, strict=True))
    return SourceWatch(**made | {"terms": msgspec.convert(made["terms"], AlertTerms)})


def watch_source(
    *,
    source_id: int,
    terms: AlertTerms,
    muted_until: datetime | None,
    by: str,
    now: datetime,
) -> SourceWatch:
    """Say from when on alerts are raised about a source, and until when none is.

    It holds from the next look, within five minutes. Raises NotFound, and Invalid with the
    figure that makes no sense.
    """
    get_source(source_id=source_id)
    if source_id == SYSTEM_SOURCE_ID:
        raise Invalid("Amity's own events are not watched", code="bad_terms")
    _check_terms(terms)
    asked = {
        "source_id": source_id,
        "terms": msgspec.json.encode(terms).decode(),
        "muted_until": muted_until,
        "by": by,
        "now": now,
    }
    with transaction() as connection:
        connection.execute(_SQL["write_watch"], asked)
    return get_source_watch(source_id=source_id)


def _check_terms(terms: AlertTerms) -> None:
    for name in ("most_violating", "most_duplicate", "most_late", "null_rise"):
        share = getattr(terms, name)
        if share is not None and not 0 <= share <= 1:
            raise Invalid(f"{name} is a share, from 0 to 1", code="bad_terms")
    hours, deviations = terms.silent_hours, terms.volume_deviations
    if hours is not None and not 1 <= hours <= _MOST_SILENT_HOURS:
        raise Invalid(f"silent_hours is from 1 to {_MOST_SILENT_HOURS}", code="bad_terms")
    if deviations is not None and not 1 <= deviations <= 100:
        raise Invalid("volume_deviations is from 1 to 100", code="bad_terms")
    if not 1 <= terms.least_events <= 1_000_000:
        raise Invalid("least_events is from 1 to 1,000,000", code="bad_terms")
