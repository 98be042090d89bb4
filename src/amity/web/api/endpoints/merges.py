"""Merges: profiles that were joined by an identifier, or kept apart."""

import msgspec

from amity.kernel.pagination import Page
from amity.store import api as store
from amity.store.contracts import Merge
from amity.web.api.routing import Call, Cursor, Limit, RowId, route


class MergesQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which merges: `refused` keeps only those that were (true) or were not (false) refused."""

    refused: bool | None = None
    cursor: Cursor | None = None
    limit: Limit = 50


class MergeUndone(msgspec.Struct, frozen=True):
    """A merge whose undoing is recorded; the profiles come apart within a second."""

    merge_id: int


@route("GET", "/merges", scope="profiles:read")
def list_merges(query: MergesQuery) -> Page[Merge]:
    """List merges, the latest first."""
    return store.list_merges(refused=query.refused, cursor=query.cursor, limit=query.limit)


@route("POST", "/merges/{merge_id}/undo", scope="profiles:write", status=202)
def undo_merge(merge_id: RowId, call: Call) -> MergeUndone:
    """Take a merge back: both customers are as if it had never been.

    It is recorded as an event, so a rebuild keeps them apart too.
    """
    store.unmerge(merge_id=merge_id, by=call.caller, now=call.now)
    return MergeUndone(merge_id)
