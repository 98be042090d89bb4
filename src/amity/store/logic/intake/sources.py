"""Sources: where events come from, the keys they come with, and what became of them."""

from typing import Any

import psycopg

from amity.infra import queries
from amity.infra.crypto import make_token
from amity.infra.database import transaction
from amity.kernel.errors import Conflict, Invalid, NotFound
from amity.store.contracts import Source, SourceCounts, SourceKind

_SQL = queries.load("amity.store")
_NAME_LENGTH = 100


def create_source(*, name: str, kind: SourceKind = "browser") -> Source:
    """Make a source with a fresh write key.

    The key of a `browser` source is public, so such a source is not believed on consent; the
    key of a `server` source must be kept secret. Raises Invalid for an empty or long name or
    another kind, Conflict when the name is taken.
    """
    if kind not in ("browser", "server"):
        raise Invalid("a source is of kind browser or server", code="bad_source_kind")
    clean = _clean(name)
    with transaction() as connection:
        row = connection.execute(_SQL["insert_source"], [clean, kind, make_token()]).fetchone()
    if row is None:
        raise Conflict(f"a source named {clean!r} exists already", code="source_exists")
    return _source(row)


def list_sources() -> list[Source]:
    """Return all sources, the oldest first, Amity's own among them."""
    with transaction() as connection:
        return [_source(row) for row in connection.execute(_SQL["list_sources"])]


def get_source(*, source_id: int) -> Source:
    """Return one source; raise NotFound when there is none."""
    row = None
    if 0 <= source_id < 2**31:
        with transaction() as connection:
            row = connection.execute(_SQL["get_source"], [source_id]).fetchone()
    if row is None:
        raise NotFound(f"there is no source {source_id}")
    return _source(row)


def find_source(*, name: str) -> Source | None:
    """Return the source of that name, or None."""
    if "\0" in name:
        return None
    with transaction() as connection:
        row = connection.execute(_SQL["find_source"], [name.strip()]).fetchone()
    return _source(row) if row else None


def update_source(
    *, source_id: int, name: str | None = None, is_enabled: bool | None = None
) -> Source:
    """Rename a source, or let its key in or shut it out; None leaves a field as it is.

    Collectors hear of it within seconds. Amity's own source cannot be changed: it reads as
    not found. Raises Conflict when the name is taken.
    """
    clean = _clean(name) if name is not None else None
    try:
        with transaction() as connection:
            row = connection.execute(
                _SQL["update_source"], [clean, is_enabled, source_id]
            ).fetchone()
    except psycopg.errors.UniqueViolation as error:
        raise Conflict(f"a source named {clean!r} exists already", code="source_exists") from error
    if row is None:
        raise NotFound(f"there is no source {source_id} that can be changed")
    return _source(row)


def rotate_source_key(*, source_id: int) -> Source:
    """Give a source a new write key; the old one stops working within seconds.

    Amity's own source has no key to change: it reads as not found.
    """
    with transaction() as connection:
        row = connection.execute(_SQL["rotate_source"], [make_token(), source_id]).fetchone()
    if row is None:
        raise NotFound(f"there is no source {source_id} that can be changed")
    return _source(row)


def count_by_source() -> dict[int, SourceCounts]:
    """Return what became of everything each source sent; sources that sent nothing are absent."""
    with transaction() as connection:
        rows = connection.execute(_SQL["count_by_source"]).fetchall()
    return {row[0]: _counts(row[1:]) for row in rows}


def _counts(row: tuple[Any, ...]) -> SourceCounts:
    received, stored, duplicate, quarantined, refused = row
    return SourceCounts(
        received=received,
        stored=stored,
        duplicate=duplicate,
        quarantined=quarantined,
        refused=refused,
    )


def _clean(name: str) -> str:
    clean = " ".join(name.split())
    if not clean or len(clean) > _NAME_LENGTH or "\0" in clean:
        raise Invalid(f"a source's name has 1 to {_NAME_LENGTH} characters", code="bad_source_name")
    return clean


def _source(row: tuple[Any, ...]) -> Source:
    source_id, name, kind, write_key, is_enabled, created_at = row
    return Source(
        source_id=source_id,
        name=name,
        kind=kind,
        write_key=write_key,
        is_enabled=is_enabled,
        created_at=created_at,
    )
