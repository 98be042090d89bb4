"""The process that runs DuckDB over the warehouse (rule D24), started for each session.

It reads a request from standard input, a line of JSON, and locks itself in; then it answers one
question a line, each one SELECT, in pieces of Arrow's stream format on standard output. It can open
nothing but the warehouse's folder, write nowhere but where it puts what does not fit into memory,
reach no network, load no extension and unlock nothing; it dies with its parent.
"""

import io
import signal
import struct
import sys
from pathlib import Path
from typing import IO, TYPE_CHECKING, Final

import duckdb
import msgspec
import pyarrow as pa

from amity.infra import sandbox
from amity.infra.process import die_with_parent

if TYPE_CHECKING:
    from typing_extensions import Buffer

HEAD: Final = "=cQ"
"""What stands before each piece of an answer: its kind and its length."""
DATA: Final = b"d"
END: Final = b"z"
REFUSAL: Final = b"e"
"""The question is at fault, or too large; the piece says how."""
_PIECE: Final = 2**20
_MEGABYTE: Final = 2**20
_HEADROOM_BYTES: Final = 4 * 2**30
"""Address space beyond what DuckDB may hold: libraries, threads' stacks, Arrow."""
_MOST_FILES: Final = 4096
_BATCH_ROWS: Final = 65_536
_NEEDED: Final = (Path("/proc/self/cgroup"), Path("/sys/fs/cgroup"))
"""DuckDB looks there for how much memory there is, and dies when it may not."""


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """Over which folder questions will be asked, within which bounds."""

    folder: str
    views: dict[str, str]
    """By name, the SELECT each table of the warehouse stands for."""
    functions: list[str] = []
    """Statements that make functions the query calls; written by the program, never by people."""
    seconds: float
    """For all questions together."""
    memory_bytes: int
    spill: str = ""
    """The folder for what does not fit into memory; "" = it must fit."""
    spill_bytes: int = 0
    threads: int = 2


class Ask(msgspec.Struct, frozen=True, kw_only=True):
    """One question."""

    sql: str
    keep: str = ""
    """Keep the rows as a table of this name, and answer nothing."""
    views: dict[str, str] = {}
    """What stands for the tables from now on; {} = as before."""


def main() -> int:
    """Answer the questions on standard input; return the exit code."""
    die_with_parent(signal.SIGKILL)
    request = msgspec.json.decode(sys.stdin.buffer.readline(), type=Request)
    out = _Pieces(sys.stdout.buffer)
    connection = open_locked(request)
    for line in sys.stdin.buffer:
        question = msgspec.json.decode(line, type=Ask)
        try:
            make_views(connection, question.views)
            _answer(connection, question, out)
        except (duckdb.Error, pa.ArrowException, MemoryError) as error:
            out.send(REFUSAL, (str(error) or type(error).__name__).encode())
    return 0


def _answer(connection: duckdb.DuckDBPyConnection, question: Ask, out: "_Pieces") -> None:
    if question.keep:
        name = question.keep.replace('"', '""')
        one_select(connection, question.sql)
        connection.execute(f'CREATE OR REPLACE TEMP TABLE "{name}" AS {question.sql}')
    else:
        reader = select(connection, question.sql)
        with io.BufferedWriter(out, _PIECE) as sink, pa.ipc.new_stream(sink, reader.schema) as file:
            for batch in reader:
                file.write_batch(batch)
    out.send(END, b"")


class _Pieces(io.RawIOBase):
    """Writes answers in pieces, so that their end can be told and something said after it."""

    def __init__(self, out: IO[bytes]) -> None:
        self._out = out

    def writable(self) -> bool:
        return True

    def write(self, data: "Buffer") -> int:
        piece = bytes(data)
        self.send(DATA, piece)
        return len(piece)

    def send(self, kind: bytes, piece: bytes) -> None:
        """Write one piece at once."""
        self._out.write(struct.pack(HEAD, kind, len(piece)) + piece)
        self._out.flush()

    def close(self) -> None:
        """Stay open: the next answer comes."""


def one_select(connection: duckdb.DuckDBPyConnection, sql: str) -> duckdb.Statement:
    """Return the one SELECT a text is; raise duckdb.Error for anything else."""
    statements = connection.extract_statements(sql)
    if len(statements) != 1 or statements[0].type != duckdb.StatementType.SELECT:
        raise duckdb.PermissionException("one SELECT is all that can be asked")
    return statements[0]


def select(connection: duckdb.DuckDBPyConnection, sql: str) -> pa.RecordBatchReader:
    """Run one SELECT; raise duckdb.Error for anything else."""
    return connection.execute(one_select(connection, sql)).to_arrow_reader(_BATCH_ROWS)


def open_locked(request: Request) -> duckdb.DuckDBPyConnection:
    """Lock this process in for good, and return DuckDB with the request's views, locked too."""
    folder = Path(request.folder).resolve()
    sandbox.limit(
        seconds=request.seconds,
        memory_bytes=request.memory_bytes + _HEADROOM_BYTES,
        files=_MOST_FILES,
        file_bytes=request.spill_bytes,
    )
    sandbox.leave_network()
    spill = [Path(request.spill).resolve()] if request.spill else []
    sandbox.lock_files([folder, *_NEEDED], spill)
    connection = duckdb.connect(
        ":memory:",
        config={
            "autoinstall_known_extensions": False,
            "autoload_known_extensions": False,
            "allow_community_extensions": False,
            "memory_limit": f"{request.memory_bytes // _MEGABYTE}MiB",
            "temp_directory": request.spill,
            "threads": request.threads,
        },
    )
    if request.spill:
        connection.execute(f"SET max_temp_directory_size = '{request.spill_bytes}B'")
    quoted = str(folder).replace("'", "''")
    connection.execute(f"SET allowed_directories = ['{quoted}']")
    connection.execute("SET TimeZone = 'UTC'")
    connection.execute("SET enable_external_access = false")
    connection.execute("SET lock_configuration = true")
    for function in request.functions:
        connection.execute(function)
    make_views(connection, request.views)
    return connection


def make_views(connection: duckdb.DuckDBPyConnection, views: dict[str, str]) -> None:
    """Let names stand for SELECTs from now on."""
    for name, text in views.items():
        connection.execute(f'CREATE OR REPLACE VIEW "{name}" AS {text}')


if __name__ == "__main__":
    sys.exit(main())
