"""A key for each profile: what must stay in a table for good is readable as long as it is there.

AES-256-GCM. The keys lie in `store_subject_key`, each wrapped under a key derived from the
installation's secrets, which are outside the database. Whoever is erased loses theirs: what it
sealed is unreadable from then on in every table, and in every backup that is without the key.
"""

import base64
import hmac
import os
from collections.abc import Iterable
from functools import cache
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from amity.infra import queries
from amity.infra.crypto import installation_secrets
from amity.infra.database import Connection

_SQL: Final = queries.load("amity.infra")
_PREFIX: Final = "key1:"
_NONCE_BYTES: Final = 12

Keys = dict[int, AESGCM]


def obtain_keys(connection: Connection, origins: Iterable[int]) -> Keys:
    """Return the keys of profiles, made in the caller's transaction where there is none yet."""
    wanted = sorted(set(origins))
    keys = read_keys(connection, wanted)
    missing = [origin for origin in wanted if origin not in keys]
    if not missing:
        return keys
    made = [_wrap(origin, AESGCM.generate_key(256)) for origin in missing]
    connection.execute(_SQL["subject_keys_add"], [missing, made])
    return keys | read_keys(connection, missing)


def read_keys(connection: Connection, origins: Iterable[int]) -> Keys:
    """Return the keys of those profiles that have one."""
    rows = connection.execute(_SQL["subject_keys_read"], [sorted(set(origins))]).fetchall()
    found = ((origin, _unwrap(origin, bytes(wrapped))) for origin, wrapped in rows)
    return {origin: AESGCM(key) for origin, key in found if key is not None}


def destroy_keys(connection: Connection, origins: list[int]) -> int:
    """Destroy the keys of erased profiles: what they sealed is unreadable for good."""
    return connection.execute(_SQL["subject_keys_destroy"], [origins]).rowcount


def seal_for(key: AESGCM, text: str, *, about: str) -> str:
    """Return a text so that only this key opens it, and only where it belongs (``about``)."""
    nonce = os.urandom(_NONCE_BYTES)
    sealed = nonce + key.encrypt(nonce, text.encode(), about.encode())
    return _PREFIX + base64.b64encode(sealed).decode()


def open_for(key: AESGCM | None, sealed: str, *, about: str) -> str:
    """Return what was sealed; what cannot be opened, or never was sealed, as it is."""
    if key is None or not is_sealed(sealed):
        return sealed
    try:
        raw = base64.b64decode(sealed.removeprefix(_PREFIX), validate=True)
        nonce, rest = raw[:_NONCE_BYTES], raw[_NONCE_BYTES:]
        return key.decrypt(nonce, rest, about.encode()).decode()
    except (InvalidTag, ValueError):
        return sealed


def is_sealed(text: str) -> bool:
    """Say whether a text is sealed: after `open_for`, that nobody can read it."""
    return text.startswith(_PREFIX)


def _wrap(origin: int, key: bytes) -> bytes:
    nonce = os.urandom(_NONCE_BYTES)
    return nonce + _kek(installation_secrets().pepper).encrypt(nonce, key, str(origin).encode())


def _unwrap(origin: int, wrapped: bytes) -> bytes | None:
    nonce, rest = wrapped[:_NONCE_BYTES], wrapped[_NONCE_BYTES:]
    try:
        return _kek(installation_secrets().pepper).decrypt(nonce, rest, str(origin).encode())
    except (InvalidTag, ValueError):
        return None


@cache
def _kek(pepper: str) -> AESGCM:
    return AESGCM(hmac.digest(pepper.encode(), b"amity.subjects", "sha256"))
