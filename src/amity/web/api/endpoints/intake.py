"""Intake: how imports of files and pulls from databases stand, and which claim a trait shows."""

import msgspec

from amity.kernel.pagination import Page
from amity.store import api as store
from amity.store.contracts import Import
from amity.store.contracts_claims import SurvivorshipRule
from amity.store.contracts_pulling import Pull
from amity.web.api.routing import Cursor, Limit, SmallRowId, route


class ImportsQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which page of the imports."""

    cursor: Cursor | None = None
    limit: Limit = 50


@route("GET", "/imports", scope="sources:read")
def list_imports(query: ImportsQuery) -> Page[Import]:
    """List the imports of files, the newest first."""
    return store.list_imports(cursor=query.cursor, limit=query.limit)


@route("GET", "/pulls", scope="sources:read")
def list_pulls() -> Page[Pull]:
    """List the databases that are read regularly, by name."""
    return Page(store.list_pulls())


@route("GET", "/pulls/{pull_id}", scope="sources:read")
def get_pull(pull_id: SmallRowId) -> Pull:
    """Get a pull: what it reads, and how far it has come."""
    return store.get_pull(pull_id=pull_id)


@route("GET", "/claim-rules", scope="profiles:read")
def list_claim_rules() -> Page[SurvivorshipRule]:
    """List the rules that pick which claim of a trait is shown, by pattern."""
    return Page(store.list_survivorship_rules())
