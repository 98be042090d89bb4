"""Pytest fixtures: a real PostgreSQL once a session, a database as if fresh for each test.

What a test leaves is taken out again (`restoring`), and where that cannot be, the next test gets
another copy.
"""

import itertools
import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest
from psycopg import sql
from psycopg.rows import TupleRow

from amity.infra import config, database, postgres
from amity.infra.crypto import installation_secrets
from amity.testing import restoring

_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def server() -> Iterator[postgres.EmbeddedPostgres]:
    """A running embedded server with the migrated database `amity` as the template of all."""
    with (
        tempfile.TemporaryDirectory(prefix="amity-test-", ignore_cleanup_errors=True) as folder,
        config.override(data=folder, database_url="", disk_reserve_bytes=0),
    ):
        os.environ.pop("AMITY_DATABASE_URL", None)
        os.environ.pop("DATABASE_URL", None)
        config.settings.cache_clear()
        running = postgres.EmbeddedPostgres(Path(folder), installation_secrets())
        running.start()
        # What must outlive a power cut is tried on whole installations; here a fresh database is
        # a thousand files, each of which would be waited for.
        _switch(running, "fsync", is_on=False)
        # Each of its transactions, in whichever database, holds the log's readers back (ADR 3):
        # what a test has just sent would now and then not be there to be folded.
        _switch(running, "autovacuum", is_on=False)
        from amity.site.migrate import migrate  # noqa: PLC0415  # needs the settings above

        migrate()
        _close_django()
        database.close_pools()
        yield running
        database.close_pools()
        _close_django()
        running.stop()


def _switch(server: postgres.EmbeddedPostgres, setting: str, *, is_on: bool) -> None:
    name, word = sql.Identifier(setting), sql.SQL("on" if is_on else "off")
    with psycopg.connect(
        server.conninfo(postgres.OWNER, database="postgres"), autocommit=True
    ) as connection:
        connection.execute(sql.SQL("ALTER SYSTEM SET {} = {}").format(name, word))
        connection.execute("SELECT pg_reload_conf()")
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        with psycopg.connect(server.conninfo(postgres.OWNER, database="postgres")) as connection:
            row = connection.execute(sql.SQL("SHOW {}").format(name)).fetchone()
            if row == ("on" if is_on else "off",):
                return
        time.sleep(0.02)
    raise TimeoutError("the server did not read its settings again")


@pytest.fixture
def db_as_delivered(server: postgres.EmbeddedPostgres, db: str) -> Iterator[str]:
    """`db` on a server that waits for the disk, as everybody's does outside of tests."""
    _switch(server, "fsync", is_on=True)
    yield db
    _switch(server, "fsync", is_on=False)


@pytest.fixture
def db(server: postgres.EmbeddedPostgres) -> Iterator[str]:
    """A database of this test's own, migrated and empty; its name.

    Not made ahead in the background: any running transaction of the cluster, such as that of
    CREATE DATABASE, holds the log's readers back (ADR 3), and tests would wait for it.
    """
    with _fresh_database(server) as name:
        yield name


@pytest.fixture(scope="module")
def module_db(server: postgres.EmbeddedPostgres) -> Iterator[str]:
    """A database for all tests of a module, which then must not use `db`; its name."""
    with _fresh_database(server) as name:
        yield name


@dataclass
class _Spare:
    """A database a test is done with, as it was before that test; and what all are like."""

    name: str | None = None
    origin: restoring.Origin | None = None


_spare = _Spare()


@contextmanager
def _fresh_database(server: postgres.EmbeddedPostgres) -> Iterator[str]:
    # A name of its own each time: what an earlier test left running cannot write into it.
    name = f"test_{os.getpid()}_{next(_numbers)}"
    owner = server.conninfo(postgres.OWNER, database="postgres")
    database.close_pools()  # nobody may be in a database that is copied
    _close_django()
    with psycopg.connect(owner, autocommit=True) as connection:
        _make(connection, name)
        if _spare.origin is None:
            with psycopg.connect(
                server.conninfo(postgres.OWNER, database=name), autocommit=True
            ) as inside:
                _spare.origin = restoring.remember(inside)
        # Another database under the same file would be a restored one, which sends nothing.
        (server.data / "sending.json").unlink(missing_ok=True)
        # Nor would the consent ledger be the one whose heads were signed.
        for file in ("consent_head.json", "consent_heads.jsonl", "erasures.jsonl"):
            (server.data / file).unlink(missing_ok=True)
        database.use_database(name)
        _point_django_at(name)
        yield name
        _close_django()
        database.close_pools()
        database.use_database(postgres.DATABASE)
        _point_django_at(postgres.DATABASE)
        _put_back(server, connection, name)


def _make(connection: psycopg.Connection[TupleRow], name: str) -> None:
    """Give the spare database a new name, or copy another from the template."""
    if _spare.name is not None:
        spare, _spare.name = sql.Identifier(_spare.name), None
        try:
            connection.execute(
                sql.SQL("ALTER DATABASE {} RENAME TO {}").format(spare, sql.Identifier(name))
            )
        except psycopg.errors.ObjectInUse:  # by what an earlier test left running
            connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(spare))
        else:
            return
    connection.execute(
        sql.SQL("CREATE DATABASE {} TEMPLATE {} STRATEGY file_copy").format(
            sql.Identifier(name), sql.Identifier(postgres.DATABASE)
        )
    )


def _put_back(
    server: postgres.EmbeddedPostgres, connection: psycopg.Connection[TupleRow], name: str
) -> None:
    """Keep the database for the next test if it can be made as it was; else drop it."""
    inside = server.conninfo(postgres.OWNER, database=name)
    with suppress(psycopg.Error), psycopg.connect(inside, autocommit=True) as owner:
        assert _spare.origin is not None
        if _spare.name is None and restoring.restore(owner, _spare.origin):
            _spare.name = name
    if _spare.name != name:
        connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


def _point_django_at(name: str) -> None:
    from django.db import connections  # noqa: PLC0415  # needs the settings of `server`

    for alias in ("default", "owner"):
        connections[alias].close()
        connections[alias].settings_dict["NAME"] = name


def _close_django() -> None:
    from django.db import connections  # noqa: PLC0415  # needs the settings of `server`

    connections.close_all()
