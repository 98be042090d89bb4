"""What the requests of webhooks are signed with: one secret for each source and dialect.

A secret is encrypted under the installation's own, and leaves the database only to check
signatures. When it is replaced, the former one stays good for a while, so that the sender can be
changed without losing a request.
"""

import base64
import os
from typing import Final

from amity.infra import queries
from amity.infra.crypto import decrypt, encrypt
from amity.infra.database import transaction
from amity.kernel.errors import Conflict, Invalid, NotFound
from amity.store.contracts import SYSTEM_SOURCE_ID
from amity.store.contracts_hooks import SourceSecret
from amity.store.dialect import Dialect, dialects
from amity.store.logic.intake.sources import get_source

_SQL: Final = queries.load("amity.store")
_OVERLAP_SECONDS: Final = 86_400
_MOST_OVERLAP_SECONDS: Final = 30 * 86_400
_SHORTEST: Final = 8
_LONGEST: Final = 500
_MADE_BYTES: Final = 32


def list_dialects() -> list[type[Dialect]]:
    """Return all dialects, by title."""
    return sorted(dialects(), key=lambda kind: kind.title.casefold())


def list_signed_dialects() -> list[type[Dialect]]:
    """Return the dialects whose requests are signed, by title."""
    return [kind for kind in list_dialects() if kind.is_signed]


def list_source_secrets(*, source_id: int) -> list[SourceSecret]:
    """Return for which dialects a source has a secret, by their names."""
    with transaction() as connection:
        rows = connection.execute(_SQL["list_source_secrets"], [source_id]).fetchall()
    return [
        SourceSecret(dialect=row[0], former_until=row[1], updated_at=row[2], updated_by=row[3])
        for row in rows
    ]


def make_source_secret() -> str:
    """Return a fresh secret as Standard Webhooks writes it, for senders that let one choose."""
    return f"whsec_{base64.b64encode(os.urandom(_MADE_BYTES)).decode()}"


def set_source_secret(
    *,
    source_id: int,
    dialect: str,
    secret: str,
    by: str,
    overlap_seconds: int = _OVERLAP_SECONDS,
) -> None:
    """Set or replace the secret of a source for one dialect; collectors know it within a second.

    For ``overlap_seconds`` the former one stays good. Raises Invalid for a dialect that signs
    nothing and for a secret of the wrong length, Conflict for the one it has already, NotFound
    for a source that cannot be changed.
    """
    clean = _check(dialect, secret, overlap_seconds)
    if get_source(source_id=source_id).source_id == SYSTEM_SOURCE_ID:
        raise NotFound(f"there is no source {source_id} that can be changed")
    about = secret_place(source_id, dialect)
    with transaction() as connection:
        row = connection.execute(_SQL["lock_source_secret"], [source_id, dialect]).fetchone()
        if row is not None and _is_same(bytes(row[0]), clean, about):
            raise Conflict("this is the secret it has already", code="same_secret")
        given = {
            "source_id": source_id,
            "dialect": dialect,
            "secret": encrypt(clean, about=about),
            "by": by,
            "overlap_seconds": overlap_seconds,
        }
        connection.execute(_SQL["write_source_secret"], given)


def remove_source_secret(*, source_id: int, dialect: str) -> None:
    """Forget a secret, the former one too: what is signed with them is refused from now on."""
    with transaction() as connection:
        given = [source_id, dialect]
        if connection.execute(_SQL["delete_source_secret"], given).fetchone() is None:
            raise NotFound(f"this source has no secret for {dialect!r}")


def secret_place(source_id: int, dialect: str) -> str:
    """Return what a secret belongs to: put at another place it cannot be read."""
    return f"source.{source_id}.{dialect}"


def _check(dialect: str, secret: str, overlap_seconds: int) -> str:
    signed = [kind.name for kind in list_signed_dialects()]
    if dialect not in signed:
        known = ", ".join(sorted(signed))
        raise Invalid(f"a secret is for one of: {known}", code="bad_dialect")
    clean = secret.strip()
    if not _SHORTEST <= len(clean) <= _LONGEST or not clean.isprintable():
        raise Invalid(f"a secret has {_SHORTEST} to {_LONGEST} characters", code="bad_secret")
    if not 0 <= overlap_seconds <= _MOST_OVERLAP_SECONDS:
        raise Invalid("the former secret may stay good for up to 30 days", code="bad_overlap")
    return clean


def _is_same(sealed: bytes, secret: str, about: str) -> bool:
    try:
        return decrypt(sealed, about=about) == secret
    except Exception:  # one that cannot be read any more is to be replaced
        return False
