"""API keys: made, shown once, found by hash, revoked. Used by the control API and its CLI."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final, get_args

import msgspec

from amity.infra.crypto import hash_token, make_token
from amity.kernel.errors import Invalid, NotFound
from amity.web.api.routing import Scope
from amity.web.staff import models

SCOPES: Final[tuple[str, ...]] = get_args(Scope)
EVERYTHING: Final = "*"
_MARK: Final = "amity_"
_LAST_USED_STEP: Final = timedelta(minutes=1)


class ApiKey(msgspec.Struct, frozen=True, kw_only=True):
    """An API key without its secret."""

    key_id: int
    name: str
    prefix: str
    scopes: tuple[str, ...]
    created_by: str
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None
    revoked_at: datetime | None

    def allows(self, scope: str) -> bool:
        """Say whether the key was given ``scope``."""
        return EVERYTHING in self.scopes or scope in self.scopes


def create_api_key(
    *, name: str, scopes: Sequence[str], by: str, expires_at: datetime | None = None
) -> str:
    """Make a key and return its text, which cannot be had again; raise Invalid on wrong scopes."""
    name = name.strip()
    unknown = sorted(set(scopes) - {*SCOPES, EVERYTHING})
    if unknown:
        raise Invalid(
            f"unknown scope {', '.join(unknown)}; there are {', '.join(SCOPES)} and *",
            code="unknown_scope",
        )
    if not scopes:
        raise Invalid("give the key at least one scope", code="no_scope")
    if not 1 <= len(name) <= 100:
        raise Invalid("give the key a name of 1 to 100 characters", code="bad_name")
    text = _MARK + make_token()
    models.ApiKey.objects.create(
        name=name,
        prefix=text[:12],
        key_hash=hash_token(text),
        scopes=sorted(set(scopes)),
        created_by=by,
        expires_at=expires_at,
    )
    return text


def find_api_key(*, text: str, now: datetime) -> ApiKey | None:
    """Return the live key with this text, noting its use; None when unknown, expired or revoked.

    The moment of last use is written at most once a minute, so that reading stays cheap.
    """
    row = models.ApiKey.objects.filter(key_hash=hash_token(text), revoked_at=None).first()
    if row is None or (row.expires_at is not None and row.expires_at <= now):
        return None
    if row.last_used_at is None or now - row.last_used_at > _LAST_USED_STEP:
        models.ApiKey.objects.filter(pk=row.pk).update(last_used_at=now)
    return _contract(row)


def list_api_keys() -> list[ApiKey]:
    """Return every key, the newest first, revoked ones included."""
    return [_contract(row) for row in models.ApiKey.objects.order_by("-created_at", "-pk")]


def revoke_api_key(*, key_id: int, now: datetime) -> None:
    """End a key at once; once revoked it stays so. Raise NotFound when there is none."""
    rows = models.ApiKey.objects.filter(pk=key_id)
    if not rows.exists():
        raise NotFound("there is no such key")
    rows.filter(revoked_at=None).update(revoked_at=now)


def _contract(row: models.ApiKey) -> ApiKey:
    return ApiKey(
        key_id=row.pk,
        name=row.name,
        prefix=row.prefix,
        scopes=tuple(row.scopes),
        created_by=row.created_by,
        created_at=row.created_at,
        expires_at=row.expires_at,
        last_used_at=row.last_used_at,
        revoked_at=row.revoked_at,
    )
