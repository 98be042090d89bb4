"""Saved views: questions with a name, their owners, and to whom the answers are mailed."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import msgspec
from psycopg import errors
from psycopg.types.json import Jsonb

from amity.analysis.contracts_reports import ReportView, ViewChanges
from amity.analysis.logic.reporting.asking import read_question
from amity.infra.database import transaction
from amity.infra.queries import load
from amity.kernel.errors import Conflict, Invalid, NotFound

_SQL: Final = load("amity.analysis")
_LONGEST_NAME: Final = 100
_MOST_RECIPIENTS: Final = 20
_ADDRESS: Final = re.compile(r"[^@\s,;<>\"]{1,64}@[A-Za-z0-9.-]{1,190}\.[A-Za-z]{2,63}")
_SCHEDULES: Final = frozenset(("", "daily", "weekly", "monthly"))
SENT_FROM_HOUR: Final = 5
"""Mails go out from then on (UTC), when the night's answers are there."""


def save_view(*, changes: ViewChanges, by: str, now: datetime) -> ReportView:
    """Keep a question under a name; raise Invalid, NotFound and Conflict (the name is taken)."""
    name = changes.name.strip()
    if not 0 < len(name) <= _LONGEST_NAME:
        raise Invalid("a view has a name of up to 100 letters", code="bad_name")
    if changes.schedule not in _SCHEDULES:
        raise Invalid("a view is sent daily, weekly, monthly or never", code="bad_schedule")
    question = read_question(changes.report, changes.parameters, now=now)
    given = {
        "name": name,
        "report": question.kind.name,
        "parameters": Jsonb(question.parameters),
        "owner": by,
        "is_shared": changes.is_shared,
        "schedule": changes.schedule,
        "recipients": _check_recipients(changes),
        "now": now,
    }
    try:
        with transaction() as connection:
            row = connection.execute(_SQL["view_insert"], given).fetchone()
    except errors.UniqueViolation:
        raise Conflict(f"you have a view called {name} already", code="name_taken") from None
    assert row is not None
    return get_view(view_id=row[0], by=by)


def list_views(*, by: str) -> list[ReportView]:
    """Return the views somebody may see, by name: their own and the shared ones."""
    with transaction("readonly") as connection:
        rows = connection.execute(_SQL["views_list"]).fetchall()
    return [view for view in map(_view, rows) if view.is_shared or view.owner == by]


def get_view(*, view_id: int, by: str) -> ReportView:
    """Return a view somebody may see; raise NotFound for any other."""
    with transaction("readonly") as connection:
        row = connection.execute(_SQL["view_get"], {"view_id": view_id}).fetchone()
    if row is None or not (_view(row).is_shared or _view(row).owner == by):
        raise NotFound("there is no such view")
    return _view(row)


def delete_view(*, view_id: int, by: str, may_all: bool = False) -> None:
    """Delete a view of one's own, or with ``may_all`` a shared one; raise NotFound otherwise."""
    view = get_view(view_id=view_id, by=by)
    if view.owner != by and not may_all:
        raise NotFound("there is no such view of yours")
    with transaction() as connection:
        connection.execute(_SQL["view_delete"], {"view_id": view_id})


def list_due(*, now: datetime) -> list[ReportView]:
    """Return the views whose answer is to be mailed now, the longest waiting first."""
    with transaction("readonly") as connection:
        rows = connection.execute(_SQL["views_list"]).fetchall()
    due = [view for view in map(_view, rows) if is_due(view, now)]
    return sorted(due, key=lambda view: (view.sent_at or view.created_at, view.view_id))


def is_due(view: ReportView, now: datetime) -> bool:
    """Say whether a view is to be mailed: each day, on Mondays, or on the first, once (UTC)."""
    if not view.schedule or not view.recipients:
        return False
    moment = now.astimezone(UTC)
    start = moment.replace(hour=SENT_FROM_HOUR, minute=0, second=0, microsecond=0)
    if moment < start:
        start -= timedelta(days=1)
    if view.schedule == "weekly":
        start -= timedelta(days=start.weekday())
    if view.schedule == "monthly":
        start = start.replace(day=1)
    return (view.sent_at or view.created_at) < start


def note_sent(*, view_id: int, sent_at: datetime | None, error: str = "") -> None:
    """Note that a view was mailed, or why not."""
    given = {"view_id": view_id, "sent_at": sent_at, "error": error}
    with transaction() as connection:
        connection.execute(_SQL["view_sent"], given)


def _check_recipients(changes: ViewChanges) -> list[str]:
    found = list(dict.fromkeys(address.strip() for address in changes.recipients))
    found = [address for address in found if address]
    if len(found) > _MOST_RECIPIENTS:
        raise Invalid(f"a view is mailed to {_MOST_RECIPIENTS} people at most", code="too_many")
    for address in found:
        if not _ADDRESS.fullmatch(address):
            raise Invalid(f"{address!r} is no mail address", code="bad_address")
    if changes.schedule and not found:
        raise Invalid("say to whom it is to be mailed", code="no_recipient")
    return found


def _view(row: tuple[Any, ...]) -> ReportView:
    names = (
        "view_id",
        "name",
        "report",
        "parameters",
        "owner",
        "is_shared",
        "schedule",
        "recipients",
        "sent_at",
        "error",
        "created_at",
    )
    return msgspec.convert(dict(zip(names, row, strict=True)), ReportView)
