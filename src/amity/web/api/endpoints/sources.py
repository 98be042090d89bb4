"""Sources: the places events come from, and the keys they come with."""

from typing import Annotated, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from amity.kernel.pagination import Page
from amity.store import api as store
from amity.web.api.documents import (
    SourceDocument,
    SourceRowDocument,
    source_document,
    source_row_document,
)
from amity.web.api.routing import Call, SmallRowId, route

Name = Annotated[str, Meta(min_length=1, max_length=100)]


class NewSource(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A source to make: the key of a `browser` is public, that of a `server` secret."""

    name: Name
    kind: Literal["browser", "server"] = "browser"


class SourceChange(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What to change of a source; what is absent stays."""

    name: Name | UnsetType = UNSET
    is_enabled: bool | UnsetType = UNSET


@route("GET", "/sources", scope="sources:read")
def list_sources(call: Call) -> Page[SourceRowDocument]:
    """List all sources and what became of all they sent."""
    counts = store.count_by_source()
    shows_key = call.may("sources:write")
    return Page(
        [
            source_row_document(source, counts.get(source.source_id), shows_key=shows_key)
            for source in store.list_sources()
        ]
    )


@route("POST", "/sources", scope="sources:write", status=201, location="/sources/{it.source_id}")
def create_source(body: NewSource) -> SourceDocument:
    """Make a source with a fresh write key."""
    return source_document(store.create_source(name=body.name, kind=body.kind), shows_key=True)


@route("GET", "/sources/{source_id}", scope="sources:read")
def get_source(source_id: SmallRowId, call: Call) -> SourceDocument:
    """Get one source."""
    found = store.get_source(source_id=source_id)
    return source_document(found, shows_key=call.may("sources:write"))


@route("PATCH", "/sources/{source_id}", scope="sources:write")
def update_source(source_id: SmallRowId, body: SourceChange) -> SourceDocument:
    """Rename a source, or shut its key out or let it in."""
    changed = store.update_source(
        source_id=source_id,
        name=None if body.name is UNSET else body.name,
        is_enabled=None if body.is_enabled is UNSET else body.is_enabled,
    )
    return source_document(changed, shows_key=True)


@route("POST", "/sources/{source_id}/rotate-key", scope="sources:write")
def rotate_source_key(source_id: SmallRowId) -> SourceDocument:
    """Give a source a new write key; the old one stops working within seconds."""
    return source_document(store.rotate_source_key(source_id=source_id), shows_key=True)
