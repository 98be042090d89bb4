"""The warehouse: what an engine exports, how much there is, and forgetting.

Rows lie in plain Parquet, `DATA/warehouse/<table>/day=<day>/part-….parquet`. The manifest in the
database says which files are the warehouse: one writer adds files and progress in one transaction,
so every row is there once, whatever dies. This module is light, so that engines can declare what
they export; `warehouse_writing` writes, `warehouse_reading` answers Ibis expressions.
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, Final, Literal

import msgspec

from amity.infra import queries
from amity.infra.config import settings
from amity.infra.database import Connection, transaction

ColumnKind = Literal["integer", "number", "text", "instant", "boolean", "json"]

# How PostgreSQL writes each kind, so that it is read here, and compared there, without a doubt.
WRITTEN: Final[dict[ColumnKind, str]] = {
    "integer": "{0}::bigint",
    "number": "{0}::double precision",
    "text": "{0}::text",
    "instant": "(extract(epoch FROM {0}) * 1000000)::bigint",
    "boolean": "{0}::boolean",
    "json": "{0}::text",
}
SQL: Final = queries.load("amity.infra")
ENDED: Final = "query_ended"
"""The code of an answer that nobody waited for any more."""
VERSION: Final = "_version"
"""The column that says which of several versions of a row holds."""


class Shape(msgspec.Struct, frozen=True, kw_only=True):
    """The columns of a table of the warehouse, and what they are for."""

    columns: dict[str, ColumnKind]
    """In the order in which the queries select them. JSON is kept as text, instants in UTC."""
    key: str
    """Tells one row from another; of a table that changes, what is replaced together."""
    present: str
    """A column without which a row only says that nothing has its key any more."""
    day: str = ""
    """The instant whose day (UTC) is the partition; "" = the day the row is written."""
    subject: str = ""
    """The column with the profile a row is about."""
    others: tuple[str, ...] = ()
    """Columns with further profiles: a row goes when one of them is erased."""
    changes: bool = False
    """Whether rows change: then all rows of a key of the latest version hold, and no older one."""


class Export(msgspec.Struct, frozen=True, kw_only=True):
    """What an engine exports: a table of the warehouse, and the SQL that fills it.

    The queries take `%(after)s`, `%(upto)s` and `%(limit)s`, the cursor being a bigint of the
    engine's choosing that never leaves anything behind it (rule D12): a position of the activities,
    or a transaction id below all that are still running.
    """

    name: str
    shape: Shape
    horizon: bytes
    """How far the next slice goes: one bigint, NULL when there is nothing to do."""
    rows: bytes
    """The rows of a slice; of a table that changes, all rows of the keys touched in it, and for a
    key that has none any more one row with nothing but the key (`note_gone`)."""
    source: bytes
    """All rows that must be in the warehouse when it has come to `upto`, for comparison."""
    moved: bytes = b""
    """Subjects of whom earlier rows may be somebody else's since this slice."""
    owners: bytes = b""
    """Given `%(subjects)s`: key and subject of the rows they and those joined with them have."""
    derived: Mapping[str, Callable[[str], str]] = {}
    """Text columns made from what the query gives, which SQL cannot read."""


class TableStatus(msgspec.Struct, frozen=True, kw_only=True):
    """One table of the warehouse as the manifest knows it."""

    name: str
    files: int
    days: int
    rows: int
    """Rows in the files, superseded versions included."""
    size_bytes: int
    cursor: int
    lag_seconds: float | None
    """How long ago it was last known to hold everything; None when it never was."""


class Status(msgspec.Struct, frozen=True, kw_only=True):
    """The warehouse in numbers."""

    is_on: bool
    folder: str
    lag_seconds: float | None
    """The greatest of the tables'; None while a table has never been complete."""
    files: int
    rows: int
    size_bytes: int
    forgetting: int
    """Erasures not carried out in the files yet."""
    verified_at: datetime | None
    is_clean: bool | None
    """What the last comparison with the source said."""
    tables: list[TableStatus]


def folder() -> Path:
    """Return the folder of the warehouse, which need not exist yet."""
    return settings().data / "warehouse"


def status(*, now: datetime) -> Status:
    """Return how much lies in the warehouse and how far it is behind, from the manifest alone."""
    with transaction() as connection:
        exports = connection.execute(SQL["warehouse_exports"]).fetchall()
        sizes = {row[0]: row[1:] for row in connection.execute(SQL["warehouse_sizes"])}
        asked = connection.execute(SQL["warehouse_asked"], [0]).fetchall()
        verified = connection.execute(SQL["warehouse_verified"]).fetchone()
    tables = [_table(row, sizes.get(row[0], (0, 0, 0, 0)), now) for row in exports]
    lags = [table.lag_seconds for table in tables]
    return Status(
        is_on=settings().warehouse == "on",
        folder=str(folder()),
        lag_seconds=max((lag for lag in lags if lag is not None), default=None)
        if None not in lags
        else None,
        files=sum(table.files for table in tables),
        rows=sum(table.rows for table in tables),
        size_bytes=sum(table.size_bytes for table in tables),
        forgetting=len(asked),
        verified_at=verified[0] if verified else None,
        is_clean=verified[1] if verified else None,
        tables=tables,
    )


def _table(row: tuple[Any, ...], sizes: tuple[Any, ...], now: datetime) -> TableStatus:
    name, _, cursor, _, complete_at = row
    files, rows, size_bytes, days = sizes
    lag = None if complete_at is None else max((now - complete_at).total_seconds(), 0.0)
    return TableStatus(
        name=name,
        files=files,
        days=days,
        rows=rows,
        size_bytes=size_bytes,
        cursor=cursor,
        lag_seconds=lag,
    )


def load_shapes(connection: Connection) -> dict[str, Shape]:
    """Return the shapes of all tables the warehouse has."""
    rows = connection.execute(SQL["warehouse_exports"]).fetchall()
    return {row[0]: msgspec.json.decode(row[1], type=Shape) for row in rows}


def start_over(connection: Connection, names: list[str]) -> None:
    """Forget what was exported of some tables, in the caller's transaction: it is written anew.

    Their files are no part of the warehouse from then on, and are deleted by its writer.
    """
    connection.execute(SQL["warehouse_start_over"], {"names": names})


def ask_to_forget(connection: Connection, profile_ids: list[int]) -> None:
    """Note in the transaction of an erasure that these profiles' rows must go from the files.

    Should the process die before it calls `warehouse_rewriting.forget`, the worker does.
    """
    connection.execute(SQL["warehouse_ask"], [profile_ids])
    connection.execute(SQL["warehouse_forget_gone"], [profile_ids])
