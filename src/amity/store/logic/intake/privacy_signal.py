"""Global Privacy Control: what a request with `Sec-GPC: 1` says, as an event (pure).

It is a valid opt-out for the browser and for whoever is known behind it. So it becomes one event
of that browser's source, once a day for each who sends it, and is folded, kept in the ledger and
honoured by the gate like any other no; a browser's source may say no (rule D8).
"""

import hashlib
from collections.abc import Iterable
from datetime import date
from typing import Final

import msgspec

from amity.store.logic.consent.statements import PREFERENCES_UPDATED
from amity.store.logic.intake.decoding import decode_event
from amity.store.logic.intake.parsing import BadEvent

METHOD: Final = "GPC"
UPDATED: Final = date(2026, 11, 22)
"""When what is done about the signal changed last."""


def support_document() -> dict[str, object]:
    """Return what `/.well-known/gpc.json` says: that the signal is honoured (W3C, GPC §4)."""
    return {"gpc": True, "lastUpdate": UPDATED.isoformat()}


class Person(msgspec.Struct, frozen=True):
    """Whom a browser's event is about."""

    user_id: str
    anonymous_id: str


def find_person(kind: str, body: bytes) -> Person | None:
    """Return whom an accepted event is about; None when only another identifier says."""
    try:
        event = decode_event(kind, body)
    except BadEvent:
        return None
    person = Person(event.user_id or "", event.anonymous_id or "")
    return person if person.user_id or person.anonymous_id else None


def opt_out(person: Person, purposes: Iterable[str], day: date) -> bytes:
    """Return the event that says no to purposes for a person, the same all day."""
    name = msgspec.json.encode([person.user_id, person.anonymous_id])
    fields = {"userId": person.user_id, "anonymousId": person.anonymous_id}
    event = {key: value for key, value in fields.items() if value} | {
        "type": "track",
        "event": PREFERENCES_UPDATED,
        "messageId": f"gpc-{hashlib.sha256(name).hexdigest()[:32]}-{day}",
        "properties": {
            "categoryPreferences": dict.fromkeys(purposes, False),
            "method": METHOD,
            "signal": "Sec-GPC: 1",
        },
    }
    return msgspec.json.encode(event)
