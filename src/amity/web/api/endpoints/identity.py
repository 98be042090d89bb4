"""Identity: joining and parting customers by hand, and pairs that may be one."""

from typing import Annotated

import msgspec
from msgspec import Meta

from amity.kernel.pagination import Page
from amity.store import api_identity
from amity.store.contracts import IdentifierKind
from amity.store.contracts_identity import (
    Candidate,
    CandidateChoice,
    CandidateKind,
    CandidateState,
    IdentityPath,
)
from amity.web.api.routing import Call, Cursor, Limit, RowId, route
from amity.web.restricting import refuse_restricted

Reason = Annotated[str, Meta(max_length=500)]
Value = Annotated[str, Meta(min_length=1, max_length=255)]


class ProfilesToJoin(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Whom to join: `loser_id` becomes a part of `winner_id`."""

    winner_id: RowId
    loser_id: RowId
    reason: Reason = ""


class Decided(msgspec.Struct, frozen=True, kw_only=True):
    """What was decided is recorded, and carried out within a second."""

    profile_id: int


class NamedIdentifier(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One identifier of a customer."""

    kind: IdentifierKind
    value: Value


class ProfileToSplit(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What to take off a customer: these identifiers become another one."""

    identifiers: Annotated[list[NamedIdentifier], Meta(min_length=1, max_length=100)]


class CandidatesQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which pairs."""

    state: CandidateState = "open"
    kind: CandidateKind | None = None
    cursor: Cursor | None = None
    limit: Limit = 50


class Choice(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What somebody decides about a pair."""

    choice: CandidateChoice


class PathQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The other profile."""

    other_id: RowId


@route("POST", "/merges", scope="profiles:write", status=202)
def merge_profiles(body: ProfilesToJoin, call: Call) -> Decided:
    """Join two customers by hand; `POST /merges/{merge_id}/undo` takes it back."""
    refuse_restricted(body.winner_id, body.loser_id)
    api_identity.merge_profiles(
        winner=body.winner_id,
        loser=body.loser_id,
        by=call.caller,
        now=call.now,
        reason=body.reason,
    )
    return Decided(profile_id=body.winner_id)


@route("POST", "/profiles/{profile_id}/split", scope="profiles:write", status=202)
def split_profile(profile_id: RowId, body: ProfileToSplit, call: Call) -> Decided:
    """Take identifiers off a customer; they become another one."""
    named = [(each.kind, each.value) for each in body.identifiers]
    api_identity.split_profile(
        profile_id=profile_id, identifiers=named, by=call.caller, now=call.now
    )
    return Decided(profile_id=profile_id)


@route("POST", "/profiles/{profile_id}/splits/{split_id}/undo", scope="profiles:write", status=202)
def undo_split(profile_id: RowId, split_id: RowId, call: Call) -> Decided:
    """Take a split back: all is as before it."""
    api_identity.undo_split(profile_id=profile_id, split_id=split_id, by=call.caller, now=call.now)
    return Decided(profile_id=profile_id)


@route("GET", "/profiles/{profile_id}/identity-path", scope="profiles:read")
def explain_identity(profile_id: RowId, query: PathQuery) -> IdentityPath:
    """Say what connects two profiles, joined or not: the strongest way along the evidence."""
    return api_identity.explain_identity(profile_a=profile_id, profile_b=query.other_id)


@route("GET", "/candidates", scope="profiles:read")
def list_candidates(query: CandidatesQuery) -> Page[Candidate]:
    """List pairs of profiles that may be one customer, or belong together, the newest first."""
    return api_identity.list_candidates(
        state=query.state, kind=query.kind or "", cursor=query.cursor, limit=query.limit
    )


@route("POST", "/candidates/{candidate_id}/decide", scope="profiles:write")
def decide_candidate(candidate_id: RowId, body: Choice, call: Call) -> Candidate:
    """Accept a pair (one person is joined, others are linked), reject it, or take either back."""
    return api_identity.decide_candidate(
        candidate_id=candidate_id, choice=body.choice, by=call.caller, now=call.now
    )
