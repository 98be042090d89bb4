"""COPY from an event loop, at little cost: for those who copy thousands of times a second.

psycopg's own copy is a tower of generators that goes to the loop at each step, which for a few rows
costs several times what PostgreSQL needs for them. Here the same libpq calls are made in a row,
and the loop is asked only where there is something to wait for.
"""

import asyncio
from typing import Any, Final

import psycopg
from psycopg import errors
from psycopg.pq import ExecStatus
from psycopg.pq.abc import PGconn, PGresult

_ENCODING: Final = "utf-8"


async def copy_in(
    connection: psycopg.AsyncConnection[Any], statement: bytes, content: bytes
) -> None:
    """Copy in all of it, as a transaction of its own when none is open; raises psycopg's errors.

    Nobody else may use the connection meanwhile. Broken off in between it cannot be used again.
    """
    waiter = _Waiter(connection.pgconn)
    try:
        await waiter.copy(statement, content)
    finally:
        waiter.release()


class _Waiter:
    """One conversation with the server over a connection's socket."""

    def __init__(self, pgconn: PGconn) -> None:
        self._pgconn = pgconn
        self._loop = asyncio.get_running_loop()
        self._socket = pgconn.socket
        self._moved: asyncio.Future[None] | None = None
        self._loop.add_reader(self._socket, self._move)

    def release(self) -> None:
        """Leave the socket to others."""
        self._loop.remove_reader(self._socket)

    async def copy(self, statement: bytes, content: bytes) -> None:
        """Say the statement, send what is to be copied, hear that it is committed."""
        pgconn = self._pgconn
        pgconn.send_query(statement)
        await self._flush()
        begun = await self._result()
        if begun is None or begun.status != ExecStatus.COPY_IN:
            raise await self._fault(begun)
        while not pgconn.put_copy_data(content):
            await self._flush()
        while not pgconn.put_copy_end():
            await self._flush()
        await self._flush()
        done = await self._result()
        if done is None or done.status != ExecStatus.COMMAND_OK:
            raise await self._fault(done)
        await self._drain()

    async def _flush(self) -> None:
        while self._pgconn.flush():
            self._loop.add_writer(self._socket, self._move)
            try:
                await self._wait()
            finally:
                self._loop.remove_writer(self._socket)
            # A server that has something to say may not read before it was heard.
            self._pgconn.consume_input()

    async def _result(self) -> PGresult | None:
        while self._pgconn.is_busy():
            await self._wait()
            self._pgconn.consume_input()
        return self._pgconn.get_result()

    async def _drain(self) -> None:
        while await self._result() is not None:
            pass

    async def _fault(self, result: PGresult | None) -> psycopg.Error:
        """Leave the conversation; return what went wrong in it."""
        if result is None:
            return errors.OperationalError("the server ended the copy without a word")
        await self._drain()
        return errors.error_from_result(result, _ENCODING)

    async def _wait(self) -> None:
        self._moved = self._loop.create_future()
        await self._moved

    def _move(self) -> None:
        moved = self._moved
        if moved is not None and not moved.done():
            moved.set_result(None)
