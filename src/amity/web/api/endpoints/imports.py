"""Imports of files: how each stands."""

import msgspec

from amity.kernel.pagination import Page
from amity.store import api as store
from amity.store.contracts import Import
from amity.web.api.routing import Cursor, Limit, route


class ImportsQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which page of the imports."""

    cursor: Cursor | None = None
    limit: Limit = 50


@route("GET", "/imports", scope="sources:read")
def list_imports(query: ImportsQuery) -> Page[Import]:
    """List the imports of files, the newest first."""
    return store.list_imports(cursor=query.cursor, limit=query.limit)
