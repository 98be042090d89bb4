"""Secrets of one installation, and the few things done with them."""

import hashlib
import hmac
import os
import secrets
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec

from amity.infra.config import settings
from amity.infra.keeping import keep_once
from amity.kernel.errors import NeedsAttention

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

_NONCE_BYTES: Final = 12
_VERSION: Final = b"\x01"


class Secrets(msgspec.Struct, frozen=True, kw_only=True):
    """What an installation must keep to itself; made once, kept in `secrets.json` (0600)."""

    owner_password: str
    app_password: str
    readonly_password: str
    web_key: str
    pepper: str


def _make() -> Secrets:
    names = Secrets.__struct_fields__
    return Secrets(**{name: secrets.token_urlsafe(32) for name in names})


def load_secrets(folder: Path) -> Secrets:
    """Read the secrets of an installation, making them the first time."""
    content = keep_once(folder / "secrets.json", lambda: msgspec.json.encode(_make()))
    return msgspec.json.decode(content, type=Secrets)


@cache
def _secrets(folder: Path) -> Secrets:
    return load_secrets(folder)


def installation_secrets() -> Secrets:
    """Return the secrets of the installation this process belongs to."""
    return _secrets(settings().data)


def make_token() -> str:
    """Return 256 random bits as text, for keys that are shown once."""
    return secrets.token_urlsafe(32)


def hash_token(token: str) -> bytes:
    """Return the SHA-256 of a random token: what is stored in its place."""
    return hashlib.sha256(token.encode()).digest()


def pseudonym(text: str) -> str:
    """Return a keyed hash of an identifier, fit for logs and suppression lists."""
    key = installation_secrets().pepper.encode()
    return hmac.new(key, text.encode(), hashlib.sha256).hexdigest()[:32]


def encrypt(text: str, *, about: str) -> bytes:
    """Encrypt a secret of others that must be used again, such as the password of a database.

    AES-256-GCM under a key derived from the installation's secrets, which lie in its data folder
    and not in the database: a copy of the database alone opens nothing.

    ``about`` names what it belongs to (`outbound.7`): put elsewhere it cannot be read, so a row
    copied over another gives nothing away. It needs this installation's `secrets.json`.
    """
    nonce = os.urandom(_NONCE_BYTES)
    return _VERSION + nonce + _cipher().encrypt(nonce, text.encode(), about.encode())


def decrypt(sealed: bytes, *, about: str) -> str:
    """Return what `encrypt` was given; raise NeedsAttention when this installation cannot."""
    from cryptography.exceptions import InvalidTag  # noqa: PLC0415  # the collector needs none

    nonce, rest = sealed[1 : 1 + _NONCE_BYTES], sealed[1 + _NONCE_BYTES :]
    try:
        if sealed[:1] != _VERSION:
            raise InvalidTag
        return _cipher().decrypt(nonce, rest, about.encode()).decode()
    except (InvalidTag, ValueError) as error:
        raise NeedsAttention(
            "a stored secret cannot be read with this installation's secrets.json; enter it anew",
            code="secret_lost",
        ) from error


def _cipher() -> "AESGCM":
    return _cipher_of(installation_secrets().pepper)


@cache
def _cipher_of(pepper: str) -> "AESGCM":
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM  # noqa: PLC0415

    return AESGCM(hmac.digest(pepper.encode(), b"amity.encrypt", "sha256"))
