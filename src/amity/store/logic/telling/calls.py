"""What a call centre tells of calls as events (pure): of whom, and what was said.

The customer is the caller of a call that comes in and whom a call that goes out is made to; who is
not known yet becomes a new customer by the number.
"""

from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlsplit

import msgspec

from amity.store.dialect import make_id
from amity.store.logic.telling.phones import clean_phone

CALL_STARTED: Final = "Call Started"
CALL_ENDED: Final = "Call Ended"
_OUT: Final = frozenset({"outbound", "out", "outgoing", "dialed", "dialled", "outbound-api"})
_IN: Final = frozenset({"inbound", "in", "incoming", ""})
_MOST_URL: Final = 2_000


class CallRecord(msgspec.Struct, frozen=True, kw_only=True):
    """One call as it was told, everything as text; "" for what was not."""

    call_id: str = ""
    direction: str = ""
    caller: str = ""
    callee: str = ""
    user_id: str = ""
    details: Mapping[str, Any] = {}
    """Such as `agent`, `queue`, `outcome`, `duration_seconds`, `recording_url`."""


def read_direction(text: str) -> str | None:
    """Return `inbound` or `outbound`, None for anything else; without a word it came in."""
    word = text.strip().lower()
    return "inbound" if word in _IN else "outbound" if word in _OUT else None


def whose(call: CallRecord) -> dict[str, Any] | None:
    """Return whom a call is about; None when the number was withheld and nobody is named."""
    outbound = read_direction(call.direction) == "outbound"
    phone = clean_phone(call.callee if outbound else call.caller)
    found: dict[str, Any] = {}
    if call.user_id:
        found["userId"] = call.user_id
    if phone:
        found["context"] = {"traits": {"phone": phone}}
        if not call.user_id:
            found["anonymousId"] = make_id("calls", phone)
    return found or None


def describe(call: CallRecord) -> dict[str, Any]:
    """Return what is known of a call; a recording is a link, and only an https or http one."""
    said = {
        "call_id": call.call_id,
        "direction": read_direction(call.direction),
        "caller": clean_phone(call.caller) or call.caller,
        "callee": clean_phone(call.callee) or call.callee,
        **call.details,
    }
    if not _is_link(said.get("recording_url")):
        said.pop("recording_url", None)
    return {name: value for name, value in said.items() if value not in (None, "")}


def _is_link(value: Any) -> bool:
    if not isinstance(value, str) or len(value) > _MOST_URL:
        return False
    try:
        parts = urlsplit(value)
    except ValueError:
        return False
    return parts.scheme in {"https", "http"} and bool(parts.netloc)
