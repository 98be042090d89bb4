"""Signed tokens for public links: they carry what they are about, and cannot be made elsewhere.

A token is `v1.KEY.PAYLOAD.TAG` (rule D40): the tag is HMAC-SHA256 over everything before it and
the purpose, cut to 128 bits, so a token for one purpose is void for any other. The payload can be
read by whoever holds the link, so no address goes into it.

The first key is made of the installation's secret. `rotate_key` adds random ones in
`link_keys.json`: the newest signs, all are believed, since an unsubscribe link never expires.
"""

import base64
import binascii
import hmac
import os
import secrets
from collections.abc import Callable
from datetime import datetime
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any, Final, Literal

import msgspec

from amity.infra.config import settings
from amity.infra.crypto import installation_secrets
from amity.kernel.errors import Invalid

Purpose = Literal[
    "unsubscribe", "preferences", "undo", "click", "open", "bounce", "confirm", "request"
]
_VERSION: Final = "v1"
_TAG_BYTES: Final = 16
_PARTS: Final = 4
_LONGEST: Final = 4096
_FILE: Final = "link_keys.json"
_encode = msgspec.msgpack.Encoder().encode


class Opened(msgspec.Struct, frozen=True):
    """What a token of ours carries, whether or not its time is over."""

    content: Any
    is_late: bool


@cache
def _first_key(pepper: str) -> bytes:
    return hmac.digest(pepper.encode(), b"amity.links.1", "sha256")


@cache
def _further_keys(path: Path, changed_at: int) -> dict[str, bytes]:
    """Return the keys of the file as it was at that moment (of its clock, in nanoseconds)."""
    found = msgspec.json.decode(path.read_bytes(), type=dict[str, str])
    return {kid: bytes.fromhex(key) for kid, key in found.items()}


def key_file() -> Path:
    """Return where the keys lie that were added by `rotate_key`."""
    return settings().data / _FILE


def _keys() -> dict[str, bytes]:
    """Return the keys by id; the last one signs, the others are still believed."""
    first = {"1": _first_key(installation_secrets().pepper)}
    path = key_file()
    try:
        return first | _further_keys(path, path.stat().st_mtime_ns)
    except FileNotFoundError:
        return first


def rotate_key() -> str:
    """Sign with a new key from now on, and go on believing the older ones; return its id.

    To stop believing a key, delete it from `link_keys.json`: all links signed with it are void.
    """
    path = key_file()
    held = {kid: key.hex() for kid, key in _keys().items() if kid != "1"}
    kid = str(max(map(int, held), default=1) + 1)
    draft = path.with_name(f".{_FILE}.{os.getpid()}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(msgspec.json.encode(held | {kid: secrets.token_hex(32)}))
        file.flush()
        os.fsync(file.fileno())
    owner = path.parent.stat()
    if os.geteuid() == 0 and owner.st_uid != 0:
        # Amity runs as somebody else, who must be able to read it.
        os.chown(draft, owner.st_uid, owner.st_gid)
    draft.replace(path)
    return kid


def _tag(key: bytes, purpose: str, signed: str) -> str:
    return _text(hmac.digest(key, f"{purpose}\0{signed}".encode(), "sha256")[:_TAG_BYTES])


def sign(purpose: Purpose, content: Any, *, expires_at: datetime | None = None) -> str:
    """Return a token for ``purpose`` that carries ``content`` (plain values, read with `read`).

    Raises Invalid when it is too much to carry in a link: about 2,900 characters.
    """
    kid, key = list(_keys().items())[-1]
    until = None if expires_at is None else int(expires_at.timestamp())
    signed = f"{_VERSION}.{kid}.{_text(_encode([until, content]))}"
    token = f"{signed}.{_tag(key, purpose, signed)}"
    if len(token) > _LONGEST:
        raise Invalid("this is too long to be signed into a link", code="link_too_long")
    return token


def current_key() -> str:
    """Return the id of the key that signs now."""
    return list(_keys())[-1]


def signer(purpose: Purpose) -> Callable[..., str]:
    """Return what makes the same tokens as `sign` several times as fast.

    It takes the content and, when the token ends, the Unix time of its end; it goes on with the
    key of the moment it was made. For whoever signs many: messages hold a dozen links each.
    """
    kid, key = list(_keys().items())[-1]
    # HMAC as RFC 2104 has it, its two halves begun once.
    padded = key.ljust(64, b"\0")
    begun = sha256(bytes(byte ^ 0x36 for byte in padded))
    outer = sha256(bytes(byte ^ 0x5C for byte in padded))
    head = f"{_VERSION}.{kid}.".encode()
    begun.update(purpose.encode() + b"\0" + head)
    to_base64, to_url = binascii.b2a_base64, bytes.maketrans(b"+/", b"-_")

    def make(content: Any, until: int | None = None) -> str:
        payload = to_base64(_encode((until, content))).translate(to_url, b"=\n")
        inner, whole = begun.copy(), outer.copy()
        inner.update(payload)
        whole.update(inner.digest())
        tag = to_base64(whole.digest()[:_TAG_BYTES]).translate(to_url, b"=\n")
        token = b"%b%b.%b" % (head, payload, tag)
        if len(token) > _LONGEST:
            raise Invalid("this is too long to be signed into a link", code="link_too_long")
        return token.decode()

    return make


def seal(purpose: Purpose, raw: bytes) -> bytes:
    """Return 128 bits that only this installation can make for ``raw``, for where text is short."""
    return _seal(list(_keys().values())[-1], purpose, raw)


def is_seal(purpose: Purpose, raw: bytes, tag: bytes) -> bool:
    """Say whether `seal` made this tag, with any key that is believed."""
    return any(hmac.compare_digest(_seal(key, purpose, raw), tag) for key in _keys().values())


def _seal(key: bytes, purpose: str, raw: bytes) -> bytes:
    return hmac.digest(key, b"seal\0%b\0%b" % (purpose.encode(), raw), "sha256")[:_TAG_BYTES]


def read(purpose: Purpose, token: str, kind: Any = Any, *, now: datetime) -> Any | None:
    """Return what a token carries as ``kind``, or None when it is not ours, not for this, or late.

    Every wrong token reads the same.
    """
    opened = open_token(purpose, token, kind, now=now)
    return None if opened is None or opened.is_late else opened.content


def open_token(purpose: Purpose, token: str, kind: Any = Any, *, now: datetime) -> Opened | None:
    """Return what a token carries also when its time is over; None when it is not ours."""
    parts = token.split(".", _PARTS)
    if len(token) > _LONGEST or not token.isascii() or len(parts) != _PARTS:
        return None
    key = _keys().get(parts[1]) if parts[0] == _VERSION else None
    if key is None:
        return None
    signed = token.rpartition(".")[0]
    # Compared as text: base64 ignores some bits of its last letter, and they would be accepted.
    if not hmac.compare_digest(_tag(key, purpose, signed), parts[3]):
        return None
    padded = parts[2] + "=" * (-len(parts[2]) % 4)
    try:
        raw = base64.urlsafe_b64decode(padded)
        until, content = msgspec.msgpack.decode(raw, type=tuple[int | None, kind])
    except (binascii.Error, msgspec.DecodeError):
        return None
    return Opened(content, until is not None and until < now.timestamp())


def _text(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
