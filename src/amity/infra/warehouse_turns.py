"""One writer at a time: whose turn it is to write the warehouse, and the number it writes under."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from amity.infra.database import Connection, transaction
from amity.infra.warehouse import SQL

_TURN_SECONDS: Final = 60.0
_WAIT_SECONDS: Final = 0.1


@contextmanager
def turn(*, waits: bool = True, is_snapshot: bool = False) -> Iterator[Connection | None]:
    """Take the writer's turn until the transaction ends; None when another has it for too long.

    With ``is_snapshot`` every statement sees the database as at the first one; then the commit
    fails when another writer came in between.
    """
    until = time.monotonic() + (_TURN_SECONDS if waits else 0)
    while True:
        with transaction() as connection:
            if is_snapshot:
                connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
            connection.execute("SET LOCAL statement_timeout = '30min'")
            connection.execute("SET LOCAL idle_in_transaction_session_timeout = '10min'")
            if _one(connection, "warehouse_lock"):
                yield connection
                return
        if time.monotonic() >= until:
            yield None
            return
        time.sleep(_WAIT_SECONDS)


def draw_token() -> int:
    """Draw a number no other writer has, in a transaction of its own: it writes."""
    with transaction() as connection:
        token: int = _one(connection, "warehouse_token")
    return token


def _one(connection: Connection, query: str) -> Any:
    row = connection.execute(SQL[query]).fetchone()
    assert row is not None
    return row[0]
