"""Pulls: tables of databases that are asked again and again for what is new."""

from typing import Annotated

import msgspec
from msgspec import UNSET, Meta, UnsetType

from amity.kernel.pagination import Page
from amity.store import api_fetching
from amity.store.contracts import ImportPreview
from amity.store.contracts_pulling import Pull, PullColumn, PullPlan, PullTable
from amity.web.api.documents_doors import PullDocument
from amity.web.api.given import given
from amity.web.api.routing import Call, SmallRowId, route

Name = Annotated[str, Meta(min_length=1, max_length=100)]
Address = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=2000,
        description="`postgresql://…`, `mysql://…` or `sqlite:///file.db`, with the password; "
        "never shown again.",
    ),
]
Word = Annotated[str, Meta(max_length=200)]


class NewPull(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A database to pull; it is tried first, and nothing is read before it has a plan."""

    name: Name
    source_id: SmallRowId
    address: Address


class PullReading(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is read of a database: as at `amity pull plan`."""

    relation: Annotated[str, Meta(min_length=1, max_length=200)]
    cursor_column: Annotated[str, Meta(min_length=1, max_length=200)]
    connector: Annotated[str, Meta(min_length=1, max_length=100)]
    schema: Word | UnsetType = UNSET
    key_columns: Annotated[list[Word], Meta(max_length=16)] | UnsetType = UNSET
    mapping: dict[str, str] | UnsetType | None = UNSET
    interval_seconds: Annotated[int, Meta(ge=1)] | UnsetType = UNSET
    overlap: Annotated[int, Meta(ge=0)] | UnsetType = UNSET


class PullChange(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What to change of a pull; what is absent stays."""

    address: Address | UnsetType = UNSET
    plan: PullReading | UnsetType = UNSET
    is_paused: bool | UnsetType = UNSET


class ColumnsQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Of which table."""

    relation: Annotated[str, Meta(min_length=1, max_length=200)]
    schema: Word = ""


@route("GET", "/pulls", scope="sources:read")
def list_pulls() -> Page[Pull]:
    """List the databases that are read regularly and how far each is, by name."""
    return Page(api_fetching.list_pulls())


@route("POST", "/pulls", scope="sources:write", status=201, location="/pulls/{it.pull_id}")
def create_pull(body: NewPull, call: Call) -> PullDocument:
    """Record a database once it has let us in; give it a plan with PATCH to have it read."""
    return _document(
        api_fetching.create_pull(
            name=body.name, address=body.address, source_id=body.source_id, by=call.caller
        )
    )


@route("GET", "/pulls/{pull_id}", scope="sources:read")
def get_pull(pull_id: SmallRowId) -> PullDocument:
    """Get a pull as it was set up; its address is shown without the password."""
    return _document(api_fetching.get_pull(pull_id=pull_id))


@route("PATCH", "/pulls/{pull_id}", scope="sources:write")
def update_pull(pull_id: SmallRowId, body: PullChange) -> PullDocument:
    """Say what is read of a database and how often, give its new address, pause or resume it."""
    if body.address is not UNSET:
        api_fetching.reconnect_pull(pull_id=pull_id, address=body.address)
    if body.plan is not UNSET:
        api_fetching.configure_pull(pull_id=pull_id, plan=_plan(body.plan))
    if body.is_paused is not UNSET:
        (api_fetching.pause_pull if body.is_paused else api_fetching.resume_pull)(pull_id=pull_id)
    return get_pull(pull_id)


@route("DELETE", "/pulls/{pull_id}", scope="sources:write")
def delete_pull(pull_id: SmallRowId) -> None:
    """Forget a database and its password; what came in by it stays."""
    api_fetching.get_pull(pull_id=pull_id)
    api_fetching.delete_pull(pull_id=pull_id)


@route("GET", "/pulls/{pull_id}/health", scope="sources:read")
def get_pull_health(pull_id: SmallRowId) -> Pull:
    """Say how far a database is read, how much of it was left out, and what went wrong last."""
    return api_fetching.get_pull(pull_id=pull_id)


@route("GET", "/pulls/{pull_id}/tables", scope="sources:write")
def list_pull_tables(pull_id: SmallRowId) -> Page[PullTable]:
    """List the tables and views of a database; that it answers shows that it lets us in."""
    return Page(api_fetching.list_pull_tables(pull_id=pull_id))


@route("GET", "/pulls/{pull_id}/columns", scope="sources:write")
def list_pull_columns(pull_id: SmallRowId, query: ColumnsQuery) -> Page[PullColumn]:
    """List the columns of a table, and which can be the cursor."""
    found = api_fetching.list_pull_columns(
        pull_id=pull_id, schema=query.schema, relation=query.relation
    )
    return Page(found)


@route("POST", "/pulls/{pull_id}/preview", scope="sources:write")
def preview_pull(pull_id: SmallRowId, body: PullReading) -> ImportPreview:
    """Show what the first rows would become by a plan, and what is in the way."""
    return api_fetching.preview_pull(pull_id=pull_id, plan=_plan(body))


@route("POST", "/pulls/{pull_id}/run", scope="sources:write")
def run_pull(pull_id: SmallRowId, call: Call) -> Pull:
    """Read what is new at once; `failure` says what went wrong."""
    return api_fetching.run_pull(pull_id=pull_id, now=call.now)


@route("POST", "/pulls/{pull_id}/rewind", scope="sources:write")
def rewind_pull(pull_id: SmallRowId) -> PullDocument:
    """Have the next run read from the beginning; what is in counts as duplicate."""
    return _document(api_fetching.rewind_pull(pull_id=pull_id))


def _plan(body: PullReading) -> PullPlan:
    return PullPlan(**{"schema": "", "key_columns": []} | given(body))


def _document(pull: Pull) -> PullDocument:
    fields = {name: getattr(pull, name) for name in PullDocument.__struct_fields__ if name in _HELD}
    return PullDocument(**fields, is_paused=pull.state == "paused")


_HELD = frozenset(Pull.__struct_fields__)
