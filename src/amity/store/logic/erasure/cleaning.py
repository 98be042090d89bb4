"""The space of deleted rows: what was erased still lies in unused parts of PostgreSQL's files.

A vacuum frees that space without overwriting it, so tables up to a size are written anew
(`VACUUM FULL`), each day of the log by itself; that locks a table for about a second in 64 MB.
Larger tables are vacuumed: their freed space is overwritten as it is used, and until then it can
be read only by who holds the disk, by no query and no dump. The receipt's record says which, until
an operator has them written anew at an hour of their choosing (`clean_large`).
"""

from collections.abc import Callable
from datetime import datetime
from typing import Final

import psycopg
from psycopg import sql

from amity.infra import database, queries
from amity.infra.data_map import list_erased_tables
from amity.infra.database import transaction
from amity.kernel.errors import Unavailable

_SQL: Final = queries.load("amity.store")
_LARGEST: Final = 64 * 2**20
_PATIENCE: Final = "2s"


def clean_space(*, now: datetime) -> int:
    """Write the tables anew that erasures deleted from; return how many erasures that settles.

    What is locked by somebody else for long is left for the next turn.
    """
    with transaction() as connection:
        ids = [row[0] for row in connection.execute(_SQL["erasure_unclean"])]
        if not ids:
            return 0
        names = [*list_erased_tables(), "store_import", "store_import_problem", "store_pull"]
        parts = connection.execute(_SQL["erasure_parts"], [names, names]).fetchall()
    large = [name for name, size in parts if size > _LARGEST]
    try:
        _vacuum([name for name, _ in parts], set(large))
    except psycopg.errors.LockNotAvailable:
        return 0
    with transaction() as connection:
        connection.execute(_SQL["erasure_cleaned"], {"now": now, "ids": ids, "large": large})
    return len(ids)


def list_large() -> dict[str, int]:
    """Return the tables that erasures only vacuumed, with their sizes in bytes."""
    with transaction() as connection:
        return dict(connection.execute(_SQL["erasure_large"]).fetchall())


def clean_large(*, progress: Callable[[str, int], None] | None = None) -> list[str]:
    """Write the tables anew that were too large to do so in passing; return which.

    Each is locked while it is written, for about a second in 64 MB, and the disk must have room
    for its copy: an operator says when. ``progress`` hears each name and size before its turn.
    Raises Unavailable when a table is in use for long.
    """
    done = []
    for name, size in list_large().items():
        if progress:
            progress(name, size)
        try:
            _vacuum([name], set())
        except psycopg.errors.LockNotAvailable as error:
            raise Unavailable(f"{name} is in use; try again at a quieter time") from error
        with transaction() as connection:
            connection.execute(_SQL["erasure_written_anew"], [name])
        done.append(name)
    return done


def write_anew(names: list[str]) -> None:
    """Write tables anew, those that are large only by vacuuming; raises LockNotAvailable."""
    with transaction() as connection:
        parts = connection.execute(_SQL["erasure_parts"], [[], names]).fetchall()
    _vacuum([name for name, _ in parts], {name for name, size in parts if size > _LARGEST})


def _vacuum(names: list[str], large: set[str]) -> None:
    # VACUUM is for the owner, and outside of transactions.
    with psycopg.connect(database.conninfo("owner"), autocommit=True) as connection:
        connection.execute(sql.SQL("SET lock_timeout = {}").format(sql.Literal(_PATIENCE)))
        for name in names:
            way = "ANALYZE" if name in large else "FULL, ANALYZE"
            connection.execute(sql.SQL("VACUUM ({}) {}").format(sql.SQL(way), sql.Identifier(name)))
        row = connection.execute(
            "SELECT rolsuper FROM pg_roles WHERE rolname = current_user"
        ).fetchone()
        if row is not None and row[0]:
            # Frequent values are kept for planning, and the database's last pages in the journal.
            connection.execute("VACUUM (FULL) pg_catalog.pg_statistic")
            connection.execute("CHECKPOINT")
