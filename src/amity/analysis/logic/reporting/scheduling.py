"""Schedules of saved views: kept, taken when they are due, and what came of them.

Taken is not done: a schedule keeps its slot until somebody says what came of it, so whoever is
killed in between has it taken again. What was mailed by then is not mailed twice: the door for
mail to staff knows each message by its slot.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Final

import msgspec

from amity.analysis.contracts_reports import ReportView
from amity.analysis.contracts_schedules import ReportSchedule, ScheduleChanges, ScheduleTimes
from amity.analysis.logic.reporting.saving import get_view
from amity.analysis.logic.reporting.slots import next_slot
from amity.infra import queries
from amity.infra.database import transaction
from amity.kernel.errors import Invalid, NotFound

_SQL: Final = queries.load("amity.analysis")
_LEASE: Final = timedelta(minutes=75)
"""Longer than an answer may take."""
_AGAIN_AFTER: Final = timedelta(minutes=5)
_DAYS_A_WEEK: Final = 7


def save_schedule(
    *, changes: ScheduleChanges, by: str, now: datetime, schedule_id: int | None = None
) -> ReportSchedule:
    """Make a schedule, or change one of one's own; see the door."""
    view = get_view(view_id=changes.view_id, by=by)
    _check(changes, view)
    if schedule_id is not None:
        _own(schedule_id, by=by)
    values = {
        "schedule_id": schedule_id,
        "view_id": changes.view_id,
        "owner": by,
        "recipients": list(dict.fromkeys(changes.recipients)),
        **msgspec.structs.asdict(changes.times),
        "has_files": changes.has_files,
        "slot": next_slot(changes.times, after=now),
        "now": now,
    }
    with transaction() as connection:
        name = "schedule_insert" if schedule_id is None else "schedule_update"
        row = connection.execute(_SQL[name], values).fetchone()
    assert row is not None
    return get_schedule(schedule_id=row[0], by=by)


def _check(changes: ScheduleChanges, view: ReportView) -> None:
    if changes.times.every == "week" and changes.times.day > _DAYS_A_WEEK:
        raise Invalid("the day of a week is 1 (Monday) to 7", code="bad_day")
    if not view.is_shared and set(changes.recipients) - {view.owner}:
        raise Invalid(
            "a view of your own can be mailed to you alone; share it to mail it to others",
            code="not_shared",
        )


def list_schedules(*, by: str, may_all: bool = False) -> list[ReportSchedule]:
    """Return the schedules that somebody made or is mailed by; with ``may_all`` all."""
    with transaction("readonly") as connection:
        found = [_schedule(row) for row in connection.execute(_SQL["schedules_list"])]
    return [one for one in found if may_all or _concerns(one, by)]


def get_schedule(*, schedule_id: int, by: str, may_all: bool = False) -> ReportSchedule:
    """Return a schedule that somebody made or is mailed by; raise NotFound for any other."""
    with transaction("readonly") as connection:
        row = connection.execute(_SQL["schedule_get"], [schedule_id]).fetchone()
    if row is None or not (may_all or _concerns(_schedule(row), by)):
        raise NotFound("there is no such schedule")
    return _schedule(row)


def _concerns(schedule: ReportSchedule, who: str) -> bool:
    return who == schedule.owner or who in schedule.recipients


def _own(schedule_id: int, *, by: str, may_all: bool = False) -> ReportSchedule:
    schedule = get_schedule(schedule_id=schedule_id, by=by, may_all=may_all)
    if schedule.owner != by and not may_all:
        raise NotFound("there is no such schedule of yours")
    return schedule


def set_paused(
    *, schedule_id: int, is_paused: bool, by: str, now: datetime, may_all: bool = False
) -> ReportSchedule:
    """Pause a schedule, or let it go on with its next slot; see the door."""
    schedule = _own(schedule_id, by=by, may_all=may_all)
    slot = next_slot(schedule.times, after=now)
    with transaction() as connection:
        values = {"schedule_id": schedule_id, "is_paused": is_paused, "slot": slot}
        connection.execute(_SQL["schedule_pause"], values)
    return get_schedule(schedule_id=schedule_id, by=by, may_all=may_all)


def delete_schedule(*, schedule_id: int, by: str, may_all: bool = False) -> None:
    """Delete a schedule of one's own, or with ``may_all`` any; raise NotFound otherwise."""
    _own(schedule_id, by=by, may_all=may_all)
    with transaction() as connection:
        connection.execute(_SQL["schedule_delete"], [schedule_id])


def set_wanted(*, schedule_id: int, who: str, is_wanted: bool) -> None:
    """Let somebody not be mailed any more, or again; see the door."""
    with transaction() as connection:
        values = {"schedule_id": schedule_id, "who": who, "is_wanted": is_wanted}
        if connection.execute(_SQL["schedule_wanted"], values).rowcount == 0:
            raise NotFound("there is no such schedule that is mailed to you")


def take_due(*, now: datetime) -> ReportSchedule | None:
    """Return the schedule that is due longest and keep others from it for a while."""
    with transaction() as connection:
        row = connection.execute(
            _SQL["schedule_take"], {"now": now, "until": now + _LEASE}
        ).fetchone()
        if row is None:
            return None
        return _schedule(connection.execute(_SQL["schedule_get"], [row[0]]).fetchone() or ())


def settle(*, schedule: ReportSchedule, result: str, is_done: bool, now: datetime) -> None:
    """Note what came of a slot; when it is done the next one comes, else it is tried again soon."""
    following = next_slot(schedule.times, after=max(now, schedule.slot_at))
    values = {
        "schedule_id": schedule.schedule_id,
        "slot": schedule.slot_at,
        "result": result[:500],
        "next": following if is_done else schedule.slot_at,
        "due": following if is_done else now + _AGAIN_AFTER,
        "now": now,
    }
    with transaction() as connection:
        connection.execute(_SQL["schedule_settle"], values)


def _schedule(row: Sequence[Any]) -> ReportSchedule:
    view = ReportView(
        view_id=row[1],
        name=row[2],
        report=row[3],
        parameters=row[4],
        owner=row[5],
        is_shared=row[6],
        created_at=row[7],
    )
    times = ScheduleTimes(every=row[11], day=row[12], at=row[13].strftime("%H:%M"), zone=row[14])
    return ReportSchedule(
        schedule_id=row[0],
        view=view,
        owner=row[8],
        recipients=tuple(row[9]),
        declined=tuple(row[10]),
        times=times,
        has_files=row[15],
        is_paused=row[16],
        slot_at=row[17],
        last_at=row[18],
        last_result=row[19],
    )
