"""Journeys: standing campaigns that each customer goes through by themselves."""

from typing import Annotated, Any

import msgspec
from msgspec import UNSET, Meta, UnsetType

from amity.broadcast import api_journeys
from amity.broadcast.contracts import Enrolment, Journey, JourneyReport, JourneyState
from amity.kernel.pagination import Page
from amity.web.api.given import given
from amity.web.api.routing import Call, Cursor, Limit, SmallRowId, route

Name = Annotated[str, Meta(min_length=1, max_length=100)]
Text = Annotated[str, Meta(max_length=2000)]
Definition = Annotated[
    dict[str, Any], Meta(description="A drawing, as docs/engines/broadcast.md describes it.")
]


class NewJourney(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A journey to make, as a draft."""

    name: Name
    definition: Definition
    description: Text = ""


class JourneyChange(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What to change of a journey; what is absent stays."""

    name: Name | UnsetType = UNSET
    definition: Definition | UnsetType = UNSET
    description: Text | UnsetType = UNSET


class NewJourneyState(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The state a journey is to have."""

    state: JourneyState


class EnrolmentsQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which page of the enrolments; with a node only who is there now."""

    node: Annotated[str, Meta(max_length=100)] | None = None
    cursor: Cursor | None = None
    limit: Limit = 50


@route("GET", "/journeys", scope="journeys:read")
def list_journeys() -> Page[Journey]:
    """List journeys by name."""
    return Page(api_journeys.list_journeys())


@route(
    "POST", "/journeys", scope="journeys:write", status=201, location="/journeys/{it.journey_id}"
)
def create_journey(body: NewJourney, call: Call) -> Journey:
    """Make a journey as a draft; its `problems` say what keeps it from going live."""
    return api_journeys.create_journey(by=call.caller, now=call.now, **given(body))


@route("GET", "/journeys/{journey_id}", scope="journeys:read")
def get_journey(journey_id: SmallRowId) -> Journey:
    """Get a journey."""
    return api_journeys.get_journey(journey_id=journey_id)


@route("PATCH", "/journeys/{journey_id}", scope="journeys:write")
def update_journey(journey_id: SmallRowId, body: JourneyChange, call: Call) -> Journey:
    """Change a journey; whoever is under way stays on the version they began with."""
    return api_journeys.update_journey(
        journey_id=journey_id, by=call.caller, now=call.now, **given(body)
    )


@route("POST", "/journeys/{journey_id}/state", scope="journeys:write")
def set_journey_state(journey_id: SmallRowId, body: NewJourneyState, call: Call) -> Journey:
    """Put a journey live, pause it, or archive it for good."""
    return api_journeys.set_journey_state(
        journey_id=journey_id, state=body.state, by=call.caller, now=call.now
    )


@route("GET", "/journeys/{journey_id}/report", scope="journeys:read")
def report_journey(journey_id: SmallRowId) -> JourneyReport:
    """Get a journey in numbers: how many are at each step, came to it and left by which edge."""
    return api_journeys.report_journey(journey_id=journey_id)


@route("GET", "/journeys/{journey_id}/enrolments", scope="journeys:read")
def list_enrolments(journey_id: SmallRowId, query: EnrolmentsQuery) -> Page[Enrolment]:
    """List who goes or went through a journey, the latest to begin first."""
    api_journeys.get_journey(journey_id=journey_id)
    return api_journeys.list_enrolments(
        journey_id=journey_id, node=query.node, cursor=query.cursor, limit=query.limit
    )
