"""COPY by plain libpq calls: committed when it returns, and of use again after what was refused."""

import asyncio
from typing import Any

import psycopg
import pytest

from amity.infra import database
from amity.infra.copying import copy_in
from amity.infra.grouping import connect

STATEMENT = b"COPY spot (number) FROM STDIN"


async def _count(connection: psycopg.AsyncConnection[Any]) -> int:
    row = await (await connection.execute("SELECT count(*) FROM spot")).fetchone()
    assert row is not None
    number: int = row[0]
    return number


@pytest.mark.parametrize(
    ("statement", "content", "error"),
    [
        (STATEMENT, b"1\nx\n", psycopg.DataError),
        (STATEMENT, b"1\n" + b"x\n" * 2_000_000, psycopg.DataError),
        (b"COPY nowhere FROM STDIN", b"1\n", psycopg.errors.UndefinedTable),
        (b"SELECT 1", b"1\n", psycopg.Error),
    ],
)
def test_what_is_refused_leaves_nothing_and_harms_nobody(
    db: str, statement: bytes, content: bytes, error: type[psycopg.Error]
) -> None:
    async def talk() -> None:
        connection = await connect(database.conninfo("owner"))
        await connection.execute("CREATE TABLE spot (number integer)")
        await copy_in(connection, STATEMENT, b"1\n2\n")
        with pytest.raises(error):
            await copy_in(connection, statement, content)
        assert await _count(connection) == 2
        await copy_in(connection, STATEMENT, b"3\n")
        assert await _count(connection) == 3
        await connection.close()

    asyncio.run(talk())


def test_more_than_a_socket_takes_at_once_arrives(db: str) -> None:
    async def talk() -> None:
        connection = await connect(database.conninfo("owner"))
        await connection.execute("CREATE TABLE spot (number integer)")
        await copy_in(connection, STATEMENT, b"12\n" * 1_500_000)
        assert await _count(connection) == 1_500_000
        await connection.close()

    asyncio.run(talk())


def test_a_connection_that_breaks_is_told(db: str) -> None:
    async def talk() -> None:
        connection = await connect(database.conninfo("owner"))
        other = await connect(database.conninfo("owner"))
        await other.execute("SELECT pg_terminate_backend(%s)", [connection.info.backend_pid])
        with pytest.raises(psycopg.OperationalError):
            await copy_in(connection, STATEMENT, b"1\n")
        assert connection.broken
        await connection.close()
        await other.close()

    asyncio.run(talk())
