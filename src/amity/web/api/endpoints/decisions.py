"""Decisions: what was chosen for whom, why, and what came of it.

Pages and servers that show something ask the edge (`POST /v1/decide`); here decisions are looked
at, made again, and made for programs that already hold a key of this API.
"""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

import msgspec
from msgspec import Meta

from amity.kernel.pagination import Page
from amity.personalization import api as personalization
from amity.personalization.contracts import DecideRequest, Decision, DecisionRecord, Replay
from amity.store import api as store
from amity.web.api.routing import Call, Cursor, Limit, RowId, route


class DecisionToMake(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who is there, where, and what is known of the moment."""

    placement: Annotated[str, Meta(max_length=100)]
    profile_id: RowId | None = None
    identifiers: Annotated[
        dict[Annotated[str, Meta(max_length=50)], Annotated[str, Meta(max_length=500)]],
        Meta(max_length=10, description="By kind: user_id, anonymous_id, email, phone."),
    ] = {}
    context: dict[str, Any] = {}
    is_logged: Annotated[bool, Meta(description="False only looks: nothing is kept.")] = True


class DecisionsQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which decisions."""

    placement: Annotated[str, Meta(max_length=100)] | None = None
    profile_id: RowId | None = None
    fallback_only: bool = False
    cursor: Cursor | None = None
    limit: Limit = 50


class ReplayWish(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which decisions to make again, the latest first."""

    since: Annotated[datetime, Meta(tz=True)] | None = None
    placement: Annotated[str, Meta(max_length=100)] | None = None
    limit: Annotated[int, Meta(ge=1, le=10_000)] = 1000


@route("POST", "/decisions", scope="decisions:write", status=201)
def decide(body: DecisionToMake, call: Call) -> Decision:
    """Decide what to show one person in one place."""
    return personalization.decide(
        request=DecideRequest(
            placement=body.placement,
            identifiers=body.identifiers,
            context=body.context,
            channel="api",
        ),
        profile_id=body.profile_id,
        now=call.now,
        is_logged=body.is_logged,
    )


@route("GET", "/decisions", scope="decisions:read")
def list_decisions(query: DecisionsQuery) -> Page[DecisionRecord]:
    """List logged decisions, the latest first."""
    profile_ids = None
    if query.profile_id is not None:
        profile_ids = store.list_joined(profile_id=query.profile_id)
    return personalization.list_decisions(
        placement=query.placement,
        profile_ids=profile_ids,
        fallback_only=query.fallback_only,
        cursor=query.cursor,
        limit=query.limit,
    )


@route("POST", "/decisions/replay", scope="decisions:read")
def replay_decisions(body: ReplayWish) -> Replay:
    """Make logged decisions again from what was known then, and compare; nothing is kept."""
    return personalization.replay_decisions(
        since=body.since, limit=body.limit, placement=body.placement
    )


@route("GET", "/decisions/{decision_id}", scope="decisions:read")
def get_decision(decision_id: UUID) -> DecisionRecord:
    """Get a decision with the verdict on every candidate and what came of it."""
    return personalization.get_decision(decision_id=decision_id)
