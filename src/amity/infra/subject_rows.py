"""Rows about one person, of any table the data map names a subject of, in bounded memory.

Whoever hands out a copy of somebody's data goes by the map: a table that is new is in the next
copy without anybody remembering it.
"""

import base64
from collections.abc import Iterator, Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Final
from uuid import UUID, uuid4

import msgspec
from psycopg import sql
from psycopg.rows import dict_row

from amity.infra.data_map import HeldTable
from amity.infra.database import Connection
from amity.kernel.clock import format_instant

_AT_ONCE: Final = 500

Rows = tuple[list[str], Iterator[dict[str, Any]]]


def iter_subject_rows(connection: Connection, table: HeldTable, ids: list[int]) -> Rows:
    """Return the columns of a table and, one after the other, its rows about these profiles."""
    query = sql.SQL("SELECT * FROM {} WHERE {} = ANY (%s::bigint[])").format(
        sql.Identifier(table.name), sql.Identifier(table.subject)
    )
    return iter_rows(connection, query, [ids])


def iter_rows(
    connection: Connection, query: sql.Composed | bytes, values: list[Any] | Mapping[str, Any]
) -> Rows:
    """Return the columns of a query and its rows as plain values, some hundred in memory at once.

    The rows are to be read before the caller's transaction ends.
    """
    cursor = connection.cursor(name=f"rows_{uuid4().hex}", row_factory=dict_row)
    cursor.itersize = _AT_ONCE
    cursor.execute(query, values)
    columns = [column.name for column in cursor.description or ()]

    def rows() -> Iterator[dict[str, Any]]:
        with cursor:
            for row in cursor:
                yield {name: to_plain(value) for name, value in row.items()}

    return columns, rows()


def to_plain(value: Any) -> Any:
    """Return a value as JSON can say it; bytes are text, else msgpack, else base64."""
    if isinstance(value, datetime):
        return format_instant(value)
    if isinstance(value, UUID | Decimal | date):
        return str(value)
    if isinstance(value, bytes | memoryview):
        return _read_bytes(bytes(value))
    if isinstance(value, list | tuple):
        return [to_plain(each) for each in value]
    if isinstance(value, dict):
        return {str(name): to_plain(each) for name, each in value.items()}
    return value


def _read_bytes(raw: bytes) -> Any:
    try:
        return msgspec.to_builtins(msgspec.msgpack.decode(raw))
    except (msgspec.MsgspecError, ValueError, RecursionError):
        pass
    try:
        text = raw.decode()
    except ValueError:
        return base64.b64encode(raw).decode()
    return text if text.isprintable() or "\n" in text else base64.b64encode(raw).decode()
