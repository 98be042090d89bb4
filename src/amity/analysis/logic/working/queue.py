"""What long work waits, is being done, or gave nothing: one row each, gone when it is done.

One piece of work has one spelling, so that who asks a second time waits for the first.
"""

from collections.abc import Collection
from datetime import datetime
from typing import Any, Final

import msgspec
from psycopg.types.json import Jsonb

from amity.analysis.contracts_work import Work, WorkKind
from amity.infra.database import transaction
from amity.infra.queries import load

_SQL: Final = load("amity.analysis")
LOST_AFTER: Final = 20.0
"""Who does work says so every few seconds; silent for so many, it is gone."""
_FORSAKEN_AFTER: Final = 600.0
"""Lost so long ago, nobody is there to do it once more."""
MOST_TRIES: Final = 2
"""Work that ended its doer twice is not begun again by itself."""
INTERRUPTED: Final = "it was interrupted, for what was doing it has ended"


class Taken(msgspec.Struct, frozen=True, kw_only=True):
    """Work that somebody has begun."""

    work_id: int
    kind: WorkKind
    parameters: dict[str, Any]
    by: str


def spell(parameters: dict[str, Any]) -> str:
    """Return the one spelling of what is asked."""
    return msgspec.json.encode(parameters, order="sorted").decode()


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """Work to be done."""

    kind: WorkKind
    parameters: dict[str, Any]
    title: str
    asked: dict[str, Any] | None = None
    """What makes it one piece of work; its parameters when None."""

    @property
    def key(self) -> dict[str, Any]:
        """What makes it one piece of work."""
        return self.parameters if self.asked is None else self.asked


def want(wanted: Wanted, *, by: str, now: datetime, by_person: bool = True) -> int:
    """Have work done; return its number."""
    values = {
        "kind": wanted.kind,
        "asked": spell(wanted.key),
        "parameters": Jsonb(wanted.parameters),
        "title": wanted.title,
        "by": by,
        "now": now,
        "by_person": by_person,
        "lost": LOST_AFTER,
    }
    with transaction() as connection:
        row = connection.execute(_SQL["work_want"], values).fetchone()
    assert row is not None
    return int(row[0])


def find(kind: WorkKind, asked: dict[str, Any]) -> Work:
    """Return how far work is; one that nobody asked for is not wanted and has no error."""
    values = {"kind": kind, "asked": spell(asked)} | _AGES
    with transaction("readonly") as connection:
        row = connection.execute(_SQL["work_find"], values).fetchone()
    return Work(kind=kind) if row is None else _work(row)


def list_work() -> list[Work]:
    """Return what is being done, what waits and what gave nothing lately, in this order."""
    with transaction("readonly") as connection:
        rows = connection.execute(_SQL["work_list"], {"id": None} | _AGES).fetchall()
    return [_work(row) for row in rows]


def find_by_id(work_id: int) -> Work | None:
    """Return work by its number; None when it is done."""
    with transaction("readonly") as connection:
        row = connection.execute(_SQL["work_list"], {"id": work_id} | _AGES).fetchone()
    return None if row is None else _work(row)


def take(kinds: Collection[WorkKind], *, now: datetime, work_id: int | None = None) -> Taken | None:
    """Begin the work that waits longest, or this one; None when none waits, or it is begun."""
    values = {
        "kinds": list(kinds),
        "id": work_id,
        "now": now,
        "lost": LOST_AFTER,
        "tries": MOST_TRIES,
        "error": INTERRUPTED,
    }
    with transaction() as connection:
        connection.execute(_SQL["work_end_lost"], values)
        row = connection.execute(_SQL["work_take"], values).fetchone()
    if row is None:
        return None
    return Taken(work_id=row[0], kind=row[1], parameters=row[2], by=row[3])


def note_step(work_id: int, *, step: int, steps: int, doing: str) -> str | None:
    """Say how far work is; return who stopped it, in words, or None."""
    values = {"id": work_id, "step": step, "steps": steps, "doing": doing}
    with transaction() as connection:
        row = connection.execute(_SQL["work_step"], values).fetchone()
    return row[0] if row else None


def note_seen(work_id: int) -> str | None:
    """Say that work is still being done; return who stopped it, in words, or None."""
    with transaction() as connection:
        row = connection.execute(_SQL["work_seen"], {"id": work_id}).fetchone()
    return row[0] if row else None


def finish(work_id: int) -> None:
    """Take away what is done; its result is kept."""
    with transaction() as connection:
        connection.execute(_SQL["work_finish"], {"id": work_id})


def give_up(work_id: int, *, error: str) -> None:
    """Let nobody wait any more, and say why; an earlier result stays."""
    with transaction() as connection:
        connection.execute(_SQL["work_give_up"], {"id": work_id, "error": error})


def cancel(work_id: int, *, by: str) -> None:
    """Have work stop, or not begin; it says by whom until it is asked for again."""
    error = f"{by} stopped it before there was an answer"
    values = {"id": work_id, "error": error, "lost": LOST_AFTER}
    with transaction() as connection:
        connection.execute(_SQL["work_cancel"], values)


_AGES: Final = {"lost": LOST_AFTER, "forsaken": _FORSAKEN_AFTER}


def _work(row: tuple[Any, ...]) -> Work:
    *told, is_lost, tries, is_forsaken = row
    found = Work(**dict(zip(_FIELDS, told, strict=True)))
    if not is_lost:
        return found
    if tries < MOST_TRIES and not is_forsaken:
        # It waits again, for whoever does it next.
        return msgspec.structs.replace(found, started_at=None, step=0, steps=0, doing="")
    error = found.error or INTERRUPTED
    return Work(work_id=found.work_id, kind=found.kind, title=found.title, error=error)


_FIELDS: Final = (
    *("work_id", "kind", "title", "wanted_by", "wanted_at", "started_at"),
    *("step", "steps", "doing", "is_cancelled", "error"),
)
