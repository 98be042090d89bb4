"""Saved views: questions with a name, and their owners."""

from datetime import datetime
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


def save_view(*, changes: ViewChanges, by: str, now: datetime) -> ReportView:
    """Keep a question under a name; raise Invalid, NotFound and Conflict (the name is taken)."""
    name = changes.name.strip()
    if not 0 < len(name) <= _LONGEST_NAME:
        raise Invalid("a view has a name of up to 100 letters", code="bad_name")
    question = read_question(changes.report, changes.parameters, now=now)
    given = {
        "name": name,
        "report": question.kind.name,
        "parameters": Jsonb(question.parameters),
        "owner": by,
        "is_shared": changes.is_shared,
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


def _view(row: tuple[Any, ...]) -> ReportView:
    names = (
        "view_id",
        "name",
        "report",
        "parameters",
        "owner",
        "is_shared",
        "created_at",
    )
    return msgspec.convert(dict(zip(names, row, strict=True)), ReportView)
