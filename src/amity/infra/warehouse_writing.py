"""Exporting: each slice becomes files, and then part of the warehouse, in one transaction.

The slice is read in a snapshot of its own; the files are written and synced while that snapshot is
open; then manifest and cursor move together. Until the end the transaction only reads, so it holds
no reader of the log back. Whoever dies on the way leaves files that are in no manifest.
"""

import io
from collections.abc import Iterator, Sequence
from datetime import date
from typing import Any, Final

import msgspec
import psycopg
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv

from amity.infra import warehouse_rewriting
from amity.infra.database import Connection
from amity.infra.warehouse import SQL, VERSION, WRITTEN, ColumnKind, Export, Shape, start_over
from amity.infra.warehouse_files import (
    UNDATED,
    FileRow,
    PartWriter,
    add_files,
    delete_files,
    drop_files,
    schema_of,
    sweep,
)
from amity.infra.warehouse_turns import draw_token, turn
from amity.kernel.errors import Unavailable

SLICE_ROWS: Final = 50_000
_BLOCK_BYTES: Final = 8 * 2**20
"""One row must fit in: an event of the greatest size does many times."""
_DAY: Final = "_day"

_READ: Final[dict[ColumnKind, pa.DataType]] = {
    "integer": pa.int64(),
    "number": pa.float64(),
    "text": pa.string(),
    "instant": pa.int64(),
    "boolean": pa.bool_(),
    "json": pa.string(),
}


class Slice(msgspec.Struct, frozen=True, kw_only=True):
    """What one export of a stretch came to: files that are there, but not in the manifest yet."""

    export: Export
    after: int
    upto: int
    version: int
    added: list[FileRow]
    replaced: list[FileRow]
    """Files of before that others stand in for, since their rows changed hands."""

    @property
    def rows(self) -> int:
        """How many rows were exported."""
        return sum(file.rows for file in self.added) - sum(file.rows for file in self.replaced)


def export_all(exports: Sequence[Export], *, limit: int = SLICE_ROWS) -> dict[str, int]:
    """Export everything there is; return how many rows were written for each table.

    Raises Unavailable when another writer does not come to an end.
    """
    return {export.name: _drain(export, limit) for export in exports}


def _drain(export: Export, limit: int) -> int:
    total = 0
    while True:
        done = export_slice(export, limit=limit)
        if done is None:
            raise Unavailable("another process writes the warehouse now")
        rows, is_all = done
        total += rows
        if is_all:
            return total


def export_slice(
    export: Export, *, limit: int = SLICE_ROWS, waits: bool = True
) -> tuple[int, bool] | None:
    """Export one slice; return how many rows it had and whether that was all there is.

    None when another writer has the turn, or had it just now.
    """
    token = draw_token()
    try:
        with turn(waits=waits, is_snapshot=True) as connection:
            if connection is None:
                return None
            began = connection.execute("SELECT now()").fetchone()
            made = write_slice(connection, export, token=token, limit=limit)
            if made is not None:
                record(connection, [made])
            is_all = made is None or has_no_more(connection, export, made.upto)
            if is_all and began:
                connection.execute(SQL["warehouse_complete"], [began[0], [export.name]])
    except psycopg.errors.SerializationFailure:
        return None
    if made is not None:
        delete_files(made.replaced)
    return (made.rows if made else 0), is_all


def has_no_more(connection: Connection, export: Export, upto: int) -> bool:
    """Say whether nothing lies behind a cursor, in the caller's snapshot."""
    given = {"after": upto, "limit": 1}
    row = connection.execute(export.horizon, given).fetchone()
    return row is None or row[0] is None or row[0] <= upto


def ensure_exports(exports: Sequence[Export]) -> None:
    """Make the tables known to the warehouse; one whose shape is another by now begins anew."""
    with turn() as connection:
        if connection is None:
            raise Unavailable("another process writes the warehouse now")
        for export in exports:
            shape = msgspec.json.encode(export.shape).decode()
            row = connection.execute(SQL["warehouse_state"], [export.name]).fetchone()
            if row is not None and _as_written_now(row[2]) != shape:
                start_over(connection, [export.name])
                row = None
            if row is None:
                connection.execute(SQL["warehouse_register"], [export.name, shape])


def _as_written_now(shape: str) -> str:
    """Return a shape that was kept earlier as it is written now, when there is more to say."""
    return msgspec.json.encode(msgspec.json.decode(shape, type=Shape)).decode()


def write_slice(
    connection: Connection, export: Export, *, token: int, limit: int = SLICE_ROWS
) -> Slice | None:
    """Write the files of the next slice; None when there is nothing to export.

    The caller holds the turn and a snapshot, and records the slice.
    """
    row = connection.execute(SQL["warehouse_state"], [export.name]).fetchone()
    if row is None:
        return None
    after, version = row[0], row[1] + 1
    found = connection.execute(export.horizon, {"after": after, "limit": limit}).fetchone()
    if found is None or found[0] is None or found[0] <= after:
        return None
    given = {"after": after, "upto": found[0], "limit": limit}
    added = _write_files(connection, export, given, version=version, token=token)
    replaced: list[FileRow] = []
    if export.moved:
        subjects = [each[0] for each in connection.execute(export.moved, given)]
        if subjects:
            replaced, instead = warehouse_rewriting.move(connection, export, subjects, token=token)
            added += instead
    return Slice(
        export=export, after=after, upto=found[0], version=row[1], added=added, replaced=replaced
    )


def record(connection: Connection, slices: Sequence[Slice]) -> None:
    """Make slices part of the warehouse when the caller's transaction commits.

    Raises SerializationFailure when another writer was there first.
    """
    for made in slices:
        given = {
            "name": made.export.name,
            "after": made.after,
            "upto": made.upto,
            "version": made.version,
        }
        if connection.execute(SQL["warehouse_advance"], given).rowcount != 1:
            raise psycopg.errors.SerializationFailure("another writer has gone on")
        drop_files(connection, made.replaced)
        add_files(connection, made.added)


def sweep_leftovers() -> int:
    """Delete files that are not in the manifest, unless somebody is writing now."""
    with turn(waits=False) as connection:
        return 0 if connection is None else sweep(connection)


def copy_query(export: Export, query: bytes) -> bytes:
    """Return the COPY that gives a query's rows as CSV, by day."""
    shape = export.shape
    columns = [WRITTEN[kind].format(f'r."{name}"') for name, kind in shape.columns.items()]
    day = f"(r.\"{shape.day}\" AT TIME ZONE 'UTC')::date" if shape.day else "current_date"
    selected = ", ".join([*columns, f"coalesce({day}, DATE '{UNDATED}')"])
    order = f'{len(columns) + 1}, r."{shape.key}"'
    head = f"COPY (SELECT {selected} FROM (".encode()  # noqa: S608  # our own names only
    return head + query + f") AS r ORDER BY {order}) TO STDOUT (FORMAT csv)".encode()


def _write_files(
    connection: Connection, export: Export, given: dict[str, Any], *, version: int, token: int
) -> list[FileRow]:
    files: list[FileRow] = []
    span = (given["after"], given["upto"], token)
    writer: PartWriter | None = None
    try:
        for day, table in _by_day(_read_rows(connection, export, given), export, version):
            if writer is None or day != writer.day:
                if writer is not None:
                    files.append(writer.finish())
                writer = PartWriter(export.name, export.shape, day, span=span)
            writer.write(table)
        return [*files, writer.finish()] if writer is not None else []
    except BaseException:
        if writer is not None:
            writer.abandon()
        raise


def _read_rows(
    connection: Connection, export: Export, given: dict[str, Any]
) -> Iterator[pa.RecordBatch]:
    kinds = export.shape.columns
    with connection.cursor().copy(copy_query(export, export.rows), given) as copy:
        source = _CopyFile(copy)
        if source.is_empty:
            return
        yield from csv.open_csv(
            source,
            read_options=csv.ReadOptions(
                use_threads=False, block_size=_BLOCK_BYTES, column_names=[*kinds, _DAY]
            ),
            parse_options=csv.ParseOptions(newlines_in_values=True),
            convert_options=csv.ConvertOptions(
                column_types={**{n: _READ[k] for n, k in kinds.items()}, _DAY: pa.date32()},
                null_values=[""],
                strings_can_be_null=True,
                quoted_strings_can_be_null=False,
                true_values=["t"],
                false_values=["f"],
            ),
        )


def _by_day(
    batches: Iterator[pa.RecordBatch], export: Export, version: int
) -> Iterator[tuple[date, pa.Table]]:
    schema = schema_of(export.shape)
    for batch in batches:
        table = pa.Table.from_batches([batch])
        days = table[_DAY]
        for day in pc.unique(days):
            rows = table.filter(pc.equal(days, day)).drop_columns([_DAY])
            for name, derive in export.derived.items():
                made = [None if v is None else derive(v) for v in rows[name].to_pylist()]
                place = rows.column_names.index(name)
                rows = rows.set_column(place, name, pa.array(made, pa.string()))
            if export.shape.changes:
                versions = pa.array([version] * rows.num_rows, pa.int64())
                rows = rows.append_column(VERSION, versions)
            yield day.as_py(), rows.cast(schema)


class _CopyFile(io.RawIOBase):
    """A COPY as a file to read from; PostgreSQL gives it row by row."""

    def __init__(self, copy: psycopg.Copy) -> None:
        self._copy = copy
        self._held = bytearray(copy.read())
        self._is_over = not self._held

    def readable(self) -> bool:
        return True

    @property
    def is_empty(self) -> bool:
        """Whether there was no row at all."""
        return self._is_over and not self._held

    def read(self, size: int = -1) -> bytes:
        while not self._is_over and (size < 0 or len(self._held) < size):
            piece = self._copy.read()
            self._is_over = not piece
            self._held += piece
        given = bytes(self._held if size < 0 else self._held[:size])
        del self._held[: len(given)]
        return given
