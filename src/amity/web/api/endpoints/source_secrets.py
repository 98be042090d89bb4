"""Source secrets: what the webhooks of a source are signed with, one for each dialect."""

from typing import Annotated

import msgspec
from msgspec import Meta

from amity.kernel.pagination import Page
from amity.store import api as store
from amity.store.contracts_hooks import SourceSecret
from amity.web.api.routing import Call, SmallRowId, route

Dialect = Annotated[str, Meta(min_length=1, max_length=50)]


class NewSourceSecret(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A secret to set or to replace; without one a fresh one is made and shown this once."""

    secret: Annotated[str, Meta(min_length=8, max_length=500)] | None = None
    overlap_seconds: Annotated[
        int, Meta(ge=0, le=30 * 86_400, description="How long the former one stays good.")
    ] = 86_400


class SetSourceSecret(msgspec.Struct, frozen=True, kw_only=True):
    """A secret that was set; shown only when it was made here, this once."""

    dialect: str
    secret: str | None


@route("GET", "/sources/{source_id}/secrets", scope="sources:read")
def list_source_secrets(source_id: SmallRowId) -> Page[SourceSecret]:
    """List for which dialects a source has a secret; the secrets are never shown."""
    store.get_source(source_id=source_id)
    return Page(store.list_source_secrets(source_id=source_id))


@route("POST", "/sources/{source_id}/secrets/{dialect}", scope="sources:write", status=201)
def set_source_secret(
    source_id: SmallRowId, dialect: Dialect, body: NewSourceSecret, call: Call
) -> SetSourceSecret:
    """Set or replace the secret of a source for one dialect; collectors know it in a second."""
    secret = body.secret or store.make_source_secret()
    store.set_source_secret(
        source_id=source_id,
        dialect=dialect,
        secret=secret,
        by=call.caller,
        overlap_seconds=body.overlap_seconds,
    )
    return SetSourceSecret(dialect=dialect, secret=None if body.secret else secret)


@route("DELETE", "/sources/{source_id}/secrets/{dialect}", scope="sources:write")
def remove_source_secret(source_id: SmallRowId, dialect: Dialect) -> None:
    """Forget a secret, the former one too: what is signed with them is refused from now on."""
    store.remove_source_secret(source_id=source_id, dialect=dialect)
