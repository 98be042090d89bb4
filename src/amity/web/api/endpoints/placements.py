"""Placements: where something is decided for each customer."""

from typing import Annotated

import msgspec
from msgspec import UNSET, Meta, UnsetType

from amity.kernel.pagination import Page
from amity.personalization import api as personalization
from amity.personalization.contracts import ArmReport, Goal, Placement, PlacementKind
from amity.web.api.given import given
from amity.web.api.routing import Call, SmallRowId, route

Key = Annotated[str, Meta(pattern="^[a-z0-9][a-z0-9_-]{0,62}$")]
Name = Annotated[str, Meta(min_length=1, max_length=100)]
Text = Annotated[str, Meta(max_length=2000)]
Slots = Annotated[int, Meta(ge=1, le=20, description="How many things it shows.")]
Policy = Annotated[
    str, Meta(max_length=100, description="A policy (offers) or a recommender (products).")
]

Metric = Annotated[
    str,
    Meta(max_length=60, description="The metric of the catalogue that is the goal `metric`."),
]


class NewPlacement(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A placement to make; its key and kind stay."""

    key: Key
    kind: PlacementKind
    name: Name | UnsetType = UNSET
    description: Text | UnsetType = UNSET
    slots: Slots | UnsetType = UNSET
    policy: Policy | UnsetType = UNSET
    goal: Goal | UnsetType = UNSET
    goal_metric: Metric | UnsetType = UNSET
    is_enabled: bool | UnsetType = UNSET


class PlacementChange(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What to change of a placement; what is absent stays."""

    name: Name | UnsetType = UNSET
    description: Text | UnsetType = UNSET
    slots: Slots | UnsetType = UNSET
    policy: Policy | UnsetType = UNSET
    goal: Goal | UnsetType = UNSET
    goal_metric: Metric | UnsetType = UNSET
    is_enabled: bool | UnsetType = UNSET


@route("GET", "/placements", scope="offers:read")
def list_placements() -> Page[Placement]:
    """List all placements."""
    return Page(personalization.list_placements())


@route(
    "POST",
    "/placements",
    scope="offers:write",
    status=201,
    location="/placements/{it.placement_id}",
)
def create_placement(body: NewPlacement, call: Call) -> Placement:
    """Make a placement; it answers by its key within a second."""
    return personalization.create_placement(by=call.caller, now=call.now, **given(body))


@route("GET", "/placements/{placement_id}", scope="offers:read")
def get_placement(placement_id: SmallRowId) -> Placement:
    """Get a placement."""
    return personalization.get_placement(placement_id=placement_id)


@route("PATCH", "/placements/{placement_id}", scope="offers:write")
def update_placement(placement_id: SmallRowId, body: PlacementChange, call: Call) -> Placement:
    """Change a placement; switched off it answers with nothing."""
    return personalization.update_placement(
        placement_id=placement_id, by=call.caller, now=call.now, **given(body)
    )


@route("GET", "/placements/{placement_id}/arms", scope="offers:read")
def report_arms(placement_id: SmallRowId) -> Page[ArmReport]:
    """Say what each offer brought in a placement, with intervals."""
    return Page(personalization.report_arms(placement_id=placement_id))
