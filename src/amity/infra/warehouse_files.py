"""Parquet files of the warehouse on disk: written, synced, renamed, and only then in the manifest.

A file that is not in the manifest is no part of the warehouse: it was written by a process that
died, or replaced by another, and is swept away. Its name ends with a number that is drawn for each
turn of a writer, so that one that was paused can never write over another's file.
"""

import hashlib
import os
from collections.abc import Iterator, Sequence
from datetime import date, datetime
from pathlib import Path
from typing import Any, Final

import msgspec
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from amity.infra import warehouse
from amity.infra.database import Connection
from amity.infra.warehouse import SQL, VERSION, ColumnKind, Shape

UNDATED: Final = date(1970, 1, 1)
"""The partition of rows whose instant is not known."""

_DRAFTS: Final = ".drafts"
_ROWS_A_GROUP: Final = 100_000
_TYPES: Final[dict[ColumnKind, pa.DataType]] = {
    "integer": pa.int64(),
    "number": pa.float64(),
    "text": pa.string(),
    "instant": pa.timestamp("us", tz="UTC"),
    "boolean": pa.bool_(),
    "json": pa.string(),
}


class FileRow(msgspec.Struct, frozen=True, kw_only=True):
    """One file as the manifest knows it."""

    path: str
    """Below the warehouse's folder."""
    export: str
    day: date
    after: int
    upto: int
    rows: int
    size_bytes: int
    sha256: bytes
    least_at: datetime | None
    greatest_at: datetime | None
    least_subject: int | None
    greatest_subject: int | None


def schema_of(shape: Shape) -> pa.Schema:
    """Return the columns of a table's files."""
    fields = [pa.field(name, _TYPES[kind]) for name, kind in shape.columns.items()]
    if shape.changes:
        fields.append(pa.field(VERSION, pa.int64()))
    return pa.schema(fields)


def list_files(connection: Connection, name: str | None = None) -> list[FileRow]:
    """Return the files of the warehouse, or of one of its tables, in order of day and cursor."""
    rows = connection.execute(SQL["warehouse_files"], {"name": name}).fetchall()
    return [FileRow(**dict(zip(FileRow.__struct_fields__, row, strict=True))) for row in rows]


def add_files(connection: Connection, files: Sequence[FileRow]) -> None:
    """Make files part of the warehouse when the caller's transaction commits."""
    for file in files:
        connection.execute(SQL["warehouse_add"], list(msgspec.structs.astuple(file)))


def drop_files(connection: Connection, files: Sequence[FileRow]) -> None:
    """Take files out of the warehouse when the caller's transaction commits."""
    connection.execute(SQL["warehouse_drop"], [[file.path for file in files]])


def path_of(file: FileRow) -> Path:
    """Return where a file lies."""
    return warehouse.folder() / file.path


def delete_files(files: Sequence[FileRow]) -> None:
    """Delete files that are no part of the warehouse any more."""
    for file in files:
        path_of(file).unlink(missing_ok=True)


def sweep(connection: Connection) -> int:
    """Delete what is not in the manifest; return how many files. Its caller holds the lock.

    The manifest must be read after the lock was taken, by a statement that sees what the last
    holder committed (READ COMMITTED).
    """
    kept = {file.path for file in list_files(connection)}
    root = warehouse.folder()
    gone = 0
    for folder, _, names in os.walk(root):
        for name in names:
            path = Path(folder) / name
            if str(path.relative_to(root)) not in kept:
                path.unlink(missing_ok=True)
                gone += 1
    return gone


def read_batches(file: FileRow, columns: list[str] | None = None) -> Iterator[pa.RecordBatch]:
    """Read a file a piece at a time."""
    with pq.ParquetFile(path_of(file)) as opened:
        yield from opened.iter_batches(batch_size=_ROWS_A_GROUP, columns=columns)


class PartWriter:
    """Writes one file of a table: a draft, synced and renamed when it is finished."""

    def __init__(self, name: str, shape: Shape, day: date, *, span: tuple[int, int, int]) -> None:
        self._name = name
        self._shape = shape
        self.day = day
        self._span = span
        after, upto, token = span
        self._path = f"{name}/day={day:%Y-%m-%d}/part-{after:019d}-{upto:019d}-{token}.parquet"
        self._bounds = _Bounds(shape)
        drafts = warehouse.folder() / _DRAFTS
        make_folder(drafts)
        self._draft = drafts / f"{name}-{day:%Y-%m-%d}-{token}.parquet"
        self._writer = pq.ParquetWriter(
            self._draft, schema_of(shape), compression="zstd", write_statistics=True
        )

    @property
    def rows(self) -> int:
        """How many rows were written."""
        return self._bounds.rows

    def abandon(self) -> None:
        """Delete the draft."""
        self._writer.close()
        self._draft.unlink(missing_ok=True)

    def write(self, table: pa.Table) -> None:
        """Add rows."""
        self._bounds.see(table)
        self._writer.write_table(table, row_group_size=_ROWS_A_GROUP)

    def finish(self) -> FileRow:
        """Bring the file to its place, so that a power cut cannot take it back; describe it."""
        self._writer.close()
        with self._draft.open("rb") as file:
            os.fsync(file.fileno())
            digest = hashlib.file_digest(file, "sha256").digest()
        place = warehouse.folder() / self._path
        make_folder(place.parent)
        size = self._draft.stat().st_size
        os.replace(self._draft, place)
        sync_folder(place.parent)
        after, upto, _ = self._span
        return FileRow(
            path=self._path,
            export=self._name,
            day=self.day,
            after=after,
            upto=upto,
            rows=self._bounds.rows,
            size_bytes=size,
            sha256=digest,
            least_at=self._bounds.least.get("at"),
            greatest_at=self._bounds.greatest.get("at"),
            least_subject=self._bounds.least.get("subject"),
            greatest_subject=self._bounds.greatest.get("subject"),
        )


class _Bounds:
    """How many rows a file has, and between which instants and subjects they lie."""

    def __init__(self, shape: Shape) -> None:
        self._columns = {
            kind: column
            for kind, column in (("at", shape.day), ("subject", shape.subject))
            if column
        }
        self.rows = 0
        self.least: dict[str, Any] = {}
        self.greatest: dict[str, Any] = {}

    def see(self, table: pa.Table) -> None:
        self.rows += table.num_rows
        for kind, column in self._columns.items():
            found = pc.min_max(table[column]).as_py()
            for bounds, which, better in (
                (self.least, "min", min),
                (self.greatest, "max", max),
            ):
                values = [v for v in (found[which], bounds.get(kind)) if v is not None]
                bounds[kind] = better(values, default=None)


def make_folder(path: Path) -> None:
    """Make a folder, private to this account, such that it outlives a power cut."""
    if path.is_dir():
        return
    make_folder(path.parent)
    path.mkdir(mode=0o700, exist_ok=True)
    sync_folder(path.parent)


def sync_folder(path: Path) -> None:
    """Bring a folder's list of names to the disk."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def hash_file(path: Path) -> bytes:
    """Return the SHA-256 of what lies on the disk."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").digest()
