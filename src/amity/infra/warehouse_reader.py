"""The process that runs DuckDB over the warehouse (rule D24), started for each query.

It reads one request from standard input, locks itself in, runs one SELECT and writes Arrow's
stream format to standard output. It can open nothing but the warehouse's folder, write nowhere,
reach no network, load no extension and unlock nothing; it dies with its parent.
"""

import signal
import sys
from pathlib import Path
from typing import Final

import duckdb
import msgspec
import pyarrow as pa

from amity.infra import sandbox
from amity.infra.process import die_with_parent

REFUSED: Final = 3
"""The exit code when the query is at fault; standard error says how."""
_MEGABYTE: Final = 2**20
_HEADROOM_BYTES: Final = 4 * 2**30
"""Address space beyond what DuckDB may hold: libraries, threads' stacks, Arrow."""
_MOST_FILES: Final = 4096
_BATCH_ROWS: Final = 65_536
_NEEDED: Final = (Path("/proc/self/cgroup"), Path("/sys/fs/cgroup"))
"""DuckDB looks there for how much memory there is, and dies when it may not."""


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be run, over which folder, within which bounds."""

    folder: str
    views: dict[str, str]
    """By name, the SELECT each table of the warehouse stands for."""
    sql: str
    functions: list[str] = []
    """Statements that make functions the query calls; written by the program, never by people."""
    seconds: float
    memory_bytes: int
    threads: int = 2


def main() -> int:
    """Answer the request on standard input; return the exit code."""
    die_with_parent(signal.SIGKILL)
    request = msgspec.json.decode(sys.stdin.buffer.read(), type=Request)
    try:
        _answer(request)
    except (duckdb.Error, pa.ArrowException, MemoryError) as error:
        sys.stderr.write(str(error) or type(error).__name__)
        return REFUSED
    return 0


def _answer(request: Request) -> None:
    reader = select(open_locked(request), request.sql)
    with pa.ipc.new_stream(sys.stdout.buffer, reader.schema) as out:
        for batch in reader:
            out.write_batch(batch)
    sys.stdout.buffer.flush()


def select(connection: duckdb.DuckDBPyConnection, sql: str) -> pa.RecordBatchReader:
    """Run one SELECT; raise duckdb.Error for anything else."""
    statements = connection.extract_statements(sql)
    if len(statements) != 1 or statements[0].type != duckdb.StatementType.SELECT:
        raise duckdb.PermissionException("one SELECT is all that can be asked")
    return connection.execute(statements[0]).to_arrow_reader(_BATCH_ROWS)


def open_locked(request: Request) -> duckdb.DuckDBPyConnection:
    """Lock this process in for good, and return DuckDB with the request's views, locked too."""
    folder = Path(request.folder).resolve()
    sandbox.limit(
        seconds=request.seconds,
        memory_bytes=request.memory_bytes + _HEADROOM_BYTES,
        files=_MOST_FILES,
    )
    sandbox.leave_network()
    sandbox.lock_files([folder, *_NEEDED])
    connection = duckdb.connect(
        ":memory:",
        config={
            "autoinstall_known_extensions": False,
            "autoload_known_extensions": False,
            "allow_community_extensions": False,
            "memory_limit": f"{request.memory_bytes // _MEGABYTE}MiB",
            "temp_directory": "",
            "threads": request.threads,
        },
    )
    quoted = str(folder).replace("'", "''")
    connection.execute(f"SET allowed_directories = ['{quoted}']")
    connection.execute("SET TimeZone = 'UTC'")
    connection.execute("SET enable_external_access = false")
    connection.execute("SET lock_configuration = true")
    for function in request.functions:
        connection.execute(function)
    for name, select in request.views.items():
        connection.execute(f'CREATE VIEW "{name}" AS {select}')
    return connection


if __name__ == "__main__":
    sys.exit(main())
