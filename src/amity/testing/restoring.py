"""A test's database brought back to what the migrations left, far quicker than another copy.

A copy is a thousand files, a test writes to a dozen tables. What cannot be brought back so, as
after a changed table or function, is told: then another copy has to be made.
"""

import time
from dataclasses import dataclass
from typing import Any, Final, LiteralString

from psycopg import Connection, sql

_SESSIONS_SECONDS: Final = 20.0
# Two catalogues with the same rows have the same writers; pg_class is rewritten by TRUNCATE too,
# so of it only what describes a relation counts.
_BY_WRITER: Final[tuple[LiteralString, ...]] = (
    *("pg_attribute", "pg_attrdef", "pg_constraint", "pg_trigger", "pg_proc", "pg_type"),
    *("pg_index", "pg_rewrite", "pg_inherits", "pg_policy", "pg_extension", "pg_event_trigger"),
)
_SHAPE: Final[LiteralString] = """
    SELECT 'pg_class', count(*), sum(hashtextextended(concat_ws(' ', oid, relname, relnamespace,
        relowner, relacl, reloptions, relkind, relpersistence, relhastriggers), 0))
    FROM pg_class
    UNION ALL SELECT 'pg_namespace', count(*), sum(xmin::text::numeric) FROM pg_namespace
    WHERE nspname !~ '^pg_(toast_)?temp_'
    UNION ALL SELECT 'pg_db_role_setting', count(*), NULL FROM pg_db_role_setting
    WHERE setdatabase = (SELECT oid FROM pg_database WHERE datname = current_database())
"""
_WRITTEN: Final[LiteralString] = """
    SELECT oid::regclass::text FROM pg_class
    WHERE relkind = 'r' AND oid >= 16384 AND pg_relation_size(oid) > 0
      AND relnamespace <> 'information_schema'::regnamespace
"""
_SEQUENCES: Final[LiteralString] = """
    SELECT quote_ident(schemaname) || '.' || quote_ident(sequencename), last_value, start_value
    FROM pg_sequences
"""
_END_SESSIONS: Final[LiteralString] = """
    SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid()
"""


@dataclass(frozen=True)
class Origin:
    """What a database held before anybody used it."""

    shape: list[tuple[Any, ...]]
    seeds: dict[str, bytes]
    marks: dict[str, str]
    sequences: dict[str, int | None]


def remember(connection: Connection[Any]) -> Origin:
    """Note down what a migrated database is like."""
    seeds = {name: _read(connection, name) for name in _written(connection)}
    return Origin(
        shape=_shape(connection),
        seeds=seeds,
        marks=_marks(connection, list(seeds)),
        sequences={name: last for name, last, _ in connection.execute(_SEQUENCES)},
    )


def restore(connection: Connection[Any], origin: Origin) -> bool:
    """Bring the database back to its origin; False when that takes another copy of it.

    ``connection`` is a superuser's, outside of a transaction; all others' sessions are ended.
    """
    deadline = time.monotonic() + _SESSIONS_SECONDS
    while (connection.execute(_END_SESSIONS).fetchone() or (0,))[0]:
        if time.monotonic() > deadline:
            return False
        time.sleep(0.002)
    if _shape(connection) != origin.shape:
        return False
    with connection.transaction():
        # Neither a foreign key nor a table that only grows may keep it from being emptied.
        connection.execute("SET LOCAL session_replication_role = replica")
        _empty(connection, [name for name in _written(connection) if name not in origin.seeds])
        _sow(connection, origin)
        _rewind(connection, origin)
    return _marks(connection, list(origin.seeds)) == origin.marks


def _shape(connection: Connection[Any]) -> list[tuple[Any, ...]]:
    counted = [
        f"SELECT '{name}', count(*), sum(xmin::text::numeric) FROM {name}"  # noqa: S608  # ours
        for name in _BY_WRITER
    ]
    query = " UNION ALL ".join([_SHAPE, *counted])
    return sorted(connection.execute(query.encode()).fetchall())


def _written(connection: Connection[Any]) -> list[str]:
    return [name for (name,) in connection.execute(_WRITTEN)]


def _read(connection: Connection[Any], name: str) -> bytes:
    command = f"COPY {name} TO STDOUT"
    with connection.cursor().copy(command.encode()) as copy:
        return b"".join(bytes(block) for block in copy)


def _marks(connection: Connection[Any], names: list[str]) -> dict[str, str]:
    """Return a fingerprint of the rows of each table, in the order they lie in."""
    query = " UNION ALL ".join(
        f"SELECT '{name}', md5(coalesce(string_agg(t::text, ' ' ORDER BY ctid), '')) FROM {name} t"  # noqa: S608  # of the catalogue
        for name in names
    )
    return dict(connection.execute(query.encode()).fetchall()) if names else {}


def _empty(connection: Connection[Any], names: list[str]) -> None:
    if not names:
        return
    connection.execute(
        "DELETE FROM pg_statistic WHERE starelid = ANY(%s::text[]::regclass[]::oid[])", [names]
    )
    connection.execute(f"TRUNCATE {', '.join(names)} CASCADE".encode())


def _sow(connection: Connection[Any], origin: Origin) -> None:
    """Write again what the migrations had written, where that is no longer what it was."""
    _empty(connection, _changed(connection, origin))
    for name in _changed(connection, origin):
        with connection.cursor().copy(f"COPY {name} FROM STDIN".encode()) as copy:
            copy.write(origin.seeds[name])


def _changed(connection: Connection[Any], origin: Origin) -> list[str]:
    marks = _marks(connection, list(origin.seeds))
    return [name for name, mark in origin.marks.items() if marks[name] != mark]


def _rewind(connection: Connection[Any], origin: Origin) -> None:
    for name, last, start in connection.execute(_SEQUENCES).fetchall():
        before = origin.sequences[name]
        if last != before:
            connection.execute(
                sql.SQL("SELECT setval(%s::regclass, %s, %s)"),
                [name, start if before is None else before, before is not None],
            )
