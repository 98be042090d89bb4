"""Visits: what brought a customer, what they looked at, and what they are interested in now."""

import msgspec

from amity.kernel.pagination import Page
from amity.store import api as store
from amity.store.contracts_visits import Attribution, Interest, Visit
from amity.web.api.routing import Call, Cursor, Limit, RowId, route


class VisitsQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which page of the visits."""

    cursor: Cursor | None = None
    limit: Limit = 20


@route("GET", "/profiles/{profile_id}/visits", scope="profiles:read")
def list_profile_visits(profile_id: RowId, query: VisitsQuery) -> Page[Visit]:
    """List a customer's visits, the latest first; `machine` says why one is taken for a bot's."""
    found = store.get_profile(profile_id=profile_id).profile_id
    return store.list_visits(profile_id=found, limit=query.limit, cursor=query.cursor)


@route("GET", "/profiles/{profile_id}/attribution", scope="profiles:read")
def get_profile_attribution(profile_id: RowId) -> Attribution:
    """Say what brought a customer first of all, and last; null while they never visited."""
    found = store.get_profile(profile_id=profile_id).profile_id
    return store.get_attribution(profile_id=found)


@route("GET", "/profiles/{profile_id}/interests", scope="profiles:read")
def list_profile_interests(profile_id: RowId, call: Call) -> Page[Interest]:
    """List what a customer is interested in now, most of all first."""
    found = store.get_profile(profile_id=profile_id).profile_id
    return Page(store.list_interests(profile_id=found, now=call.now))
