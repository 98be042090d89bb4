"""Running an import: rows to events to the log, in batches that count and commit together.

A batch's events and the import's progress are one transaction, so a run that is killed goes on
after the last batch that is in, and its counts end right.
"""

import itertools
import logging
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import datetime
from pathlib import Path
from typing import Final

import msgspec
import psycopg
from psycopg.types.json import Jsonb

from amity.infra import queries
from amity.infra.config import settings
from amity.infra.database import Connection, conninfo, transaction
from amity.kernel.errors import Conflict, Invalid, Unavailable
from amity.store.connector import Connector, find_connector
from amity.store.contracts import Import, ImportProblem
from amity.store.contracts_retention import Removal
from amity.store.logic.importing.files import Layout, RawRow, iter_rows, read_layout
from amity.store.logic.importing.imports import get_import, import_folder, import_path
from amity.store.logic.importing.mapping import check_mapping
from amity.store.logic.importing.units import Outcome, Unit, make_unit, take_units

_BATCH_EVENTS: Final = 500
_BATCH_BYTES: Final = 1_000_000
_BATCH_ROWS: Final = 5_000
_KEPT_PROBLEMS: Final = 100
_SPOOL_ROWS: Final = 2_000

_log = logging.getLogger(__name__)

Progress = Callable[[Import], None]


class _Stopped(Exception):
    """The import is not this run's any more: somebody cancelled it."""


def run_import(*, import_id: int, progress: Progress | None = None) -> Import:
    """Bring an import in, from where it stands; return its record at the end.

    ``progress`` is called with the record after each batch. A file that turns out unreadable
    ends as `failed` with the reason. Raises Conflict when the import has ended or another
    process runs it, and Unavailable (the import can be run again) when the log takes no events.
    """
    with _hold(import_id) as held:
        if not held:
            raise Conflict(f"import {import_id} is being run by another process")
        _start(import_id)
        try:
            _run(get_import(import_id=import_id), progress)
        except _Stopped:
            _log.info("import %d was cancelled", import_id)
        except (Unavailable, psycopg.OperationalError):
            raise
        except Exception as error:
            _log.exception("import %d failed", import_id)
            _end(import_id, "failed", f"{type(error).__name__}: {error}"[:500])
        else:
            _end(import_id, "finished", "")
    return get_import(import_id=import_id)


def run_waiting_imports() -> int:
    """Run what is waiting, or was left by a process that is gone; return how many were run.

    Also deletes what is kept of imports that ended a week ago. Safe to call from several processes.
    """
    with transaction() as connection:
        waiting = [row[0] for row in connection.execute(_sql("import_waiting")).fetchall()]
    ran = 0
    for import_id in waiting:
        try:
            run_import(import_id=import_id)
            ran += 1
        except Conflict:
            continue
    return ran


def count_old_files(before: datetime) -> Removal:
    """Return what `delete_old_files` would delete."""
    files = _old_files(before)
    with transaction() as connection:
        row = connection.execute(_sql("import_problems_old"), [before]).fetchone()
    return _removal(files, row[0] if row else 0)


def delete_old_files(before: datetime) -> Removal:
    """Delete the files of imports that ended before a moment, with their rows that were left out.

    Return how many that is.
    """
    files = _old_files(before)
    with transaction() as connection:
        rows = connection.execute(_sql("import_problems_forget"), [before]).rowcount
    removed = _removal(files, rows)
    for path, _ in files:
        path.unlink(missing_ok=True)
    return removed


def _old_files(before: datetime) -> list[tuple[Path, datetime]]:
    names = {path.stem: path for path in import_folder().glob("*.csv")}
    with transaction() as connection:
        ended = connection.execute(_sql("import_forgotten"), [before]).fetchall()
    return [(names[str(row[0])], row[1]) for row in ended if str(row[0]) in names]


def _removal(files: list[tuple[Path, datetime]], rows: int) -> Removal:
    moments = [at for _, at in files]
    return Removal(
        rows=rows,
        tables={"store_import_problem": rows} if rows else {},
        files=len(files),
        size_bytes=sum(path.stat().st_size for path, _ in files),
        oldest_at=min(moments, default=None),
        newest_at=max(moments, default=None),
    )


@contextmanager
def _hold(import_id: int) -> Iterator[bool]:
    """Hold the import for this process; its end frees it, however it ends."""
    with psycopg.connect(conninfo("app"), autocommit=True) as connection:
        row = connection.execute(_sql("import_lock"), {"import_id": import_id}).fetchone()
        held = bool(row and row[0])
        yield held
        if held:  # said, since the server notices a closed connection a moment later
            connection.execute(_sql("import_unlock"), {"import_id": import_id})


def _start(import_id: int) -> None:
    with transaction() as connection:
        started = connection.execute(_sql("import_start"), {"import_id": import_id}).fetchone()
    if started is None:
        record = get_import(import_id=import_id)
        raise Conflict(f"import {import_id} has already {record.state}")


def _end(import_id: int, state: str, failure: str) -> None:
    values = {"import_id": import_id, "state": state, "failure": failure}
    with transaction() as connection:
        connection.execute(_sql("import_end"), values)


def _run(record: Import, progress: Progress | None) -> None:
    path = import_path(record.import_id)
    if not path.exists():
        raise Invalid("the file is not kept any more; import it anew")
    kind = find_connector(record.connector)
    layout = read_layout(path)
    problems = check_mapping(kind, layout.columns, record.mapping)
    if problems:
        raise Invalid(" ".join(problems))
    connector = kind(currency=settings().currency)
    done = record.rows_done
    groups = _skip_rows(_iter_groups(path, layout, kind, record), done)
    units = (make_unit(connector, layout.columns, record.mapping, group) for group in groups)
    for batch in _iter_batches(units):
        _append(record, batch, done)
        done += sum(len(unit.numbers) for unit in batch)
        if progress:
            progress(get_import(import_id=record.import_id))


def _skip_rows(groups: Iterator[list[RawRow]], done: int) -> Iterator[list[RawRow]]:
    """Pass over what an earlier run has brought in; it stopped between two groups."""
    while done > 0:
        group = next(groups, None)
        if group is None:
            return
        done -= len(group)
    yield from groups


def _iter_batches(units: Iterator[Unit]) -> Iterator[list[Unit]]:
    batch: list[Unit] = []
    events = size = rows = 0
    for unit in units:
        batch.append(unit)
        rows += len(unit.numbers)
        events += len(unit.events)
        size += sum(map(len, unit.events))
        if events >= _BATCH_EVENTS or size >= _BATCH_BYTES or rows >= _BATCH_ROWS:
            yield batch
            batch, events, size, rows = [], 0, 0, 0
    if batch:
        yield batch


def _append(record: Import, batch: list[Unit], rows_before: int) -> None:
    with transaction() as connection:
        outcome = take_units(connection, record.source_id, batch, is_dry_run=record.is_dry_run)
        _keep_problems(connection, record.import_id, outcome.problems)
        _count(connection, record.import_id, outcome, rows_before, batch)


def _keep_problems(connection: Connection, import_id: int, problems: list[ImportProblem]) -> None:
    if problems:
        values = {
            "import_id": import_id,
            "numbers": [problem.row for problem in problems],
            "reasons": [problem.reason for problem in problems],
        }
        connection.execute(_sql("import_problems_add"), values)


def _count(
    connection: Connection, import_id: int, outcome: Outcome, rows_before: int, batch: list[Unit]
) -> None:
    kept = outcome.problems[:_KEPT_PROBLEMS]
    values = {
        "import_id": import_id,
        "stored": outcome.stored,
        "duplicate": outcome.duplicate,
        "rejected": outcome.rejected,
        "rows": sum(len(unit.numbers) for unit in batch),
        "rows_before": rows_before,
        "problems": Jsonb([msgspec.to_builtins(problem) for problem in kept]),
        "keep": _KEPT_PROBLEMS,
    }
    if connection.execute(_sql("import_progress"), values).fetchone() is None:
        # Rolls the batch back: after a cancellation nothing more comes in.
        raise _Stopped


def _iter_groups(
    path: Path, layout: Layout, kind: type[Connector], record: Import
) -> Iterator[list[RawRow]]:
    """Read the rows one by one, or those of one group together, always in the same order."""
    rows = iter_rows(path, layout)
    if kind.group_by is None:
        return ([row] for row in rows)
    column = next(name for name, field in record.mapping.items() if field == kind.group_by)
    spool = import_folder() / f".spool-{record.import_id}"
    return _gather(rows, layout.columns.index(column), spool)


def _gather(rows: Iterator[RawRow], key_at: int, spool: Path) -> Iterator[list[RawRow]]:
    """Bring rows with the same key together through a file, so that memory stays small."""
    spool.unlink(missing_ok=True)
    try:
        with closing(sqlite3.connect(spool)) as table:
            table.execute("PRAGMA journal_mode = OFF")
            table.execute("PRAGMA synchronous = OFF")
            table.execute("CREATE TABLE row (key TEXT, number INTEGER, cells TEXT, problem TEXT)")
            while chunk := list(itertools.islice(rows, _SPOOL_ROWS)):
                table.executemany(
                    "INSERT INTO row VALUES (?, ?, ?, ?)", (_spooled(row, key_at) for row in chunk)
                )
            ordered = table.execute(
                "SELECT key, number, cells, problem FROM row ORDER BY key, number"
            )
            for key, found in itertools.groupby(ordered, key=lambda line: line[0]):
                group = [RawRow(n, msgspec.json.decode(cells), why) for _, n, cells, why in found]
                # Rows without a key do not belong together: each is bad by itself.
                yield from ([[row] for row in group] if key == "" else [group])
    finally:
        spool.unlink(missing_ok=True)


def _spooled(row: RawRow, key_at: int) -> tuple[str, int, str, str]:
    key = row.cells[key_at] if row.cells else ""
    return key, row.number, msgspec.json.encode(row.cells).decode(), row.problem


def _sql(name: str) -> bytes:
    return queries.load("amity.store")[name]
