"""What events say about consent (pure): who may say it, and whose word is the last.

The latest statement by event time counts; of two at the same time, the more restrictive one.
When two customers turn out to be one, the more restrictive of their last words.
A browser source has a public key, so it may deny or withdraw a consent but never give one.
"""

from typing import Any, Final

import msgspec

from amity.store.contracts import Consent, ConsentStatus, SourceKind
from amity.store.logic.decoding import DecodedEvent

PREFERENCES_UPDATED: Final = "Segment Consent Preference Updated"
UNSUBSCRIBED: Final = "Unsubscribed"
EMAIL_MARKETING: Final = "marketing.email"
CONSENT_EVENTS: Final = frozenset({PREFERENCES_UPDATED, UNSUBSCRIBED})
MAX_PURPOSE: Final = 100

_STRICTNESS: Final[dict[ConsentStatus, int]] = {"granted": 0, "denied": 1, "withdrawn": 2}


def list_statements(event: DecodedEvent, kind: SourceKind) -> dict[str, ConsentStatus]:
    """Return what an event of a source of that kind says, by purpose.

    Preferences are read from `categoryPreferences` in the event's properties, in their
    `consent`, or in the context's `consent`; without any of these, from the properties that
    are true or false. What is neither true nor false says nothing.
    """
    return read_statements(event.name, event.properties, event.context, kind)


def read_statements(
    name: str, properties: dict[str, Any], context: dict[str, Any], kind: SourceKind
) -> dict[str, ConsentStatus]:
    """Do the same as `list_statements` with the parts of an event."""
    if name == UNSUBSCRIBED:
        return {EMAIL_MARKETING: "withdrawn"}
    said: dict[str, ConsentStatus] = {}
    for purpose, value in _preferences(properties, context).items():
        if 0 < len(purpose) <= MAX_PURPOSE and isinstance(value, bool):
            if value and kind == "browser":
                continue
            said[purpose] = "granted" if value else "denied"
    return said


def later(one: Consent, other: Consent) -> Consent:
    """Return the statement that counts of two about the same purpose."""
    return max(one, other, key=_rank)


def combine_consents(one: dict[str, Consent], other: dict[str, Consent]) -> dict[str, Consent]:
    """Return the consents of two customers who turn out to be one: the more restrictive (D33).

    A no of either holds against the yes of the other, even an earlier no: nobody knows whether
    she who said yes is the one who said no. It holds until a yes that is later than both. Neither
    the order of merges nor that of the two matters.
    """
    joined = dict(one)
    for purpose, consent in other.items():
        held = joined.get(purpose)
        joined[purpose] = consent if held is None else _stricter(held, consent)
    return joined


def _stricter(one: Consent, other: Consent) -> Consent:
    if one.status == other.status == "granted":
        return later(one, other)
    kept = max(one, other, key=lambda consent: (_STRICTNESS[consent.status], consent.event_id))
    return msgspec.structs.replace(kept, at=max(one.at, other.at))


def _rank(consent: Consent) -> tuple[Any, ...]:
    return consent.at, _STRICTNESS[consent.status], consent.event_id


def _preferences(properties: dict[str, Any], context: dict[str, Any]) -> dict[str, Any]:
    for place in (properties, properties.get("consent"), context.get("consent")):
        if isinstance(place, dict):
            found = place.get("categoryPreferences")
            if isinstance(found, dict):
                return found
    return properties
