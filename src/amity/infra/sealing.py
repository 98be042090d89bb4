"""Sealing: secrets of others that must be used again, such as the password of a database.

AES-256-GCM under a key derived from the installation's own secrets, which lie in its data folder
and not in the database: a copy of the database alone opens nothing. What is sealed for one use
cannot be opened for another.
"""

import hmac
import os
from functools import cache
from hashlib import sha256
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from amity.infra.crypto import installation_secrets
from amity.kernel.errors import Invalid

_NONCE_BYTES: Final = 12
_VERSION: Final = b"\x01"


def seal(secret: str, *, use: str) -> bytes:
    """Return a secret so that only this installation can open it, for the same ``use``."""
    nonce = os.urandom(_NONCE_BYTES)
    return _VERSION + nonce + _cipher().encrypt(nonce, secret.encode(), use.encode())


def unseal(sealed: bytes, *, use: str) -> str:
    """Return what was sealed; raise Invalid when it was sealed elsewhere, or for another use."""
    nonce, rest = sealed[1 : 1 + _NONCE_BYTES], sealed[1 + _NONCE_BYTES :]
    try:
        if sealed[:1] != _VERSION:
            raise InvalidTag
        return _cipher().decrypt(nonce, rest, use.encode()).decode()
    except (InvalidTag, ValueError) as error:
        reason = "this secret was sealed by another installation; enter it again"
        raise Invalid(reason, code="sealed_elsewhere") from error


def _cipher() -> AESGCM:
    return AESGCM(_key(installation_secrets().pepper))


@cache
def _key(pepper: str) -> bytes:
    return hmac.digest(pepper.encode(), b"amity.sealing", sha256)
