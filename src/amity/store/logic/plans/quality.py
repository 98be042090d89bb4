"""How well each source comes, day by day, and the alerts raised when it does not."""

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from statistics import median
from typing import Final

from amity.infra import queries
from amity.infra.database import transaction
from amity.kernel.errors import NotFound
from amity.store.contracts import SYSTEM_SOURCE_ID
from amity.store.contracts_tracking import Alert, AlertRule, FillRate, QualityDay
from amity.store.logic.intake.sources import list_sources
from amity.store.logic.plans.personal_data import PERSONAL

_SQL: Final = queries.load("amity.store")
SILENT_HOURS: Final = 24
MOST_VIOLATING: Final = 0.05
MOST_DUPLICATE: Final = 0.2
VOLUME_DEVIATIONS: Final = 4.0
VOLUME_LEAST_DAYS: Final = 4
_VOLUME_WEEKS: Final = 8
_LEAST_DEVIATION: Final = 0.1
_ENOUGH: Final = 20


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


def judge_volume(stored: dict[date, int], day: date) -> str:
    """Say how a day's volume is outside what its weekday is used to, "" when it is not.

    It is compared with the median of the same weekday in the eight weeks before, give or take
    four median absolute deviations (at least a tenth of the median each). With fewer than four
    such days nothing is said. Only days after the first event count, those without any as 0.
    """
    first = min(stored, default=day)
    weeks = (day - timedelta(weeks=week) for week in range(1, _VOLUME_WEEKS + 1))
    before = [stored.get(each, 0) for each in weeks if each >= first]
    if len(before) < VOLUME_LEAST_DAYS:
        return ""
    middle = median(before)
    spread = median(abs(each - middle) for each in before)
    allowed = VOLUME_DEVIATIONS * max(spread, _LEAST_DEVIATION * middle, 1.0)
    amount = stored.get(day, 0)
    if abs(amount - middle) <= allowed:
        return ""
    how = "more" if amount > middle else "fewer"
    return (
        f"{amount} events on {day:%A}, {day}, {how} than usual: "
        f"{max(0, middle - allowed):.0f} to {middle + allowed:.0f}"
    )


def judge_sources(*, now: datetime) -> int:
    """Raise an alert for each rule a source breaks now, close those that are over.

    Returns how many are open. The rules are those `judge` says.
    """
    last = find_last_events()
    opened = 0
    for source in list_sources():
        if source.source_id == SYSTEM_SOURCE_ID:
            continue
        days = list_quality(source_id=source.source_id, now=now, days=7 * _VOLUME_WEEKS + 1)
        broken = judge(days, last.get(source.source_id), now) if source.is_enabled else {}
        opened += len(broken)
        with transaction() as connection:
            connection.execute(
                _SQL["close_alerts"],
                {"source_id": source.source_id, "rules": list(broken), "now": now},
            )
            for rule, words in broken.items():
                connection.execute(_SQL["raise_alert"], [source.source_id, rule, words, now, now])
    return opened


def judge(
    days: Sequence[QualityDay], last_at: datetime | None, now: datetime
) -> dict[AlertRule, str]:
    """Return the rules a source breaks, each with a sentence that says how.

    `silent`: nothing for a day, though events came on three of the seven days before.
    `violations`, `duplicates`: a share of what came on this day or the one before. `volume`:
    see `judge_volume`, for yesterday. `personal`: personal data in fields not meant for it.
    """
    today = now.date()
    stored = {each.day: each.stored for each in days}
    broken: dict[AlertRule, str] = {}
    busy = sum(stored.get(today - timedelta(days=back), 0) > 0 for back in range(1, 9))
    if last_at is not None and busy >= 3 and now - last_at > timedelta(hours=SILENT_HOURS):
        hours = int((now - last_at).total_seconds() // 3600)
        broken["silent"] = f"nothing came for {hours} hours; it used to come on most days"
    recent = [each for each in days if today - each.day <= timedelta(days=1)]
    received = sum(each.received for each in recent)
    violating, repeated = sum(e.violating for e in recent), sum(e.duplicate for e in recent)
    if received >= _ENOUGH and violating > MOST_VIOLATING * received:
        share = violating / received
        broken["violations"] = f"{share:.0%} of {received} events are against their plan"
    if received >= _ENOUGH and repeated > MOST_DUPLICATE * received:
        share = repeated / received
        broken["duplicates"] = f"{share:.0%} of {received} events came twice"
    if words := judge_volume(stored, today - timedelta(days=1)):
        broken["volume"] = words
    if warnings := sum(each.warnings for each in recent):
        broken["personal"] = f"{warnings} times personal data stood in a field not meant for it"
    return broken


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
