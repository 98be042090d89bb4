"""Signed tokens for public links: they carry what they are about, and cannot be made elsewhere.

A token is `v1.KEY.PAYLOAD.TAG` (rule D40): the tag is HMAC-SHA256 over everything before it and
the purpose, cut to 128 bits, so a token for one purpose is void for any other. The payload can be
read by whoever holds the link, so no address goes into it.
"""

import base64
import binascii
import hmac
from datetime import datetime
from functools import cache
from typing import Any, Final, Literal

import msgspec

from amity.infra.config import settings
from amity.infra.crypto import installation_secrets

Purpose = Literal["unsubscribe", "preferences", "click", "open", "bounce"]
_VERSION: Final = "v1"
_TAG_BYTES: Final = 16
_LONGEST: Final = 4096
_encode = msgspec.msgpack.Encoder().encode


@cache
def _keys(folder: object) -> dict[str, bytes]:
    """Return the keys by id; the last one signs, the others are still believed."""
    pepper = installation_secrets().pepper.encode()
    return {"1": hmac.digest(pepper, b"amity.links.1", "sha256")}


def _tag(key: bytes, purpose: str, signed: str) -> bytes:
    return hmac.digest(key, f"{purpose}\0{signed}".encode(), "sha256")[:_TAG_BYTES]


def sign(purpose: Purpose, content: Any, *, expires_at: datetime | None = None) -> str:
    """Return a token for ``purpose`` that carries ``content`` (plain values, read with `read`)."""
    kid, key = list(_keys(settings().data).items())[-1]
    until = None if expires_at is None else int(expires_at.timestamp())
    signed = f"{_VERSION}.{kid}.{_text(_encode([until, content]))}"
    return f"{signed}.{_text(_tag(key, purpose, signed))}"


def read(purpose: Purpose, token: str, kind: Any = Any, *, now: datetime) -> Any | None:
    """Return what a token carries as ``kind``, or None when it is not ours, not for this, or late.

    Every wrong token reads the same.
    """
    parts = token.split(".")
    if len(token) > _LONGEST or len(parts) != 4 or parts[0] != _VERSION:
        return None
    key = _keys(settings().data).get(parts[1])
    if key is None:
        return None
    signed = token.rpartition(".")[0]
    # Compared as text: base64 ignores some bits of its last letter, and they would be accepted.
    if not hmac.compare_digest(_text(_tag(key, purpose, signed)).encode(), parts[3].encode()):
        return None
    try:
        padded = parts[2] + "=" * (-len(parts[2]) % 4)
        raw = base64.urlsafe_b64decode(padded.encode())
        until, content = msgspec.msgpack.decode(raw, type=tuple[int | None, kind])
    except (binascii.Error, ValueError, msgspec.DecodeError):
        return None
    return None if until is not None and until < now.timestamp() else content


def _text(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
