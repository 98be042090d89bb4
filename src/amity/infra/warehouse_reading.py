"""Asking the warehouse: Ibis expressions become SQL here, and DuckDB runs it in a process of its
own (`warehouse_session`), over the files of the manifest at that moment."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import ibis
import pyarrow as pa

from amity.infra.database import Connection, transaction
from amity.infra.warehouse import VERSION, ColumnKind, Shape, load_shapes
from amity.infra.warehouse_files import FileRow, list_files, path_of
from amity.infra.warehouse_session import Ended, Session

_IBIS: Final[dict[ColumnKind, str]] = {
    "integer": "int64",
    "number": "float64",
    "text": "string",
    "instant": "timestamp('UTC', 6)",
    "boolean": "boolean",
    "json": "string",
}
_DUCKDB: Final[dict[ColumnKind, str]] = {
    "integer": "BIGINT",
    "number": "DOUBLE",
    "text": "VARCHAR",
    "instant": "TIMESTAMPTZ",
    "boolean": "BOOLEAN",
    "json": "VARCHAR",
}


def tables() -> dict[str, ibis.Table]:
    """Return the warehouse's tables as Ibis expressions, by name.

    Each has a column `day` besides its own: the partition, by which less need be read.
    """
    with transaction() as connection:
        shapes = load_shapes(connection)
    return {name: ibis.table(schema_of(shape), name=name) for name, shape in shapes.items()}


def query(expression: ibis.Expr, *, seconds: float = 30.0, ended: Ended | None = None) -> pa.Table:
    """Run an Ibis expression over `tables()` in a locked-down process; return its rows.

    Raises Unavailable when it takes longer than ``seconds`` or more memory than it may, or when
    ``ended``, asked twice a second, says that nobody waits any more; Invalid when DuckDB refuses
    it. Starting the process costs about half a second.
    """
    return run_sql(_to_sql(expression), seconds=seconds, ended=ended)


def run_sql(
    sql: str, *, seconds: float, functions: Sequence[str] = (), ended: Ended | None = None
) -> pa.Table:
    """Run one SELECT over the tables as they are now; ``functions`` are made for it before."""
    with Session(load_views, seconds=seconds, functions=functions, ended=ended) as session:
        return session.run(sql)


def ask(sql: str, views: Mapping[str, str], *, seconds: float) -> pa.Table:
    """Run one SELECT over given views."""
    with Session(lambda: views, seconds=seconds) as session:
        return session.run(sql)


class Reading:
    """The warehouse's tables, asked one question after another in one process."""

    def __init__(self, *, seconds: float, ended: Ended | None = None) -> None:
        self._session = Session(load_views, seconds=seconds, ended=ended)
        self.tables = tables()

    def __enter__(self) -> "Reading":
        self._session.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self._session.__exit__()

    def run(self, expression: ibis.Table) -> pa.Table:
        """Run an expression over `tables`, and over what was kept, and return its rows."""
        return self._session.run(_to_sql(expression))

    def keep(self, name: str, expression: ibis.Table) -> None:
        """Compute an expression once, to be a table of that name until the end."""
        self._session.keep(name, _to_sql(expression))


def load_views() -> dict[str, str]:
    """Return what each table stands for now."""
    with transaction() as connection:
        return read_views(connection)


def read_views(connection: Connection) -> dict[str, str]:
    """Return what each table stands for, from the manifest as the caller's transaction sees it."""
    files: dict[str, list[FileRow]] = {}
    for file in list_files(connection):
        files.setdefault(file.export, []).append(file)
    shapes = load_shapes(connection)
    return {name: view(shape, files.get(name, [])) for name, shape in shapes.items()}


def view(shape: Shape, files: Iterable[FileRow]) -> str:
    """Return the SELECT of a table's rows as they hold, each with its partition's `day`."""
    paths = ", ".join(_quote(str(path_of(file))) for file in files)
    columns = [f'"{name}"' for name in shape.columns]
    if not paths:
        empty = [f'NULL::{_DUCKDB[kind]} AS "{name}"' for name, kind in shape.columns.items()]
        return f"SELECT {', '.join(empty)}, NULL::DATE AS day WHERE false"
    read = f"read_parquet([{paths}], hive_partitioning = true, hive_types = {{'day': DATE}})"
    chosen = ", ".join(f"r.{column}" for column in (*columns, "day"))
    if not shape.changes:
        return f"SELECT {chosen} FROM {read} AS r"  # noqa: S608  # our own names and files
    heads = f'SELECT "{shape.key}", max({VERSION}) AS latest FROM {read} GROUP BY 1'  # noqa: S608
    return (
        f"SELECT {chosen} FROM {read} AS r JOIN ({heads}) AS h "  # noqa: S608
        f'ON r."{shape.key}" = h."{shape.key}" AND r.{VERSION} = h.latest '
        f'WHERE r."{shape.present}" IS NOT NULL'
    )


def schema_of(shape: Shape) -> dict[str, Any]:
    """Return the columns of a table as Ibis knows them, its partition's `day` among them."""
    return {**{name: _IBIS[kind] for name, kind in shape.columns.items()}, "day": "date"}


def _to_sql(expression: ibis.Expr) -> str:
    return str(ibis.to_sql(expression, dialect="duckdb"))


def _quote(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
