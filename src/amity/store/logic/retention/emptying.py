"""Which parts of an event are emptied when it is old (pure): what no profile is made of.

What stays is all the fold reads: whose it is, its name and times, traits, orders and statements
about consent. So a rebuild from emptied events gives the same profiles, merges and orders; only
what an event told beside that is gone.
"""

from collections.abc import Callable
from typing import Any, Final

import msgspec

from amity.store.contracts_claims import TRAIT_ASSERTED
from amity.store.logic.consent.statements import CONSENT_EVENTS, CONSENT_REQUESTED
from amity.store.logic.folding.orders import ORDER_EVENTS
from amity.store.logic.intake.decoding import DecodedEvent
from amity.store.logic.intake.parsing import parse_object

KEPT_EVENTS: Final = frozenset({*ORDER_EVENTS, *CONSENT_EVENTS, CONSENT_REQUESTED, TRAIT_ASSERTED})
"""Events that stay as they came, however old: orders, consents and claims are made of them."""

_KEPT: Final = frozenset(
    {
        *("type", "messageId", "userId", "anonymousId", "previousId", "groupId"),
        *("event", "name", "category", "traits", "timestamp", "originalTimestamp", "sentAt"),
    }
)
_KEPT_OF_CONTEXT: Final = frozenset({"traits", "consent", "amity"})
_NETWORK: Final = frozenset({"ip", "network", "location"})

Emptying = Callable[[DecodedEvent, bytes], bytes | None]


def empty_details(event: DecodedEvent, body: bytes) -> bytes | None:
    """Return an event's bytes without its properties and context; None when nothing is to go."""
    if event.type == "track" and event.name in KEPT_EVENTS:
        return None
    value, _, _ = parse_object(body)
    made = {key: item for key, item in value.items() if key in _KEPT}
    if context := _only(value.get("context"), _KEPT_OF_CONTEXT):
        made["context"] = context
    return None if made == value else msgspec.json.encode(made)


def empty_network(event: DecodedEvent, body: bytes) -> bytes | None:
    """Return an event's bytes without the network it came from; None when there is none.

    Where it shows that a consent was given it stays.
    """
    is_consent = event.type == "track" and event.name in {*CONSENT_EVENTS, CONSENT_REQUESTED}
    if is_consent or _NETWORK.isdisjoint(event.context):
        return None
    value, _, _ = parse_object(body)
    context = value["context"]
    return msgspec.json.encode({**value, "context": _only(context, context.keys() - _NETWORK)})


def _only(value: Any, keys: frozenset[str] | set[str]) -> dict[str, Any]:
    if not isinstance(value, dict):
        return {}
    return {key: item for key, item in value.items() if key in keys}
