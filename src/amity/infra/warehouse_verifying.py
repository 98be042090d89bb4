"""Comparing the warehouse with what it was made from, row by row in effect: counts and checksums.

Both sides write each row as the same text and add up a part of its MD5: PostgreSQL over the source,
DuckDB over the files, by day. The source is read in the snapshot in which the last slice was
exported, so both sides are of the same moment however busy the installation is.
"""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Final

import msgspec
import psycopg

from amity.infra.database import Connection, transaction
from amity.infra.warehouse import SQL, ColumnKind, Export
from amity.infra.warehouse_files import (
    UNDATED,
    FileRow,
    delete_files,
    hash_file,
    list_files,
    path_of,
)
from amity.infra.warehouse_reading import ask, view
from amity.infra.warehouse_rewriting import prune, source_keys
from amity.infra.warehouse_turns import draw_token, turn
from amity.infra.warehouse_writing import export_all, record, write_slice
from amity.kernel.errors import Unavailable

_TRIES: Final = 20
_SECONDS: Final = 1800.0
_MOST_NAMED: Final = 20
_IDS: Final = "ids of events"
# Seventeen digits tell any two numbers apart. What is no number at all is only told from those.
_SQL_TEXT: Final[dict[ColumnKind, str]] = {
    "integer": "{0}::text",
    "number": "CASE WHEN abs({0}) < 'Infinity' THEN "
    "trim(to_char({0}, '9.9999999999999999EEEE')) WHEN {0} IS NOT NULL THEN 'none' END",
    "text": "{0}::text",
    "instant": "(extract(epoch FROM {0}) * 1000000)::bigint::text",
    "boolean": "CASE WHEN {0} THEN 't' ELSE 'f' END",
    "json": "{0}::text",
}
_DUCKDB_TEXT: Final[dict[ColumnKind, str]] = {
    "integer": "{0}::VARCHAR",
    "number": "CASE WHEN isfinite({0}) THEN format('{{:.16e}}', {0}) "
    "WHEN {0} IS NOT NULL THEN 'none' END",
    "text": "{0}",
    "instant": "epoch_us({0})::VARCHAR",
    "boolean": "CASE WHEN {0} THEN 't' ELSE 'f' END",
    "json": "{0}",
}

Sums = dict[str, tuple[int, str]]
"""By day, how many rows and the sum of their checksums."""
LogDays = Callable[[Connection], Sums]


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """Something of the warehouse that is not as it should be."""

    table: str
    day: str
    """"" where it concerns no single day."""
    message: str


class Verification(msgspec.Struct, frozen=True, kw_only=True):
    """What a comparison found."""

    verified_at: datetime
    is_clean: bool
    rows: dict[str, int]
    """Rows that hold, by table."""
    files: int
    differences: list[Difference]
    """The first of them."""
    difference_count: int


class _Moment(msgspec.Struct, frozen=True):
    """Both sides as of one snapshot."""

    source: dict[str, Sums]
    log: Sums
    files: list[FileRow]


def verify(exports: Sequence[Export], *, log_days: LogDays, now: datetime) -> Verification:
    """Bring the warehouse up to date and compare it with its source and with its manifest.

    ``log_days`` gives the event log's own counts and sums of ids of what came from outside, which
    the events must have too.
    The result is kept, to be shown. Cost grows with the warehouse. Raises Unavailable when another
    writer does not come to an end.
    """
    export_all(exports)
    moment = _take_moment(exports, log_days)
    differences = _check_files(moment.files)
    if not differences:
        sums = _sum_files(exports, moment.files)
        for export in exports:
            differences += _differ(export.name, moment.source[export.name], sums[export.name])
        differences += _differ("events", moment.log, sums[_IDS], where="the log")
    rows = {name: sum(count for count, _ in sums.values()) for name, sums in moment.source.items()}
    done = Verification(
        verified_at=now,
        is_clean=not differences,
        rows=rows,
        files=len(moment.files),
        differences=differences[:_MOST_NAMED],
        difference_count=len(differences),
    )
    given = {"at": now, "clean": done.is_clean, "report": msgspec.json.encode(done).decode()}
    with transaction() as connection:
        connection.execute(SQL["warehouse_keep_verification"], given)
    return done


def prune_all(exports: Sequence[Export]) -> dict[str, int]:
    """Take rows out of the files that the source has no more; return how many went by table."""
    return {export.name: _prune(export) for export in exports}


def _prune(export: Export) -> int:
    token = draw_token()
    with turn() as connection:
        row = connection and connection.execute(SQL["warehouse_state"], [export.name]).fetchone()
        if connection is None or not row or not row[0]:
            return 0
        before = sum(file.rows for file in list_files(connection, export.name))
        keys = source_keys(connection, export, row[0])
        old = prune(connection, export, keys, token=token)
        after = sum(file.rows for file in list_files(connection, export.name))
    delete_files(old)
    return before - after


def _take_moment(exports: Sequence[Export], log_days: LogDays) -> _Moment:
    """Export the rest and read the source's sums, both in one snapshot."""
    for _ in range(_TRIES):
        token = draw_token()
        try:
            with turn(is_snapshot=True) as connection:
                if connection is None:
                    break
                slices = []
                for export in exports:
                    made = write_slice(connection, export, token=token, limit=2**31)
                    slices += [made] if made is not None else []
                source = {export.name: _sum_source(connection, export) for export in exports}
                log = log_days(connection)
                record(connection, slices)
                files = list_files(connection)
        except psycopg.errors.SerializationFailure:
            continue
        delete_files([file for made in slices for file in made.replaced])
        return _Moment(source, log, files)
    raise Unavailable("another process writes the warehouse now; try again in a minute")


def _check_files(files: Sequence[FileRow]) -> list[Difference]:
    found = []
    for file in files:
        place = path_of(file)
        if not place.is_file():
            message = f"{file.path} is missing"
        elif hash_file(place) != file.sha256:
            message = f"{file.path} is not what was written"
        else:
            continue
        found.append(Difference(table=file.export, day=f"{file.day}", message=message))
    return found


def _differ(table: str, wanted: Sums, found: Sums, where: str = "the source") -> list[Difference]:
    differences = []
    for day in sorted(wanted.keys() | found.keys()):
        there, here = wanted.get(day, (0, "0")), found.get(day, (0, "0"))
        if there[0] != here[0]:
            message = f"{here[0]} rows here, {there[0]} in {where}"
        elif there[1] != here[1]:
            message = f"{here[0]} rows here are not those in {where}"
        else:
            continue
        differences.append(Difference(table=table, day=day, message=message))
    return differences


def _sum_source(connection: Connection, export: Export) -> Sums:
    shape = export.shape
    day = f"(s.\"{shape.day}\" AT TIME ZONE 'UTC')::date" if shape.day else "NULL::date"
    text = _row_text(export, _SQL_TEXT)
    head = (
        f"SELECT coalesce({day}, DATE '{UNDATED}')::text, count(*), "  # noqa: S608
        f"sum(('x' || left(md5({text}), 15))::bit(60)::bigint)::text FROM ("
    )
    query = head.encode() + export.source + b") AS s GROUP BY 1"
    rows = connection.execute(query, {"upto": 2**62}).fetchall()
    return {day: (count, total) for day, count, total in rows}


def _sum_files(exports: Sequence[Export], files: Sequence[FileRow]) -> dict[str, Sums]:
    """Return the sums of all tables, and under `_IDS` those of the events' ids, in one query."""
    views = {
        export.name: view(export.shape, [file for file in files if file.export == export.name])
        for export in exports
    }
    parts = [_files_query(export) for export in exports]
    parts.append(
        f"SELECT '{_IDS}' AS what, day::VARCHAR AS day, count(*) AS n, "  # noqa: S608
        "sum(event_id)::VARCHAR AS total FROM events WHERE source_id <> 1 GROUP BY 2"
    )
    answer = ask(" UNION ALL ".join(parts), views, seconds=_SECONDS).to_pylist()
    sums: dict[str, Sums] = {name: {} for name in (*views, _IDS)}
    for row in answer:
        sums[row["what"]][row["day"]] = (row["n"], row["total"])
    return sums


def _files_query(export: Export) -> str:
    shape = export.shape
    day = f's."{shape.day}"::DATE' if shape.day else "NULL::DATE"
    text = _row_text(export, _DUCKDB_TEXT)
    return (
        f"SELECT '{export.name}' AS what, coalesce({day}, DATE '{UNDATED}')::VARCHAR AS day, "  # noqa: S608
        f"count(*) AS n, sum(('0x' || left(md5({text}), 15))::BIGINT)::VARCHAR AS total "
        f'FROM "{export.name}" AS s GROUP BY 2'
    )


def _row_text(export: Export, written: dict[ColumnKind, str]) -> str:
    """Return a row of `s` as one text; what is derived outside SQL is left out."""
    columns = [
        f"coalesce({written[kind].format(f's.{chr(34)}{name}{chr(34)}')}, '\\N')"
        for name, kind in export.shape.columns.items()
        if name not in export.derived
    ]
    return f"concat_ws(chr(31), {', '.join(columns)})"
