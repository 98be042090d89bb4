"""A whole request that could not be read, kept so that it can be read again.

Pure. Beside the body it keeps what a dialect reads it by; what lets its sender in is left out.
"""

import base64
import binascii
from typing import Final

import msgspec

from amity.store.dialect import BadEvent, Call, Dialect, dialects
from amity.store.logic.intake.cards import cut_cards, mask_text

CALL: Final = "call"
"""The type such a request has in quarantine."""

_SECRET_HEADERS: Final = frozenset({"authorization", "cookie", "proxy-authorization"})
_SECRET_NAMES: Final = frozenset({"writeKey", "write_key", "access_token"})


class _Kept(msgspec.Struct, frozen=True, omit_defaults=True):
    """``body`` when it is text, else ``body64``."""

    dialect: str
    method: str
    path: str
    query: dict[str, str] = {}
    headers: dict[str, str] = {}
    parts: dict[str, str] = {}
    body: str = ""
    body64: str = ""


def pack_call(dialect: Dialect, call: Call) -> bytes:
    """Return the request as JSON, without card numbers."""
    path = call.path
    if key := call.parts.get("write_key"):
        path = path.replace(key, "{write_key}")
    body, _ = cut_cards(call.body)
    try:
        text, binary = body.decode(), ""
    except UnicodeDecodeError:
        text, binary = "", base64.b64encode(body).decode()
    kept = _Kept(
        dialect=dialect.name,
        method=call.method,
        path=path,
        query={k: mask_text(v) for k, v in call.query.items() if k not in _SECRET_NAMES},
        headers={k: v for k, v in call.headers.items() if k not in _SECRET_HEADERS},
        parts={k: v for k, v in call.parts.items() if k not in _SECRET_NAMES},
        body=text,
        body64=binary,
    )
    return msgspec.json.encode(kept)


def read_call(raw: bytes) -> list[bytes]:
    """Return the events of a request that was kept; raise BadEvent while it says nothing."""
    try:
        kept = msgspec.json.decode(raw, type=_Kept)
        body = base64.b64decode(kept.body64) if kept.body64 else kept.body.encode()
    except (msgspec.MsgspecError, binascii.Error) as error:
        raise BadEvent("not_json", "the kept request cannot be read") from error
    if kept.dialect not in dialects():
        raise BadEvent("unknown_dialect", f"nothing here speaks {kept.dialect!r}")
    call = Call(
        method=kept.method,
        path=kept.path,
        query=kept.query,
        headers=kept.headers,
        body=body,
        parts=kept.parts,
    )
    return dialects()[kept.dialect]().read(call).events
