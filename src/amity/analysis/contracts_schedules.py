"""Saved views that are mailed: when, to whom, and what came of it."""

from datetime import datetime
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from amity.analysis.contracts_reports import ReportView

Every = Literal["day", "weekday", "week", "month"]


class ScheduleTimes(msgspec.Struct, frozen=True, kw_only=True):
    """When something happens again and again, by the clock of a place."""

    every: Every
    """`weekday`: Monday to Friday."""
    day: Annotated[int, Meta(ge=1, le=28)] = 1
    """Of a week 1 is Monday; of a month its day."""
    at: Annotated[str, Meta(pattern="^([01][0-9]|2[0-3]):[0-5][0-9]$")] = "07:00"
    zone: Annotated[str, Meta(max_length=64)] = "UTC"


class ScheduleChanges(msgspec.Struct, frozen=True, kw_only=True):
    """What a schedule is to be."""

    view_id: int
    recipients: Annotated[tuple[str, ...], Meta(min_length=1, max_length=50)]
    """User names of staff."""
    times: ScheduleTimes
    has_files: bool = False
    """Whether the tables come along as CSV, to those whose role may export."""


class ReportSchedule(msgspec.Struct, frozen=True, kw_only=True):
    """A saved view that is mailed."""

    schedule_id: int
    view: ReportView
    owner: str
    recipients: tuple[str, ...]
    declined: tuple[str, ...]
    """Who does not want it."""
    times: ScheduleTimes
    has_files: bool
    is_paused: bool
    slot_at: datetime
    """The run that comes next."""
    last_at: datetime | None
    last_result: str
