"""Reading what customers did: the timeline."""

from datetime import datetime
from typing import Any, Final

from amity.infra import queries
from amity.infra.database import transaction
from amity.kernel.errors import Invalid
from amity.kernel.pagination import Page, decode_cursor, encode_cursor
from amity.store.contracts import Activity
from amity.store.logic.folding.consumers import activity
from amity.store.logic.profiles.reading import find_root

_SQL: Final = queries.load("amity.store")
_MAX_LIMIT: Final = 1000


def list_activity(
    *,
    profile_id: int,
    names: list[str] | None = None,
    cursor: str | None = None,
    limit: int = 50,
) -> Page[Activity]:
    """Return a page of a profile's timeline across all sources, the latest first.

    With ``names`` only activities of these names.
    """
    if limit < 1:
        raise Invalid("a page has at least one row", code="bad_limit")
    limit = min(limit, _MAX_LIMIT)
    arguments: dict[str, Any] = {"names": names, "limit": limit + 1, "at": None, "position": None}
    if cursor is not None:
        arguments["at"], arguments["position"] = decode_cursor(cursor, (datetime, int))
    with transaction() as connection:
        arguments["profile_id"] = find_root(connection, profile_id)
        rows = connection.execute(_SQL["list_activity"], arguments).fetchall()
    more, rows = len(rows) > limit, rows[:limit]
    last = encode_cursor([rows[-1][4], rows[-1][0]]) if more else None
    return Page([activity(row) for row in rows], last)
