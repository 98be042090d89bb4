"""The installation's signature: Ed25519, for what others must be able to check without a secret.

The key is made the first time and lies in the data folder as `signing_key.pem` (0600); it belongs
to the backups. What it signed can be checked with `public_key()` alone.
"""

import base64
from functools import cache
from pathlib import Path
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from amity.infra.config import settings
from amity.infra.keeping import keep_once

_FILE: Final = "signing_key.pem"


def sign(message: bytes) -> bytes:
    """Return the installation's signature of a message, 64 bytes."""
    return _key(settings().data / _FILE).sign(message)


def is_signed(message: bytes, signature: bytes) -> bool:
    """Say whether this installation signed exactly this message."""
    try:
        _public(settings().data / _FILE).verify(signature, message)
    except InvalidSignature:
        return False
    return True


def public_key() -> str:
    """Return the public key, 32 bytes in base64: whoever holds it can check what was signed."""
    raw = _public(settings().data / _FILE).public_bytes(
        serialization.Encoding.Raw, serialization.PublicFormat.Raw
    )
    return base64.b64encode(raw).decode()


@cache
def _public(path: Path) -> Ed25519PublicKey:
    return _key(path).public_key()


@cache
def _key(path: Path) -> Ed25519PrivateKey:
    key = serialization.load_pem_private_key(keep_once(path, _make), password=None)
    assert isinstance(key, Ed25519PrivateKey)
    return key


def _make() -> bytes:
    return Ed25519PrivateKey.generate().private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
