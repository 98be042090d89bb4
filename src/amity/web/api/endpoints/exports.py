"""Exports of segments to files and databases: what goes where, and the record of every run."""

from typing import Annotated, Any

import msgspec
from msgspec import UNSET, Meta, UnsetType

from amity.analysis import api as analysis
from amity.kernel.errors import NotFound
from amity.kernel.pagination import Page
from amity.store import api_outbound
from amity.store.contracts_outbound import DestinationKind, Export, ExportPlan, ExportRun
from amity.web.api.documents_doors import pick
from amity.web.api.given import given
from amity.web.api.routing import Call, RowId, SmallRowId, route

Name = Annotated[str, Meta(min_length=1, max_length=100)]
Destination = Annotated[str, Meta(max_length=100, description="One of `/destinations`.")]
Settings = Annotated[dict[str, str], Meta(max_length=20, description="What it needs to know.")]
Secret = Annotated[
    str, Meta(max_length=2000, description="Such as a database's address; never shown again.")
]
Columns = Annotated[
    list[Annotated[str, Meta(max_length=200)]],
    Meta(min_length=1, max_length=100, description="A trait as `trait.NAME`."),
]
Purpose = Annotated[str, Meta(min_length=1, max_length=100)]
Hours = Annotated[int, Meta(ge=1, le=8760, description="Null: only when asked.")]


class NewExport(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An export to make; customers who do not allow its purpose are left out and counted."""

    name: Name
    segment_id: SmallRowId
    destination: Destination
    columns: Columns
    purpose: Purpose
    settings: Settings = {}
    secret: Secret = ""
    every_hours: Hours | None = None


class ExportChange(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What to change of an export; what is absent stays, the secret too."""

    name: Name | UnsetType = UNSET
    segment_id: SmallRowId | UnsetType = UNSET
    destination: Destination | UnsetType = UNSET
    columns: Columns | UnsetType = UNSET
    purpose: Purpose | UnsetType = UNSET
    settings: Settings | UnsetType = UNSET
    secret: Secret | UnsetType = UNSET
    every_hours: Hours | UnsetType | None = UNSET
    is_enabled: bool | UnsetType = UNSET


class RunAsked(msgspec.Struct, frozen=True, kw_only=True):
    """A run that begins within seconds."""

    run_id: int


@route("GET", "/destinations", scope="outbound:read")
def list_destinations() -> Page[DestinationKind]:
    """List the kinds of places a segment can be exported to, and what each needs to know."""
    return Page(api_outbound.list_destinations())


@route("GET", "/exports", scope="outbound:read")
def list_exports() -> Page[Export]:
    """List the exports of segments to files and databases, by name."""
    return Page(api_outbound.list_exports())


@route("POST", "/exports", scope="outbound:write", status=201, location="/exports/{it.export_id}")
def create_export(body: NewExport, call: Call) -> Export:
    """Make an export; with `every_hours` it runs by itself, otherwise when asked."""
    analysis.get_segment(segment_id=body.segment_id)
    return api_outbound.create_export(plan=ExportPlan(**given(body)), by=call.caller)


@route("GET", "/exports/{export_id}", scope="outbound:read")
def get_export(export_id: SmallRowId) -> Export:
    """Get an export: what goes where, and for what purpose."""
    return api_outbound.get_export(export_id=export_id)


@route("PATCH", "/exports/{export_id}", scope="outbound:write")
def update_export(export_id: SmallRowId, body: ExportChange) -> Export:
    """Change what an export brings, where to and how often; stop its schedule or let it go on."""
    changes = given(body)
    is_enabled = changes.pop("is_enabled", None)
    if changes:
        if "segment_id" in changes:
            analysis.get_segment(segment_id=changes["segment_id"])
        api_outbound.update_export(export_id=export_id, plan=_changed(export_id, changes))
    if is_enabled is not None:
        api_outbound.switch_export(export_id=export_id, is_enabled=is_enabled)
    return api_outbound.get_export(export_id=export_id)


def _changed(export_id: int, changes: dict[str, Any]) -> ExportPlan:
    held = pick(ExportPlan, api_outbound.get_export(export_id=export_id))
    return msgspec.structs.replace(held, **changes)


@route("DELETE", "/exports/{export_id}", scope="outbound:write")
def delete_export(export_id: SmallRowId) -> None:
    """Delete an export and the record of its runs; files it wrote stay until their week is over."""
    api_outbound.delete_export(export_id=export_id)


@route("POST", "/exports/{export_id}/test", scope="outbound:write")
def try_export(export_id: SmallRowId) -> None:
    """See that what an export writes to can be reached; 422 or 503 says what is in the way."""
    api_outbound.try_export(export_id=export_id)


@route("GET", "/exports/{export_id}/runs", scope="outbound:read")
def list_export_runs(export_id: SmallRowId) -> Page[ExportRun]:
    """List the latest runs of an export, the latest first."""
    api_outbound.get_export(export_id=export_id)
    return Page(api_outbound.list_export_runs(export_id=export_id))


@route("GET", "/exports/{export_id}/runs/{run_id}", scope="outbound:read")
def get_export_run(export_id: SmallRowId, run_id: RowId) -> ExportRun:
    """Get a run: how far it is, how many were written, how many left out and why."""
    run = api_outbound.get_export_run(run_id=run_id)
    if run.export_id != export_id:
        raise NotFound(f"export {export_id} has no run {run_id}")
    return run


@route("POST", "/exports/{export_id}/run", scope="outbound:write", status=202)
def run_export(export_id: SmallRowId, call: Call) -> RunAsked:
    """Have an export run soon; 409 while a run of it is under way."""
    return RunAsked(run_id=api_outbound.ask_export(export_id=export_id, by=call.caller))
