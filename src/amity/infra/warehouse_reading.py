"""Asking the warehouse: Ibis expressions become SQL here, and DuckDB runs it in a process of its
own (`warehouse_reader`), over the files of the manifest at that moment."""

import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any, Final

import ibis
import msgspec
import pyarrow as pa

from amity.infra.config import environment
from amity.infra.database import Connection, transaction
from amity.infra.warehouse import VERSION, ColumnKind, Shape, folder, load_shapes
from amity.infra.warehouse_files import FileRow, list_files, make_folder, path_of
from amity.infra.warehouse_reader import REFUSED, Request
from amity.kernel.errors import Invalid, Unavailable

Ended = Callable[[], bool]
"""Says whether nobody waits for an answer any more."""
MEMORY_BYTES: Final = 512 * 2**20
_MOST_BYTES: Final = 512 * 2**20
"""The most an answer may have."""
_TRIES: Final = 3
_GONE: Final = ("No such file", "No files found that match")
"""What DuckDB says of a file that is not there any more."""
_LOOK_SECONDS: Final = 0.5
_IBIS: Final[dict[ColumnKind, str]] = {
    "integer": "int64",
    "text": "string",
    "instant": "timestamp('UTC', 6)",
    "boolean": "boolean",
    "json": "string",
}
_DUCKDB: Final[dict[ColumnKind, str]] = {
    "integer": "BIGINT",
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
    sql = str(ibis.to_sql(expression, dialect="duckdb"))
    return run_sql(sql, seconds=seconds, ended=ended)


def run_sql(
    sql: str, *, seconds: float, functions: Sequence[str] = (), ended: Ended | None = None
) -> pa.Table:
    """Run one SELECT over the tables as they are now; ``functions`` are made for it before.

    A file that was replaced by another since the manifest was read is not missed: the manifest is
    read again.
    """
    for attempt in range(_TRIES):
        with transaction() as connection:
            views = read_views(connection)
        try:
            return ask(sql, views, seconds=seconds, functions=functions, ended=ended)
        except Invalid as error:
            is_gone = any(words in error.message for words in _GONE)
            if not is_gone or attempt == _TRIES - 1:
                raise
    raise AssertionError("the last try returns or raises")


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


def ask(
    sql: str,
    views: Mapping[str, str],
    *,
    seconds: float,
    functions: Sequence[str] = (),
    ended: Ended | None = None,
) -> pa.Table:
    """Run one SELECT over given views in a process that can do nothing else, and end it in time."""
    make_folder(folder())
    request = Request(
        folder=str(folder()),
        views=dict(views),
        sql=sql,
        functions=list(functions),
        seconds=seconds,
        memory_bytes=MEMORY_BYTES,
    )
    child = subprocess.Popen(  # our own interpreter and module
        [sys.executable, "-I", "-m", "amity.infra.warehouse_reader"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=_environment(),
    )
    try:
        answer, trouble = _wait(child, msgspec.json.encode(request), seconds, ended)
    finally:
        child.kill()
        with suppress(subprocess.TimeoutExpired):
            child.communicate(timeout=5)
    return _read_answer(child.returncode, answer, trouble)


def _wait(
    child: subprocess.Popen[bytes], request: bytes, seconds: float, ended: Ended | None
) -> tuple[bytes, bytes]:
    """Return what the process says; raise Unavailable when it is too late or not wanted."""
    deadline = time.monotonic() + seconds
    given: bytes | None = request
    while True:
        left = deadline - time.monotonic()
        if left <= 0:
            raise Unavailable(
                f"the query took longer than {seconds:g} seconds", code="query_too_long"
            )
        try:
            return child.communicate(given, timeout=min(left, _LOOK_SECONDS) if ended else left)
        except subprocess.TimeoutExpired:
            given = None
        if ended and ended():
            raise Unavailable("the query was ended: nobody waits for it", code="query_ended")


def _read_answer(code: int, answer: bytes, trouble: bytes) -> pa.Table:
    said = trouble.decode(errors="replace").strip()
    if code == REFUSED and "Out of Memory" in said:
        raise Unavailable("the query needs more memory than it may have", code="query_too_large")
    if code == REFUSED:
        raise Invalid(f"the query cannot be run: {said}", code="query_refused")
    if code:
        raise Unavailable("the query was ended: it asked for too much", code="query_too_large")
    if len(answer) > _MOST_BYTES:
        raise Invalid("the answer is too large; ask for less", code="query_too_large")
    with pa.ipc.open_stream(answer) as stream:
        return stream.read_all()


def _environment() -> dict[str, str]:
    """Return only what starting Python needs: no address, no secret."""
    return {k: v for k, v in environment().items() if k in {"PATH", "LANG", "LC_ALL"}}


def schema_of(shape: Shape) -> dict[str, Any]:
    """Return the columns of a table as Ibis knows them, its partition's `day` among them."""
    return {**{name: _IBIS[kind] for name, kind in shape.columns.items()}, "day": "date"}


def _quote(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
