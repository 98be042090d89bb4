"""The analysis engine's door for saved views that are mailed; `web.reports.mailing` mails them."""

from datetime import datetime

from amity.analysis.contracts_schedules import ReportSchedule, ScheduleChanges
from amity.analysis.logic.reporting import scheduling


def save_schedule(
    *, changes: ScheduleChanges, by: str, now: datetime, schedule_id: int | None = None
) -> ReportSchedule:
    """Have a saved view mailed again and again, or change a schedule of one's own.

    Raises NotFound for a view somebody may not see, Invalid for an unknown time zone, or when a
    view that is not shared would go to others.
    """
    return scheduling.save_schedule(changes=changes, by=by, now=now, schedule_id=schedule_id)


def list_schedules(*, by: str, may_all: bool = False) -> list[ReportSchedule]:
    """Return the schedules that somebody made or is mailed by; with ``may_all`` all."""
    return scheduling.list_schedules(by=by, may_all=may_all)


def get_schedule(*, schedule_id: int, by: str, may_all: bool = False) -> ReportSchedule:
    """Return a schedule that somebody made or is mailed by; raise NotFound for any other."""
    return scheduling.get_schedule(schedule_id=schedule_id, by=by, may_all=may_all)


def pause_schedule(
    *, schedule_id: int, is_paused: bool, by: str, now: datetime, may_all: bool = False
) -> ReportSchedule:
    """Pause a schedule, or let it go on: with its next slot, nothing is made up for."""
    return scheduling.set_paused(
        schedule_id=schedule_id, is_paused=is_paused, by=by, now=now, may_all=may_all
    )


def delete_schedule(*, schedule_id: int, by: str, may_all: bool = False) -> None:
    """Delete a schedule of one's own, or with ``may_all`` any; raise NotFound otherwise."""
    scheduling.delete_schedule(schedule_id=schedule_id, by=by, may_all=may_all)


def want_schedule(*, schedule_id: int, who: str, is_wanted: bool) -> None:
    """Let somebody not be mailed any more by a schedule, or again: their own word alone counts."""
    scheduling.set_wanted(schedule_id=schedule_id, who=who, is_wanted=is_wanted)


def take_due_schedule(*, now: datetime) -> ReportSchedule | None:
    """Return the schedule that is due longest; others are kept from it until it is settled.

    Who never settles it, killed in the middle, has it taken again after a while.
    """
    return scheduling.take_due(now=now)


def settle_schedule(*, schedule: ReportSchedule, result: str, is_done: bool, now: datetime) -> None:
    """Note what came of a schedule's slot; unless it is done it is taken again in some minutes."""
    scheduling.settle(schedule=schedule, result=result, is_done=is_done, now=now)
