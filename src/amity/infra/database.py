"""The one way to PostgreSQL: pools of connections by role, transactions, safety checks.

Every engine uses `transaction()`; nothing here loads Django, so the edge can use it too.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from typing import Any, Final, Literal

import msgspec
import psycopg
from psycopg.rows import TupleRow
from psycopg.types.json import set_json_dumps, set_json_loads
from psycopg_pool import ConnectionPool, PoolTimeout

from amity.infra import postgres
from amity.infra.config import settings
from amity.infra.crypto import installation_secrets
from amity.kernel.errors import Unavailable

Role = Literal["owner", "app", "readonly"]
Connection = psycopg.Connection[TupleRow]

set_json_loads(msgspec.json.decode)
set_json_dumps(msgspec.json.encode)

_ROLES: Final[dict[Role, str]] = {
    "owner": postgres.OWNER,
    "app": postgres.APP,
    "readonly": postgres.READONLY,
}
# Milliseconds. The owner migrates, so it may take its time; nobody waits for a lock for long.
_STATEMENT_TIMEOUT: Final[dict[Role, int]] = {"owner": 0, "app": 120_000, "readonly": 20_000}
_LOCK_TIMEOUT: Final = 10_000
_POOL_SIZE: Final = 8
_ACQUIRE_SECONDS: Final = 10.0
# The database the embedded server's roles connect to; tests point it at their own copy.
_database_name: str = postgres.DATABASE
# The connection whose transaction the app's units of work join, while there is one.
_joined: ContextVar[Connection | None] = ContextVar("joined", default=None)


def conninfo(role: Role = "app") -> str:
    """Return how to connect as ``role``, with its time-outs in it.

    With DATABASE_URL every role is the one given there: the operator decides what it may do.
    """
    options = (
        f"-c statement_timeout={_STATEMENT_TIMEOUT[role]} -c lock_timeout={_LOCK_TIMEOUT} "
        "-c idle_in_transaction_session_timeout=60000 -c timezone=UTC"
    )
    if role == "readonly":
        options += " -c default_transaction_read_only=on"
    extra: dict[str, Any] = {
        "options": options,
        "application_name": f"amity-{role}",
        "connect_timeout": 5,
        "tcp_user_timeout": 10_000,
        # Who waits for an answer hears within half a minute that nobody is there any more.
        "keepalives_idle": 10,
        "keepalives_interval": 5,
        "keepalives_count": 3,
    }
    url = settings().database_url
    if url:
        return psycopg.conninfo.make_conninfo(url, **extra)
    server = postgres.EmbeddedPostgres(settings().data, installation_secrets())
    base = server.conninfo(_ROLES[role], database=_database_name)
    return psycopg.conninfo.make_conninfo(base, **extra)


@cache
def pool(role: Role = "app") -> ConnectionPool[Connection]:
    """Return this process's pool for ``role``, opened on first use."""
    made: ConnectionPool[Connection] = ConnectionPool(
        conninfo(role),
        min_size=0,
        max_size=_POOL_SIZE,
        timeout=_ACQUIRE_SECONDS,
        max_idle=60,
        check=ConnectionPool.check_connection,
        open=False,
        name=f"amity-{role}",
    )
    made.open()
    return made


@contextmanager
def transaction(role: Role = "app") -> Iterator[Connection]:
    """Open one unit of work: committed at the end, rolled back when anything is raised.

    Raises Unavailable when PostgreSQL cannot be reached.
    """
    joined = _joined.get() if role == "app" else None
    if joined is not None:
        with joined.transaction():
            yield joined
        return
    try:
        # Begun in so many words, so that an inner `connection.transaction()` is a savepoint.
        with pool(role).connection() as connection, connection.transaction():
            yield connection
    except PoolTimeout as error:
        raise Unavailable("the database cannot be reached now") from error


@contextmanager
def joining(connection: Connection) -> Iterator[None]:
    """Let the app's units of work inside be part of the caller's transaction: all or none."""
    token = _joined.set(connection)
    try:
        yield
    finally:
        _joined.reset(token)


def close_pools() -> None:
    """Close this process's pools: at its end, or when the database behind them changes."""
    for role in _ROLES:
        if pool.cache_info().currsize:
            pool(role).close()
    pool.cache_clear()


def use_database(name: str) -> None:
    """Point this process at another database of the embedded server, as tests do."""
    global _database_name  # noqa: PLW0603  # one process, one database
    close_pools()
    _database_name = name


def database_name() -> str:
    """Return the name of the database this process uses on the embedded server."""
    return _database_name


class UnsafeSetting(msgspec.Struct, frozen=True):
    """A PostgreSQL setting under which an acknowledged event could be lost."""

    name: str
    value: str
    wanted: str


def find_unsafe_settings() -> list[UnsafeSetting]:
    """Return what is wrong with the server's durability (rule D2); empty when all is well."""
    wanted = {
        "fsync": {"on"},
        "full_page_writes": {"on"},
        "synchronous_commit": {"on", "local", "remote_write", "remote_apply"},
        "data_checksums": {"on"},
    }
    with transaction() as connection:
        rows = connection.execute(
            "SELECT name, setting FROM pg_settings WHERE name = ANY(%s)", [list(wanted)]
        ).fetchall()
    return [
        UnsafeSetting(name=name, value=value, wanted=sorted(wanted[name])[0])
        for name, value in rows
        if value not in wanted[name]
    ]
