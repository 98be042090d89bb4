"""Tracking plans: what events should look like, in versions, beside what they do look like."""

from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from amity.kernel.errors import NotFound
from amity.kernel.pagination import Page
from amity.store import api_plans
from amity.store.contracts_tracking import (
    ALL_SOURCES,
    EventShape,
    EventVerdict,
    Plan,
    PlanDifference,
    PlanDraft,
    PlanField,
    PlanFile,
    PlanRevision,
    Policy,
    ShapeField,
)
from amity.web.api.routing import Call, RowId, route

_Type = Literal["track", "identify", "page", "screen", "group"]
_Name = Annotated[str, Meta(max_length=255)]
_Source = Annotated[int, Meta(ge=0, le=2**31 - 1)]
_Fields = Annotated[list[PlanField], Meta(max_length=300)]


class PlansQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which plans: of an event; with `versions` the earlier versions too."""

    type: _Type | None = None
    name: _Name | None = None
    versions: bool = False


class EventQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which event: `name` is a track's; from one source, or from all (0)."""

    type: _Type
    name: _Name = ""
    source_id: _Source = ALL_SOURCES


class NewPlan(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A plan to pin for an event, whatever was pinned for it before."""

    type: _Type
    name: _Name = ""
    source_id: _Source = ALL_SOURCES
    policy: Policy = "pass"
    allows_unknown: bool = True
    description: Annotated[str, Meta(max_length=2000)] = ""
    fields: _Fields = []


class PlanChange(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What to change of a pinned plan; what is absent stays.

    `fields` take the place of those with the same path or join them, `drop` names paths.
    """

    policy: Policy | UnsetType = UNSET
    allows_unknown: bool | UnsetType = UNSET
    description: Annotated[str, Meta(max_length=2000)] | UnsetType = UNSET
    fields: _Fields = []
    drop: Annotated[list[_Name], Meta(max_length=300)] = []


class PlansToImport(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A file of plans; with `prunes` what is pinned and not in it is unpinned."""

    document: PlanFile
    prunes: bool = False
    is_dry_run: bool = False


class EventsToCheck(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Events to check against the pinned plans, or those of a file; nothing is stored."""

    events: Annotated[list[Any], Meta(max_length=1000)]
    document: PlanFile | None = None
    source_id: _Source = ALL_SOURCES


@route("GET", "/plans", scope="sources:read")
def list_plans(query: PlansQuery) -> Page[Plan]:
    """List pinned plans, by event."""
    return Page(
        api_plans.list_plans(type=query.type, name=query.name, live_only=not query.versions)
    )


@route("POST", "/plans", scope="sources:write", status=201, location="/plans/{it.plan_id}")
def pin_plan(body: NewPlan, call: Call) -> Plan:
    """Pin a plan: it is enforced everywhere within seconds, and a version of its own."""
    draft = PlanDraft(**{name: getattr(body, name) for name in PlanDraft.__struct_fields__})
    return api_plans.pin_plan(plan=draft, by=call.caller, now=call.now)


@route("GET", "/plans/inferred", scope="sources:read")
def infer_plan(query: EventQuery) -> PlanDraft:
    """Get the plan that what came so far would follow; it is not pinned by this."""
    return api_plans.infer_plan(type=query.type, name=query.name, source_id=query.source_id)


@route("GET", "/plans/export", scope="sources:read")
def export_plans() -> PlanFile:
    """Get all pinned plans as a file: the same for the same plans, here and elsewhere."""
    return api_plans.export_plans()


@route("POST", "/plans/import", scope="sources:write")
def import_plans(body: PlansToImport, call: Call) -> Page[PlanDifference]:
    """Pin what a file plans otherwise, all or nothing, and say what was different."""
    if body.is_dry_run:
        return Page(api_plans.compare_plan_file(document=body.document))
    return Page(
        api_plans.import_plans(
            document=body.document, prunes=body.prunes, by=call.caller, now=call.now
        )
    )


@route("POST", "/plans/check", scope="sources:read")
def check_events(body: EventsToCheck) -> Page[EventVerdict]:
    """Say what would become of events by the plans."""
    return Page(
        api_plans.check_events(
            events=[msgspec.json.encode(each) for each in body.events],
            document=body.document,
            source_id=body.source_id,
        )
    )


@route("GET", "/plans/{plan_id}", scope="sources:read")
def get_plan(plan_id: RowId) -> Plan:
    """Get one version of a plan."""
    return api_plans.get_plan(plan_id=plan_id)


@route("PATCH", "/plans/{plan_id}", scope="sources:write")
def revise_plan(plan_id: RowId, body: PlanChange, call: Call) -> Plan:
    """Change a pinned plan; the answer is the new version, which has an id of its own.

    409 when this version is not the pinned one.
    """
    revision = PlanRevision(
        policy=None if body.policy is UNSET else body.policy,
        allows_unknown=None if body.allows_unknown is UNSET else body.allows_unknown,
        description=None if body.description is UNSET else body.description,
        fields=body.fields,
        drop=body.drop,
    )
    return api_plans.revise_plan(plan_id=plan_id, revision=revision, by=call.caller, now=call.now)


@route("POST", "/plans/{plan_id}/restore", scope="sources:write")
def restore_plan(plan_id: RowId, call: Call) -> Plan:
    """Pin an earlier version again, as a new one."""
    return api_plans.restore_plan(plan_id=plan_id, by=call.caller, now=call.now)


@route("DELETE", "/plans/{plan_id}", scope="sources:write")
def unpin_plan(plan_id: RowId) -> None:
    """Unpin a plan: nothing is enforced for its event any more; its versions stay.

    404 when this version is not the pinned one.
    """
    held = api_plans.get_plan(plan_id=plan_id)
    if not held.is_live:
        raise NotFound("this version is not pinned")
    api_plans.unpin_plan(type=held.type, name=held.name, source_id=held.source_id)


@route("GET", "/event-shapes", scope="sources:read")
def list_event_shapes() -> Page[EventShape]:
    """List the events that came in the last hundred days, the most frequent first."""
    return Page(api_plans.list_shapes())


@route("GET", "/event-shapes/fields", scope="sources:read")
def list_shape_fields(query: EventQuery) -> Page[ShapeField]:
    """List the properties an event came with; the path "" is the event itself."""
    return Page(
        api_plans.get_shape(type=query.type, name=query.name, source_id=query.source_id or None)
    )
