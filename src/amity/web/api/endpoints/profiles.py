"""Profiles: customers, known or not yet, and what is known about them."""

from datetime import UTC, datetime
from typing import Annotated

import msgspec
from msgspec import Meta

from amity.analysis import api as analysis
from amity.analysis.contracts import Membership, Score
from amity.kernel.errors import NotFound
from amity.kernel.pagination import Page
from amity.store import api as store
from amity.store.contracts import Activity, Identifier, IdentifierKind, Merge, ProfileSort
from amity.store.contracts_claims import AsOf, Memory, TraitTruth
from amity.web.api.documents import (
    ProfileDocument,
    ProfileRowDocument,
    profile_document,
    profile_row_document,
)
from amity.web.api.routing import Call, Cursor, Limit, RowId, route
from amity.web.erasing import erase_customer
from amity.web.purposes import RECORDS, check_purpose, ensure_allowed, only_allowed
from amity.web.restricting import refuse_restricted

WhatFor = Annotated[
    str, Meta(max_length=100, description="What for: who does not allow it now is left out.")
]
Wanted = Annotated[
    str, Meta(max_length=100, description="What for: refused when it is not allowed now.")
]


class ProfilesQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which customers, in which order."""

    search: Annotated[
        str, Meta(max_length=200, description="Part of a name, email, phone or user_id.")
    ] = ""
    known_only: Annotated[bool, Meta(description="Leave out those without a name or key.")] = False
    sort: ProfileSort = "last_seen"
    purpose: WhatFor = RECORDS
    cursor: Cursor | None = None
    limit: Limit = 50


class ActivityQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which of a customer's events; `name` may be repeated."""

    name: list[str] | None = None
    cursor: Cursor | None = None
    limit: Limit = 50


class PageQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which page of a list."""

    cursor: Cursor | None = None
    limit: Limit = 50


class MomentQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """As known when; without `as_of` as known now."""

    as_of: Annotated[
        datetime | None, Meta(description="As known at this moment (RFC 3339, with an offset).")
    ] = None
    by: Annotated[AsOf, Meta(description="What counts: received by then, or happened by then.")] = (
        "received"
    )
    purpose: Wanted = RECORDS


class PurposeQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What for."""

    purpose: Wanted = RECORDS


class Erased(msgspec.Struct, frozen=True):
    """How many records of each kind were erased."""

    erased: dict[str, int]


@route("GET", "/profiles", scope="profiles:read")
def list_profiles(query: ProfilesQuery) -> Page[ProfileRowDocument]:
    """List customers, searched and sorted.

    Whoever does not allow the purpose now is left out, so a page can be shorter than `limit`.
    """
    purpose = check_purpose(query.purpose)
    page = store.list_profiles(
        search=query.search,
        known_only=query.known_only,
        sort=query.sort,
        cursor=query.cursor,
        limit=query.limit,
    )
    rows = only_allowed(page.items, purpose, datetime.now(UTC))
    return Page([profile_row_document(row) for row in rows], page.next_cursor)


@route("GET", "/profiles/{profile_id}", scope="profiles:read")
def get_profile(profile_id: RowId, query: MomentQuery) -> ProfileDocument:
    """Get one customer, as known now or at a moment.

    A profile that was merged into another answers with the one it was merged into. With a
    `purpose` other than the company's own records it is refused when that is not allowed now.
    """
    _ensure(profile_id, query.purpose)
    if query.as_of is None:
        return profile_document(store.get_profile(profile_id=profile_id))
    past = store.get_profile_as_of(profile_id=profile_id, at=query.as_of, by=query.by)
    return profile_document(past.profile)


@route("GET", "/profiles/{profile_id}/claims", scope="profiles:read")
def list_claims(profile_id: RowId) -> Page[TraitTruth]:
    """List what every source claims about each trait, what is shown, and by which rule."""
    return Page(store.list_claims(profile_id=profile_id, now=datetime.now(UTC)), None)


@route("GET", "/profiles/{profile_id}/memory", scope="profiles:read")
def list_memory(profile_id: RowId) -> Page[Memory]:
    """List what a customer told about themselves and has not taken back."""
    return Page(store.list_memory(profile_id=profile_id), None)


@route("GET", "/profiles/by/{kind}/{value}", scope="profiles:read")
def find_profile(kind: IdentifierKind, value: str, query: PurposeQuery) -> ProfileDocument:
    """Get the customer an identifier belongs to."""
    found = store.find_profile(kind=kind, value=value)
    if found is None:
        raise NotFound("there is nothing here")
    _ensure(found.profile_id, query.purpose)
    return profile_document(found)


@route("GET", "/profiles/{profile_id}/activity", scope="profiles:read")
def list_activity(profile_id: RowId, query: ActivityQuery) -> Page[Activity]:
    """List a customer's events, the latest first."""
    found = store.get_profile(profile_id=profile_id)
    return store.list_activity(
        profile_id=found.profile_id, names=query.name, cursor=query.cursor, limit=query.limit
    )


@route("GET", "/profiles/{profile_id}/identifiers", scope="profiles:read")
def list_identifiers(profile_id: RowId) -> Page[Identifier]:
    """List a customer's identifiers and the events that brought them."""
    found = store.get_profile(profile_id=profile_id)
    return Page(store.list_identifiers(profile_id=found.profile_id))


@route("GET", "/profiles/{profile_id}/segments", scope="profiles:read")
def list_profile_segments(profile_id: RowId) -> Page[Membership]:
    """List a customer's stays in segments, those that are over too.

    `left_at` is null while one lasts.
    """
    found = store.get_profile(profile_id=profile_id)
    return Page(analysis.list_memberships(profile_id=found.profile_id))


@route("GET", "/profiles/{profile_id}/scores", scope="profiles:read")
def list_scores(profile_id: RowId) -> Page[Score]:
    """List a customer's scores with their intervals."""
    found = store.get_profile(profile_id=profile_id)
    return Page(analysis.list_scores(profile_id=found.profile_id))


@route("GET", "/profiles/{profile_id}/merges", scope="profiles:read")
def list_profile_merges(profile_id: RowId, query: PageQuery) -> Page[Merge]:
    """List the merges a customer came from, and those that were refused."""
    found = store.get_profile(profile_id=profile_id)
    return store.list_merges(profile_id=found.profile_id, cursor=query.cursor, limit=query.limit)


@route("DELETE", "/profiles/{profile_id}", scope="profiles:write")
def erase_profile(profile_id: RowId, call: Call) -> Erased:
    """Erase a customer: profile, identifiers and events, from the log as well.

    This cannot be undone. Answers with the number of records erased.
    """
    return Erased(erase_customer(profile_id=profile_id, by=call.caller, now=call.now))


def _ensure(profile_id: int, wanted: str) -> None:
    """Let the gate say whether one customer may be read for a purpose other than own records."""
    purpose = check_purpose(wanted)
    refuse_restricted(profile_id)
    if purpose != RECORDS:
        ensure_allowed(profile_id, purpose, datetime.now(UTC))
