"""Running pulls: page by page in the source's own order, each page committed with its position.

A run that is killed goes on after its last page; a page that comes twice adds nothing, since the
message ids are made from what the rows say.
"""

import itertools
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any, Final

import msgspec
import psycopg
from psycopg.types.json import Jsonb

from amity.infra import queries
from amity.infra.config import settings
from amity.infra.database import conninfo, transaction
from amity.kernel.errors import AmityError, Conflict, NotFound, Unavailable
from amity.store.connector import Connector, find_connector
from amity.store.contracts_pulling import Pull, PullTable
from amity.store.logic.importing.cells import cell_text
from amity.store.logic.importing.layout import RawRow
from amity.store.logic.importing.units import Unit, make_unit, take_units
from amity.store.logic.pulling.database import Asked, Database
from amity.store.logic.pulling.position import (
    Position,
    go_back,
    latest,
    make_position,
    read_position,
)
from amity.store.logic.pulling.pulls import get_pull, open_pull, tell
from amity.store.logic.pulling.sqlite import SQLite

_SQL: Final = queries.load("amity.store")
_PAGE_ROWS: Final = 1_000
_GROUP_KEYS: Final = 500
# So many pages, and others have their turn.
_PAGES: Final = 50
_KEPT_PROBLEMS: Final = 100
_log = logging.getLogger(__name__)


class _Changed(Exception):
    """What is read was changed, or deleted, while a page was on its way."""


def run_due_pulls(*, now: datetime) -> int:
    """Run what is due, some pages of each; return how many were run.

    A failure is kept with the pull, which is tried again later. Safe from several processes.
    """
    with transaction() as connection:
        due = [row[0] for row in connection.execute(_SQL["pull_due"], {"now": now})]
    ran = 0
    for pull_id in due:
        try:
            run_pull(pull_id=pull_id, now=now)
            ran += 1
        except (Conflict, NotFound):  # another's, or deleted in the meantime
            continue
    return ran


def run_pull(*, pull_id: int, now: datetime) -> Pull:
    """Read what is new, some pages of it, whether it is due or not; return the record.

    `position` and the counts say how far it came; a failure of the other database is in
    `failure`. Raises Conflict when another process runs it or nothing was configured, and
    Unavailable when our own database is.
    """
    with _hold(pull_id) as held:
        if not held:
            raise Conflict(f"pull {pull_id} is being run by another process")
        pull = get_pull(pull_id=pull_id)
        if pull.state == "draft":
            raise Conflict("say first what is read of this database")
        _execute("pull_start", {"pull_id": pull_id, "now": now})
        failure, is_open = "", False
        try:
            is_open = _run(pull, now)
        except _Changed:
            _log.info("pull %d was changed while it ran", pull_id)
            is_open = True
        except (Unavailable, psycopg.OperationalError):
            raise
        except Exception as error:
            if not isinstance(error, AmityError):
                _log.exception("pull %d failed", pull_id)
            failure = tell(error)
        values = {"pull_id": pull_id, "now": now, "failure": failure, "is_open": is_open}
        _execute("pull_end", values)
    return get_pull(pull_id=pull_id)


@contextmanager
def _hold(pull_id: int) -> Iterator[bool]:
    """Hold the pull for this process; its end frees it, however it ends."""
    with psycopg.connect(conninfo("app"), autocommit=True) as connection:
        row = connection.execute(_SQL["pull_lock"], {"pull_id": pull_id}).fetchone()
        held = bool(row and row[0])
        yield held
        if held:
            connection.execute(_SQL["pull_unlock"], {"pull_id": pull_id})


def _execute(name: str, values: dict[str, Any]) -> None:
    with transaction() as connection:
        connection.execute(_SQL[name], values)


class _Reading(msgspec.Struct, frozen=True):
    """What a run needs to turn rows of a table into units."""

    pull: Pull
    table: PullTable
    connector: Connector
    columns: list[str]
    """Those that are mapped: nothing else is asked for."""


def _run(pull: Pull, now: datetime) -> bool:
    """Read pages until there are no more, or it is others' turn; say whether there are more."""
    kind = find_connector(pull.connector)
    reading = _Reading(
        pull,
        PullTable(schema=pull.schema, name=pull.relation),
        kind(currency=settings().currency),
        [column for column, field in pull.mapping.items() if field],
    )
    order = [pull.cursor_column, *pull.key_columns]
    with open_pull(pull.pull_id) as database:
        after, until = _begin(pull), _until(database, reading, now)
        number = pull.rows_done
        for _ in range(_PAGES):
            asked = Asked(
                table=reading.table,
                columns=reading.columns,
                order=order,
                after=after,
                until=until,
                limit=_PAGE_ROWS,
            )
            page = database.read_page(asked)
            if not page:
                return False
            after = list(page[-1][len(reading.columns) :])
            is_open = len(page) == _PAGE_ROWS
            units = _make_units(database, reading, page, number)
            _commit(pull, units, len(page), make_position(after, is_open=is_open))
            number += len(page)
            if not is_open:
                return False
    return True


def _begin(pull: Pull) -> list[Any]:
    """Return after which values to read: where a run was cut off, or some way back."""
    with transaction() as connection:
        row = connection.execute(_SQL["pull_position"], {"pull_id": pull.pull_id}).fetchone()
    if row is None or row[0] is None:
        return []
    position = msgspec.convert(row[0], Position)
    values = read_position(position)
    return values if position.is_open else [go_back(values[0], pull.overlap)]


def _until(database: Database, reading: _Reading, now: datetime) -> datetime | None:
    if isinstance(database, SQLite):
        return None  # it has no times, only texts and numbers
    columns = database.list_columns(reading.table)
    cursor = next((c for c in columns if c.name == reading.pull.cursor_column), None)
    return latest(cursor.kind, now) if cursor else None


def _make_units(
    database: Database, reading: _Reading, page: list[tuple[Any, ...]], number: int
) -> list[Unit]:
    width = len(reading.columns)
    if reading.connector.group_by is None:
        groups = [[_raw(number + at, row[:width])] for at, row in enumerate(page, start=1)]
    else:
        groups = _read_groups(database, reading, page, number)
    mapping = reading.pull.mapping
    return [make_unit(reading.connector, reading.columns, mapping, group) for group in groups]


def _raw(number: int, row: tuple[Any, ...]) -> RawRow:
    return RawRow(number, [cell_text(value) for value in row])


def _read_groups(
    database: Database, reading: _Reading, page: list[tuple[Any, ...]], number: int
) -> list[list[RawRow]]:
    """Return all lines of the orders a page has lines of; they may lie on other pages too."""
    mapping = reading.pull.mapping
    column = next(c for c, field in mapping.items() if field == reading.connector.group_by)
    place = reading.columns.index(column)
    keys = list(dict.fromkeys(row[place] for row in page if row[place] is not None))
    groups = [[_raw(number, row[: len(reading.columns)])] for row in page if row[place] is None]
    for start in range(0, len(keys), _GROUP_KEYS):
        some = keys[start : start + _GROUP_KEYS]
        rows = database.read_groups(reading.table, reading.columns, column, some)
        rows.sort(key=lambda row: [cell_text(value) for value in (row[place], *row)])
        for _, lines in itertools.groupby(rows, key=lambda row: row[place]):
            groups.append([_raw(number + at, line) for at, line in enumerate(lines, start=1)])
    return groups


def _commit(pull: Pull, units: list[Unit], rows: int, position: Position) -> None:
    with transaction() as connection:
        outcome = take_units(connection, pull.source_id, units)
        kept = outcome.problems[:_KEPT_PROBLEMS]
        values = {
            "pull_id": pull.pull_id,
            "revision": pull.revision,
            "position": Jsonb(msgspec.to_builtins(position)),
            "rows": rows,
            "stored": outcome.stored,
            "duplicate": outcome.duplicate,
            "rejected": outcome.rejected,
            "problems": Jsonb([msgspec.to_builtins(problem) for problem in kept]),
        }
        if connection.execute(_SQL["pull_progress"], values).fetchone() is None:
            # Rolls the page back: it was read by another plan than the one that holds now.
            raise _Changed
